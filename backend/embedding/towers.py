"""A CLIP's two towers on their device: prepared pictures, or texts, through the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer

from backend.domain.picture import Pixels, Vectors
from backend.embedding.clip_loading import input_side, query_prompt, text_processing
from backend.embedding.fusing import fuse
from backend.embedding.precision import CHECK_TEXTS, check_pictures
from backend.embedding.resizing import exactly, quickly
from backend.embedding.scaling import Scaling, scaling_of
from backend.embedding.shared_weights import share_weights


@dataclass(frozen=True, slots=True)
class Way:
    """How the model computes."""

    dtype: torch.dtype
    fused: bool
    whole: bool = False
    """Fused layers multiply whole numbers of eight bits."""

    def __str__(self) -> str:
        numbers = "int8" if self.whole else str(self.dtype).removeprefix("torch.")
        return numbers + (", fused layers" if self.fused else "")


EXACT: Final = Way(torch.float32, fused=False)


class Towers:
    """The model on its device: prepared pictures or texts -> unit rows."""

    def __init__(self, model: SentenceTransformer, device: str) -> None:
        self._model = model
        self._device = device
        self.way = EXACT
        self._processor = model[0].processor.image_processor
        self._scaling: Scaling | None = scaling_of(self._processor)
        self._takes_levels = False
        self._processing = text_processing(model)
        self._prompt = query_prompt(model)
        self.side = input_side(self._processor)

    def check_vectors_by(self, way: Way) -> Vectors:
        """Compute that way from now on; there is no way back, for there is memory for one set of weights."""
        if way.fused:
            levels = self._scaling.levels if self._scaling else None
            self._takes_levels = fuse(self._model, way.dtype, levels, self.check_vectors if way.whole else None)
        self._model.to(way.dtype)
        self.way = way
        return self.check_vectors()

    def share(self, file: Path) -> None:
        """From now on with the weights mapped from `file`."""
        share_weights(self._model, file)

    def prepared(self, picture: Pixels) -> Pixels:
        """As `pictures` wants it: everything that can be done to a picture by itself."""
        if self._scaling is None:
            return picture
        return self._scaling.square(picture, exactly if self.way == EXACT else quickly)

    def pictures(self, prepared: Sequence[Pixels]) -> Vectors:
        """(n, dimension) unit rows of at least one prepared picture."""
        if self._scaling is not None:
            return self._forward({"pixel_values": self._pixels(self._scaling, prepared), "modality": "image"})
        # Pillow images rather than arrays: for an array the library has to guess which axis holds the colours.
        return self._processed([{"image": Image.fromarray(picture)} for picture in prepared])

    def _pixels(self, scaling: Scaling, prepared: Sequence[Pixels]) -> torch.Tensor:
        if self._takes_levels:
            return scaling.counted(prepared)
        return scaling.normalised(prepared, self.way.dtype, self._device)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) unit rows of at least one text."""
        # Never a bare string: sentence-transformers takes one that ends in `.jpg` for a picture and opens that file or
        # address, which would let any search query read from this machine and its network.
        return self._processed([{"text": f"{self._prompt}{text}"} for text in texts])

    def check_vectors(self) -> Vectors:
        """Of the fixed pictures and texts that precision is judged by."""
        pictures = self.pictures([self.prepared(picture) for picture in check_pictures()])
        return np.concatenate([pictures, self.texts(CHECK_TEXTS)])

    def _processed(self, inputs: list[dict[str, Any]]) -> Vectors:
        features = self._model.preprocess(inputs, processing_kwargs=self._processing)
        return self._forward(
            {
                name: self._fitted(value) if isinstance(value, torch.Tensor) else value
                for name, value in features.items()
            }
        )

    def _fitted(self, value: torch.Tensor) -> torch.Tensor:
        return value.to(self._device, self.way.dtype if value.is_floating_point() else None)

    def _forward(self, features: dict[str, Any]) -> Vectors:
        with torch.inference_mode():
            rows = self._model.forward(features)["sentence_embedding"].float()
            if self._model.truncate_dim:  # a Matryoshka model's files may say that its first numbers are enough
                rows = rows[:, : self._model.truncate_dim]
            vectors: Vectors = torch.nn.functional.normalize(rows, dim=1).cpu().numpy()
        return vectors
