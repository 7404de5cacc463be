"""Filters prefixes and objects by their keys alone, and counts those left out."""

from __future__ import annotations

from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.file_name_facts import facts_of
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.log_names import ending_of, is_log
from cloudsigma.reading.sources.s3.key_layout import TrailPrefix, trail_prefix

_NO_CALLS = {
    "CloudTrail-Digest": ("digest prefix", "digest"),
    "CloudTrail-Insight": ("Insights prefix", "Insights file"),
}
"""Services whose files contain no API calls → the names under which their prefixes and files are counted."""


class KeyFilter:
    """Filters prefixes and keys one by one, and counts those left out."""

    def __init__(self, selection: Selection, recorder: Recorder) -> None:
        self._selection = selection
        self._recorder = recorder

    def keeps_prefix(self, here: TrailPrefix, prefix: str = "") -> bool:
        """Whether a prefix of CloudTrail's layout may contain selected objects."""
        if why := self._selection.leaves_out(here.delivery):
            self._recorder.left_out[f"prefixes {why}"] += 1
            return False
        if here.stage == "service":
            kind, _ = _NO_CALLS.get(here.service or "", (None, None))
            if kind is not None:
                self._recorder.recognized[kind] += 1
            else:
                self._recorder.pass_over(f"prefix {here.service}/", prefix)
            return False
        return True

    def keeps(self, key: str, *, whatever_its_end: bool = False) -> bool:
        """Whether an object is selected; its ending is checked as for files in a folder."""
        if key.endswith("/"):  # the console's marker of an empty folder
            self._recorder.pass_over("folder marker", key)
            return False
        delivery = facts_of(key)
        if delivery is not None and (why := self._selection.leaves_out(delivery)):
            self._recorder.left_out[f"files {why}"] += 1
            return False
        if whatever_its_end or is_log(key):
            return True
        self._recorder.pass_over(ending_of(key), key)
        return False

    def keeps_named(self, key: str) -> bool:
        """Whether an object is selected whose key was named by a notification, not by a listing."""
        here = trail_prefix(key[: key.rfind("/") + 1])
        if here is None or here.stage != "service":
            return self.keeps(key)
        _, kind = _NO_CALLS.get(here.service or "", (None, None))
        if kind is not None:
            self._recorder.recognized[kind] += 1
        else:
            self._recorder.pass_over(f"file of {here.service}", key)
        return False
