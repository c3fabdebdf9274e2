"""What every `ports.Jobs` promises, claimed of the fake and of the SQL one on each database."""

from collections import Counter
from collections.abc import Callable

import pytest

from backend.domain.importing import FileForm, ImportClaim, ImportMode, ImportOptions, ImportStep
from backend.domain.job import ItemState, Job, JobItem, JobKind
from backend.domain.work import Change, Outcome
from backend.errors import Conflict, ProductNotFound, StaleRows
from tests.contracts.catalog_backends import LEASE, Store, at_once
from tests.factories import change, deletion, facts_change, key

OPTIONS = ImportOptions(FileForm.CSV, ImportMode.PATCH, {"title": "name"})
REFUSED = JobItem(2, "p-2", ItemState.FAILED, field="price", code="invalid_field", detail="not a number", line=5)
NAMELESS = JobItem(3, None, ItemState.FAILED, code="csv_invalid", detail="a quote is not closed")


def begin(store: Store, merchant: str = "shop", source: str = "blob-1") -> ImportClaim:
    store.clock.advance(1)
    store.jobs.open_import(merchant, source, OPTIONS)
    return claim_again(store)


def claim_again(store: Store) -> ImportClaim:
    claim = store.jobs.claim_import(LEASE)
    assert claim is not None
    return claim


def record(
    store: Store,
    claim: ImportClaim,
    *changes: Change,
    refused: tuple[JobItem, ...] = (),
    next_row: int,
    total: int | None = None,
) -> None:
    step = ImportStep(claim.job_id, claim.lease, changes, refused, next_row, total)
    store.jobs.record_import(step, lease_seconds=LEASE)


def job_of(store: Store, job_id: str, merchant: str = "shop") -> Job:
    job = store.jobs.job(merchant, job_id)
    assert job is not None
    return job


class TestImports:
    def test_an_import_is_open_until_its_source_has_been_read(self, store: Store) -> None:
        job_id = store.jobs.open_import("shop", "blob-1", OPTIONS)
        job = job_of(store, job_id)
        assert (job.kind, job.total, job.counts, job.finished_at) == (JobKind.IMPORT, None, {}, None)
        assert not job.done
        assert store.jobs.imports_due() == 1

    def test_a_claim_names_the_source_and_the_first_row(self, store: Store) -> None:
        job_id = store.jobs.open_import("shop", "blob-1", OPTIONS)
        claim = store.jobs.claim_import(LEASE)
        assert claim is not None
        assert (claim.job_id, claim.merchant, claim.source, claim.next_row) == (job_id, "shop", "blob-1", 1)
        assert (claim.options, claim.attempts) == (OPTIONS, 1)
        assert store.jobs.imports_due() == 1

    def test_unread_imports_are_counted_by_merchant(self, store: Store) -> None:
        for merchant in ("shop", "shop", "other"):
            store.jobs.open_import(merchant, "blob", OPTIONS)
        assert [store.jobs.imports_due(it) for it in ("shop", "other", "nobody", None)] == [2, 1, 0, 3]
        claim = store.jobs.claim_import(LEASE)
        assert claim is not None
        record(store, claim, next_row=1, total=0)
        assert [store.jobs.imports_due(it) for it in ("shop", "other", None)] == [1, 1, 2]

    def test_attempts_are_counted_until_a_row_is_kept(self, store: Store) -> None:
        claims = [begin(store)]
        for _ in range(2):
            store.clock.advance(LEASE + 1)
            claims.append(claim_again(store))
        assert [claim.attempts for claim in claims] == [1, 2, 3]
        record(store, claims[-1], change("p-1"), next_row=2)
        store.clock.advance(LEASE + 1)
        store.ledger.return_leases()
        assert claim_again(store).attempts == 1

    def test_a_turn_that_ended_well_is_no_attempt(self, store: Store) -> None:
        begin(store)
        store.clock.advance(LEASE + 1)
        second = claim_again(store)
        assert second.attempts == 2
        store.jobs.yield_import(second)
        assert claim_again(store).attempts == 1

    def test_a_returned_lease_is_an_attempt(self, store: Store) -> None:
        begin(store)
        store.ledger.return_leases(expired_only=False)
        assert claim_again(store).attempts == 2

    def test_the_oldest_that_nobody_holds_is_claimed(self, store: Store) -> None:
        assert store.jobs.claim_import(LEASE) is None
        opened_ids = []
        for number in range(2):
            store.clock.advance(1)
            opened_ids.append(store.jobs.open_import("shop", f"blob-{number}", OPTIONS))
        claims = [store.jobs.claim_import(LEASE) for _ in range(3)]
        assert [claim and claim.job_id for claim in claims] == [*opened_ids, None]

    def test_threads_never_claim_the_same_import(self, store: Store) -> None:
        for number in range(6):
            store.jobs.open_import("shop", f"blob-{number}", OPTIONS)
        claims = [claim for claim in at_once(6, lambda _: store.jobs.claim_import(LEASE)) if claim is not None]
        assert len({claim.job_id for claim in claims}) == len(claims) > 0

    def test_an_import_whose_worker_died_goes_on_where_it_was(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, change("p-1"), next_row=2)
        store.clock.advance(LEASE + 1)
        again = store.jobs.claim_import(LEASE)
        assert again is not None
        assert (again.job_id, again.next_row) == (claim.job_id, 2)
        assert again.lease != claim.lease

    def test_a_renewed_lease_holds_from_then_on_and_counts_attempts_as_before(self, store: Store) -> None:
        claim = begin(store)
        for _ in range(3):
            store.clock.advance(LEASE - 1)
            store.jobs.renew_import(claim, LEASE)
        assert store.ledger.return_leases() == 0
        assert store.jobs.claim_import(LEASE) is None
        store.clock.advance(LEASE + 1)
        assert claim_again(store).attempts == 2

    def test_a_lease_that_was_lost_cannot_be_renewed(self, store: Store) -> None:
        claim = begin(store)
        store.clock.advance(LEASE + 1)
        store.ledger.return_leases()
        with pytest.raises(Conflict):
            store.jobs.renew_import(claim, LEASE)
        again = claim_again(store)
        with pytest.raises(Conflict):
            store.jobs.renew_import(claim, LEASE)
        store.jobs.cancel("shop", again.job_id)
        with pytest.raises(Conflict):
            store.jobs.renew_import(again, LEASE)

    def test_an_import_that_yields_lets_the_others_have_their_turn(self, store: Store) -> None:
        claims = [begin(store, source="first")]
        store.jobs.open_import("other", "second", OPTIONS)
        order = []
        for _ in range(4):
            store.jobs.yield_import(claims[-1])
            claim = store.jobs.claim_import(LEASE)
            assert claim is not None
            order.append(claim.source)
            claims.append(claim)
        assert order == ["second", "first", "second", "first"]

    def test_a_step_keeps_products_items_and_place(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, change("p-1", line=2), change("p-4", row=4), refused=(REFUSED, NAMELESS), next_row=5)
        products = store.catalog.products([key("p-1"), key("p-2"), key("p-4")])
        assert {found.product.key.product_id: found.version for found in products} == {"p-1": 1, "p-4": 1}
        job = job_of(store, claim.job_id)
        assert (job.total, job.counts) == (None, {ItemState.PENDING: 2, ItemState.FAILED: 2})
        assert store.jobs.items(claim.job_id, state=None, after_row=0, limit=10) == [
            JobItem(1, "p-1", ItemState.PENDING, line=2),
            REFUSED,
            NAMELESS,
            JobItem(4, "p-4", ItemState.PENDING),
        ]

    def test_an_import_ends_when_all_is_read_and_nothing_waits(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, change("p-1"), next_row=2)
        assert store.settle_all() == 1
        assert not job_of(store, claim.job_id).done
        record(store, claim, change("p-2", row=2), next_row=3, total=2)
        assert store.jobs.imports_due() == 0
        assert store.jobs.claim_import(LEASE) is None
        assert job_of(store, claim.job_id).finished_at is None
        store.settle_all()
        job = job_of(store, claim.job_id)
        assert (job.total, job.counts) == (2, {ItemState.SEARCHABLE: 2})
        assert job.finished_at is not None

    def test_an_import_without_rows_ends_at_once(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, next_row=1, total=0)
        job = job_of(store, claim.job_id)
        assert (job.total, job.counts) == (0, {})
        assert job.finished_at is not None

    def test_an_import_of_which_every_row_was_refused_ends_at_once(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, refused=(REFUSED,), next_row=3, total=2)
        assert job_of(store, claim.job_id).finished_at is not None

    def test_a_product_in_two_rows_is_superseded_by_the_later_one(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, change("p-1", row=1), change("p-1", row=2), next_row=3)
        record(store, claim, change("p-1", row=3), next_row=4, total=3)
        assert store.states(claim.job_id) == [
            (1, ItemState.SUPERSEDED),
            (2, ItemState.SUPERSEDED),
            (3, ItemState.PENDING),
        ]
        store.settle_all()
        assert job_of(store, claim.job_id).finished_at is not None

    def test_an_upload_during_an_import_supersedes_its_item(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, change("p-1"), next_row=2, total=1)
        store.upload(change("p-1"))
        assert store.states(claim.job_id) == [(1, ItemState.SUPERSEDED)]
        assert job_of(store, claim.job_id).finished_at is not None

    def test_a_step_whose_answer_was_lost_may_be_sent_again(self, store: Store) -> None:
        claim = begin(store)
        for _ in range(2):
            record(store, claim, change("p-1"), refused=(REFUSED,), next_row=3)
        assert store.catalog.products([key("p-1")])[0].version == 1
        assert store.states(claim.job_id) == [(1, ItemState.PENDING), (2, ItemState.FAILED)]

    def test_a_step_renews_the_lease(self, store: Store) -> None:
        claim = begin(store)
        store.clock.advance(LEASE - 10)
        record(store, claim, change("p-1"), next_row=2)
        store.clock.advance(LEASE - 10)
        assert store.jobs.claim_import(LEASE) is None

    def test_a_step_whose_lease_was_lost_is_refused_and_changes_nothing(self, store: Store) -> None:
        claim = begin(store)
        store.clock.advance(LEASE + 1)
        held = store.jobs.claim_import(LEASE)
        assert held is not None
        with pytest.raises(Conflict):
            record(store, claim, change("p-1"), refused=(REFUSED,), next_row=3, total=2)
        assert store.catalog.product(key("p-1")) is None
        assert (job_of(store, claim.job_id).total, store.states(claim.job_id)) == (None, [])
        record(store, held, change("p-1"), next_row=2, total=1)

    def test_a_step_that_cannot_be_accepted_changes_nothing(self, store: Store) -> None:
        claim = begin(store)
        with pytest.raises(ProductNotFound):
            record(store, claim, change("p-1"), facts_change("p-2", row=2), refused=(NAMELESS,), next_row=4)
        with pytest.raises(ValueError, match="another merchant"):
            record(store, claim, change("p-1"), change("p-2", merchant="other", row=2), next_row=3)
        assert store.catalog.product(key("p-1")) is None
        assert store.states(claim.job_id) == []
        record(store, claim, change("p-1"), next_row=2)

    @pytest.mark.parametrize("gone", [False, True], ids=["changed", "deleted"])
    def test_a_step_of_which_a_product_moved_on_changes_nothing(self, store: Store, gone: bool) -> None:
        store.upload(change("p-1"))
        claim = begin(store)
        store.upload(deletion("p-1") if gone else change("p-1"))
        with pytest.raises(StaleRows):
            record(store, claim, change("p-2"), facts_change("p-1", row=2, expected_version=1), next_row=3)
        assert store.catalog.product(key("p-2")) is None
        assert store.states(claim.job_id) == []
        if not gone:
            record(store, claim, change("p-2"), facts_change("p-1", row=2, expected_version=2), next_row=3)
            assert store.states(claim.job_id) == [(1, ItemState.PENDING), (2, ItemState.PENDING)]

    def test_an_import_that_cannot_be_read_further_keeps_what_was_accepted(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, change("p-1"), refused=(REFUSED,), next_row=3)
        store.jobs.fail_import(claim, "csv_invalid", "not UTF-8 from row 3 on")
        job = job_of(store, claim.job_id)
        assert (job.total, job.code, job.detail) == (2, "csv_invalid", "not UTF-8 from row 3 on")
        assert job.finished_at is None
        assert store.jobs.imports_due() == 0
        assert store.settle_all() == 1
        assert job_of(store, claim.job_id).finished_at is not None

    def test_an_import_of_which_nothing_could_be_read_ends_at_once(self, store: Store) -> None:
        claim = begin(store)
        store.jobs.fail_import(claim, "invalid_archive", "no manifest")
        job = job_of(store, claim.job_id)
        assert (job.total, job.code) == (0, "invalid_archive")
        assert job.finished_at is not None

    def test_an_attempt_is_taken_back_though_the_lease_ran_out_during_the_outage(self, store: Store) -> None:
        claim = begin(store)
        for _ in range(4):
            store.clock.advance(LEASE + 1)
            store.ledger.return_leases()
            store.jobs.yield_import(claim)
            again = store.jobs.claim_import(LEASE)
            assert again is not None
            assert again.attempts == 1
            claim = again

    def test_a_lost_lease_neither_fails_nor_yields_an_import(self, store: Store) -> None:
        claim = begin(store)
        store.clock.advance(LEASE + 1)
        assert store.jobs.claim_import(LEASE) is not None
        store.jobs.fail_import(claim, "csv_invalid", "no")
        store.jobs.yield_import(claim)
        assert job_of(store, claim.job_id).code is None
        assert store.jobs.claim_import(LEASE) is None


class TestWork:
    """What a job says of the work on it."""

    def test_pictures_are_counted_by_whether_the_model_saw_them(self, store: Store) -> None:
        [one, two] = store.upload(change("p-1"), change("p-2", row=2))
        [other] = store.upload(change("p-3"))
        first, second, third = store.claim()
        store.ledger.settle([Outcome(first, embedded=3, reused=1), Outcome(second, code="internal", embedded=1)])
        store.ledger.settle([Outcome(third, reused=2)])
        assert one.job_id == two.job_id
        job = job_of(store, one.job_id)
        assert (job.embedded, job.reused, job.reuse_rate) == (4, 1, 0.2)
        job = job_of(store, other.job_id)
        assert (job.embedded, job.reused, job.reuse_rate) == (0, 2, 1.0)

    def test_work_on_a_version_is_counted_by_the_job_of_that_version(self, store: Store) -> None:
        [old] = store.upload(change("p-1"))
        claims = store.claim()
        [new] = store.upload(change("p-1"))
        store.ledger.settle([Outcome(claim, embedded=5) for claim in claims])
        for accepted in (old, new):
            job = job_of(store, accepted.job_id)
            assert (job.embedded, job.reused, job.first_settled_at) == (0, 0, None)
        store.ledger.settle([Outcome(claim, embedded=1, reused=4) for claim in store.claim()])
        assert (job_of(store, old.job_id).embedded, job_of(store, new.job_id).embedded) == (0, 1)

    def test_work_nobody_waits_for_is_counted_by_no_job(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        store.ledger.settle([Outcome(claim, embedded=1) for claim in store.claim()])
        before = job_of(store, accepted.job_id)
        store.ledger.mark_all_due()
        store.ledger.settle([Outcome(claim, embedded=1) for claim in store.claim()])
        assert job_of(store, accepted.job_id) == before

    def test_a_settlement_that_came_too_late_is_not_counted(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        late = store.claim()
        store.clock.advance(LEASE + 1)
        store.claim()
        store.ledger.settle([Outcome(claim, embedded=1) for claim in late])
        assert job_of(store, accepted.job_id).embedded == 0

    def test_the_work_lies_between_the_first_and_the_last_item_that_ended(self, store: Store) -> None:
        [accepted, *_] = store.upload(*(change(f"p-{n}", row=n) for n in range(1, 5)))
        job = job_of(store, accepted.job_id)
        assert (job.first_settled_at, job.last_settled_at, job.rate) == (None, None, None)
        store.ledger.settle([Outcome(claim) for claim in store.claim(1)])
        first = job_of(store, accepted.job_id).last_settled_at
        store.clock.advance(10)
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim(2)])
        job = job_of(store, accepted.job_id)
        assert job.first_settled_at == first is not None
        assert job.last_settled_at is not None
        assert job.rate == pytest.approx(0.3, rel=1e-3)
        assert job.eta_seconds == pytest.approx(10 / 3, rel=1e-3)
        store.clock.advance(10)
        store.settle_all()
        ended = job_of(store, accepted.job_id)
        assert ended.finished_at is not None
        assert ended.last_settled_at is not None
        assert (ended.first_settled_at, ended.last_settled_at > job.last_settled_at) == (first, True)

    def test_what_nobody_worked_on_says_nothing_of_the_rate(self, store: Store) -> None:
        claim = begin(store)
        record(store, claim, change("p-1"), refused=(REFUSED,), next_row=3)
        store.upload(change("p-1"))
        assert job_of(store, claim.job_id).counts == {ItemState.SUPERSEDED: 1, ItemState.FAILED: 1}
        assert job_of(store, claim.job_id).first_settled_at is None

    def test_an_item_says_how_often_a_worker_took_it_up(self, store: Store) -> None:
        [accepted, *_] = store.upload(change("good"), change("odd", row=2))
        store.claim()
        store.clock.advance(LEASE + 1)
        store.ledger.settle([Outcome(claim) for claim in store.claim()])
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim()])
        found = store.jobs.items(accepted.job_id, state=None, after_row=0, limit=10)
        assert [(item.state, item.attempts) for item in found] == [(ItemState.SEARCHABLE, 2), (ItemState.FAILED, 2)]

    def test_the_counts_are_those_of_the_items_whatever_happens(self, store: Store) -> None:
        claim = begin(store)
        rows = [change(f"p-{n:02}", row=n) for n in range(4, 24)]
        record(store, claim, *rows, change("p-23", row=24), refused=(REFUSED, NAMELESS), next_row=25)
        seen = [job_of(store, claim.job_id)]

        def settle(code: str | None) -> None:
            store.ledger.settle([Outcome(it, code=code) for it in store.claim(3)])

        lost: list[Callable[[], object]] = [store.claim, lambda: store.clock.advance(LEASE + 1)]
        steps: list[Callable[[], object]] = [
            lambda: settle(None),
            lambda: settle("internal"),
            lambda: store.upload(deletion("p-15"), change("p-16", row=2), facts_change("p-17", row=3)),
            lambda: store.jobs.retry("shop", claim.job_id),
            lambda: store.ledger.release(store.claim(2)),
            lambda: store.claim(3),
            lambda: store.clock.advance(LEASE + 1),
            store.ledger.return_leases,
            *8 * lost,
            lambda: store.jobs.cancel("shop", claim.job_id),
            store.ledger.mark_all_due,
            store.settle_all,
        ]
        for step in steps:
            step()
            found = [state for _, state in store.states(claim.job_id)]
            seen.append(job_of(store, claim.job_id))
            assert seen[-1].counts == Counter(found)
            assert seen[-1].done == (seen[-1].finished_at is not None)
        assert seen[-1].done
        assert len({str(it.counts) for it in seen}) > 6


class TestReading:
    def test_job_ids_sort_by_time(self, store: Store) -> None:
        ids = []
        for number in range(5):
            store.clock.advance(0.01)
            ids.append(store.jobs.open_import("shop", f"blob-{number}", OPTIONS))
        assert ids == sorted(ids)
        assert len(set(ids)) == 5

    def test_a_job_is_shown_to_its_own_merchant_only(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        assert store.jobs.job("shop", accepted.job_id) is not None
        assert store.jobs.job("other", accepted.job_id) is None
        assert store.jobs.job("shop", "no such job") is None

    def test_a_jobs_items_are_counted_by_state(self, store: Store) -> None:
        claim = begin(store)
        changes = [change(f"p-{n}", row=n) for n in range(10, 20)]
        record(store, claim, *changes, change("p-19", row=20), refused=(REFUSED, NAMELESS), next_row=21, total=20)
        claims = store.claim(4)
        store.ledger.settle([Outcome(it, code="internal" if n == 0 else None) for n, it in enumerate(claims)])
        assert job_of(store, claim.job_id).counts == {
            ItemState.PENDING: 6,
            ItemState.SEARCHABLE: 3,
            ItemState.FAILED: 3,
            ItemState.SUPERSEDED: 1,
        }

    def test_items_come_in_pages_in_order_of_their_rows(self, store: Store) -> None:
        accepted = store.upload(*(change(f"p-{n}", row=n) for n in (3, 1, 2, 30, 20)))

        def rows(after_row: int, limit: int) -> list[int]:
            found = store.jobs.items(accepted[0].job_id, state=None, after_row=after_row, limit=limit)
            return [item.row for item in found]

        assert rows(0, 2) == [1, 2]
        assert rows(2, 2) == [3, 20]
        assert rows(20, 2) == [30]
        assert rows(30, 2) == []

    def test_items_can_be_asked_for_by_state(self, store: Store) -> None:
        accepted = store.upload(*(change(f"p-{n}", row=n) for n in range(1, 7)))
        claims = sorted(store.claim(), key=lambda claim: claim.key)
        store.ledger.settle([Outcome(it, code="internal") for it in claims[::2]])
        job_id = accepted[0].job_id

        def rows(state: ItemState, after_row: int = 0) -> list[int]:
            return [item.row for item in store.jobs.items(job_id, state=state, after_row=after_row, limit=2)]

        assert rows(ItemState.FAILED) == [1, 3]
        assert rows(ItemState.FAILED, after_row=3) == [5]
        assert rows(ItemState.PENDING) == [2, 4]
        assert rows(ItemState.DELETED) == []
        assert store.jobs.items("no such job", state=None, after_row=0, limit=2) == []
