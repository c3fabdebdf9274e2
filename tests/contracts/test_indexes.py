"""What every `ports.Indexes` promises, claimed of the fake and of the SQL one on each database."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from backend.domain.generation import Generation, IndexState
from backend.domain.picture import PictureState
from backend.domain.product import ProductState
from backend.domain.work import Outcome, Work
from backend.errors import Conflict, Poison
from backend.ports import Space
from tests.contracts.catalog_backends import LEASE, Store, at_once, read, shown
from tests.factories import change, deletion, facts_change, key, url_picture

OLD, NEW, NEWEST = Space("old", 4, "f-old"), Space("new", 8, "f-new"), Space("newest", 8, "f-newest")


def states(store: Store) -> dict[int, IndexState]:
    return {generation.number: generation.state for generation in store.indexes.generations()}


def begun(store: Store) -> Generation:
    return store.indexes.begin(NEW, OLD)


def test_without_any_change_of_the_encoder_the_first_serves_and_nothing_is_noted(store: Store) -> None:
    assert store.indexes.generations() == []
    assert (store.indexes.admits(1), store.indexes.admits(2)) == (True, False)


def test_the_first_change_notes_what_serves_and_what_is_built(store: Store) -> None:
    made = begun(store)
    first, second = store.indexes.generations()
    assert (first.number, first.state, first.model, first.fingerprint) == (1, IndexState.SERVING, "old", "f-old")
    assert second == made
    assert (made.number, made.state, made.model, made.dimension) == (2, IndexState.BUILDING, "new", 8)
    assert (made.filled, made.after, made.done) == (False, None, 0)
    assert (store.indexes.admits(1), store.indexes.admits(2)) == (True, False)


def test_progress_is_kept(store: Store) -> None:
    made = begun(store)
    further = replace(
        made,
        total=9,
        done=3,
        after=key("p-3"),
        filled=True,
        told_before=made.told_before + timedelta(seconds=5),
        gaps=(key("p-2"),),
        detail="said",
        comparison={"overlap": 0.5},
    )
    store.indexes.record(further)
    [_, kept] = store.indexes.generations()
    assert kept.updated_at is not None
    assert replace(kept, updated_at=None) == further


class TestKeys:
    def test_a_new_index_is_to_hold_live_products_a_worker_ever_took_up(self, store: Store) -> None:
        store.upload(*(change(f"p-{n}", row=n) for n in range(1, 5)))
        store.settle_all()
        store.upload(deletion("p-2"))
        store.upload(change("waits"))
        assert store.indexes.countable() == 3
        assert store.indexes.keys_after(None, 10) == [key("p-1"), key("p-3"), key("p-4")]
        assert begun(store).total == 3

    def test_keys_are_read_in_parts(self, store: Store) -> None:
        store.upload(*(change(f"p-{n}", row=n) for n in range(1, 4)))
        store.upload(change("p-1", merchant="zebra"))
        store.settle_all()
        part = store.indexes.keys_after(None, 2)
        assert part == [key("p-1"), key("p-2")]
        assert store.indexes.keys_after(part[-1], 2) == [key("p-3"), key("p-1", "zebra")]
        assert store.indexes.keys_after(key("p-1", "zebra"), 2) == []

    def test_what_the_index_was_told_since_is_known_deletes_too(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2), change("p-3", row=3))
        store.settle_all()
        moment = store.clock()
        assert store.indexes.told_since(moment) == []
        store.upload(deletion("p-1"))
        store.upload(facts_change("p-2"))
        store.settle_all()
        store.upload(change("p-3"))  # not told yet
        told = store.indexes.told_since(moment)
        assert {(it.key.product_id, it.version) for it in told} == {("p-1", 2), ("p-2", 2)}
        assert all(it.at >= moment for it in told)


class TestHold:
    def test_nothing_is_admitted_until_the_hold_is_let_go(self, store: Store) -> None:
        begun(store)
        store.indexes.hold(30)
        assert not store.indexes.admits(1)
        store.indexes.let_go()
        assert store.indexes.admits(1)

    def test_a_hold_ends_by_itself(self, store: Store) -> None:
        begun(store)
        store.indexes.hold(30)
        store.clock.advance(31)
        assert store.indexes.admits(1)

    def test_who_is_writing_now_is_counted_and_who_fetches_is_not(self, store: Store) -> None:
        store.upload(change("p-1"), change("p-2", row=2))
        store.upload(change("far", pictures=(url_picture(),)))
        assert store.indexes.working() == 0
        store.claim(1)
        store.claim(work=Work.FETCH)
        assert store.indexes.working() == 1
        store.clock.advance(LEASE + 1)
        assert store.indexes.working() == 1  # it may still be at work, until its lease is taken back
        store.ledger.return_leases()
        assert store.indexes.working() == 0


class TestSwitch:
    def test_the_new_one_serves_and_the_old_one_is_kept(self, store: Store) -> None:
        number = begun(store).number
        store.indexes.announce(number)
        assert states(store)[2] is IndexState.READY
        store.indexes.hold(30)
        assert store.indexes.switch(number, store.clock()) == 0
        assert states(store) == {1: IndexState.KEPT, 2: IndexState.SERVING}
        assert (store.indexes.admits(1), store.indexes.admits(2)) == (False, True)

    def test_what_was_told_since_the_last_look_is_due_again(self, store: Store) -> None:
        store.upload(change("early"))
        store.settle_all()
        number, looked_at = begun(store).number, store.clock()
        store.upload(change("late"), change("gone", row=2))
        store.settle_all()
        store.upload(deletion("gone"))
        store.settle_all()
        assert store.indexes.switch(number, looked_at) == 2
        assert store.claimed_ids() == ["late"]
        assert store.claimed_ids(work=Work.FACTS) == ["gone"]

    def test_work_in_hand_loses_its_lease_without_blame_and_cannot_be_settled(self, store: Store) -> None:
        number = begun(store).number
        store.upload(change("p-1"))
        [claim] = store.claim()
        store.indexes.switch(number, store.clock())
        store.ledger.settle([Outcome(claim, read(store).pictures)])
        assert read(store).state is ProductState.PENDING
        [again] = store.claim()
        assert again.attempts == 1

    def test_gaps_are_due(self, store: Store) -> None:
        store.upload(change("whole"), change("torn", row=2))
        store.settle_all()
        made = begun(store)
        store.indexes.record(replace(made, gaps=(key("torn"), key("unknown"))))
        assert store.indexes.switch(made.number, store.clock()) == 1
        assert store.claimed_ids() == ["torn"]
        [_, serving] = store.indexes.generations()
        assert serving.gaps == ()

    def test_the_way_back_is_the_same_way(self, store: Store) -> None:
        number = begun(store).number
        store.indexes.switch(number, store.clock())
        before = store.clock()
        store.indexes.announce(1)
        store.indexes.switch(1, store.clock())
        assert states(store) == {1: IndexState.SERVING, 2: IndexState.KEPT}
        [_, kept] = store.indexes.generations()
        assert kept.told_before > before  # it was told everything up to the switch

    def test_on_the_way_back_what_was_refused_meanwhile_is_tried_again_as_a_new_version(self, store: Store) -> None:
        store.upload(change("whole"), change("refused", row=2), change("aside", row=3), change("far", row=4))
        for claim in store.claim():
            picture = shown(read(store, claim.key.product_id).pictures[0])
            code = {"refused": "internal", "far": "internal", "aside": Poison.code}.get(claim.key.product_id)
            if code:
                picture = replace(picture, state=PictureState.FAILED, code=code, detail="no")
            store.ledger.settle([Outcome(claim, (picture,), code=code, detail=code and "no")])
        store.upload(facts_change("far"))  # due by itself: its job waits for this version
        number = begun(store).number
        assert store.indexes.switch(number, store.clock() + timedelta(seconds=1)) == 0  # a new one was never asked
        assert read(store, "refused").state is ProductState.FAILED
        assert store.indexes.switch(1, store.clock() + timedelta(seconds=1)) == 1
        assert [(read(store, it).version, read(store, it).code) for it in ("whole", "refused", "aside", "far")] == [
            (1, None),
            (2, None),
            (1, Poison.code),
            (2, None),
        ]
        assert read(store, "refused").pictures[0].state is PictureState.PENDING
        assert sorted(store.claimed_ids()) == ["far", "refused"]

    def test_one_generation_is_kept_and_older_ones_are_dropped_and_forgotten(self, store: Store) -> None:
        store.indexes.switch(begun(store).number, store.clock())
        third = store.indexes.begin(NEWEST, NEW)
        assert third.number == 3
        store.indexes.switch(3, store.clock())
        assert states(store) == {1: IndexState.DROPPED, 2: IndexState.KEPT, 3: IndexState.SERVING}
        with pytest.raises(Conflict):
            store.indexes.switch(1, store.clock())
        with pytest.raises(Conflict):
            store.indexes.announce(1)
        store.indexes.forget(1)
        store.indexes.forget(2)  # not dropped, so it stays
        assert states(store) == {2: IndexState.KEPT, 3: IndexState.SERVING}

    def test_no_number_comes_twice(self, store: Store) -> None:
        number = begun(store).number
        store.indexes.drop(number)
        store.indexes.forget(number)
        assert begun(store).number == number + 1
        store.indexes.forget(number)
        assert set(states(store)) == {1, number + 1}

    def test_the_one_that_serves_can_neither_be_dropped_nor_announced(self, store: Store) -> None:
        number = begun(store).number
        store.indexes.drop(1)
        store.indexes.announce(1)
        assert states(store) == {1: IndexState.SERVING, 2: IndexState.BUILDING}
        store.indexes.drop(number)
        assert states(store)[number] is IndexState.DROPPED

    def test_of_two_that_are_announced_the_later_one_is_to_serve(self, store: Store) -> None:
        second = begun(store).number
        third = store.indexes.begin(NEWEST, OLD).number
        store.indexes.announce(second)
        store.indexes.announce(third)
        assert states(store) == {1: IndexState.SERVING, second: IndexState.BUILDING, third: IndexState.READY}
        [_, withdrawn, ready] = store.indexes.generations()
        assert (withdrawn.detail, ready.detail) == ("another one was made ready after it", None)
        store.indexes.switch(third, store.clock())
        store.indexes.announce(second)
        store.indexes.announce(1)
        assert states(store) == {1: IndexState.READY, second: IndexState.BUILDING, third: IndexState.SERVING}

    def test_one_that_cannot_serve_is_what_it_was_before(self, store: Store) -> None:
        number = begun(store).number
        store.indexes.announce(number)
        store.indexes.withdraw(number, "the model is not here")
        [_, built] = store.indexes.generations()
        assert (built.state, built.detail) == (IndexState.BUILDING, "the model is not here")
        store.indexes.switch(number, store.clock())
        store.indexes.announce(1)
        store.indexes.withdraw(1, "nor this")
        assert states(store)[1] is IndexState.KEPT

    def test_whatever_workers_do_at_that_moment_nothing_stays_settled_that_the_new_index_was_not_told(
        self, store: Store
    ) -> None:
        store.upload(*(change(f"p-{n}", row=n) for n in range(1, 121)))
        number, looked_at = begun(store).number, store.clock()
        switched = threading.Event()

        def act(worker: int) -> None:
            if worker == 0:
                switched.wait(0.05)
                store.indexes.switch(number, looked_at)
                switched.set()
                return
            while claims := store.ledger.claim(Work.UPLOADS, 3, LEASE):
                if not store.indexes.admits(1):  # asked after the claim: this is the rule that closes the race
                    store.ledger.release(claims)
                    return
                records = {it.product.key: it for it in store.catalog.products([claim.key for claim in claims])}
                store.ledger.settle([Outcome(it, tuple(map(shown, records[it.key].pictures))) for it in claims])

        at_once(5, act)
        assert switched.is_set()
        assert store.ledger.due() == 120
