"""The least score a search asks for as `auto`: measured on the index, kept for a while, never waited for twice."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from backend.domain.picture import Vectors
from backend.domain.query import AUTO, Words
from backend.errors import ModelUnavailable
from backend.ports import Point
from backend.usecases import measure_scores
from tests.house import House
from tests.unit.usecases.shelves import ids, near, plain, put, search


@pytest.fixture
def kinds() -> House:
    """Red mugs and blue lamps, forty each."""
    house = House()
    for number in range(80):
        colour, title, category = (("red", "mug", "kitchen/mug"), ("blue", "lamp", "home/lamp"))[number % 2]
        of = plain(f"p{number:02}", title, category=category)
        put(house, of, [near(house, colour, 0.95, number)])
    return house


def test_it_is_measured_on_the_index_when_asked_for_so(kinds: House) -> None:
    results = search(kinds, "red", words=Words.OFF, min_score=AUTO, limit=100)
    assert results.min_score is not None
    assert 0.0 < results.min_score < 0.9
    assert {match.payload["title"] for match in results.matches} == {"mug"}
    alike = search(kinds, product_id="p00", min_score=AUTO, limit=100)
    titles = [match.payload["title"] for match in alike.matches]
    assert titles[:39] == ["mug"] * 39
    assert len(titles) <= 42  # one pair of strangers in a hundred reaches it


def test_it_is_measured_once_for_a_while_and_again_when_the_index_has_grown(kinds: House) -> None:
    ask = kinds.services.search_products.measure_scores
    drawn: list[int] = []
    sample = kinds.vectors.sample

    def counted(number: int, merchant: str | None = None) -> list[Point]:
        drawn.append(number)
        return sample(number, merchant)

    kinds.vectors.sample = counted  # type: ignore[method-assign]
    first = [ask(share) for share in (0.0, 0.5, 1.0)]
    texts = kinds.embedder.texts_embedded
    assert [ask(share) for share in (0.0, 0.5, 1.0)] == first
    assert (len(drawn), kinds.embedder.texts_embedded) == (1, texts)
    kinds.clock.advance(measure_scores.FRESH / timedelta(seconds=1) + 1)
    ask(0.0)
    assert len(drawn) == 2
    for number in range(80, 130):
        put(kinds, plain(f"p{number}", "mug"), [near(kinds, "red", 0.9, number)])
    ask(0.0)
    ask(0.0)
    assert len(drawn) == 3


def test_while_it_is_measured_again_others_go_on_with_what_was_measured(kinds: House) -> None:
    ask = kinds.services.search_products.measure_scores
    first = {share: ask(share) for share in (0.0, 0.5, 1.0)}
    kinds.clock.advance(measure_scores.FRESH / timedelta(seconds=1) + 1)
    begun, go_on = threading.Event(), threading.Event()
    embed = kinds.embedder.embed_texts

    def slow(texts: Sequence[str]) -> Vectors:
        begun.set()
        assert go_on.wait(30)
        return embed(texts)

    kinds.embedder.embed_texts = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as threads:
        renewing = threads.submit(ask, 0.0)
        assert begun.wait(30)
        others = threads.submit(lambda: {share: ask(share) for share in first})
        try:
            assert others.result(timeout=10) == first
        finally:
            go_on.set()
        assert renewing.result(timeout=30) == pytest.approx(first[0.0], abs=0.2)
    texts = kinds.embedder.texts_embedded
    assert all(-1.0 < ask(share) < 1.0 for share in first)
    assert kinds.embedder.texts_embedded == texts  # all shares were measured before the new one was shown


def test_an_encoder_that_fails_leaves_what_was_measured(kinds: House) -> None:
    ask = kinds.services.search_products.measure_scores
    first = [ask(share) for share in (0.0, 1.0)]
    kinds.clock.advance(measure_scores.FRESH / timedelta(seconds=1) + 1)
    for failure in (ModelUnavailable(), RuntimeError("out of memory")):
        kinds.embedder.fail(failure)
        assert [ask(share) for share in (0.0, 1.0)] == first
    with pytest.raises(RuntimeError):
        ask(0.5)
    kinds.embedder.recover()
    assert ask(0.5) < 1.0


def test_an_index_with_nothing_to_measure_on_cuts_nothing() -> None:
    house = House()
    assert search(house, "red", min_score=AUTO).no_match is True
    put(house, plain("only", "mug"), [near(house, "blue", 0.9, 1)])
    assert ids(search(house, "red", min_score=AUTO)) == ["only"]
