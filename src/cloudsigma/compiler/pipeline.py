"""Processing pipelines (pySigma): reads their YAML files, and refuses unsafe and unsupported transformations.

A pipeline is untrusted content. It reaches pySigma only after every key was found in the tables below. Transformations
that contact servers, run commands, open further files or fill templates are refused, whatever the environment variables
of pySigma (`PYSIGMA_ALLOW_*`) say, and so are those that format text queries.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import NestedProcessingTransformation

from cloudsigma.compiler.document import Document, Located, Path, read_documents
from cloudsigma.compiler.files import read_file
from cloudsigma.compiler.limits import DEFAULT_LIMITS, RuleLimits
from cloudsigma.compiler.misread import misread_numbers
from cloudsigma.compiler.policy import QUIET_RE2
from cloudsigma.compiler.remedies import nearest
from cloudsigma.errors import RuleError, UsageError

_SHIPPED = FilePath(__file__).parents[1] / "pipelines"
_TOP = {
    "name": str, "priority": int, "vars": dict, "transformations": list, "allowed_backends": list,
}  # fmt: skip
_CONDITIONS = frozenset(
    f"{of}_{part}"
    for of, parts in (
        ("rule", ("conditions", "cond_expr", "cond_op", "cond_not")),
        ("detection_item", ("conditions", "cond_expr", "cond_op", "cond_not")),
        ("field_name", ("conditions", "cond_expr", "cond_op", "cond_not")),
    )
    for part in parts
)
_PARAMETERS: Mapping[str, frozenset[str]] = {
    kind: frozenset(parameters.split())
    for kind, parameters in {
        "field_name_mapping": "mapping",
        "field_name_prefix_mapping": "mapping",
        "field_name_prefix": "prefix",
        "field_name_suffix": "suffix",
        "drop_detection_item": "",
        "wildcard_placeholders": "include exclude",
        "value_placeholders": "include exclude",
        "add_condition": "conditions name template negated",
        "change_logsource": "category product service",
        "add_field": "field",
        "remove_field": "field",
        "set_field": "fields",
        "replace_string": "regex replacement skip_special interpret_special",
        "map_string": "mapping",
        "set_state": "key val",
        "set_value": "value force_type",
        "convert_type": "target_type",
        "case": "method",
        "set_custom_attribute": "attribute value",
        "rule_failure": "message",
        "detection_item_failure": "message",
        "strict_field_mapping_failure": "",
        "nest": "items",
    }.items()
}
"""The allowed transformations, and the parameters of each."""
_REFUSED = {
    "http_placeholders": "asks a server while rules are compiled",
    "command_placeholders": "runs a command while rules are compiled",
    "file_placeholders": "opens further files while rules are compiled",
    "query_expression_placeholders": "writes text into a query, and cloudsigma has no queries",
    "regex": "matches other values: its expressions are not anchored",
    "hashes_fields": "loses the modifiers and the negation of a field",
    "extract_fields": "loses the modifiers and the negation of a field",
    "field_name_transform": "needs a function, which YAML cannot hold",
}
_REFUSED_TOP = {
    "postprocessing": "works on the text of queries, and cloudsigma has no queries",
    "finalizers": "works on the text of queries, and cloudsigma has no queries",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One or more pipelines, checked, in the order in which they are applied."""

    name: str
    transformations: tuple[dict[str, Any], ...]
    variables: dict[str, Any]
    _made: list[ProcessingPipeline] = field(default_factory=list, repr=False, compare=False)

    def prepared(self, adapt: Callable[[ProcessingPipeline], None]) -> ProcessingPipeline:
        """A pipeline of pySigma for the next rule, in this thread only; `adapt` changes it once it is made.

        All rules share it, since making one takes milliseconds and `apply` forgets the rule before; but
        `set_field` gives every rule its own list to append to, and then there is a fresh one for each.
        """
        if not self._made or any(kind == "set_field" for kind in _kinds(self.transformations)):
            made = self._make()
            adapt(made)
            self._made[:] = [made]
        return self._made[0]

    def _make(self) -> ProcessingPipeline:
        made = ProcessingPipeline.from_dict(
            {"transformations": copy.deepcopy(list(self.transformations)), "vars": copy.deepcopy(self.variables)},
            policy=QUIET_RE2,
        )
        _inherit(made)
        return made


def _kinds(transformations: Iterable[dict[str, Any]]) -> Iterator[str]:
    for each in transformations:
        yield each["type"]
        yield from _kinds(each.get("items", ()))


def _inherit(pipeline: ProcessingPipeline) -> None:
    """Give nested pipelines the variables and the policy of the outer one, which pySigma forgets."""
    for item in pipeline.items:
        if isinstance(item.transformation, NestedProcessingTransformation):
            nested = item.transformation._nested_pipeline  # noqa: SLF001  # there is no public way
            nested.vars, nested.policy = pipeline.vars, pipeline.policy
            _inherit(nested)


def read_pipelines(given: Iterable[str | os.PathLike[str]], limits: RuleLimits = DEFAULT_LIMITS) -> Pipeline | None:
    """Read pipelines, in the order of their priority and then as given; `None` where none is given.

    Raises:
        RuleError: A pipeline cannot be used.
        UsageError: No pipeline of this name comes with the package.
    """
    if isinstance(given, (str, os.PathLike)):
        raise UsageError(f"pipelines is {given!r}; give a list of files and names")
    read = sorted((_read(each, limits) for each in given), key=lambda pair: pair[0])
    if not read:
        return None
    found: list[dict[str, Any]] = []
    variables: dict[str, Any] = {}
    for _, pipeline in read:
        found += copy.deepcopy(pipeline.transformations)
        variables |= pipeline.variables
    taken: set[str] = set()
    for at, each in enumerate(_added_conditions(found), start=1):
        each.setdefault("name", f"_pipeline_{at}")  # pySigma's own names are random
        while each["name"] in taken:  # and of two with one name the later would silently replace the earlier
            each["name"] += "_"
        taken.add(each["name"])
    return Pipeline(" + ".join(pipeline.name for _, pipeline in read), tuple(found), variables)


def _added_conditions(transformations: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in transformations:
        if each["type"] == "nest":
            yield from _added_conditions(each["items"])
        elif each["type"] == "add_condition":
            yield each


def _read(given: str | os.PathLike[str], limits: RuleLimits) -> tuple[int, Pipeline]:
    path = _path(given)
    shown = os.fspath(path)
    data = read_file(path, limits)
    if isinstance(data, RuleError):
        raise data
    documents = list(read_documents(data, shown, limits))
    for document in documents:
        if isinstance(document, RuleError):
            raise document
    if len(documents) != 1 or not isinstance(documents[0], Document) or not isinstance(documents[0].value, dict):
        what = "holds several documents" if len(documents) > 1 else "is not a map"
        raise RuleError(
            "schema", f"the pipeline {what}", path=shown, line=1, remedy="Write one map with transformations."
        )
    for way, reason, remedy in misread_numbers(documents[0]):
        raise Located(documents[0]).error("value", reason, way, remedy)
    return _Gatekeeper(documents[0]).admit(path.stem)


def _path(given: str | os.PathLike[str]) -> FilePath:
    """The path of a pipeline; a plain name means one that comes with the package."""
    if not isinstance(given, str) or given.endswith((".yml", ".yaml")) or "/" in given or os.sep in given:
        return FilePath(given)
    names = sorted(path.stem for path in _SHIPPED.glob("*.yml"))
    if given not in names:
        raise UsageError(
            f"no pipeline {given!r} comes with cloudsigma. {nearest(given, names)} A file ends in .yml or .yaml."
        )
    return _SHIPPED / f"{given}.yml"


class _Gatekeeper:
    """Accepts only the keys in the tables above."""

    def __init__(self, document: Document) -> None:
        self._located = Located(document)
        self._value: dict[Any, Any] = document.value
        self._located.rule = None  # the errors are not about a rule

    def admit(self, name: str) -> tuple[int, Pipeline]:
        for key, value in self._value.items():
            if key in _REFUSED_TOP:
                raise self._refused(f"{key} {_REFUSED_TOP[key]}", (key,))
            if key not in _TOP:
                raise self._schema(f"there is no {key!r} in a pipeline", (key,), nearest(str(key), _TOP))
            if not isinstance(value, _TOP[key]) or isinstance(value, bool):
                kind = {str: "text", int: "a whole number", dict: "a map", list: "a list"}[_TOP[key]]
                raise self._schema(f"{key} is not {kind}", (key,), "Correct it.")
        variables = self._value.get("vars", {})
        for variable, values in variables.items():
            listed = values if isinstance(values, list) else [values]
            if not listed or not all(isinstance(each, (str, int, float)) for each in listed):
                raise self._schema(
                    f"{variable!r} is no list of text and numbers", ("vars", variable), "Write [value, …]."
                )
        transformations = self._value.get("transformations", [])
        self._check_all(transformations, ("transformations",))
        pipeline = Pipeline(self._value.get("name", name), tuple(transformations), variables)
        self._try(transformations, ("transformations",))
        return self._value.get("priority", 0), pipeline

    def _check_all(self, transformations: Any, way: Path) -> None:
        if not isinstance(transformations, list):
            raise self._schema(f"{way[-1]} is not a list", way, "Write a list of transformations.")
        for at, each in enumerate(transformations):
            self._check(each, (*way, at))

    def _check(self, item: Any, way: Path) -> None:
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            raise self._schema("a transformation has no type", way, "Write a map with type and its parameters.")
        kind = item["type"]
        if kind in _REFUSED:
            raise self._refused(f"{kind} {_REFUSED[kind]}", (*way, "type"))
        if kind not in _PARAMETERS:
            raise self._schema(f"there is no transformation {kind!r}", (*way, "type"), nearest(kind, _PARAMETERS))
        for key in item:
            if key not in ("id", "type") and key not in _CONDITIONS and key not in _PARAMETERS[kind]:
                raise self._schema(
                    f"{kind} takes no {key!r}", (*way, key), nearest(str(key), [*_PARAMETERS[kind], *_CONDITIONS])
                )
        if kind == "nest":
            self._check_all(item.get("items"), (*way, "items"))
        elif kind.endswith("mapping"):
            self._check_mapping(item.get("mapping"), (*way, "mapping"))
        elif kind == "add_condition":
            self._check_condition(item, way)
        for key in ("field", "fields"):
            values = item.get(key, "")
            if not all(isinstance(each, str) for each in (values if isinstance(values, list) else [values])):
                raise self._schema(f"{key} is no list of names", (*way, key), "Write names as text.")

    def _check_mapping(self, mapping: Any, way: Path) -> None:
        if not isinstance(mapping, dict):
            raise self._schema("mapping is not a map", way, "Write name: name.")
        for name, target in mapping.items():
            targets = target if isinstance(target, list) else [target]
            whole = targets and all(isinstance(each, str) for each in targets)
            if not whole or not isinstance(name, (str, type(None))):
                raise self._schema(
                    f"{name!r} is mapped to what is no name and no list of names", (*way, name), "Write names as text."
                )

    def _check_condition(self, item: dict[str, Any], way: Path) -> None:
        if not isinstance(item.get("conditions"), dict) or not item["conditions"]:
            raise self._schema("add_condition adds no conditions", way, "Add conditions: {field: value}.")
        name = item.get("name", "_")
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise self._schema(f"{name!r} is no name of a selection", (*way, "name"), "Use letters, digits and _.")

    def _try(self, transformations: Sequence[dict[str, Any]], way: Path) -> None:
        """Have pySigma build each transformation once, to report errors with their line."""
        for at, each in enumerate(transformations):
            if each["type"] == "nest":
                self._try(each["items"], (*way, at, "items"))
            try:
                ProcessingItem.from_dict(copy.deepcopy(each), policy=QUIET_RE2)
            except Exception as error:  # pySigma raises more than its own errors here
                reason = " ".join(str(error).split())[:300].rstrip(".")
                remedy = "See pySigma's documentation of processing pipelines."
                raise self._schema(f"the transformation cannot be used: {reason}", (*way, at), remedy) from error

    def _schema(self, reason: str, way: Path, remedy: str) -> RuleError:
        return self._located.error("schema", reason, way, remedy)

    def _refused(self, reason: str, way: Path) -> RuleError:
        return self._located.error("unsupported", reason, way, "Remove it from the pipeline.")
