"""How fast encoders are: `python -m benchmarks.encode` (make bench-encode; `--help` names its options).

For CLIP (a folder, or random weights of ViT-B/32's shape) and for the packaged encoder, on the same 1,000 px JPEGs:

* from files to vectors, in batches of 32: `SentenceTransformer.encode` as everyone calls it (a third of the pictures),
  our way (threads as the worker has them: one decodes and scales while the others' pictures are in the model), and the
  bare forward pass over prepared tensors, which nothing can beat; and the cosine of our vectors to
  sentence-transformers';
* where the time goes: decoding, scaling, normalising, the forward pass, milliseconds a picture;
* one picture alone, and 1, 2, 4, 8 callers at once that each ask again when they are answered: by shared passes, with
  a lock around single forward passes, and with one around all that is done for a picture.

Everything is measured in turns within the run and printed as ratios: other work on the machine meets all of it. Where
there is much of it, trust the processor time.
"""

import argparse
import io
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from backend.cli.supervisor import QUIET_THREADS
from backend.domain.picture import Pixels, Vectors
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader
from backend.ports import Embedder
from backend.settings import WorkerSettings
from benchmarks.clip_weights import SHAPE, save_clip_of_real_size
from benchmarks.encoder_quality import CLOTHING
from benchmarks.plain_clip import BATCH, PlainClip

SIDE = 1_000
THREADS = WorkerSettings().threads
ROUNDS = 5
SLOWER = 3
"""sentence-transformers gets one picture in so many, or its rounds would be most of the time."""
TURNS = 4
CALLERS = (1, 2, 4, 8)

_READER = PillowReader(PictureLimits())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a CLIP folder; without one, random weights of ViT-B/32's shape")
    parser.add_argument("--pictures", type=int, default=384, help="pictures per measurement")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long callers ask, per number of callers")
    parser.add_argument("--only", choices=("clip", "packaged"), help="one of the two")
    given = parser.parse_args()
    os.environ.update(QUIET_THREADS)  # before torch is loaded, as for the server
    files = photographs(given.pictures)
    print(f"{len(files)} JPEGs, long side {SIDE} px, {sum(map(len, files)) / len(files) / 1e3:.0f} kB each")
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
        if given.only != "packaged":
            model = given.model or save_clip_of_real_size(Path(scratch) / "clip")
            report_clip(model, files, given.seconds, Path(scratch))
        if given.only != "clip":
            report_packaged(Path(scratch), files, given.seconds)


def photographs(count: int) -> list[bytes]:
    """Real ones where the clothing set is there, else noise over gradients, enlarged to the same size."""
    paths = sorted(CLOTHING.rglob("*.jpg"))
    if not paths:
        return [_as_jpeg(_drawn(seed)) for seed in range(count)]
    step = max(len(paths) // count, 1)
    return [_as_jpeg(Image.open(path).convert("RGB")) for path in paths[::step][:count]]


def _drawn(seed: int) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    return Image.fromarray(small)


def _as_jpeg(picture: Image.Image) -> bytes:
    factor = SIDE / max(picture.size)
    enlarged = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    data = io.BytesIO()
    enlarged.save(data, "JPEG", quality=88)
    return data.getvalue()


# --- CLIP -------------------------------------------------------------------------------------------------------------


def report_clip(folder: Path, files: Sequence[bytes], seconds: float, scratch: Path) -> None:
    import torch

    from backend.embedding.clip import ClipEncoder
    from backend.embedding.threads import on_its_share

    ours = ClipEncoder(str(folder))
    print(f"\n{SHAPE if folder.name == 'clip' else folder.name}: {ours.how}")
    fewer = files[: -(-len(files) // SLOWER)]
    theirs = PlainClip(folder, scratch / "pictures", fewer)
    towers = ours._towers  # noqa: SLF001 - the stages are not for callers
    scaling = towers._scaling  # noqa: SLF001
    assert scaling is not None
    pictures = [decoded(data, ours) for data in files[:BATCH]]
    squares = [towers.prepared(picture) for picture in pictures]

    def forward() -> None:
        with torch.inference_mode():
            pixels = towers._pixels(scaling, squares)  # noqa: SLF001
            for _ in range(len(files) // BATCH):
                towers._forward({"pixel_values": pixels, "modality": "image"})  # noqa: SLF001

    rates = compare(
        {
            "sentence-transformers": (theirs.encode_all, len(fewer)),
            "ours": (lambda: embedded(ours, files), len(files)),
            "forward pass alone": (forward, len(files) // BATCH * BATCH),
        }
    )
    print(f"  ours {rates['ours'] / rates['sentence-transformers']:.2f} x sentence-transformers")
    print(f"  ours {rates['ours'] / rates['forward pass alone']:.2f} of the forward pass alone")
    report_stages(
        {
            "decode": lambda: [decoded(data, ours) for data in files[:BATCH]],
            "scale": lambda: [towers.prepared(picture) for picture in pictures],
            "normalise": lambda: towers._pixels(scaling, squares),  # noqa: SLF001
            "forward": lambda: towers.pictures(squares),
        }
    )

    alone_theirs = [elapsed(partial(theirs.encode_one, number)) for number in range(20)]
    lone = on_its_share(towers.pictures, ours._threads)  # noqa: SLF001
    report_callers(ours, files, seconds, single=lambda picture: lone([towers.prepared(picture)], 1))
    print(f"  one picture by sentence-transformers: p50 {statistics.median(alone_theirs) * 1e3:.0f} ms")
    cosines = np.einsum("nd,nd->n", theirs.end(), embedded(ours, fewer))
    print(f"  cosine to sentence-transformers: mean {cosines.mean():.4f}, least {cosines.min():.4f}")


# --- the packaged encoder ---------------------------------------------------------------------------------------------


def report_packaged(cache: Path, files: Sequence[bytes], seconds: float) -> None:
    from backend.embedding.packaged.encoder import PackagedEncoder

    encoder = PackagedEncoder(cache, threads=1)
    encoder.warm_up()
    print(f"\npackaged: {encoder.how}")
    pictures = [decoded(data, encoder) for data in files]
    rates = compare(
        {
            "files to vectors": (lambda: embedded(encoder, files), len(files)),
            "decoded pictures to vectors": (lambda: embedded_pictures(encoder, pictures), len(files)),
        }
    )
    share = rates["files to vectors"] / rates["decoded pictures to vectors"]
    print(f"  files to vectors is {share:.2f} of decoded pictures to vectors")
    side = encoder._pictures()  # noqa: SLF001 - past the shared passes
    report_callers(encoder, files, seconds, single=lambda picture: side.vectors([picture]))


# --- measuring --------------------------------------------------------------------------------------------------------


def decoded(data: bytes, encoder: Embedder) -> Pixels:
    return _READER.decode(data, encoder.picture_side)


def embedded(encoder: Embedder, files: Sequence[bytes]) -> Vectors:
    """As the worker does it: batches on two threads, each decoded and then embedded."""
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    with ThreadPoolExecutor(THREADS) as pool:
        parts = pool.map(lambda some: encoder.embed_images([decoded(data, encoder) for data in some]), batches)
        return np.concatenate(list(parts))


def embedded_pictures(encoder: Embedder, pictures: Sequence[Pixels]) -> Vectors:
    batches = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    with ThreadPoolExecutor(THREADS) as pool:
        return np.concatenate(list(pool.map(encoder.embed_images, batches)))


def elapsed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(ways: dict[str, tuple[Callable[[], object], int]]) -> dict[str, float]:
    """Pictures/s of each, the best of some rounds in turns, and the least processor time of this process a picture."""
    for way, _ in ways.values():
        way()  # warm
    rates, costs = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, (way, count) in ways.items():
            before = time.process_time()
            rates[name] = max(rates[name], count / elapsed(way))
            costs[name] = min(costs[name], (time.process_time() - before) / count)
    for name, rate in rates.items():
        print(f"  {name:28} {rate:6.1f} pictures/s, {costs[name] * 1e3:5.1f} ms of processor time here")
    return rates


def report_stages(stages: dict[str, Callable[[], object]]) -> None:
    print("  ms a picture, one thread: ", end="")
    times = {name: min(elapsed(stage) for _ in range(3)) / BATCH * 1e3 for name, stage in stages.items()}
    print(", ".join(f"{name} {value:.2f}" for name, value in times.items()))


def report_callers(
    encoder: Embedder, files: Sequence[bytes], seconds: float, *, single: Callable[[Pixels], Vectors]
) -> None:
    """Concurrent queries, from the JPEG to the vector, each way in several turns."""
    lock = threading.Lock()

    def shared(data: bytes) -> Vectors:
        return encoder.embed_images([decoded(data, encoder)])

    def locked(data: bytes) -> Vectors:
        picture = decoded(data, encoder)
        with lock:
            return single(picture)

    def all_locked(data: bytes) -> Vectors:
        with lock:
            return single(decoded(data, encoder))

    ways = {"shared passes": shared, "a lock around passes": locked, "a lock around all": all_locked}
    for callers in CALLERS:
        times: dict[str, list[float]] = {name: [] for name in ways}
        took, costs = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
        for _ in range(TURNS):
            for name, ask in ways.items():
                before, began = time.process_time(), time.perf_counter()
                times[name] += ask_at_once(ask, files, callers, seconds / TURNS)
                # Until the last answer: those under way at the end are counted, and a pass may take a while.
                took[name] += time.perf_counter() - began
                costs[name] += time.process_time() - before
        print(f"  {callers} at once")
        rates = {name: len(told) / took[name] for name, told in times.items()}
        for name, told in times.items():
            print(
                f"    {name:20} {rates[name]:5.1f}/s, p50 {statistics.median(told) * 1e3:4.0f}, "
                f"p95 {sorted(told)[int(len(told) * 0.95)] * 1e3:4.0f}, "
                f"processor {costs[name] / len(told) * 1e3:4.1f} ms; "
                f"shared passes are {rates['shared passes'] / rates[name]:.2f} x as many"
            )


def ask_at_once(ask: Callable[[bytes], object], files: Sequence[bytes], callers: int, seconds: float) -> list[float]:
    """Seconds of each answer, of so many callers that ask again when they are answered."""
    until = time.perf_counter() + seconds

    def caller(number: int) -> list[float]:
        times = []
        position = number
        while time.perf_counter() < until:
            times.append(elapsed(partial(ask, files[position % len(files)])))
            position += callers
        return times

    with ThreadPoolExecutor(callers) as pool:
        return [value for times in pool.map(caller, range(callers)) for value in times]


if __name__ == "__main__":
    main()
