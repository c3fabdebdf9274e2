"""A sign of life of a separate worker: a file the sweep touches, and the command a container's health check runs."""

import sys
import tempfile
import time
from pathlib import Path

PATH = Path(tempfile.gettempdir()) / "shelfsight-worker-heartbeat"
STALE_SECONDS = 60.0  # several sweeps; a sweep waits for a database that is busy, not for a minute


def beat() -> None:
    """Say that this worker is alive and reaches its catalog."""
    PATH.touch()


def main() -> int:
    """0 when the worker gave a sign of life within the last minute, else 1."""
    try:
        age = time.time() - PATH.stat().st_mtime
    except OSError:
        return 1
    return 0 if age < STALE_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
