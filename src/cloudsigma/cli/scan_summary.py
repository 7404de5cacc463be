"""The text of a scan's summary: matches found and left out, and input read."""

from __future__ import annotations

from cloudsigma import ir
from cloudsigma.engine.rule import Rule
from cloudsigma.escaping import printable
from cloudsigma.ir.walk import filter_titles
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.outcome import ScanOutcome


def summary_of(
    outcome: ScanOutcome, rules: RuleSet, *, opening: str | None = None, reads_named_files: bool = False
) -> str:
    """The summary, over several lines.

    Args:
        outcome: The outcome of the scan.
        rules: Its rules.
        opening: The first line, if the scan was stopped.
        reads_named_files: Whether files that messages name were read.
    """
    lines = [opening] if opening else []
    repeated = f" ({outcome.repeated} repeated left out)" if outcome.repeated else ""
    lines.append(f"{_counted(outcome.total, 'match', 'matches')}{repeated}")
    found = [(outcome.matches[rule.id], rule.title) for rule in rules if rule.id in outcome.matches]
    lines += [f"  {count:>6}  {printable(title)}" for count, title in found if count]
    if outcome.approvals is not None:
        near = outcome.approvals.near
        misses = f"; {_counted(near, 'near miss', 'near misses')}" if near else ""
        lines.append(printable(f"{outcome.approvals}{misses}"))
    if suppressed := sum(outcome.suppressed.values()):
        lines.append(f"{_counted(suppressed, 'match', 'matches')} of rules that only correlations show")
    if outcome.filtered:
        lines.append(f"{_counted(sum(outcome.filtered.values()), 'match', 'matches')} removed by filters")
        titles = {each: title for rule in rules for each, title in _filter_titles(rule).items()}
        lines += [f"  {count:>6}  {printable(titles.get(each, each))}" for each, count in outcome.filtered.items()]
    sources = [rule.logsource for rule in rules if rule.logsource is not None]
    if never := sum(not source.covers(rules.declared) for source in sources):
        lines.append(f"of {len(rules):,} rules {never:,} were never applied: other log source")
    lines.append(str(outcome.ledger))
    if outcome.ledger.named_files and not reads_named_files:
        lines.append("files that messages name are read with --named-files")
    if outcome.read_again:
        lines.append(f"read again, since they had changed: {outcome.read_again:,}")
    return "\n".join(lines)


def _filter_titles(rule: Rule) -> dict[str, str]:
    return filter_titles(rule.definition) if isinstance(rule.definition, ir.DetectionRule) else {}


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
