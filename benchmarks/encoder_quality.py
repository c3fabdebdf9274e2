"""How well and how fast the packaged encoder works: `python -m benchmarks.encoder_quality`.

Quality is measured on the optional clothing data set (SHELFSIGHT_CLOTHING names its folder). No label or statistic of
it enters the encoder. The table has four parts:

* picture to picture: the test pictures as queries against train and validation; share of the same category first (p1)
  and among the first ten (p10), and mean average precision;
* words to pictures: P@10 and average precision of the ten category names against all pictures, by picture vectors only;
* the honesty check: shoppers' phrasings as shipped, and again with every one of them (and the category names, in all
  their spellings) struck from the vocabulary, which shows what the encoder does with phrases nobody listed;
* speed: the latency of one picture and of four at once, also as ratios to the bare forward pass of the same run,
  because other work on the machine changes the absolute numbers; and pictures a second as the worker embeds them (two
  threads, batches of 32), beside the same in float32.
"""

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend.domain.picture import Pixels, Vectors
from backend.embedding.packaged import weights
from backend.embedding.packaged.anchors import cached_anchors
from backend.embedding.packaged.class_space import build_class_space
from backend.embedding.packaged.encoder import PackagedEncoder
from backend.embedding.packaged.fused import FusedTower
from backend.embedding.packaged.network import load_tower
from backend.embedding.packaged.recipe import RECIPE
from backend.embedding.packaged.sentences import Sentences
from backend.embedding.packaged.vocabulary import Vocabulary, load_vocabulary
from backend.embedding.packaged.words import WordSide
from backend.embedding.precision import fast_dtype
from backend.imaging.limits import PictureLimits
from backend.imaging.reader import PillowReader

_REPOSITORY = Path(__file__).resolve().parents[1]
CLOTHING = Path(os.environ.get("SHELFSIGHT_CLOTHING", _REPOSITORY.parent / "shared" / "data" / "clothing"))

_READER = PillowReader(PictureLimits())

CLASS_NAMES = {
    "hat": "hat",
    "dress": "dress",
    "shoes": "shoes",
    "pants": "pants",
    "shorts": "shorts",
    "t-shirt": "t-shirt",
    "long sleeve": "longsleeve",
    "skirt": "skirt",
    "outerwear": "outwear",
    "shirt": "shirt",
}
"""What a shopper would type -> the data set's category."""

PHRASINGS = {
    "sun hat": "hat",
    "knitted cap": "hat",
    "something to wear on the head": "hat",
    "evening gown": "dress",
    "flowy summer frock": "dress",
    "one-piece dress for a party": "dress",
    "running sneakers": "shoes",
    "leather footwear": "shoes",
    "pair of trainers": "shoes",
    "long trousers": "pants",
    "slim fit chinos": "pants",
    "blue jeans": "pants",
    "workout bottoms": "pants",
    "bermudas": "shorts",
    "swim shorts": "shorts",
    "knee-length summer bottoms": "shorts",
    "crew neck tee": "t-shirt",
    "printed cotton top": "t-shirt",
    "short sleeved top": "t-shirt",
    "pullover": "longsleeve",
    "warm knit jumper": "longsleeve",
    "top with long arms": "longsleeve",
    "pleated mini": "skirt",
    "office pencil skirt": "skirt",
    "winter jacket": "outwear",
    "waterproof coat": "outwear",
    "zip-up windbreaker": "outwear",
    "button-down": "shirt",
    "collared office blouse": "shirt",
}
"""Other ways to ask for them, written after the vocabulary, and before it was tried on any picture."""

NEAR = 10
"""Results on the first row or two of a shop's page."""


@dataclass(frozen=True)
class Catalog:
    paths: tuple[Path, ...]
    categories: NDArray[np.str_]
    is_query: NDArray[np.bool_]


def read_catalog(folder: Path = CLOTHING) -> Catalog:
    with (folder / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Catalog(
        paths=tuple(folder / row["image"] for row in rows),
        categories=np.array([row["category"].rsplit("/", 1)[-1] for row in rows]),
        is_query=np.array([row["split"] == "test" for row in rows]),
    )


def decoded(path: Path, min_side: int) -> Pixels:
    """As the system decodes an upload."""
    return _READER.decode(path.read_bytes(), min_side)


def embedded(encoder: PackagedEncoder, paths: Sequence[Path], block: int = 64) -> Vectors:
    """All pictures, `block` of them decoded at a time, on as many threads as there are cores."""
    blocks = [paths[start : start + block] for start in range(0, len(paths), block)]

    def embed(part: Sequence[Path]) -> Vectors:
        return encoder.embed_images([decoded(path, encoder.picture_side) for path in part])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(embed, blocks)))


def ranked_hits(
    queries: Vectors, gallery: Vectors, wanted: Callable[[int], NDArray[np.bool_]]
) -> list[NDArray[np.bool_]]:
    """For each query, which of the gallery's pictures are right, best first."""
    order = np.argsort(-(queries @ gallery.T), axis=1, kind="stable")
    return [wanted(query)[row] for query, row in enumerate(order)]


def precision(hits: Sequence[NDArray[np.bool_]], near: int = NEAR) -> float:
    """Mean share of right ones among the first `near`."""
    return float(np.mean([row[:near].mean() for row in hits]))


def average_precision(row: NDArray[np.bool_]) -> float:
    """Mean of the precisions at each right one (the area under the precision-recall curve)."""
    ranks = np.flatnonzero(row) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def picture_to_picture(vectors: Vectors, catalog: Catalog) -> list[NDArray[np.bool_]]:
    queries, gallery = catalog.is_query, ~catalog.is_query
    query_categories, gallery_categories = catalog.categories[queries], catalog.categories[gallery]
    return ranked_hits(vectors[queries], vectors[gallery], lambda row: gallery_categories == query_categories[row])


def words_to_pictures(
    text_vectors: Vectors, wanted: Sequence[str], vectors: Vectors, catalog: Catalog
) -> list[NDArray[np.bool_]]:
    return ranked_hits(text_vectors, vectors, lambda row: catalog.categories == wanted[row])


def struck(vocabulary: Vocabulary, phrases: Sequence[str]) -> Vocabulary:
    """The vocabulary without these phrases, however their case, hyphens and plurals are written."""

    def bare(phrase: str) -> str:
        return phrase.casefold().replace("-", "").replace(" ", "").removesuffix("s").removesuffix("e")

    gone = {bare(phrase) for phrase in phrases}
    return Vocabulary(
        names=tuple(tuple(name for name in names if bare(name) not in gone) for names in vocabulary.names),
        phrases={phrase: classes for phrase, classes in vocabulary.phrases.items() if bare(phrase) not in gone},
    )


def word_side(vocabulary: Vocabulary, cache: Path) -> WordSide:
    _, head = load_tower(weights.tower_file())
    sentences = Sentences(weights.sentences_folder())
    return WordSide(
        sentences=sentences,
        vocabulary=vocabulary,
        anchors=cached_anchors(cache, "benchmark", list(vocabulary.anchors), sentences.embed),
        class_basis=build_class_space(head.weight.numpy(), head.bias.numpy(), RECIPE).class_basis,
        recipe=RECIPE,
    )


def report_pictures(vectors: Vectors, catalog: Catalog) -> None:
    hits = picture_to_picture(vectors, catalog)
    mean_ap = np.mean([average_precision(row) for row in hits])
    print(f"\npicture -> picture ({catalog.is_query.sum()} queries, {(~catalog.is_query).sum()} pictures)")
    print(f"  p1 {precision(hits, 1):.3f}   p10 {precision(hits):.3f}   mAP {mean_ap:.3f}")
    query_categories = catalog.categories[catalog.is_query]
    for category in sorted(set(query_categories)):
        own = [row for row, name in zip(hits, query_categories, strict=True) if name == category]
        print(f"    {category:12} p10 {precision(own):.2f}   ({len(own)} queries)")


def report_words(
    title: str, text_vectors: Vectors, queries: Mapping[str, str], vectors: Vectors, catalog: Catalog, *, each: bool
) -> None:
    hits = words_to_pictures(text_vectors, list(queries.values()), vectors, catalog)
    print(f"  {title:48} P@10 {precision(hits):.3f}   mAP {np.mean([average_precision(row) for row in hits]):.3f}")
    for query, row in zip(queries, hits, strict=True) if each else ():
        print(f"    {query:32} P@10 {precision([row]):.1f}   AP {average_precision(row):.2f}")


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def report_against(title: str, pictures: int, work: Callable[[], object], bare: Callable[[], object]) -> None:
    """In turns, so that other work on the machine meets both; the ratio is of processor time: waiting adds none."""
    for warm_up in (work, bare):
        warm_up()
    taken = np.array([(seconds_of(work), seconds_of(bare)) for _ in range(30)])
    clock, ratio = taken[:, 0, 0] / pictures, np.median(taken[:, 0, 1] / taken[:, 1, 1])
    print(
        f"  {title:12} median {np.median(clock) * 1e3:5.1f} ms a picture, best {clock.min() * 1e3:5.1f} ms"
        f" = {1 / clock.min():5.1f}/s; {ratio:.2f} x the bare forward pass"
    )


def report_rates(encoders: Mapping[str, PackagedEncoder], pictures: Sequence[Pixels]) -> None:
    """In turns; two threads with a batch each, as the worker has them."""

    def embed_all(encoder: PackagedEncoder) -> object:
        return list(pool.map(encoder.embed_images, [pictures, pictures]))

    with ThreadPoolExecutor(2) as pool:
        for encoder in encoders.values():
            embed_all(encoder)
        taken = np.array([[seconds_of(partial(embed_all, e)) for e in encoders.values()] for _ in range(8)])
    rates, processor = 2 * len(pictures) / taken[:, :, 0], taken[:, :, 1] / (2 * len(pictures))
    for column, name in enumerate(encoders):
        print(
            f"  two threads, batches of {len(pictures)}, {name}: median {np.median(rates[:, column]):5.1f}/s, best"
            f" {rates[:, column].max():5.1f}/s; {np.median(processor[:, column]) * 1e3:.1f} ms of processor time each"
        )


def report_speed(encoder: PackagedEncoder, exact: PackagedEncoder, pictures: Sequence[Pixels]) -> None:
    exact_tower, _ = load_tower(weights.tower_file())
    tower = FusedTower(exact_tower.blocks, fast_dtype("cpu"), RECIPE.side)

    @torch.inference_mode()
    def bare(count: int) -> object:
        inputs = torch.zeros(count, 3, RECIPE.side, RECIPE.side).contiguous(memory_format=torch.channels_last)
        return tower(inputs)

    encoder.embed_images(pictures[:1])
    print(f"\nspeed ({encoder.how}; decoded pictures, decoding not counted)")
    for count in (1, 4):
        few = pictures[:count]
        report_against(f"{count} at once", count, partial(encoder.embed_images, few), partial(bare, count))
    report_rates({"as shipped": encoder, "float32   ": exact}, pictures)
    encoder.embed_texts(["warm up"])
    texts = np.array([seconds_of(lambda: encoder.embed_texts(["red summer dress"]))[0] for _ in range(20)])
    print(f"  one text     median {np.median(texts) * 1e3:5.1f} ms, best {texts.min() * 1e3:5.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--vectors", type=Path, help="keep the pictures' vectors in this .npy and use them again")
    threads, kept = (arguments := parser.parse_args()).threads, arguments.vectors
    catalog = read_catalog()
    with tempfile.TemporaryDirectory() as cache:
        encoder = PackagedEncoder(Path(cache), threads=threads)
        print(f"{encoder.space}\n{len(catalog.paths)} pictures of {CLOTHING.name}")
        if kept and kept.exists():
            vectors = np.load(kept)
        else:
            vectors = embedded(encoder, catalog.paths)
            if kept:
                np.save(kept, vectors)
        report_pictures(vectors, catalog)
        shipped = load_vocabulary()
        unlisted = struck(shipped, [*PHRASINGS, *CLASS_NAMES])
        without = word_side(unlisted, Path(cache) / "unlisted.npz")
        print(f"\nwords -> pictures ({len(shipped.phrases)} listed phrases; struck: {len(unlisted.phrases)} remain)")
        for each, title, side in (
            (True, "as shipped", encoder.embed_texts),
            (False, "all of them struck", without.vectors),
        ):
            report_words(f"category names, {title}", side(list(CLASS_NAMES)), CLASS_NAMES, vectors, catalog, each=each)
            report_words(f"other phrasings, {title}", side(list(PHRASINGS)), PHRASINGS, vectors, catalog, each=each)
        never_listed = {p: c for p, c in PHRASINGS.items() if p not in shipped.phrases}
        report_words(
            f"of which never listed ({len(never_listed)})",
            encoder.embed_texts(list(never_listed)),
            never_listed,
            vectors,
            catalog,
            each=False,
        )
        exact = PackagedEncoder(Path(cache), threads=threads, exact=True)
        report_speed(encoder, exact, [decoded(path, encoder.picture_side) for path in catalog.paths[:32]])


if __name__ == "__main__":
    main()
