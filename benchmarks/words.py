"""How well words find: `python -m benchmarks.words` (`make bench-words`).

For each kind of query the share of right products among the first ten (of as many as there are) and the share of
queries whose first product is right, on the same index by: pictures alone, words alone (BM25), ranks of both fused (RRF
with k = 10 and k = 60), and weighted sums: with half the weight on words, with slips left as they are, and as searches
do it. Last what a search costs, beside one by pictures alone.
"""

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from backend.domain.filters import Filter
from backend.domain.fusion import DEPTHS, WORDS_SHARE, Terms
from backend.domain.payload import NOT_LEADING, leading_payload, picture_payload, point_id, product_payload
from backend.domain.picture import Vector
from backend.domain.product import Product, ProductKey, ProductRecord
from backend.domain.words import words_of
from backend.ports import Point, Space
from backend.usecases.find_products import FindProducts, Scope
from backend.usecases.understand_words import Understood, understand_words
from backend.vectors.edge_store import EdgeStore
from benchmarks.words_data import Shelf, clothing, demo, encoder
from benchmarks.words_queries import Asked, queries

NEAR = 10
DEPTH = DEPTHS[0]
AS_SEARCHED = f"weighted, {WORDS_SHARE} (as searched)"
Method = Callable[[str], Sequence[str]]
"""A text -> product ids, best first."""


class Rows:
    """Stands for the catalog, of which a search reads the rows of products that are spelt nearly so."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._records = {it.key: ProductRecord(it, (), version=1, indexed_version=1) for it in products}

    def products(self, keys: Sequence[ProductKey]) -> list[ProductRecord]:
        return [self._records[key] for key in keys]


class Methods:
    """The methods on one index. Texts are embedded once."""

    def __init__(self, shelf: Shelf, store: EdgeStore) -> None:
        self._rows: Any = Rows(shelf.products)
        self._store = store
        self._scope = Scope("shop", Filter(), ())
        self._encoder = encoder()
        self._vectors: dict[str, Vector] = {}

    def all(self) -> Mapping[str, Method]:
        return {
            "pictures alone": self.pictures,
            "BM25 alone": self.words,
            "RRF, k = 10": lambda text: self.ranks(text, 10),
            "RRF, k = 60": lambda text: self.ranks(text, 60),
            "weighted, 0.5": lambda text: self.fused(self.understood(text), 0.5),
            "weighted, slips left": lambda text: self.fused(self.literally(text)),
            AS_SEARCHED: lambda text: self.fused(self.understood(text)),
        }

    def pictures(self, text: str) -> Sequence[str]:
        found = self._store.nearest("shop", self.vector(text), Filter(), limit=DEPTH)
        return [match.product_id for match in found]

    def words(self, text: str) -> Sequence[str]:
        found = self._store.worded("shop", words_of(text), Filter(), limit=DEPTH)
        return [match.product_id for match in found]

    def ranks(self, text: str, k: int) -> Sequence[str]:
        scores: defaultdict[str, float] = defaultdict(float)
        for found in (self.pictures(text), self.words(text)):
            for place, product_id in enumerate(found, 1):
                scores[product_id] += 1.0 / (k + place)
        return sorted(scores, key=lambda product_id: (-scores[product_id], product_id))

    def fused(self, said: Understood, words_share: float = WORDS_SHARE) -> Sequence[str]:
        if not said.terms.weights:
            return self.pictures(said.text)
        find = FindProducts(self._store, self._scope, self.vector(said.text))
        lists = find.by_both(said.terms, words_share / WORDS_SHARE)  # as if the share were another
        return [found.match.product_id for found in next(lists)]

    def understood(self, text: str) -> Understood:
        return understand_words(self._store, self._rows, "shop", text)

    def literally(self, text: str) -> Understood:
        """Without a word put right: as if nothing was spelt nearly so."""
        best = {word: self._store.worded("shop", [word], Filter(), limit=1) for word in words_of(text)}
        known = {word: found[0].score for word, found in best.items() if found}
        return Understood(text, Terms(known, unknown=len(best) - len(known)), {})

    def vector(self, text: str) -> Vector:
        if text not in self._vectors:
            self._vectors[text] = self._encoder.embed_texts([text])[0]
        return self._vectors[text]


def filled(shelf: Shelf, folder: Path) -> EdgeStore:
    """An index of the shelf."""
    store = EdgeStore.create(folder, Space("packaged", len(shelf.vectors[0][0]), "0" * 64))
    for of, vectors in zip(shelf.products, shelf.vectors, strict=True):
        facts, points = product_payload(of, 1), []
        for number, vector in enumerate(vectors):
            image = f"{of.key.product_id}/{number}"
            own = NOT_LEADING if number else leading_payload(of)
            points.append(Point(point_id(of.key, image), vector, facts | picture_payload(image) | own))
        store.upsert(points)
    return store


def judged(asked: Sequence[Asked], method: Method) -> dict[str, tuple[float, float]]:
    """Kind -> P@10 and the share of queries whose first product is right."""
    scores: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for query in asked:
        hits = [product_id in query.right for product_id in method(query.text)[:NEAR]]
        scores[query.kind].append((sum(hits) / min(NEAR, len(query.right)), float(bool(hits) and hits[0])))
    return {
        kind: (statistics.fmean(p for p, _ in found), statistics.fmean(first for _, first in found))
        for kind, found in scores.items()
    }


def milliseconds(asked: Sequence[Asked], method: Method) -> float:
    """The median time of a query, its text already embedded."""
    taken = []
    for query in asked:
        begun = time.perf_counter()
        method(query.text)
        taken.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(taken)


def report(shelf: Shelf, console: Console) -> None:
    asked = queries(shelf)
    with tempfile.TemporaryDirectory(prefix="shelfsight-bench-") as scratch:
        store = filled(shelf, Path(scratch) / "index")
        methods = Methods(shelf, store)
        results = {name: judged(asked, method) for name, method in methods.all().items()}
        kinds = list(dict.fromkeys(query.kind for query in asked))
        table = Table("P@10 / first right", *results, title=f"{shelf.name}: {len(shelf.products)} products")
        for kind in kinds:
            count = sum(query.kind == kind for query in asked)
            cells = (f"{found[kind][0]:.2f} / {found[kind][1]:.2f}" for found in results.values())
            table.add_row(f"{kind} ({count})", *cells)
        console.print(table)
        alone, both = (milliseconds(asked, methods.all()[name]) for name in ("pictures alone", AS_SEARCHED))
        console.print(f"median time: {alone:.1f} ms by pictures alone, {both:.1f} ms as searched\n")
        store.close()


def main() -> None:
    console = Console(width=180)
    for shelf in (clothing(), demo()):
        report(shelf, console)


if __name__ == "__main__":
    main()
