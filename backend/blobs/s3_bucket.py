"""A bucket of an S3-compatible store: how it is reached, named and asked. The home of boto3.

boto3 and not s3fs: it lists page by page where s3fs holds a whole listing in memory, it keeps no cache of listings that
another process's writes would make wrong, and it has no event loop in a thread that a fork would leave behind.

The credentials are those every AWS tool reads: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a profile, or the role
of the machine (https://docs.aws.amazon.com/boto3/latest/guide/credentials.html).
"""

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple, NoReturn

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's

from backend import errors

_URL: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(/[A-Za-z0-9._-]+)*)/?")
_GONE: Final = {"NoSuchKey", "404", "NotFound"}
_MENDS: Final = {
    "NoSuchBucket": "make the bucket, or correct SHELFSIGHT_STORES__BLOBS_URL",
    "AccessDenied": "let the key list the bucket, and read, write and delete in it",
    "InvalidAccessKeyId": "correct AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "correct AWS_SECRET_ACCESS_KEY",
    "AuthorizationHeaderMalformed": "set AWS_DEFAULT_REGION to the bucket's region",
    "PermanentRedirect": "set AWS_DEFAULT_REGION to the bucket's region",
    "InvalidBucketName": "correct SHELFSIGHT_STORES__BLOBS_URL",
}
_ATTEMPTS: Final = 3
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 30.0


class Stored(NamedTuple):
    """An object as a listing shows it. `name`: below the folder that was listed. `changed_at`: to the second."""

    name: str
    size: int
    changed_at: datetime


class Missing(Exception):
    """There is no such object."""


class Bucket:
    """One bucket and prefix. Safe from several threads; to be made after a fork.

    Reads and listings show every write that was answered before: what S3 promises since 2020
    (https://aws.amazon.com/s3/consistency/), and MinIO, Ceph and R2 too.
    """

    def __init__(self, url: str, *, endpoint: str | None = None, connections: int = 12) -> None:
        """`url`: `s3://bucket/prefix`. `endpoint`: of another store than AWS. Nothing is asked yet.

        Raises `errors.Misconfigured` for a URL that names no bucket, or an endpoint that is none.
        """
        named = _URL.fullmatch(url)
        if named is None:
            raise errors.Misconfigured("SHELFSIGHT_STORES__BLOBS_URL looks like s3://bucket/prefix")
        self.url = url
        self._name = named["bucket"]
        self._prefix = named["prefix"].removeprefix("/")
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=connections,
            # Not every compatible store understands the newer checksums; Content-MD5 is as old as S3 itself.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},  # other stores seldom have a host name a bucket
        )
        try:
            self.client: Any = boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)
        except (BotoCoreError, ValueError) as err:
            raise errors.Misconfigured(f"the pictures' store at {url} cannot be reached: {err}") from err

    def key(self, *names: str) -> dict[str, str]:
        """Where an object stands, as boto3's calls take it."""
        return {"Bucket": self._name, "Key": "/".join(filter(None, (self._prefix, *names)))}

    def listed(self, *folder: str) -> Iterator[Stored]:
        """The objects below a folder in the order of their names, page by page. Raises `errors.BlobsUnavailable`."""
        prefix = f"{self.key(*folder)['Key']}/"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        with self.asked("read"):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield Stored(item["Key"].removeprefix(prefix), int(item["Size"]), item["LastModified"])

    def delete(self, *names: str) -> None:
        """Remove an object; nothing happens when there is none. Raises `errors.BlobsUnavailable`."""
        with self.asked("written"):
            self.client.delete_object(**self.key(*names))

    def check(self) -> None:
        """Raise `errors.Misconfigured` when a person has to act, `errors.BlobsUnavailable` when the store is down."""
        try:
            self.client.list_objects_v2(Bucket=self._name, Prefix=self._prefix, MaxKeys=1)
        except (ConnectionError, HTTPClientError) as err:
            _refuse("read", err)
        except ClientError as err:
            if _status(err) >= 500:  # noqa: PLR2004 - RFC 9110 15.6: the server's own fault
                _refuse("read", err)
            raise errors.Misconfigured(f"the pictures' store at {self.url} refuses: {_told(err)}") from err
        except BotoCoreError as err:  # no credentials, half of them, a profile that is not there
            raise errors.Misconfigured(
                f"the pictures' store at {self.url} cannot be asked: {err}. "
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from err

    def check_writing(self) -> None:
        """Raise `errors.BlobsUnavailable` unless an object can be written and removed."""
        with self.asked("written"):
            self.client.put_object(**self.key("probe"), Body=b"")
        self.delete("probe")

    @contextlib.contextmanager
    def asked(self, done: str) -> Iterator[None]:
        """Around each call: what is not there is `Missing`, all else that goes wrong `errors.BlobsUnavailable`."""
        try:
            yield
        except ClientError as err:
            if err.response.get("Error", {}).get("Code") in _GONE:
                raise Missing from err
            _refuse(done, err)
        except (BotoCoreError, Boto3Error) as err:
            _refuse(done, err)

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()


def _refuse(done: str, err: Exception) -> NoReturn:
    why = _told(err) if isinstance(err, ClientError) else str(err)
    raise errors.BlobsUnavailable(f"The picture store cannot be {done}: {why}.") from err


def _status(err: ClientError) -> int:
    return int(err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _told(err: ClientError) -> str:
    """What the store answered, and what to do about it."""
    found = err.response.get("Error", {})
    code = str(found.get("Code", "unknown"))
    mend = _MENDS.get(code)
    return f"{code} ({found.get('Message', '')})" + (f"; {mend}" if mend else "")
