"""Checks of a value that is compared as a whole, or from its beginning: can the field hold such a text?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.record_fields import ACCOUNTS, BOOLEANS, VALUES
from cloudsigma.compiler.document import Place
from cloudsigma.compiler.remedies import closest, quoted
from cloudsigma.linting.notes import Note

_WILDCARD = re.compile(r"[*?]")
_CLOSED_TEXT = re.compile(r"[A-Za-z0-9_.:/ -]*")
_WHOLE = frozenset({"neq", "cased", "all"})


class _Form(NamedTuple):
    pattern: re.Pattern[str]
    means: str
    """After "which is"."""
    prefix: str = ""
    """The beginning of every value."""


_KEY = _Form(re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}", re.IGNORECASE), "A, 3 letters, and 12 or more letters and digits")
_ARN = _Form(re.compile(r"arn:[^\n]+"), "arn:partition:service:region:account:resource", "arn:")
_UUID = _Form(
    re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE), "a UUID of 32 digits with four hyphens"
)
_FORMS: Mapping[str, _Form] = {
    "eventID": _UUID,
    "sharedEventID": _UUID,
    "eventVersion": _Form(re.compile(r"1\.[0-9]{1,2}"), "1. and one or two digits", "1."),
    "eventTime": _Form(
        re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z", re.IGNORECASE),
        "a time like 2026-01-31T12:00:00Z",
    ),
    "vpcEndpointId": _Form(re.compile(r"vpce-[0-9a-f]+", re.IGNORECASE), "vpce- and hexadecimal digits", "vpce-"),
    "userIdentity.accessKeyId": _KEY,
    "userIdentity.arn": _ARN,
    "userIdentity.sessionContext.sessionIssuer.arn": _ARN,
    "userIdentity.onBehalfOf.identityStoreArn": _ARN,
    "resources.ARN": _ARN,
    "errorCode": _Form(re.compile(r"[A-Za-z0-9._:-]+"), "one word, such as AccessDenied"),
    "tlsDetails.tlsVersion": _Form(re.compile(r"TLSv1(\.[0-9])?", re.IGNORECASE), "TLSv1.2 or the like", "TLSv1"),
}  # fmt: skip
NO_ERRORS = frozenset({"success", "succeeded", "ok", "no error", "noerror", "-"})
"""Texts in lower case that are meant for the errorCode of a call that succeeded."""
_TOOLS = frozenset(
    {"aws-cli", "aws-sdk-go", "aws-sdk-go-v2", "aws-sdk-java", "aws-sdk-js", "aws-sdk-dotnet", "aws-sdk-ruby",
     "aws-sdk-php", "aws-sdk-rust", "boto", "boto3", "botocore", "curl", "python-requests", "mozilla", "wget",
     "python-urllib", "go-http-client", "okhttp", "terraform", "ansible"}
)  # fmt: skip
"""Programs whose user agent always has a version."""


def value_notes(
    name: str, value: Any, place: Place, used: frozenset[str], catalogue: Catalogue
) -> Iterator[Note]:  # fmt: skip
    """The notes about a value of a field, with the modifiers of its item."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if used == {"startswith"}:
        yield from _beginning(name, text, place, catalogue)
        return
    if not used <= _WHOLE or value is None:
        return
    if _WILDCARD.search(text):
        if re.fullmatch(r"[^*?\\]+\*", text):
            yield from _beginning(name, text[:-1], place, catalogue)
        return
    note = _of_closed_set(name, value, text, place, used) or _of_form(name, text, place, catalogue)
    if note is not None:
        yield note
    elif name in BOOLEANS and isinstance(value, str):
        yield Note("boolean-as-text", place, f"{name} is a boolean in records, and {quoted(text)} is a text",
                   f"Write {text.lower()} without quotation marks: other engines tell the two apart.")  # fmt: skip


def _beginning(name: str, text: str, place: Place, catalogue: Catalogue) -> Iterator[Note]:
    """Text from the beginning of a value."""
    folded = text.lower()
    if name in VALUES and not any(each.lower().startswith(folded) for each in VALUES[name]):
        yield Note("unknown-enum-value", place, f"no value of {name} begins with {quoted(text)}", _listed(VALUES[name]))
    elif name == "awsRegion" and not any(each.startswith(folded) for each in catalogue.regions):
        yield Note("unknown-region", place, f"no region begins with {quoted(text)} (catalogue of {catalogue.made})",
                   "Regions are written like us-east-1.")  # fmt: skip
    elif name in _FORMS:
        prefix = _FORMS[name].prefix.lower()
        if not prefix.startswith(folded) and not folded.startswith(prefix):
            yield Note("value-form", place, f"no {name} begins with {quoted(text)}: it is {_FORMS[name].means}",
                       f"It begins with {_FORMS[name].prefix}; contains finds a text anywhere.")  # fmt: skip


def _listed(values: frozenset[str]) -> str:
    return f"There are: {', '.join(sorted(values))}."


def _of_closed_set(name: str, value: Any, text: str, place: Place, used: frozenset[str]) -> Note | None:
    if name not in VALUES:
        return None
    known = {each.lower(): each for each in VALUES[name]}
    if text.lower() not in known:
        nearest = closest(text, VALUES[name], 0.6)
        remedy = f"Did you mean {quoted(nearest)}?" if nearest else _listed(VALUES[name])
        if isinstance(value, bool):
            remedy = f"YAML reads yes, no, on and off as booleans: put them in quotation marks. {_listed(VALUES[name])}"
        return Note("unknown-enum-value", place, f"{name} is never {quoted(text)}", remedy)
    right = known[text.lower()]
    if "cased" in used and text not in VALUES[name] and not isinstance(value, bool):
        reason = f"{name} is never {quoted(text)} in this letter case"
        return Note("unknown-enum-value", place, reason, f"Write {right}.", right, text)
    return None


def _of_form(name: str, text: str, place: Place, catalogue: Catalogue) -> Note | None:  # one a field
    if name in ACCOUNTS:
        if re.fullmatch(r"[0-9]{12}", text) or text.lower() in ("anonymous", ""):
            return None
        digits = re.sub(r"[^0-9]", "", text)
        remedy = f"Write '{digits}'." if len(digits) == 12 else "Write the 12 digits, in quotation marks."
        return Note("account-id", place, f"{quoted(text)} is no account ID, which has 12 digits", remedy)
    if name == "awsRegion":
        return _region(text, place, catalogue)
    if name == "sourceIPAddress":
        return _address(text, place)
    if name in ("eventName", "eventSource", "eventType"):
        if _CLOSED_TEXT.fullmatch(text):
            return None
        reason = f"{name} never holds {quoted(text)}: it has letters, digits and dots"
        return Note("impossible-value", place, reason, "Remove the other characters.")
    if name == "userAgent" and text.lower() in _TOOLS:
        reason = f"{quoted(text)} is never a whole user agent: a version follows"
        return Note("user-agent-without-version", place, reason, f"Write userAgent|contains: {text}/.")
    if name == "errorCode" and text.lower() in NO_ERRORS:
        reason = f"a call that succeeded has no errorCode, and never {quoted(text)}"
        return Note("success-as-error-code", place, reason, "Write errorCode: null.")
    form = _FORMS.get(name)
    if form is not None and text and not form.pattern.fullmatch(text):
        return Note("value-form", place, f"{name} never holds {quoted(text)}", f"It is {form.means}.")
    return None


def _region(text: str, place: Place, catalogue: Catalogue) -> Note | None:
    if text.lower() in catalogue.regions or not text:
        return None
    letters = sorted(text.lower())
    swapped = (region for region in sorted(catalogue.regions) if sorted(region) == letters)
    nearest = next(swapped, None) or closest(text.lower(), sorted(catalogue.regions), 0.7)
    if re.fullmatch(r"[a-z]{2}-[a-z]+-[0-9][a-z]", text) and text[:-1] in catalogue.regions:
        reason, nearest = f"{quoted(text)} is an availability zone, and awsRegion holds a region", text[:-1]
    else:
        reason = f"{quoted(text)} is no region (catalogue of {catalogue.made})"
    return Note("unknown-region", place, reason, f"Did you mean {nearest}?" if nearest else "Write it like us-east-1.")


def _address(text: str, place: Place) -> Note | None:
    if re.fullmatch(r"[0-9.]+", text) or re.fullmatch(r"[0-9a-f]*:[0-9a-f:.]+", text, re.IGNORECASE):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            reason = f"{quoted(text)} is no IP address"
            return Note("impossible-value", place, reason, "Write the whole address, or use cidr.")
    elif re.fullmatch(r"[\w-]+", text):
        reason = f"sourceIPAddress never holds {quoted(text)}"
        return Note("impossible-value", place, reason,
                    "It is an address, the domain of a service (ec2.amazonaws.com), or AWS Internal.")  # fmt: skip
    return None
