"""Which client reads a bucket: chosen by what is installed, imported when it is needed."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec

from cloudsigma.errors import UsageError
from cloudsigma.reading.sources.s3 import options as chosen
from cloudsigma.reading.sources.s3.key_layout import parse_location
from cloudsigma.reading.sources.s3.object_store import ObjectStore
from cloudsigma.reading.sources.s3.options import S3Options


def check_location(url: str) -> None:
    """Raise `UsageError` where a text is no place in S3, or what is needed to read it is not installed."""
    parse_location(url)
    require_client(chosen.DEFAULT)


def require_client(options: S3Options) -> None:
    """Raise `UsageError` where what is needed to read S3 is not installed."""
    if find_spec("boto3") is None:
        raise UsageError("reading s3:// needs boto3; pip install 'cloudsigma-rules[s3]'")
    if options.client == "obstore" and find_spec("obstore") is None:
        raise UsageError("reading s3:// by obstore needs it; pip install 'cloudsigma-rules[s3-fast]'")


def open_store(bucket: str, options: S3Options) -> ObjectStore:
    """A client of one bucket, of this process; raises `Fault` where credentials or settings are wrong."""
    require_client(options)
    from cloudsigma.reading.sources.s3.boto3_client import Boto3Store

    plain = Boto3Store(bucket, options)
    if options.client == "boto3" or find_spec("obstore") is None:
        return plain
    from cloudsigma.reading.sources.s3 import obstore_client

    if not obstore_client.usable() or (options.client == "auto" and plain.own_certificates):
        return plain
    return obstore_client.ObstoreStore(bucket, options, plain)


def shared_store(bucket: str, options: S3Options) -> ObjectStore:
    """The client of a bucket for single objects, one for each process: a forked child gets none of its parent's."""
    return _shared(bucket, options, os.getpid())


@lru_cache(maxsize=16)
def _shared(bucket: str, options: S3Options, process: int) -> ObjectStore:  # noqa: ARG001  # the key of the cache
    return open_store(bucket, options)
