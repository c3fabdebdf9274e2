"""What a due product waits for, and whose turn it is: part of what every `ports.Ledger` promises, on every backend."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from backend.domain.job import JobKind
from backend.domain.picture import Picture, PictureState
from backend.domain.work import Change, Claim, Fetching, Outcome, Work
from tests.contracts.catalog_backends import LEASE, Store
from tests.factories import change, content_hash, deletion, facts_change, key, picture, refused_picture, url_picture


def at_address(product_id: str, *, row: int = 1) -> Change:
    """An upload with a picture that is here and one that has to be fetched."""
    return change(product_id, pictures=(picture(f"{product_id}.jpg"), url_picture(f"{product_id}.jpg")), row=row)


def postpone(store: Store, seconds: float) -> None:
    """Fetching what waits for it brought nothing; it is to be tried again later."""
    again_at = store.clock.now + timedelta(seconds=seconds)
    claims = store.claim(work=Work.FETCH)
    records = {record.product.key: record for record in store.catalog.products([claim.key for claim in claims])}
    store.ledger.record_fetches([Fetching(claim, records[claim.key].pictures, again_at) for claim in claims])


def lanes(store: Store) -> dict[Work, list[str]]:
    """Everything that can be claimed, by the work it waits for."""
    return {work: store.claimed_ids(work=work) for work in Work}


def fill(store: Store, merchant: str, count: int, *, kind: JobKind = JobKind.UPLOAD, prefix: str = "p") -> None:
    """That many due products."""
    store.upload(
        *(change(f"{prefix}-{n:02}", merchant=merchant, row=n) for n in range(1, count + 1)),
        kind=kind,
    )


def share(store: Store) -> dict[str, int]:
    """How many products of each merchant the next claim has."""
    return merchants_of(store.claim())


def merchants_of(claims: Iterable[Claim]) -> dict[str, int]:
    return dict(Counter(claim.key.merchant for claim in claims))


class TestWork:
    def test_each_kind_of_work_has_a_queue_of_its_own(self, store: Store) -> None:
        store.upload(change("patched"), change("deleted", row=2))
        store.settle_all()
        store.upload(at_address("fetched"))
        store.upload(change("shown"))
        store.upload(deletion("deleted"), kind=JobKind.DELETE)
        store.upload(facts_change("patched"), kind=JobKind.UPDATE)
        assert lanes(store) == {
            Work.FACTS: ["deleted", "patched"],
            Work.FETCH: ["fetched"],
            Work.UPLOADS: ["shown"],
            Work.IMPORTS: [],
        }

    def test_uploads_and_imports_wait_apart_the_oldest_first_then_by_name(self, store: Store) -> None:
        for kind, suffix in ((JobKind.IMPORT, "import"), (JobKind.UPLOAD, "upload")):
            for product_id in ("c", "a"):
                store.upload(change(f"{product_id}-{suffix}"), at_address(f"{product_id}-at", row=2), kind=kind)
            store.upload(change(f"d-{suffix}"), change(f"b-{suffix}", row=2), kind=kind)
        assert store.claimed_ids(work=Work.UPLOADS) == [f"{name}-upload" for name in "cabd"]
        assert store.claimed_ids(work=Work.IMPORTS) == [f"{name}-import" for name in "cabd"]

    def test_of_what_is_fetched_uploads_come_before_imports(self, store: Store) -> None:
        store.upload(at_address("import"), kind=JobKind.IMPORT)
        store.upload(at_address("upload-2"))
        store.upload(at_address("upload-1"))
        assert store.claimed_ids(work=Work.FETCH) == ["upload-2", "upload-1", "import"]

    def test_pictures_refused_or_already_here_are_not_fetched(self, store: Store) -> None:
        here = Picture(content_hash("here"), url="https://shop.example/here")
        never = Picture(None, PictureState.FAILED, "url_not_allowed", "no", url="https://shop.example/never")
        store.upload(change("p-1", pictures=(here, never, refused_picture())))
        assert lanes(store) == {Work.FACTS: [], Work.FETCH: [], Work.UPLOADS: ["p-1"], Work.IMPORTS: []}

    def test_new_facts_leave_a_product_in_the_lane_its_pictures_wait_in(self, store: Store) -> None:
        store.upload(change("imported"), at_address("fetched", row=2), kind=JobKind.IMPORT)
        store.upload(change("uploaded"))
        store.upload(facts_change("imported"), facts_change("fetched", row=2), kind=JobKind.UPDATE)
        assert lanes(store) == {
            Work.FACTS: [],
            Work.FETCH: ["fetched"],
            Work.UPLOADS: ["uploaded"],
            Work.IMPORTS: ["imported"],
        }

    def test_new_facts_of_a_file_wait_for_no_model(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        store.upload(facts_change("p-1"), kind=JobKind.IMPORT)
        assert lanes(store) == {Work.FACTS: ["p-1"], Work.FETCH: [], Work.UPLOADS: [], Work.IMPORTS: []}

    def test_new_facts_of_a_failed_product_wait_for_no_model(self, store: Store) -> None:
        store.upload(change("p-1"))
        refused = (picture("p-1.jpg", PictureState.FAILED),)
        store.ledger.settle([Outcome(claim, refused, code="image_empty") for claim in store.claim()])
        store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        assert lanes(store) == {Work.FACTS: ["p-1"], Work.FETCH: [], Work.UPLOADS: [], Work.IMPORTS: []}

    def test_new_facts_take_pictures_that_were_left_unjudged_past_the_quick_lane(self, store: Store) -> None:
        left = (picture("left"), refused_picture())
        store.upload(*(change(f"p-{n}", pictures=left, row=n) for n in (1, 2, 3)))
        store.ledger.settle([Outcome(claim, left, code="internal") for claim in store.claim()])
        store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        store.upload(facts_change("p-2"), kind=JobKind.IMPORT)
        store.upload(deletion("p-3"), kind=JobKind.DELETE)
        assert lanes(store) == {Work.FACTS: ["p-3"], Work.FETCH: [], Work.UPLOADS: ["p-1"], Work.IMPORTS: ["p-2"]}

    def test_pictures_leave_the_lane_of_facts(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2), change("p-3", row=3))
        store.settle_all()
        patches = [facts_change(f"p-{n}", row=n) for n in (1, 2, 3)]
        store.upload(*patches, kind=JobKind.UPDATE)
        store.upload(change("p-1"), at_address("p-2", row=2))
        assert lanes(store) == {Work.FACTS: ["p-3"], Work.FETCH: ["p-2"], Work.UPLOADS: ["p-1"], Work.IMPORTS: []}

    def test_a_delete_waits_for_nothing_whatever_its_product_waited_for(self, store: Store) -> None:
        store.upload(change("p-1"), at_address("p-2", row=2), kind=JobKind.IMPORT)
        store.upload(deletion("p-1"), deletion("p-2", row=2), kind=JobKind.IMPORT)
        assert lanes(store) == {Work.FACTS: ["p-1", "p-2"], Work.FETCH: [], Work.UPLOADS: [], Work.IMPORTS: []}

    def test_work_waits_when_it_could_be_claimed(self, store: Store) -> None:
        def waiting() -> set[Work]:
            return {work for work in Work if store.ledger.waiting(work)}

        assert waiting() == set()
        store.upload(change("p-1"), at_address("p-2", row=2), deletion("p-3", row=3))
        store.upload(change("p-4"), kind=JobKind.IMPORT)
        assert waiting() == set(Work)
        for work in Work:
            store.claim(work=work)
        assert waiting() == set()
        store.clock.advance(LEASE + 1)
        assert waiting() == set(Work)


class TestPostponed:
    def test_a_postponed_product_is_claimed_when_its_time_has_come(self, store: Store) -> None:
        store.upload(at_address("p-1"))
        postpone(store, 100)
        store.clock.advance(99)
        assert not store.ledger.waiting(Work.FETCH)
        assert store.claim(work=Work.FETCH) == []
        store.clock.advance(2)
        assert store.ledger.waiting(Work.FETCH)
        [claim] = store.claim(work=Work.FETCH)
        assert (claim.attempts, claim.fetches) == (1, 1)

    def test_it_is_due_all_the_while(self, store: Store) -> None:
        store.upload(at_address("p-1"))
        postpone(store, 100)
        assert store.ledger.due() == 1
        assert store.ledger.backlog("shop").products == 1

    def test_new_facts_do_not_hurry_it(self, store: Store) -> None:
        store.upload(at_address("p-1"))
        postpone(store, 100)
        store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        assert lanes(store) == {Work.FACTS: [], Work.FETCH: [], Work.UPLOADS: [], Work.IMPORTS: []}

    def test_new_addresses_are_tried_at_once_and_as_if_for_the_first_time(self, store: Store) -> None:
        store.upload(at_address("p-1"))
        postpone(store, 100)
        store.upload(at_address("p-1"))
        [claim] = store.claim(work=Work.FETCH)
        assert (claim.version, claim.attempts, claim.fetches) == (2, 1, 0)

    def test_pictures_that_are_here_do_not_wait_for_those_that_were_replaced(self, store: Store) -> None:
        store.upload(at_address("p-1"))
        postpone(store, 100)
        store.upload(change("p-1"))
        assert lanes(store) == {Work.FACTS: [], Work.FETCH: [], Work.UPLOADS: ["p-1"], Work.IMPORTS: []}


class TestSharing:
    def test_products_of_several_merchants_are_claimed_together(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.upload(change("p-1", merchant="other"))
        claims = store.claim()
        assert {claim.key for claim in claims} == {key("p-1"), key("p-1", "other")}
        store.ledger.settle([Outcome(claim) for claim in claims])
        assert store.ledger.due() == 0

    def test_a_few_products_do_not_wait_behind_another_merchants_thousands(self, store: Store) -> None:
        fill(store, "a-large", 1_000, kind=JobKind.IMPORT)
        fill(store, "b-small", 5, kind=JobKind.IMPORT)
        assert share(store) == {"a-large": 27, "b-small": 5}

    def test_merchants_who_all_wait_have_equal_shares(self, store: Store) -> None:
        for merchant in ("a", "b", "c", "d"):
            fill(store, merchant, 40)
        assert share(store) == {"a": 8, "b": 8, "c": 8, "d": 8}

    def test_small_claims_share_over_time(self, store: Store) -> None:
        for merchant in ("a", "b", "c"):
            fill(store, merchant, 20)
        claims = [claim for _ in range(15) for claim in store.claim(2)]
        assert merchants_of(claims) == {"a": 10, "b": 10, "c": 10}

    def test_a_merchants_weight_is_its_share(self, weighted: Store) -> None:
        for merchant in ("heavy", "a", "b"):
            fill(weighted, merchant, 60)
        claims = [claim for _ in range(5) for claim in weighted.claim(10)]
        assert merchants_of(claims) == {"heavy": 30, "a": 10, "b": 10}

    def test_an_idle_merchant_earns_no_credit(self, store: Store) -> None:
        fill(store, "busy", 400)
        fill(store, "idle", 1)
        for _ in range(5):
            store.ledger.settle([Outcome(claim) for claim in store.claim()])
        fill(store, "idle", 100)
        assert share(store) == {"busy": 16, "idle": 16}

    def test_what_one_kind_of_work_gave_is_not_held_against_a_merchant_in_another(self, store: Store) -> None:
        fill(store, "a", 200)
        for _ in range(4):
            store.claim()
        for merchant in ("a", "b"):
            store.upload(*(deletion(f"d-{n}", merchant=merchant, row=n) for n in range(1, 41)), kind=JobKind.DELETE)
        claims = store.claim(work=Work.FACTS)
        assert merchants_of(claims) == {"a": 16, "b": 16}

    def test_an_upload_never_shares_a_batch_with_an_import_that_makes_it_longer(self, store: Store) -> None:
        fill(store, "a", 10, kind=JobKind.IMPORT, prefix="import")
        fill(store, "b", 2, kind=JobKind.UPLOAD, prefix="upload")
        assert store.claimed_ids(work=Work.UPLOADS) == ["upload-01", "upload-02"]

    def test_a_product_that_is_claimed_alone_does_not_wait_for_ever_behind_other_merchants(self, store: Store) -> None:
        fill(store, "z-suspect", 1)
        store.claim()
        store.clock.advance(LEASE + 1)
        fill(store, "a-busy", 100)
        claims = [store.claim(4) for _ in range(3)]
        assert [{claim.key.merchant for claim in batch} for batch in claims].count({"z-suspect"}) == 1
        assert sum(len(batch) for batch in claims) == 9
