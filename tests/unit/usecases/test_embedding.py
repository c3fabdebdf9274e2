"""Two threads with the same pictures: one computes, the other waits, and neither seems dead meanwhile."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from backend.domain.picture import PictureFacts, Pixels
from backend.errors import ModelUnavailable, Unavailable
from backend.usecases import embed_pictures
from backend.usecases.embed_pictures import EmbedPictures
from tests.fakes.blob_store import FakeBlobs
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.vector_store import FakeVectorStore

PATIENCE = 10.0  # seconds until a test that hangs gives up


@dataclass
class GatedReader:
    """Reads any bytes as a plain picture; those in `gates` only once their gate is open. `reached`: one waits there."""

    gates: Mapping[bytes, threading.Event] = field(default_factory=dict)
    reached: threading.Event = field(default_factory=threading.Event)

    def inspect(self, data: bytes) -> PictureFacts:
        return PictureFacts("PNG", 32, 32)

    def decode(self, data: bytes, min_side: int) -> Pixels:
        if data in self.gates:
            self.reached.set()
            assert self.gates[data].wait(PATIENCE)
        return np.full((min_side, min_side, 3), data[0], np.uint8)

    def thumbnail(self, data: bytes, width: int) -> bytes:
        return data


@dataclass
class Room:
    """`embed` in batches of two over pictures that are their names; the one called `last` waits for `gate`."""

    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        blobs = FakeBlobs()
        self.hashes = {name: blobs.put(name.encode()) for name in ("a", "b", "c", "last")}
        self.reader = GatedReader({b"last": self.gate})
        vectors = FakeVectorStore(self.embedder.space)
        self.embed = EmbedPictures(blobs, self.reader, self.embedder, vectors, batch=2)

    def named(self, *names: str) -> list[str]:
        return [self.hashes[name] for name in names]


def nothing() -> None: ...


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(embed_pictures, "WAITING_SECONDS", 0.01)
    one = Room()
    yield one
    one.gate.set()


def test_who_waits_for_anothers_picture_gives_signs_of_life(room: Room) -> None:
    signs = threading.Semaphore(0)
    with ThreadPoolExecutor(2) as threads:
        owner = threads.submit(room.embed, room.named("last"), nothing)
        assert room.reader.reached.wait(PATIENCE)
        waiter = threads.submit(room.embed, room.named("last"), signs.release)
        for _ in range(3):
            assert signs.acquire(timeout=PATIENCE)
        room.gate.set()
        assert waiter.result(PATIENCE).vectors.keys() == owner.result(PATIENCE).vectors.keys()
        assert not waiter.result().fresh


def test_a_picture_is_there_for_others_before_the_whole_batch_is(room: Room) -> None:
    with ThreadPoolExecutor(1) as threads:
        owner = threads.submit(room.embed, room.named("a", "b", "c", "last"), nothing)
        assert room.reader.reached.wait(PATIENCE)
        assert not room.embed(room.named("a", "b"), nothing).fresh
        room.gate.set()
        assert owner.result(PATIENCE).fresh == set(room.hashes.values())
    assert room.embedder.pictures_embedded == 4


def test_a_failure_reaches_who_waits_and_leaves_what_was_computed(room: Room) -> None:
    with ThreadPoolExecutor(2) as threads:
        owner = threads.submit(room.embed, room.named("a", "b", "last"), nothing)
        assert room.reader.reached.wait(PATIENCE)
        signs = threading.Semaphore(0)
        waiter = threads.submit(room.embed, room.named("last"), signs.release)
        assert signs.acquire(timeout=PATIENCE)
        room.embedder.fail(ModelUnavailable("gone"))
        room.gate.set()
        for thread in (owner, waiter):
            with pytest.raises(Unavailable, match="gone"):
                thread.result(PATIENCE)
    assert room.embed(room.named("a", "b"), nothing).vectors.keys() == set(room.named("a", "b"))
    room.embedder.recover()
    assert room.embed(room.named("last"), nothing).fresh == set(room.named("last"))
