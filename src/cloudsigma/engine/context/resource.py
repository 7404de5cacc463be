"""Which resource a call acted on, read from a record's parameters, response and `resources` element.

An ARN is shown where the record has it and never made from a name: the path of a deleted group, say, is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from cloudsigma.engine.context.record_access import mapping, name, name_in, text
from cloudsigma.engine.context.resource_calls import describe_arn
from cloudsigma.engine.context.resource_plan import REQUEST, RESPONSE, Plan, PlannedTarget, S3Keys, make_plan
from cloudsigma.engine.context.resource_types import BUCKET_KEYS, EC2_IDS, EXPORT_BUCKET_KEYS
from cloudsigma.engine.memo import Budget, Memo


class Resource(msgspec.Struct, frozen=True):
    """Something in AWS that a call acted on: an ARN or a name is always there. Its fields are its JSON form."""

    arn: str | None = None
    """The ARN, where the record has it."""
    name: str | None = None
    """The name or ID that the service knows it by; of an S3 object the bucket, a slash, and the key."""
    type: str | None = None
    """As in CloudFormation (`AWS::IAM::Group`), where known."""
    text: str = ""
    """The ARN, else the name; also what `str()` gives."""

    def __post_init__(self) -> None:
        if not self.text:
            structs.force_setattr(self, "text", self.arn or self.name or self.type or "unknown")

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return structs.asdict(self)


Nodes = tuple[Mapping[Any, Any], Mapping[Any, Any]]
"""The parameters of the request and of the response."""
_CALLERS = ("user", "caller", "principal")
"""Prefixes of the members of `additionalEventData` that name the caller."""


def read_resources(record: Mapping[str, Any]) -> tuple[Resource | None, tuple[Resource, ...]]:
    """The resource that the call acted on, and all that the record names, that one among them.

    A call that names several (`TerminateInstances`) acted on the first of them. A failed call has no response: its
    target is read from its request alone.
    """
    listed = _listed(record)
    acted_on = _acted_on(record, listed)
    if not acted_on:
        return (listed[0] if listed else None), tuple(listed)
    if not listed and len(acted_on) == 1:
        return acted_on[0], (acted_on[0],)
    return acted_on[0], tuple(dict.fromkeys([*listed, *acted_on]))


def _listed(record: Mapping[str, Any]) -> list[Resource]:
    """The record's own `resources` element, without repetitions."""
    entries = record.get("resources")
    if not isinstance(entries, (list, tuple)):
        return []
    found: dict[Resource, None] = {}
    for entry in entries:
        if isinstance(entry, Mapping):
            node = _lowered(entry)
            recorded = name(node, "arn") or name(node, "resourcename")
            if recorded is not None:
                found[_resource([recorded], text(node, "type") or text(node, "resourcetype"))] = None
    return list(found)


def _is_worth_keeping(shape: tuple[str, str, tuple[Any, ...], tuple[Any, ...]]) -> bool:
    """Whether other records may have the same shape: hostile names and keys are long, or no text."""
    source, event, request, response = shape
    names = (source, event, *request, *response)
    return all(type(name) is str and len(name) <= _LONGEST for name in names)


_LONGEST = 100
"""Characters of the longest name or key of a shape whose plan is kept."""
_plans: Memo = Budget(2 << 20).memo(make_plan, entries=4_000, size=lambda plan: plan.size, worth=_is_worth_keeping)
"""Plans by event source, event name, keys of the request and keys of the response; it keeps no value of a parameter."""


def _acted_on(record: Mapping[str, Any], listed: Sequence[Resource]) -> list[Resource]:
    """The targets of the call, the most important first."""
    event = text(record, "eventName")
    if event is None:
        return []
    request, response = _parameters(record, "requestParameters"), _parameters(record, "responseElements")
    if record.get("eventType") == "AwsServiceEvent" and not _lowered(request):
        request = _service_event(record)
    if not request and not response:
        return _denied(record, event)
    plan: Plan = _plans[text(record, "eventSource") or "", event, tuple(request), tuple(response)]
    if plan.without_keys:
        return _denied(record, event)
    if plan.s3 is not None:
        found = _bucket_or_object(plan.s3, request)
        if found is not None:
            return [_with_arn(found, listed)]
    acted_on: list[Resource] = []
    nodes = (request, response)
    for target in plan.targets:
        if acted_on and not target.named:
            break
        acted_on += _found(target, nodes)
    if not acted_on:
        return [] if listed else _denied(record, event)
    if plan.buckets and len(acted_on) == 1:
        acted_on += _buckets(text(record, "eventSource") or "", event, _lowered(request))
    return [_with_arn(resource, listed) for resource in acted_on] if listed else acted_on


def _found(target: PlannedTarget, nodes: Nodes) -> list[Resource]:
    """The resources of one kind that the parameters name."""
    if target.arns or target.names or target.wrappers:
        resource = _single(target, nodes)
        if resource is not None:
            # A response may be a list although the request names one (`CreateLoadBalancer`).
            answered = _several(target, nodes, RESPONSE) if target.lists and resource.arn is None else []
            return answered if len(answered) == 1 else [resource]
    if target.lists:
        return _several(target, nodes, REQUEST) or _several(target, nodes, RESPONSE)
    return []


def _buckets(source: str, event: str, request: dict[str, Any]) -> list[Resource]:
    """The bucket that a call of another service names, such as that of an export; also one level deeper."""
    call = event.lower()
    nodes = [request]
    if "export" in call:
        nodes += [_lowered(value) for value in request.values() if isinstance(value, Mapping)]
    keys = BUCKET_KEYS
    if (own := EXPORT_BUCKET_KEYS.get(f"{source.partition('.')[0].lower()}:{call}")) is not None:
        keys |= {own}
    for node in nodes:
        if not keys.isdisjoint(node):
            for key in keys.intersection(node):
                if (bucket := _value(node[key])) is not None:
                    return [_resource([bucket], "AWS::S3::Bucket")]
    return []


def _denied(record: Mapping[str, Any], event: str) -> list[Resource]:
    """The ARN in IAM's sentence `… is not authorized to perform: sts:AssumeRole on resource: <ARN>`.

    Parameters of a denied call may be left out. A sentence about another action than the call itself, such as
    `iam:PassRole`, and an ARN with wildcards do not name the target.
    """
    message = text(record, "errorMessage")
    if message is None:
        return []
    said = f":{event} on resource: ".lower()
    at = message.lower().find(said)
    if at < 0:
        return []
    rest = message[at + len(said) :]
    arn = rest[1:].partition('"')[0] if rest.startswith('"') else rest.partition(" ")[0]
    return [_resource([arn], None)] if _is_arn(arn) and "*" not in arn else []


def _service_event(record: Mapping[str, Any]) -> dict[str, Any]:
    """The details of an event that a service made itself, as parameters."""
    details = _lowered(_parameters(record, "serviceEventDetails"))
    if len(details) == 1:
        ((key, value),) = details.items()
        if key.endswith("status") and isinstance(value, Mapping):  # {"createAccountStatus": {"accountId": …}}
            details = _lowered(value)
            details.pop("id", None)  # of the operation
    if details:
        return details
    extra = _lowered(_parameters(record, "additionalEventData"))
    return {key: value for key, value in extra.items() if not key.startswith(_CALLERS)}


def _parameters(record: Mapping[str, Any], member: str) -> Mapping[Any, Any]:
    """The parameters, without a wrapper such as EC2's `{"<Call>Request": …}`."""
    node: Mapping[Any, Any] = mapping(record, member)
    if len(node) == 1:
        (key,) = node
        if isinstance(key, str) and key.endswith(("Request", "Response", "Detail")) and isinstance(node[key], Mapping):
            return node[key]  # type: ignore[no-any-return]
    return node


def _lowered(node: Mapping[Any, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in node.items() if isinstance(key, str)}


def _single(target: PlannedTarget, nodes: Nodes) -> Resource | None:
    said = [value for at, key in target.arns if (value := _value(nodes[at][key])) is not None]
    for at, key in target.wrappers:
        value = nodes[at][key]
        if value is not None and not isinstance(value, str) and isinstance(value, Mapping):
            said += _own_names(target.inner_keys, _lowered(value))
    for at, key in target.names:
        called = _value(nodes[at][key])
        if called is not None:
            # The caller's ARN precedes the response's, which may name a new version.
            said.insert(0 if at == REQUEST and _is_arn(called) else len(said), called)
    return _resource(said, target.type) if said else None


def _own_names(keys: tuple[str, ...], node: dict[str, Any]) -> list[str]:
    """The names of a resource in an object that describes it."""
    if "state" in node and "requestedtimestamp" in node:  # an operation: `id` is not that of the resource
        keys = tuple(key for key in keys if key != "id")
    return [value for key in keys if (value := name(node, key)) is not None]


def _several(target: PlannedTarget, nodes: Nodes, at: int) -> list[Resource]:
    """The resources in the first list of the request, or of the response, that names any."""
    for place, key in target.lists:
        if place != at:
            continue
        found: dict[Resource, None] = {}
        for element in _elements(nodes[at][key]):
            called = _value(element)
            said = [called] if called is not None else []
            if not said and isinstance(element, Mapping):
                said = _own_names(target.inner_keys, _lowered(element))
            if said:
                found[_resource(said, target.type)] = None
        if found:
            return list(found)
    return []


def _elements(value: Any) -> Sequence[Any]:
    """The elements of a list, which EC2 wraps in `items` or `item`, and leaves out for a single element."""
    if isinstance(value, Mapping):
        inner = value.get("items", value.get("item"))
        value = value if inner is None else inner
    return value if isinstance(value, (list, tuple)) else (value,)


def _value(value: Any) -> str | None:
    """A name, also in the form `{"tag": 1, "content": "vpc-…"}` of newer EC2 calls."""
    if value is None or isinstance(value, str):
        return name_in(value)
    return name(value, "content") if isinstance(value, Mapping) else None


def _resource(said: Sequence[str], type_: str | None) -> Resource:
    arn: str | None
    called: str | None
    if len(said) == 1:  # nearly all
        (value,) = said
        arn, called = (value, None) if _is_arn(value) else (None, value)
    else:
        arn = next((value for value in said if _is_arn(value)), None)
        called = next((value for value in said if not _is_arn(value)), None)
    if arn is None:
        return Resource(None, called, type_ or _type_of_id(called), called or "")
    arn_type, arn_name = describe_arn(arn)
    return Resource(arn, called or arn_name, arn_type or type_, arn)


def _type_of_id(called: str | None) -> str | None:
    """The type that an EC2 ID such as `i-0abc…` implies, whatever service it was passed to."""
    prefix, _, digits = (called or "").partition("-")
    return EC2_IDS.get(prefix) if len(digits) in (8, 17) and digits.isalnum() else None


def _is_arn(value: str) -> bool:
    return value.startswith("arn:") and value.count(":") >= 5


def _with_arn(found: Resource, listed: Sequence[Resource]) -> Resource:
    """The listed form of a resource that the parameters only name, where the record lists it with its ARN."""
    if found.arn is not None or not listed:
        return found
    called = found.name or ""
    alike = [resource for resource in listed if resource.arn is not None and resource.type == found.type is not None]
    for resource in (*alike, *listed):
        if resource.arn is not None and _ends_with_name(resource.arn, called):
            return resource
    # A key may be named by its alias and listed by its ID.
    return alike[0] if len(alike) == 1 and called.startswith("alias/") else found


def _ends_with_name(arn: str, called: str) -> bool:
    return bool(called) and (arn.endswith((f"/{called}", f":{called}")) or (called[0] == "/" and arn.endswith(called)))


def _bucket_or_object(keys: S3Keys, request: Mapping[Any, Any]) -> Resource | None:
    """S3 names the bucket in every call, and the key where the call is about an object."""
    bucket = next((value for key in keys.bucket if (value := _value(request[key])) is not None), None)
    if bucket is None:
        return None
    key = _value(request[keys.key]) if keys.key is not None else None
    if key is not None:
        path = f"{bucket}/{key}"
        return Resource(None, path, "AWS::S3::Object", path)
    return _resource([bucket], "AWS::S3::Bucket")
