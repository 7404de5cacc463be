"""Log files against digest files: what is altered, missing or in no digest; what the chain and the signatures say."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from cloudsigma.integrity.digest import DigestFile, NamedFile, NoDigestError, read_digest
from cloudsigma.integrity.problem import Problem
from cloudsigma.integrity.signature import PublicKey
from cloudsigma.integrity.tree import LARGEST_DIGEST, Tree, UnreadableError
from cloudsigma.reading.scope.file_name_facts import facts_of
from cloudsigma.reading.scope.limits import Limits

_SLACK = dt.timedelta(minutes=5)
"""Log files are named for the time of their delivery, which may be shortly after the end of their digest."""


class Integrity(msgspec.Struct, frozen=True):
    """The outcome of a check."""

    digests: int
    """Digest files that were read."""
    verified: int
    """Log files whose content is that of their digest file."""
    problems: tuple[Problem, ...]
    """By path."""
    unsigned: int
    """Digest files whose signature was not verified: no key was given, the key is another, or the signature is in no
    file. That of the newest digest file of a chain is only among the metadata of its object in S3."""
    outside: int
    """Log files of times that no digest file covers."""
    first: dt.datetime | None = None
    """The beginning of the time that the digest files cover."""
    end: dt.datetime | None = None

    @property
    def intact(self) -> bool:
        """Whether nothing contradicts the digest files."""
        return not self.problems

    @property
    def unreadable(self) -> bool:
        """Whether something could not be read."""
        return any(problem.kind == "unreadable" for problem in self.problems)

    @property
    def summary(self) -> str:
        """One line."""
        text = f"{self.digests:,} digest files, {self.verified:,} log files verified, {len(self.problems):,} problems"
        text += f", {self.unsigned:,} digest files without a verified signature"
        return text + (f", {self.outside:,} log files outside the time of the digests" if self.outside else "")

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON values."""
        return {
            **msgspec.structs.asdict(self),
            "first": self.first.isoformat() if self.first is not None else None,
            "end": self.end.isoformat() if self.end is not None else None,
            "problems": [problem.to_dict() for problem in self.problems],
        }


def check_integrity(
    paths: Iterable[str | os.PathLike[str]], keys: Sequence[PublicKey] = (), limits: Limits | None = None
) -> Integrity:
    """Check the log files of a synced bucket against the digest files in it.

    Args:
        paths: Folders with log files and digest files, as `aws s3 sync` makes them.
        keys: Public keys for the signatures.
        limits: Bounds on what a file inflates to.

    Raises:
        UsageError: A path is not there, or is not of this machine.
    """
    tree = Tree(paths, limits or Limits())
    check = _Check(tree, keys)
    check.run()
    return check.outcome


class _Check:
    """One check."""

    def __init__(self, tree: Tree, keys: Sequence[PublicKey]) -> None:
        self._tree = tree
        self._keys = {key.fingerprint: key for key in keys}
        self._problems = [Problem(path, "unreadable", reason) for path, reason in tree.denied]
        self._digests: list[DigestFile] = []
        self._named: set[Path] = set()
        self._verified = 0
        self._unsigned = 0
        self._outside = 0

    @property
    def outcome(self) -> Integrity:
        """The outcome."""
        return Integrity(
            len(self._digests), self._verified, tuple(sorted(set(self._problems))), self._unsigned, self._outside,
            min((digest.start for digest in self._digests), default=None),
            max((digest.end for digest in self._digests), default=None),
        )  # fmt: skip

    def run(self) -> None:
        """Check everything."""
        self._digests += self._read()
        for digest in self._digests:
            for named in digest.files:
                self._check_log(named)
        for chain in self._chains():
            self._check_chain(chain)
        self._check_others()

    def _tell(self, path: str, kind: Any, text: str) -> None:
        self._problems.append(Problem(path, kind, text))

    def _read(self) -> Iterator[DigestFile]:
        seen: set[tuple[str, str]] = set()
        for path in self._tree.digests:
            try:
                digest = read_digest(str(path), self._tree.content(path, LARGEST_DIGEST))
            except (UnreadableError, NoDigestError) as error:
                self._tell(str(path), "unreadable", str(error))
                continue
            if path.name != digest.key.split("/")[-1]:
                self._tell(str(path), "digest-altered", f"it says that it is {digest.key}")
            if (digest.key, digest.sha256) not in seen:
                seen.add((digest.key, digest.sha256))
                yield digest

    def _check_log(self, named: NamedFile) -> None:
        path = self._tree.log(named.key)
        if path is None:
            self._tell(f"s3://{named.bucket}/{named.key}", "missing", "a digest file names it, and it is not here")
            return
        self._named.add(path)
        try:
            found = self._tree.sha256(path)
        except UnreadableError as error:
            self._tell(str(path), "altered", f"its content cannot be read ({error}), so it is not what was delivered")
            return
        if found == named.sha256:
            self._verified += 1
        else:
            self._tell(str(path), "altered", f"its SHA-256 is {found[:16]}…, not {named.sha256[:16]}…")

    # --- the chain ------------------------------------------------------------------------------------------

    def _chains(self) -> Iterator[list[DigestFile]]:
        chains: dict[tuple[str, str], list[DigestFile]] = {}
        for digest in self._digests:
            chains.setdefault(digest.chain, []).append(digest)
        for chain in chains.values():
            yield sorted(chain, key=lambda digest: digest.end)

    def _check_chain(self, chain: list[DigestFile]) -> None:
        by_key = {digest.key: digest for digest in chain}
        signatures: dict[str, str] = {}
        for at, digest in enumerate(chain):
            named = digest.previous
            if named is None:
                continue
            before = by_key.get(named.key)
            if before is None:
                text = f"{digest.path} names it, and it is not here"
                if at:  # that of the first may be older than what was synced
                    self._tell(f"s3://{named.bucket}/{named.key}", "digest-missing", text)
                continue
            if before.sha256 != named.sha256:
                text = f"its SHA-256 is {before.sha256[:16]}…; {digest.path} names {named.sha256[:16]}…"
                self._tell(before.path, "digest-altered", text)
            if digest.previous_signature is not None:
                signatures[before.key] = digest.previous_signature
        for before, digest in pairwise(chain):
            if digest.start > before.end:
                ends, begins = (f"{moment:%Y-%m-%d %H:%MZ}" for moment in (before.end, digest.start))
                self._tell(digest.path, "gap", f"it begins at {begins}, the one before it ends at {ends}")
        for digest in chain:
            self._check_signature(digest, signatures.get(digest.key))

    def _check_signature(self, digest: DigestFile, signature: str | None) -> None:
        key = self._keys.get(digest.fingerprint)
        if signature is None or key is None:
            self._unsigned += 1
        elif not key.verifies(signature, digest.signed):
            self._tell(
                digest.path, "bad-signature", "the signature that the next digest file has is not that of its content"
            )

    # --- files in no digest ---------------------------------------------------------------------------------

    def _check_others(self) -> None:
        """Log files that no digest names, of the times that digests cover."""
        covered: dict[tuple[str | None, str | None], list[tuple[dt.datetime, dt.datetime]]] = {}
        for digest in self._digests:
            region = _region(digest)
            covered.setdefault((digest.account, region), []).append((digest.start, digest.end))
        for path in self._tree.logs:
            if path in self._named:
                continue
            facts = facts_of(path.name)
            spans = covered.get((facts.account, facts.region), ()) if facts is not None else ()
            when = facts.first if facts is not None else None
            if when is not None and any(start + _SLACK <= when < end - _SLACK for start, end in spans):
                self._tell(str(path), "unexpected", "no digest file of its time names it")
            else:
                self._outside += 1


def _region(digest: DigestFile) -> str | None:
    """The region of the log files of a digest: the folder behind `CloudTrail-Digest`."""
    parts = digest.key.split("/")
    at = parts.index("CloudTrail-Digest") if "CloudTrail-Digest" in parts else len(parts)
    return parts[at + 1] if at + 1 < len(parts) else None
