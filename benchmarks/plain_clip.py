"""`SentenceTransformer.encode` as everyone calls it, in a process of its own: nothing of ours touches its settings.

`python -m benchmarks.plain_clip MODEL FOLDER`: for each line it reads, `all` or a number, it encodes all pictures of
the folder in batches of 32, or the one of that number, and answers with a line. At the end of its input it saves the
vectors as `FOLDER/vectors.npy`.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain.picture import Vectors

BATCH = 32


class PlainClip:
    """The other end of it."""

    def __init__(self, model: Path, folder: Path, files: Sequence[bytes]) -> None:
        folder.mkdir()
        for number, data in enumerate(files):
            (folder / f"{number:05}.jpg").write_bytes(data)
        self._folder = folder
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        command = [sys.executable, "-m", "benchmarks.plain_clip", str(model), str(folder)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._answer()

    def encode_all(self) -> None:
        self._ask("all")

    def encode_one(self, number: int) -> None:
        self._ask(str(number))

    def end(self) -> Vectors:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        vectors: Vectors = np.load(self._folder / "vectors.npy")
        return vectors

    def _ask(self, what: str) -> None:
        assert self._process.stdin is not None
        print(what, file=self._process.stdin, flush=True)
        self._answer()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("sentence-transformers ended")


def main(model: str, folder: str) -> None:
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(model, device="cpu", local_files_only=True)
    paths = sorted(Path(folder).glob("*.jpg"))
    vectors = np.empty((0, 0), np.float32)
    print("ready", flush=True)
    for line in sys.stdin:
        some = paths if line.strip() == "all" else [paths[int(line)]]
        pictures: list[Any] = [Image.open(path) for path in some]
        found = encoder.encode(pictures, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        vectors = found if some is paths else vectors
        print("done", flush=True)
    np.save(Path(folder) / "vectors.npy", vectors)


if __name__ == "__main__":
    main(*sys.argv[1:])
