"""What every `ports.FetchMemory` promises, claimed of the fake and of the SQL one on each database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backend.domain.work import Remembered
from tests.contracts.catalog_backends import Store, at_once
from tests.factories import content_hash

THEN = datetime(2026, 3, 1, 11, 59, 58, 765_432, tzinfo=UTC)


def known(url: str, name: str = "a", *, etag: str | None = '"v1"', last_modified: str | None = None) -> Remembered:
    return Remembered(url, content_hash(name), etag, last_modified, THEN)


def test_what_was_never_fetched_is_not_known(store: Store) -> None:
    assert store.memory.recall(["https://shop.example/a"]) == {}
    assert store.memory.recall([]) == {}
    store.memory.remember([])


def test_what_an_address_gave_comes_back_as_it_was(store: Store) -> None:
    a = known("https://shop.example/a", last_modified="Sun, 01 Mar 2026 11:00:00 GMT")
    b = known("https://shop.example/b?x=é&y=%20", "b", etag=None)
    store.memory.remember([a, b])
    assert store.memory.recall([a.url, "https://shop.example/c", b.url, a.url]) == {a.url: a, b.url: b}
    assert store.memory.recall([b.url])[b.url].fetched_at.tzinfo is UTC


def test_two_addresses_may_give_the_same_picture(store: Store) -> None:
    both = [known("https://shop.example/a"), known("https://cdn.example/a")]
    store.memory.remember(both)
    assert store.memory.recall([it.url for it in both]) == {it.url: it for it in both}


def test_a_newer_fetch_replaces_the_older_one_whole(store: Store) -> None:
    url = "https://shop.example/a"
    store.memory.remember([known(url, last_modified="Sun, 01 Mar 2026 11:00:00 GMT")])
    newer = Remembered(url, content_hash("b"), None, None, THEN + timedelta(days=1))
    store.memory.remember([newer, known("https://shop.example/b")])
    assert store.memory.recall([url]) == {url: newer}


def test_of_an_address_fetched_twice_at_once_the_last_fetch_is_remembered(store: Store) -> None:
    url = "https://shop.example/a"
    store.memory.remember([known(url, "a"), known(url, "b")])
    assert store.memory.recall([url]) == {url: known(url, "b")}


def test_any_number_of_addresses_of_any_length_is_remembered(store: Store) -> None:
    many = [known(f"https://shop.example/{n}/{'long-' * 400}", str(n)) for n in range(1_500)]
    store.memory.remember(many)
    assert store.memory.recall([it.url for it in many]) == {it.url: it for it in many}


def test_threads_that_fetched_the_same_addresses_may_all_remember_them(store: Store) -> None:
    urls = [f"https://shop.example/{n}" for n in range(20)]

    def remember(thread: int) -> None:
        ordered = urls if thread % 2 else urls[::-1]
        store.memory.remember([known(url, f"by {thread}") for url in ordered])

    at_once(6, remember)
    found = store.memory.recall(urls)
    assert found.keys() == set(urls)
    assert {it.content_hash for it in found.values()} <= {content_hash(f"by {thread}") for thread in range(6)}


def test_what_was_not_asked_for_since_a_moment_is_forgotten(store: Store) -> None:
    old = [known(f"https://shop.example/{n}") for n in range(1_005)]
    again = replace(old[0], fetched_at=THEN + timedelta(seconds=1))
    store.memory.remember(old)
    store.memory.remember([again])
    assert store.memory.forget_addresses(THEN - timedelta(seconds=1)) == 0
    assert store.memory.forget_addresses(THEN) == 1_004
    assert store.memory.recall([it.url for it in old]) == {again.url: again}
