"""The two catalogs that words are measured on, embedded once by the packaged encoder and kept outside the repository.

* clothing: 3,781 photographs, a product each, with a title (`Dress by Corvo`), a category, a brand and a code as its id
  (SHELFSIGHT_CLOTHING names the folder);
* demo: 1,000 drawn products of 24 kinds with 1 to 3 pictures, titles such as `Red striped coffee mug Velmora Alva`, and
  attributes for colour, pattern and material.
"""

import csv
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.domain.picture import Vector, Vectors
from backend.domain.product import Product, ProductKey
from benchmarks.encoder_quality import CLOTHING, embedded

if TYPE_CHECKING:
    from backend.embedding.packaged.encoder import PackagedEncoder

CACHE = Path(os.environ.get("SHELFSIGHT_BENCH_CACHE", Path(tempfile.gettempdir()) / "shelfsight-bench"))
DEMO_PRODUCTS = 1_000
FACTS = ("title", "category", "brand", "currency")


@dataclass(frozen=True)
class Shelf:
    """A catalog: its products, and each product's pictures as unit vectors."""

    name: str
    products: Sequence[Product]
    vectors: Sequence[Sequence[Vector]]


def encoder() -> "PackagedEncoder":
    from backend.embedding.packaged.encoder import PackagedEncoder

    return PackagedEncoder(CACHE)


def clothing() -> Shelf:
    """The clothing catalog."""
    rows = _rows(CLOTHING / "catalog.csv")
    return _shelf("clothing", rows, [[CLOTHING / row["image"]] for row in rows])


def demo() -> Shelf:
    """The demo catalog, drawn when it is not there yet."""
    from backend.demo.catalog import write_catalog

    path = write_catalog(CACHE / "demo", count=DEMO_PRODUCTS)
    rows = _rows(path)
    return _shelf("demo", rows, [[path.parent / name for name in row["images"].split("|")] for row in rows])


def _shelf(name: str, rows: Sequence[dict[str, str]], pictures: Sequence[Sequence[Path]]) -> Shelf:
    vectors = _vectors(name, [path for paths in pictures for path in paths])
    ends = np.cumsum([len(paths) for paths in pictures])
    each = [list(part) for part in np.split(vectors, ends[:-1])]
    return Shelf(name, [_product(row) for row in rows], each)


def _vectors(name: str, paths: Sequence[Path]) -> Vectors:
    kept = CACHE / f"{name}-{len(paths)}.npy"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(kept, embedded(encoder(), paths))
    vectors: Vectors = np.load(kept)
    return vectors


def _product(row: dict[str, str]) -> Product:
    return Product(
        key=ProductKey("shop", row["product_id"]),
        price=Decimal(row["price"]),
        in_stock=row["in_stock"] == "true",
        attributes={
            name.removeprefix("attributes."): value for name, value in row.items() if name.startswith("attributes.")
        },
        **{name: row[name] for name in FACTS},
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
