"""Write `docs/reference/api.md`: every public name with its signature and docstring, as plain Markdown.

The lists of names in `docs/stability.md` are written, too.

The names are those of `__all__` of the public modules; a name without a section here is an error. Nothing else is
public, so nothing else is on the page. A test compares the page with the code.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"
PROMISES = PAGE.parents[1] / "stability.md"
SECTIONS: dict[str, dict[str, list[str]]] = {
    "cloudsigma": {
        "Compile": ["compile_rules", "compile_text", "RuleLimits", "bundled_rules", "load_rules"],
        "Lint": ["lint", "Finding"],
        "Rules": ["RuleSet", "Rule"],
        "Evaluate": ["evaluate", "scan", "Scan", "Explanation", "Correlator", "CorrelationExplanation"],
        "Match": ["Match", "Context", "Principal", "Resource", "Evidence", "Origin"],
        "Sessions": ["Sessions", "Link"],
        "Approvals": ["Approvals", "Decision", "NearMiss"],
        "Inventory": ["Inventory", "Register"],
        "Read": ["read_records", "Reader", "Ledger", "Loss", "Limits"],
        "Errors": [
            "CloudSigmaError", "RuleError", "RuleErrors", "UsageError", "WrongTypeError", "UnknownRuleError",
            "FileAccessError", "MissingPackageError", "InputLostError", "InvocationError", "ApprovalError",
            "RegisterError", "NotifyError", "ExecutorError",
        ],
    },
    "cloudsigma.testing": {"Tests for rules": []},
    "cloudsigma.sinks": {"Matches out": []},
    "cloudsigma.aws_lambda": {"A function of AWS Lambda": []},
    "cloudsigma.spark": {"Spark": []},
}  # fmt: skip
"""Module → heading → names in order; an empty list is all names of the module."""
INTRODUCTION = """# Library

Everything public, and nothing else. All values but exceptions are frozen, compare by value and pickle.
[What you can rely on](../stability.md) has the promises, [Errors](errors.md) explains the categories of rule errors.

<!-- Written by scripts/write_api_page.py. -->
"""
_SECTION = re.compile(r"^(Args|Raises|Returns|Yields):$")
_ENTRY = re.compile(r"^(\*{0,2}\w+(?: \([^)]*\))?): (.*)$", re.DOTALL)


def names_of(module: str) -> list[str]:
    """The public names of a module."""
    return [name for name in importlib.import_module(module).__all__ if not name.startswith("__")]


def page() -> str:
    """The text of the page."""
    parts = [INTRODUCTION]
    for module, sections in SECTIONS.items():
        public = names_of(module)
        listed = [name for names in sections.values() for name in names] or public
        if sorted(listed) != sorted(public):
            raise SystemExit(f"{module}: {sorted(set(listed) ^ set(public))} are public or listed, not both")
        loaded = importlib.import_module(module)
        if module != "cloudsigma":
            parts.append(f"## `{module}`\n\n{_first_paragraph(inspect.getdoc(loaded) or '')}\n")
        for heading, names in sections.items():
            if module == "cloudsigma":
                parts.append(f"## {heading}\n")
            parts += [_documented(name, getattr(loaded, name)) for name in names or public]
    return "\n".join(parts).rstrip("\n") + "\n"


def promises(text: str) -> str:
    """The page of promises with the lists of public names of today."""
    lists = []
    for module in SECTIONS:
        names = ", ".join(f"`{name}`" for name in names_of(module))
        lists.append(textwrap.fill(f"- **`{module}`**: {names}.", 118, subsequent_indent="  ", break_on_hyphens=False))
    before, _, rest = text.partition("## Public names\n")
    _, _, after = rest.partition("\n## ")
    return before + "## Public names\n\n" + "\n".join(lists) + "\n\n## " + after


def _documented(name: str, value: Any) -> str:
    if inspect.isclass(value):
        return _documented_class(name, value)
    if inspect.isfunction(value):
        node = _parsed(value)
        return f"### `{name}`\n\n{_code(_signature(name, node))}\n{_markdown(inspect.getdoc(value) or '')}\n"
    keys = f", with the keys {', '.join(f'`{key}`' for key in value)}" if isinstance(value, Mapping) else ""
    return f"### `{name}`\n\nA constant: a `{type(value).__name__}`{keys}.\n"


def _documented_class(name: str, value: type) -> str:
    node = _parsed(value)
    bases = [base.__name__ for base in value.__bases__ if base is not object and not base.__name__.startswith("_")]
    for base in value.__bases__:
        if base.__name__ == value.__name__:  # the same name within the package: its members are this class's
            bases.remove(base.__name__)
            own = {member.name for member in node.body if isinstance(member, ast.FunctionDef)}
            node.body += [each for each in _parsed(base).body if getattr(each, "name", None) not in own]
    inherited = f"({', '.join(bases)})" if bases else ""
    head = f"### `{name}`\n\n{_code(f'class {name}{inherited}')}\n"
    parts = [head + _markdown(inspect.getdoc(value) or "")]
    attributes = list(_attributes(node))
    if attributes:
        parts.append("\n".join(f"- `{each}`{f': {_flat(text)}' if text else ''}" for each, text in attributes))
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and _is_shown(member):
            doc = ast.get_docstring(member) or ""
            shown = f".{member.name}" if not member.name.startswith("__") else member.name
            is_property = any(
                isinstance(each, ast.Name) and each.id in ("property", "cached_property")
                for each in member.decorator_list
            )
            if is_property:
                kind = ast.unparse(member.returns) if member.returns is not None else "Any"
                parts.append(f"#### `{shown}: {kind}`\n\n{_markdown(doc)}")
            else:
                parts.append(f"#### `{_signature(shown, member, method=True)}`\n\n{_markdown(doc)}")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _is_shown(member: ast.FunctionDef) -> bool:
    overloaded = any(isinstance(each, ast.Name) and each.id == "overload" for each in member.decorator_list)
    special = member.name in ("__add__", "__getitem__", "__iter__", "__init__")
    has_text = ast.get_docstring(member) is not None
    if member.name == "__init__":
        return len(member.args.args) + len(member.args.kwonlyargs) > 1
    return has_text and not overloaded and (special or not member.name.startswith("_"))


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Annotated fields of a class and attributes that its constructor documents: name and type, docstring."""
    bodies = [node.body] + [
        member.body for member in node.body if isinstance(member, ast.FunctionDef) and member.name == "__init__"
    ]
    for body in bodies:
        for at, member in enumerate(body):
            following = body[at + 1] if at + 1 < len(body) else None
            text = ""
            if (
                isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                text = inspect.cleandoc(following.value.value)
            if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                if not member.target.id.startswith("_"):
                    yield f"{member.target.id}: {ast.unparse(member.annotation)}", text
            elif text and isinstance(member, (ast.Assign, ast.AnnAssign)):
                target = member.targets[0] if isinstance(member, ast.Assign) else member.target
                if isinstance(target, ast.Attribute) and not target.attr.startswith("_"):
                    kind = f": {ast.unparse(member.annotation)}" if isinstance(member, ast.AnnAssign) else ""
                    yield f"{target.attr}{kind}", text


def _parsed(value: Any) -> Any:
    return ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]


def _signature(name: str, node: ast.FunctionDef, *, method: bool = False) -> str:
    arguments = ast.unparse(node.args)
    if method:
        arguments = re.sub(r"^(self|cls)(, )?", "", arguments)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None and node.name != "__init__" else ""
    line = f"{name}({arguments}){returns}"
    if method or len(line) <= 100:
        return line
    gathered = [f"*{ast.unparse(node.args.vararg)}"] if node.args.vararg is not None else []
    positional = [
        ast.unparse(each) + (f" = {ast.unparse(default)}" if default is not None else "")
        for each, default in zip(
            node.args.args,
            [None] * (len(node.args.args) - len(node.args.defaults)) + list(node.args.defaults),
            strict=True,
        )
    ]
    parts = [*positional, *gathered]
    if node.args.kwonlyargs and not node.args.vararg:
        parts.append("*")
    parts += [
        ast.unparse(each) + (f" = {ast.unparse(default)}" if default is not None else "")
        for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    ]
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"


def _markdown(doc: str) -> str:
    """A docstring with its sections as lists."""
    lines = doc.splitlines()
    made: list[str] = []
    at = 0
    while at < len(lines):
        found = _SECTION.match(lines[at])
        if found is None:
            made.append(lines[at])
            at += 1
            continue
        at += 1
        block: list[str] = []
        while at < len(lines) and (not lines[at].strip() or lines[at].startswith("    ")):
            block.append(lines[at])
            at += 1
        title = "Parameters" if found[1] == "Args" else found[1]
        made += [f"{title}:", "", *_entries(block), ""]
    return "\n".join(made).strip("\n") + "\n"


def _entries(block: list[str]) -> Iterator[str]:
    text = textwrap.dedent("\n".join(block)).strip("\n")
    for entry in re.split(r"\n(?=\S)", text):
        found = _ENTRY.match(_flat(entry))
        yield f"- `{found[1]}`: {found[2]}" if found else f"- {_flat(entry)}"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _first_paragraph(doc: str) -> str:
    return _markdown(doc).rstrip("\n")


def _code(text: str) -> str:
    return f"```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PROMISES.write_text(promises(PROMISES.read_text(encoding="utf-8")), encoding="utf-8")
