"""A picture or a text that is searched for again, or by several at once, is computed once."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import pytest

from backend.domain.picture import PictureFacts, Pixels, Vector
from backend.errors import ImageNotFound, ModelUnavailable, ShelfsightError, UnreadableImage
from backend.ports import Space
from backend.usecases.embed_query import EmbedQuery
from backend.usecases.shared_vectors import SharedVectors
from tests.fakes.blob_store import FakeBlobs
from tests.fakes.embedder import FakeEmbedder

PATIENCE = 10.0  # seconds until a test that hangs gives up


@dataclass
class CountingReader:
    """Reads any bytes as a plain picture, `bad` as none, all of them only once `gate` is open. Counts."""

    gate: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    decoded: int = 0

    def inspect(self, data: bytes) -> PictureFacts:
        return PictureFacts("PNG", 32, 32)

    def decode(self, data: bytes, min_side: int) -> Pixels:
        self.decoded += 1
        self.reached.set()
        assert self.gate.wait(PATIENCE)
        if data == b"bad":
            raise UnreadableImage("no picture", field="image")
        return np.full((min_side, min_side, 3), data[0], np.uint8)

    def thumbnail(self, data: bytes, width: int) -> bytes:
        return data


class CountingBlobs(FakeBlobs):
    reads = 0

    def get(self, content_hash: str) -> bytes:
        self.reads += 1
        return super().get(content_hash)


class CountingShared(SharedVectors):
    """Says when somebody else has what was asked for."""

    def __init__(self, keep: int) -> None:
        super().__init__(keep)
        self.followers = threading.Semaphore(0)

    def take(self, contents):  # type: ignore[no-untyped-def]
        taken = super().take(contents)
        for _ in taken.theirs:
            self.followers.release()
        return taken


class Room:
    """`embed` over fakes that count; `keep` vectors are kept."""

    def __init__(self, keep: int = 100) -> None:
        self.blobs, self.reader, self.embedder = CountingBlobs(), CountingReader(), FakeEmbedder()
        self.shared = CountingShared(keep)
        self.embed = EmbedQuery(self.blobs, self.reader, self.embedder, self.shared)
        self.reader.gate.set()

    def picture(self, data: bytes) -> Vector:
        return self.embed.picture(data, nothing)

    def stored(self, content_hash: str) -> Vector:
        return self.embed.stored_picture(content_hash, nothing)

    def text(self, text: str) -> Vector:
        return self.embed.text(text, nothing)

    def at_once(
        self, first: Callable[[], Vector], second: Callable[[], Vector], followers: int
    ) -> list[Future[Vector]]:
        """`first` held up while it decodes, `second` by so many others that wait for it; all of them ended."""
        self.reader.gate.clear()
        self.reader.reached.clear()
        with ThreadPoolExecutor(followers + 1) as threads:
            futures = [threads.submit(first)]
            assert self.reader.reached.wait(PATIENCE)
            futures += [threads.submit(second) for _ in range(followers)]
            for _ in range(followers):
                assert self.shared.followers.acquire(timeout=PATIENCE)
            self.reader.gate.set()
        return futures


def nothing(_stage: str) -> None: ...


@pytest.fixture
def room() -> Room:
    return Room()


class TestAgain:
    def test_a_picture_is_decoded_and_embedded_once(self, room: Room) -> None:
        first = room.picture(b"a")
        np.testing.assert_array_equal(room.picture(b"a"), first)
        assert (room.reader.decoded, room.embedder.pictures_embedded) == (1, 1)
        assert not np.array_equal(room.picture(b"z"), first)

    def test_a_text_is_embedded_once(self, room: Room) -> None:
        first = room.text("red")
        np.testing.assert_array_equal(room.text("red"), first)
        assert room.embedder.texts_embedded == 1
        assert not np.array_equal(room.text("blue"), first)

    def test_a_stored_picture_is_read_once(self, room: Room) -> None:
        content_hash = room.blobs.put(b"a")
        np.testing.assert_array_equal(room.stored(content_hash), room.stored(content_hash))
        assert (room.blobs.reads, room.reader.decoded, room.embedder.pictures_embedded) == (1, 1, 1)

    def test_the_same_bytes_sent_or_named_are_one_picture(self, room: Room) -> None:
        sent = room.picture(b"a")
        np.testing.assert_array_equal(room.stored(room.blobs.put(b"a")), sent)
        assert (room.blobs.reads, room.reader.decoded) == (0, 1)

    def test_a_text_that_reads_like_a_pictures_hash_is_a_text(self, room: Room) -> None:
        room.picture(b"a")
        room.text(sha256(b"a").hexdigest())
        assert room.embedder.texts_embedded == 1

    def test_another_models_vectors_are_not_taken_for_this_ones(self, room: Room) -> None:
        room.text("red")
        room.embedder.space = Space("fake", 32, "another")
        room.text("red")
        assert room.embedder.texts_embedded == 2


class TestBounds:
    def test_what_was_not_asked_for_the_longest_is_forgotten(self) -> None:
        room = Room(keep=2)
        for text in ("red", "blue", "red", "green"):  # blue goes
            room.text(text)
        assert room.embedder.texts_embedded == 3
        room.text("red")
        assert room.embedder.texts_embedded == 3
        room.text("blue")
        assert room.embedder.texts_embedded == 4

    def test_asking_for_a_stored_picture_keeps_it_too(self) -> None:
        room = Room(keep=2)
        content_hash = room.blobs.put(b"a")
        room.stored(content_hash)
        for text in ("red", "blue"):
            room.text(text)
            room.stored(content_hash)
        assert room.blobs.reads == 1

    def test_none_are_kept_when_none_are_wanted(self) -> None:
        room = Room(keep=0)
        room.text("red")
        room.text("red")
        assert room.embedder.texts_embedded == 2


class TestAtOnce:
    def test_equal_searches_compute_once(self, room: Room) -> None:
        content_hash = room.blobs.put(b"a")
        one, *others = room.at_once(lambda: room.picture(b"a"), lambda: room.stored(content_hash), followers=3)
        for other in others:
            np.testing.assert_array_equal(other.result(), one.result())
        assert (room.reader.decoded, room.embedder.pictures_embedded) == (1, 1)

    def test_they_compute_once_even_when_nothing_is_kept(self) -> None:
        room = Room(keep=0)
        for future in room.at_once(lambda: room.picture(b"a"), lambda: room.picture(b"a"), followers=2):
            assert future.result().shape == (32,)
        assert room.embedder.pictures_embedded == 1

    def test_a_refusal_reaches_who_waits_and_is_not_kept(self, room: Room) -> None:
        raised = []
        for future in room.at_once(lambda: room.picture(b"bad"), lambda: room.picture(b"bad"), followers=2):
            with pytest.raises(UnreadableImage, match="no picture") as refusal:
                future.result()
            raised.append(refusal.value)
        assert len({id(error) for error in raised}) == 3
        assert all(error.errors == raised[0].errors != () for error in raised)
        assert room.reader.decoded == 1
        with pytest.raises(UnreadableImage):
            room.picture(b"bad")
        assert room.reader.decoded == 2

    def test_a_model_that_is_down_reaches_who_waits_and_is_asked_again(self, room: Room) -> None:
        room.embedder.fail()
        for future in room.at_once(lambda: room.picture(b"a"), lambda: room.picture(b"a"), followers=1):
            with pytest.raises(ModelUnavailable):
                future.result()
        room.embedder.recover()
        assert room.picture(b"a").shape == (32,)

    def test_a_fault_of_the_program_is_one_for_who_waits_too(self, room: Room) -> None:
        room.embedder.fail(RuntimeError("a fault"))
        leader, follower = room.at_once(lambda: room.picture(b"a"), lambda: room.picture(b"a"), followers=1)
        with pytest.raises(RuntimeError, match="a fault"):
            leader.result()
        with pytest.raises(ShelfsightError) as told:
            follower.result()
        assert type(told.value) is ShelfsightError  # answered as 500, like the other

    def test_bytes_that_are_gone_concern_only_who_named_them(self, room: Room) -> None:
        gone = sha256(b"a").hexdigest()
        room.reader.gate.clear()
        with ThreadPoolExecutor(1) as threads:
            sender = threads.submit(room.picture, b"a")
            assert room.reader.reached.wait(PATIENCE)
            with pytest.raises(ImageNotFound):
                room.stored(gone)
            room.reader.gate.set()
            assert sender.result(PATIENCE).shape == (32,)
