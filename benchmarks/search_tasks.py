"""What a shop asks of an index beside the ten best products: words, counts, pages far down."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import chain, islice

from backend.domain.filters import Filter
from backend.domain.picture import Vector
from backend.ports import VectorStore
from backend.usecases.count_facets import facets_over_filter
from backend.usecases.find_products import FindProducts, Scope
from backend.usecases.understand_words import understand_words
from benchmarks.search_questions import WANTED_PRODUCTS, Wanted, domain_filter
from tests.fakes.catalog import FakeCatalog

WORDS = "only products with the words"
HYBRID = "words and looks (hybrid)"
FACETS = "facets of a category"
ALL_FACETS = "facets of everything"
DEEP_PAGE = "the page up to 1,000"
DEEP_HYBRID = "the page up to 1,000, hybrid"
TASKS = (WORDS, HYBRID, FACETS, ALL_FACETS, DEEP_PAGE, DEEP_HYBRID)

DEEP = 1_000
FACET_NAMES = ("brand", "in_stock", "price", "attributes.color")


def tasks_of(store: VectorStore, merchant: str) -> Mapping[str, Callable[[Vector, str, Wanted], int]]:
    """As the use cases of a search do it. The catalog is asked about misspelt words: there are none."""
    nobody = FakeCatalog(lambda: datetime.now(UTC))

    def find(vector: Vector, wanted: Filter) -> FindProducts:
        return FindProducts(store, Scope(merchant, wanted, ()), vector)

    def worded(vector: Vector, text: str, *, looks: bool, number: int) -> int:
        terms = understand_words(store, nobody, merchant, text).terms
        found = find(vector, Filter()).by_both(terms, 1.0, looks=looks)
        return sum(1 for _ in islice(chain.from_iterable(found), number))

    def facets(wanted: Filter) -> int:
        counted = facets_over_filter(store, Scope(merchant, wanted, ()), FACET_NAMES, "EUR")
        return sum(len(values) for values in counted.values())

    return {
        WORDS: lambda vector, text, _: worded(vector, text, looks=False, number=WANTED_PRODUCTS),
        HYBRID: lambda vector, text, _: worded(vector, text, looks=True, number=WANTED_PRODUCTS),
        FACETS: lambda _, __, wanted: facets(domain_filter(wanted)),
        ALL_FACETS: lambda _, __, ___: facets(Filter()),
        DEEP_PAGE: lambda vector, _, __: len(store.nearest(merchant, vector, Filter(), limit=DEEP)),
        DEEP_HYBRID: lambda vector, text, _: worded(vector, text, looks=True, number=DEEP),
    }
