"""What every `ports.Catalog` promises, claimed of the fake and of the SQL one on each database."""

import string
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain.job import ItemState, JobKind
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductKey, ProductState
from backend.domain.work import Change, Outcome, Work
from backend.errors import Conflict, ProductNotFound
from tests.contracts.catalog_backends import Store, at_once, read
from tests.factories import (
    change,
    content_hash,
    deletion,
    facts_change,
    key,
    picture,
    product,
    refused_picture,
    url_picture,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=10)
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(TEXTS, max_size=4).map(tuple),
)


class TestAccept:
    def test_a_new_product_is_pending_at_version_1(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        assert (accepted.key, accepted.version, accepted.created) == (key("p-1"), 1, True)
        record = read(store)
        assert (record.version, record.indexed_version, record.state) == (1, 0, ProductState.PENDING)
        assert (record.deleted, record.code, record.searchable_at) == (False, None, None)

    def test_what_a_merchant_said_comes_back_as_it_was(self, store: Store) -> None:
        said = product(
            title="Robe d'été “Ärmel” 🧥",
            attributes={
                "sizes": ("S", "M"),
                "none": (),
                "wool": False,
                "new": True,
                "weight": 1.5,
                "count": 3,
                "a": "b",
            },
        )
        store.upload(Change(said.key, said, (picture(),)))
        assert read(store).product == said
        got = read(store).product.attributes
        assert {name: type(value) for name, value in got.items()} == {
            name: type(value) for name, value in said.attributes.items()
        }

    @pytest.mark.parametrize("price", ["0", "19.90", "19.9", "500", "0.0001", "999999999.9999", "1E+3"])
    def test_a_price_keeps_its_value_and_its_decimals(self, store: Store, price: str) -> None:
        store.upload(change("p-1", price=Decimal(price)))
        got = read(store).product.price
        assert got == Decimal(price)
        assert f"{got:f}" == f"{Decimal(price):f}"

    def test_a_product_without_a_price_has_none(self, store: Store) -> None:
        store.upload(change("p-1", price=None))
        assert read(store).product.price is None

    @given(title=TEXTS, attributes=st.dictionaries(NAMES, VALUES, max_size=6))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_title_and_attributes_come_back_as_they_were(
        self, store: Store, title: str, attributes: dict[str, str | int | float | bool | tuple[str, ...]]
    ) -> None:
        store.upload(change("p-1", title=title, attributes=attributes))
        got = read(store).product
        assert (got.title, got.attributes) == (title, attributes)

    def test_pictures_come_back_in_order_the_refused_ones_with_their_reason(self, store: Store) -> None:
        pictures = (
            picture("b.jpg"),
            refused_picture(),
            picture("a.jpg"),
            url_picture(),
            refused_picture("c.jpg", "image_empty"),
            Picture(content_hash("d.jpg"), url="https://shop.example/d.jpg"),
        )
        store.upload(change("p-1", pictures=pictures))
        assert read(store).pictures == pictures

    def test_a_replacement_counts_on_and_replaces_the_pictures(self, store: Store) -> None:
        store.upload(change("p-1", title="old", pictures=(picture("1"), picture("2"), picture("3"))))
        [accepted] = store.upload(change("p-1", title="new", pictures=(picture("4"),)))
        assert (accepted.version, accepted.created) == (2, False)
        assert read(store).product.title == "new"
        assert read(store).pictures == (picture("4"),)

    def test_new_facts_leave_the_pictures_alone(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("1"), refused_picture())))
        [accepted] = store.upload(facts_change("p-1", price=Decimal("5.00")), kind=JobKind.UPDATE)
        assert (accepted.version, accepted.created) == (2, False)
        assert read(store).product.price == Decimal("5.00")
        assert read(store).pictures == (picture("1"), refused_picture())

    def test_new_facts_of_a_product_that_is_not_there_change_nothing(self, store: Store) -> None:
        store.upload(change("gone"))
        store.upload(deletion("gone"), kind=JobKind.DELETE)
        for missing in ("never", "gone"):
            with pytest.raises(ProductNotFound):
                store.upload(change("other"), facts_change(missing, row=2))
        assert store.catalog.product(key("never")) is None
        assert store.catalog.product(key("other")) is None
        assert read(store, "gone").version == 2

    def test_a_deleted_product_leaves_a_row_that_says_so(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        [accepted] = store.upload(deletion("p-1"), kind=JobKind.DELETE)
        assert (accepted.version, accepted.created) == (2, False)
        record = read(store)
        assert (record.deleted, record.pictures, record.searchable_at) == (True, (), None)

    def test_a_product_uploaded_after_its_deletion_is_new_and_counts_on(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.upload(deletion("p-1"), kind=JobKind.DELETE)
        [accepted] = store.upload(change("p-1"))
        assert (accepted.version, accepted.created) == (3, True)
        assert not read(store).deleted

    def test_deleting_what_was_never_there_leaves_a_deleted_row(self, store: Store) -> None:
        [accepted] = store.upload(deletion("p-1"), kind=JobKind.DELETE)
        assert (accepted.version, accepted.created) == (1, False)
        assert read(store).deleted

    def test_changes_of_one_product_in_one_call_are_applied_in_order(self, store: Store) -> None:
        accepted = store.upload(
            change("p-1", row=1, pictures=(picture("1"),)),
            deletion("p-1", row=2),
            change("p-1", row=3, title="third", pictures=(picture("3"),)),
            facts_change("p-1", row=4, title="last"),
        )
        assert [(it.version, it.created) for it in accepted] == [(1, True), (2, False), (3, True), (4, False)]
        assert (read(store).product.title, read(store).pictures) == ("last", (picture("3"),))
        assert store.states(accepted[0].job_id) == [
            (1, ItemState.SUPERSEDED),
            (2, ItemState.SUPERSEDED),
            (3, ItemState.SUPERSEDED),
            (4, ItemState.PENDING),
        ]

    def test_a_job_holds_what_was_accepted_together(self, store: Store) -> None:
        accepted = store.upload(*(change(f"p-{n}", row=n) for n in range(1, 65)))
        assert {it.job_id for it in accepted} == {accepted[0].job_id}
        assert [it.key.product_id for it in accepted] == [f"p-{n}" for n in range(1, 65)]
        job = store.jobs.job("shop", accepted[0].job_id)
        assert job is not None
        assert (job.kind, job.total, job.counts) == (JobKind.UPLOAD, 64, {ItemState.PENDING: 64})

    def test_a_later_change_supersedes_the_items_that_still_wait(self, store: Store) -> None:
        [first] = store.upload(change("p-1"))
        pair = store.upload(change("p-1", row=1), change("p-2", row=2))
        assert store.finished(first)
        assert store.states(first.job_id) == [(1, ItemState.SUPERSEDED)]
        store.upload(deletion("p-1"), kind=JobKind.DELETE)
        assert store.states(pair[0].job_id) == [(1, ItemState.SUPERSEDED), (2, ItemState.PENDING)]
        assert not store.finished(pair[0])

    def test_items_that_have_ended_are_not_superseded(self, store: Store) -> None:
        [first] = store.upload(change("p-1"))
        store.settle_all()
        store.upload(change("p-1"))
        assert store.states(first.job_id) == [(1, ItemState.SEARCHABLE)]

    def test_a_change_of_a_row_that_moved_on_is_refused_and_changes_nothing(self, store: Store) -> None:
        store.upload(change("p-1", title="first"))
        store.upload(change("p-1", title="second"))
        with pytest.raises(Conflict):
            store.upload(change("p-2"), facts_change("p-1", row=2, expected_version=1), kind=JobKind.UPDATE)
        assert (read(store).version, read(store).product.title) == (2, "second")
        assert store.catalog.product(key("p-2")) is None
        [accepted] = store.upload(facts_change("p-1", expected_version=2), kind=JobKind.UPDATE)
        assert accepted.version == 3

    def test_a_change_clears_the_reason_of_the_last_failure(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.ledger.settle([Outcome(claim, code="image_empty", detail="no") for claim in store.claim()])
        assert read(store).state is ProductState.FAILED
        store.upload(change("p-1"))
        assert (read(store).state, read(store).code, read(store).detail) == (ProductState.PENDING, None, None)

    def test_a_searchable_product_says_since_when_while_a_change_waits(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        since = read(store).searchable_at
        assert since is not None
        store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        assert read(store).searchable_at == since

    def test_nothing_to_accept_makes_no_job(self, store: Store) -> None:
        assert store.upload() == []

    def test_two_changes_of_one_row_or_of_two_merchants_are_a_mistake_of_the_caller(self, store: Store) -> None:
        with pytest.raises(ValueError, match="different rows"):
            store.upload(change("p-1", row=1), change("p-2", row=1))
        with pytest.raises(ValueError, match="one merchant"):
            store.upload(change("p-1", row=1), change("p-1", merchant="other", row=2))
        assert store.catalog.products([key("p-1"), key("p-2")]) == []

    def test_times_are_in_utc(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        store.settle_all()
        record, job = read(store), store.jobs.job("shop", accepted.job_id)
        assert job is not None
        for moment in (record.updated_at, record.searchable_at, job.created_at, job.finished_at):
            assert moment is not None
            assert moment.tzinfo is UTC
            assert timedelta(0) <= store.clock.now - moment < timedelta(seconds=1)

    def test_threads_that_create_one_product_at_once_are_all_counted(self, store: Store) -> None:
        accepted = at_once(8, lambda n: store.catalog.accept([change("p-1", title=f"by {n}")], JobKind.UPLOAD)[0])
        assert sorted(it.version for it in accepted) == list(range(1, 9))
        assert sum(it.created for it in accepted) == 1
        last = max(accepted, key=lambda it: it.version)
        assert [it for it in accepted if not store.finished(it)] == [last]

    def test_of_threads_that_change_the_row_they_read_one_wins(self, store: Store) -> None:
        store.upload(change("p-1"))

        def patch(n: int) -> bool:
            try:
                store.catalog.accept([facts_change("p-1", expected_version=1)], JobKind.UPDATE)
            except Conflict:
                return False
            return True

        assert sum(at_once(8, patch)) == 1
        assert read(store).version == 2


class TestRead:
    def test_an_unknown_product_is_none(self, store: Store) -> None:
        assert store.catalog.product(key("p-1")) is None
        assert store.catalog.products([]) == []

    def test_the_same_id_of_two_merchants_is_two_products(self, store: Store) -> None:
        store.upload(change("p-1", title="ours"))
        store.upload(change("p-1", merchant="other", title="theirs"))
        assert read(store).product.title == "ours"
        found = store.catalog.products([key("p-1"), key("p-1", "other"), key("p-2"), key("p-1", "third")])
        assert {record.product.key: record.product.title for record in found} == {
            ProductKey("shop", "p-1"): "ours",
            ProductKey("other", "p-1"): "theirs",
        }

    def test_products_are_found_once_with_their_own_pictures_however_many_are_asked_for(self, store: Store) -> None:
        store.upload(*(change(f"p-{n}", row=n) for n in range(1, 2_501)))
        keys = [key(f"p-{n}") for n in range(1, 2_501)]
        found = store.catalog.products(keys + keys)
        assert len(found) == 2_500
        assert all(record.pictures == (picture(f"{record.product.key.product_id}.jpg"),) for record in found)

    def test_a_picture_belongs_to_the_merchants_whose_live_products_show_it(self, store: Store) -> None:
        def owns(merchant: str, name: str) -> bool:
            return store.catalog.owns_image(merchant, content_hash(name))

        store.upload(change("p-1", pictures=(picture("a"), picture("b"))))
        assert owns("shop", "a")
        assert owns("shop", "b")
        assert not owns("shop", "c")
        assert not owns("other", "a")
        store.upload(change("p-1", pictures=(picture("b"),)))
        assert not owns("shop", "a")
        store.upload(deletion("p-1"), kind=JobKind.DELETE)
        assert not owns("shop", "b")

    def test_a_picture_is_referenced_while_a_live_product_of_any_merchant_has_it(self, store: Store) -> None:
        a, b, c = (content_hash(name) for name in "abc")
        store.upload(change("p-1", pictures=(picture("a"), picture("b"), url_picture("c"))))
        store.upload(change("p-1", merchant="other", pictures=(picture("a"),)))
        assert store.catalog.referenced([a, b, c, a]) == {a, b}
        store.upload(change("p-1", pictures=(picture("c"),)))
        assert store.catalog.referenced([a, b, c]) == {a, c}
        store.upload(deletion("p-1", merchant="other"), kind=JobKind.DELETE)
        assert store.catalog.referenced([a, b, c]) == {c}
        assert store.catalog.referenced([]) == set()

    def test_any_number_of_pictures_can_be_asked_for(self, store: Store) -> None:
        store.upload(*(change(f"p-{n}", row=n) for n in range(1, 101)))
        asked = [content_hash(f"p-{n}.jpg") for n in range(3_000)]
        assert store.catalog.referenced(asked) == set(asked[1:101])

    def test_a_deleted_product_is_hidden_until_the_index_has_forgotten_it(self, store: Store) -> None:
        for product_id in ("p-1", "p-2"):
            store.upload(change(product_id))
        store.upload(change("p-1", merchant="other"))
        store.settle_all()
        store.upload(deletion("p-1"), kind=JobKind.DELETE)
        assert store.catalog.deleted_but_indexed("shop", 10) == ["p-1"]
        assert store.catalog.deleted_but_indexed("other", 10) == []
        store.settle_all()
        assert store.catalog.deleted_but_indexed("shop", 10) == []

    def test_a_deleted_product_that_could_not_be_removed_stays_hidden(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        store.upload(deletion("p-1"), kind=JobKind.DELETE)
        store.ledger.settle([Outcome(claim, code="internal", detail="?") for claim in store.claim(work=Work.FACTS)])
        assert store.ledger.due() == 0
        assert store.catalog.deleted_but_indexed("shop", 10) == ["p-1"]

    def test_no_more_deleted_products_are_named_than_asked_for(self, store: Store) -> None:
        store.upload(*(deletion(f"p-{n}", row=n) for n in range(1, 6)), kind=JobKind.DELETE)
        assert len(store.catalog.deleted_but_indexed("shop", 3)) == 3

    def test_live_products_and_searchable_pictures_are_counted(self, store: Store) -> None:
        store.upload(change("good", pictures=(picture("1"), picture("2"), refused_picture())))
        store.upload(change("bad"))
        store.upload(change("gone"))
        store.upload(change("theirs", merchant="other"))
        for claim in store.claim():
            code = "image_empty" if claim.key.product_id == "bad" else None
            [record] = store.catalog.products([claim.key])
            shown = (it if it.code else replace(it, state=PictureState.SEARCHABLE) for it in record.pictures)
            store.ledger.settle([Outcome(claim, () if code else tuple(shown), code=code)])
        store.upload(deletion("gone"), kind=JobKind.DELETE)
        store.upload(change("waits"))
        assert store.catalog.count("shop") == {"pending": 1, "searchable": 1, "failed": 1, "pictures": 2}
        assert store.catalog.count() == {"pending": 1, "searchable": 2, "failed": 1, "pictures": 3}
        assert store.catalog.count("nobody") == {"pending": 0, "searchable": 0, "failed": 0, "pictures": 0}

    def test_a_catalog_that_answers_is_well(self, store: Store) -> None:
        store.catalog.ping()
