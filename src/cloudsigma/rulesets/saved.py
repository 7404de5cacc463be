"""Rule sets in files: saved, and loaded again without pySigma and YAML."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from cloudsigma.arguments import check_path, opening
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import MissingPackageError, UsageError
from cloudsigma.rulesets import compiled_file as artifact
from cloudsigma.rulesets.loaded_checks import Damage, check_loaded
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.storage.atomic_file import write_file
from cloudsigma.version import __version__


def save_rules(rules: RuleSet, path: str | os.PathLike[str]) -> None:
    """`RuleSet.save`."""
    check_path("path", path)
    data = rules_to_bytes(rules, predicates=True)
    with opening(path):
        write_file(path, msgspec.json.format(data, indent=1) + b"\n")


def rules_to_bytes(rules: RuleSet, *, predicates: bool = False) -> bytes:
    """The rules as data without code; raises `UsageError` if a rule has a value that cannot be written.

    `predicates` adds the source of each rule, for people who read the file.
    """
    sources = ((rule.id, rule.source) for rule in rules if rule.source is not None) if predicates else ()
    try:
        return artifact.encode(to_artifact(rules), written_by=__version__, predicates=sources)
    except artifact.ArtifactProblem as problem:
        raise UsageError(f"the rules cannot be saved: {problem.reason}. {problem.remedy}") from problem


def load_rules(path: str | os.PathLike[str]) -> RuleSet:
    """Read a set that `RuleSet.save` or `cloudsigma compile` wrote; needs neither pySigma nor YAML.

    The file is data: nothing in it is run, and everything that evaluation relies on is checked. But anybody who can
    change it can change your detections, so keep it where you keep your code.

    Raises:
        UsageError: The file is not a compiled rule set, is damaged, or was written in another format.
        FileAccessError: It cannot be read; an `OSError`, too.
        MissingPackageError: Its rules have regular expressions, and google-re2 is not installed.
    """
    check_path("path", path)
    with opening(path):
        data = Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf")
    if b'"kind": "Regex"' in data or b'"kind":"Regex"' in data:
        try:
            import re2  # noqa: F401  # better to learn that it is missing now than at a record
        except ImportError as error:
            raise MissingPackageError(
                f"{os.fspath(path)!r} has regular expressions, which need a package: pip install google-re2"
            ) from error
    try:
        saved = artifact.decode(data)
        check_loaded(saved)
    except artifact.ArtifactProblem as problem:
        raise UsageError(f"{os.fspath(path)!r} cannot be used: {problem.reason}. {problem.remedy}") from problem
    except Damage as damage:
        raise UsageError(
            f"{os.fspath(path)!r} cannot be used: it is damaged: {damage}. Compile the rules again."
        ) from damage
    return from_artifact(saved)


def load_trusted(path: Path) -> RuleSet:
    """A set from the package, without the checks of `load_rules`, which would slow every start."""
    return rules_from_bytes(path.read_bytes())


def rules_from_bytes(data: bytes) -> RuleSet:
    """The rules of `rules_to_bytes`, from a process that is trusted: without the checks of `load_rules`."""
    return from_artifact(artifact.decode(data))


def to_artifact(rules: RuleSet) -> artifact.Artifact:
    """A rule set as data."""
    return artifact.Artifact(
        tuple(rule.definition for rule in rules),
        rules.declared,
        tuple(sorted(rules.supporting)),
        tuple(map(artifact.Problem.of, rules.errors)),
        tuple(map(artifact.Problem.of, rules.warnings)),
    )


def from_artifact(saved: artifact.Artifact) -> RuleSet:
    """The rule set in the data."""
    return RuleSet(
        tuple(map(Rule, saved.rules)),
        tuple(problem.error() for problem in saved.errors),
        tuple(problem.error() for problem in saved.warnings),
        saved.declared,
        frozenset(saved.supporting),
    )
