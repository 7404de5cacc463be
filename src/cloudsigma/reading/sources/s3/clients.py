"""Chooses the client for a bucket by the installed packages; imports it on first use."""

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
    """Raise `UsageError` if an S3 URL is malformed, or the package that reads S3 is not installed."""
    parse_location(url)
    require_client(chosen.DEFAULT)


def require_client(options: S3Options) -> None:
    """Raise `UsageError` if the package that reads S3 is not installed."""
    if find_spec("boto3") is None:
        raise UsageError("reading s3:// needs boto3; pip install 'cloudsigma-rules[s3]'")
    if options.client == "obstore" and find_spec("obstore") is None:
        raise UsageError("reading s3:// by obstore needs it; pip install 'cloudsigma-rules[s3-fast]'")


def open_store(bucket: str, options: S3Options) -> ObjectStore:
    """A client for one bucket, for use in this process; raises `Fault` if credentials or settings are wrong."""
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
    """The cached client of a bucket for single objects, one for each process: a forked child makes a new one."""
    return _shared(bucket, options, os.getpid())


@lru_cache(maxsize=16)
def _shared(bucket: str, options: S3Options, process: int) -> ObjectStore:  # noqa: ARG001  # the key of the cache
    return open_store(bucket, options)
