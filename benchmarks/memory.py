"""What a server takes of a small machine: `python -m benchmarks.memory [--pictures 400]` (make bench-memory).

Starts `shelfsight serve` with the packaged encoder on a data directory of its own, imports the first pictures of the
clothing catalog while four shoppers search by picture and by words, and adds up twice a second what all of its
processes take: each process' own pages and its share of those it has in common with others (PSS). Files in the page
cache are not counted, for the kernel takes those back. Linux only.

`--clip N` instead loads a CLIP of ViT-B/32's shape in N processes, as gunicorn's would, with and without
`model_shared`, and prints what each of them takes and how long one text takes it alone.
"""

import argparse
import csv
import math
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from backend.cli.client import Api
from backend.cli.ingest import ingest
from backend.footprint import memory_bytes
from benchmarks.clip_weights import save_clip_of_real_size
from benchmarks.encoder_quality import CLOTHING
from tests.installation import DECODER, Installation

MEGABYTE = 1e6
SHOPPERS = 4
EVERY_SECONDS = 0.5
TEXTS = 40
WORDS = ("red dress", "shoes", "a warm jacket", "blue jeans")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=CLOTHING, help="the clothing set's folder")
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--clip", type=int, metavar="N", help="a CLIP in so many processes instead")
    given = parser.parse_args()
    if given.clip:
        with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
            for shared in (False, True):
                print_clips(
                    save_clip_of_real_size(Path(scratch) / "clip"), Path(scratch) / "cache", given.clip, shared=shared
                )
        return
    rows = list(csv.DictReader((given.folder / "catalog.csv").open(encoding="utf-8")))[: given.pictures]
    pictures = [given.folder / row["image"] for row in rows]
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
        print_encoder(Path(scratch) / "cache")
        catalog = write_catalog(Path(scratch) / "catalog.csv", rows, pictures)
        installation = Installation(Path(scratch) / "data", SHELFSIGHT_MODEL="packaged")
        began = time.perf_counter()
        watch = Watch(installation.launch().pid)
        try:
            installation.wait_until(installation.answers, 120)
            print(f"answers after {time.perf_counter() - began:.1f} s; then {sum(watch.now().values()):.0f} MB")
            with (
                Api(installation.url, key=None, merchant="default") as api,
                shoppers(installation.url, pictures) as times,
            ):
                outcome = ingest(api, catalog, Console())
            print(f"{outcome.searchable} of {len(rows)} products searchable in {outcome.seconds:.1f} s")
            print(f"{len(times)} searches meanwhile, the slowest {max(times):.2f} s")
        finally:
            watch.stop()
            installation.stop()
    print(f"at most {sum(watch.most.values()):.0f} MB: " + ", ".join(f"{n} {m:.0f}" for n, m in watch.most.items()))


def print_encoder(cache_dir: Path) -> None:
    """Of a process that loads the packaged encoder, uses it once each way, and does nothing else: the second such."""
    spawning = multiprocessing.get_context("spawn")
    for turn in range(2):  # the first also computes what is kept
        answers = spawning.Queue()
        process = spawning.Process(target=hold_the_packaged, args=(cache_dir, answers))
        process.start()
        seconds, megabytes = answers.get(timeout=300)
        process.join()
        if turn:
            print(f"the encoder alone: {megabytes:.0f} MB, {seconds:.1f} s of processor time until it is warm")


def hold_the_packaged(cache_dir: Path, answers: Any) -> None:
    """In a process of its own."""
    from backend.embedding.choice import load

    encoder = load("packaged", cache_dir=cache_dir, device="cpu", threads=1)
    encoder.embed_texts(["warm up"])
    encoder.embed_images([np.zeros((encoder.picture_side, encoder.picture_side, 3), np.uint8)])
    answers.put((time.process_time(), (memory_bytes() or 0) / MEGABYTE))


def write_catalog(path: Path, rows: Sequence[dict[str, str]], pictures: Sequence[Path]) -> Path:
    """The rows, with pictures named from the root."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "image": str(picture)} for row, picture in zip(rows, pictures, strict=True))
    return path


def print_clips(folder: Path, cache_dir: Path, count: int, *, shared: bool) -> None:
    """Megabytes of each process while all of them hold the model, and the milliseconds of the first one's texts."""
    spawning = multiprocessing.get_context("spawn")
    loaded, answers = spawning.Barrier(count), spawning.Queue()
    processes = [
        spawning.Process(target=hold_a_clip, args=(folder, cache_dir, loaded, answers), kwargs={"shared": shared})
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    held = sorted((answers.get(timeout=300) for _ in processes), key=lambda answer: answer[-1])
    for process in processes:
        process.join()
    (way, _, text), sizes = held[0], [size for _, size, _ in held]
    print(
        f"model_shared={shared}: {way}; {min(sizes):.0f} to {max(sizes):.0f} MB each; a text takes {text * 1e3:.0f} ms"
    )


def hold_a_clip(folder: Path, cache_dir: Path, loaded: Any, answers: Any, *, shared: bool) -> None:
    """In a process of its own: one thread, as where processes share cores."""
    from backend.embedding.clip import ClipEncoder

    encoder = ClipEncoder(str(folder), device="cpu", threads=1, cache_dir=cache_dir, shared=shared)
    encoder.embed_images([np.zeros((336, 336, 3), np.uint8)])
    encoder.embed_texts(["a red shoe"])
    loaded.wait()
    megabytes = (memory_bytes() or 0) / MEGABYTE
    first = loaded.wait() == 0
    times = []
    for turn in range(TEXTS if first else 0):  # one at a time: the others would take its cores
        began = time.perf_counter()
        encoder.embed_texts([f"a red shoe {turn}"])
        times.append(time.perf_counter() - began)
    answers.put((encoder.how, megabytes, statistics.median(times) if first else math.inf))
    loaded.wait()


@contextmanager
def shoppers(url: str, pictures: Sequence[Path]) -> Iterator[list[float]]:
    """Searches one after the other, each shopper by other pictures and words; their seconds."""
    times: list[float] = []
    ended = threading.Event()

    def shop(number: int) -> None:
        with Api(url, key=None, merchant="default") as api:
            for turn, picture in enumerate(pictures[number::SHOPPERS]):
                if ended.is_set():
                    return
                began = time.perf_counter()
                api.search({"limit": 24}, picture) if turn % 2 else api.search(
                    {"text": f"{WORDS[number]} {turn}"}, None
                )
                times.append(time.perf_counter() - began)

    with ThreadPoolExecutor(SHOPPERS) as pool:
        asked = [pool.submit(shop, number) for number in range(SHOPPERS)]
        try:
            yield times
        finally:
            ended.set()
        for one in asked:
            one.result()


class Watch:
    """Megabytes of a process and all below it, by what they are; `most` is how it was when there were most."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._ended = threading.Event()
        self.most: dict[str, float] = {}
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        """Once only."""
        self._ended.set()
        self._thread.join()

    def now(self) -> dict[str, float]:
        """Of each kind of process, all of its kind together."""
        found: dict[str, float] = {}
        for pid in below(self._root):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
            except OSError:  # it has ended meanwhile
                continue
            shares = [int(line.split()[1]) for line in rollup if line.startswith("Pss:")]
            found[kind(command)] = found.get(kind(command), 0) + sum(shares) * 1024 / MEGABYTE
        return found

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            if sum((now := self.now()).values()) > sum(self.most.values()):
                self.most = now


def below(root: int) -> list[int]:
    """The process and its children, and theirs."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def kind(command: str) -> str:
    """What a command line's process is."""
    names = {DECODER: "decoders", "workers.embedded": "server", "backend.cli": "supervisor", "valkey": "broker"}
    return next((name for part, name in names.items() if part in command), "other")


if __name__ == "__main__":
    main()
