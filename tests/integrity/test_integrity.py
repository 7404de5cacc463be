"""Digest files: chains made here with keys made here, and then damaged in each part."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import run

pytest.importorskip("cryptography", reason="the extra `integrity` is not installed")

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloudsigma.errors import UsageError
from cloudsigma.integrity import check_integrity
from cloudsigma.integrity.signature import read_public_key

ACCOUNT, REGION, BUCKET = "111122223333", "eu-central-1", "trail-bucket"
START = dt.datetime(2026, 11, 17, 12, tzinfo=dt.UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Made:
    """A copy of a bucket: some hours of log files, each hour with a digest file, signed and chained."""

    def __init__(self, folder: Path, hours: int = 4) -> None:
        self.folder = folder
        self.logs: list[Path] = []
        self.digests: list[Path] = []
        der = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        fingerprint = hashlib.md5(der, usedforsecurity=False).hexdigest()
        previous: dict[str, Any] = dict.fromkeys(
            f"previousDigest{name}" for name in ("S3Bucket", "S3Object", "HashValue", "HashAlgorithm", "Signature")
        )
        for hour in range(hours):
            start = START + dt.timedelta(hours=hour)
            end = start + dt.timedelta(hours=1)
            files = [self._log(start, minute) for minute in (10, 40)]
            stamp = end.strftime("%Y%m%dT%H%M%SZ")
            key = (
                f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{end:%Y/%m/%d}/"
                f"{ACCOUNT}_CloudTrail-Digest_{REGION}_main_{REGION}_{stamp}.json.gz"
            )
            content = json.dumps({
                "awsAccountId": ACCOUNT, "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}", "digestS3Bucket": BUCKET, "digestS3Object": key,
                "digestPublicKeyFingerprint": fingerprint, "digestSignatureAlgorithm": "SHA256withRSA",
                **previous, "logFiles": files,
            }).encode()  # fmt: skip
            self.digests.append(self._write(key, content))
            digest = hashlib.sha256(content).hexdigest()
            text = (
                f"{end:%Y-%m-%dT%H:%M:%SZ}\n{BUCKET}/{key}\n{digest}\n{previous['previousDigestSignature'] or 'null'}"
            )
            previous = {
                "previousDigestS3Bucket": BUCKET, "previousDigestS3Object": key, "previousDigestHashValue": digest,
                "previousDigestHashAlgorithm": "SHA-256",
                "previousDigestSignature": KEY.sign(text.encode(), PKCS1v15(), SHA256()).hex(),
            }  # fmt: skip
        self.key = folder / "key.pem"
        self.key.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def _log(self, start: dt.datetime, minute: int) -> dict[str, str]:
        at = start + dt.timedelta(minutes=minute)
        key = (
            f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{at:%Y/%m/%d}/"
            f"{ACCOUNT}_CloudTrail_{REGION}_{at:%Y%m%dT%H%M}Z_Abc{minute}.json.gz"
        )
        content = json.dumps({"Records": [{"eventID": f"{at}"}]}).encode()
        self.logs.append(self._write(key, content))
        return {"s3Bucket": BUCKET, "s3Object": key, "hashValue": hashlib.sha256(content).hexdigest(),
                "hashAlgorithm": "SHA-256"}  # fmt: skip

    def _write(self, key: str, content: bytes) -> Path:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content))
        return path

    def problems(self) -> list[tuple[str, str]]:
        found = check_integrity([self.folder], [read_public_key(self.key)])
        return [(problem.kind, Path(problem.path).name) for problem in found.problems]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_an_intact_trail_is_verified(made: Made) -> None:
    found = check_integrity([made.folder], [read_public_key(made.key)])
    assert found.intact
    assert (found.digests, found.verified, found.unsigned, found.outside) == (4, 8, 1, 0)
    assert found.first == START
    assert check_integrity([made.folder]).unsigned == 4


def edited(path: Path, change: Callable[[Any], Any]) -> None:
    value = json.loads(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(json.dumps(change(value)).encode()))


def test_a_log_file_that_was_altered_is_named(made: Made) -> None:
    edited(made.logs[3], lambda value: {"Records": []})
    assert made.problems() == [("altered", made.logs[3].name)]


def test_a_log_file_that_was_packed_anew_is_the_same(made: Made) -> None:
    made.logs[3].write_bytes(gzip.compress(gzip.decompress(made.logs[3].read_bytes()), 1))
    assert made.problems() == []


def test_a_log_file_that_was_removed_is_named(made: Made) -> None:
    made.logs[5].unlink()
    assert made.problems() == [("missing", made.logs[5].name)]


def test_a_log_file_that_is_cut_is_altered(made: Made) -> None:
    made.logs[0].write_bytes(made.logs[0].read_bytes()[:-12])
    assert made.problems() == [("altered", made.logs[0].name)]


def test_a_log_file_that_was_slipped_in_is_named(made: Made) -> None:
    name = f"{ACCOUNT}_CloudTrail_{REGION}_20261117T1320Z_Planted.json.gz"
    planted = made.logs[0].with_name(name)
    planted.write_bytes(made.logs[0].read_bytes())
    assert made.problems() == [("unexpected", name)]
    later = made.logs[0].with_name(name.replace("T1320Z", "T2320Z"))
    planted.rename(later)
    assert made.problems() == []
    assert check_integrity([made.folder]).outside == 1


def test_a_digest_that_was_altered_breaks_the_chain_and_its_signature(made: Made) -> None:
    edited(made.digests[1], lambda value: {**value, "logFiles": value["logFiles"][:1]})
    name = made.digests[1].name
    hidden = made.logs[3].name
    assert sorted(made.problems()) == [("bad-signature", name), ("digest-altered", name), ("unexpected", hidden)]


def test_a_digest_that_was_removed_is_named(made: Made) -> None:
    made.digests[2].unlink()
    kinds = {kind for kind, _ in made.problems()}
    assert kinds == {"digest-missing", "gap"}


def test_another_key_verifies_nothing_and_a_wrong_signature_is_told(made: Made) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made.key.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert check_integrity([made.folder], [read_public_key(made.key)]).unsigned == 4
    wrong = Made(made.folder)
    edited(wrong.digests[3], lambda value: {**value, "previousDigestSignature": "00" * 256})
    assert ("bad-signature", wrong.digests[2].name) in wrong.problems()


@pytest.mark.parametrize("form", ["pem", "der", "base64", "pkcs1"])
def test_keys_are_read_in_every_form(form: str, tmp_path: Path) -> None:
    public, path = KEY.public_key(), tmp_path / "key"
    der = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    path.write_bytes(
        {
            "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "base64": base64.b64encode(der) + b"\n",
            "pkcs1": der,
        }[form]
    )
    assert read_public_key(path).fingerprint == hashlib.md5(der, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(UsageError):
        read_public_key(tmp_path / "key")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b'{"digestStartTime": 1}', gzip.compress(b"{", mtime=0)[:-3], b"[" * 100_000],
)
def test_a_digest_that_cannot_be_read_is_told(made: Made, content: bytes) -> None:
    made.digests[0].write_bytes(content)
    assert ("unreadable", made.digests[0].name) in made.problems()


def test_the_command(made: Made, tmp_path: Path) -> None:
    good = run("integrity", made.folder, "--public-key", made.key)
    assert (good.returncode, good.stdout) == (0, "")
    assert "4 digest files, 8 log files verified, 0 problems" in good.stderr
    made.logs[1].unlink()
    bad = run("integrity", made.folder, "--format", "json")
    assert bad.returncode == 1
    assert [problem["kind"] for problem in json.loads(bad.stdout)["problems"]] == ["missing"]
    (tmp_path / "empty").mkdir()
    assert run("integrity", tmp_path / "empty").returncode == 4
    assert run("integrity", "s3://bucket").returncode == 2
    assert run("integrity", tmp_path / "nothing").returncode == 2
