"""Trying failed items again and withdrawing waiting ones, as every `ports.Jobs` promises, on every backend."""

from dataclasses import replace

import pytest

from backend.domain.importing import ImportClaim, ImportOptions, ImportStep
from backend.domain.job import Cancelled, ItemState, Job, JobItem, JobKind, Retried
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductState
from backend.domain.work import Change, Fetching, Outcome, Work
from backend.errors import Conflict
from tests.contracts.catalog_backends import LEASE, Store, at_once, read
from tests.factories import change, content_hash, deletion, facts_change, key, picture, refused_picture, url_picture

PENDING, SEARCHABLE, DELETED = ItemState.PENDING, ItemState.SEARCHABLE, ItemState.DELETED
FAILED, SUPERSEDED, CANCELLED = ItemState.FAILED, ItemState.SUPERSEDED, ItemState.CANCELLED


def failed(it: Picture) -> Picture:
    return replace(it, state=PictureState.FAILED, code="image_truncated", detail="cut off")


def fail_all(store: Store) -> None:
    """Every product that waits for pictures or facts fails, its pictures too."""
    while claims := store.claim(work=Work.FACTS) or store.claim():
        for claim in claims:
            [record] = store.catalog.products([claim.key])
            pictures = tuple(it if it.code else failed(it) for it in record.pictures)
            store.ledger.settle([Outcome(claim, pictures, code="image_truncated", detail="cut off")])


def job_of(store: Store, job_id: str, merchant: str = "shop") -> Job:
    job = store.jobs.job(merchant, job_id)
    assert job is not None
    found = store.jobs.items(job_id, state=None, after_row=0, limit=10_000)
    assert sum(job.counts.values()) == len(found)
    return job


def begin_import(store: Store, *changes: Change, refused: tuple[JobItem, ...] = ()) -> ImportClaim:
    """An import of which these rows have been read, and more are to come."""
    store.clock.advance(1)
    store.jobs.open_import("shop", "file", ImportOptions())
    claim = store.jobs.claim_import(LEASE)
    assert claim is not None
    read_on(store, claim, *changes, refused=refused)
    return claim


def read_on(
    store: Store, claim: ImportClaim, *changes: Change, refused: tuple[JobItem, ...] = (), total: int | None = None
) -> None:
    rows = [change.row for change in changes] + [item.row for item in refused]
    step = ImportStep(claim.job_id, claim.lease, changes, refused, max(rows, default=0) + 1, total)
    store.jobs.record_import(step, lease_seconds=LEASE)


class TestRetry:
    def test_failed_products_are_due_again_as_a_new_version(self, store: Store) -> None:
        pictures = (picture("1"), refused_picture(), picture("2"))
        accepted = store.upload(change("bad", pictures=pictures), change("good", row=2))
        bad, good = store.claim()
        store.ledger.settle(
            [Outcome(bad, tuple(map(failed, pictures)), code="image_truncated", detail="cut off"), Outcome(good)]
        )
        job_id = accepted[0].job_id
        assert store.jobs.retry("shop", job_id) == Retried(again=1, left=0)
        record = read(store, "bad")
        assert (record.version, record.state, record.code, record.detail) == (2, ProductState.PENDING, None, None)
        assert record.pictures == (picture("1"), failed(refused_picture()), picture("2"))
        assert read(store, "good").version == 1
        job = job_of(store, job_id)
        assert (job.counts, job.finished_at) == ({PENDING: 1, SEARCHABLE: 1}, None)
        [item] = store.jobs.items(job_id, state=PENDING, after_row=0, limit=10)
        assert (item.row, item.product_id, item.code, item.detail) == (1, "bad", None, None)

    def test_what_is_tried_again_ends_like_any_other(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        fail_all(store)
        for _ in range(2):
            assert store.jobs.retry("shop", accepted.job_id) == Retried(again=1, left=0)
            assert not store.finished(accepted)
            fail_all(store)
            assert store.states(accepted.job_id) == [(1, FAILED)]
            assert store.finished(accepted)
        store.jobs.retry("shop", accepted.job_id)
        store.settle_all()
        assert job_of(store, accepted.job_id).counts == {SEARCHABLE: 1}
        assert store.finished(accepted)
        assert (read(store).version, read(store).state) == (4, ProductState.SEARCHABLE)

    def test_it_waits_behind_uploads_from_now_on(self, store: Store) -> None:
        [accepted] = store.upload(change("failed"))
        fail_all(store)
        store.upload(change("import"), kind=JobKind.IMPORT)
        store.clock.advance(1)
        store.jobs.retry("shop", accepted.job_id)
        store.upload(change("upload"))
        assert store.claimed_ids() == ["upload", "import", "failed"]

    def test_addresses_are_fetched_again_as_if_for_the_first_time(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1", pictures=(url_picture("a"), picture("b"))))
        [claim] = store.claim(work=Work.FETCH)
        store.ledger.record_fetches([Fetching(claim, (url_picture("a"), picture("b")), store.clock.now)])
        [claim] = store.claim(work=Work.FETCH)
        gone = replace(url_picture("a"), state=PictureState.FAILED, code="url_refused", detail="404")
        store.ledger.record_fetches([Fetching(claim, (gone, picture("b")))])
        fail_all(store)
        assert store.jobs.retry("shop", accepted.job_id) == Retried(again=1, left=0)
        assert read(store).pictures == (url_picture("a"), picture("b"))
        assert store.claimed_ids() == []
        [claim] = store.claim(work=Work.FETCH)
        assert (claim.version, claim.attempts, claim.fetches) == (2, 1, 0)

    def test_a_product_that_ended_its_workers_has_its_attempts_again(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        for _ in range(3):
            store.claim()
            store.clock.advance(LEASE + 1)
        assert store.jobs.retry("shop", accepted.job_id) == Retried(again=1, left=0)
        [claim] = store.claim()
        assert claim.attempts == 1

    def test_rows_that_made_no_product_are_left(self, store: Store) -> None:
        refused = (
            JobItem(2, "p-1", FAILED, field="price", code="invalid_field", detail="no"),
            JobItem(3, None, FAILED, code="csv_invalid", detail="no"),
        )
        claim = begin_import(store, change("p-1"), refused=refused)
        fail_all(store)
        assert store.jobs.retry("shop", claim.job_id) == Retried(again=1, left=2)
        assert store.states(claim.job_id) == [(1, PENDING), (2, FAILED), (3, FAILED)]

    def test_products_that_were_changed_since_are_left(self, store: Store) -> None:
        accepted = store.upload(change("changed"), change("deleted", row=2), change("repaired", row=3))
        fail_all(store)
        store.upload(change("changed"), deletion("deleted", row=2), change("repaired", row=3))
        store.upload(facts_change("changed"), kind=JobKind.UPDATE)
        store.settle_all()
        assert store.jobs.retry("shop", accepted[0].job_id) == Retried(again=0, left=3)
        assert [read(store, name).version for name in ("changed", "deleted", "repaired")] == [3, 2, 2]
        assert store.ledger.due() == 0
        assert store.finished(accepted[0])

    def test_a_newer_failure_is_tried_again_by_its_own_job(self, store: Store) -> None:
        [older] = store.upload(change("p-1"))
        fail_all(store)
        [newer] = store.upload(change("p-1"))
        fail_all(store)
        assert store.jobs.retry("shop", older.job_id) == Retried(again=0, left=1)
        assert store.jobs.retry("shop", newer.job_id) == Retried(again=1, left=0)

    def test_a_delete_that_failed_is_left(self, store: Store) -> None:
        [accepted] = store.upload(deletion("p-1"), kind=JobKind.DELETE)
        fail_all(store)
        assert store.jobs.retry("shop", accepted.job_id) == Retried(again=0, left=1)

    def test_pictures_whose_bytes_are_nowhere_are_left(self, store: Store) -> None:
        accepted = store.upload(change("none", pictures=(refused_picture(),)), change("some", row=2))
        fail_all(store)
        assert store.jobs.retry("shop", accepted[0].job_id) == Retried(again=1, left=1)
        assert (read(store, "none").version, read(store, "none").state) == (1, ProductState.FAILED)

    def test_a_job_without_failures_has_nothing_to_try_again(self, store: Store) -> None:
        accepted = store.upload(change("p-1"), change("p-2", row=2))
        store.ledger.settle([Outcome(claim) for claim in store.claim(1)])
        assert store.jobs.retry("shop", accepted[0].job_id) == Retried(again=0, left=0)
        store.settle_all()
        assert store.jobs.retry("shop", accepted[0].job_id) == Retried(again=0, left=0)
        assert store.finished(accepted[0])

    def test_a_retry_while_others_still_wait_or_at_once_again_tries_each_once(self, store: Store) -> None:
        accepted = store.upload(*(change(f"p-{n:02}", row=n) for n in range(1, 21)))
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim(12)])
        retried = at_once(4, lambda _: store.jobs.retry("shop", accepted[0].job_id))
        assert sum(it.again for it in retried if it) == 12
        assert job_of(store, accepted[0].job_id).counts == {PENDING: 20}
        store.settle_all()
        assert job_of(store, accepted[0].job_id).counts == {SEARCHABLE: 20}
        assert store.finished(accepted[0])

    def test_a_job_of_any_size_is_tried_again_whole(self, store: Store) -> None:
        accepted = store.upload(*(change(f"p-{n:04}", row=n) for n in range(1, 1_201)))
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim(1_150)])
        assert store.jobs.retry("shop", accepted[0].job_id) == Retried(again=1_150, left=0)
        assert job_of(store, accepted[0].job_id).counts == {PENDING: 1_200}

    def test_what_is_tried_again_can_be_superseded(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        fail_all(store)
        store.jobs.retry("shop", accepted.job_id)
        store.upload(change("p-1"))
        assert store.states(accepted.job_id) == [(1, SUPERSEDED)]
        assert store.finished(accepted)

    def test_a_failed_job_is_tried_again_by_its_own_merchant_only(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        fail_all(store)
        assert store.jobs.retry("other", accepted.job_id) is None
        assert store.jobs.retry("shop", "no such job") is None
        assert read(store).version == 1


class TestCancel:
    def test_new_products_no_worker_has_taken_up_are_withdrawn_at_once(self, store: Store) -> None:
        accepted = store.upload(change("p-1"), change("p-2", row=2, pictures=(url_picture(),)))
        job_id = accepted[0].job_id
        assert store.jobs.cancel("shop", job_id) == Cancelled(withdrawn=2, going_on=0)
        for product_id in ("p-1", "p-2"):
            record = read(store, product_id)
            assert (record.deleted, record.version, record.indexed_version) == (True, 2, 2)
            assert (record.pictures, record.dropped) == ((), ())
        assert store.ledger.due() == 0
        assert store.catalog.deleted_but_indexed("shop", 10) == []
        assert not store.catalog.owns_image("shop", content_hash("p-1.jpg"))
        job = job_of(store, job_id)
        assert job.counts == {CANCELLED: 2}
        assert job.finished_at is not None
        assert job.cancelled_at is not None
        assert job.created_at < job.cancelled_at <= store.clock.now

    def test_a_change_of_a_product_that_was_there_before_goes_on(self, store: Store) -> None:
        store.upload(change("searchable"))
        store.settle_all()
        store.upload(change("waiting"))
        accepted = store.upload(change("searchable"), change("waiting", row=2), change("new", row=3))
        job_id = accepted[0].job_id
        assert store.jobs.cancel("shop", job_id) == Cancelled(withdrawn=1, going_on=2)
        assert store.states(job_id) == [(1, PENDING), (2, PENDING), (3, CANCELLED)]
        job = job_of(store, job_id)
        assert (job.finished_at, job.cancelled_at is None) == (None, False)
        store.settle_all()
        assert store.states(job_id) == [(1, SEARCHABLE), (2, SEARCHABLE), (3, CANCELLED)]
        assert store.finished(accepted[0])

    def test_a_new_product_that_is_tried_again_goes_on(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        fail_all(store)
        store.jobs.retry("shop", accepted.job_id)
        assert store.jobs.cancel("shop", accepted.job_id) == Cancelled(withdrawn=0, going_on=1)
        store.settle_all()
        assert store.states(accepted.job_id) == [(1, SEARCHABLE)]

    def test_facts_and_deletes_go_on(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        store.settle_all()
        accepted = store.upload(facts_change("p-1"), deletion("p-2", row=2), deletion("never", row=3))
        assert store.jobs.cancel("shop", accepted[0].job_id) == Cancelled(withdrawn=0, going_on=3)
        store.settle_all()
        assert job_of(store, accepted[0].job_id).counts == {SEARCHABLE: 1, DELETED: 2}

    def test_what_a_worker_holds_goes_on(self, store: Store) -> None:
        accepted = store.upload(change("p-1"), change("p-2", row=2))
        claims = store.claim(1)
        assert store.jobs.cancel("shop", accepted[0].job_id) == Cancelled(withdrawn=1, going_on=1)
        store.ledger.settle([Outcome(claim) for claim in claims])
        assert store.states(accepted[0].job_id) == [(1, SEARCHABLE), (2, CANCELLED)]
        assert store.finished(accepted[0])

    @pytest.mark.parametrize("given_back", [True, False], ids=["given back", "lost"])
    def test_what_a_worker_once_held_is_removed_from_the_index(self, store: Store, given_back: bool) -> None:
        [accepted] = store.upload(change("p-1"))
        claims = store.claim()
        if given_back:
            store.ledger.release(claims)
        store.clock.advance(LEASE + 1)
        assert store.jobs.cancel("shop", accepted.job_id) == Cancelled(withdrawn=1, going_on=0)
        assert store.states(accepted.job_id) == [(1, CANCELLED)]
        assert store.finished(accepted)
        record = read(store)
        assert (record.deleted, record.version, record.dropped) == (True, 2, (content_hash("p-1.jpg"),))
        assert store.catalog.deleted_but_indexed("shop", 10) == ["p-1"]
        [claim] = store.claim(work=Work.FACTS)
        assert (claim.version, claim.attempts) == (2, 1)
        store.ledger.settle([Outcome(claim)])
        assert store.catalog.deleted_but_indexed("shop", 10) == []
        assert store.states(accepted.job_id) == [(1, CANCELLED)]

    def test_a_worker_that_is_late_does_not_bring_a_withdrawn_product_back(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        late = store.claim()
        store.clock.advance(LEASE + 1)
        store.jobs.cancel("shop", accepted.job_id)
        store.ledger.settle([Outcome(claim) for claim in late])
        assert (read(store).deleted, read(store).searchable_at) == (True, None)
        assert store.ledger.due() == 1
        assert store.states(accepted.job_id) == [(1, CANCELLED)]

    def test_a_product_a_file_names_twice_is_withdrawn_once(self, store: Store) -> None:
        claim = begin_import(store, change("p-1", row=1), change("p-1", row=2))
        assert store.jobs.cancel("shop", claim.job_id) == Cancelled(withdrawn=1, going_on=0)
        assert store.states(claim.job_id) == [(1, SUPERSEDED), (2, CANCELLED)]
        assert read(store).deleted

    def test_a_new_product_that_another_job_changed_goes_on_in_its_name(self, store: Store) -> None:
        [first] = store.upload(change("p-1"))
        [second] = store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        assert store.jobs.cancel("shop", first.job_id) == Cancelled(withdrawn=0, going_on=0)
        assert not read(store).deleted
        assert store.states(second.job_id) == [(1, PENDING)]

    def test_an_import_reads_no_further_rows(self, store: Store) -> None:
        refused = (JobItem(3, None, FAILED, code="csv_invalid", detail="no"),)
        claim = begin_import(store, change("p-1", row=1), change("p-2", row=2), refused=refused)
        assert store.jobs.cancel("shop", claim.job_id) == Cancelled(withdrawn=2, going_on=0)
        job = job_of(store, claim.job_id)
        assert (job.total, job.counts) == (3, {CANCELLED: 2, FAILED: 1})
        assert job.finished_at is not None
        assert store.jobs.imports_due() == 0
        with pytest.raises(Conflict):
            read_on(store, claim, change("p-4", row=4))
        assert store.catalog.product(key("p-4")) is None
        store.jobs.fail_import(claim, "csv_invalid", "no")
        store.jobs.yield_import(claim)
        assert job_of(store, claim.job_id) == job
        store.clock.advance(LEASE + 1)
        assert store.ledger.return_leases() == 0
        assert store.jobs.claim_import(LEASE) is None

    def test_an_import_no_row_of_which_was_read_ends_at_once(self, store: Store) -> None:
        job_id = store.jobs.open_import("shop", "file", ImportOptions())
        assert store.jobs.cancel("shop", job_id) == Cancelled(withdrawn=0, going_on=0)
        job = job_of(store, job_id)
        assert (job.total, job.counts, job.done) == (0, {}, True)
        assert job.finished_at is not None
        assert store.jobs.claim_import(LEASE) is None

    def test_a_job_of_any_size_is_withdrawn_whole(self, store: Store) -> None:
        store.upload(*(change(f"p-{n:04}", row=n) for n in range(1, 601)))
        accepted = store.upload(*(change(f"p-{n:04}", row=n) for n in range(1, 1_201)))
        assert store.jobs.cancel("shop", accepted[0].job_id) == Cancelled(withdrawn=600, going_on=600)
        assert job_of(store, accepted[0].job_id).counts == {PENDING: 600, CANCELLED: 600}
        assert store.ledger.due() == 600

    def test_cancelling_twice_withdraws_nothing_more(self, store: Store) -> None:
        store.upload(change("old"))
        store.settle_all()
        accepted = store.upload(change("old"), change("new", row=2))
        assert store.jobs.cancel("shop", accepted[0].job_id) == Cancelled(withdrawn=1, going_on=1)
        assert store.jobs.cancel("shop", accepted[0].job_id) == Cancelled(withdrawn=0, going_on=1)
        assert read(store, "new").version == 2

    def test_a_job_that_has_ended_stays_as_it_is(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        store.settle_all()
        before = job_of(store, accepted.job_id)
        assert store.jobs.cancel("shop", accepted.job_id) == Cancelled(withdrawn=0, going_on=0)
        after = job_of(store, accepted.job_id)
        assert (after.counts, after.finished_at) == (before.counts, before.finished_at)
        assert read(store).state is ProductState.SEARCHABLE

    def test_a_withdrawn_product_can_be_uploaded_again(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        store.jobs.cancel("shop", accepted.job_id)
        [again] = store.upload(change("p-1"))
        assert (again.version, again.created) == (3, True)
        store.settle_all()
        assert read(store).state is ProductState.SEARCHABLE

    def test_a_job_is_cancelled_by_its_own_merchant_only(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        assert store.jobs.cancel("other", accepted.job_id) is None
        assert store.jobs.cancel("shop", "no such job") is None
        assert job_of(store, accepted.job_id).cancelled_at is None
        assert store.states(accepted.job_id) == [(1, PENDING)]

    def test_cancelling_while_workers_claim_leaves_nothing_undone(self, store: Store) -> None:
        accepted = store.upload(*(change(f"p-{n:02}", row=n) for n in range(1, 61)))
        job_id = accepted[0].job_id

        def act(thread: int) -> Cancelled | None:
            if thread == 0:
                return store.jobs.cancel("shop", job_id)
            for _ in range(4):
                store.ledger.settle([Outcome(claim) for claim in store.claim(7)])
            return None

        cancelled = at_once(3, act)[0]
        store.settle_all()
        job = job_of(store, job_id)
        assert cancelled is not None
        assert job.counts.get(CANCELLED, 0) == cancelled.withdrawn
        assert sum(job.counts.values()) == 60
        assert job.finished_at is not None
        assert store.ledger.due() == 0
