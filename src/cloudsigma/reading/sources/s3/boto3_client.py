"""The S3 client with boto3, the only module that imports it. Also finds credentials, regions and endpoints."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import boto3
import botocore.exceptions as wrong
from botocore.config import Config

from cloudsigma.reading.sources.s3.object_store import Body, Fault, ListedObject, ObjectStore, Page, fault_of
from cloudsigma.reading.sources.s3.options import S3Options

_CREDENTIALS = (
    wrong.NoCredentialsError,
    wrong.PartialCredentialsError,
    wrong.ProfileNotFound,
    wrong.CredentialRetrievalError,
    wrong.TokenRetrievalError,
    wrong.SSOError,
    wrong.UnauthorizedSSOTokenError,
    wrong.MetadataRetrievalError,
)
_PASSING = (wrong.ConnectionError, wrong.HTTPClientError, wrong.IncompleteReadError, wrong.FlexibleChecksumError)
_MD5_LENGTH = 32


class Boto3Store(ObjectStore):
    """A bucket through boto3. boto3's retries are disabled: they do not cover the body of a response."""

    def __init__(self, bucket: str, options: S3Options) -> None:
        """Find credentials and endpoint through the usual AWS provider chain; raises `Fault`."""
        self.bucket = bucket
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=options.timeout,
            read_timeout=options.timeout,
            max_pool_connections=2 * options.threads,
        )
        try:
            self._session = boto3.session.Session()
            self._client = self._session.client("s3", config=self._config)
        except wrong.BotoCoreError as error:
            raise botocore_fault(error) from None
        except ValueError:  # a malformed endpoint, which the exception's text would reveal
            raise Fault("other", "the endpoint is no URL; check AWS_ENDPOINT_URL_S3") from None

    def page(self, prefix: str, *, to_slash: bool, following: str | None = None) -> Page:
        """A page of up to 1,000 keys."""
        asked: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix}
        if to_slash:
            asked["Delimiter"] = "/"
        if following is not None:
            asked["ContinuationToken"] = following
        try:
            answer = self._client.list_objects_v2(**asked)
        except Exception as error:  # noqa: BLE001  # its parsers raise other errors
            raise botocore_fault(error) from None
        return Page(
            tuple(ListedObject(item["Key"], item["Size"], item.get("ETag")) for item in answer.get("Contents", ())),
            tuple(item["Prefix"] for item in answer.get("CommonPrefixes", ())),
            answer.get("NextContinuationToken") if answer.get("IsTruncated") else None,
        )

    def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
        """An object or a part of it."""
        asked: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        if span is not None:
            asked["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        if etag is not None:
            asked["IfMatch"] = etag
        try:
            answer = self._client.get_object(**asked)
            with closing(answer["Body"]) as stream:  # its own context manager raises untranslated errors
                data: bytes = stream.read()
        except Exception as error:  # noqa: BLE001  # its parsers and urllib3 raise other errors
            raise botocore_fault(error) from None
        if len(data) != answer["ContentLength"]:
            raise Fault("transient", "the answer was cut short")
        size = len(data)
        if span is not None:
            _, _, total = answer.get("ContentRange", "").rpartition("/")
            if not total.isdigit():
                raise Fault("other", "a part of it was asked for, and S3 gave another")
            size = int(total)
        return Body(data, size, answer.get("ETag"), _md5(answer) if len(data) == size else None)

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    # Facts that a faster client needs to reach the same bucket.

    def region_and_endpoint(self) -> tuple[str, str]:
        """The region of the bucket, and the URL of its S3 endpoint; raises `Fault`."""
        try:
            answer = self._client.head_bucket(Bucket=self.bucket)
        except wrong.ClientError as error:
            answer = error.response
        except (wrong.BotoCoreError, OSError) as error:
            raise botocore_fault(error) from None
        told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
        region = told or self._client.meta.region_name
        if region in {None, "aws-global"}:
            region = "us-east-1"
        client = self._session.client("s3", config=self._config, region_name=region)
        endpoint: str = client.meta.endpoint_url
        client.close()
        return region, endpoint

    def credentials(self) -> tuple[str, str, str | None]:
        """Access key, secret key and session token, valid for at least some minutes; raises `Fault`."""
        try:
            found = self._session.get_credentials()
            frozen = found.get_frozen_credentials() if found is not None else None
        except (wrong.ClientError, wrong.BotoCoreError, OSError) as error:
            raise botocore_fault(error) from None
        if frozen is None:
            raise Fault("credentials", "none were found")
        return frozen.access_key, frozen.secret_key, frozen.token

    @property
    def own_certificates(self) -> bool:
        """Whether the AWS configuration sets a certificate bundle, which only boto3 supports."""
        return bool(self._session._session.get_config_variable("ca_bundle"))  # noqa: SLF001  # no other way to ask


def _md5(answer: dict[str, Any]) -> str | None:
    """The MD5 of the content: the ETag, except for multipart uploads and objects encrypted with other keys."""
    etag: str = answer.get("ETag", "").strip('"')
    plain = answer.get("ServerSideEncryption") in {None, "AES256"} and "SSECustomerAlgorithm" not in answer
    return etag if plain and len(etag) == _MD5_LENGTH and "-" not in etag else None


def botocore_fault(error: Exception) -> Fault:
    """Translate an exception of botocore; its text may contain secrets and is dropped."""
    if isinstance(error, wrong.ClientError):
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return fault_of(str(told.get("Code", "")), status, str(told.get("Message", "")))
    if isinstance(error, _CREDENTIALS):
        if isinstance(error, wrong.NoCredentialsError):
            return Fault("credentials", "none were found")
        return Fault("credentials", type(error).__name__)
    passing = isinstance(error, _PASSING) or not isinstance(error, wrong.BotoCoreError)  # a malformed response
    return Fault("transient" if passing else "other", type(error).__name__)
