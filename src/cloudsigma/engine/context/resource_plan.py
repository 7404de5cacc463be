"""Where in its parameters a call names its resources: planned once for all records with the same keys.

A plan depends on the names alone: event source, event name, and the keys of request and response. It has the keys as
the record spells them, so that reading a record's resources is a few look-ups. Whether a value is an ARN, empty or
withheld is decided for each record, in `resource`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cloudsigma.engine.context.resource_calls import Target, targets
from cloudsigma.engine.context.resource_types import BUCKET_KEYS

REQUEST, RESPONSE = 0, 1
"""Which parameters a key is in: those of the request, or those of the response."""
Place = tuple[int, str]
"""`REQUEST` or `RESPONSE`, and a key as it is spelled there."""
_S3 = ("s3.", "s3express.", "s3-outposts.")
"""Prefixes of the event sources whose calls act on buckets and objects."""
_PLAN, _PLACE = 400, 150
"""Bytes of a plan, and of each place in it."""


class PlannedTarget(NamedTuple):
    """One kind of resource that the call may act on, and the keys of the parameters that name it, in order."""

    type: str | None
    named: bool
    inner_keys: tuple[str, ...]
    """As in `Target`."""
    arns: tuple[Place, ...]
    names: tuple[Place, ...]
    wrappers: tuple[Place, ...]
    lists: tuple[Place, ...]


class S3Keys(NamedTuple):
    """The keys of a request to S3 that name the bucket, the best first, and the object."""

    bucket: tuple[str, ...]
    key: str | None


class Plan(NamedTuple):
    """How to read the resources of a call."""

    without_keys: bool
    """Neither request nor response has a key."""
    s3: S3Keys | None
    """`None` for a call of another service."""
    targets: tuple[PlannedTarget, ...]
    """Those that the keys may name, the likeliest first."""
    buckets: bool
    """Whether the request may also name a bucket, as that of an export does."""
    size: int
    """Bytes that the plan takes."""


def make_plan(shape: tuple[str, str, tuple[object, ...], tuple[object, ...]]) -> Plan:
    """The plan of a shape: event source, event name, keys of the request, keys of the response."""
    source, event, *parameters = shape
    source = source.lower()
    request, response = nodes = [_spellings(keys) for keys in parameters]
    if not request and not response:
        return Plan(without_keys=True, s3=None, targets=(), buckets=False, size=_PLAN)
    planned = tuple(
        _planned(target, nodes)
        for target in targets(source, event)
        if not (target.keys.isdisjoint(request) and target.keys.isdisjoint(response))
    )
    s3 = None
    if source.startswith(_S3):
        s3 = S3Keys(tuple(request[key] for key in ("bucketname", "bucket") if key in request), request.get("key"))
    places = sum(len(each.arns) + len(each.names) + len(each.wrappers) + len(each.lists) for each in planned)
    return Plan(
        without_keys=False,
        s3=s3,
        targets=planned,
        buckets="xport" in event.lower() or not BUCKET_KEYS.isdisjoint(request),
        size=_PLAN * (1 + len(planned)) + _PLACE * places,
    )


def _spellings(keys: Iterable[object]) -> dict[str, str]:
    """Key in lower case → key; of two that differ only in case, the last."""
    return {key.lower(): key for key in keys if isinstance(key, str)}


def _planned(target: Target, nodes: list[dict[str, str]]) -> PlannedTarget:
    def by_node(keys: tuple[str, ...], order: tuple[int, ...]) -> Iterator[Place]:
        return ((at, nodes[at][key]) for at in order for key in keys if key in nodes[at])

    return PlannedTarget(
        target.type,
        target.named,
        target.inner_keys,
        arns=tuple(by_node(target.arn_keys, (REQUEST, RESPONSE))),
        names=tuple((at, nodes[at][key]) for key in target.name_keys for at in (REQUEST, RESPONSE) if key in nodes[at]),
        wrappers=tuple(by_node(target.wrappers, (RESPONSE, REQUEST))),
        lists=tuple(by_node(target.list_keys, (REQUEST, RESPONSE))),
    )
