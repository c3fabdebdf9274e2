"""Decoding in processes of their own: the same pictures, and whatever goes wrong costs one of them."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from backend import errors
from backend.domain.picture import Pixels
from backend.imaging import isolated
from backend.imaging.decoder_process import DecoderProcess
from backend.imaging.isolated import IsolatedReader
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.ports import PictureReader
from tests import pictures

ROOT = Path(__file__).parents[3]
LIMITS = PictureLimits()
MEMORY = 1_000_000_000
GOOD = pictures.jpeg(64, 48)
DEADLY = pictures.jpeg(64, 48, seed=1)
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce it or do not show it")


class Watched(DecoderProcess):
    """A real decoder, noted down, which is killed in the middle of one certain picture."""

    made: list["Watched"]

    def __init__(self, limits: PictureLimits, *, seconds: float, memory_bytes: int) -> None:
        super().__init__(limits, seconds=seconds, memory_bytes=memory_bytes)
        self.made.append(self)

    def decode(self, data: bytes, min_side: int) -> Pixels:
        if data == DEADLY:
            os.kill(self.pid, signal.SIGKILL)
        return super().decode(data, min_side)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """The decoders readers have started, in order."""
    monkeypatch.setattr(Watched, "made", [], raising=False)
    monkeypatch.setattr(isolated, "DecoderProcess", Watched)
    return Watched.made


@pytest.fixture
def reader(made: list[Watched]) -> Iterator[IsolatedReader]:
    one = IsolatedReader(LIMITS, processes=2, seconds=30, memory_bytes=MEMORY)
    yield one
    one.close()
    assert not any(decoder.usable for decoder in made)


@pytest.fixture(scope="module")
def shared() -> Iterator[IsolatedReader]:
    one = IsolatedReader(LIMITS, processes=1, seconds=30, memory_bytes=MEMORY)
    yield one
    one.close()


# --- the same as in this process --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pictures.one_of_each())
def test_a_decoder_gives_the_pixels_and_the_thumbnail_this_process_would(shared: IsolatedReader, name: str) -> None:
    data, here = pictures.one_of_each()[name], PillowReader(LIMITS)
    pixels = shared.decode(data, 30)
    assert (pixels == here.decode(data, 30)).all()
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    assert shared.thumbnail(data, 40) == here.thumbnail(data, 40)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", bytes(64), pictures.eps_bytes(), pictures.truncated_jpeg(), pictures.bomb_png(), pictures.png(8, 8),
     pictures.strip_png(), pictures.many_chunks_png(), bytes(LIMITS.max_bytes + 1)],
    ids=["empty", "a byte", "zeros", "EPS", "cut", "bomb", "small", "strip", "chunks", "bytes"],
)  # fmt: skip
def test_a_refusal_comes_with_the_class_and_words_it_has_in_this_process(shared: IsolatedReader, data: bytes) -> None:
    def refusal(of: PictureReader) -> tuple[type, str]:
        with pytest.raises(errors.UnreadableImage) as refused:
            of.decode(data, 30)
        return refused.type, refused.value.detail

    assert refusal(shared) == refusal(PillowReader(LIMITS))


def test_a_large_picture_comes_whole(shared: IsolatedReader) -> None:
    picture = pictures.photo(1500, 1000)
    assert (shared.decode(pictures.encode(picture, "PNG"), 1_000_000) == np.asarray(picture)).all()


def test_looking_at_a_header_needs_no_decoder(reader: IsolatedReader, made: list[Watched]) -> None:
    assert reader.inspect(GOOD).width == 64
    assert made == []


def test_a_decoder_can_be_there_before_the_first_picture(reader: IsolatedReader, made: list[Watched]) -> None:
    reader.warm_up()
    assert len(made) == 1
    reader.decode(GOOD, 30)
    assert len(made) == 1


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_decoder_that_dies_costs_one_picture(reader: IsolatedReader, made: list[Watched]) -> None:
    with pytest.raises(errors.DecoderFailed):
        reader.decode(DEADLY, 30)
    assert reader.decode(GOOD, 30).shape == (48, 64, 3)
    assert len(made) == 3  # the picture was given to a second one, for the first might have been ended by the system


def test_a_decoder_that_the_system_ends_costs_no_picture(reader: IsolatedReader, made: list[Watched]) -> None:
    reader.decode(GOOD, 30)
    os.kill(made[0].pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        decoded = pool.submit(reader.decode, GOOD, 30)
        os.kill(made[0].pid, signal.SIGKILL)
        assert decoded.result(60).shape == (48, 64, 3)


def test_a_decoder_that_died_between_pictures_costs_none(reader: IsolatedReader, made: list[Watched]) -> None:
    reader.decode(GOOD, 30)
    os.kill(made[0].pid, signal.SIGKILL)
    wait_for_the_end_of(made[0].pid)
    assert reader.decode(GOOD, 30).shape == (48, 64, 3)


def test_a_decoder_that_hangs_costs_one_picture_and_the_time_limit(made: list[Watched]) -> None:
    reader = IsolatedReader(LIMITS, processes=1, seconds=1, memory_bytes=MEMORY)
    try:
        reader.decode(GOOD, 30)
        os.kill(made[0].pid, signal.SIGSTOP)
        with pytest.raises(errors.DecodingTooSlow):
            reader.decode(GOOD, 30)
        assert reader.decode(GOOD, 30).shape == (48, 64, 3)
        assert not alive(made[0].pid)
    finally:
        reader.close()


@linux
def test_a_picture_that_needs_too_much_memory_is_refused_and_the_decoder_goes_on(made: list[Watched]) -> None:
    deep = pictures.raw_png(np.zeros((6000, 8000), np.uint16), bits=16, colour_type=0)
    reader = IsolatedReader(LIMITS, processes=1, seconds=60, memory_bytes=200_000_000)
    try:
        with pytest.raises(errors.DecoderFailed):
            reader.decode(deep, 30)
        assert reader.decode(GOOD, 30).shape == (48, 64, 3)
        assert len(made) == 1
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("process limit", "temporarily unavailable"),
        ("a broken installation", "exit status 1"),
        ("no thread", "new thread"),
    ],
)
def test_no_decoder_to_be_had_is_not_the_pictures_fault(
    reader: IsolatedReader, trouble: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as trial:
        if trouble == "process limit":
            trial.setattr(subprocess, "Popen", full)
        elif trouble == "no thread":
            trial.setattr(threading.Thread, "start", no_thread)
        else:
            trial.setattr(sys, "executable", shutil.which("false"))
        for _ in range(3):  # more often than there are places: none may be lost
            with pytest.raises(errors.Unavailable, match=said):
                reader.decode(GOOD, 30)
    assert reader.decode(GOOD, 30).shape == (48, 64, 3)


# --- threads ----------------------------------------------------------------------------------------------------------


def test_many_threads_share_few_decoders_and_nobody_gets_anothers_picture(
    reader: IsolatedReader, made: list[Watched]
) -> None:
    files = [pictures.png(40 + turn, 32) for turn in range(8)]

    def read(turn: int) -> object:
        try:
            return reader.decode(DEADLY if turn % 16 == 9 else files[turn % 8], 30).shape
        except errors.DecoderFailed:
            return "died"

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(read, range(64)))
    assert results == ["died" if turn % 16 == 9 else (32, 40 + turn % 8, 3) for turn in range(64)]
    assert sum(decoder.usable for decoder in made) <= 2


def test_a_decoder_outlives_the_thread_that_first_needed_it(reader: IsolatedReader, made: list[Watched]) -> None:
    for _ in range(3):
        thread = threading.Thread(target=reader.decode, args=(GOOD, 30))
        thread.start()
        thread.join()
    assert len(made) == 1


def test_a_closed_reader_lets_the_picture_under_way_finish_and_refuses_the_next(
    reader: IsolatedReader, made: list[Watched]
) -> None:
    reader.decode(GOOD, 30)
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(reader.decode, pictures.bomb_png(7000), 30)
        while made[0].usable and not under_way.done():  # until it has been asked
            time.sleep(0.001)
        reader.close()
        assert under_way.result().shape[2] == 3
    with pytest.raises(errors.Unavailable):
        reader.decode(GOOD, 30)


# --- the process ------------------------------------------------------------------------------------------------------


def test_ctrl_c_on_the_terminal_is_not_for_decoders(reader: IsolatedReader, made: list[Watched]) -> None:
    reader.decode(GOOD, 30)
    assert os.getsid(made[0].pid) != os.getsid(0)


@linux
def test_a_decoder_knows_no_passwords(
    reader: IsolatedReader, made: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELFSIGHT_SERVER__PLATFORM_KEY", "a key of the platform")
    reader.decode(GOOD, 30)
    assert b"PLATFORM_KEY" not in Path(f"/proc/{made[0].pid}/environ").read_bytes()


@linux
def test_a_decoder_leaves_no_core_dump(reader: IsolatedReader, made: list[Watched]) -> None:
    reader.decode(GOOD, 30)
    limits = Path(f"/proc/{made[0].pid}/limits").read_text("ascii").splitlines()
    bounds = {line[:25].strip(): line[25:].split()[:2] for line in limits}
    assert bounds["Max core file size"] == ["0", "0"]
    assert bounds["Max data size"] == [str(MEMORY)] * 2


def test_a_decoder_loads_nothing_but_what_decoding_needs() -> None:
    program = "import sys, backend.imaging.decoder; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert {"PIL", "numpy", "backend"} <= loaded
    assert not loaded & {
        "torch",
        "qdrant_client",
        "qdrant_edge",
        "sqlalchemy",
        "flask",
        "pydantic",
        "celery",
        "asyncio",
    }


PARENT = """
import sys
from backend.imaging import isolated
from backend.imaging.limits import PictureLimits
from tests import pictures

class Told(isolated.DecoderProcess):
    def wait_until_ready(self):
        super().wait_until_ready()
        print(self.pid, flush=True)

isolated.DecoderProcess = Told
reader = isolated.IsolatedReader(PictureLimits(), processes=1, seconds=60, memory_bytes=1_000_000_000)
reader.decode(pictures.jpeg(64, 48), 30)
print("idle", flush=True)
if sys.argv[1] == "idle":
    sys.stdin.read()
bomb = pictures.bomb_png(7000)
while True:
    reader.decode(bomb, 30)
"""


@pytest.mark.parametrize("doing", ["idle", "decoding", pytest.param("stopped", marks=linux)])
def test_a_parent_that_is_killed_leaves_no_decoder_behind(doing: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, doing], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "idle\n"
        assert alive(pid)
        if doing == "stopped":  # hears nothing and does nothing: only the kernel can end it
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
    wait_for_the_end_of(pid)


def wait_for_the_end_of(pid: int) -> None:
    end = time.monotonic() + 30
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether the process runs; what waits to be buried does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.parent.parent.joinpath("self").exists() or stat.read_text("ascii").split(") ")[1][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
