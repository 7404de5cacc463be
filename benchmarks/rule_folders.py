"""Folders of rules that are given to several engines: each rule in them loads in this project.

Engines differ in what they refuse, and some refuse a whole folder for one file, so all get the same files.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EXACT_NAMES = 10_000


@dataclass(frozen=True)
class RuleFolders:
    """Where the folders are made, and from what."""

    folder: Path
    shared: Path | None

    def bundled(self) -> Path:
        """The four bundled rules."""
        files = [path for path in (ROOT / "sigma_rules").rglob("*.yml") if not path.name.endswith(".cases.yml")]
        return self._copied("bundled", files)

    def sigmahq(self, *, bundled: bool = False) -> Path:
        """SigmaHQ's rules for CloudTrail, and the bundled ones beside them."""
        files = list((self._corpus() / "sigmahq_rules").rglob("*.yml"))
        more = list(self.bundled().glob("*.yml")) if bundled else []
        return self._copied("sigmahq-and-bundled" if bundled else "sigmahq", [*files, *more])

    def suzaku(self) -> Path:
        """The detection rules of the Suzaku pack: its correlations name rules by title, which Sigma does not allow."""
        files = (self._corpus() / "suzaku_rules").glob("*.yml")
        detections = [path for path in files if not re.search("^correlation:", path.read_text("utf-8"), re.MULTILINE)]
        return self._copied("suzaku", detections)

    def everything(self) -> Path:
        """SigmaHQ's main collection, unchanged."""
        return self._corpus() / "sigmahq_all" / "rules"

    def exact(self, count: int, names: list[str]) -> Path:
        """Generated rules that each name an event exactly: the first for `names`, the others for no API there is."""
        folder = self.folder / "rules" / f"exact-{count}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        documents = [
            f"title: Generated {number}\n"
            f"id: 00000000-0000-4000-8000-{number:012}\n"
            "logsource: {product: aws, service: cloudtrail}\n"
            f"detection: {{selection: {{eventName: {name}}}, errors: {{errorCode: '?*'}}, "
            "condition: selection and not errors}\n"
            for number, name in enumerate((*names, *(f"NoSuchCall{number}" for number in range(count))))
            if number < count
        ]
        (folder / "generated.yml").write_text("---\n".join(documents), encoding="utf-8")
        return folder

    def _corpus(self) -> Path:
        if self.shared is None:
            raise FileNotFoundError("the shared corpus is absent; name its folder in CLOUDSIGMA_SHARED")
        return self.shared / "corpus"

    def _copied(self, name: str, files: list[Path]) -> Path:
        folder = self.folder / "rules" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in files:
            shutil.copyfile(path, folder / path.name)
        return folder


def bundled_ids(folder: Path) -> dict[str, str]:
    """ID of each bundled rule by what its file name ends in, which is what manifests say."""
    found = {}
    for path in folder.glob("aws_cloudtrail_*.yml"):
        line = re.search("^id: (.+)$", path.read_text("utf-8"), re.MULTILINE)
        if line is not None:
            found[path.stem.removeprefix("aws_cloudtrail_")] = line[1]
    return found


def names_an_event(rule: Any) -> bool:
    """Whether a rule of pySigma can match only records with one of the event names that it lists exactly."""
    return all(_needs_name(condition.parsed) for condition in rule.detection.parsed_condition)


def _needs_name(node: Any) -> bool:
    from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionOR
    from sigma.types import SigmaString

    match node:
        case ConditionAND():
            return any(map(_needs_name, node.args))
        case ConditionOR():
            return all(map(_needs_name, node.args))
        case ConditionFieldEqualsValueExpression():
            value = node.value
            return node.field == "eventName" and isinstance(value, SigmaString) and not value.contains_special()
    return False
