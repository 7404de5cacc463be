"""Configuration of the documentation: Sphinx, Markdown by MyST, the theme furo."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

import cloudsigma

project = "cloudsigma"
author = "The cloudsigma authors"
project_copyright = author
release = version = cloudsigma.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist", "attrs_inline"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__"}  # values are made by the library
default_role = "code"  # docstrings write `name`, as Markdown does

html_theme = "furo"
html_title = f"cloudsigma {release}"


def read_sections(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """Make lists of the sections of a docstring (`Args`, `Raises`).

    The extension napoleon would do it by itself, but takes the first words of an attribute's docstring for its type
    where a colon follows.
    """
    lines[:] = GoogleDocstring(list(lines), Config()).lines()


def setup(app: Sphinx) -> None:
    """Connect to autodoc."""
    app.connect("autodoc-process-docstring", read_sections)
