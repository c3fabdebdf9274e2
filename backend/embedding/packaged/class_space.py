"""The space of classes, where pictures and words meet, and the projection of what a picture looks like.

Both come from the classifier's own weights by a singular value decomposition; no picture collection is involved. The
rows of the weights are the classes' directions among the features: the right singular vectors are the directions in
which classes differ most (a good basis for looks), the left ones place each class among its relatives (so that "mug"
and "cup" are near each other, where one axis per class would have them orthogonal).
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from backend.embedding.packaged.recipe import Recipe

Floats = NDArray[np.float32]
_Numbers = TypeVar("_Numbers", NDArray[np.float32], NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class ClassSpace:
    """(1000, 1280) weights and (1000,) biases of the classifier, and the two bases taken from them."""

    weight: Floats
    bias: Floats
    looks_basis: Floats
    """(1280, looks_dimensions)."""
    class_basis: Floats
    """(1000, class_dimensions)."""

    def looks(self, features: Floats) -> Floats:
        """(n, 1280) averaged features -> (n, looks_dimensions) unit rows."""
        return unit_rows(product(features, self.looks_basis))

    def classes(self, features: Floats) -> Floats:
        """(n, 1280) averaged features -> (n, class_dimensions) unit rows.

        The root of a probability weighs the runners-up more (Hellinger's geometry): the first guess alone says little
        about a product that is none of the 1,000 classes.
        """
        probabilities = softmax(product(features, self.weight.T) + self.bias)
        return unit_rows(product(np.sqrt(probabilities), self.class_basis))


def build_class_space(weight: Floats, bias: Floats, recipe: Recipe) -> ClassSpace:
    """Decompose the classifier's weights; about 0.2 s."""
    directions = weight.astype(np.float64)
    directions -= directions.mean(axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # Eigenvectors of the 1000x1000 Gram matrix are the left singular vectors, in half the time of a full SVD. In
    # float64 the squaring does no harm: the values wanted are the largest, 1.2 to 3.9, and lie about 1e-3 apart.
    values, vectors = _eigen(directions)
    largest_first = np.argsort(values)[::-1]
    left = _with_fixed_signs(vectors[:, largest_first[: recipe.class_dimensions]])
    looks_order = largest_first[: recipe.looks_dimensions]
    right = product(directions.T, vectors[:, looks_order]) / np.sqrt(values[looks_order])
    return ClassSpace(
        weight=weight,
        bias=bias,
        looks_basis=_with_fixed_signs(right).astype(np.float32),
        class_basis=left.astype(np.float32),
    )


def _eigen(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Gram matrix's eigenvalues, ascending, and its eigenvectors as columns. By torch, for the reason `product`
    gives: with numpy a start on a busy machine of two cores waited 7 to 17 s here, with torch 2.
    """
    matrix = torch.from_numpy(rows)
    values, vectors = torch.linalg.eigh(matrix @ matrix.T)
    return values.numpy(), vectors.numpy()


def product(left: _Numbers, right: _Numbers) -> _Numbers:
    """The matrix product, by torch: numpy's BLAS has threads of its own, which torch's setting does not reach and which
    spin on the other cores after each call. Measured for one picture on two busy cores: 8 ms, with torch .2.
    """
    with torch.inference_mode():
        result: _Numbers = (torch.from_numpy(left) @ torch.from_numpy(right)).numpy()
    return result


def unit_rows(matrix: Floats) -> Floats:
    """Each row scaled to length 1; a row of zeros stays zero."""
    norms = np.linalg.norm(matrix, axis=-1, keepdims=True)
    scaled: Floats = (matrix / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32)
    return scaled


def softmax(logits: Floats) -> Floats:
    """Row-wise probabilities; the largest logit is taken off first so that nothing overflows."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probabilities


def _with_fixed_signs(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same columns, each with its entry of largest magnitude positive.

    A singular vector's sign is the solver's whim and differs between machines, whose vectors may meet in one index.
    """
    largest = columns[np.abs(columns).argmax(axis=0), np.arange(columns.shape[1])]
    fixed: NDArray[np.float64] = columns * np.sign(largest)
    return fixed
