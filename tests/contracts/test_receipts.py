"""What every `ports.Receipts` promises, and the calls that keep receipts, on the fake and on each database."""

import pytest

from backend.domain.importing import ImportOptions
from backend.domain.job import ItemState, JobKind
from backend.domain.work import KeptReceipt
from backend.errors import Conflict, ProductNotFound, RepeatedRequest
from tests.contracts.catalog_backends import Store, at_once, read
from tests.factories import change, facts_change, key, receipt

DAY = 86_400.0


class TestAccept:
    def test_a_receipt_names_the_job_its_request_made(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"), receipt=receipt())
        assert store.receipts.receipt("shop", "key-1") == KeptReceipt(receipt(), accepted.job_id, None, None)

    def test_a_request_without_a_key_leaves_no_receipt(self, store: Store) -> None:
        store.upload(change("p-1"))
        assert store.receipts.receipt("shop", "key-1") is None

    @pytest.mark.parametrize("fingerprint", ["print-1", "print-2"])
    def test_a_key_that_was_used_already_changes_nothing(self, store: Store, fingerprint: str) -> None:
        [first] = store.upload(change("p-1", title="first"), receipt=receipt())
        with pytest.raises(RepeatedRequest):
            store.upload(change("p-1", title="again"), change("p-2", row=2), receipt=receipt(fingerprint=fingerprint))
        assert (read(store).version, read(store).product.title) == (1, "first")
        assert store.catalog.product(key("p-2")) is None
        assert store.states(first.job_id) == [(1, ItemState.PENDING)]
        assert store.receipts.receipt("shop", "key-1") == KeptReceipt(receipt(), first.job_id, None, None)

    def test_a_repetition_is_known_as_such_whatever_the_first_request_changed(self, store: Store) -> None:
        store.upload(change("p-1"))
        patch = facts_change("p-1", expected_version=1)
        store.upload(patch, kind=JobKind.UPDATE, receipt=receipt())
        with pytest.raises(RepeatedRequest):
            store.upload(patch, kind=JobKind.UPDATE, receipt=receipt())

    def test_a_request_that_is_refused_leaves_no_receipt(self, store: Store) -> None:
        with pytest.raises(ProductNotFound):
            store.upload(facts_change("p-1"), receipt=receipt())
        store.upload(change("p-1"))
        with pytest.raises(Conflict):
            store.upload(facts_change("p-1", expected_version=7), receipt=receipt())
        assert store.receipts.receipt("shop", "key-1") is None
        store.upload(change("p-1"), receipt=receipt())

    def test_the_same_key_of_two_merchants_is_two_keys(self, store: Store) -> None:
        [ours] = store.upload(change("p-1"), receipt=receipt())
        [theirs] = store.upload(change("p-1", merchant="other"), receipt=receipt(merchant="other"))
        for merchant, accepted in (("shop", ours), ("other", theirs)):
            kept = store.receipts.receipt(merchant, "key-1")
            assert kept is not None
            assert kept.job_id == accepted.job_id

    def test_of_threads_with_one_key_one_is_accepted(self, store: Store) -> None:
        def send(n: int) -> bool:
            try:
                store.catalog.accept([change(f"p-{n}")], JobKind.UPLOAD, receipt())
            except RepeatedRequest:
                return False
            return True

        assert sum(at_once(8, send)) == 1
        assert len(store.catalog.products([key(f"p-{n}") for n in range(8)])) == 1


class TestOpenImport:
    def test_a_receipt_names_the_import_its_request_opened(self, store: Store) -> None:
        job_id = store.jobs.open_import("shop", "file-1", ImportOptions(), receipt())
        assert store.receipts.receipt("shop", "key-1") == KeptReceipt(receipt(), job_id, None, None)

    def test_a_key_that_was_used_already_opens_no_import(self, store: Store) -> None:
        store.upload(change("p-1"), receipt=receipt())
        with pytest.raises(RepeatedRequest):
            store.jobs.open_import("shop", "file-1", ImportOptions(), receipt())
        assert store.jobs.imports_due() == 0

    def test_the_key_of_an_import_accepts_no_upload(self, store: Store) -> None:
        store.jobs.open_import("shop", "file-1", ImportOptions(), receipt())
        with pytest.raises(RepeatedRequest):
            store.upload(change("p-1"), receipt=receipt())
        assert store.catalog.product(key("p-1")) is None


class TestAnswer:
    def test_an_answer_is_given_back_as_it_was(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"), receipt=receipt())
        answer = '{"title": "Robe d\'été 🧥"}'
        store.receipts.keep_answer(receipt(), 202, answer)
        assert store.receipts.receipt("shop", "key-1") == KeptReceipt(receipt(), accepted.job_id, 202, answer)

    def test_an_answer_without_a_receipt_is_nothing(self, store: Store) -> None:
        store.upload(change("p-1"), receipt=receipt())
        store.receipts.keep_answer(receipt("key-2"), 202, "{}")
        store.receipts.keep_answer(receipt(merchant="other"), 202, "{}")
        store.receipts.keep_answer(receipt(fingerprint="print-2"), 202, "{}")  # another request with the same key
        assert store.receipts.receipt("shop", "key-2") is None
        assert store.receipts.receipt("other", "key-1") is None
        kept = store.receipts.receipt("shop", "key-1")
        assert kept is not None
        assert (kept.status, kept.answer) == (None, None)


class TestAge:
    def test_a_receipt_is_kept_for_a_day(self, store: Store) -> None:
        store.upload(change("p-1"), receipt=receipt())
        store.clock.advance(DAY - 10)
        assert store.receipts.receipt("shop", "key-1") is not None
        with pytest.raises(RepeatedRequest):
            store.upload(change("p-1"), receipt=receipt())
        store.clock.advance(10)
        assert store.receipts.receipt("shop", "key-1") is None

    def test_after_a_day_the_key_may_be_used_for_another_request(self, store: Store) -> None:
        store.upload(change("p-1"), receipt=receipt())
        store.receipts.keep_answer(receipt(), 202, "{}")
        store.clock.advance(DAY + 1)
        other = receipt(fingerprint="print-2")
        [accepted] = store.upload(change("p-2"), receipt=other)
        assert store.receipts.receipt("shop", "key-1") == KeptReceipt(other, accepted.job_id, None, None)
        with pytest.raises(RepeatedRequest):
            store.upload(change("p-3"), receipt=other)

    def test_after_a_day_the_key_may_open_another_import(self, store: Store) -> None:
        store.jobs.open_import("shop", "file-1", ImportOptions(), receipt())
        store.clock.advance(DAY + 1)
        job_id = store.jobs.open_import("shop", "file-2", ImportOptions(), receipt())
        assert store.receipts.receipt("shop", "key-1") == KeptReceipt(receipt(), job_id, None, None)

    def test_those_older_than_a_day_are_forgotten_and_counted(self, store: Store) -> None:
        assert store.receipts.forget_receipts() == 0
        for number in range(3):
            store.upload(change(f"p-{number}"), receipt=receipt(f"old-{number}"))
        store.clock.advance(DAY)
        store.upload(change("p-4"), receipt=receipt("new"))
        assert store.receipts.forget_receipts() == 3
        assert store.receipts.forget_receipts() == 0
        assert store.receipts.receipt("shop", "new") is not None
