"""Which peers there are, and how each is called."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from peers.environments import Absent, PythonPeer, Ready

RSIGMA_VERSION = "0.23.0"
RSIGMA_INSTALL = f"cargo install rsigma --version {RSIGMA_VERSION} --locked"

FLOOR = PythonPeer("floor", "floor", ("deflate>=0.9", "pysimdjson>=7"))
ORJSON = PythonPeer("orjson and if", "orjson_if", ("orjson",))
DUCKDB = PythonPeer("DuckDB", "duckdb_sql", ("duckdb",))
POLARS = PythonPeer("Polars", "polars_lazy", ("polars",), {"POLARS_MAX_THREADS": "1"})
ZARGUNLITE = PythonPeer("zargunlite", "zargunlite_rules", ("zargunlite", "pySigma-backend-sqlite>=2.1.1"))
RULE_MATCHER = PythonPeer("sigma-rule-matcher", "sigma_rule_matcher_rules", ("sigma-rule-matcher",))
DETKIT = PythonPeer("detkit", "detkit_rules", ("detkit-cli",))
RULE_ENGINES = (ZARGUNLITE, RULE_MATCHER, DETKIT)
"""Those in Python that take rules and JSON lines: `command RULES RECORDS`."""

SUZAKU = {"bundled": 38_000, "sigmahq": 26_000, "suzaku": 4_800}
"""Records a second of CPU time of Suzaku 2.0-dev on a machine of this kind, from .json.gz: measured once, before this
project had benchmarks, and quoted. It is no package and takes a long time to build."""


@dataclass
class Peers:
    """Peers by name, installed when first asked for."""

    folder: Path
    rsigma_path: Path | None = None
    wanted: bool = True
    """Whether peers take part at all."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of those that were asked for."""
    _known: dict[str, Ready | Absent] = field(default_factory=dict)

    def get(self, peer: PythonPeer) -> Ready | Absent:
        """A Python peer."""
        if not self.wanted:
            return Absent(peer.name, "peers were not asked for")
        if peer.name not in self._known:
            self._remember(peer.prepare(self.folder))
        return self._known[peer.name]

    def rsigma(self) -> Ready | Absent:
        """The binary rsigma, as it was named or as it is on PATH."""
        if not self.wanted:
            return Absent("rsigma", "peers were not asked for")
        if "rsigma" not in self._known:
            self._remember(self._found_rsigma())
        return self._known["rsigma"]

    def _found_rsigma(self) -> Ready | Absent:
        path = str(self.rsigma_path) if self.rsigma_path else shutil.which("rsigma")
        if path is None or not Path(path).is_file():
            return Absent("rsigma", f"not found; `{RSIGMA_INSTALL}` builds it in a quarter of an hour")
        shown = subprocess.run([path, "--version"], check=True, capture_output=True, text=True)  # noqa: S603
        return Ready("rsigma", (path,), {"rsigma": shown.stdout.split()[1]}, {"RAYON_NUM_THREADS": "1"})

    def _remember(self, peer: Ready | Absent) -> None:
        self._known[peer.name] = peer
        if isinstance(peer, Ready):
            self.versions.update(peer.versions)


def rsigma_eval(peer: Ready, rules: Path, records: Path, *, full: bool) -> list[str]:
    """The command for JSON lines.

    `full`: with the record and with which pattern matched, as this project's matches have them; without it a match
    names fields and values.
    """
    options = ["--include-event", "--match-detail", "full"] if full else []
    head = [*peer.command, "--quiet", "--output-format", "ndjson", "engine", "eval"]
    return [*head, "--input-format", "json", "-r", str(rules), "-e", f"@{records}", *options]
