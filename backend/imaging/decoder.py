"""The decoder: a process that does nothing but decode, started as `python -m backend.imaging.decoder <setup>`.

It reads requests from its standard input, which is a socket, and answers there (`backend.imaging.wire`). It may crash,
hang or run out of memory: whoever started it replaces it. It never outlives its parent: with no picture at hand it
reads the end of its input; inside a picture the kernel ends it, on Linux at once, elsewhere by the alarm below.
"""

import contextlib
import ctypes
import json
import resource
import signal
import socket
import sys
from typing import Final

from PIL import AvifImagePlugin, Image

from backend import errors
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.imaging.wire import ANSWER, DECODE, DONE, REQUEST, refusal_answer

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h

_GRACE_SECONDS: Final = 5.0
"""The alarm is for a decoder whose parent is gone. One that is there has ended the decoder before."""


def main(setup: str) -> None:
    """Serve until the input ends. `setup`: JSON of `limits`, `seconds` and `memory_bytes`."""
    given = json.loads(setup)
    _tie_to_parent()
    reader = PillowReader(PictureLimits(**given["limits"]))
    Image.preinit()  # the first picture need not wait for Pillow's plugins
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # pictures side by side are other decoders' work
    _bound(given["memory_bytes"])
    with socket.socket(fileno=sys.stdin.fileno()) as door, door.makefile("rb") as requests:
        door.sendall(ANSWER.pack(DONE, 0, 0, 0))
        while header := requests.read(REQUEST.size):
            task, number, size = REQUEST.unpack(header)
            data = requests.read(size)
            signal.setitimer(signal.ITIMER_REAL, given["seconds"] + _GRACE_SECONDS)
            _answer(door, reader, task, number, data)
            signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(door: socket.socket, reader: PillowReader, task: int, number: int, data: bytes) -> None:
    try:
        if task == DECODE:
            pixels = reader.decode(data, number)
            height, width, _ = pixels.shape
            door.sendall(ANSWER.pack(DONE, height, width, pixels.nbytes))
            door.sendall(pixels.data)
        else:
            small = reader.thumbnail(data, number)
            door.sendall(ANSWER.pack(DONE, 0, 0, len(small)) + small)
    except errors.UnreadableImage as refusal:
        door.sendall(refusal_answer(refusal))
    except MemoryError:  # outside Pillow, where it is a refusal already
        door.sendall(refusal_answer(errors.DecoderFailed()))


def _tie_to_parent() -> None:
    """Ctrl-C is for the parent; its end is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process from the kernel: no Python has to run for it
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _bound(memory_bytes: int) -> None:
    """Limit the memory of this process, and leave no core dump behind (it would hold merchants' pictures).

    RLIMIT_DATA counts what can be written to: 54 MB after the imports. RLIMIT_AS would count 118 MB, the files of the
    libraries too, and 64 MB more for each thread a decoding library starts, reserved and never used. macOS enforces
    neither.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # a lower limit is there already, or none is known
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    main(sys.argv[1])
