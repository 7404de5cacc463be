"""The report of a scan: one HTML file for a manager, an analyst and an auditor."""

from __future__ import annotations

from cloudsigma.report.digest import Digest
from cloudsigma.report.page import Account, render

__all__ = ["Account", "Digest", "render"]
