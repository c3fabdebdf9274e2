"""A decoder that a hostile picture has taken over may answer anything. It is believed nothing."""

import os
import signal
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from backend import errors
from backend.imaging.decoder_process import DecoderProcess
from backend.imaging.limits import PictureLimits
from backend.imaging.wire import ANSWER, DONE, MAX_DETAIL_BYTES, REFUSALS, refusal_answer, refusal_of
from tests import pictures

GOOD = pictures.jpeg(64, 48)
LIMITS = PictureLimits(max_pixels=10_000)


@pytest.fixture
def decoder() -> Iterator[DecoderProcess]:
    one = DecoderProcess(LIMITS, seconds=10, memory_bytes=1_000_000_000)
    one.wait_until_ready()
    yield one
    one.end()


@pytest.fixture
def other_end(decoder: DecoderProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The test speaks in the decoder's place."""
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(decoder, "_door", ours)
    with theirs, ours:
        yield theirs


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER.pack(DONE, 0, 0, 0),
        ANSWER.pack(DONE, 10, 10, 299) + bytes(299),
        ANSWER.pack(DONE, 101, 100, 30_300),
        ANSWER.pack(DONE, 0xFFFFFFFF, 0xFFFFFFFF, 3),
        ANSWER.pack(1, 0, 0, MAX_DETAIL_BYTES + 1),
        ANSWER.pack(1, 0, 0, 1 << 60),
        ANSWER.pack(1 + len(REFUSALS), 0, 0, 0),
        ANSWER.pack(255, 0, 0, 5) + b"hello",
    ],
    ids=["no pixels", "too few bytes", "too many pixels", "overflow", "long detail", "endless detail", "status", "255"],
)
def test_an_answer_no_decoder_of_ours_gives_is_a_failed_decoder(
    decoder: DecoderProcess, other_end: socket.socket, answer: bytes
) -> None:
    other_end.sendall(answer)
    with pytest.raises(errors.DecoderFailed):
        decoder.decode(GOOD, 30)
    assert not decoder.usable


def test_a_thumbnail_larger_than_all_its_pixels_is_not_waited_for(
    decoder: DecoderProcess, other_end: socket.socket
) -> None:
    other_end.sendall(ANSWER.pack(DONE, 0, 0, 3 * LIMITS.max_pixels + 1))
    with pytest.raises(errors.DecoderFailed):
        decoder.thumbnail(GOOD, 30)


def test_an_answer_cut_in_the_middle_is_a_failed_decoder(decoder: DecoderProcess, other_end: socket.socket) -> None:
    other_end.sendall(ANSWER.pack(DONE, 10, 10, 300) + bytes(100))
    other_end.shutdown(socket.SHUT_WR)
    with pytest.raises(errors.DecoderFailed):
        decoder.decode(GOOD, 30)


def test_an_answer_in_small_pieces_is_put_together(decoder: DecoderProcess, other_end: socket.socket) -> None:
    pixels = np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(10, 10, 3)
    answer = ANSWER.pack(DONE, 10, 10, 300) + pixels.tobytes()

    def speak() -> None:
        for at in range(0, len(answer), 7):
            other_end.sendall(answer[at : at + 7])

    speaker = threading.Thread(target=speak)
    speaker.start()
    assert (decoder.decode(GOOD, 30) == pixels).all()
    speaker.join()
    assert decoder.usable


def test_a_decoder_killed_in_the_middle_of_a_picture_has_failed(decoder: DecoderProcess) -> None:
    os.kill(decoder.pid, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, (decoder.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(errors.DecoderFailed):
        decoder.decode(GOOD, 30)
    killer.join()
    assert not decoder.usable


def test_a_caller_stopped_in_the_middle_leaves_a_decoder_nobody_may_use(
    decoder: DecoderProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SoftTimeLimit(Exception):
        pass

    def strike(*_: object) -> None:
        raise SoftTimeLimit

    monkeypatch.setattr(decoder, "_receive", strike)
    with pytest.raises(SoftTimeLimit):
        decoder.decode(GOOD, 30)
    assert not decoder.usable


def test_every_refusal_has_a_number_but_the_one_only_the_parent_can_know() -> None:
    def below(root: type[errors.UnreadableImage]) -> set[type[errors.UnreadableImage]]:
        return {root}.union(*(below(child) for child in root.__subclasses__()))

    assert below(errors.UnreadableImage) - set(REFUSALS) == {errors.DecodingTooSlow}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_survives_the_wire(kind: type[errors.UnreadableImage]) -> None:
    answer = refusal_answer(kind("1,000 \N{MULTIPLICATION SIGN} 1,000 pixels"))
    status, _, _, size = ANSWER.unpack_from(answer)
    refusal = refusal_of(status, answer[ANSWER.size :])
    assert (type(refusal), refusal.detail) == (kind, "1,000 \N{MULTIPLICATION SIGN} 1,000 pixels")
    assert size == len(answer) - ANSWER.size


def test_a_refusals_detail_cannot_forge_a_line_of_the_log_or_run_on() -> None:
    assert refusal_of(1, b"one\nINFO two\x1b[2J\xff").detail == "oneINFO two[2J\N{REPLACEMENT CHARACTER}"
    assert len(refusal_answer(errors.TruncatedImage("x" * 5000))) == ANSWER.size + MAX_DETAIL_BYTES
