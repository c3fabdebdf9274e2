"""What every `BlobStore` promises, on the fake and on the real ones."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend import errors
from backend.blobs.filesystem import FilesystemBlobs
from backend.blobs.s3 import S3Blobs
from backend.ports import BlobStore
from tests.fakes.blob_store import FakeBlobs
from tests.s3_server import S3Server

NOWHERE = "0" * 64
NOT_HASHES = ["", "abc", "../../etc/passwd", "a" * 63 + "/", "A" * 64, "a" * 64 + "\n", "a" * 65, "\0" * 64]


@pytest.fixture(params=["fake", "filesystem", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        return S3Blobs(server.bucket())
    return FakeBlobs() if request.param == "fake" else FilesystemBlobs(tmp_path / "blobs")


LONG_AGO, NEVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def this_moment() -> datetime:
    """After all that was done, and before all that is done later."""
    before = datetime.now(UTC)
    while (moment := datetime.now(UTC)) <= before:
        pass
    return moment


class TestBlobStore:
    def test_bytes_come_back_under_their_sha_256(self, blobs: BlobStore) -> None:
        key = blobs.put(b"a picture")
        assert key == hashlib.sha256(b"a picture").hexdigest()
        assert blobs.get(key) == b"a picture"

    def test_the_same_bytes_have_the_same_key(self, blobs: BlobStore) -> None:
        assert blobs.put(b"twice") == blobs.put(b"twice")

    def test_different_bytes_do_not_disturb_each_other(self, blobs: BlobStore) -> None:
        first, second = blobs.put(b"one"), blobs.put(b"two")
        assert (blobs.get(first), blobs.get(second)) == (b"one", b"two")

    @pytest.mark.parametrize("size", [0, 1, 3 * (1 << 20) + 7])
    def test_bytes_of_any_length_arrive_whole(self, blobs: BlobStore, size: int) -> None:
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        assert blobs.get(blobs.put(data)) == data

    def test_what_was_never_put_is_not_found(self, blobs: BlobStore) -> None:
        with pytest.raises(errors.ImageNotFound):
            blobs.get(NOWHERE)

    @pytest.mark.parametrize("key", NOT_HASHES)
    def test_a_key_that_is_no_hash_names_nothing(self, blobs: BlobStore, key: str) -> None:
        with pytest.raises(errors.ImageNotFound):
            blobs.get(key)
        assert blobs.discard(key, unused_since=NEVER) is False

    def test_what_is_put_together_is_there_at_the_end(self, blobs: BlobStore) -> None:
        known = blobs.put(b"known")
        contents = [f"picture {number}".encode() for number in range(40)]
        with blobs.together() as puts:
            keys = [puts.put(data) for data in [*contents, contents[0], b"known"]]
        assert keys == [hashlib.sha256(data).hexdigest() for data in [*contents, contents[0], b"known"]]
        assert [blobs.get(key) for key in keys[:40]] == contents
        assert sorted(blobs.unused_since(NEVER)) == sorted({*keys, known})

    def test_what_is_put_together_is_put_again(self, blobs: BlobStore) -> None:
        key, other = blobs.put(b"shared"), blobs.put(b"alone")
        moment = this_moment()
        with blobs.together() as puts:
            puts.put(b"shared")
        assert list(blobs.unused_since(moment)) == [other]
        assert blobs.discard(key, unused_since=moment) is False

    def test_a_block_that_ends_in_an_error_lets_it_through(self, blobs: BlobStore) -> None:
        def fail() -> None:
            with blobs.together() as puts:
                puts.put(b"perhaps kept")
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert blobs.get(blobs.put(b"perhaps kept")) == b"perhaps kept"

    def test_nothing_may_be_put_together(self, blobs: BlobStore) -> None:
        with blobs.together():
            pass
        assert list(blobs.unused_since(NEVER)) == []

    # --- what nobody needs any more -----------------------------------------------------------------------------------

    def test_an_empty_store_has_nothing_unused(self, blobs: BlobStore) -> None:
        assert list(blobs.unused_since(NEVER)) == []

    def test_what_was_put_before_a_moment_is_unused_since(self, blobs: BlobStore) -> None:
        early = {blobs.put(f"early {number}".encode()) for number in range(5)}
        moment = this_moment()
        late = {blobs.put(f"late {number}".encode()) for number in range(5)}
        assert set(blobs.unused_since(LONG_AGO)) == set()
        assert set(blobs.unused_since(moment)) == early
        assert sorted(blobs.unused_since(NEVER)) == sorted(early | late)

    def test_what_is_put_again_is_in_use_again(self, blobs: BlobStore) -> None:
        key, other = blobs.put(b"shared"), blobs.put(b"alone")
        moment = this_moment()
        blobs.put(b"shared")
        assert list(blobs.unused_since(moment)) == [other]
        assert blobs.discard(key, unused_since=moment) is False
        assert blobs.get(key) == b"shared"

    def test_what_is_discarded_is_not_found_and_can_be_put_again(self, blobs: BlobStore) -> None:
        key, kept = blobs.put(b"once more"), blobs.put(b"kept")
        assert blobs.discard(key, unused_since=this_moment()) is True
        with pytest.raises(errors.ImageNotFound):
            blobs.get(key)
        assert list(blobs.unused_since(NEVER)) == [kept]
        assert blobs.get(blobs.put(b"once more")) == b"once more"

    def test_discarding_what_is_not_there_says_so(self, blobs: BlobStore) -> None:
        kept = blobs.put(b"kept")
        assert blobs.discard(NOWHERE, unused_since=NEVER) is False
        assert blobs.get(kept) == b"kept"

    def test_all_that_is_unused_may_be_discarded_on_the_way(self, blobs: BlobStore) -> None:
        for number in range(10):
            blobs.put(f"{number}".encode())
        since = this_moment() + timedelta(seconds=1)
        assert [blobs.discard(key, unused_since=since) for key in blobs.unused_since(since)] == [True] * 10
        assert list(blobs.unused_since(NEVER)) == []
