"""One approval of a file: its values, each checked; every mistake is told with its place and remedy."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import cast, get_args

from cloudsigma.approvals.approval import MAX_REVIEW_DAYS, Approval
from cloudsigma.approvals.patterns import has_wildcard, is_only_wildcards, parse_arn
from cloudsigma.compiler.remedies import nearest, quoted
from cloudsigma.compiler.yaml_map import Scalar, YamlMap
from cloudsigma.engine.context.context import Outcome

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:\d\d)", re.ASCII)
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{3}[A-Z0-9]{12,124}(:\S+)?", re.ASCII)
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", re.ASCII)
_ID = re.compile(r"[^\s,;]{1,128}")
_OUTCOMES = get_args(Outcome)
_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY = dt.timedelta(days=1)
KEYS = (
    "id", "ticket", "owner", "approved_by", "reason", "from", "until", "standing", "review_by", "rules", "accounts",
    "principals", "roots", "sessions", "resources", "outcomes", "source_ips", "max_matches", "expect", "draft",
)  # fmt: skip
"""The keys of an approval."""


class EntryReader:
    """Reads one approval.

    Args:
        entry: The map.
        max_days: Most days that it may cover.
        known: IDs and names of the rules; `None`: any rule may be named.
    """

    def __init__(self, entry: YamlMap, max_days: int, known: frozenset[str] | None) -> None:
        self._entry = entry
        self._max_days = max_days
        self._known = known

    def read(self) -> Approval:
        """The approval; of one with mistakes, the values that could be read."""
        entry = self._entry
        entry.check_keys(KEYS)
        draft, standing = entry.flag("draft"), entry.flag("standing")
        start, until = self._standing_window() if standing else self._window(draft=draft)
        approval = Approval(
            id=self._id(),
            start=start,
            until=until,
            standing=standing,
            draft=draft,
            rules=self._rules(draft=draft),
            accounts=self._accounts(),
            principals=self._principals("principals"),
            roots=self._principals("roots"),
            sessions=self._patterns("sessions"),
            resources=self._resources(),
            outcomes=self._outcomes(),
            source_ips=self._networks(),
            max_matches=entry.number("max_matches"),
            expect=self._expect(),
            ticket=entry.text("ticket"),
            owner=entry.text("owner"),
            reason=entry.text("reason"),
            approved_by=tuple(each.text for each in entry.scalars("approved_by")),
            line=entry.line,
        )
        if not draft:
            self._check_breadth(approval)
        return approval

    def _id(self) -> str:
        scalar = self._entry.scalar("id")
        if scalar is None:
            if not self._entry.has("id"):
                self._entry.tell("id", "there is no id", "Write id: and the number of the change, such as CHG0031337.")
            return ""
        if not _ID.fullmatch(scalar.text):
            remedy = "Use at most 128 characters without blanks, commas and semicolons."
            self._entry.tell_at(scalar, f"the id is {quoted(scalar.text)}", remedy)
        return scalar.text

    # --- time -----------------------------------------------------------------------------------------------

    def _window(self, *, draft: bool) -> tuple[dt.datetime, dt.datetime]:
        entry = self._entry
        if entry.has("review_by"):
            entry.tell("review_by", "review_by belongs to a standing approval", "Add standing: true, or write until.")
        start, until = self._time("from"), self._time("until")
        for key in ("from", "until"):
            if not entry.has(key):
                remedy = "Write from and until, both with an offset; or standing: true and review_by."
                entry.tell(key, f"{key} is missing: an approval has a beginning and an end", remedy)
        if start is None or until is None:
            return _LONG_AGO, _LONG_AGO
        if until <= start:
            entry.tell("until", "until is not after from", "Swap them, or mend the date.")
        elif until - start > self._max_days * _DAY and not draft:
            remedy = f"Cover at most {self._max_days} days, or write standing: true and review_by for what recurs."
            entry.tell("until", f"it covers {(until - start).days} days", remedy)
        return start, until

    def _standing_window(self) -> tuple[dt.datetime, dt.datetime]:
        entry = self._entry
        if entry.has("until"):
            entry.tell("until", "a standing approval ends at its review", "Write review_by, or leave standing out.")
        if not entry.has("review_by"):
            remedy = f"Write review_by: and a date at most {MAX_REVIEW_DAYS} days after from."
            entry.tell("standing", "a standing approval has no review_by", remedy)
            return _LONG_AGO, _LONG_AGO
        review, start = self._review(), self._time("from")
        if review is None or (start is None and entry.has("from")):
            return _LONG_AGO, _LONG_AGO
        if start is None:
            return review - MAX_REVIEW_DAYS * _DAY, review
        if review <= start:
            entry.tell("review_by", "review_by is not after from", "Mend the date.")
        elif review - start > MAX_REVIEW_DAYS * _DAY:
            remedy = f"Review it at most {MAX_REVIEW_DAYS} days after from."
            entry.tell("review_by", f"the review is {(review - start).days} days after from", remedy)
        return start, review

    def _time(self, key: str) -> dt.datetime | None:
        scalar = self._entry.scalar(key)
        if scalar is None:
            return None
        text = scalar.text
        if found := _TIME.fullmatch(text):
            day, clock, zone = found.groups()
            try:
                when = dt.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}")
                return when.astimezone(dt.UTC)
            except (ValueError, OverflowError):
                self._entry.tell_at(scalar, f"{key} is {text}, which is no time", "Mend the date.")
                return None
        if _NAIVE.fullmatch(text):
            remedy = f"Write {text.replace(' ', 'T')}Z for UTC, or add the offset of your zone, such as +01:00."
            self._entry.tell_at(scalar, f"{key} is {text}, without an offset from UTC", remedy)
        elif _DATE.fullmatch(text):
            self._entry.tell_at(scalar, f"{key} is {text}, a date without a time", f"Write {text}T00:00:00Z.")
        else:
            remedy = "Write a time with its offset: 2026-11-17T13:00:00Z."
            self._entry.tell_at(scalar, f"{key} is {quoted(text)}, which is no time", remedy)
        return None

    def _review(self) -> dt.datetime | None:
        """The end of the day of the review, in UTC; a time is that moment."""
        scalar = self._entry.scalar("review_by")
        if scalar is None or not _DATE.fullmatch(scalar.text):
            return self._time("review_by")
        try:
            return dt.datetime.fromisoformat(f"{scalar.text}T00:00:00+00:00") + _DAY
        except (ValueError, OverflowError):
            self._entry.tell_at(scalar, f"review_by is {scalar.text}, which is no date", "Mend it.")
            return None

    # --- what it covers -------------------------------------------------------------------------------------

    def _rules(self, *, draft: bool) -> tuple[str, ...]:
        entry = self._entry
        if not entry.has("rules"):
            if not draft:
                remedy = "Name the rules whose matches are expected, by ID or name."
                entry.tell("rules", "too broad: it names no rules", remedy)
            return ()
        found = entry.scalars("rules")
        for scalar in found:
            if has_wildcard(scalar.text):
                remedy = "Name each rule by its ID or name."
                entry.tell_at(scalar, f"{quoted(scalar.text)} is a pattern, which rules may not be", remedy)
            elif self._known is not None and scalar.text not in self._known:
                near = nearest(scalar.text, self._known)
                remedy = near if near.startswith("Did") else "`cloudsigma rules` lists the rules."
                entry.tell_at(scalar, f"no rule has the ID or name {quoted(scalar.text)}", remedy)
        return tuple(scalar.text for scalar in found)

    def _accounts(self) -> tuple[str, ...]:
        found = self._entry.scalars("accounts")
        for scalar in found:
            if not _ACCOUNT.fullmatch(scalar.text):
                remedy = 'Write its 12 digits in quotation marks: "111122223333".'
                self._entry.tell_at(scalar, f"{quoted(scalar.text)} is not an account", remedy)
            elif scalar.text.startswith("0") and not scalar.quoted:
                reason = (
                    f"the account {scalar.text} begins with 0 and is not in quotation marks, so YAML may read a number"
                )
                self._entry.tell_at(scalar, reason, f'Write "{scalar.text}".')
        return tuple(scalar.text for scalar in found)

    def _principals(self, key: str) -> tuple[str, ...]:
        found = self._entry.scalars(key)
        for scalar in found:
            text, arn = scalar.text, parse_arn(scalar.text)
            if is_only_wildcards(text):
                self._tell_broad(scalar)
            elif arn is None:
                if has_wildcard(text) or not self._is_other_principal(key, text):
                    remedy = "Write the ARN: arn:aws:iam::111122223333:role/NAME."
                    self._entry.tell_at(scalar, f"{quoted(text)} is not the ARN of a principal", remedy)
            elif has_wildcard(text.removesuffix(_last(text))):
                remedy = "Use * and ? in the last part alone, after the last slash or colon."
                self._entry.tell_at(scalar, f"{quoted(text)} has a pattern before its last part", remedy)
            elif is_only_wildcards(arn.name) and arn.resource.count("/") < 2:
                self._tell_broad(scalar)
        return tuple(scalar.text for scalar in found)

    def _is_other_principal(self, key: str, text: str) -> bool:
        """Whether a text names a principal without an ARN; a root may be a source identity, which is any text."""
        return key == "roots" or any(each.fullmatch(text) for each in (_UNIQUE_ID, _SERVICE, _ACCOUNT))

    def _resources(self) -> tuple[str, ...]:
        found = self._entry.scalars("resources")
        for scalar in found:
            arn = parse_arn(scalar.text)
            if is_only_wildcards(scalar.text) or (arn is not None and is_only_wildcards(arn.resource)):
                self._tell_broad(scalar)
            elif arn is not None and has_wildcard(scalar.text.removesuffix(arn.resource)):
                remedy = "Use * and ? after the account alone: they never match across a colon."
                reason = f"{quoted(scalar.text)} has a pattern before its account or within it"
                self._entry.tell_at(scalar, reason, remedy)
        return tuple(scalar.text for scalar in found)

    def _patterns(self, key: str) -> tuple[str, ...]:
        found = self._entry.scalars(key)
        for scalar in found:
            if is_only_wildcards(scalar.text):
                self._tell_broad(scalar)
        return tuple(scalar.text for scalar in found)

    def _outcomes(self) -> tuple[Outcome, ...]:
        found = self._entry.scalars("outcomes")
        for scalar in found:
            if scalar.text not in _OUTCOMES:
                remedy = f"Use {', '.join(_OUTCOMES)}."
                self._entry.tell_at(scalar, f"{quoted(scalar.text)} is not an outcome", remedy)
        return tuple(cast("Outcome", scalar.text) for scalar in found) or ("success",)

    def _networks(self) -> tuple[str, ...]:
        found = self._entry.scalars("source_ips")
        for scalar in found:
            try:
                network = ipaddress.ip_network(scalar.text)
            except ValueError as error:
                remedy = "Write an address or a network: 203.0.113.0/24."
                if "host bits" in str(error):
                    remedy = f"Write {ipaddress.ip_network(scalar.text, strict=False)}."
                self._entry.tell_at(scalar, f"{quoted(scalar.text)} is not a network", remedy)
            else:
                if network.prefixlen == 0:
                    self._tell_broad(scalar)
        return tuple(scalar.text for scalar in found)

    def _expect(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        expected = self._entry.map("expect")
        if expected is None:
            return ()
        expected.check_names()
        if expected.is_empty:
            self._entry.tell("expect", "expect is empty", "Write field: [value, …] below it, or leave it out.")
        return tuple((field, tuple(each.text for each in expected.scalars(field))) for field in expected.keys)

    def _tell_broad(self, scalar: Scalar) -> None:
        remedy = "Name the users, roles or resources of the change, or leave the key out if another one does."
        self._entry.tell_at(scalar, f"too broad: {quoted(scalar.text)} covers everything", remedy)

    def _check_breadth(self, approval: Approval) -> None:
        if approval.principals or approval.roots or approval.resources:
            return
        if any(self._entry.has(key) for key in ("principals", "roots", "resources")):
            return  # told at its value
        remedy = "Add principals: [ARN], or resources: [ARN]."
        self._entry.tell("id", "too broad: it names neither principals nor resources", remedy)


def _last(text: str) -> str:
    """The last part of an ARN: the text after the last slash or colon."""
    return re.split(r"[/:]", text)[-1]
