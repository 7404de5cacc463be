"""The sessions of one identity as a tree: each branch is a chain of credentials that leads to matches."""

from __future__ import annotations

from cloudsigma.engine.match import Match
from cloudsigma.engine.session_link import Step
from cloudsigma.report.row import shorten
from cloudsigma.report.section import Node

NODES = 40
"""Most nodes of one tree; matches of further sessions are counted together."""


class ChainTree:
    """Merges the chains of matches: sessions that were issued in the same steps share the steps."""

    def __init__(self) -> None:
        self._top = _Branch()
        self._nodes = 0
        self.left_out = 0
        """Matches whose sessions are not in the tree."""

    def add(self, match: Match) -> None:
        """Add the chain of a match whose session is linked by at least one step."""
        link = match.session
        if link is None or not link.steps:
            return
        path = [*map(_step_line, link.steps), shorten(f"as {match.context.principal or '-'}")]
        branch, known = self._top, 0
        while known < len(path) and path[known] in branch.children:
            branch = branch.children[path[known]]
            known += 1
        missing = path[known:]
        if self._nodes + len(missing) > NODES:
            self.left_out += 1
            return
        for text in missing:
            branch = branch.children.setdefault(text, _Branch())
        self._nodes += len(missing)
        branch.matches += 1

    @property
    def nodes(self) -> list[Node]:
        """The branches at the top, in the order of their first matches."""
        return _nodes(self._top.children)


class _Branch:
    def __init__(self) -> None:
        self.matches = 0
        self.children: dict[str, _Branch] = {}


def _nodes(level: dict[str, _Branch]) -> list[Node]:
    return [Node(_counted(text, branch.matches), _nodes(branch.children)) for text, branch in level.items()]


def _counted(text: str, matches: int) -> str:
    return f"{text}: {matches:,} {'match' if matches == 1 else 'matches'}" if matches else text


def _step_line(step: Step) -> str:
    when = f"{step.time:%Y-%m-%d %H:%M:%S} " if step.time is not None else ""
    return shorten(f"{when}{step.event_name}: {step.actor} → {step.session}")
