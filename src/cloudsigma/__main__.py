"""`python -m cloudsigma`."""

from __future__ import annotations

import sys

from cloudsigma.cli import main

sys.exit(main())
