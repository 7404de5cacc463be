"""The floor: libdeflate inflates each file and simdjson parses it; nothing is looked at. `floor.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import deflate
import simdjson


def main() -> None:
    """Inflate and parse each file of the folder."""
    parser = simdjson.Parser()
    for path in sorted(Path(sys.argv[1]).rglob("*.json.gz")):
        document = parser.parse(deflate.gzip_decompress(path.read_bytes()))
        del document  # the parser gives its buffer to one document at a time


if __name__ == "__main__":
    main()
