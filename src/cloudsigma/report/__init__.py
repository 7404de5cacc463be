"""The report of a scan: one HTML file for a manager, an analyst and an auditor."""

from __future__ import annotations

from cloudsigma.report.digest import Digest
from cloudsigma.report.page import Account, render, render_sections
from cloudsigma.report.section import Node, Section, Table

__all__ = ["Account", "Digest", "Node", "Section", "Table", "render", "render_sections"]
