"""What `ports.Jobs` promises of jobs that ended long ago, on the fake and on each database."""

from datetime import timedelta

from backend.domain.job import ItemState, JobItem
from backend.domain.product import ProductState
from backend.domain.work import Outcome
from tests.contracts.catalog_backends import Store, read
from tests.contracts.test_jobs import OPTIONS, begin, job_of, record
from tests.factories import change, key, receipt


def test_a_job_that_ended_long_ago_goes_with_its_items_and_its_receipt(store: Store) -> None:
    [old] = store.upload(change("p-1"), receipt=receipt())
    store.settle_all()
    ended = job_of(store, old.job_id).finished_at
    assert ended is not None
    [new] = store.upload(change("p-2"), receipt=receipt("key-2"))
    store.settle_all()
    assert store.jobs.forget_finished(ended - timedelta(microseconds=1)) == 0
    assert store.jobs.forget_finished(ended) == 1
    assert store.jobs.job("shop", old.job_id) is None
    assert store.states(old.job_id) == []
    assert store.receipts.receipt("shop", "key-1") is None
    assert job_of(store, new.job_id).done
    assert store.states(new.job_id) == [(1, ItemState.SEARCHABLE)]
    assert store.receipts.receipt("shop", "key-2") is not None
    assert read(store).state is ProductState.SEARCHABLE


def test_a_job_that_goes_on_is_kept_whatever_its_age(store: Store) -> None:
    [waits] = store.upload(change("p-1"))
    unread = store.jobs.open_import("shop", "blob", OPTIONS)
    [retried] = store.upload(change("p-2"))
    store.ledger.settle([Outcome(it, code="internal") for it in store.claim() if it.key == key("p-2")])
    store.jobs.retry("shop", retried.job_id)
    assert store.jobs.forget_finished(store.clock.now + timedelta(days=1)) == 0
    for job_id in (waits.job_id, unread, retried.job_id):
        assert store.jobs.job("shop", job_id) is not None


def test_jobs_of_any_size_go(store: Store) -> None:
    claim = begin(store)
    rows = [JobItem(n, None, ItemState.FAILED, code="invalid_field") for n in range(1, 2_500)]
    record(store, claim, refused=tuple(rows), next_row=2_500, total=2_499)
    for n in range(3):
        store.upload(change(f"p-{n}"))
    store.settle_all()
    assert store.jobs.forget_finished(store.clock.now) == 4
    assert store.states(claim.job_id) == []


def test_what_is_forgotten_leaves_nothing_to_retry_or_cancel(store: Store) -> None:
    [accepted] = store.upload(change("p-1"))
    store.ledger.settle([Outcome(it, code="internal") for it in store.claim()])
    store.jobs.forget_finished(store.clock.now)
    assert store.jobs.retry("shop", accepted.job_id) is None
    assert store.jobs.cancel("shop", accepted.job_id) is None
