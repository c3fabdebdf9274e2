"""What every `ports.VectorStore` promises, claimed of each kind of `vector_stores`."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain.filters import AnyOf, Between, Filter, Within, matches
from backend.domain.payload import (
    NOT_LEADING,
    Payload,
    leading_payload,
    picture_payload,
    point_id,
    product_part,
    product_payload,
)
from backend.domain.picture import Vector
from backend.domain.product import Product, ProductKey
from backend.domain.query import Match
from backend.domain.words import WordField, pieces_of, words_of
from backend.errors import IndexUnavailable, ShelfsightError
from backend.ports import Point, Space, Tombstone, VectorStore
from backend.vectors.payload import OWN_FIELDS
from tests.contracts.vector_stores import CLIENT, KINDS, opened
from tests.factories import content_hash, key, product
from tests.unit.vectors.points import (
    DIMENSION,
    SPACE,
    clustered,
    point,
    points,
    signs,
    tombstone,
    tombstones,
    toward,
)

# What the client's in-process mode warns of; a server has both.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

EVERYTHING = Filter()
NORTH = toward(1.0)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
"""Later than any tombstone of a test."""


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    """One store a kind for all tests: each test is a merchant of its own."""
    with opened(request.param, tmp_path_factory.mktemp("store")) as it:
        yield it


@pytest.fixture(params=KINDS)
def own_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    """A store for one test alone."""
    with opened(request.param, tmp_path) as it:
        yield it


_numbers = itertools.count()


@pytest.fixture
def merchant() -> str:
    """A merchant nobody used yet."""
    return f"merchant-{next(_numbers)}"


def ids(matches_found: Sequence[Match]) -> list[str]:
    return [match.product_id for match in matches_found]


def admitted(store: VectorStore, merchant: str, wanted: Filter) -> list[str]:
    """The products the filter admits, by id."""
    return sorted(ids(store.nearest(merchant, NORTH, wanted, limit=100)))


@pytest.fixture(scope="module")
def shelf(store: VectorStore) -> tuple[VectorStore, str, list[Product]]:
    """Four products for the filters below."""
    merchant = f"merchant-{next(_numbers)}"
    on_it = [
        product(
            "dress", merchant=merchant, category="clothing/dress/long", brand="Arden", price=Decimal("19.99"),
            attributes={"colour": "red", "sizes": ("s", "m"), "washable": True, "weight": 3, "serial": 2**53 + 1},
        ),
        product(
            "dressing", merchant=merchant, category="clothing/dressing", brand="", price=Decimal(5), currency="USD",
            in_stock=False, attributes={"colour": "red", "weight": "3", "serial": 2**53 + 2},
        ),
        product(
            "coat", merchant=merchant, category="clothing/coat", brand="Corvo", price=Decimal(120),
            attributes={
                "colour": "blue", "sizes": ("m", "l"), "washable": False, "weight": 3.0, "heel-height": 0.1,
                "serial": 2**53,
            },
        ),
        product(
            "blank", merchant=merchant, category="", brand="", price=None, currency=None, in_stock=False,
            attributes={},
        ),
    ]  # fmt: skip
    store.upsert([point(of, toward(1.0, 0.1 * number)) for number, of in enumerate(on_it)])
    return store, merchant, on_it


PICTURES = {"a": toward(1.0), "b": toward(0.0, 1.0), "c": toward(0.0, 0.0, 1.0)}


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[set[str]], list[tuple[str, int]]]:
    """The pictures of a product's versions 1 to n, and what workers write of these: in any order, some of it more than
    once and some never, but all of the newest.
    """
    shown = draw(st.lists(st.sets(st.sampled_from(sorted(PICTURES))), min_size=1, max_size=4))
    each = [(kind, version + 1) for version in range(len(shown)) for kind in ("points", "facts", "tombstones")]
    return shown, draw(st.permutations(draw(st.lists(st.sampled_from(each), max_size=12)) + each[-3:]))


def _said(name: str, merchant: str, title: str, **facts: Any) -> Product:
    """A product found by its title, and by what else is given, alone."""
    return product(name, merchant=merchant, **{"brand": "", "category": "", "attributes": {}, **facts, "title": title})


def _tell(store: VectorStore, of: Product, version: int) -> None:
    """New facts of a product made by `points`, as a worker tells them: the leading point first, by its picture."""
    facts = product_payload(of, version)
    store.set_facts(of.key, facts | leading_payload(of), image=content_hash(f"{of.key.product_id}/picture 0"))
    store.set_facts(of.key, facts | NOT_LEADING)


def _facts(owner: ProductKey, image: str) -> Payload:
    return product_payload(product(owner.product_id, merchant=owner.merchant), 1) | picture_payload(image)


class TestVectorStore:
    # --- writing ------------------------------------------------------------------------------------------------------

    def test_the_space_is_the_one_it_was_made_for(self, store: VectorStore) -> None:
        assert store.space == SPACE

    def test_what_was_upserted_is_found_by_the_next_query(self, store: VectorStore, merchant: str) -> None:
        dress = product("p-1", merchant=merchant)
        store.upsert([point(dress, NORTH)])
        (match,) = store.nearest(merchant, NORTH, EVERYTHING, limit=10)
        assert match.product_id == "p-1"
        assert match.score == pytest.approx(1.0, abs=1e-5)
        assert match.content_hash == content_hash("p-1/front")
        assert match.payload["title"] == dress.title
        assert match.payload["categories"] == ["clothing", "clothing/dress"]
        assert match.payload["attributes"] == {"color": "red"}

    def test_scores_are_cosines(self, store: VectorStore, merchant: str) -> None:
        for number, vector in enumerate([toward(1.0), toward(0.6, 0.8), toward(0.0, 1.0), toward(-1.0)]):
            store.upsert([point(product(f"p{number}", merchant=merchant), vector)])
        found = store.nearest(merchant, np.float32(3.0) * NORTH, EVERYTHING, limit=10)
        assert ids(found) == ["p0", "p1", "p2", "p3"]
        assert [match.score for match in found] == pytest.approx([1.0, 0.6, 0.0, -1.0], abs=1e-5)

    def test_a_point_upserted_again_is_replaced_whole(self, store: VectorStore, merchant: str) -> None:
        store.upsert([point(product(merchant=merchant, attributes={"size": "m"}), toward(0.0, 1.0))])
        store.upsert([point(product(merchant=merchant, attributes={"fit": "slim"}, price=None), NORTH, version=2)])
        (match,) = store.nearest(merchant, NORTH, EVERYTHING, limit=10)
        assert match.score == pytest.approx(1.0, abs=1e-5)
        assert match.payload["attributes"] == {"fit": "slim"}
        assert match.payload["version"] == 2
        assert store.count(merchant) == 1

    def test_more_points_than_a_batch_are_all_written(self, store: VectorStore, merchant: str) -> None:
        store.upsert(points(product(merchant=merchant), signs(1, 150)))
        assert store.count(merchant) == 150

    def test_upserting_nothing_changes_nothing(self, store: VectorStore, merchant: str) -> None:
        store.upsert([])
        assert store.count(merchant) == 0

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda good: good * np.float32(np.nan), id="not a number"),
            pytest.param(lambda good: np.where(good > 0, np.float32(np.inf), good), id="infinite"),
            pytest.param(lambda good: good * np.float32(0), id="zero"),
            pytest.param(lambda good: good * np.float32(1.01), id="not of unit length"),
            pytest.param(lambda good: good[:-1], id="of another dimension"),
            pytest.param(lambda good: good.reshape(1, -1), id="a row"),
        ],
    )
    def test_an_unusable_vector_is_refused_and_nothing_of_its_call_is_written(
        self, store: VectorStore, merchant: str, spoil: Callable[[Vector], Vector]
    ) -> None:
        many = points(product(merchant=merchant), signs(2, 70))
        bad = point(product("bad", merchant=merchant), spoil(NORTH))
        with pytest.raises(ShelfsightError) as refusal:
            store.upsert([*many, bad])
        assert refusal.value.code == "internal"
        assert store.count(merchant) == 0

    @pytest.mark.parametrize(
        "fact", [float("nan"), float("-inf"), 10**400, "\ud800", b"bytes", [float("nan")], {"deep": {1}}], ids=repr
    )
    def test_a_fact_that_is_not_json_is_refused_and_changes_nothing(
        self, store: VectorStore, merchant: str, fact: object
    ) -> None:
        good = point(product(merchant=merchant, title="as it was"), NORTH)
        store.upsert([good])
        with pytest.raises(ShelfsightError) as refusal:
            store.upsert([Point(good.point_id, NORTH, good.payload | {"version": 2, "title": "new", "fact": fact})])
        assert refusal.value.code == "internal"
        with pytest.raises(ShelfsightError):
            store.set_facts(key(merchant=merchant), {"version": 2, "title": "new", "fact": fact})
        (match,) = store.nearest(merchant, NORTH, EVERYTHING, limit=1)
        assert match.payload["title"] == "as it was"

    def test_an_id_that_is_no_uuid_is_refused(self, store: VectorStore, merchant: str) -> None:
        good = point(product(merchant=merchant), NORTH)
        with pytest.raises(ShelfsightError) as refusal:
            store.upsert([good, Point("p-1", NORTH, good.payload)])
        assert refusal.value.code == "internal"
        assert store.count(merchant) == 0

    # --- facts --------------------------------------------------------------------------------------------------------

    def test_facts_are_merged_into_every_point_and_vectors_are_left_alone(
        self, store: VectorStore, merchant: str
    ) -> None:
        store.upsert(points(product("p-1", merchant=merchant, in_stock=True), signs(3, 5)))
        store.upsert(points(product("p-2", merchant=merchant, in_stock=True), signs(4, 2)))
        before = store.vectors_of(key("p-1", merchant))
        store.set_facts(
            key("p-1", merchant), {"version": 2, "in_stock": 0, "price": 12.5, "attributes": {"color": "blue"}}
        )
        after = store.vectors_of(key("p-1", merchant))
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[image], after[image]) for image in before)
        assert admitted(store, merchant, Filter(must=(AnyOf("in_stock", (False,)),))) == ["p-1"]
        assert admitted(store, merchant, Filter(must=(Between("price", gte=12.5, lte=12.5),))) == ["p-1"]
        changed, other = sorted(store.nearest(merchant, NORTH, EVERYTHING, limit=2), key=lambda match: match.product_id)
        assert changed.payload["title"] == "Linen dress"
        assert changed.payload["attributes"] == {"color": "blue"}
        assert other.payload["attributes"] == {"color": "red"}

    def test_a_fact_set_to_none_is_gone_and_so_is_one_that_was_never_there(
        self, store: VectorStore, merchant: str
    ) -> None:
        store.upsert([point(product("had", merchant=merchant, price=Decimal(5)), NORTH)])
        store.upsert([point(product("never", merchant=merchant, price=None), NORTH)])
        store.set_facts(key("had", merchant), {"version": 2, "price": None})
        assert admitted(store, merchant, Filter(must=(Between("price", gte=0),))) == []
        for match in store.nearest(merchant, NORTH, EVERYTHING, limit=2):
            assert "price" not in match.payload

    def test_facts_of_a_product_that_is_not_there_change_nothing(self, store: VectorStore, merchant: str) -> None:
        store.upsert([point(product("p-1", merchant=merchant), NORTH)])
        store.set_facts(key("p-2", merchant), {"version": 2, "title": "new"})
        assert store.count(merchant) == 1
        assert store.nearest(merchant, NORTH, EVERYTHING, limit=1)[0].payload["title"] == "Linen dress"

    # --- versions -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("version", [1, 4, 5])
    def test_a_writer_who_is_late_or_comes_twice_changes_nothing(
        self, store: VectorStore, merchant: str, version: int
    ) -> None:
        store.upsert([point(product(merchant=merchant, title="as it is"), NORTH, version=5)])
        store.upsert([point(product(merchant=merchant, title="as it was"), toward(0.0, 1.0), version=version)])
        store.set_facts(key(merchant=merchant), {"version": version, "title": "as it was"})
        (match,) = store.nearest(merchant, NORTH, EVERYTHING, limit=10)
        assert (match.payload["title"], match.payload["version"]) == ("as it is", 5)
        assert match.score == pytest.approx(1.0, abs=1e-5)

    def test_of_one_call_some_may_be_late_and_others_not(self, store: VectorStore, merchant: str) -> None:
        numbers = range(70)  # more than a batch, of many versions
        named = [product(f"p{number:02}", merchant=merchant) for number in numbers]
        store.upsert([point(of, NORTH, version=10) for of in named])
        changed = [replace(of, title="changed") for of in named]
        store.upsert([point(of, NORTH, version=number) for number, of in enumerate(changed)])
        found = sorted(store.nearest(merchant, NORTH, EVERYTHING, limit=100), key=lambda match: match.product_id)
        assert [match.payload["version"] for match in found] == [max(number, 10) for number in numbers]
        assert [match.payload["title"] == "changed" for match in found] == [number > 10 for number in numbers]

    @pytest.mark.parametrize("order", list(itertools.permutations([3, 4, 5])), ids=str)
    def test_of_one_point_several_times_in_a_call_the_newest_stays(
        self, store: VectorStore, merchant: str, order: Sequence[int]
    ) -> None:
        store.upsert([point(product(merchant=merchant, title=f"title {n}"), NORTH, version=n) for n in order])
        (match,) = store.nearest(merchant, NORTH, EVERYTHING, limit=10)
        assert (match.payload["title"], match.payload["version"]) == ("title 5", 5)
        buried = product("buried", merchant=merchant)
        store.bury([tombstone(buried, version=version) for version in order])
        store.upsert([point(buried, NORTH, version=4)])
        assert admitted(store, merchant, EVERYTHING) == ["p-1"]

    def test_facts_reach_only_the_points_that_are_older(self, store: VectorStore, merchant: str) -> None:
        of = product(merchant=merchant, title="first")
        store.upsert([point(of, NORTH, "old", version=1), point(of, toward(0.0, 1.0), "new", version=3)])
        store.set_facts(of.key, {"version": 2, "title": "second"})
        titles = [
            store.nearest(merchant, toward(*direction), EVERYTHING, limit=1)[0].payload["title"]
            for direction in [(1.0,), (0.0, 1.0)]
        ]
        assert titles == ["second", "first"]

    @pytest.mark.parametrize("facts", [{}, {"version": None}, {"version": "2"}, {"version": 2.0}], ids=str)
    def test_nothing_is_written_without_a_version(self, store: VectorStore, merchant: str, facts: Payload) -> None:
        good = point(product(merchant=merchant, title="as it was"), NORTH)
        store.upsert([good])
        unversioned = {name: value for name, value in good.payload.items() if name != "version"} | facts
        with pytest.raises(ShelfsightError, match="version"):
            store.upsert([point(product("other", merchant=merchant), NORTH), Point(good.point_id, NORTH, unversioned)])
        with pytest.raises(ShelfsightError, match="version"):
            store.set_facts(key(merchant=merchant), unversioned)
        assert store.count(merchant) == 1

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(history=histories())
    def test_the_newest_version_is_what_stays_whatever_else_was_written_in_whatever_order(
        self, store: VectorStore, history: tuple[list[set[str]], list[tuple[str, int]]]
    ) -> None:
        shown, writes = history
        merchant = f"merchant-{next(_numbers)}"
        for kind, version in writes:
            of, pictures = product(merchant=merchant, title=f"title {version}"), shown[version - 1]
            if kind == "points":
                store.upsert([point(of, PICTURES[name], name, version) for name in sorted(pictures)])
            elif kind == "facts":
                store.set_facts(of.key, product_payload(of, version))
            else:
                store.bury([tombstone(of, name, version) for name in PICTURES if name not in pictures])
        assert set(store.vectors_of(key(merchant=merchant))) == {content_hash(f"p-1/{name}") for name in shown[-1]}
        assert store.count(merchant) == len(shown[-1])
        for name in shown[-1]:
            (match,) = store.nearest(merchant, PICTURES[name], EVERYTHING, limit=1)
            assert match.score == pytest.approx(1.0, abs=1e-5)
            assert (match.payload["version"], match.payload["title"]) == (len(shown), f"title {len(shown)}")

    # --- tombstones ---------------------------------------------------------------------------------------------------

    def test_a_buried_picture_is_nowhere_and_the_others_stay(self, store: VectorStore, merchant: str) -> None:
        of = product(merchant=merchant)
        store.upsert(points(of, signs(5, 5)))
        store.bury(tombstones(of, 3))
        assert len(store.vectors_of(of.key)) == store.count(merchant) == 2
        store.bury(tombstones(of, 5))
        store.bury([])
        assert dict(store.vectors_of(of.key)) == {}
        assert store.nearest(merchant, NORTH, EVERYTHING, limit=10) == []
        assert store.nearest(merchant, NORTH, Filter(must=(Between("version"),)), limit=10) == []
        assert store.count(merchant) == 0

    def test_products_of_several_merchants_are_buried_in_one_call(self, store: VectorStore, merchant: str) -> None:
        here, there = f"{merchant}-here", f"{merchant}-there"
        for place in (here, there):
            store.upsert([point(product(name, merchant=place), NORTH) for name in ("a", "b")])
        store.bury([tombstone(product("a", merchant=here)), tombstone(product("b", merchant=there))])
        assert [admitted(store, place, EVERYTHING) for place in (here, there)] == [["b"], ["a"]]

    def test_a_late_writer_does_not_bring_a_removed_picture_back(self, store: VectorStore, merchant: str) -> None:
        there, never_there = product("there", merchant=merchant), product("never", merchant=merchant)
        store.upsert([point(there, NORTH, version=3)])
        store.bury([tombstone(there, version=5), tombstone(never_there, version=5)])
        for version in (3, 4, 5):
            store.upsert([point(there, NORTH, version=version), point(never_there, NORTH, version=version)])
            store.set_facts(there.key, {"version": version, "merchant": merchant, "product_id": "there"})
        assert store.count(merchant) == 0

    def test_a_newer_version_brings_a_removed_picture_back(self, store: VectorStore, merchant: str) -> None:
        of = product(merchant=merchant)
        store.bury([tombstone(of, version=5)])
        store.upsert([point(of, toward(0.6, 0.8), version=6)])
        (match,) = store.nearest(merchant, NORTH, EVERYTHING, limit=10)
        assert match.score == pytest.approx(0.6, abs=1e-5)
        assert match.payload["version"] == 6
        store.purge_tombstones(NEVER)
        assert store.count(merchant) == 1

    def test_a_late_tombstone_changes_nothing(self, store: VectorStore, merchant: str) -> None:
        of = product(merchant=merchant)
        store.upsert([point(of, NORTH, version=6)])
        store.bury([tombstone(of, version=5)])
        assert store.count(merchant) == 1

    def test_a_picture_is_buried_though_its_products_new_facts_came_first(
        self, store: VectorStore, merchant: str
    ) -> None:
        of = product(merchant=merchant)
        store.upsert([point(of, NORTH, "kept", version=1), point(of, NORTH, "gone", version=1)])
        store.set_facts(of.key, {"version": 2, "title": "new"})
        store.bury([tombstone(of, "gone", version=2)])
        assert list(store.vectors_of(of.key)) == [content_hash("p-1/kept")]

    def test_only_tombstones_put_before_the_moment_are_purged(self, store: VectorStore, merchant: str) -> None:
        early, late, alive = (product(name, merchant=merchant) for name in ("early", "late", "alive"))
        store.upsert([point(alive, NORTH, version=1)])
        store.bury([tombstone(early, version=5)])
        moment = datetime.now(UTC)
        store.bury([tombstone(late, version=5)])
        store.purge_tombstones(moment)
        store.upsert([point(early, NORTH, version=4), point(late, NORTH, version=4)])
        assert admitted(store, merchant, EVERYTHING) == ["alive", "early"]

    def test_tombstones_are_counted_nowhere_however_many_there_are(self, own_store: VectorStore) -> None:
        of = product()
        own_store.upsert(points(of, signs(5, 10)))
        own_store.bury(tombstones(of, 1500))
        own_store.upsert(points(product("other"), signs(6, 3)))
        assert (own_store.count(), own_store.count("shop")) == (3, 3)
        own_store.purge_tombstones(NEVER)
        own_store.purge_tombstones(NEVER)
        assert (own_store.count(), own_store.count("shop")) == (3, 3)
        own_store.upsert(points(of, signs(5, 10)))
        assert own_store.count() == 13

    # --- reading back -------------------------------------------------------------------------------------------------

    def test_vectors_are_given_back_by_content_hash(self, store: VectorStore, merchant: str) -> None:
        wanted = signs(6, 100)  # more than are read at once
        written = points(product(merchant=merchant), wanted)
        store.upsert(written)
        found = store.vectors_of(key(merchant=merchant))
        assert set(found) == {written_point.payload["image"] for written_point in written}
        for written_point in written:
            vector = found[str(written_point.payload["image"])]
            assert vector.dtype == np.float32
            np.testing.assert_allclose(vector, written_point.vector, atol=1e-6)

    def test_which_pictures_products_have_is_told_of_many_at_once(self, store: VectorStore, merchant: str) -> None:
        names = [f"p{number}" for number in range(90)]  # more than are asked for at once, and more points than are read
        shown = [product(name, merchant=merchant) for name in names]
        for number, each in enumerate(shown):
            store.upsert(points(each, signs(number, 1 + number % 4)))
        other = product("p1", merchant=f"{merchant}-other")
        store.upsert(points(other, signs(1, 2)))
        store.bury([tombstone(shown[3], "picture 0"), tombstone(shown[4], "picture 0")])
        keys = [each.key for each in shown]
        found = store.images_of([*keys, other.key, key("absent", merchant)])
        expected = {
            each.key: {content_hash(f"{each.key.product_id}/picture {n}") for n in range(1 + number % 4)}
            for number, each in enumerate(shown)
        }
        expected[keys[3]].remove(content_hash("p3/picture 0"))
        expected[keys[4]].clear()
        expected |= {other.key: {content_hash(f"p1/picture {n}") for n in range(2)}, key("absent", merchant): set()}
        assert found == expected
        assert store.images_of([]) == {}

    def test_an_unknown_product_has_no_vectors(self, store: VectorStore, merchant: str) -> None:
        assert dict(store.vectors_of(key("absent", merchant))) == {}

    def test_vectors_are_found_by_content_whoever_shows_it(self, store: VectorStore, merchant: str) -> None:
        images = [content_hash(f"{merchant}/{number}") for number in range(100)]
        here, there = key("a", f"{merchant}-here"), key("b", f"{merchant}-there")
        vectors = signs(7, 100)
        for owner in (here, there):
            store.upsert(
                [
                    Point(point_id(owner, image), vector, _facts(owner, image))
                    for image, vector in zip(images[:80], vectors, strict=False)
                ]
            )
        store.bury([Tombstone(here, image, 2) for image in images[:60]])
        store.bury([Tombstone(there, image, 2) for image in images[40:80]])
        found = store.vectors_by_content([*images, images[0], "no hash"])
        assert set(found) == {*images[:40], *images[60:80]}
        for image, vector in found.items():
            assert vector.dtype == np.float32
            np.testing.assert_allclose(vector, vectors[images.index(image)], atol=1e-6)

    def test_no_content_has_no_vectors(self, store: VectorStore) -> None:
        assert dict(store.vectors_by_content([])) == {}

    def test_points_are_counted_by_merchant_and_in_all(self, own_store: VectorStore) -> None:
        own_store.upsert(points(product(merchant="a"), signs(1, 3)) + points(product(merchant="b"), signs(2, 2)))
        own_store.bury([tombstone(product(merchant="a"), "picture 0"), tombstone(product(merchant="a"), "never there")])
        own_store.set_facts(key(merchant="b"), {"version": 2, "title": "new"})
        assert (own_store.count("a"), own_store.count("b"), own_store.count("c"), own_store.count()) == (2, 2, 0, 4)

    def test_merchants_never_mix(self, store: VectorStore, merchant: str) -> None:
        mine, theirs = f"{merchant}-1", f"{merchant}-11"
        store.upsert([point(product("p-1", merchant=mine, title="mine"), NORTH)])
        store.upsert([point(product("p-1", merchant=theirs, title="theirs"), toward(0.0, 1.0))])
        store.set_facts(key("p-1", theirs), {"version": 2, "brand": "Corvo"})
        (match,) = store.nearest(mine, NORTH, EVERYTHING, limit=10)
        assert (match.payload["title"], match.payload["brand"]) == ("mine", "Arden")
        assert len(store.vectors_of(key("p-1", mine))) == 1
        no_merchant_can_be_named = Filter(any_of=(EVERYTHING, Filter(must=(AnyOf("merchant", (theirs,)),))))
        assert len(store.nearest(mine, NORTH, no_merchant_can_be_named, limit=10)) == 1
        store.bury([tombstone(product("p-1", merchant=theirs))])
        assert admitted(store, mine, EVERYTHING) == ["p-1"]
        assert admitted(store, theirs, EVERYTHING) == []

    # --- filters ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (Filter(), ["blank", "coat", "dress", "dressing"]),
            (Filter(must=(AnyOf("brand", ("Arden",)),)), ["dress"]),
            (Filter(must=(AnyOf("brand", ("Arden", "Corvo")),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("brand", ()),)), []),
            (Filter(must_not=(AnyOf("brand", ()),)), ["blank", "coat", "dress", "dressing"]),
            (Filter(must_not=(AnyOf("brand", ("Arden",)),)), ["blank", "coat", "dressing"]),
            (Filter(must=(AnyOf("product_id", ("coat", "blank")),)), ["blank", "coat"]),
            (Filter(must=(AnyOf("currency", ("EUR",)),)), ["coat", "dress"]),
            (Filter(must_not=(AnyOf("currency", ("EUR",)),)), ["blank", "dressing"]),
            (Filter(must=(AnyOf("in_stock", (True,)),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("in_stock", (False,)),)), ["blank", "dressing"]),
            (Filter(must=(AnyOf("in_stock", (1,)),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("in_stock", (1.0,)),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("in_stock", ("1",)),)), []),
            (Filter(must=(AnyOf("in_stock", (0.5,)),)), []),
            (Filter(must=(Within(("clothing",)),)), ["coat", "dress", "dressing"]),
            (Filter(must=(Within(("clothing/dress",)),)), ["dress"]),
            (Filter(must=(Within(("clothing/dress/long",)),)), ["dress"]),
            (Filter(must=(Within(("clothing/dre",)),)), []),
            (Filter(must=(Within(("clothing/dressing", "clothing/coat")),)), ["coat", "dressing"]),
            (Filter(must=(Within(()),)), []),
            (Filter(must_not=(Within(("clothing/dress",)),)), ["blank", "coat", "dressing"]),
            (Filter(must=(AnyOf("category", ("clothing/dress",)),)), []),
            (Filter(must=(Between("price", gte=19.99),)), ["coat", "dress"]),
            (Filter(must=(Between("price", gt=19.99),)), ["coat"]),
            (Filter(must=(Between("price", lte=19.99),)), ["dress", "dressing"]),
            (Filter(must=(Between("price", lt=19.99),)), ["dressing"]),
            (Filter(must=(Between("price", gte=5, lt=100),)), ["dress", "dressing"]),
            (Filter(must=(Between("price"),)), ["coat", "dress", "dressing"]),
            (Filter(must=(Between("price", lt=float("inf")),)), ["coat", "dress", "dressing"]),
            (Filter(must=(Between("price", gt=float("inf")),)), []),
            (Filter(must=(Between("price", gt=float("nan")),)), []),
            (Filter(must_not=(Between("price", gte=0),)), ["blank"]),
            (Filter(must=(AnyOf("price", (19.99,)),)), ["dress"]),
            (Filter(must=(AnyOf("price", (120,)),)), ["coat"]),
            (Filter(must=(AnyOf("attributes.colour", ("red",)),)), ["dress", "dressing"]),
            (Filter(must=(AnyOf("attributes.sizes", ("m",)),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("attributes.sizes", ("xl", "l")),)), ["coat"]),
            (Filter(must_not=(AnyOf("attributes.sizes", ("m",)),)), ["blank", "dressing"]),
            (Filter(must=(AnyOf("attributes.washable", (True,)),)), ["dress"]),
            (Filter(must=(AnyOf("attributes.washable", (False,)),)), ["coat"]),
            (Filter(must=(AnyOf("attributes.washable", (1, "true", 0)),)), []),
            (Filter(must=(AnyOf("attributes.washable", (False, True, 3)),)), ["coat", "dress"]),
            (Filter(must=(Between("attributes.washable", gte=0),)), []),
            (Filter(must=(AnyOf("attributes.weight", (3,)),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("attributes.weight", (3.0,)),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("attributes.weight", ("3",)),)), ["dressing"]),
            (Filter(must=(AnyOf("attributes.weight", ("3", 3)),)), ["coat", "dress", "dressing"]),
            (Filter(must=(AnyOf("attributes.weight", (10**400,)),)), []),
            (Filter(must=(AnyOf("attributes.serial", (2**53 + 1,)),)), ["dress"]),
            (Filter(must=(Between("attributes.weight", gt=2.5, lte=3),)), ["coat", "dress"]),
            (Filter(must=(Between("attributes.weight"),)), ["coat", "dress"]),
            (Filter(must=(AnyOf("attributes.heel-height", (0.1,)),)), ["coat"]),
            (Filter(must=(AnyOf("attributes.absent", ("red", 1)),)), []),
            (Filter(must_not=(AnyOf("attributes.absent", ("red",)),)), ["blank", "coat", "dress", "dressing"]),
            (Filter(must=(AnyOf("brand", ("Arden",)), Between("price", gt=50))), []),
            (
                Filter(any_of=(Filter(must=(AnyOf("brand", ("Arden",)),)), Filter(must=(Between("price", gt=50),)))),
                ["coat", "dress"],
            ),
            (
                Filter(must=(Within(("clothing",)),), any_of=(Filter(must=(AnyOf("in_stock", (False,)),)),)),
                ["dressing"],
            ),
            (
                Filter(must_not=(Filter(must=(Within(("clothing",)), AnyOf("in_stock", (True,)))),)),
                ["blank", "dressing"],
            ),
            (Filter(must_not=(Filter(must_not=(AnyOf("brand", ("Arden",)),)),)), ["dress"]),
            (Filter(any_of=(Filter(),)), ["blank", "coat", "dress", "dressing"]),
            (Filter(must_not=(Filter(),)), []),
        ],
    )
    def test_a_filter_admits_what_it_says(
        self, shelf: tuple[VectorStore, str, list[Product]], wanted: Filter, expected: list[str]
    ) -> None:
        store, merchant, on_it = shelf
        assert admitted(store, merchant, wanted) == expected
        facts = {of.key.product_id: point(of, NORTH).payload for of in on_it}
        assert sorted(name for name in facts if matches(facts[name], wanted)) == expected

    # --- ranking ------------------------------------------------------------------------------------------------------

    def test_a_product_is_found_once_by_its_best_picture(self, store: VectorStore, merchant: str) -> None:
        close, far = product("close", merchant=merchant), product("far", merchant=merchant)
        store.upsert([point(close, toward(1.0, 0.5), "side"), point(close, toward(1.0, 0.1), "front")])
        store.upsert([point(far, toward(1.0, 0.3), "front"), point(far, toward(1.0, 2.0), "side")])
        first, second = store.nearest(merchant, NORTH, EVERYTHING, limit=10)
        assert (first.product_id, first.content_hash) == ("close", content_hash("close/front"))
        assert (second.product_id, second.content_hash) == ("far", content_hash("far/front"))

    def test_one_product_with_very_many_pictures_does_not_hide_the_others(
        self, store: VectorStore, merchant: str
    ) -> None:
        store.upsert(points(product("many", merchant=merchant), [toward(1.0, 0.0001 * n) for n in range(2100)]))
        store.upsert([point(product("one", merchant=merchant), toward(0.0, 1.0))])
        assert ids(store.nearest(merchant, NORTH, EVERYTHING, limit=2)) == ["many", "one"]

    def test_equal_scores_are_ordered_by_the_ids_of_points(self, store: VectorStore, merchant: str) -> None:
        fewer_than_candidates = 200
        written = [point(product(f"p{n:04}", merchant=merchant), NORTH) for n in range(fewer_than_candidates)]
        store.upsert(written)
        expected = [each.payload["product_id"] for each in sorted(written, key=lambda each: each.point_id)]
        for limit in (1, 40, 1000):
            assert ids(store.nearest(merchant, NORTH, EVERYTHING, limit=limit)) == expected[:limit]

    def test_of_more_equal_scores_than_are_compared_some_come_the_same_for_every_page(
        self, store: VectorStore, merchant: str
    ) -> None:
        store.upsert([point(product(f"p{n:04}", merchant=merchant), NORTH) for n in range(2100)])
        deepest = ids(store.nearest(merchant, NORTH, EVERYTHING, limit=1000))
        assert len(set(deepest)) == 1000
        for limit in (1, 40, 300):
            assert ids(store.nearest(merchant, NORTH, EVERYTHING, limit=limit)) == deepest[:limit]

    def test_a_deeper_page_begins_with_the_shallower_ones_to_a_thousand(
        self, store: VectorStore, merchant: str
    ) -> None:
        vectors, query = signs(7, 2000), signs(8, 1)[0]
        best: dict[str, float] = {}
        written = []
        for number, vector in enumerate(vectors):  # 1,200 products with one or two pictures
            name = f"p{(number * 7919) % 1200:04}"
            written.append(point(product(name, merchant=merchant), vector, f"picture {number}"))
            best[name] = max(best.get(name, -1.0), float(vector.astype(float) @ query.astype(float)))
        store.upsert(written)
        first = {str(each.payload["product_id"]): product_part(UUID(each.point_id)) for each in written}
        expected = sorted(best, key=lambda name: (-best[name], first[name]))
        for limit in (1, 24, 100, 128, 129, 500, 1000):
            found = store.nearest(merchant, query, EVERYTHING, limit=limit)
            assert ids(found) == expected[:limit]
            assert [match.score for match in found] == pytest.approx([best[name] for name in ids(found)], abs=1e-6)

    @pytest.mark.parametrize("limit", [0, -1])
    def test_nothing_wanted_is_nothing_found(self, store: VectorStore, merchant: str, limit: int) -> None:
        store.upsert([point(product(merchant=merchant), NORTH)])
        assert store.nearest(merchant, NORTH, EVERYTHING, limit=limit) == []

    def test_an_unknown_merchant_has_no_matches(self, store: VectorStore) -> None:
        assert store.nearest("nobody", NORTH, EVERYTHING, limit=10) == []

    def test_excluded_products_are_left_out_and_others_move_up(self, store: VectorStore, merchant: str) -> None:
        store.upsert([point(product(f"p{n}", merchant=merchant), toward(1.0, 0.1 * n)) for n in range(6)])
        found = store.nearest(merchant, NORTH, EVERYTHING, limit=3, exclude=["p0", "p2", "absent"])
        assert ids(found) == ["p1", "p3", "p4"]

    @pytest.mark.parametrize(
        "query", [NORTH * 0, NORTH * np.float32(np.nan), NORTH[:-1]], ids=["zero", "not a number", "another dimension"]
    )
    def test_a_query_without_a_direction_in_the_space_is_refused(self, store: VectorStore, query: Vector) -> None:
        with pytest.raises(ShelfsightError) as refusal:
            store.nearest("shop", query, EVERYTHING, limit=1)
        assert refusal.value.code == "internal"

    # --- words --------------------------------------------------------------------------------------------------------

    def test_a_rarer_word_weighs_more(self, store: VectorStore, merchant: str) -> None:
        titles = {"common": "boot", "rare": "zibeline", **{f"other-{number}": "boot" for number in range(6)}}
        store.upsert([point(_said(name, merchant, title), NORTH) for name, title in titles.items()])
        found = store.worded(merchant, words_of("boot zibeline"), EVERYTHING, limit=10)
        assert found[0].product_id == "rare"
        assert found[0].score > found[1].score > 0.0
        assert sorted(match.product_id for match in found) == sorted(titles)

    def test_more_of_the_words_are_better_than_one(self, store: VectorStore, merchant: str) -> None:
        for name, title in {"both": "velvet quilt", "one": "velvet chair", "other": "oak chair"}.items():
            store.upsert([point(_said(name, merchant, title), NORTH)])
        found = store.worded(merchant, words_of("Quilt, VELVET"), EVERYTHING, limit=10)
        assert [match.product_id for match in found] == ["both", "one"]

    @pytest.mark.parametrize("asked", ["AB-1207", "ab1207", "Ab 1207"])
    def test_a_code_finds_its_product(self, store: VectorStore, merchant: str, asked: str) -> None:
        for number in range(1200, 1216):
            of = _said(f"p-{number}", merchant, "Chair", attributes={"code": f"AB-{number}"})
            store.upsert([point(of, NORTH)])
        assert store.worded(merchant, words_of(asked), EVERYTHING, limit=3)[0].product_id == "p-1207"

    def test_a_misspelling_finds_its_word_by_its_pieces(self, store: VectorStore, merchant: str) -> None:
        for name, title in {"sofa": "chesterfield sofa", "lamp": "chrome lamp", "desk": "field desk"}.items():
            store.upsert([point(_said(name, merchant, title), NORTH)])
        assert store.worded(merchant, words_of("chesterfeild"), EVERYTHING, limit=3) == []
        pieces = pieces_of(words_of("chesterfeild"))
        found = store.worded(merchant, pieces, EVERYTHING, limit=3, field=WordField.SPELLING)
        assert found[0].product_id == "sofa"

    def test_words_find_products_not_pictures(self, store: VectorStore, merchant: str) -> None:
        store.upsert(points(_said("many", merchant, "teapot"), signs(11, 9)))
        store.upsert([point(_said("one", merchant, "teapot"), NORTH)])
        found = store.worded(merchant, ["teapot"], EVERYTHING, limit=10)
        assert [match.product_id for match in found] == ["many", "one"]
        assert found[0].score == pytest.approx(found[1].score)

    def test_words_are_found_for_the_merchant_under_the_filter_and_without_the_excluded(
        self, store: VectorStore, merchant: str
    ) -> None:
        theirs = f"{merchant}-theirs"
        for owner in (merchant, theirs):
            for name, price in (("cheap", 5), ("dear", 500), ("deleted", 5)):
                store.upsert([point(_said(name, owner, "carafe", price=Decimal(price)), NORTH)])
        store.upsert([point(_said("only-theirs", theirs, "carafe"), NORTH)])
        wanted = Filter(must=(Between("price", lt=100),))
        found = store.worded(merchant, ["carafe"], wanted, limit=10, exclude=["deleted"])
        assert [match.product_id for match in found] == ["cheap"]

    @pytest.mark.parametrize(("terms", "limit"), [([], 10), (["carafe"], 0), (["nowhere"], 10)], ids=str)
    def test_without_words_or_room_nothing_is_found(
        self, store: VectorStore, merchant: str, terms: list[str], limit: int
    ) -> None:
        store.upsert([point(_said("p-1", merchant, "carafe"), NORTH)])
        assert store.worded(merchant, terms, EVERYTHING, limit=limit) == []

    def test_the_same_words_find_the_same_on_a_still_index_however_many_tie(
        self, store: VectorStore, merchant: str
    ) -> None:
        store.upsert([point(_said(f"p{number:03}", merchant, "goblet"), NORTH) for number in range(150)])
        found = store.worded(merchant, ["goblet"], EVERYTHING, limit=100)
        assert len({match.product_id for match in found}) == 100
        assert found == store.worded(merchant, ["goblet"], EVERYTHING, limit=100)

    def test_new_words_are_found_and_the_old_ones_no_more(self, store: VectorStore, merchant: str) -> None:
        before, after = _said("p-1", merchant, "settle"), _said("p-1", merchant, "divan")
        store.upsert(points(before, signs(12, 3)))
        _tell(store, after, version=2)
        assert store.worded(merchant, ["settle"], EVERYTHING, limit=5) == []
        assert [match.product_id for match in store.worded(merchant, ["divan"], EVERYTHING, limit=5)] == ["p-1"]

    def test_the_facts_of_one_picture_are_set_alone(self, store: VectorStore, merchant: str) -> None:
        of = product(merchant=merchant, title="both")
        store.upsert([point(of, NORTH, "front"), point(of, toward(0.0, 1.0), "side")])
        store.set_facts(of.key, {"version": 2, "title": "one"}, image=content_hash("p-1/side"))
        store.set_facts(of.key, {"version": 3, "title": "none"}, image=content_hash("p-1/absent"))
        titles = [
            store.nearest(merchant, toward(*direction), EVERYTHING, limit=1)[0].payload["title"]
            for direction in [(1.0,), (0.0, 1.0)]
        ]
        assert titles == ["both", "one"]

    def test_what_only_the_index_is_asked_by_is_no_fact_of_a_match(self, store: VectorStore, merchant: str) -> None:
        store.upsert([point(product(merchant=merchant), NORTH)])
        (match,) = store.nearest(merchant, NORTH, EVERYTHING, limit=1)
        assert match.payload.keys().isdisjoint(OWN_FIELDS)
        (sampled,) = store.sample(5, merchant)
        assert sampled.payload.keys().isdisjoint(OWN_FIELDS)

    # --- counts and extremes ------------------------------------------------------------------------------------------

    def test_facets_count_products_not_pictures(self, store: VectorStore, merchant: str) -> None:
        store.upsert(points(product("a", merchant=merchant, brand="Arden"), signs(13, 5)))
        store.upsert(points(product("b", merchant=merchant, brand="Corvo"), signs(14, 1)))
        store.upsert(points(product("c", merchant=merchant, brand="Corvo", in_stock=False), signs(15, 2)))
        assert store.facet(merchant, "brand", EVERYTHING, limit=10) == [("Corvo", 2), ("Arden", 1)]
        assert store.facet(merchant, "in_stock", EVERYTHING, limit=10) == [(1, 2), (0, 1)]
        assert store.count_products(merchant, EVERYTHING) == 3

    def test_a_facet_of_a_list_counts_a_product_once_for_each_entry(self, store: VectorStore, merchant: str) -> None:
        store.upsert([point(product("a", merchant=merchant, category="clothing/dress/long"), NORTH)])
        store.upsert([point(product("b", merchant=merchant, category="clothing/coat"), NORTH)])
        assert store.facet(merchant, "categories", EVERYTHING, limit=10) == [
            ("clothing", 2), ("clothing/coat", 1), ("clothing/dress", 1), ("clothing/dress/long", 1),
        ]  # fmt: skip
        assert len(store.facet(merchant, "categories", EVERYTHING, limit=1)) == 1
        assert store.facet(merchant, "categories", EVERYTHING, limit=0) == []

    def test_counts_are_of_the_merchant_under_the_filter_and_without_the_excluded(
        self, store: VectorStore, merchant: str
    ) -> None:
        theirs = f"{merchant}-theirs"
        for owner in (merchant, theirs):
            for name, price in (("cheap", "5.5"), ("dear", "500"), ("gone", "1"), ("free", None)):
                of = product(name, merchant=owner, price=None if price is None else Decimal(price))
                store.upsert(points(of, signs(16, 2)))
        store.upsert([point(product("only-theirs", merchant=theirs, price=Decimal(9)), NORTH)])
        wanted, exclude = Filter(must=(Between("price", lt=100),)), ["gone", "absent"]
        assert store.count_products(merchant, wanted, exclude=exclude) == 1
        assert store.facet(merchant, "brand", wanted, limit=5, exclude=exclude) == [("Arden", 1)]
        assert store.extremes(merchant, "price", wanted, exclude=exclude) == (5.5, 5.5)
        assert store.extremes(merchant, "price", EVERYTHING) == (1.0, 500.0)

    def test_there_are_no_extremes_of_what_no_product_has(self, store: VectorStore, merchant: str) -> None:
        store.upsert([point(product(merchant=merchant, price=None), NORTH)])
        assert store.extremes(merchant, "price", EVERYTHING) is None
        assert store.extremes("nobody", "price", EVERYTHING) is None

    def test_counts_and_extremes_follow_new_facts(self, store: VectorStore, merchant: str) -> None:
        before = product(merchant=merchant, brand="Arden", price=Decimal(10), attributes={"colour": "red"})
        store.upsert(points(before, signs(17, 3)))
        _tell(store, replace(before, brand="Corvo", price=Decimal(20), attributes={"colour": "blue"}), version=2)
        assert store.facet(merchant, "brand", EVERYTHING, limit=5) == [("Corvo", 1)]
        assert store.facet(merchant, "attribute_terms", EVERYTHING, limit=5) == [("colour=blue", 1)]
        assert store.extremes(merchant, "price", EVERYTHING) == (20.0, 20.0)

    def test_a_product_is_counted_once_after_its_first_picture_was_replaced(
        self, store: VectorStore, merchant: str
    ) -> None:
        of = _said("p-1", merchant, "ewer", brand="Arden")
        store.upsert([point(of, NORTH, "front"), point(of, toward(0.0, 1.0), "side")])
        # as a worker writes it: the new leading point, the others' facts, the tombstone of what is gone
        store.upsert([point(of, toward(0.0, 0.0, 1.0), "picture 0", version=2)])
        store.set_facts(of.key, product_payload(of, 2) | NOT_LEADING)
        store.bury([tombstone(of, "front", version=2)])
        assert store.count_products(merchant, EVERYTHING) == 1
        assert store.facet(merchant, "brand", EVERYTHING, limit=5) == [("Arden", 1)]
        assert [match.product_id for match in store.worded(merchant, ["ewer"], EVERYTHING, limit=5)] == ["p-1"]

    def test_counts_are_exact_after_many_writes_whatever_the_number_of_values(self, own_store: VectorStore) -> None:
        random, brands = np.random.default_rng(24), dict[str, str]()
        for version in range(1, 5):
            for number in random.permutation(400)[:250].tolist():
                of = product(f"p{number:03}", brand=f"brand {random.integers(300)}", attributes={"code": f"c{number}"})
                if number % 5 == version:
                    own_store.bury([tombstone(of, version=version)])
                    brands.pop(of.key.product_id, None)
                else:
                    own_store.upsert([point(of, NORTH, version=version)])
                    brands[of.key.product_id] = of.brand
        expected = sorted(Counter(brands.values()).items(), key=lambda item: (-item[1], item[0]))
        assert own_store.facet("shop", "brand", EVERYTHING, limit=1000) == expected
        assert own_store.facet("shop", "brand", EVERYTHING, limit=7) == expected[:7]
        assert len(own_store.facet("shop", "attribute_terms", EVERYTHING, limit=1000)) == len(brands)

    # --- samples ------------------------------------------------------------------------------------------------------

    def test_a_sample_gives_each_point_once_and_never_a_tombstone(self, own_store: VectorStore) -> None:
        here, there = product("a", merchant="here"), product("b", merchant="there")
        own_store.upsert(points(here, signs(18, 12)) + points(there, signs(19, 5)))
        own_store.bury(tombstones(here, 4))
        everything = own_store.sample(100)
        assert len({each.point_id for each in everything}) == len(everything) == 13
        assert {each.payload["merchant"] for each in everything} == {"here", "there"}
        mine = own_store.sample(100, "here")
        assert {each.payload["product_id"] for each in mine} == {"a"}
        vectors = own_store.vectors_of(here.key)
        assert len(mine) == len(vectors) == 8
        for each in mine:
            assert each.vector.dtype == np.float32
            np.testing.assert_allclose(each.vector, vectors[str(each.payload["image"])], atol=1e-6)
        assert len(own_store.sample(5)) == 5
        assert own_store.sample(0) == []

    def test_samples_differ(self, own_store: VectorStore) -> None:
        own_store.upsert(points(product(), signs(20, 200)))
        drawn = [frozenset(each.point_id for each in own_store.sample(10)) for _ in range(4)]
        assert len(set(drawn)) > 1

    # --- exactness ----------------------------------------------------------------------------------------------------

    def test_an_exact_search_is_by_whole_vectors(self, own_store: VectorStore) -> None:
        vectors, query = clustered(21, 3000, DIMENSION), clustered(22, 1, DIMENSION)[0]
        own_store.upsert([point(product(f"p{number:04}"), vector) for number, vector in enumerate(vectors)])
        scores = vectors.astype(np.float64) @ query.astype(np.float64)
        found = own_store.nearest("shop", query, EVERYTHING, limit=50, exact=True)
        assert ids(found) == [f"p{number:04}" for number in np.argsort(-scores)[:50]]

    # --- life ---------------------------------------------------------------------------------------------------------

    def test_a_flush_leaves_everything_as_it_was(self, store: VectorStore, merchant: str) -> None:
        store.upsert([point(product(merchant=merchant), NORTH)])
        store.flush()
        assert store.count(merchant) == 1

    def test_a_closed_store_is_unavailable_and_may_be_closed_again(self, own_store: VectorStore) -> None:
        own_store.close()
        own_store.close()
        facts: Payload = {"version": 2, "title": "new"}
        for use in (
            lambda: own_store.upsert([point(product(), NORTH)]),
            lambda: own_store.set_facts(key(), facts),
            lambda: own_store.bury([tombstone(product())]),
            lambda: own_store.purge_tombstones(NEVER),
            lambda: own_store.images_of([key()]),
            lambda: own_store.vectors_of(key()),
            lambda: own_store.vectors_by_content([content_hash("p-1/front")]),
            lambda: own_store.nearest("shop", NORTH, EVERYTHING, limit=1),
            lambda: own_store.worded("shop", ["dress"], EVERYTHING, limit=1),
            lambda: own_store.facet("shop", "brand", EVERYTHING, limit=1),
            lambda: own_store.count_products("shop", EVERYTHING),
            lambda: own_store.extremes("shop", "price", EVERYTHING),
            lambda: own_store.sample(1),
            own_store.count,
            own_store.flush,
        ):
            with pytest.raises(IndexUnavailable):
                use()

    def test_many_threads_may_use_it_at_once(self, own_store: VectorStore, request: pytest.FixtureRequest) -> None:
        if request.node.callspec.params["own_store"] == CLIENT:
            pytest.skip("the client's in-process mode is for one thread; a server is not")
        vectors = signs(9, 240)

        def work(number: int) -> None:
            of = product(f"p{number}", merchant=f"m{number % 3}")
            own_store.upsert(points(of, vectors[number * 10 : number * 10 + 10]))
            own_store.set_facts(of.key, {"version": 2, "title": f"title {number}"})
            assert len(own_store.vectors_of(of.key)) == 10
            found = own_store.nearest(of.key.merchant, vectors[number * 10], EVERYTHING, limit=1)
            assert found[0].payload["title"] == f"title {number}"
            if number % 4 == 0:
                own_store.bury(tombstones(of, 10))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(24)))
        assert own_store.count() == 18 * 10

    def test_threads_that_write_one_product_end_with_the_newest_version(
        self, own_store: VectorStore, request: pytest.FixtureRequest
    ) -> None:
        if request.node.callspec.params["own_store"] == CLIENT:
            pytest.skip("the client's in-process mode is for one thread; a server is not")

        def write(version: int) -> None:
            """Odd versions have the picture, even ones have not; the last is odd."""
            of = product(title=f"title {version}")
            if version % 2:
                own_store.upsert([point(of, NORTH, version=version)])
            else:
                own_store.bury([tombstone(of, version=version)])
            own_store.set_facts(of.key, product_payload(of, version))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, np.random.default_rng(4).permutation(np.arange(1, 80)).tolist()))
        (match,) = own_store.nearest("shop", NORTH, EVERYTHING, limit=10)
        assert (match.payload["title"], match.payload["version"]) == ("title 79", 79)


def test_the_test_vectors_tie_to_the_last_bit() -> None:
    """The paging claims stand on it: no engine's order of adding may turn equal scores into unequal ones."""
    vectors, query = signs(7, 2000), signs(8, 1)[0]
    exact = vectors.astype(np.float64) @ query.astype(np.float64)
    assert np.array_equal(exact, (vectors @ query).astype(np.float64))
    assert len(np.unique(exact)) < DIMENSION


def test_a_space_is_compared_whole() -> None:
    assert Space("m", 2, "f") != Space("m", 2, "g")
