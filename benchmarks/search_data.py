"""The catalog that search is measured on: real embeddings of clothing, multiplied, with facts, questions and the truth.

3,781 photographs of clothing are embedded by the packaged encoder. A product is one of them moved by a part of the
difference between two others of its category, so that it lies where products of the category lie; its 1 to 4 pictures
are that again, moved less. Nothing is drawn from a distribution of our own, so what makes real vectors hard to search
(few directions that matter, crowds, a text side far from the pictures) is kept.

Half of the questions lie near a stored picture, as one more picture of the same product would; half are words, embedded
by the same encoder. The truth is the exact matrix product, a product's best picture deciding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.domain.picture import Vectors
from backend.domain.product import Product, ProductKey

MERCHANT = "shop"
PICTURES_A_PRODUCT = 4
CHUNK = 20_000
"""Pictures made or compared at once: 40 MB."""

LEAF_SHARE = 0.05
BRANDS = 1_000
COLOURS = ("black", "white", "grey", "navy", "blue", "green", "red", "pink", "beige", "brown", "yellow", "purple")
MATERIALS = (
    *("cotton", "linen", "wool", "silk", "denim", "leather", "suede", "velvet", "corduroy", "fleece"),
    *("jersey", "cashmere", "polyester", "viscose", "nylon", "canvas", "satin", "tweed", "flannel", "mesh"),
)
NOUNS = {"longsleeve": "long sleeve shirt", "outwear": "jacket"}


@dataclass(frozen=True)
class Photographs:
    """What everything is made of: unit vectors (n, 512), their categories, and the vectors of words."""

    vectors: Vectors
    categories: NDArray[np.str_]
    words: Vectors


@dataclass(frozen=True)
class Catalog:
    """Pictures in the order of their products, and each product's facts.

    `vectors` (pictures, 512) may be mapped from a file. `first` is each product's first picture.
    """

    vectors: Vectors
    first: NDArray[np.int64]
    title: NDArray[np.str_]
    colour: NDArray[np.str_]
    category: NDArray[np.str_]
    brand: NDArray[np.str_]
    price: NDArray[np.float64]
    in_stock: NDArray[np.bool_]

    @property
    def products(self) -> int:
        return len(self.first)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Where each product's pictures begin, and where the last one's end."""
        return np.append(self.first, len(self.vectors))

    def product(self, number: int) -> Product:
        """As a merchant describes it."""
        return Product(
            key=ProductKey(MERCHANT, product_id(number)),
            title=str(self.title[number]),
            category=str(self.category[number]),
            brand=str(self.brand[number]),
            price=Decimal(f"{self.price[number]:.2f}"),
            currency="EUR",
            in_stock=bool(self.in_stock[number]),
            url=f"https://shop.example/p/{number}",
            attributes={"color": str(self.colour[number])},
        )

    def owners(self) -> NDArray[np.int64]:
        """The product's number of each picture."""
        return np.repeat(np.arange(self.products), np.diff(self.bounds))


def product_id(number: int) -> str:
    return f"P{number:07}"


def number_of(name: str) -> int:
    return int(name[1:])


def photographs(cache: Path) -> Photographs:
    """From `cache`, or embedded now (half a minute) and kept there."""
    kept = cache / "photographs.npz"
    if not kept.exists():
        _embed(cache, kept)
    with np.load(kept) as stored:
        return Photographs(stored["vectors"], stored["categories"], stored["words"])


def _embed(cache: Path, kept: Path) -> None:
    from backend.embedding.packaged.encoder import PackagedEncoder
    from benchmarks.encoder_quality import CLASS_NAMES, PHRASINGS, embedded, read_catalog

    cache.mkdir(parents=True, exist_ok=True)
    encoder, catalog = PackagedEncoder(cache), read_catalog()
    phrases = [*CLASS_NAMES, *PHRASINGS]
    coloured = [f"{colour} {phrase}" for phrase in phrases for colour in COLOURS]
    words = encoder.embed_texts([*phrases, *coloured])
    vectors = embedded(encoder, catalog.paths)
    np.savez(kept, vectors=vectors, categories=catalog.categories, words=words)


def made(base: Photographs, pictures: int, folder: Path, seed: int = 1) -> Catalog:
    """A catalog of about so many pictures (a product is never cut), kept in `folder` and read from it again."""
    facts = folder / "facts.npz"
    if not facts.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _make(base, pictures, folder, np.random.default_rng(seed))
    return opened(folder)


def opened(folder: Path) -> Catalog:
    """A catalog that was made."""
    with np.load(folder / "facts.npz") as facts:
        stored = {name: facts[name] for name in facts.files}
    return Catalog(vectors=np.load(folder / "vectors.npy", mmap_mode="r"), **stored)


def _make(base: Photographs, pictures: int, folder: Path, random: np.random.Generator) -> None:
    counts = random.integers(1, PICTURES_A_PRODUCT + 1, size=pictures)
    products = int(np.searchsorted(np.cumsum(counts), pictures)) + 1
    counts = counts[:products]
    photo = random.integers(len(base.vectors), size=products)
    centres = moved(base, base.vectors[photo], photo, random.uniform(0.15, 0.45, products), random)
    owners = np.repeat(np.arange(products), counts)
    vectors = np.lib.format.open_memmap(
        folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(len(owners), centres.shape[1])
    )
    for part in chunks(len(owners)):
        of = owners[part]
        vectors[part] = moved(base, centres[of], photo[of], random.uniform(0.1, 0.3, len(of)), random)
    vectors.flush()
    colours, materials = random.choice(COLOURS, products), random.choice(MATERIALS, products)
    nouns = np.array([NOUNS.get(name, name) for name in base.categories])[photo]
    titles = [f"{colour} {material} {noun}" for colour, material, noun in zip(colours, materials, nouns, strict=True)]
    brands = random.integers(BRANDS, size=products)
    np.savez(
        folder / "facts.npz",
        first=np.concatenate([[0], np.cumsum(counts)[:-1]]),
        title=np.array(titles),
        colour=colours,
        category=leaves(base)[photo],
        brand=np.array([f"Brand {number:03}" for number in brands]),
        price=np.round(random.lognormal(3.5, 0.6, products), 2),
        in_stock=random.random(products) < 0.5,
    )


def moved(
    base: Photographs, vectors: Vectors, photo: NDArray[np.int64], by: NDArray[np.float64], random: np.random.Generator
) -> Vectors:
    """Unit vectors, each moved by a part of the difference between two photographs of its own photo's category."""
    result = np.array(vectors, np.float32)
    categories = base.categories[photo]
    for category in np.unique(categories):
        rows, members = np.flatnonzero(categories == category), np.flatnonzero(base.categories == category)
        one, other = random.choice(members, (2, len(rows)))
        result[rows] += by[rows, None].astype(np.float32) * (base.vectors[one] - base.vectors[other])
    lengths = np.linalg.norm(result, axis=1, keepdims=True)
    return np.asarray(result / lengths, np.float32)


def leaves(base: Photographs) -> NDArray[np.str_]:
    """Each photograph's category, cut into parts of about 5 % that look alike (along the first principal axis)."""
    names = np.empty(len(base.categories), dtype="U40")
    for category in np.unique(base.categories):
        members = np.flatnonzero(base.categories == category)
        parts = max(1, round(len(members) / len(names) / LEAF_SHARE))
        centred = base.vectors[members] - base.vectors[members].mean(axis=0)
        axis = np.linalg.svd(centred, full_matrices=False)[2][0]
        rank = np.argsort(np.argsort(centred @ axis))
        names[members] = [f"clothing/{category}/{part}" for part in rank * parts // len(members)]
    return names


def chunks(count: int, size: int = CHUNK) -> Iterator[slice]:
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))


def product_scores(catalog: Catalog, queries: Vectors) -> NDArray[np.float32]:
    """(queries, products): the cosine of each product's best picture. The exact matrix product, in pieces."""
    scores = np.empty((len(queries), catalog.products), np.float32)
    bounds = catalog.bounds
    for part in chunks(catalog.products):
        begin, end = int(bounds[part.start]), int(bounds[part.stop])
        products = catalog.vectors[begin:end] @ queries.T
        scores[:, part] = np.maximum.reduceat(products, catalog.first[part] - begin, axis=0).T
    return scores


def asked_vectors(base: Photographs, catalog: Catalog, each: int, seed: int = 2) -> tuple[Vectors, Sequence[str]]:
    """2 x `each` unit vectors in turns: one near a stored picture, one of words; and which is which."""
    random = np.random.default_rng(seed)
    pictures = np.sort(random.choice(len(catalog.vectors), each, replace=False))
    random.shuffle(pictures)
    owners = catalog.owners()[pictures]
    kinds = np.array([name.split("/")[1] for name in catalog.category[owners]])
    photo = np.array([random.choice(np.flatnonzero(base.categories == kind)) for kind in kinds])
    near = moved(base, catalog.vectors[pictures], photo, np.full(each, 0.2), random)
    words = base.words[random.choice(len(base.words), each, replace=len(base.words) < each)]
    result = np.empty((2 * each, near.shape[1]), np.float32)
    result[0::2], result[1::2] = near, words
    return result, ["near", "words"] * each
