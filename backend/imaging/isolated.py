"""The port `PictureReader` with decoding in processes of their own: a crash, a hang or a bomb costs one picture."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, LifoQueue, SimpleQueue
from typing import Final, TypeVar

from backend import errors
from backend.domain.picture import PictureFacts, Pixels
from backend.imaging.decoder_process import DecoderProcess
from backend.imaging.inspect import inspect
from backend.imaging.limits import PictureLimits
from backend.imaging.opening import admitted_format

_Answer = TypeVar("_Answer", Pixels, bytes)
_SPARE_SECONDS: Final = 5.0


class IsolatedReader:
    """Reads pictures within one set of limits. Any thread may use it; close it at the end.

    Decoders are started when they are needed, at most `processes`; beyond that callers wait for one another. A decoder
    that took over `seconds` for a picture, or died of it, is replaced. None is replaced otherwise: its memory is
    bounded (`memory_bytes`), however many pictures it has read.
    """

    def __init__(self, limits: PictureLimits, *, processes: int, seconds: float, memory_bytes: int) -> None:
        self._limits, self._seconds, self._memory_bytes = limits, seconds, memory_bytes
        self._places = processes
        # The last one used comes first: a server with little to do keeps one decoder, not all of them.
        self._idle: LifoQueue[DecoderProcess | None] = LifoQueue()
        for _ in range(processes):
            self._idle.put(None)
        self._wanted: SimpleQueue[Future[DecoderProcess] | None] = SimpleQueue()
        self._starter: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def inspect(self, data: bytes) -> PictureFacts:
        """See `backend.imaging.inspect.inspect`. Done in this process: no pixel is decoded."""
        return inspect(data, self._limits)

    def decode(self, data: bytes, min_side: int) -> Pixels:
        """See `backend.imaging.decode.decode`.

        Raises besides: `errors.DecodingTooSlow`, `errors.DecoderFailed`; `errors.Unavailable` when no decoder can be
        started or the reader is closed, which is no fault of the picture.
        """
        return self._asked(data, lambda decoder: decoder.decode(data, min_side))

    def thumbnail(self, data: bytes, width: int) -> bytes:
        """See `backend.imaging.thumbnail.thumbnail`. Raises what `decode` raises."""
        return self._asked(data, lambda decoder: decoder.thumbnail(data, width))

    def warm_up(self) -> None:
        """Start a first decoder (0.15 s), so that the first picture does not wait for it."""
        self._asked_once(lambda _: b"")

    def close(self) -> None:
        """End all decoders, once the pictures under way are done. Afterwards nothing is decoded."""
        self._closed = True
        for _ in range(self._places):
            try:
                decoder = self._idle.get(timeout=self._seconds + _SPARE_SECONDS)
            except Empty:  # a caller was stopped in the middle; its decoder dies with the process
                continue
            if decoder is not None:
                decoder.end()
        for _ in range(self._places):  # wakes whoever still waits
            self._idle.put(None)
        self._wanted.put(None)

    def _asked(self, data: bytes, question: Callable[[DecoderProcess], _Answer]) -> _Answer:
        admitted_format(data, self._limits)  # nothing empty, huge or foreign need go through a socket
        try:
            return self._asked_once(question)
        except errors.DecoderFailed:  # the system may have ended it for want of memory: a second one decides
            return self._asked_once(question)

    def _asked_once(self, question: Callable[[DecoderProcess], _Answer]) -> _Answer:
        decoder = self._idle.get()
        try:
            if self._closed:
                raise errors.Unavailable("The reader of pictures is closed.")
            if decoder is None or not decoder.usable:
                if decoder is not None:
                    decoder.end()
                decoder = self._started()
                decoder.wait_until_ready()
            return question(decoder)
        finally:
            if decoder is not None and not decoder.usable:
                decoder.end()
                decoder = None
            self._idle.put(decoder)

    def _started(self) -> DecoderProcess:
        """A new decoder, made by a thread that never ends: on Linux a decoder dies with the thread that made it, and
        callers' threads come and go. A daemon, so that decoders live as long as the last thread that may ask them.
        """
        with self._starting:
            if self._starter is None:
                starter = threading.Thread(target=self._start_wanted, name="decoder-starter", daemon=True)
                try:
                    starter.start()
                except RuntimeError as err:  # as many threads as the system allows; the next caller tries again
                    raise errors.Unavailable(f"No decoder can be started: {err}") from err
                self._starter = starter
        wanted: Future[DecoderProcess] = Future()
        self._wanted.put(wanted)
        return wanted.result()

    def _start_wanted(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            try:
                decoder = DecoderProcess(self._limits, seconds=self._seconds, memory_bytes=self._memory_bytes)
            except BaseException as err:  # noqa: BLE001 -- it belongs to the thread that waits
                wanted.set_exception(err)
            else:
                wanted.set_result(decoder)
