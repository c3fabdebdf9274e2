"""Who is blamed when something breaks: one product, or nobody."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.domain.product import ProductState
from backend.domain.work import Work
from backend.errors import BlobsUnavailable, Unavailable
from tests.factories import key
from tests.house import House
from tests.unit.usecases.test_reconciling import PICTURES, put, reopen


def state(house: House, product_id: str) -> tuple[ProductState, str | None]:
    record = house.services.read_product(key(product_id))
    return record.state, record.code


def unreadable(house: House, data: bytes) -> None:
    """The disk gives everything but these bytes."""
    get, bad = house.blobs.get, house.blobs.put(data)

    def get_but_one(content_hash: str) -> bytes:
        if content_hash == bad:
            raise BlobsUnavailable("the picture store cannot be read: Input/output error")
        return get(content_hash)

    house.blobs.get = get_but_one  # type: ignore[method-assign]


def sweep(house: House, turns: int) -> None:
    for _ in range(turns):
        house.clock.advance(1)
        reopen(house)
        with contextlib.suppress(Unavailable):
            house.work()


def test_a_product_at_which_alone_a_part_fails_does_not_hold_up_the_rest() -> None:
    house = House()
    put(house, "bad", PICTURES[0])  # the oldest
    unreadable(house, PICTURES[0])
    for number in range(1, 8):
        put(house, f"good-{number}", PICTURES[number])
    sweep(house, 20)
    assert {state(house, f"good-{number}")[0] for number in range(1, 8)} == {ProductState.SEARCHABLE}


def test_it_is_given_up_once_the_part_has_worked_for_others_again_and_again() -> None:
    house = House()
    put(house, "bad", PICTURES[0])
    unreadable(house, PICTURES[0])
    for number in range(1, 8):
        sweep(house, 2)
        put(house, f"good-{number}", PICTURES[number])
    sweep(house, 4)
    assert state(house, "bad") == (ProductState.FAILED, "internal")
    assert "Input/output error" in (house.services.read_product(key("bad")).detail or "")
    assert house.catalog.due() == 0


def test_an_outage_however_long_gives_up_nobody() -> None:
    house = House()
    for number in range(3):
        put(house, f"p{number}", PICTURES[number])
    house.vectors.down = True
    sweep(house, 50)
    house.vectors.down = False
    sweep(house, 3)
    assert {state(house, f"p{number}") for number in range(3)} == {(ProductState.SEARCHABLE, None)}


def test_what_was_waited_for_and_is_gone_is_not_waited_for_any_more() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    house.vectors.down = True
    sweep(house, 1)
    house.vectors.down = False
    house.services.delete_product(key("p1"))
    reopen(house)
    house.work()
    house.reconcile(Work.UPLOADS)
    assert not [pause for breaker in house.services.read_status.breakers if (pause := breaker.pause())]


def test_a_catalog_that_is_down_at_the_claim_pauses_too() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    claim = house.catalog.claim

    def down(*_: object) -> None:
        raise Unavailable("locked")

    house.catalog.claim = down  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable):
        house.reconcile()
    assert [pause for breaker in house.services.read_status.breakers if (pause := breaker.pause())]
    house.catalog.claim = claim  # type: ignore[method-assign]
    sweep(house, 1)
    assert state(house, "p1")[0] is ProductState.SEARCHABLE


def test_a_product_that_may_have_ended_a_worker_is_worked_on_while_nothing_else_is() -> None:
    house = House(batch=1)
    put(house, "other", PICTURES[0])
    inside, go_on = threading.Event(), threading.Event()
    embed = house.embedder.embed_images
    beside: list[int] = []

    def embed_and_wait(batch):  # type: ignore[no-untyped-def]
        beside.append(1)
        if len(beside) == 1:
            inside.set()
            assert go_on.wait(10)
        vectors = embed(batch)
        beside.pop()
        return vectors

    house.embedder.embed_images = embed_and_wait  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(house.reconcile)
        assert inside.wait(10)
        put(house, "suspect", PICTURES[1])
        house.catalog.claim(Work.UPLOADS, 1, 1)  # whose worker does not come back
        house.clock.advance(2)
        house.catalog.return_leases()
        second = pool.submit(house.reconcile)
        with pytest.raises(TimeoutError):
            second.result(0.3)
        assert len(beside) == 1
        go_on.set()
        assert (first.result(10), second.result(10)) == (1, 1)
    assert state(house, "suspect") == (ProductState.SEARCHABLE, None)


def test_a_process_that_cannot_wait_gives_back_what_is_in_hand() -> None:
    house = House()
    put(house, "p1", PICTURES[0])
    for _ in range(5):
        with house.services.reconcile_products.crews[Work.UPLOADS].claims(32) as claims:
            assert [claim.attempts for claim in claims] == [1]
            house.services.hand_back()
    assert house.work() == 1
