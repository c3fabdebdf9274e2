from dataclasses import replace

import numpy as np
import pytest

from backend.embedding.packaged.class_space import ClassSpace, build_class_space, softmax, unit_rows
from backend.embedding.packaged.recipe import RECIPE

SMALL = replace(RECIPE, looks_dimensions=5, class_dimensions=4)


@pytest.fixture
def space() -> ClassSpace:
    weight = np.random.default_rng(3).normal(size=(20, 12)).astype(np.float32)
    return build_class_space(weight, np.zeros(20, dtype=np.float32), SMALL)


def test_the_bases_are_the_singular_vectors_of_the_classes_directions(space: ClassSpace) -> None:
    directions = space.weight.astype(np.float64) - space.weight.mean(axis=0, dtype=np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    left, _, right = np.linalg.svd(directions, full_matrices=False)
    assert np.allclose(np.abs(left[:, :4]), np.abs(space.class_basis), atol=1e-5)
    assert np.allclose(np.abs(right[:5].T), np.abs(space.looks_basis), atol=1e-5)


def test_signs_do_not_depend_on_the_solver(space: ClassSpace) -> None:
    for basis in (space.looks_basis, space.class_basis):
        assert (basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])] > 0).all()


def test_looks_and_classes_have_unit_length(space: ClassSpace) -> None:
    features = np.random.default_rng(4).random((6, 12), dtype=np.float32)
    for rows in (space.looks(features), space.classes(features)):
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_row_of_zeros_stays_zero() -> None:
    assert not unit_rows(np.zeros((2, 3), dtype=np.float32)).any()


def test_large_logits_do_not_overflow() -> None:
    assert softmax(np.array([[1000.0, 0.0]], dtype=np.float32)).tolist() == [[1.0, 0.0]]
