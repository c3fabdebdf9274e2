"""A shop whose every change is told to an index, and waiting for what comes of it."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from backend.domain.payload import Payload
from backend.domain.product import Product, ProductKey
from backend.ports import Point, Tombstone
from backend.vectors.edge_store import EdgeStore
from tests.factories import product
from tests.unit.vectors.points import DIMENSION, clustered, points, tombstone

PATIENCE_SECONDS = 60.0


class Nobody:
    """In the place of an index: what is told to it is forgotten."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Nothing."""

    def set_facts(self, key: ProductKey, facts: Payload) -> None:
        """Nothing."""

    def bury(self, tombstones: Sequence[Tombstone]) -> None:
        """Nothing."""


class Shop:
    """A catalog whose every change is told to an index, and what the index must hold."""

    def __init__(self, store: EdgeStore | Nobody, seed: int = 1) -> None:
        self.store = store
        self._random = random.Random(seed)
        self._vectors = clustered(seed, 4_000, DIMENSION)
        self._number = 0
        self.version = 1
        self.expected: dict[str, Product] = {}

    def add(self, number: int) -> None:
        """So many products of one picture each, told at once."""
        written: list[Point] = []
        for _ in range(number):
            made = product(f"p{self._number}", price=Decimal(self._number), in_stock=self._number % 2 == 0)
            written += points(made, [self._vectors[self._number % len(self._vectors)]], self.version)
            self.expected[made.key.product_id] = made
            self._number += 1
        self.store.upsert(written)

    def change(self) -> None:
        """One thing, whatever it is."""
        self.version += 1
        match self._random.choice(["add", "price", "delete"]):
            case "add":
                self.add(self._random.randint(1, 5))
            case "price":
                name = self._random.choice(list(self.expected))
                price = Decimal(self._random.randint(0, 10**6))
                self.expected[name] = replace(self.expected[name], price=price)
                self.store.set_facts(ProductKey("shop", name), {"price": float(price), "version": self.version})
            case "delete":
                name = self._random.choice(list(self.expected))
                self.store.bury([tombstone(self.expected.pop(name), "picture 0", self.version)])

    def rewrite(self) -> None:
        """All there is, once more."""
        for number, made in enumerate(self.expected.values()):
            self.store.upsert(points(made, [self._vectors[number]], self.version))

    @property
    def index(self) -> EdgeStore:
        """The index it tells."""
        assert isinstance(self.store, EdgeStore)
        return self.store

    def agrees(self) -> bool:
        """Whether the index holds this and nothing else."""
        found = {str(point.payload["product_id"]): point.payload.get("price") for point in self.index.sample(10**6)}
        expected = {name: float(made.price or 0) for name, made in self.expected.items()}
        return found == expected and self.index.count() == len(expected)


def until(reached: Callable[[], bool]) -> None:
    """Wait until it is so; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
