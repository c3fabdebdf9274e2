"""Child processes that never outlive us."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str], *, output: IO[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, so that Ctrl-C reaches only us and we stop it in order.

    On Linux the kernel ends it when the thread that spawned it dies: call this from a thread that lives as long as the
    child should. On macOS nothing does; who starts again has to look for orphans.
    """
    parent = os.getpid()

    def tie_to_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:  # the parent died before the tie was made
                os._exit(1)

    return subprocess.Popen(  # noqa: S603 - our own commands
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        env={**os.environ, **environment} if environment else None,
        start_new_session=True,
        preexec_fn=tie_to_parent,  # noqa: PLW1509 - called before any thread of ours exists
    )


def end(process: subprocess.Popen[bytes] | None, *, timeout_seconds: float) -> None:
    """Ask a child to stop, and make it stop when it does not."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(path: Path, lines: int = 12) -> str:
    """The end of a log, for a message about a child that failed."""
    try:
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
