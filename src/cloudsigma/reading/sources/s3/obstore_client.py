"""The S3 client with obstore, the only module that imports it. It fetches objects in a tenth of boto3's CPU time.

obstore supports neither AWS profiles nor redirects to other regions, so boto3 finds credentials, region and endpoint.
boto3 also lists, since its errors are more specific. obstore's synchronous calls are used, in threads: the asynchronous
ones sometimes abort the interpreter at exit. In a process forked after its first use, obstore would wait forever.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import threading
from typing import TYPE_CHECKING, Any

import obstore
from obstore.store import S3Store

from cloudsigma.reading.sources.s3.boto3_client import Boto3Store
from cloudsigma.reading.sources.s3.object_store import Body, Fault, ObjectStore, Page, fault_of
from cloudsigma.reading.sources.s3.options import S3Options

if TYPE_CHECKING:
    from obstore.store import S3Credential

_CREDENTIALS_LAST = dt.timedelta(minutes=5)
"""How long credentials are cached; boto3 renews them ten minutes before they expire."""
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.=+-]+(?:/[A-Za-z0-9_.=+-]+)*")
"""Keys that obstore sends unchanged; boto3 fetches all others."""
_CODE = re.compile(r"<Code>([A-Za-z0-9._]{1,80})</Code>")
_STATUS = re.compile(r"(?:status code|status): ([0-9]{3})\b")

_used_in: set[int] = set()
"""The process that first used obstore; obstore's threads run only there, not in forked children."""


def usable() -> bool:
    """Whether obstore works in this process; it does not in a process forked after its first use."""
    return not _used_in or os.getpid() in _used_in


class ObstoreStore(ObjectStore):
    """A bucket through obstore; boto3 lists and finds credentials."""

    def __init__(self, bucket: str, options: S3Options, beside: Boto3Store) -> None:
        self.bucket = bucket
        self._options = options
        self._beside = beside
        self._opened: S3Store | None = None
        self._opening = threading.Lock()

    def page(self, prefix: str, *, to_slash: bool, following: str | None = None) -> Page:
        """A page of a listing, from boto3."""
        return self._beside.page(prefix, to_slash=to_slash, following=following)

    def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
        """An object or a part of it."""
        if not _PLAIN_KEY.fullmatch(key) or {".", ".."} & set(key.split("/")):
            return self._beside.fetch(key, span=span, etag=etag)
        store = self._store()
        asked: Any = {}
        if span is not None:
            asked["range"] = span
        if etag is not None:
            asked["if_match"] = etag
        try:
            answer = obstore.get(store, key, options=asked)
            data = bytes(answer.bytes())
        except Exception as error:  # noqa: BLE001  # its classes are few, and it raises built-in ones too
            raise _fault(error) from None
        size = answer.meta["size"]
        first, end = answer.range
        if len(data) != end - first or (span is None and len(data) != size):
            raise Fault("transient", "the answer was cut short")
        return Body(data, size, answer.meta["e_tag"])

    def close(self) -> None:
        """Close boto3's connections; obstore closes its own when it is garbage-collected."""
        self._beside.close()

    def _store(self) -> S3Store:
        with self._opening:
            if self._opened is None:
                self._beside.credentials()  # raises a more specific error than obstore would
                region, endpoint = self._beside.region_and_endpoint()
                _used_in.add(os.getpid())
                nothing = dt.timedelta(0)
                self._opened = S3Store(
                    self.bucket,
                    region=region,
                    endpoint=endpoint,
                    virtual_hosted_style_request=False,  # the endpoint is S3's, without the bucket
                    credential_provider=self._credential,
                    client_options={
                        "allow_http": endpoint.startswith("http:"),
                        "connect_timeout": dt.timedelta(seconds=self._options.timeout),
                        "read_timeout": dt.timedelta(seconds=self._options.timeout),
                        "timeout": dt.timedelta(days=1),  # for a whole response, of any size
                    },
                    retry_config={  # `retry.py` retries
                        "max_retries": 0,
                        "retry_timeout": dt.timedelta(days=1),
                        "backoff": {"init_backoff": nothing, "max_backoff": nothing, "base": 2},
                    },
                )
            return self._opened

    def _credential(self) -> S3Credential:
        access_key, secret_key, token = self._beside.credentials()
        return {
            "access_key_id": access_key,
            "secret_access_key": secret_key,
            "token": token,
            "expires_at": dt.datetime.now(dt.UTC) + _CREDENTIALS_LAST,
        }


def _fault(error: Exception) -> Fault:
    """Translate an exception of obstore; only the error code is taken from its text, which has the whole response."""
    text = str(error)
    code = found[1] if (found := _CODE.search(text)) else ""
    status = int(found[1]) if (found := _STATUS.search(text)) else None
    if not code and status is None:
        if isinstance(error, FileNotFoundError):
            return Fault("key", "not found")
        kind = type(error).__name__
        return Fault("transient" if kind in {"GenericError", "JoinError"} else "credentials", kind)
    return fault_of(code, status, text)
