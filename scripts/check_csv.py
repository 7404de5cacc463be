"""Checks that no cell of CSV becomes a formula in LibreOffice: `python scripts/check_csv.py`.

LibreOffice reads the CSV of hostile matches, and of the sample trail, and writes its own XML, in which formulas have an
attribute of their own. With `--csv-raw`, the same cells do become formulas: the check would see them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cloudsigma
from cloudsigma.sinks.csv_rows import header, row

ROOT = Path(__file__).parent.parent
HOSTILE = (
    "=1+1", " =1+1", "\u00a0=1+1", "a\n=1+1", "\t=1+1", "-1+1", "+1+1", "@SUM(1)", '=HYPERLINK("http://x";"y")', "'=1",
)  # fmt: skip


def main() -> int:
    """Check both files; gives 1 if anything is wrong."""
    matches = [*cloudsigma.scan(ROOT / "examples" / "trail"), *map(hostile_match, HOSTILE)]
    safe, raw = (header() + "".join(row(match, raw=each) for match in matches) for each in (False, True))
    with tempfile.TemporaryDirectory() as folder:
        found = {name: formulas(Path(folder), name, text) for name, text in (("safe", safe), ("raw", raw))}
    if found["safe"]:
        print(f"{found['safe']} cells of the CSV are formulas", file=sys.stderr)
        return 1
    if not found["raw"]:
        print("no cell of the raw CSV is a formula: this check sees none", file=sys.stderr)
        return 1
    print(f"no formula in {len(matches)} rows; {found['raw']} in the same rows without protection")
    return 0


def hostile_match(text: str) -> cloudsigma.Match:
    """A match whose record holds the text in many places."""
    identity = {"type": "IAMUser", "arn": text, "userName": text}
    record = {
        "eventName": "CreateGroup",
        "eventSource": "iam.amazonaws.com",
        "eventTime": "2026-11-17T13:00:00Z",
        "userAgent": text,
        "userIdentity": identity,
        "requestParameters": {"groupName": text},
    }
    [match] = cloudsigma.evaluate([record])
    return match


def formulas(folder: Path, name: str, text: str) -> int:
    """How many cells LibreOffice takes for formulas."""
    source = folder / f"{name}.csv"
    source.write_text(text, encoding="utf-8", newline="")
    # Comma, double quotation mark, UTF-8, from the first row, and formulas evaluated, as a person opens a file.
    options = "44,34,76,1,,0,false,true,false,false,false,-1,true"
    profile = (folder / "profile").as_uri()
    read = ["soffice", "--headless", f"-env:UserInstallation={profile}", f"--infilter=CSV:{options}"]
    write = ["--convert-to", "fods", "--outdir", str(folder), str(source)]
    subprocess.run([*read, *write], check=True, capture_output=True, timeout=180)
    return (folder / f"{name}.fods").read_text(encoding="utf-8").count("table:formula=")


if __name__ == "__main__":
    sys.exit(main())
