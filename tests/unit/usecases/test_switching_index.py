"""Another index is built beside the one that serves and takes its place: nothing is lost, nothing is mixed."""

import gc
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from backend.domain.generation import Generation, IndexState
from backend.domain.picture import PictureState, Pixels, Vector, Vectors
from backend.domain.product import ProductState
from backend.domain.query import Query
from backend.domain.reconciling import wanted_hashes
from backend.domain.work import Work
from backend.errors import BlobsUnavailable, Conflict, IndexUnavailable, ModelUnavailable, UrlBroken
from backend.usecases.build_index import BuildIndex
from backend.usecases.embed_pictures import EmbedPictures
from backend.usecases.follow_index import FollowIndex, withdraw_unopened
from backend.usecases.keep_pictures import Upload
from backend.usecases.served_index import ServedIndex
from backend.usecases.switch_index import SwitchIndex
from tests import pictures
from tests.factories import key, product
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.vector_store import FakeVectorStore
from tests.house import House

PICTURES = [pictures.encode(pictures.photo(64, 64, seed), "JPEG") for seed in range(6)]
ADDRESSES = [f"https://shop.example/{number}.jpg" for number in range(6)]


class Change:
    """A house, and a second encoder with an index of its own."""

    def __init__(self, batch: int = 2) -> None:
        self.house = House(batch=batch)
        self.embedder = FakeEmbedder(24, model="second", seed=7)
        self.vectors = FakeVectorStore(self.embedder.space)
        self.served = ServedIndex(2, self.embedder, self.vectors, "a test chose the second")
        self.catalog = self.house.catalog
        self.house.fetcher.answers = dict(zip(ADDRESSES, PICTURES, strict=True))

    def begin(self) -> Generation:
        return self.catalog.begin(self.embedder.space, self.house.embedder.space)

    def generation(self, number: int = 2) -> Generation:
        return next(it for it in self.catalog.generations() if it.number == number)

    def builder(self, served: ServedIndex | None = None) -> BuildIndex:
        """Notes its place after every batch, which it takes one after the other."""
        over, house, moments = served or self.served, self.house, iter(range(0, 1_000_000, 10))
        reader = house.services.reconcile_products.embed.reader
        return BuildIndex(
            self.catalog,
            self.catalog,
            over.vectors,
            EmbedPictures(house.blobs, reader, over.embedder, over.vectors, house.batch),
            house.clock,
            house.batch,
            threads=1,
            monotonic=lambda: float(next(moments)),
        )

    def switch(self, build: BuildIndex, generation: Generation, before: Callable[[], None] = lambda: None) -> None:
        switching = SwitchIndex(self.catalog, self.house.clock, 60.0, sleep=lambda _: before())
        switching(build, generation, nobody)

    def follower(self, *, alone: bool = True) -> FollowIndex:
        return FollowIndex(
            self.catalog,
            SwitchIndex(self.catalog, self.house.clock, 60.0),
            lambda _: self.served,
            self.builder,
            self.house.assembly.take,
            1,
            alone=alone,
        )

    def put(self, product_id: str, *images: int) -> None:
        uploads = [Upload("a.jpg", lambda number=number: PICTURES[number]) for number in images]  # type: ignore[misc]
        self.house.services.upload_product(product(product_id), uploads)

    def put_by_address(self, product_id: str, *images: int) -> None:
        self.house.services.upload_product(product(product_id), [Upload("", url=ADDRESSES[it]) for it in images])

    def refuse(self, content: bytes) -> None:
        """The second encoder fails on this picture, and on no other."""
        embed = self.embedder.embed_images
        refused = self.house.services.reconcile_products.embed.reader.decode(content, self.embedder.picture_side)

        def choosy(batch: Sequence[Pixels]) -> Vectors:
            if any(np.array_equal(pixels, refused) for pixels in batch):
                raise ValueError("a test refuses it")
            return embed(batch)

        self.embedder.embed_images = choosy  # type: ignore[assignment, method-assign]

    def hides_nothing(self) -> None:
        """Every product that the old index shows and the new one should is there: not what was refused, nor what was
        deleted since, though its merchant may have made it anew. What slipped through is due: version 0.
        """
        for row in self.catalog.products([key(f"p{number}") for number in range(30)]):
            expected = row.searchable_at is not None and row.indexed_version > 0 and not row.code
            if expected and self.house.vectors.vectors_of(row.product.key):
                assert self.vectors.vectors_of(row.product.key), row.product.key

    def holds_what_was_told(self) -> None:
        """Every product whose row says that it is searchable is in the new index, whole; nothing else of it is."""
        for row in self.catalog.products([key(f"p{number}") for number in range(30)]):
            points = set(self.vectors.vectors_of(row.product.key))
            if row.deleted and row.indexed_version == row.version:
                assert points == set(), row.product.key
            elif row.state is ProductState.SEARCHABLE:
                assert points == {*wanted_hashes(row)}, row.product.key
                assert {it["version"] for it in payloads(self.vectors, row.product.key.product_id)} == {row.version}


def payloads(vectors: FakeVectorStore, product_id: str) -> list[dict[str, object]]:
    return [it.payload for it in vectors._points.values() if it.payload.get("product_id") == product_id]


def nobody(_: Generation) -> None:
    """Is told."""


class Killed(BaseException):
    """The process is gone."""


class TestBuilding:
    def test_a_new_index_holds_what_the_old_one_does(self) -> None:
        change = Change()
        for number in range(5):
            change.put(f"p{number}", number, (number + 1) % 5)
        change.house.work()
        built = change.builder().fill(change.begin(), nobody)
        assert (built.filled, built.done, built.total, built.gaps) == (True, 5, 5, ())
        assert change.vectors.count() == 10
        assert change.embedder.pictures_embedded == 5  # each content once, whoever shows it
        change.holds_what_was_told()

    def test_progress_is_told_and_noted_with_the_place(self) -> None:
        change, told = Change(), list[Generation]()
        for number in range(5):
            change.put(f"p{number}", number)
        change.house.work()
        change.builder().fill(change.begin(), told.append)
        assert [it.done for it in told] == [2, 4, 5, 5]
        assert told[1].after == key("p3")
        assert change.generation().after == key("p4")

    def test_what_waits_for_a_worker_is_left_to_it(self) -> None:
        change = Change()
        change.put("p1", 1)
        change.builder().fill(change.begin(), nobody)
        assert change.vectors.count() == 0

    def test_a_product_whose_pictures_are_fetched_again_shows_its_former_ones_until_they_are_here(self) -> None:
        change = Change()
        change.put_by_address("p1", 1, 2)
        change.house.work()
        shown = set(change.house.vectors.vectors_of(key("p1")))
        change.house.clock.advance(3_600)
        change.put_by_address("p1", 2, 3)
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        assert set(change.vectors.vectors_of(key("p1"))) == shown
        change.switch(build, built)
        change.house.assembly.take(change.served)
        assert change.house.services.search_products(Query("shop", image=PICTURES[1])).matches[0].product_id == "p1"
        change.house.work()
        assert change.house.services.read_product(key("p1")).state is ProductState.SEARCHABLE
        assert set(change.vectors.vectors_of(key("p1"))) != shown
        change.holds_what_was_told()

    def test_the_same_bytes_fetched_again_while_it_is_built_are_in_the_new_index(self) -> None:
        change = Change()
        change.put_by_address("p1", 1)
        change.house.work()
        change.house.clock.advance(3_600)
        change.put_by_address("p1", 1)
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.house.work()
        change.switch(build, built)
        change.house.assembly.take(change.served)
        change.house.work()
        row = change.house.services.read_product(key("p1"))
        assert (row.state, set(change.vectors.vectors_of(row.product.key))) == (
            ProductState.SEARCHABLE,
            set(wanted_hashes(row)),
        )

    def test_a_product_that_was_never_found_waits_for_its_pictures(self) -> None:
        change = Change()
        change.put_by_address("p1", 1)
        change.house.fetcher.answers[ADDRESSES[1]] = UrlBroken("status 503")
        change.house.services.fetch_pictures()
        built = change.builder().fill(change.begin(), nobody)
        assert (built.done, change.vectors.count(), built.gaps) == (1, 0, ())

    def test_a_place_is_noted_only_after_its_points_are_on_the_disk(self) -> None:
        change, flushed = Change(), list[int]()
        change.put("p1", 1)
        change.house.work()
        change.builder().fill(change.begin(), lambda _: flushed.append(change.vectors.flushes))
        assert flushed == list(range(1, len(flushed) + 1))

    def test_a_part_that_is_down_ends_it_and_it_goes_on_from_its_place(self) -> None:
        change = Change()
        for number in range(6):
            change.put(f"p{number}", number)
        change.house.work()
        generation = change.begin()

        def full_disk(it: Generation) -> None:
            if it.done == 4:
                raise BlobsUnavailable("the disk is gone")

        with pytest.raises(BlobsUnavailable):
            change.builder().fill(generation, full_disk)
        assert change.generation().done == 4
        before = change.embedder.pictures_embedded
        built = change.builder().fill(change.generation(), nobody)
        assert (built.done, built.filled) == (6, True)
        assert change.embedder.pictures_embedded - before <= 2
        change.holds_what_was_told()

    def test_a_picture_that_is_gone_is_a_gap_and_judged_after_the_switch(self) -> None:
        change = Change()
        change.put("p1", 1)
        change.put("p2", 2)
        change.house.work()
        [hash_of_p2] = wanted_hashes(change.house.services.read_product(key("p2")))
        assert change.house.blobs.discard(hash_of_p2, unused_since=change.house.clock() + timedelta(seconds=1))
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        assert built.gaps == (key("p2"),)
        change.switch(build, built)
        change.house.assembly.take(change.served)
        change.house.work()
        assert change.house.services.read_product(key("p2")).state is ProductState.FAILED
        assert change.house.services.read_product(key("p1")).state is ProductState.SEARCHABLE


class TestCatchingUp:
    def test_writes_made_meanwhile_are_followed_deletes_and_new_facts_too(self) -> None:
        change = Change()
        for number in range(4):
            change.put(f"p{number}", number)
        change.house.work()
        change.house.clock.advance(3_600)
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.house.clock.advance(3_600)
        change.put("p4", 4)
        change.put("p1", 5)
        change.house.services.patch_product(key("p2"), {"title": "Cheaper"})
        change.house.services.delete_product(key("p3"))
        change.house.work()
        caught_up, told = build.catch_up(built, nobody)
        assert told == 4
        assert payloads(change.vectors, "p2")[0]["title"] == "Cheaper"
        change.holds_what_was_told()
        _, again = build.catch_up(caught_up, nobody)
        assert again == 0  # nothing is looked at twice, though the margin lists it

    def test_a_process_killed_between_two_looks_sees_again_what_it_may_have_missed(self) -> None:
        change = Change()
        built = change.builder().fill(change.begin(), nobody)
        change.put("p1", 1)
        change.house.work()
        change.builder().catch_up(built, nobody)
        _, told = change.builder().catch_up(change.generation(), nobody)
        assert told == 1


class TestSwitching:
    def test_searches_before_it_are_of_the_old_encoder_and_after_it_of_the_new(self) -> None:
        change = Change()
        for number in range(4):
            change.put(f"p{number}", number)
        change.house.work()
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.switch(build, built)
        assert change.house.services.read_status("shop").space == change.house.embedder.space
        change.house.assembly.take(change.served)
        assert change.house.services.read_status("shop").space == change.embedder.space
        found = change.house.services.search_products(Query("shop", image=PICTURES[2])).matches
        assert (found[0].product_id, len(found)) == ("p2", 4)
        assert found[0].score == pytest.approx(1.0, abs=1e-5)
        [kept, serving] = change.house.services.read_index()
        assert (kept.state, serving.state) == (IndexState.KEPT, IndexState.SERVING)

    def test_a_search_under_way_ends_with_the_index_it_began_with(self) -> None:
        change = Change()
        change.put("p1", 1)
        change.house.work()
        old, embed = change.house.vectors, change.house.embedder.embed_images
        reached, go_on, answers = threading.Event(), threading.Event(), list[float]()

        def slow(batch: list[object]) -> object:
            reached.set()
            assert go_on.wait(10)
            return embed(batch)  # type: ignore[arg-type]

        change.house.embedder.embed_images = slow  # type: ignore[assignment, method-assign]
        query = Query("shop", image=PICTURES[1])
        searching = threading.Thread(
            target=lambda: answers.extend(it.score for it in change.house.services.search_products(query).matches)
        )
        searching.start()
        assert reached.wait(10)
        build = change.builder()
        change.switch(build, build.fill(change.begin(), nobody))
        change.house.assembly.take(change.served)
        assert change.house.services.search_products(query).matches[0].score == pytest.approx(1.0, abs=1e-5)
        assert not old._closed
        go_on.set()
        searching.join(10)
        assert answers == [pytest.approx(1.0, abs=1e-5)]
        until_closed(old)

    def test_workers_are_held_back_and_go_on_with_the_new_index(self) -> None:
        change = Change()
        change.put("p1", 1)
        change.house.work()
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.house.clock.advance(1)
        change.catalog.hold(30)
        change.put("p2", 2)
        assert change.house.reconcile() == 0
        assert change.house.services.read_product(key("p2")).state is ProductState.PENDING
        change.switch(build, built)
        assert change.house.reconcile() == 0  # still over the old index, which is not admitted any more
        change.house.assembly.take(change.served)
        assert change.house.reconcile() == 1
        assert change.vectors.count() == 2
        assert change.house.vectors.count() == 1

    def test_a_batch_under_way_is_waited_for_and_followed(self) -> None:
        change = Change()
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.put("p1", 1)
        [claim] = change.catalog.claim(Work.UPLOADS, 8, 60.0)
        ends = [lambda: change.catalog.release([claim]), lambda: None]

        def batch_ends() -> None:
            ends.pop(0)()

        change.switch(build, built, before=batch_ends)
        assert change.generation().state is IndexState.SERVING
        assert len(ends) == 1

    def test_a_worker_that_does_not_end_loses_its_lease_and_nothing_is_lost(self) -> None:
        change = Change()
        change.put("p1", 1)
        change.house.work()
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.put("p1", 2)
        [claim] = change.catalog.claim(Work.UPLOADS, 8, 60.0)
        moments = iter(range(0, 10_000, 50))
        SwitchIndex(change.catalog, change.house.clock, 60.0, lambda: float(next(moments)), lambda _: None)(
            build, built, nobody
        )
        change.house.assembly.take(change.served)
        assert change.catalog.products([claim.key])[0].indexed_version < claim.version
        change.house.work()
        change.holds_what_was_told()

    def test_when_a_part_fails_everything_is_as_it_was_and_workers_go_on(self) -> None:
        change = Change()
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.put("p1", 1)
        change.house.work()
        change.vectors.down = True
        with pytest.raises(IndexUnavailable):
            change.switch(build, built)
        assert change.catalog.admits(1)
        assert change.generation(1).state is IndexState.SERVING

    def test_one_that_was_dropped_meanwhile_does_not_serve(self) -> None:
        change = Change()
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        change.catalog.drop(2)
        with pytest.raises(Conflict):
            change.switch(build, built)
        assert change.catalog.admits(1)

    def test_the_way_back_brings_what_was_written_meanwhile(self) -> None:
        change = Change()
        for number in range(4):
            change.put(f"p{number}", number)
        change.house.work()
        first = ServedIndex(1, change.house.embedder, change.house.vectors, "the first")
        build = change.builder()
        change.switch(build, build.fill(change.begin(), nobody))
        change.house.assembly.take(replace(change.served))
        change.put("p4", 4)
        change.put("p0", 5)
        change.house.services.delete_product(key("p1"))
        change.house.work()
        first.vectors._closed = False  # type: ignore[attr-defined] # opened again
        change.switch(change.builder(first), change.generation(1))
        change.house.assembly.take(first)
        change.vectors = change.house.vectors
        change.holds_what_was_told()
        assert {it.product_id for it in change.house.services.search_products(Query("shop", text="red")).matches} == {
            "p0",
            "p2",
            "p3",
            "p4",
        }

    @pytest.mark.parametrize("others", [(), (2,)])
    def test_the_way_back_shows_what_only_the_other_encoder_refused(self, others: tuple[int, ...]) -> None:
        change = Change()
        change.put("p1", 1, *others)
        change.house.work()
        shown = set(change.house.vectors.vectors_of(key("p1")))
        first = ServedIndex(1, change.house.embedder, change.house.vectors, "the first")
        change.house.clock.advance(3_600)
        refused = change.house.services.read_product(key("p1")).pictures[0].content_hash
        change.refuse(PICTURES[1])
        build = change.builder()
        change.switch(build, build.fill(change.begin(), nobody))
        change.house.assembly.take(change.served)
        until_closed(change.house.vectors)
        change.house.work()
        [judged, *_] = change.house.services.read_product(key("p1")).pictures
        assert (judged.content_hash, judged.state) == (refused, PictureState.FAILED)

        change.house.clock.advance(3_600)
        change.house.vectors._closed = False  # opened again
        build = change.builder(first)
        generation, _ = build.catch_up(change.generation(1), nobody)
        assert set(change.house.vectors.vectors_of(key("p1"))) == shown
        change.switch(build, generation)
        change.house.assembly.take(first)
        change.house.work()
        assert change.house.services.read_product(key("p1")).state is ProductState.SEARCHABLE
        change.vectors = change.house.vectors
        change.holds_what_was_told()
        assert set(change.vectors.vectors_of(key("p1"))) == shown


class TestFollowing:
    def test_the_only_process_opens_switches_and_goes_over(self) -> None:
        change = Change()
        change.put("p1", 1)
        change.house.work()
        change.builder().fill(change.begin(), nobody)
        follow = change.follower()
        follow()
        assert change.generation().state is IndexState.BUILDING  # not before it is announced
        change.put("p2", 2)
        change.house.work()
        change.catalog.announce(2)
        follow()
        assert change.generation().state is IndexState.SERVING
        assert change.house.services.read_status("shop").points == 2
        follow()  # and all is done
        change.holds_what_was_told()

    def test_what_an_index_may_have_lost_is_made_up_for_and_noted_once_it_serves(self) -> None:
        change, states = Change(), list[IndexState]()
        since = change.house.clock()
        change.put("p1", 1)
        change.house.work()
        change.house.clock.advance(3_600)
        change.catalog.record(replace(change.begin(), filled=True))
        change.catalog.announce(2)
        follow = change.follower()
        unsure = replace(
            change.served, unsure_since=since, accept_loss=lambda: states.append(change.generation().state)
        )
        follow.open = lambda _: unsure
        follow()
        assert states == [IndexState.SERVING]
        assert change.vectors.count() == 1

    def test_one_that_cannot_be_opened_is_withdrawn_with_the_reason(self) -> None:
        change = Change()
        change.begin()
        change.catalog.announce(2)
        follow = change.follower()

        def not_here(_: Generation) -> ServedIndex:
            raise ModelUnavailable("its folder is not here")

        follow.open = not_here
        follow()
        assert change.generation().state is IndexState.BUILDING
        assert "its folder is not here" in (change.generation().detail or "")
        assert change.catalog.admits(1)

    @pytest.mark.parametrize("failure", [RuntimeError("bad_alloc"), MemoryError(), OSError("too many open files")])
    def test_one_whose_opening_fails_in_an_unforeseen_way_is_tried_once(self, failure: Exception) -> None:
        change, tries = Change(), list[int]()
        change.begin()
        change.catalog.announce(2)
        follow = change.follower()

        def too_large(it: Generation) -> ServedIndex:
            tries.append(it.number)
            raise failure

        follow.open = too_large
        for _ in range(5):
            follow()
        assert tries == [2]
        assert change.generation().state is IndexState.BUILDING
        assert type(failure).__name__ in (change.generation().detail or "")

    def test_an_opening_that_ends_the_process_is_not_begun_again_at_its_next_start(self) -> None:
        change = Change()
        change.begin()
        change.catalog.announce(2)
        follow = change.follower()

        def out_of_memory(_: Generation) -> ServedIndex:
            raise Killed

        follow.open = out_of_memory
        with pytest.raises(Killed):
            follow()
        withdraw_unopened(change.catalog)
        assert change.generation().state is IndexState.BUILDING
        assert "memory" in (change.generation().detail or "")

    def test_a_process_that_ends_after_the_opening_goes_on_with_the_switch_at_its_next_start(self) -> None:
        change = Change()
        change.builder().fill(change.begin(), nobody)
        change.catalog.announce(2)
        follow = change.follower()

        def killed(_: ServedIndex) -> BuildIndex:
            raise Killed

        follow.build = killed
        with pytest.raises(Killed):
            follow()
        withdraw_unopened(change.catalog)
        assert (change.generation().state, change.generation().detail) == (IndexState.READY, None)

    def test_a_process_of_several_that_cannot_take_it_tries_again_later(self) -> None:
        change, tries = Change(), list[int]()
        change.begin()
        change.catalog.announce(2)
        follow = change.follower(alone=False)

        def too_large(it: Generation) -> ServedIndex:
            tries.append(it.number)
            raise MemoryError

        follow.open = too_large
        follow()
        follow()
        assert tries == [2]

    def test_one_of_several_processes_is_prepared_and_goes_over_after_the_switch(self) -> None:
        change = Change()
        build = change.builder()
        built = build.fill(change.begin(), nobody)
        opened = list[int]()
        follow = change.follower(alone=False)

        def opens(it: Generation) -> ServedIndex:
            opened.append(it.number)
            return change.served

        follow.open = opens
        change.catalog.announce(2)
        follow()
        follow()
        assert opened == [2]
        assert change.house.services.read_status("shop").space == change.house.embedder.space
        change.switch(build, built)
        follow()
        assert opened == [2]
        assert change.house.services.read_status("shop").space == change.embedder.space

    def test_one_that_is_given_up_is_closed(self) -> None:
        change = Change()
        change.begin()
        follow = change.follower(alone=False)
        change.catalog.announce(2)
        follow()
        change.catalog.withdraw(2, "given up")
        follow()
        assert change.vectors._closed

    def test_a_process_that_cannot_load_the_encoder_keeps_the_former_index_and_tries_again_later(self) -> None:
        change = Change()
        build = change.builder()
        change.switch(build, build.fill(change.begin(), nobody))
        follow, tries, now = change.follower(alone=False), list[int](), [0.0]

        def not_here(it: Generation) -> ServedIndex:
            tries.append(it.number)
            raise ModelUnavailable("its folder is not here")

        follow.open, follow.monotonic = not_here, lambda: now[0]
        follow()
        follow()
        assert tries == [2]
        now[0] = 31.0
        follow()
        assert tries == [2, 2]
        assert change.house.services.search_products(Query("shop", text="red")).matches == ()


def until_closed(vectors: FakeVectorStore) -> None:
    gc.collect()
    waiting = threading.Event()
    for _ in range(100):
        if vectors._closed:
            return
        waiting.wait(0.05)
    pytest.fail("the former index was not closed")


def anything(change: Change, draw: random.Random) -> None:
    """A merchant changes one of twelve products, or a worker takes a batch."""
    house, product_id = change.house, f"p{draw.randrange(12)}"
    house.clock.advance(draw.choice((0.0, 1.0, 90.0)))
    row = change.catalog.product(key(product_id))
    live = row is not None and not row.deleted
    match draw.randrange(8):
        case 0 | 1:
            change.put(product_id, *draw.sample(range(6), draw.randint(1, 3)))
        case 4 | 5:
            change.put_by_address(product_id, *draw.sample(range(6), draw.randint(1, 3)))
        case 6:
            house.services.fetch_pictures()
        case 2 if live:
            house.services.patch_product(key(product_id), {"title": f"Title {draw.random()}"})
        case 3 if live:
            house.services.delete_product(key(product_id))
        case _:
            house.reconcile(draw.choice((Work.UPLOADS, Work.FACTS)))


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_written_and_wherever_the_builder_is_killed_nothing_is_lost(seed: int) -> None:
    draw = random.Random(seed)
    change = Change(batch=draw.choice((1, 2, 3)))
    house = change.house

    def write(times: int) -> None:
        for _ in range(times):
            anything(change, draw)

    def meanwhile(_: Generation) -> None:
        write(draw.randint(0, 4))
        if draw.random() < 0.2:
            raise Killed

    write(40)
    change.begin()
    while True:
        build = change.builder()
        try:
            generation = change.generation()
            if not generation.filled:
                generation = build.fill(generation, meanwhile)
            SwitchIndex(change.catalog, house.clock, 60.0, sleep=lambda _: write(1))(build, generation, meanwhile)
        except Killed:
            continue
        break
    change.holds_what_was_told()
    change.hides_nothing()
    house.assembly.take(change.served)
    house.work()
    change.holds_what_was_told()
    rows = change.catalog.products([key(f"p{number}") for number in range(12)])
    points: dict[str, Vector] = {}
    for row in rows:
        if not row.deleted:
            points.update(change.vectors.vectors_of(row.product.key))
    live = {item for row in rows if not row.deleted for item in wanted_hashes(row)}
    assert set(points) == live
    assert change.vectors.count() == sum(len(wanted_hashes(row)) for row in rows if not row.deleted)
