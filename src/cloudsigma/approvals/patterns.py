"""Names of principals, sessions and resources compared with the entries of an approval.

In an entry, `*` matches any characters but `:`, and `?` matches one. Letter case counts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from cloudsigma.engine.context.context import Context, Principal, Resource
from cloudsigma.engine.evaluate.operators import new_regex

_WILDCARDS = frozenset("*?")
_ARN_PARTS = 6
_KEPT = 20_000
"""Most patterns and ARNs that are kept parsed."""


class ArnParts(NamedTuple):
    """An ARN in parts."""

    partition: str
    service: str
    region: str
    account: str
    resource: str
    """All after the fifth colon: `group/path/name`."""

    @property
    def kind(self) -> str:
        """The kind of resource: `group`; empty for `my-bucket`."""
        found = re.match(r"([^/:]+)[/:]", self.resource)
        return found[1] if found is not None else ""

    @property
    def name(self) -> str:
        """The last part of the resource: the name without kind and path."""
        return re.split(r"[/:]", self.resource)[-1]


def parse_arn(text: str) -> ArnParts | None:
    """The parts of an ARN; `None` if the text is no ARN."""
    parts = text.split(":", _ARN_PARTS - 1)
    return ArnParts(*parts[1:]) if len(parts) == _ARN_PARTS and parts[0] == "arn" else None


@lru_cache(maxsize=_KEPT)
def _wanted(entry: str) -> ArnParts | None:
    """`parse_arn` of an entry; texts of records are not kept."""
    return parse_arn(entry)


def has_wildcard(text: str) -> bool:
    """Whether the text is a pattern."""
    return not _WILDCARDS.isdisjoint(text)


def is_only_wildcards(text: str) -> bool:
    """Whether a pattern has wildcards alone."""
    return bool(text) and not text.strip("*?")


def fits(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern, in linear time."""
    beginning, expression = _compiled(pattern)
    if expression is None:
        return pattern == text
    if not text.startswith(beginning):
        return False
    try:
        return expression.fullmatch(text) is not None
    except UnicodeEncodeError:  # half a surrogate pair, which no name has
        return False


@lru_cache(maxsize=_KEPT)
def _compiled(pattern: str) -> tuple[str, Any]:
    """The text before the first wildcard, and the expression of a pattern; `None` without wildcards."""
    if not has_wildcard(pattern):
        return pattern, None
    parts = re.split(r"([*?])", pattern)
    expression = "".join({"*": "[^:]*", "?": "[^:]"}.get(part) or re.escape(part) for part in parts)
    return parts[0], new_regex(expression, "s")


def is_principal(entry: str, principal: Principal) -> bool:
    """Whether an entry of `principals` names the direct caller; a role names each of its sessions."""
    if fits(entry, principal.text) or entry == principal.id:
        return True
    if principal.kind != "role_session":
        return False
    if principal.issuer_arn is not None:
        return fits(entry, principal.issuer_arn)
    return principal.arn is not None and is_session_of(entry, principal.arn)


def is_root(entry: str, root: str) -> bool:
    """Whether an entry of `roots` names an identity; a role names each of its sessions."""
    return fits(entry, root) or is_session_of(entry, root)


def is_session_of(entry: str, session_arn: str) -> bool:
    """Whether a session's ARN is that of the role that an entry names.

    The ARN of a session lacks the path of its role, but the name of a role is unique in its account.
    """
    role, session = _wanted(entry), parse_arn(session_arn)
    if role is None or session is None or role.kind != "role" or session.kind != "assumed-role":
        return False
    same = (role.partition, role.account) == (session.partition, session.account)
    return same and fits(role.name, session.resource.split("/")[1])


def is_resource(entry: str, resource: Resource, context: Context) -> bool:
    """Whether an entry of `resources` names the resource that a call acted on.

    A record may have a name alone, such as that of a deleted group. The ARN of the entry is then compared by account,
    region, type and name.
    """
    wanted = _wanted(entry)
    if wanted is None:
        return fits(entry, resource.text) or (resource.name is not None and fits(entry, resource.name))
    if resource.arn is not None:
        return fits(entry, resource.arn)
    if resource.name is None:
        return False
    same_place = wanted.account in ("", context.account) and wanted.region in ("", context.region)
    return same_place and _same_type(wanted, resource.type) and fits(wanted.name, resource.name.rpartition("/")[2])


def _same_type(wanted: ArnParts, type_: str | None) -> bool:
    """Whether an ARN can be of a type such as `AWS::IAM::Group`; true if the type is unknown."""
    if type_ is None or type_.count("::") != 2:
        return True
    _, service, kind = type_.lower().split("::")
    return wanted.service.replace("-", "") == service and wanted.kind.replace("-", "").lower() in ("", kind)
