"""Prints constraints for pip: each dependency of the package at the lowest version that pyproject.toml allows.

`pip install -c` with them shows whether the bounds are true: that the package works with the oldest versions that it
says it works with.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
_LOWER = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9][^,;\s]*)")


def constraints(requirements: list[str]) -> Iterator[str]:
    """`name==version` of each requirement; raises `ValueError` for one without a lower bound."""
    for requirement in requirements:
        found = _LOWER.match(requirement)
        if found is None:
            msg = f"{requirement!r} has no lower bound (name>=version)"
            raise ValueError(msg)
        yield f"{found[1]}=={found[2]}"


def main() -> None:
    """Print the constraints of the dependencies that every installation has."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    print("\n".join(constraints(project["dependencies"])))


if __name__ == "__main__":
    main()
