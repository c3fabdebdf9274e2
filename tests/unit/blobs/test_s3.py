"""What only a store behind S3 can get wrong: races without a lock, a missing bucket, wrong keys, an outage."""

import hashlib
import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from backend import errors
from backend.blobs import s3_bucket
from backend.blobs.s3 import S3Blobs
from backend.blobs.s3_bucket import Bucket
from backend.blobs.s3_import_files import S3ImportFiles
from tests.s3_server import BUCKET, S3Server, s3_server

FAR = datetime(2100, 1, 1, tzinfo=UTC)
DATA = b"a picture"
HASH = hashlib.sha256(DATA).hexdigest()


class Watched(Bucket):
    """A bucket that does something of a test's after it has listed: what another process may do just then."""

    def __init__(self, server: S3Server) -> None:
        super().__init__(server.url(), endpoint=server.endpoint)
        self.meanwhile: Any = None

    def listed(self, *folder: str) -> Iterator[Any]:
        found = list(super().listed(*folder))
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()
        yield from found


@pytest.fixture
def bucket(s3: S3Server) -> Watched:
    return Watched(s3)


def stored(bucket: Bucket) -> list[str]:
    return [item.name for item in bucket.listed()]


# --- without a lock -------------------------------------------------------------------------------------------------


def test_what_is_put_while_it_is_being_discarded_stays(bucket: Watched) -> None:
    blobs = S3Blobs(bucket)
    blobs.put(DATA)
    bucket.meanwhile = lambda: blobs.put(DATA)  # after the discarder found it old, before it removes it
    blobs.discard(HASH, unused_since=FAR)
    assert blobs.get(HASH) == DATA


def test_what_is_discarded_while_it_is_put_again_is_sent_again(bucket: Watched) -> None:
    blobs = S3Blobs(bucket)
    blobs.put(DATA)
    bucket.meanwhile = lambda: blobs.discard(HASH, unused_since=FAR)  # the putter then finds nothing to copy
    blobs.put(DATA)
    assert blobs.get(HASH) == DATA


def test_what_is_put_again_while_it_is_read_is_read(bucket: Watched) -> None:
    blobs = S3Blobs(bucket)
    blobs.put(DATA)
    bucket.meanwhile = lambda: blobs.put(DATA)  # the object that was listed is gone
    assert blobs.get(HASH) == DATA


def test_threads_that_put_and_discard_the_same_bytes_never_lose_them(s3: S3Server) -> None:
    blobs = S3Blobs(s3.bucket())

    def act(number: int) -> None:
        if number % 2:
            blobs.discard(HASH, unused_since=FAR)
        else:
            assert blobs.put(DATA) == HASH

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(60)))
    assert blobs.put(DATA) == HASH
    assert blobs.get(HASH) == DATA


def test_one_object_remains_of_many_puts(bucket: Watched) -> None:
    blobs = S3Blobs(bucket)
    for _ in range(3):
        blobs.put(DATA)
    assert len(stored(bucket)) == 1


def test_a_put_counts_as_the_last_one_though_another_machines_clock_was_ahead(
    bucket: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = S3Blobs(bucket)
    with monkeypatch.context() as patch:
        patch.setattr(
            "backend.blobs.s3.time.time_ns", lambda: int(datetime(2090, 1, 1, tzinfo=UTC).timestamp()) * 10**9
        )
        blobs.put(DATA)
    blobs.put(DATA)
    assert len(stored(bucket)) == 1
    assert blobs.get(HASH) == DATA


def test_bytes_that_are_there_are_not_sent_again_and_damaged_ones_are(bucket: Watched) -> None:
    blobs = S3Blobs(bucket)
    blobs.put(DATA)
    sent: list[int] = []
    bucket.client.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(int(request.headers["Content-Length"]))
    )
    blobs.put(DATA)
    assert sent == []
    bucket.client.put_object(**bucket.key(stored(bucket)[0]), Body=b"half")
    sent.clear()
    blobs.put(DATA)
    assert sent == [len(DATA)]
    assert blobs.get(HASH) == DATA


def test_what_others_keep_in_the_bucket_is_left_alone(bucket: Watched) -> None:
    blobs = S3Blobs(bucket)
    for name in ("pictures/notes.txt", f"pictures/{HASH}/by-hand", "else/where"):
        bucket.client.put_object(**bucket.key(name), Body=DATA)
    assert list(blobs.unused_since(FAR)) == [HASH]
    assert blobs.get(HASH) == DATA
    assert "pictures/notes.txt" in stored(bucket)


# --- files of imports -----------------------------------------------------------------------------------------------


def test_a_large_file_goes_in_parts_and_its_stream_stays_open(s3: S3Server) -> None:
    files = S3ImportFiles(s3.bucket())
    data = bytes(range(256)) * 150_000  # 38 MB: three parts
    stream = io.BytesIO(b"before" + data)
    stream.seek(6)
    name = files.keep(stream)
    assert not stream.closed
    with files.open(name) as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()


def test_a_file_is_read_in_ranges_like_any_other(s3: S3Server) -> None:
    files = S3ImportFiles(s3.bucket())
    data = bytes(range(256)) * 20_000
    with files.open(files.keep(io.BytesIO(data))) as file:
        for offset, whence in ((5_000_000, io.SEEK_SET), (-20, io.SEEK_END), (0, io.SEEK_SET), (7, io.SEEK_CUR)):
            place = file.seek(offset, whence)
            assert file.read(300) == data[place : place + 300]
        file.seek(len(data) + 10)
        assert file.read(10) == b""
        with pytest.raises(ValueError, match="negative"):
            file.seek(-1)


def test_a_stream_that_breaks_leaves_nothing_and_says_its_own_reason(s3: S3Server) -> None:
    class Broken(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise errors.BodyTooLarge

    bucket = s3.bucket()
    with pytest.raises(errors.BodyTooLarge):
        S3ImportFiles(bucket).keep(Broken())  # type: ignore[arg-type] # only `read` is used
    assert stored(bucket) == []


def test_a_file_that_goes_while_it_is_read_is_missing(s3: S3Server) -> None:
    files = S3ImportFiles(s3.bucket())
    name = files.keep(io.BytesIO(b"x" * 10))
    file = files.open(name)
    files.delete(name)
    with pytest.raises(errors.ImportFileMissing):
        file.read()


# --- an installation that is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["s3://", "s3://UPPER/x", "https://bucket", "s3://a", "s3://shelf/../x y", "shelf"])
def test_an_address_that_names_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(errors.Misconfigured, match="s3://bucket/prefix"):
        Bucket(url)


def test_an_endpoint_that_is_no_address_is_refused() -> None:
    with pytest.raises(errors.Misconfigured, match="endpoint"):
        Bucket("s3://shelf/x", endpoint="nonsense")


def test_a_bucket_that_answers_is_checked_to_read_and_to_write(bucket: Watched) -> None:
    bucket.check()
    bucket.check_writing()
    assert stored(bucket) == []


def put_together(blobs: S3Blobs, number: int) -> None:
    with blobs.together() as puts:
        for each in range(number):
            puts.put(bytes([each]))


def test_a_bucket_that_is_missing_is_said_with_what_to_do(s3: S3Server) -> None:
    bucket = Bucket("s3://not-there/x", endpoint=s3.endpoint)
    with pytest.raises(errors.Misconfigured, match=r"NoSuchBucket.*make the bucket"):
        bucket.check()
    with pytest.raises(errors.BlobsUnavailable, match="NoSuchBucket"):
        S3Blobs(bucket).put(DATA)
    for number in (1, 20):  # fewer than are under way at once, and more
        with pytest.raises(errors.BlobsUnavailable, match="NoSuchBucket"):
            put_together(S3Blobs(bucket), number)
    with pytest.raises(errors.BlobsUnavailable):
        S3Blobs(bucket).get(HASH)


def test_keys_the_store_does_not_know_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as server:
        httpx.post(f"{server.endpoint}/moto-api/reset-auth", content="0", trust_env=False)  # from here on keys count
        bucket = Bucket(f"s3://{BUCKET}/x", endpoint=server.endpoint)
        with pytest.raises(errors.Misconfigured, match=r"InvalidAccessKeyId.*correct AWS_ACCESS_KEY_ID"):
            bucket.check()
        with pytest.raises(errors.BlobsUnavailable, match="InvalidAccessKeyId"):
            S3Blobs(bucket).put(DATA)
        httpx.post(f"{server.endpoint}/moto-api/reset-auth", content="inf", trust_env=False)


def test_no_keys_at_all_are_said(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(errors.Misconfigured, match="Set AWS_ACCESS_KEY_ID"):
        Bucket(s3.url(), endpoint=s3.endpoint).check()


def test_a_store_that_does_not_answer_is_an_outage_and_no_fault_of_the_settings(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_bucket, "_ATTEMPTS", 1)  # the pauses between attempts are the library's
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        bucket = Bucket("s3://shelf/x", endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        for act in (
            bucket.check,
            bucket.check_writing,
            lambda: S3Blobs(bucket).put(DATA),
            lambda: S3Blobs(bucket).get(HASH),
            lambda: list(S3Blobs(bucket).unused_since(FAR)),
            lambda: S3ImportFiles(bucket).keep(io.BytesIO(DATA)),
            lambda: S3ImportFiles(bucket).open("0" * 32),
        ):
            with pytest.raises(errors.BlobsUnavailable, match="cannot be"):
                act()
