"""One truth about what is public: `__all__`, the reference page, the page of promises and the typed program agree."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_api_page", ROOT / "scripts" / "write_api_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITER = writer()
MODULES = list(WRITER.SECTIONS)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="signatures are spelled as Python 3.11 spells them")
def test_the_reference_page_is_that_of_the_code() -> None:
    written = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    assert written == WRITER.page(), "run: python scripts/write_api_page.py"


def test_every_public_name_has_a_place_on_the_reference_page() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^### `(\w+)`$", page, re.MULTILINE)
    assert sorted(documented) == sorted(name for module in MODULES for name in WRITER.names_of(module))


def test_the_page_of_promises_names_the_public_names() -> None:
    page = (ROOT / "docs" / "stability.md").read_text(encoding="utf-8")
    assert page == WRITER.promises(page), "run: python scripts/write_api_page.py"
    assert all(f"- **`{module}`**" in page for module in MODULES)


def test_the_typed_program_uses_every_public_name() -> None:
    program = (ROOT / "tests" / "typing" / "api.py").read_text(encoding="utf-8")
    used = set(re.findall(r"\w+", program))
    assert [name for module in MODULES for name in WRITER.names_of(module) if name not in used] == []
