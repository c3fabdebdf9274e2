"""A text tower of its own for a CLIP: a sentence-transformers model trained to end in that CLIP's space.

Multilingual CLIPs come this way (Reimers and Gurevych, Making Monolingual Sentence Embeddings Multilingual using
Knowledge Distillation, EMNLP 2020): the pictures' tower stays, the texts' is another model. Only queries need it, so an
index does not know of it, and changing it rebuilds nothing.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from backend.domain.picture import Pixels, Vectors
from backend.embedding.clip_loading import (
    damaged,
    device_of,
    failing_as,
    load_module,
    query_prompt,
    quietly,
    told_as_ours,
)
from backend.embedding.hub import Hub
from backend.embedding.passes import Passes
from backend.embedding.threads import on_its_share
from backend.errors import ModelUnavailable
from backend.ports import Embedder, Space

_AT_ONCE: Final = 32


class WithTextTower:
    """`ports.Embedder`: pictures by one encoder, texts by another model that ends in the same space.

    `model` is a folder or a name on the hub, found as CLIPs are. Raises `errors.ModelUnavailable` when it is not there,
    is damaged, or ends in another number of dimensions. Whether the two were trained for each other no file tells.
    """

    def __init__(self, pictures: Embedder, model: str, *, device: str = "auto", hub: Hub | None = None) -> None:
        self._pictures = pictures
        folder = (hub or Hub()).locate(model, texts_only=True)
        with told_as_ours(f"The text model {model}"):
            with quietly():
                self._model = load_module(folder, device_of(device))
            self._prompt = query_prompt(self._model)
            [vector] = self._vectors(["a grey square"])
        if len(vector) != pictures.space.dimension:
            raise ModelUnavailable(
                f"The text model {model} gives {len(vector)} dimensions and {pictures.space.model} "
                f"{pictures.space.dimension}, so they cannot be compared. Choose the text model made for this CLIP."
            )
        if not np.isfinite(vector).all():
            raise ModelUnavailable(damaged(model))
        self._name = model
        # As many threads as the pictures' encoder has just been given.
        self._texts = Passes(on_its_share(self._vectors, torch.get_num_threads()), largest=_AT_ONCE)

    @property
    def space(self) -> Space:
        """The pictures' encoder's: an index holds nothing but pictures."""
        return self._pictures.space

    @property
    def picture_side(self) -> int:
        """The pictures' encoder's."""
        return self._pictures.picture_side

    @property
    def how(self) -> str:
        """For people: how pictures are computed, and by what texts are read."""
        return f"{self._pictures.how}; texts by {self._name}"

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        return self._pictures.embed_images(pictures)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        return self._texts(texts) if texts else np.zeros((0, self.space.dimension), np.float32)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        # Named as text, never a bare string: see `clip`.
        inputs: list[Any] = [{"text": f"{self._prompt}{text}"} for text in texts]
        with failing_as("The text model"):
            rows = self._model.encode(inputs, normalize_embeddings=True, show_progress_bar=False)
        return np.ascontiguousarray(rows, np.float32)
