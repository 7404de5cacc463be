"""The types of options and arguments that name files.

click would check whether a path is readable; here the reading code does, which records a loss and continues.
"""

from __future__ import annotations

from pathlib import Path

import click

INPUT = click.Path(readable=False, allow_dash=True)
"""A path, pattern or URL to read, as text."""
FILE = click.Path(readable=False, path_type=Path)
"""A file or folder."""
OUTPUT_FILE = click.Path(readable=False, path_type=Path)
"""A file to write."""
