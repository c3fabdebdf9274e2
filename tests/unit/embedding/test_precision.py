"""When fewer bits may be used."""

import numpy as np
import pytest

from backend.domain.picture import Vectors

pytestmark = pytest.mark.slow  # importing torch

EXACT = np.eye(3, dtype=np.float32)


def turned(cosine: float) -> Vectors:
    vectors = EXACT.copy()
    vectors[1] = [np.sqrt(1 - cosine**2), cosine, 0]
    return vectors


@pytest.mark.parametrize(("cosine", "agreed"), [(1.0, True), (0.996, True), (0.99, False), (-1.0, False)])
def test_the_worst_vector_decides(cosine: float, agreed: bool) -> None:
    from backend.embedding.precision import agrees

    assert agrees(lambda: turned(cosine), EXACT, "computing in bfloat16") is agreed


def test_what_is_no_number_or_cannot_be_computed_does_not_agree(caplog: pytest.LogCaptureFixture) -> None:
    from backend.embedding.precision import agrees

    def broken() -> Vectors:
        raise RuntimeError("not implemented for 'BFloat16'")

    assert not agrees(lambda: EXACT * np.float32("nan"), EXACT, "computing in float16")
    assert not agrees(broken, EXACT, "computing in bfloat16")
    assert "not implemented for 'BFloat16'" in caplog.text


@pytest.mark.parametrize(
    ("has_instructions", "seconds", "chosen"),
    [(False, 1e-9, "float32"), (True, 0.001, "bfloat16"), (True, 0.003, "float32")],
)
def test_bfloat16_wants_instructions_that_are_faster(
    monkeypatch: pytest.MonkeyPatch, has_instructions: bool, seconds: float, chosen: str
) -> None:
    import torch

    from backend.embedding.precision import fast_dtype

    taken = {torch.bfloat16: seconds, torch.float32: 0.002}
    monkeypatch.setattr("backend.embedding.precision._has_bfloat16", lambda: has_instructions)
    monkeypatch.setattr("backend.embedding.precision._seconds_of_product", taken.__getitem__)
    assert fast_dtype("cpu") is getattr(torch, chosen)


def test_a_product_is_timed_in_either_type() -> None:
    import torch

    from backend.embedding.precision import _seconds_of_product

    assert 0 < _seconds_of_product(torch.bfloat16) < 10
    assert 0 < _seconds_of_product(torch.float32) < 10


@pytest.mark.parametrize(("whole_seconds", "faster"), [(0.001, True), (0.003, False)])
def test_whole_numbers_are_for_processors_that_multiply_them_faster(
    monkeypatch: pytest.MonkeyPatch, whole_seconds: float, faster: bool
) -> None:
    from backend.embedding.precision import multiplies_whole_faster

    seconds = iter([whole_seconds, 0.002])
    monkeypatch.setattr("backend.embedding.precision._least_seconds", lambda run: (run(), next(seconds))[1])
    assert multiplies_whole_faster() is faster


def test_where_torch_does_not_multiply_whole_numbers_they_are_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from backend.embedding.precision import multiplies_whole_faster

    monkeypatch.setattr(torch.ops, "onednn", object())
    assert not multiplies_whole_faster()


def test_the_check_looks_at_the_same_pictures_everywhere() -> None:
    from backend.embedding.precision import check_pictures

    first, second = check_pictures(), check_pictures()
    assert len({picture.tobytes() for picture in first}) == 4
    assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in second]
