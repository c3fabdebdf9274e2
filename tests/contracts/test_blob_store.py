"""What every `BlobStore` promises, on the fake and on the real one."""

import hashlib
import io
from pathlib import Path

import pytest

from backend import errors
from backend.blobs.filesystem import FilesystemBlobs
from backend.ports import BlobStore
from tests.fakes.blob_store import FakeBlobs

NOWHERE = "0" * 64
NOT_HASHES = ["", "abc", "../../etc/passwd", "a" * 63 + "/", "A" * 64, "a" * 64 + "\n", "a" * 65, "\0" * 64]


@pytest.fixture(params=["fake", "filesystem"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return FakeBlobs() if request.param == "fake" else FilesystemBlobs(tmp_path / "blobs")


class TestBlobStore:
    def test_bytes_come_back_under_their_sha_256(self, blobs: BlobStore) -> None:
        key = blobs.put(b"a picture")
        assert key == hashlib.sha256(b"a picture").hexdigest()
        assert blobs.get(key) == b"a picture"

    def test_the_same_bytes_have_the_same_key_however_they_came(self, blobs: BlobStore) -> None:
        assert blobs.put(b"twice") == blobs.put(b"twice") == blobs.put_stream(io.BytesIO(b"twice"))

    def test_different_bytes_do_not_disturb_each_other(self, blobs: BlobStore) -> None:
        first, second = blobs.put(b"one"), blobs.put(b"two")
        assert (blobs.get(first), blobs.get(second)) == (b"one", b"two")

    @pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, 3 * (1 << 20) + 7])
    def test_a_stream_of_any_length_arrives_whole(self, blobs: BlobStore, size: int) -> None:
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        assert blobs.get(blobs.put_stream(io.BytesIO(data))) == data

    def test_a_stream_is_read_from_where_it_stands(self, blobs: BlobStore) -> None:
        stream = io.BytesIO(b"header|body")
        stream.seek(7)
        assert blobs.get(blobs.put_stream(stream)) == b"body"

    def test_an_opened_blob_can_be_sought(self, blobs: BlobStore) -> None:
        with blobs.open(blobs.put(b"0123456789")) as file:
            file.seek(-3, io.SEEK_END)
            assert file.read() == b"789"
            file.seek(0)
            assert file.read(2) == b"01"

    def test_what_was_never_put_is_not_found(self, blobs: BlobStore) -> None:
        with pytest.raises(errors.ImageNotFound):
            blobs.get(NOWHERE)
        with pytest.raises(errors.ImageNotFound):
            blobs.open(NOWHERE)

    def test_what_was_deleted_is_not_found_and_can_be_put_again(self, blobs: BlobStore) -> None:
        key = blobs.put(b"once more")
        blobs.delete(key)
        with pytest.raises(errors.ImageNotFound):
            blobs.get(key)
        assert blobs.get(blobs.put(b"once more")) == b"once more"

    def test_deleting_what_is_not_there_does_nothing(self, blobs: BlobStore) -> None:
        kept = blobs.put(b"kept")
        blobs.delete(NOWHERE)
        assert blobs.get(kept) == b"kept"

    @pytest.mark.parametrize("key", NOT_HASHES)
    def test_a_key_that_is_no_hash_names_nothing(self, blobs: BlobStore, key: str) -> None:
        with pytest.raises(errors.ImageNotFound):
            blobs.get(key)
        with pytest.raises(errors.ImageNotFound):
            blobs.open(key)
        blobs.delete(key)

    def test_what_reading_the_stream_raises_passes_unchanged_and_stores_nothing(self, blobs: BlobStore) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                raise ConnectionResetError("the sender went away")

        with pytest.raises(ConnectionResetError):
            blobs.put_stream(Broken())
        with pytest.raises(errors.ImageNotFound):
            blobs.get(hashlib.sha256(b"").hexdigest())
