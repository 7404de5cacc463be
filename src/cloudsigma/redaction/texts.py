"""What must be replaced in a text: ARNs, accounts, keys, IDs, addresses, mail addresses, and names known by then."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterable

from cloudsigma.redaction.addresses import Addresses
from cloudsigma.redaction.pseudonyms import Pseudonyms

_PATTERN = re.compile(
    r"(?P<arn>arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(?:[0-9]{12}|aws|cloudfront|\*)?:[^\s\"',;)\]}]+)"
    r"|(?P<email>[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6})"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)"
    r"|(?P<key>\b(?:AKIA|ASIA|ABIA|ACCA|AIDA|AROA|AGPA|AIPA|ANPA|ANVA|APKA|ASCA)[A-Z0-9]{12,124}\b)"
    r"|(?P<account>(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z]))"
    r"|(?P<address>(?<![0-9A-Fa-f.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})"
    r"(?![0-9A-Fa-f.:]))"
    r"|(?P<resource>\b[a-z]{1,12}-(?P<digits>[0-9a-fA-F]{8}(?:[0-9a-fA-F]{9})?)\b)"
    r"|(?P<host>\b(?P<label>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<domain>\.(?:s3[a-z0-9.-]*|execute-api\.[a-z0-9-]+|"
    r"[a-z0-9-]+\.elb|[a-z0-9.-]+\.es|[a-z0-9.-]+\.rds)\.amazonaws\.com)\b)"
)
_MANAGED = re.compile(
    r"AWSServiceRoleFor\w*|aws-service-role|AWSReservedSSO_|aws-reserved|service-role|sso\.amazonaws\.com"
)
_TYPES = re.compile(r"[a-z][a-z-]*")
"""The type of a resource in an ARN, which is kept."""
_WORD = re.compile(r"[A-Za-z0-9_.@+=-]+")
_SPANS = re.compile(r"[/:]")
"""What stands between the names of a text."""
_SSO = re.compile(r"(AWSReservedSSO_)([\w+=,.@-]+)_([0-9a-f]{16})")
MOST_NAMES = 50_000
"""Names that free texts are searched for."""
SHORTEST_NAME = 4
"""Shorter names are left in free texts: `web` is a word, too."""


class Texts:
    """Replaces the sensitive parts of texts.

    Args:
        pseudonyms: The pseudonyms.
        addresses: Those of addresses.
        kept: Texts that rules ask for, in lower case: where one stands in a name, it stays.
    """

    def __init__(self, pseudonyms: Pseudonyms, addresses: Addresses, kept: Collection[str] = ()) -> None:
        self._pseudonyms = pseudonyms
        self._addresses = addresses
        longest = sorted({text for text in kept if len(text) > 2}, key=len, reverse=True)
        self._kept = _any_of(longest)
        self._spanning = _any_of([text for text in longest if _SPANS.search(text)])
        self._whole = frozenset(kept)
        self.names: set[str] = set()
        """The names that were replaced; free texts are searched for them."""
        self.identities: set[str] = set()
        """Those among them that identities and ARNs have."""
        self.counts: Counter[str] = Counter()
        """Kind → how many were replaced."""

    def split(self, text: str) -> list[str] | None:
        """The text in pieces, at texts that rules ask for and that span several names: every second one is kept."""
        if self._spanning is None or self._spanning.search(text) is None:
            return None
        pieces, at = [], 0
        for match in self._spanning.finditer(text):
            pieces += [text[at : match.start()], match[0]]
            at = match.end()
        return [*pieces, text[at:]]

    def identity(self, text: str) -> str:
        """The pseudonym of a name of an identity."""
        if len(text) >= SHORTEST_NAME and len(self.identities) < MOST_NAMES:
            self.identities.add(text)
        return self.name(text)

    def name(self, text: str) -> str:
        """The pseudonym of a name; what rules ask for stays in it."""
        if not text or text.lower() in self._whole:
            return text
        if self._kept is not None and (found := list(self._kept.finditer(text))):
            pieces, at = [], 0
            for match in found:
                pieces += [self._piece(text[at : match.start()]), match[0]]
                at = match.end()
            return "".join([*pieces, self._piece(text[at:])])
        return self._piece(text)

    def _piece(self, text: str) -> str:
        if not text or not any(letter.isalnum() for letter in text):
            return text
        self.counts["name"] += 1
        if len(text) >= SHORTEST_NAME and len(self.names) < MOST_NAMES:
            self.names.add(text)
        return self._pseudonyms.name(text)

    def patterns(self, text: str) -> str:
        """The text with everything replaced that is sensitive by its form."""
        return _PATTERN.sub(self._replaced, text)

    def free(self, text: str, names: Collection[str]) -> str:
        """A text that people or services have written: also with some names replaced."""
        replaced = self.patterns(text)
        return _WORD.sub(lambda found: self._pseudonyms.name(found[0]) if found[0] in names else found[0], replaced)

    def _replaced(self, found: re.Match[str]) -> str:
        kind = next(
            name for name in ("arn", "email", "uuid", "key", "account", "address", "resource", "host") if found[name]
        )
        text = found[0]
        match kind:
            case "arn":
                return self.arn(text)
            case "address":
                try:
                    ipaddress.ip_address(text)
                except ValueError:
                    return text
                made = self._addresses(text)
            case "account":
                made = self._pseudonyms.account(text)
            case "key":
                made = self._pseudonyms.identifier(text, 4)
            case "uuid":
                made = self._pseudonyms.uuid(text)
            case "email":
                made = self._pseudonyms.email(text)
            case "resource":
                made = text[: -len(found["digits"])] + self._pseudonyms.hexadecimal(found["digits"])
            case _:
                made = self.name(found["label"]) + found["domain"]
        self.counts[kind] += 1
        return made

    def arn(self, text: str) -> str:
        """An ARN: account and names are replaced; partition, service, region and type stay, and AWS's own ARNs."""
        parts = text.split(":", 5)
        if len(parts) < 6 or parts[4] == "aws":
            return text
        self.counts["arn"] += 1
        account = self._pseudonyms.account(parts[4]) if parts[4].isdigit() else parts[4]
        return ":".join([*parts[:4], account, self._resource(parts[2], parts[5])])

    def _resource(self, service: str, text: str) -> str:
        """The part behind the account: `role/path/NAME`, `function:NAME`, `NAME`."""
        pieces = re.split(r"([/:])", text)
        has_type = len(pieces) > 1 and service not in ("s3", "sns", "sqs") and _TYPES.fullmatch(pieces[0])
        return "".join(
            piece if at % 2 or (at == 0 and has_type) or piece in ("", "*", "root") else self.part(piece)
            for at, piece in enumerate(pieces)
        )

    def part(self, text: str) -> str:
        """One name of an ARN or path: AWS's own names, IDs and addresses keep their form."""
        if _MANAGED.fullmatch(text) or text.endswith(".amazonaws.com"):
            return text
        if found := _SSO.fullmatch(text):
            return f"{found[1]}{self.name(found[2])}_{self._pseudonyms.hexadecimal(found[3])}"
        if _PATTERN.fullmatch(text):
            return self.patterns(text)
        return self.identity(text)


def _any_of(texts: Collection[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, texts)), re.IGNORECASE) if texts else None


def lowered(texts: Iterable[str]) -> frozenset[str]:
    """Texts in lower case, without blanks around them."""
    return frozenset(text.strip().lower() for text in texts if text.strip())
