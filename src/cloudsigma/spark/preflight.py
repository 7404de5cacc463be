"""The check at the start: one task reports the environment of an executor, and it is compared with the driver's."""

from __future__ import annotations

import json
import logging
import platform
import weakref
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from cloudsigma.errors import ExecutorError, MissingPackageError
from cloudsigma.spark.portable_rules import PortableRules
from cloudsigma.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

_PACKAGES = ("msgspec", "google-re2", "pyarrow")
"""Packages whose versions are compared; the first two decide verdicts."""
_log = logging.getLogger("cloudsigma")
_checked: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()
"""Session → digests of the rules that its executors have loaded."""


def check_executors(session: SparkSession, rules: PortableRules) -> None:
    """Raise `ExecutorError` unless an executor has the driver's Python, versions and rules; once for each session.

    Raises:
        ExecutorError: Something differs, with all differences and what to do.
    """
    done = _checked.setdefault(session, set())
    if rules.digest in done:
        return
    report = _reported(session, rules)
    here = environment()
    differences = [
        f"{name}: {there or 'missing'} there, {mine or 'missing'} here"
        for name, mine in here.items()
        if (there := report["environment"].get(name)) != mine
    ]
    if not differences and report["digest"] != rules.digest:
        reason = report["error"] or f"they read them as {report['digest']}"
        differences = [f"rules {rules.digest}: {reason}"]
    if differences:
        raise ExecutorError("; ".join(differences))
    done.add(rules.digest)


def environment() -> dict[str, str | None]:
    """The versions that must be equal on the driver and on executors."""
    major, minor, _ = platform.python_version_tuple()
    return {
        "Python": f"{major}.{minor}",
        "cloudsigma-rules": __version__,
        **{name: installed(name) for name in _PACKAGES},
    }


def installed(package: str) -> str | None:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _reported(session: SparkSession, rules: PortableRules) -> dict[str, Any]:
    from pyspark.errors import PySparkException

    function = _reporter(rules.data, rules.digest, _PACKAGES)
    try:
        (row,) = session.range(0, 1, 1, 1).mapInArrow(function, "report string").collect()
    except PySparkException as error:
        text = str(error)
        if "PYTHON_VERSION_MISMATCH" in text or "different version" in text:
            raise ExecutorError(f"Python: another version there, {environment()['Python']} here") from error
        if "ModuleNotFoundError" in text or "ImportError" in text or "PACKAGE_NOT_INSTALLED" in text:
            lines = [
                line.strip() for line in text.splitlines() if "ModuleNotFoundError" in line or "ImportError" in line
            ]
            raise ExecutorError(lines[-1] if lines else "pyarrow: missing there") from error
        raise
    read: dict[str, Any] = json.loads(row["report"])
    return read


def _reporter(data: bytes, digest: str, packages: tuple[str, ...]) -> Callable[[Any], Any]:
    """The function of the task. It is sent by value and imports nothing of ours at first: it may be missing there."""

    def report(batches: Any) -> Any:
        import importlib.metadata
        import json
        import platform

        import pyarrow as pa

        found: dict[str, Any] = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for package in ("cloudsigma-rules", *packages):
            try:
                found[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                found[package] = None
        loaded, error = None, None
        try:
            from cloudsigma.scanning.rule_digests import set_digest
            from cloudsigma.spark.portable_rules import PortableRules
            from cloudsigma.version import __version__

            found["cloudsigma-rules"] = __version__
            loaded = set_digest(PortableRules(digest, data, 0).load())
        except Exception as raised:  # noqa: BLE001  # whatever it is, the driver tells it
            error = f"{type(raised).__name__}: {raised}"
        for _ in batches:
            pass
        text = json.dumps({"environment": found, "digest": loaded, "error": error})
        yield pa.RecordBatch.from_pydict({"report": [text]})

    return report


def require_spark() -> None:
    """Raise `MissingPackageError` unless PySpark and pyarrow are installed."""
    for package in ("pyspark", "pyarrow"):
        if installed(package) is None and not _importable(package):
            raise MissingPackageError(
                f"cloudsigma.spark needs the package {package}: pip install 'cloudsigma-rules[spark]'. "
                "On a platform that brings its own Spark, install cloudsigma-rules and pyarrow alone."
            )


def _importable(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None  # platforms put PySpark on the path without installing it
