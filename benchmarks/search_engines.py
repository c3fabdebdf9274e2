"""Our store and the exact reference as engines to be measured. Others' engines: `search_rivals`."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.payload import leading_payload, picture_payload, point_id, product_payload
from backend.domain.picture import Vector
from backend.ports import Point, Space
from backend.vectors.edge_limits import EdgeLimits, GrowthLimits
from backend.vectors.edge_store import EdgeStore
from backend.vectors.sidecar import read_sidecar
from benchmarks.search_data import MERCHANT, Catalog, product_id
from benchmarks.search_questions import WANTED_PRODUCTS, Wanted, domain_filter
from benchmarks.search_tasks import tasks_of

Setting: TypeAlias = Mapping[str, int]
"""What a caller may turn at search time, by the engine's own names."""

DEFAULT: Setting = {}

Task: TypeAlias = Callable[[Vector, str, Wanted], int]
"""(vector, words, filter) -> how many products (or values) were found."""

PRODUCTS_AT_ONCE = 32
"""Products handed to a store at once, as the worker's batches are."""
WHOLE_MATRIX_FROM = 0.3
"""Of the pictures: from this share on, comparing all and dropping the others is faster than gathering those wanted."""


class Engine(Protocol):
    """One way to search a catalog, with an index in a folder. Filled in one process and asked in the next."""

    name: ClassVar[str]
    settings: ClassVar[Sequence[Setting]]
    """To choose from per class of filters."""

    def __init__(self, catalog: Catalog, folder: Path) -> None: ...

    def fill(self) -> None:
        """Store everything, with facts; searchable afterwards, however slowly."""
        ...

    def finish(self) -> None:
        """Build what makes it fast, and leave it on the disk."""
        ...

    def open(self) -> None:
        """Be ready to be asked."""
        ...

    def find(self, vector: Vector, wanted: Wanted, setting: Setting, /) -> list[str]:
        """The ids of the ten best products, with their facts read."""
        ...

    def tasks(self) -> Mapping[str, Task]:
        """What else it can do, by its name in `search_tasks`."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Edge:
    """The embedded store, written as the worker does it and opened as a server with default settings does."""

    name: ClassVar[str] = "shelfsight"
    settings: ClassVar[Sequence[Setting]] = (DEFAULT,)

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder

    def fill(self) -> None:
        catalog = self._catalog
        store = EdgeStore.create(self._folder, Space("benchmark", catalog.vectors.shape[1], "0"))
        bounds = catalog.bounds
        for begin in range(0, catalog.products, PRODUCTS_AT_ONCE):
            numbers = range(begin, min(begin + PRODUCTS_AT_ONCE, catalog.products))
            store.upsert([point for number in numbers for point in points_of(catalog, number, bounds)])
        store.close()

    def finish(self) -> None:
        """What the store does by itself: optimize a small shard when it is opened, build a large one's graph."""
        growth = GrowthLimits(look_seconds=0.2)
        store = EdgeStore.open(self._folder, EdgeLimits(growth=growth))
        if len(self._catalog.vectors) >= growth.graph_points:
            while (description := read_sidecar(self._folder)) is None or not description.graph:
                time.sleep(0.1)
        store.close()

    def open(self) -> None:
        self._store = EdgeStore.open(self._folder)

    def find(self, vector: Vector, wanted: Wanted, _setting: Setting, /) -> list[str]:
        matches = self._store.nearest(MERCHANT, vector, domain_filter(wanted), limit=WANTED_PRODUCTS)
        return [match.product_id for match in matches]

    def tasks(self) -> Mapping[str, Task]:
        return tasks_of(self._store, MERCHANT)

    def close(self) -> None:
        self._store.close()


def points_of(
    catalog: Catalog, number: int, bounds: NDArray[np.int64], *, version: int = 1, price: float | None = None
) -> list[Point]:
    """A product's points; at another price than the catalog's where one is given."""
    product = catalog.product(number)
    if price is not None:
        product = replace(product, price=Decimal(price))
    facts = product_payload(product, version=version)
    points = []
    for picture in range(bounds[number], bounds[number + 1]):
        image = f"{picture:064x}"  # a content hash in all but name
        own = {**facts, **picture_payload(image)}
        if picture == bounds[number]:
            own |= leading_payload(product)
        points.append(Point(point_id(product.key, image), catalog.vectors[picture], own))
    return points


class Exact:
    """The reference: numpy's matrix product over float32 in memory, filters as masks over columns."""

    name: ClassVar[str] = "exact"
    settings: ClassVar[Sequence[Setting]] = (DEFAULT,)

    def __init__(self, catalog: Catalog, _folder: Path) -> None:
        self._catalog = catalog

    def fill(self) -> None:
        """The catalog is its own index."""

    def finish(self) -> None:
        """Nothing to build."""

    def open(self) -> None:
        catalog = self._catalog
        self._vectors = np.array(catalog.vectors)
        self._owners = catalog.owners()
        self._columns: dict[str, tuple[dict[str, int], NDArray[np.int64]]] = {}
        for name, column in (("category", catalog.category), ("brand", catalog.brand), ("colour", catalog.colour)):
            values, codes = np.unique(column, return_inverse=True)
            self._columns[name] = ({str(value): code for code, value in enumerate(values)}, codes[self._owners])
        self._price, self._in_stock = catalog.price[self._owners], catalog.in_stock[self._owners]

    def find(self, vector: Vector, wanted: Wanted, _setting: Setting, /) -> list[str]:
        mask = self._mask(wanted)
        if mask is None:
            rows, scores = None, self._vectors @ vector
        elif np.count_nonzero(mask) > WHOLE_MATRIX_FROM * len(mask):
            rows, scores = None, np.where(mask, self._vectors @ vector, -2.0)
        else:
            rows = np.flatnonzero(mask)
            scores = self._vectors[rows] @ vector
        return self._grouped(rows, scores)

    def tasks(self) -> Mapping[str, Task]:
        return {}

    def close(self) -> None:
        """Nothing is held."""

    def _mask(self, wanted: Wanted) -> NDArray[np.bool_] | None:
        masks = [
            self._columns[name][1] == self._columns[name][0][value]
            for name, value in (("category", wanted.category), ("brand", wanted.brand), ("colour", wanted.colour))
            if value is not None
        ]
        if wanted.in_stock is not None:
            masks.append(self._in_stock == wanted.in_stock)
        if wanted.price is not None:
            masks.append((self._price >= wanted.price[0]) & (self._price <= wanted.price[1]))
        return np.logical_and.reduce(masks) if masks else None

    def _grouped(self, rows: NDArray[np.int64] | None, scores: NDArray[np.float32]) -> list[str]:
        """Four pictures a product at most, so the best 40 are of ten products."""
        number = min(4 * WANTED_PRODUCTS, len(scores))
        best = np.argpartition(scores, -number)[-number:] if number else np.empty(0, np.int64)
        best = best[np.argsort(-scores[best])]
        owners = self._owners[best if rows is None else rows[best]]
        ids = [product_id(number) for number in dict.fromkeys(owners[scores[best] > -2.0].tolist())]
        return [self._with_facts(name) for name in ids[:WANTED_PRODUCTS]]

    def _with_facts(self, name: str) -> str:
        self._catalog.product(int(name[1:]))
        return name
