"""Words -> the part of a vector that pictures answer to: which classes are meant, and which colours."""

from collections.abc import Sequence

import numpy as np

from backend.embedding.packaged.class_space import Floats, product, softmax, unit_rows
from backend.embedding.packaged.colour_words import colours_of
from backend.embedding.packaged.recipe import Recipe
from backend.embedding.packaged.sentences import Sentences
from backend.embedding.packaged.vocabulary import Vocabulary


class WordSide:
    """Texts -> vectors. `anchors` are the sentence vectors of `vocabulary.anchors`, in that order."""

    def __init__(
        self, *, sentences: Sentences, vocabulary: Vocabulary, anchors: Floats, class_basis: Floats, recipe: Recipe
    ) -> None:
        self._sentences, self._vocabulary, self._recipe = sentences, vocabulary, recipe
        self._anchors, self._class_basis = anchors, class_basis
        # Where each anchor lies among the classes: the mean of its classes' rows.
        self._places = np.stack([self._place(classes) for classes in vocabulary.anchors.values()])

    def vectors(self, texts: Sequence[str]) -> Floats:
        """(n, dimension) unit rows: [ zeros | classes | colours ]."""
        recipe = self._recipe
        if not texts:
            return np.empty((0, recipe.dimension), dtype=np.float32)
        read = [colours_of(text) for text in texts]
        classes = np.zeros((len(texts), recipe.class_dimensions), dtype=np.float32)
        # A text of colours alone ("red") asks for no class: its class part stays zero.
        about_things = [row for row, text in enumerate(read) if text.rest or not text.shares.any()]
        classes[about_things] = self._classes([read[row].rest for row in about_things])
        colours = np.sqrt(np.stack([text.shares for text in read]))
        looks = np.zeros((len(texts), recipe.looks_dimensions), dtype=np.float32)
        return unit_rows(np.hstack([looks, recipe.class_amplitude * classes, recipe.colour_amplitude * colours]))

    def _classes(self, texts: Sequence[str]) -> Floats:
        """(n, class_dimensions) unit rows: the known phrases near the text, and the listed phrase it ends with."""
        alike = product(self._sentences.embed(texts), self._anchors.T)
        near = product(softmax(alike / self._recipe.temperature), self._places)
        for row, text in enumerate(texts):
            if head := self._vocabulary.head_classes(text):
                near[row] += self._recipe.head_share * (self._place(head) - near[row])
        return unit_rows(near)

    def _place(self, classes: Sequence[int]) -> Floats:
        place: Floats = self._class_basis[list(classes)].mean(axis=0)
        return place
