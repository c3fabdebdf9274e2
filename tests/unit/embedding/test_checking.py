"""An encoder that is wrong is found out, in one sentence."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from backend.domain.picture import Pixels, Vectors
from backend.embedding.checking import check
from backend.errors import ModelUnavailable
from tests.fakes.embedder import FakeEmbedder

Spoil = Callable[[Vectors], Vectors]


class Spoilt(FakeEmbedder):
    """`pictures` and `texts` are what is done to the vectors."""

    def __init__(self, pictures: Spoil = lambda it: it, texts: Spoil = lambda it: it) -> None:
        super().__init__()
        self._pictures, self._texts = pictures, texts

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        return self._pictures(super().embed_images(pictures))

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._texts(super().embed_texts(texts))


def with_a_nan(vectors: Vectors) -> Vectors:
    vectors[-1, 3] = np.nan
    return vectors


def all_the_first(vectors: Vectors) -> Vectors:
    return np.repeat(vectors[:1], len(vectors), axis=0)


def failing(_vectors: Vectors) -> Vectors:
    raise RuntimeError("no kernel")


def test_one_that_works_tells_its_times() -> None:
    seconds = check(FakeEmbedder())
    assert 0 < seconds.picture < 5
    assert 0 < seconds.text < 5


@pytest.mark.parametrize("what", ["pictures", "texts"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (with_a_nan, "not all finite numbers"),
        (lambda vectors: vectors * 2, "not of unit length"),
        (lambda vectors: vectors[:, :-1], "numbers instead of"),
        (lambda vectors: vectors[:-1], "numbers instead of"),
        (all_the_first, "all give the same vector"),
        (failing, "fails on .*: RuntimeError: no kernel"),
    ],
)
def test_one_that_does_not_is_refused(what: str, spoil: Spoil, said: str) -> None:
    with pytest.raises(ModelUnavailable, match=said) as refusal:
        check(Spoilt(**{what: spoil}))
    assert what in refusal.value.detail


def test_its_own_refusal_is_passed_on() -> None:
    encoder = FakeEmbedder()
    encoder.fail(ModelUnavailable("no memory on the device"))
    with pytest.raises(ModelUnavailable, match=r"^no memory on the device$"):
        check(encoder)
