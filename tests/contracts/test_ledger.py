"""What every `ports.Ledger` promises, claimed of the fake and of the SQL one on each database."""

import itertools
from dataclasses import replace
from datetime import timedelta

from backend.domain.importing import ImportOptions
from backend.domain.job import ItemState, JobKind
from backend.domain.picture import PictureState
from backend.domain.product import ProductState
from backend.domain.work import Backlog, Claim, Outcome, Work
from backend.errors import Poison
from tests.contracts.catalog_backends import LEASE, Store, at_once, read
from tests.factories import (
    change,
    content_hash,
    deletion,
    facts_change,
    key,
    picture,
    refused_picture,
    url_picture,
)

FAILED = PictureState.FAILED
SEARCHABLE = PictureState.SEARCHABLE
SECOND = timedelta(seconds=1)


def lose_worker(store: Store, limit: int = 32) -> list[Claim]:
    """A worker claims and is never heard of again."""
    claims = store.claim(limit)
    store.clock.advance(LEASE + 1)
    return claims


class TestClaim:
    def test_nothing_is_claimed_when_nothing_is_due(self, store: Store) -> None:
        assert store.claim() == []
        store.upload(change("p-1"))
        store.settle_all()
        assert store.claim() == []

    def test_a_claim_names_the_version_and_counts_the_attempt(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.upload(change("p-1"))
        [claim] = store.claim()
        assert (claim.key, claim.version, claim.attempts) == (key("p-1"), 2, 1)

    def test_a_claimed_product_is_not_claimed_again_while_its_lease_lives(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        assert store.claimed_ids(1) == ["p-1"]
        store.clock.advance(LEASE - 1)
        assert store.claimed_ids() == ["p-2"]
        assert store.claim() == []

    def test_a_product_that_changes_while_it_waits_keeps_its_place(self, store: Store) -> None:
        store.upload(change("busy"))
        store.upload(change("calm"))
        store.upload(change("busy"))
        assert store.claimed_ids() == ["busy", "calm"]

    def test_no_more_is_claimed_than_asked_for(self, store: Store) -> None:
        store.upload(*(change(f"p-{n:02}", row=n) for n in range(1, 41)))
        assert [len(store.claim()), len(store.claim()), len(store.claim())] == [32, 8, 0]

    def test_threads_never_claim_the_same_product(self, store: Store) -> None:
        store.upload(*(change(f"p-{n}", row=n) for n in range(1, 201)))

        def work(_: int) -> list[Claim]:
            claims = []
            while some := store.claim(7):
                claims += some
            return claims

        claimed = [claim.key for claims in at_once(6, work) for claim in claims]
        assert len(claimed) == len(set(claimed))
        # A worker passes over rows another one is just claiming; what it left lies there for the next.
        assert len({*claimed, *(claim.key for claim in store.claim(200))}) == 200


class TestLostWorkers:
    def test_a_product_whose_worker_died_is_claimed_alone(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        lose_worker(store)
        store.upload(change("p-3"))
        first, second, third = store.claim(), store.claim(), store.claim()
        assert [(claim.key.product_id, claim.attempts) for claim in first] == [("p-1", 2)]
        assert [(claim.key.product_id, claim.attempts) for claim in second] == [("p-2", 2)]
        assert [(claim.key.product_id, claim.attempts) for claim in third] == [("p-3", 1)]

    def test_it_does_not_join_a_batch_that_others_begin(self, store: Store) -> None:
        store.upload(change("suspect"))
        lose_worker(store)
        store.upload(change("p-1", merchant="a-other"), change("p-2", merchant="a-other", row=2))
        store.upload(change("p-3"))
        assert sorted(store.claimed_ids()) == ["p-1", "p-2", "p-3"]
        assert store.claimed_ids() == ["suspect"]

    def test_lost_attempts_are_counted(self, store: Store) -> None:
        store.upload(change("p-1"))
        assert [lose_worker(store)[0].attempts for _ in range(2)] == [1, 2]

    def test_a_product_that_ended_its_worker_twice_is_set_aside_as_poison(self, store: Store) -> None:
        [poison] = store.upload(change("poison", pictures=(picture("bomb"), refused_picture())))
        for _ in range(2):
            lose_worker(store)
        store.upload(change("good"))
        assert store.claimed_ids() == ["good"]
        record = read(store, "poison")
        assert (record.state, record.code, record.detail) == (ProductState.FAILED, Poison.code, Poison.mend)
        assert store.ledger.due() == 2  # the good one, leased, and what the index may hold of the other
        [item] = store.jobs.items(poison.job_id, state=ItemState.FAILED, after_row=0, limit=10)
        assert (item.code, item.detail, item.attempts) == (Poison.code, Poison.mend, 2)
        assert store.finished(poison)

    def test_its_pictures_are_not_tried_again_for_a_change_of_price(self, store: Store) -> None:
        store.upload(change("poison", pictures=(picture("bomb"), refused_picture())))
        for _ in range(3):
            lose_worker(store)
        store.upload(facts_change("poison"), kind=JobKind.UPDATE)
        bomb, refused = read(store, "poison").pictures
        assert (bomb.state, bomb.code, bomb.name) == (FAILED, Poison.code, "bomb")
        assert refused == refused_picture()

    def test_a_batch_of_set_aside_products_does_not_hide_the_work_behind_them(self, store: Store) -> None:
        store.upload(*(change(f"poison-{n}", row=n) for n in range(1, 6)))
        for _ in range(6):  # all together, then each by itself
            lose_worker(store)
        store.upload(change("good"))
        assert store.claimed_ids(2) == ["good"]
        assert store.catalog.count()["failed"] == 5

    def test_a_new_version_starts_with_a_clean_slate(self, store: Store) -> None:
        store.upload(change("p-1"))
        lose_worker(store)
        lose_worker(store)
        store.upload(change("p-1"))
        [claim] = store.claim()
        assert (claim.version, claim.attempts) == (2, 1)

    def test_new_facts_do_not_absolve_the_pictures_that_wait(self, store: Store) -> None:
        store.upload(change("p-1"))
        lose_worker(store)
        store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        [claim] = lose_worker(store)
        assert (claim.version, claim.attempts) == (2, 2)
        assert store.claim() == []
        assert read(store).code == Poison.code

    def test_a_delete_starts_with_a_clean_slate(self, store: Store) -> None:
        store.upload(change("p-1"))
        for _ in range(2):
            lose_worker(store)
        store.upload(deletion("p-1"), kind=JobKind.DELETE)
        [claim] = store.claim(work=Work.FACTS)
        assert (claim.version, claim.attempts) == (2, 1)

    def test_a_poisoned_product_may_be_uploaded_again(self, store: Store) -> None:
        store.upload(change("p-1"))
        for _ in range(3):
            lose_worker(store)
        store.upload(change("p-1"))
        [claim] = store.claim()
        assert claim.attempts == 1
        store.ledger.settle([Outcome(claim)])
        assert read(store).state is ProductState.SEARCHABLE

    def test_only_pictures_nobody_judged_are_set_aside(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("good"),)))
        store.ledger.settle([Outcome(claim, (picture("good", SEARCHABLE),)) for claim in store.claim()])
        store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        for _ in range(2):
            store.claim(work=Work.FACTS)
            store.clock.advance(LEASE + 1)
        store.claim(work=Work.FACTS)
        assert (read(store).code, read(store).pictures) == (Poison.code, (picture("good", SEARCHABLE),))

    def test_the_index_is_cleared_of_what_was_set_aside_and_nothing_is_tried_for_it(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        for _ in range(3):
            lose_worker(store)
        assert store.claim() == []
        [clearing] = store.claim(work=Work.FACTS)
        assert (clearing.version, clearing.attempts) == (1, 1)
        record = read(store)
        store.ledger.settle([Outcome(clearing, record.pictures, code=record.code, detail=record.detail)])
        assert store.ledger.due() == 0
        assert (read(store).state, read(store).code) == (ProductState.FAILED, Poison.code)
        assert store.catalog.count()["failed"] == 1
        [item] = store.jobs.items(accepted.job_id, state=None, after_row=0, limit=10)
        assert item.attempts == 2

    def test_one_that_cannot_even_be_cleared_is_left_alone(self, store: Store) -> None:
        store.upload(change("p-1"))
        for _ in range(3):
            lose_worker(store)
        for _ in range(3):
            store.claim(work=Work.FACTS)
            store.clock.advance(LEASE + 1)
        assert store.claim(work=Work.FACTS) == []
        assert store.ledger.due() == 0
        assert (read(store).state, read(store).code) == (ProductState.FAILED, Poison.code)

    def test_a_delete_that_is_set_aside_stays_hidden(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        [accepted] = store.upload(deletion("p-1"), kind=JobKind.DELETE)
        for _ in range(2):
            store.claim(work=Work.FACTS)
            store.clock.advance(LEASE + 1)
        assert store.claim(work=Work.FACTS) == []
        assert store.states(accepted.job_id) == [(1, ItemState.FAILED)]
        assert store.catalog.deleted_but_indexed("shop", 10) == ["p-1"]


class TestSettle:
    def test_a_product_that_went_well_is_searchable_and_so_is_its_item(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1", pictures=(picture("1"), refused_picture(), picture("2"))))
        store.ledger.settle(
            [
                Outcome(claim, (picture("1", SEARCHABLE), refused_picture(), picture("2", SEARCHABLE)))
                for claim in store.claim()
            ]
        )
        record = read(store)
        assert (record.state, record.indexed_version, record.code) == (ProductState.SEARCHABLE, 1, None)
        assert record.pictures == (picture("1", SEARCHABLE), refused_picture(), picture("2", SEARCHABLE))
        [item] = store.jobs.items(accepted.job_id, state=None, after_row=0, limit=10)
        assert (item.state, item.searchable_at) == (ItemState.SEARCHABLE, record.searchable_at)
        assert record.searchable_at is not None
        assert store.finished(accepted)
        assert store.ledger.due() == 0

    def test_a_product_that_failed_says_why_and_so_does_its_item(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1", pictures=(picture("1"),)))
        broken = picture("1", FAILED)
        broken = type(broken)(broken.content_hash, FAILED, "image_truncated", "cut off", broken.name)
        [claim] = store.claim()
        store.ledger.settle([Outcome(claim, (broken,), code="image_truncated", detail="cut off")])
        record = read(store)
        assert (record.state, record.code, record.detail) == (ProductState.FAILED, "image_truncated", "cut off")
        assert (record.pictures, record.searchable_at) == ((broken,), None)
        [item] = store.jobs.items(accepted.job_id, state=ItemState.FAILED, after_row=0, limit=10)
        assert (item.code, item.detail, item.searchable_at) == ("image_truncated", "cut off", None)
        assert store.finished(accepted)
        assert store.claim() == []

    def test_pictures_are_judged_by_their_place(self, store: Store) -> None:
        twice = (picture("same"), picture("same"), refused_picture())
        store.upload(change("p-1", pictures=twice))
        judged = (picture("same", SEARCHABLE), replace(picture("same", FAILED), code="internal"), refused_picture())
        store.ledger.settle([Outcome(claim, judged) for claim in store.claim()])
        assert read(store).pictures == judged

    def test_an_outcome_without_pictures_says_nothing_of_them(self, store: Store) -> None:
        pictures = (picture("1"), refused_picture())
        store.upload(change("p-1", pictures=pictures))
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim()])
        assert (read(store).pictures, read(store).code) == (pictures, "internal")

    def test_a_failed_change_does_not_unsay_since_when_the_product_is_searchable(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        since = read(store).searchable_at
        store.upload(change("p-1"))
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim()])
        assert read(store).searchable_at == since

    def test_a_deleted_product_is_done_and_not_searchable(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        [accepted] = store.upload(deletion("p-1"), kind=JobKind.DELETE)
        store.settle_all()
        assert (read(store).deleted, read(store).searchable_at) == (True, None)
        assert store.states(accepted.job_id) == [(1, ItemState.DELETED)]
        assert store.finished(accepted)

    def test_a_batch_is_settled_each_in_its_own_way(self, store: Store) -> None:
        accepted = store.upload(*(change(f"p-{n}", row=n) for n in range(1, 33)))
        outcomes = [
            Outcome(claim, code="image_empty" if number % 3 == 0 else None)
            for number, claim in enumerate(store.claim())
        ]
        store.ledger.settle(outcomes)
        job = store.jobs.job("shop", accepted[0].job_id)
        assert job is not None
        assert job.counts == {ItemState.SEARCHABLE: 21, ItemState.FAILED: 11}
        assert store.finished(accepted[0])

    def test_a_job_ends_with_its_last_item(self, store: Store) -> None:
        accepted = store.upload(change("p-1"), change("p-2", row=2))
        store.ledger.settle([Outcome(claim) for claim in store.claim(1)])
        assert not store.finished(accepted[0])
        store.ledger.settle([Outcome(claim) for claim in store.claim(1)])
        assert store.finished(accepted[0])

    def test_threads_that_settle_the_last_items_of_a_job_end_it(self, store: Store) -> None:
        for round_ in range(5):
            accepted = store.upload(*(change(f"p-{round_}-{n}", row=n) for n in range(1, 7)))
            claims = store.claim()
            at_once(6, lambda n, claims=claims: store.ledger.settle([Outcome(claims[n])]))  # type: ignore[misc]
            assert store.finished(accepted[0])

    def test_a_product_that_moved_on_stays_due_with_its_newer_item_waiting(self, store: Store) -> None:
        [old] = store.upload(change("p-1", pictures=(picture("1"), picture("2"))))
        claims = store.claim()
        [new] = store.upload(change("p-1", pictures=(picture("2"), picture("3"))))
        assert store.claim() == []  # one worker at a time, whatever the version
        judged = (picture("1", SEARCHABLE), picture("2", SEARCHABLE))
        store.ledger.settle([Outcome(claim, judged) for claim in claims])
        record = read(store)
        assert (record.version, record.indexed_version, record.state) == (2, 1, ProductState.PENDING)
        assert record.pictures == (picture("2"), picture("3"))
        assert store.states(old.job_id) == [(1, ItemState.SUPERSEDED)]
        assert store.states(new.job_id) == [(1, ItemState.PENDING)]
        [claim] = store.claim()
        assert (claim.version, claim.attempts) == (2, 1)

    def test_the_failure_of_an_old_version_is_not_held_against_the_new_one(self, store: Store) -> None:
        store.upload(change("p-1"))
        claims = store.claim()
        store.upload(change("p-1"))
        store.ledger.settle([Outcome(claim, code="image_empty") for claim in claims])
        assert (read(store).state, read(store).code) == (ProductState.PENDING, None)

    def test_a_product_deleted_meanwhile_does_not_become_searchable(self, store: Store) -> None:
        store.upload(change("p-1"))
        claims = store.claim()
        [accepted] = store.upload(deletion("p-1"), kind=JobKind.DELETE)
        store.ledger.settle([Outcome(claim, (picture("p-1.jpg", SEARCHABLE),)) for claim in claims])
        assert (read(store).deleted, read(store).searchable_at, read(store).pictures) == (True, None, ())
        assert store.catalog.deleted_but_indexed("shop", 10) == ["p-1"]
        assert store.states(accepted.job_id) == [(1, ItemState.PENDING)]

    def test_a_claim_whose_lease_was_lost_changes_nothing(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        [lost] = lose_worker(store)
        [held] = store.claim()
        store.ledger.settle([Outcome(lost, code="internal")])
        assert read(store).state is ProductState.PENDING
        assert not store.finished(accepted)
        store.ledger.settle([Outcome(held)])
        store.ledger.settle([Outcome(held, code="internal")])
        assert read(store).state is ProductState.SEARCHABLE

    def test_a_lease_that_ran_out_but_was_not_given_on_still_counts(self, store: Store) -> None:
        store.upload(change("p-1"))
        [late] = lose_worker(store)
        store.ledger.settle([Outcome(late)])
        assert read(store).state is ProductState.SEARCHABLE

    def test_settling_nothing_is_allowed(self, store: Store) -> None:
        store.ledger.settle([])
        store.ledger.release([])


class TestDropped:
    """`ProductRecord.dropped`: what has to be buried in the index, lest a late writer bring it back."""

    def test_a_new_product_has_dropped_nothing(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"), refused_picture())))
        assert read(store).dropped == ()

    def test_pictures_that_were_replaced_are_noted_until_that_version_is_settled(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"), picture("b"), refused_picture(), picture("b"))))
        store.upload(change("p-1", pictures=(picture("b"), picture("c"))))
        assert read(store).dropped == (content_hash("a"),)
        [record] = store.catalog.products([key("p-1")])
        assert record.dropped == (content_hash("a"),)
        store.settle_all()
        assert read(store).dropped == ()

    def test_a_deleted_product_has_dropped_all_of_them(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"), picture("b"))))
        store.upload(deletion("p-1"), kind=JobKind.DELETE)
        assert set(read(store).dropped) == {content_hash("a"), content_hash("b")}
        store.settle_all()
        assert read(store).dropped == ()

    def test_new_facts_drop_nothing_and_forget_nothing(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"),)))
        store.upload(change("p-1", pictures=(picture("b"),)))
        store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
        assert read(store).dropped == (content_hash("a"),)

    def test_a_picture_that_is_back_leaves_the_notes(self, store: Store) -> None:
        for name in ("a", "b", "a"):
            store.upload(change("p-1", pictures=(picture(name),)))
        assert read(store).dropped == (content_hash("b"),)

    def test_what_several_versions_dropped_is_noted_together(self, store: Store) -> None:
        for name in ("a", "b", "c"):
            store.upload(change("p-1", pictures=(picture(name),)))
        assert set(read(store).dropped) == {content_hash("a"), content_hash("b")}

    def test_changes_of_one_call_drop_what_was_there_before_and_is_not_there_after(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"), picture("b"))))
        store.upload(
            change("p-1", pictures=(picture("c"),), row=1),
            deletion("p-1", row=2),
            change("p-1", pictures=(picture("a"),), row=3),
        )
        dropped = read(store).dropped
        assert content_hash("b") in dropped
        assert content_hash("a") not in dropped

    def test_settling_an_older_version_forgets_what_it_dropped_only(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"), picture("b"))))
        store.upload(change("p-1", pictures=(picture("b"),)))
        claims = store.claim()
        store.upload(change("p-1", pictures=(picture("c"),)))
        assert set(read(store).dropped) == {content_hash("a"), content_hash("b")}
        store.ledger.settle([Outcome(claim) for claim in claims])
        assert read(store).dropped == (content_hash("b"),)
        store.settle_all()
        assert read(store).dropped == ()

    def test_a_claim_whose_lease_was_lost_forgets_nothing(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"),)))
        store.upload(change("p-1", pictures=(picture("b"),)))
        lost = lose_worker(store)
        store.claim()
        store.ledger.settle([Outcome(claim) for claim in lost])
        store.ledger.release(lost)
        assert read(store).dropped == (content_hash("a"),)

    def test_a_worker_that_died_buried_nothing(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"),)))
        store.upload(change("p-1", pictures=(picture("b"),)))
        for _ in range(3):
            lose_worker(store)
        assert (read(store).code, read(store).dropped) == (Poison.code, (content_hash("a"),))

    def test_an_index_that_was_told_nothing_still_holds_them(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"),)))
        store.upload(change("p-1", pictures=(picture("b"),)))
        store.ledger.settle([Outcome(claim, code="internal", told=False) for claim in store.claim()])
        assert (read(store).code, read(store).dropped) == ("internal", (content_hash("a"),))
        store.upload(change("p-1", pictures=(picture("b"),)))
        store.settle_all()
        assert read(store).dropped == ()

    def test_an_index_that_is_to_be_mended_may_still_hold_them(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("a"),)), change("gone", pictures=(picture("b"),), row=2))
        store.upload(change("p-1", pictures=(picture("c"),)), deletion("gone", row=2))
        store.ledger.mark_all_due()
        assert (read(store).dropped, read(store, "gone").dropped) == ((content_hash("a"),), (content_hash("b"),))
        store.settle_all()
        assert read(store).dropped == read(store, "gone").dropped == ()


class TestRenew:
    def test_a_renewed_claim_is_held_from_now_on(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        claims = store.claim()
        store.clock.advance(LEASE - 1)
        store.ledger.renew(claims, LEASE)
        store.clock.advance(LEASE - 1)
        assert store.ledger.return_leases() == 0
        assert store.claim() == []
        store.clock.advance(2)
        assert store.ledger.return_leases() == 2

    def test_a_claim_whose_lease_was_lost_is_passed_over(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        first, second = lose_worker(store)
        [other] = store.claim(1)  # claimed alone: the first is another worker's now
        assert other.key == first.key
        store.ledger.renew([first, second], 2 * LEASE)
        store.clock.advance(LEASE + 1)
        assert store.ledger.return_leases() == 1
        store.ledger.settle([Outcome(second), Outcome(first, code="internal")])
        assert (read(store, "p-1").state, read(store, "p-2").state) == (ProductState.PENDING, ProductState.SEARCHABLE)

    def test_a_settled_claim_is_not_held_again(self, store: Store) -> None:
        store.upload(change("p-1"))
        claims = store.claim()
        store.ledger.settle([Outcome(claim) for claim in claims])
        store.ledger.renew(claims, LEASE)
        store.ledger.renew([], LEASE)
        assert store.ledger.return_leases(expired_only=False) == 0

    def test_a_change_accepted_meanwhile_does_not_end_the_lease(self, store: Store) -> None:
        store.upload(change("p-1"))
        claims = store.claim()
        store.upload(change("p-1"))
        store.ledger.renew(claims, 3 * LEASE)
        store.clock.advance(2 * LEASE)
        assert store.claim() == []


class TestRelease:
    def test_released_products_are_due_at_once_and_together_as_if_never_claimed(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        for _ in range(5):
            claims = store.claim()
            assert [claim.attempts for claim in claims] == [1, 1]
            store.ledger.release(claims)

    def test_those_released_as_the_last_come_behind_what_waits(self, store: Store) -> None:
        for name in ("p-1", "p-2", "p-3"):
            store.upload(change(name))
            store.clock.advance(1)
        [first] = store.claim(limit=1)
        store.ledger.release([first], last=True)
        assert [claim.key.product_id for claim in store.claim()] == ["p-2", "p-3", "p-1"]

    def test_only_the_attempt_of_the_released_claim_is_taken_back(self, store: Store) -> None:
        store.upload(change("p-1"))
        lose_worker(store)
        store.ledger.release(store.claim())
        [claim] = store.claim()
        assert claim.attempts == 2

    def test_a_claim_whose_lease_was_lost_releases_nothing(self, store: Store) -> None:
        store.upload(change("p-1"))
        lost = lose_worker(store)
        store.claim()
        store.ledger.release(lost)
        assert store.claim() == []

    def test_an_attempt_is_taken_back_though_the_lease_ran_out_during_the_outage(self, store: Store) -> None:
        store.upload(change("p-1"))
        for _ in range(5):
            lost = lose_worker(store)
            store.ledger.return_leases()
            store.ledger.release(lost)
        [claim] = store.claim()
        assert claim.attempts == 1

    def test_an_attempt_at_a_later_version_is_not_taken_back(self, store: Store) -> None:
        store.upload(change("p-1"))
        lost = lose_worker(store)
        store.upload(change("p-1"))
        lose_worker(store)
        store.ledger.return_leases()
        store.ledger.release(lost)
        [claim] = store.claim()
        assert claim.attempts == 2

    def test_a_change_accepted_meanwhile_does_not_turn_the_count_negative(self, store: Store) -> None:
        store.upload(change("p-1"))
        claims = store.claim()
        store.upload(change("p-1"))
        store.ledger.release(claims)
        [claim] = store.claim()
        assert claim.attempts == 1


class TestReturnLeases:
    def test_leases_that_ran_out_are_freed_and_counted(self, store: Store) -> None:
        store.jobs.open_import("shop", "source", ImportOptions())
        store.upload(change("p-1"), change("p-2", row=2))
        store.jobs.claim_import(LEASE)
        store.claim(1)
        store.clock.advance(LEASE / 2)
        store.claim(1)
        store.clock.advance(LEASE / 2 + 1)
        assert store.ledger.return_leases() == 2
        assert store.ledger.return_leases() == 0
        assert store.jobs.claim_import(LEASE) is not None

    def test_the_sole_owner_frees_all_of_them(self, store: Store) -> None:
        store.jobs.open_import("shop", "source", ImportOptions())
        store.upload(change("p-1"), change("p-2", row=2))
        store.jobs.claim_import(LEASE)
        store.claim()
        assert store.ledger.return_leases() == 0
        assert store.ledger.return_leases(expired_only=False) == 3
        assert store.jobs.claim_import(LEASE) is not None

    def test_a_freed_product_may_have_killed_its_worker(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        store.claim()
        store.ledger.return_leases(expired_only=False)
        [claim] = store.claim()
        assert claim.attempts == 2

    def test_a_freed_claim_settles_nothing(self, store: Store) -> None:
        store.upload(change("p-1"))
        claims = store.claim()
        store.ledger.return_leases(expired_only=False)
        store.ledger.settle([Outcome(claim) for claim in claims])
        assert read(store).state is ProductState.PENDING


class TestDue:
    def test_what_waits_is_counted_leased_or_not(self, store: Store) -> None:
        assert store.ledger.due() == 0
        store.upload(change("p-1"), change("p-2", row=2), deletion("p-3", row=3))
        store.claim(1)
        assert store.ledger.due() == 3
        store.settle_all()
        assert store.ledger.due() == 1

    def test_the_backlog_says_how_many_wait_and_since_when(self, store: Store) -> None:
        assert store.ledger.backlog() == store.ledger.backlog("shop") == Backlog(0, None)
        store.upload(change("p-1"), change("p-2", row=2))
        ours = store.clock.now
        store.upload(change("p-1", merchant="other"))
        theirs = store.clock.now
        store.claim(1)
        for merchant, products, since in (("shop", 2, ours), ("other", 1, theirs), (None, 3, ours)):
            backlog = store.ledger.backlog(merchant)
            assert (backlog.products, backlog.oldest and since - backlog.oldest < SECOND) == (products, True)
        assert store.ledger.backlog("nobody") == Backlog(0, None)
        store.clock.advance(LEASE + 1)
        store.settle_all()
        store.upload(change("p-9"))
        backlog = store.ledger.backlog()
        assert backlog.oldest is not None
        assert (backlog.products, store.clock.now - backlog.oldest < SECOND) == (1, True)


class TestMarkAllDue:
    def test_every_live_product_is_due_again_with_its_pictures(self, store: Store) -> None:
        store.upload(change("good", pictures=(picture("1"), refused_picture())))
        store.upload(change("bad", pictures=(picture("2"),)))
        good, bad = store.claim()
        store.ledger.settle(
            [
                Outcome(good, (picture("1", SEARCHABLE), refused_picture())),
                Outcome(bad, (picture("2", FAILED),), code="image_truncated", detail="cut off"),
            ]
        )
        store.upload(change("gone"))
        store.settle_all()
        store.upload(deletion("gone"), kind=JobKind.DELETE)
        store.settle_all()
        assert store.ledger.mark_all_due() == 2
        assert store.ledger.due() == 2
        for product_id, pictures in (("good", (picture("1"), refused_picture())), ("bad", (picture("2"),))):
            record = read(store, product_id)
            assert (record.state, record.indexed_version, record.code) == (ProductState.PENDING, 0, None)
            assert record.pictures == pictures
        assert store.settle_all() == 2

    def test_a_delete_that_waited_or_failed_is_due_and_hidden_until_the_index_followed_it(self, store: Store) -> None:
        store.upload(change("waits"), change("failed", row=2), change("followed", row=3))
        store.settle_all()
        store.upload(deletion("followed"), kind=JobKind.DELETE)
        store.settle_all()
        store.upload(deletion("failed"), kind=JobKind.DELETE)
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim(work=Work.FACTS)])
        [accepted] = store.upload(deletion("waits"), kind=JobKind.DELETE)
        store.claim(work=Work.FACTS)
        assert store.ledger.mark_all_due() == 2
        assert sorted(store.catalog.deleted_but_indexed("shop", 10)) == ["failed", "waits"]
        assert store.states(accepted.job_id) == [(1, ItemState.PENDING)]
        claims = store.claim(work=Work.FACTS)
        assert [(claim.key.product_id, claim.attempts) for claim in claims] == [("waits", 1), ("failed", 1)]
        store.ledger.settle([Outcome(claim) for claim in claims])
        assert store.catalog.deleted_but_indexed("shop", 10) == []
        assert store.states(accepted.job_id) == [(1, ItemState.DELETED)]
        assert store.finished(accepted)

    def test_an_item_that_waited_goes_on_waiting_and_ends_with_its_product(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        store.ledger.mark_all_due()
        assert store.states(accepted.job_id) == [(1, ItemState.PENDING)]
        store.settle_all()
        assert store.states(accepted.job_id) == [(1, ItemState.SEARCHABLE)]

    def test_what_is_being_worked_on_is_worked_on_again(self, store: Store) -> None:
        store.upload(change("p-1"))
        claims = store.claim()
        store.ledger.mark_all_due()
        store.ledger.settle([Outcome(claim) for claim in claims])
        assert store.ledger.due() == 1
        [claim] = store.claim()
        assert claim.attempts == 1

    def test_pictures_that_are_not_here_are_fetched_first(self, store: Store) -> None:
        store.upload(change("p-1", pictures=(picture("1"), url_picture("2"))))
        store.ledger.mark_all_due()
        assert store.claimed_ids() == []
        assert store.claimed_ids(work=Work.FETCH) == ["p-1"]

    def test_what_waited_before_is_first_and_new_uploads_overtake_the_rebuild(self, store: Store) -> None:
        store.upload(change("a-settled"))
        store.settle_all()
        store.upload(change("waited"))
        store.clock.advance(1)
        store.ledger.mark_all_due()
        store.upload(change("uploaded"))
        assert store.claimed_ids() == ["uploaded", "waited", "a-settled"]


class TestMarkDueSince:
    def test_what_was_settled_since_is_due_again_and_nothing_else(self, store: Store) -> None:
        store.upload(change("before"))
        store.settle_all()
        moment = store.clock()
        store.upload(change("since"), change("waits", row=2))
        store.ledger.settle([Outcome(claim) for claim in store.claim(1)])
        assert store.ledger.mark_due_since(moment) == 1
        assert [read(store, name).state for name in ("before", "since")] == ["searchable", "pending"]
        assert sorted(store.claimed_ids()) == ["since", "waits"]
        assert store.ledger.mark_due_since(store.clock()) == 0

    def test_a_product_is_found_and_its_job_is_done_while_it_is_looked_at_again(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1", pictures=(picture("a"), refused_picture())))
        shown = (picture("a", SEARCHABLE), refused_picture())
        store.ledger.settle([Outcome(claim, shown) for claim in store.claim()])
        searchable_at = read(store).searchable_at
        assert store.ledger.mark_due_since(store.clock.now - SECOND) == 1
        assert (read(store).pictures, read(store).searchable_at) == (shown, searchable_at)
        assert store.states(accepted.job_id) == [(1, ItemState.SEARCHABLE)]
        assert store.finished(accepted)
        store.settle_all()
        assert store.states(accepted.job_id) == [(1, ItemState.SEARCHABLE)]

    def test_a_delete_is_hidden_again_until_it_is_followed_again(self, store: Store) -> None:
        store.upload(change("gone"))
        store.settle_all()
        store.upload(deletion("gone"), kind=JobKind.DELETE)
        store.settle_all()
        assert store.ledger.mark_due_since(store.clock.now - SECOND) == 1
        assert store.catalog.deleted_but_indexed("shop", 10) == ["gone"]
        store.ledger.settle([Outcome(claim) for claim in store.claim(work=Work.FACTS)])
        assert store.catalog.deleted_but_indexed("shop", 10) == []

    def test_one_that_failed_is_judged_again(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.ledger.settle([Outcome(claim, code="internal") for claim in store.claim()])
        assert store.ledger.mark_due_since(store.clock.now - SECOND) == 1
        assert (read(store).state, read(store).code) == (ProductState.PENDING, None)
        store.settle_all()
        assert read(store).state is ProductState.SEARCHABLE

    def test_one_that_ended_its_workers_is_not_tried_again(self, store: Store) -> None:
        store.upload(change("p-1"))
        for _ in range(3):
            lose_worker(store)
        assert store.claim() == []
        assert store.ledger.mark_due_since(store.clock.now - 999 * SECOND) == 0
        assert read(store).code == Poison.code

    def test_one_whose_newer_version_was_given_up_is_still_looked_at(self, store: Store) -> None:
        store.upload(change("p-1"))
        store.settle_all()
        moment = store.clock.now - SECOND
        store.upload(change("p-1"))
        store.ledger.settle([Outcome(claim, code="internal", told=False) for claim in store.claim()])
        assert store.ledger.mark_due_since(moment) == 1

    def test_those_that_are_searchable_by_promise_come_before_imports_and_apart_from_prices(self, store: Store) -> None:
        store.upload(change("promised"))
        store.settle_all()
        store.upload(change("imported"), kind=JobKind.IMPORT)
        store.ledger.mark_due_since(store.clock.now - 2 * SECOND)
        assert store.claimed_ids(work=Work.FACTS) == []
        assert store.claimed_ids(1) == ["promised"]

    def test_what_was_withdrawn_before_any_worker_had_it_is_nowhere_and_stays_so(self, store: Store) -> None:
        [accepted] = store.upload(change("p-1"))
        store.jobs.cancel("shop", accepted.job_id)
        assert store.ledger.mark_due_since(store.clock.now - 9 * SECOND) == 0


def test_uploads_deletes_and_workers_at_once_leave_nothing_undone(store: Store) -> None:
    """Everything that locks rows, on a few products, from all sides: no deadlock, no lost item, no job without end."""
    jobs: list[str] = []
    numbers = itertools.count()

    def act(thread: int) -> None:
        for round_ in range(12):
            if thread % 2:
                claims = store.claim(3, Work.FACTS) + store.claim(3)
                if round_ % 4 == 3:
                    store.ledger.release(claims)
                else:
                    store.ledger.settle(
                        [Outcome(claim, code="internal" if next(numbers) % 5 == 0 else None) for claim in claims]
                    )
            else:
                order = (1, 2, 3) if thread % 4 else (3, 2, 1)
                changes = [change(f"p-{n}", row=row) for row, n in enumerate(order, 1)]
                if round_ % 3 == 2:
                    changes[1] = deletion("p-2", row=2)
                jobs.append(store.catalog.accept(changes, JobKind.UPLOAD)[0].job_id)

    at_once(6, act)
    store.ledger.return_leases(expired_only=False)
    store.settle_all()
    assert store.ledger.due() == 0
    found = [store.jobs.job("shop", job_id) for job_id in jobs]
    assert len(found) == 36
    assert all(job is not None and job.finished_at is not None for job in found)
    assert sum(record.version for record in store.catalog.products([key(f"p-{n}") for n in (1, 2, 3)])) == 108
