"""One POST over HTTPS: bounded in time, no redirect followed; the address is a secret and is in no message."""

from __future__ import annotations

import email.utils
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cloudsigma.errors import UsageError
from cloudsigma.notifying.attempt import Again, Attempt, Refused, Sent

TIMEOUT = 20.0
"""Seconds for an answer."""
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the message, and its signature, to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def check_address(url: str) -> None:
    """Raise `UsageError` for an address that is not HTTPS; HTTP is for this machine only. The address is not told."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if host is None or parts.username is not None or parts.password is not None:
        raise UsageError("the address is no URL; write https://HOST/PATH")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise UsageError("the address is not https://; http:// is for 127.0.0.1 only")


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
    """Send, and read how the receiver answered."""
    request = urllib.request.Request(url, body, {"User-Agent": "cloudsigma", **headers}, method="POST")  # noqa: S310
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            answer.read(1024)
            return Sent()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in _PASSING:
                return Again(f"it answered {error.code}", _asked(error.headers.get("Retry-After")))
            return Refused(f"it answered {error.code} {error.reason or ''}".rstrip())
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        return Again(f"it cannot be reached ({type(reason).__name__})")


def _asked(value: str | None) -> float | None:
    """The seconds of `Retry-After`: a number, or a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (TypeError, ValueError):
        return None
