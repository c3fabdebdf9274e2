"""Hold a folder's files in the system's cache, as a machine does that has room for them.

Some machines take away what was not read for a minute though most of their memory is free: virtual ones whose host
wants it back. Then a search of an index waits for the disk now and then whatever else goes on, and a benchmark measures
that. `python -m benchmarks.held FOLDER` maps every file below the folder, new ones as they come, and locks it in memory
(mlock(2), Linux) until its input ends. What is written still goes to the disk, and who flushes it waits for that.
"""

import contextlib
import ctypes
import mmap
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOKS_SECONDS = 0.5

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mlock.argtypes = _libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_FAILED = ctypes.c_void_p(-1).value


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold what is in a folder, and what comes to it, in the block. Raises `RuntimeError` where that is forbidden."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.held", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        if not process.stdout.readline():
            raise RuntimeError("the files cannot be held in memory: `ulimit -l` says how much may be")
        yield
        if process.poll() is not None:
            raise RuntimeError("the files were not held in memory to the end; what was measured is of no use")
    finally:
        process.stdin.close()
        process.wait()


def hold(folder: Path) -> None:
    """Until the input ends. Raises `OSError` when the system refuses."""
    places = dict[tuple[int, int], tuple[int, int]]()  # a file and its size -> where it is mapped
    said = False
    while not select.select([sys.stdin], [], [], LOOKS_SECONDS if said else 0)[0]:
        there = set()
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and (size := path.stat().st_size):
                    there.add(key := (path.stat().st_ino, size))
                    if key not in places:
                        places[key] = _locked(path, size)
        for key in places.keys() - there:  # removed, or longer by now; its space is free when nobody maps it any more
            _libc.munmap(*places.pop(key))
        if not said:
            print("held", flush=True)
            said = True


def _locked(path: Path, size: int) -> tuple[int, int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        place = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
    finally:
        os.close(handle)
    if place == _FAILED or _libc.mlock(place, size):
        raise OSError(ctypes.get_errno(), f"{path} cannot be held in memory")
    return place, size


if __name__ == "__main__":
    hold(Path(sys.argv[1]))
