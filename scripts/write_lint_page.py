"""Writes docs/reference/lint.md, the page of the linter's findings, from `linting/checks.yml`."""

from __future__ import annotations

from pathlib import Path

from cloudsigma.linting.checks import checks

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "lint.md"
_HEAD = """# Findings of the linter

`cloudsigma lint` and `cloudsigma.lint` report these kinds of findings. Their names are their only identity. This page
is made from the descriptions that `cloudsigma lint --explain SLUG` prints; the tests try each bad and good rule.
[Lint rules](../how-to/lint.md) shows how to use them.
"""


def page() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for slug, check in checks().items():
        profile = "" if check.profile == "default" else f", profile `{check.profile}`"
        parts.append(
            f"## {slug}\n\n{check.severity.capitalize()}, confidence {check.confidence}{profile}. {check.what}\n"
        )
        for title, example in (("Bad", check.bad), ("Good", check.good)):
            if example is not None:
                parts.append(f"{title}:\n\n```yaml\n{example.rstrip()}\n```\n".replace("\u200b", "\\u200b"))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
