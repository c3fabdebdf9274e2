"""A decoder, seen from the process that started it."""

import dataclasses
import json
import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from backend import errors
from backend.domain.picture import Pixels
from backend.imaging.limits import PictureLimits
from backend.imaging.wire import ANSWER, DECODE, DONE, MAX_DETAIL_BYTES, REQUEST, THUMBNAIL, refusal_of

log = logging.getLogger(__name__)

_START_SECONDS: Final = 60.0
"""A decoder is up in 0.15 s; a machine that is starting everything at once may need much longer."""

_OWN_END_SECONDS: Final = 1.0
"""A decoder that hung up is waited for so long, to learn what it died of."""

_BUFFER_BYTES: Final = 1 << 20
"""Wanted in the socket, so that the decoder's bytes are not handed over in small pieces. The system gives what it may.
"""

_ENVIRONMENT: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "TZ")
"""All a decoder gets of our environment: the rest holds keys and passwords, which hostile files have no use for."""

_KEPT_BYTES: Final = 32_000_000
"""Memory glibc keeps for the next picture instead of giving it back after each: with the default, most of the time of
a small picture went into page faults (1,182 of them, 5 to 7 ms instead of 2). Others ignore it."""

_ROOT: Final = Path(__file__).parents[2]


class _Garbled(Exception):
    """An answer that no decoder of ours gives."""


class DecoderProcess:
    """One child process and the socket to it. Used by one thread at a time.

    On Linux it dies with the thread that makes it: make it in one that lives as long as the decoder should. Raises
    `errors.Unavailable` when no process can be had.
    """

    def __init__(self, limits: PictureLimits, *, seconds: float, memory_bytes: int) -> None:
        self._limits, self._seconds = limits, seconds
        self._in_step = False
        setup = {"limits": dataclasses.asdict(limits), "seconds": seconds, "memory_bytes": memory_bytes}
        try:
            self._door, theirs = socket.socketpair()
        except OSError as err:
            raise errors.Unavailable(f"No decoder can be started: {err}") from err
        with theirs:
            for end in (self._door, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            try:
                self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 -- ourselves
                    [sys.executable, "-P", "-m", "backend.imaging.decoder", json.dumps(setup)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,  # Ctrl-C on the terminal is for us, who still may need it
                )
            except OSError as err:
                self._door.close()
                raise errors.Unavailable(f"No decoder can be started: {err}") from err

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can be asked: up, alive, and with no half of an answer on the way."""
        return self._in_step and self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Return once it is up. Raises `errors.Unavailable` (and ends it) when it does not come up."""
        try:
            self._receive(memoryview(bytearray(ANSWER.size)), time.monotonic() + _START_SECONDS)
        except OSError as err:
            cause = self._cause_of_death()
            self.end()
            raise errors.Unavailable(f"A decoder did not start ({cause}).") from err
        self._in_step = True

    def decode(self, data: bytes, min_side: int) -> Pixels:
        """See `backend.imaging.decode.decode`, and `_ask` for what it raises besides."""
        answer = self._ask(DECODE, min_side, data)
        assert not isinstance(answer, bytes)  # noqa: S101 -- for the type checker
        return answer

    def thumbnail(self, data: bytes, width: int) -> bytes:
        """See `backend.imaging.thumbnail.thumbnail`, and `_ask` for what it raises besides."""
        answer = self._ask(THUMBNAIL, width, data)
        assert isinstance(answer, bytes)  # noqa: S101 -- for the type checker
        return answer

    def end(self) -> None:
        """Kill it and let go."""
        self._in_step = False
        self._door.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, task: int, number: int, data: bytes) -> Pixels | bytes:
        """Raises the refusal it answers with, `DecodingTooSlow` and `DecoderFailed`; after these two it is ended."""
        deadline = time.monotonic() + self._seconds
        self._in_step = False  # until the whole answer is here; whatever strikes in between leaves it unusable
        try:
            answer = self._exchange(task, number, data, deadline)
        except TimeoutError as err:
            self.end()
            log.warning("a decoder was ended: a picture of %d bytes took over %g s", len(data), self._seconds)
            raise errors.DecodingTooSlow from err
        except (OSError, _Garbled) as err:
            cause = self._cause_of_death() if isinstance(err, OSError) else "ended"
            self.end()
            log.warning("a decoder was lost over a picture of %d bytes: %s, %s", len(data), err, cause)
            raise errors.DecoderFailed from err
        self._in_step = True
        if isinstance(answer, errors.UnreadableImage):
            raise answer
        return answer

    def _exchange(
        self, task: int, number: int, data: bytes, deadline: float
    ) -> Pixels | bytes | errors.UnreadableImage:
        for part in (REQUEST.pack(task, number, len(data)), data):
            self._door.settimeout(_left(deadline))
            self._door.sendall(part)
        header = bytearray(ANSWER.size)
        self._receive(memoryview(header), deadline)
        status, height, width, size = ANSWER.unpack(header)
        if status == DONE and task == DECODE:
            if not 0 < height * width <= self._limits.max_pixels or size != height * width * 3:
                raise _Garbled(f"{width} x {height} pixels in {size} bytes")
            pixels = np.empty((height, width, 3), np.uint8)
            self._receive(pixels.data.cast("B"), deadline)
            return pixels
        if size > (3 * self._limits.max_pixels if status == DONE else MAX_DETAIL_BYTES):
            raise _Garbled(f"an answer of {size} bytes")
        body = bytearray(size)
        self._receive(memoryview(body), deadline)
        if status == DONE:
            return bytes(body)
        try:
            return refusal_of(status, bytes(body))
        except IndexError as err:
            raise _Garbled(f"status {status}") from err

    def _receive(self, buffer: memoryview, deadline: float) -> None:
        """Fill the buffer of bytes. Raises TimeoutError, or another OSError when the decoder is gone."""
        while buffer:
            self._door.settimeout(_left(deadline))
            count = self._door.recv_into(buffer)
            if not count:
                raise ConnectionResetError("it hung up")
            buffer = buffer[count:]

    def _cause_of_death(self) -> str:
        try:
            status = self._process.wait(_OWN_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "still alive"
        return f"signal {-status}" if status < 0 else f"exit status {status}"


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return kept | {
        "PYTHONPATH": str(_ROOT),  # the very code that runs here, wherever it was started from
        "OPENBLAS_NUM_THREADS": "1",  # each thread of BLAS, which decoding does not use, reserves 40 MB
        "MALLOC_TOP_PAD_": str(_KEPT_BYTES),
    }
