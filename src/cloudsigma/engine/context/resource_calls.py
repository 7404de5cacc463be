"""Event name → the resource of the call: which keys of its parameters name the resource.

An event name is a verb and nouns. `AttachGroupPolicy` acts on the group (the first noun that the service has),
`AddUserToGroup` on the noun after the preposition, `RestoreDBInstanceFromDBSnapshot` on the noun before it.
For a service that `resource_types` does not list, every run of words may be a noun.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from cloudsigma.engine.context.resource_types import ARN_TYPES, CALLS, SERVICES, VERBS, WRAPPERS, Service


class Target(NamedTuple):
    """One kind of resource that a call may act on, and the keys (in lower case) that name it."""

    type: str | None
    """CloudFormation type, where known."""
    arn_keys: tuple[str, ...]
    """Keys of the request and the top of the response."""
    name_keys: tuple[str, ...]
    """Keys of names and IDs there, the best first."""
    list_keys: tuple[str, ...]
    """Keys of a list of such resources or their names."""
    wrappers: tuple[str, ...]
    """Keys of an object that describes the resource."""
    inner_keys: tuple[str, ...]
    """Keys within that object, or within an element of the list, where `arn`, `name` and `id` are the resource's."""
    single: frozenset[str]
    """All keys but those of lists: where none of them is there, nothing needs to be read."""
    plural: frozenset[str]
    """The keys of lists."""
    keys: frozenset[str] = frozenset()
    """All of them: a call without any of these does not name the resource."""
    wrapper_keys: frozenset[str] = frozenset()
    """`wrappers` as a set."""
    named: bool = False
    """Whether the name of the call says it: `AddUserToGroup` has two such targets."""


_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_API_VERSION = re.compile(r"20\d\d_?\d\d_?\d\d(?:[vV]\d+)?$")  # CreateFunction20150331, CreateDistribution2020_05_31
_BEFORE_THE_VERB = frozenset({"Batch", "Admin"})
_PREPOSITIONS = frozenset({"To", "From", "For", "With", "By", "Into", "Using"})
_MAKES = frozenset({"Create", "Restore", "Import", "Copy", "Assume"})
_BEGINS_OR_ENDS = frozenset({"Create", "Delete", "Import", "Register", "Deregister"})
_NO_RESOURCES = frozenset(
    {"item", "tag", "attribute", "status", "value", "data", "event", "record", "setting", "option"}
)
_LONGEST_WORD = 20
_MOST_LETTERS = 100
_MOST_WORDS = 12  # the longest event name of AWS has about ten; a hostile one must not cost more


def targets(event_source: str, event_name: str) -> tuple[Target, ...]:
    """The resources that the call may act on, the likeliest first; the letter case of the call's name is ignored."""
    service_name = event_source.partition(".")[0].lower()
    call = _API_VERSION.sub("", event_name)
    exception = _calls_in_lower_case().get(f"{service_name}:{call}".lower())
    if exception is not None:
        return tuple(target._replace(named=True) for target in _targets_of_nouns(service_name, exception, None))
    words = _words(call)
    if len(words) > 1 and words[0] in _BEFORE_THE_VERB:
        del words[0]
    verb, phrases = words[0] if words else "", _phrases(words)
    whole = _singulars("".join(phrases[0]))[-1].lower() if phrases else None

    known = _nouns(service_name) if service_name in SERVICES else {}
    named = [noun for phrase in phrases for noun in _known_nouns(phrase, known)]
    found = [target._replace(named=True) for target in _targets_of_nouns(service_name, " ".join(named), whole)]
    guessed = [] if found else [_target(None, noun) for noun in _runs(phrases)]
    usual = SERVICES[service_name].usual if service_name in SERVICES else ""
    if guessed and (not usual or verb in _BEGINS_OR_ENDS):  # the resource itself, not the one that it belongs to
        found.append(_sole(guessed.pop(0)))
    found += _targets_of_nouns(service_name, usual, whole)
    return (*found, _RESOURCE, *guessed)


def _words(call: str) -> list[str]:
    """The words of a call's name, each with a capital."""
    words = _split(call.lower()) if call.islower() or call.isupper() else _WORD.findall(call)
    return [word[0].upper() + word[1:] for word in words[:_MOST_WORDS]]


def _split(call: str) -> list[str]:
    """Divide a name in one letter case: as few letters as possible outside known words, then as few words."""
    call = call[:_MOST_LETTERS]
    vocabulary = _vocabulary()
    # best[end]: letters outside known words, words, start of the last word, for the first `end` letters
    best: list[tuple[int, int, int]] = [(0, 0, 0)]
    for end in range(1, len(call) + 1):
        strange, count, _ = best[end - 1]
        options = [(strange + 1, count + 1, end - 1)]
        for start in range(max(0, end - _LONGEST_WORD), end):
            if call[start:end] in vocabulary:
                strange, count, _ = best[start]
                options.append((strange, count + 1, start))
        best.append(min(options))
    words: list[str] = []
    end = len(call)
    was_known = True
    while end:
        start = best[end][2]
        is_known = call[start:end] in vocabulary
        if is_known or was_known:
            words.append(call[start:end])
        else:  # letters outside known words are one word
            words[-1] = call[start:end] + words[-1]
        was_known = is_known
        end = start
    return words[::-1]


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    nouns = (re.sub(r"[=:][^ >]*", "", service.nouns) for service in SERVICES.values())
    words = {word.lower() for text in nouns for word in _WORD.findall(text)}
    words |= {word + "s" for word in words} | {word[:-1] + "ies" for word in words if word.endswith("y")}
    words |= {word.lower() for word in (*VERBS.split(), *_PREPOSITIONS)}
    return frozenset(word for word in words if 1 < len(word) <= _LONGEST_WORD)


@lru_cache(maxsize=1)
def _calls_in_lower_case() -> dict[str, str]:
    return {call.lower(): nouns for call, nouns in CALLS.items()}


def _phrases(words: list[str]) -> list[list[str]]:
    """The words after the verb, split at the first preposition; the phrase that names the target comes first."""
    rest = words[1:]
    for position, word in enumerate(rest):
        if word in _PREPOSITIONS and 0 < position < len(rest) - 1:
            before, after = rest[:position], rest[position + 1 :]
            is_before = words[0] in _MAKES or word in ("With", "Using")
            return [before, after] if is_before else [after, before]
    return [rest] if rest else []


def _known_nouns(phrase: list[str], known: dict[str, Target]) -> Iterator[str]:
    """The first noun in a phrase that the service has; of those that begin together the longest."""
    for start in range(len(phrase)):
        for end in range(len(phrase), start, -1):
            for noun in _singulars("".join(phrase[start:end])):
                if noun.lower() in known:
                    yield noun
                    return


def _runs(phrases: list[list[str]]) -> list[str]:
    """Every run of words that may be a noun, in lower case: those that begin a phrase, then those that end it."""
    runs: dict[str, None] = {}
    for phrase in phrases:
        for end in range(len(phrase), 0, -1):
            runs[_singulars("".join(phrase[:end]))[-1].lower()] = None
        for start in range(1, len(phrase)):
            runs[_singulars("".join(phrase[start:]))[-1].lower()] = None
    return [run for run in runs if run not in _NO_RESOURCES]


def _singulars(noun: str) -> tuple[str, ...]:
    """The noun itself and its possible singulars, the likeliest last."""
    if noun.endswith("ies"):
        return noun, noun[:-3] + "y"
    if noun.endswith(("sses", "xes", "ches")):
        return noun, noun[:-1], noun[:-2]
    if noun.endswith("s") and not noun.endswith(("ss", "us")):
        return noun, noun[:-1]
    return (noun,)


_WRAPPED = ("input", "status", "description", "metadata", "detail", "summary")
"""Endings of the names of objects that describe a resource: `tableInput`, `domainStatus`."""
_LISTS = ("s", "set", "sset", "idset", "idsset", "ids", "names", "arns", "namelist", "idlist", "identifiers")


def _target(type_: str | None, noun: str, keys: tuple[str, ...] = (), wrappers: tuple[str, ...] = ()) -> Target:
    arn, by_name, ids = f"{noun}arn", f"{noun}name", (f"{noun}identifier", f"{noun}id", noun)
    list_keys = (*(noun + ending for ending in _LISTS), *(f"{key}s" for key in keys), *keys)
    target = Target(
        type_,
        arn_keys=(arn,),
        name_keys=tuple(dict.fromkeys((*keys, by_name, *ids))),
        list_keys=list_keys,
        wrappers=(noun, *(noun + ending for ending in _WRAPPED), *wrappers),
        inner_keys=tuple(dict.fromkeys((arn, "arn", *keys, by_name, "name", *ids, "id"))),
        single=frozenset(),
        plural=frozenset(list_keys),
    )
    return _extended(target)


def _extended(
    target: Target, arn_keys: tuple[str, ...] = (), name_keys: tuple[str, ...] = (), wrappers: tuple[str, ...] = ()
) -> Target:
    arn_keys, name_keys = (*target.arn_keys, *arn_keys), (*target.name_keys, *name_keys)
    wrappers = (*target.wrappers, *wrappers)
    return target._replace(
        arn_keys=arn_keys,
        name_keys=name_keys,
        wrappers=wrappers,
        single=(single := frozenset((*arn_keys, *name_keys, *wrappers))),
        keys=single | target.plural,
        wrapper_keys=frozenset(wrappers),
    )


def _sole(target: Target) -> Target:
    """The target of a call that is about nothing else, so that a bare `name` or `arn` is the resource's."""
    return _extended(target, arn_keys=("arn",), name_keys=("name", "id", "identifier"))


_RESOURCE = _target(None, "resource")


@lru_cache(maxsize=256)
def _nouns(service_name: str) -> dict[str, Target]:
    """The targets of a service by noun in lower case."""
    service = SERVICES.get(service_name)
    return dict(_parse(service_name, service)) if service is not None else {}


def _parse(service_name: str, service: Service) -> Iterator[tuple[str, Target]]:
    for entry in service.nouns.split():
        spelled, _, keys = entry.partition(">")[0].partition(":")
        noun, _, type_name = spelled.partition("=")
        type_ = None if type_name == "-" else f"{service.prefix}::{type_name or noun}"
        wrappers = tuple(key.lower() for key in WRAPPERS.get(f"{service_name}:{noun}", ()))
        extra = tuple(key.lower() for key in keys.split(",") if key)
        yield noun.lower(), _target(type_, noun.lower(), extra, wrappers)


@lru_cache(maxsize=256)
def _owners(service_name: str) -> dict[str, list[str]]:
    """For a noun that is a part of other resources: those."""
    service = SERVICES.get(service_name)
    entries = service.nouns.split() if service is not None else []
    return {
        part.lower(): owners.lower().split(",")
        for part, arrow, owners in (entry.partition(">") for entry in entries)
        if arrow
    }


def _targets_of_nouns(service_name: str, nouns: str, whole: str | None) -> Iterator[Target]:
    if service_name not in SERVICES:  # nothing is cached under names that records make up
        return
    known = _nouns(service_name)
    for noun in nouns.lower().split():
        for owner in _owners(service_name).get(noun, [noun]):
            target = known[owner]
            if owner != noun:  # {"accessKey": {"userName": …}} names the user
                yield _extended(target, wrappers=(noun,))
            elif noun == whole:
                yield _sole(target)
            else:
                yield target


@lru_cache(maxsize=1)
def _arn_types() -> dict[tuple[str, str], str]:
    types = dict(ARN_TYPES)
    for service_name, service in SERVICES.items():
        for entry in service.nouns.split():
            noun, _, type_name = entry.partition(">")[0].partition(":")[0].partition("=")
            if ">" not in entry and type_name != "-":
                type_ = f"{service.prefix}::{type_name or noun}"
                types.setdefault((service_name, noun.lower()), type_)
                types.setdefault((service_name, "-".join(_WORD.findall(noun)).lower()), type_)
    return types


_WITHOUT_KIND = {"s3": "AWS::S3::Bucket", "sns": "AWS::SNS::Topic", "sqs": "AWS::SQS::Queue"}


def describe_arn(arn: str) -> tuple[str | None, str | None]:
    """CloudFormation type and name of an ARN's resource, each `None` if unknown."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return None, None
    service_name, account, resource = parts[2], parts[4], parts[5]
    if service_name in _WITHOUT_KIND and not (service_name == "s3" and account):
        is_object = service_name == "s3" and "/" in resource
        return "AWS::S3::Object" if is_object else _WITHOUT_KIND[service_name], resource or None
    match = _KIND.match(resource)
    if match is None:
        return None, resource or None
    kind, rest = match.groups()
    type_ = _arn_types().get((service_name, kind))
    if service_name in {"iam", "sts"}:
        rest = rest.rpartition("/")[2]  # without the path
    elif service_name == "logs":
        rest = rest.removesuffix(":*")
    elif service_name == "ssm" and kind == "parameter" and "/" in rest:
        rest = "/" + rest  # names of parameters in a hierarchy begin with the slash
    return type_, rest or None


_KIND = re.compile(r"([A-Za-z0-9-]+)[:/](.*)", re.DOTALL)
