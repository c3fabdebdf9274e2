"""Lookups that cannot be made cost nobody else a lookup, and are no try of the address."""

import threading

import pytest

from backend import errors
from backend.fetching.deadline import Deadline
from backend.fetching.lookup import MAX_LOOKUPS, Lookup
from tests.internet import PUBLIC
from tests.unit.fetching.conftest import Make


def test_a_system_without_a_free_thread_costs_no_later_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    deadline = Deadline(5)
    deadline.begin()
    lookup = Lookup(deadline, resolve=lambda _: [PUBLIC], allow_private=False)
    with monkeypatch.context() as trial:
        trial.setattr(threading.Thread, "start", no_thread)
        for _ in range(MAX_LOOKUPS + 1):
            with pytest.raises(errors.UrlTooSlow) as refused:
                lookup.addresses("shop.example")
            assert not refused.value.tried
    assert [str(address) for address in lookup.addresses("shop.example")] == [PUBLIC]


def test_a_name_server_that_holds_all_lookups_is_not_held_against_other_hosts(make: Make) -> None:
    answered = threading.Event()

    def resolve(host: str) -> list[str]:
        if host.startswith("dead"):
            answered.wait(60)
        return [PUBLIC]

    fetcher = make(seconds=0.05, per_host=1, resolve=resolve)
    for number in range(MAX_LOOKUPS):
        with pytest.raises(errors.UrlTooSlow) as slow:
            fetcher.fetch(f"http://dead{number}.example/")
        assert slow.value.tried
    for _ in range(6):  # more often than a host that fails has to, to be left alone
        with pytest.raises(errors.UrlTooSlow) as refused:
            fetcher.fetch("http://shop.example/")
        assert not refused.value.tried
    answered.set()
