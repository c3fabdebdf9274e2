"""CLIP models through sentence-transformers: a name on the hub, or a folder on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from transformers import AutoImageProcessor, AutoModel
from transformers.utils import logging as transformers_logging

from backend.domain.picture import Pixels, Vectors
from backend.embedding.folder import fingerprint_of, tower_folder
from backend.embedding.hub import Hub
from backend.errors import ModelUnavailable
from backend.ports import Space

BATCH_SIZE: Final = 32
"""Pictures per call of the model: 32 x 224 x 224 x 3 float32 are 19 MB. More gains nothing on a processor."""

PICTURE_SIDE_FACTOR: Final = 1.5
"""How much larger than the model's input a picture's short side should still be. A decoder that shrinks a JPEG while it
reads it (in steps of two) down to this keeps a mean cosine of .9995 to the full decode (least .996), three times as
fast, measured on 1,000 px photos; the bicubic scaling that follows still has pixels to average."""

_PADDED_TO_THE_LIMIT: Final = ("siglip", "siglip2")
"""These were trained on texts padded to the limit and read the last position; with less padding, a text's vector would
depend on what else is in its batch (transformers' documentation of SigLIP)."""


class ClipEncoder:
    """`ports.Embedder` for CLIP and models built like it (one transformer module with an image and a text tower).

    `model` is a folder (of sentence-transformers or of transformers) or a name on the hub; a short name means
    `sentence-transformers/<name>`. A folder or a model in the cache is loaded without any network. `device` is `auto`
    or one of torch's. `threads` sets torch's threads for the whole process, None leaves them. Texts are cut at the
    model's token limit. Everything is computed in float32, whatever precision the weights are stored in.

    Raises `errors.ModelUnavailable` when there is no such model, it is incomplete or damaged, or it is none that puts
    pictures and texts into one space; and from the embed methods when the device gives up (no memory, say).
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
        hub: Hub | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._batch_size = batch_size
        folder = (hub or Hub()).locate(model)
        try:
            self._model = _load(folder, device)
            self._picture_side = _picture_side(self._model)
            self._processing = _text_processing(self._model)
            dimension = self._checked_dimension(model)
        except ModelUnavailable:
            raise
        except Exception as err:  # the loaders answer a damaged folder with any error there is
            raise ModelUnavailable(
                f"The model {model} could not be loaded: {type(err).__name__}: {err}. "
                "Copy or download the folder again, or choose another model."
            ) from err
        self._space = Space(model=model, dimension=dimension, fingerprint=fingerprint_of(folder))

    @property
    def space(self) -> Space:
        """Name as the user wrote it, dimension, and the fingerprint of `folder.fingerprint_of`."""
        return self._space

    @property
    def picture_side(self) -> int:
        """The side of the model's input, times `PICTURE_SIDE_FACTOR`: 336 for a ViT-B/32."""
        return self._picture_side

    def embed_images(self, pictures: Sequence[Pixels]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        # Pillow images rather than arrays: for an array the library has to guess which axis holds the colours.
        return self._embedded([{"image": Image.fromarray(pixels)} for pixels in pictures])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit rows, in order."""
        # Never a bare string: sentence-transformers takes one that ends in `.jpg` for a picture and opens that file or
        # address, which would let any search query read from this machine and its network.
        return self._embedded([{"text": text} for text in texts])

    def _embedded(self, inputs: list[dict[str, Any]]) -> Vectors:
        if not inputs:
            return np.zeros((0, self._space.dimension), np.float32)
        return self._encoded(inputs)

    def _encoded(self, inputs: list[dict[str, Any]]) -> Vectors:
        try:
            vectors = self._model.encode(
                inputs,
                batch_size=self._batch_size,
                normalize_embeddings=True,
                show_progress_bar=False,
                processing_kwargs=self._processing,
            )
        except RuntimeError as err:  # torch's own: no memory on the device, a lost device
            raise ModelUnavailable(f"The encoder failed: {err}") from err
        return np.ascontiguousarray(vectors, np.float32)

    def _checked_dimension(self, model: str) -> int:
        """Embed one picture and one text: the only proof that both towers work and meet in one space."""
        side = self._picture_side
        picture = self._encoded([{"image": Image.new("RGB", (side, side), "grey")}])
        text = self._encoded([{"text": "a grey square"}])
        if picture.shape != text.shape:
            raise ModelUnavailable(
                f"The model {model} gives pictures {picture.shape[-1]} dimensions and texts {text.shape[-1]}, so they "
                "cannot be compared. Choose a CLIP model, whose two towers end in one space."
            )
        if not (np.isfinite(picture).all() and np.isfinite(text).all()):
            raise ModelUnavailable(_damaged(model))
        return int(picture.shape[1])


def _load(folder: Path, device: str) -> SentenceTransformer:
    """Load without network, in float32, and refuse a model that lacks an image tower or some of its weights."""
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # a server's log is no terminal, and this takes a tenth of a second
    try:
        model = SentenceTransformer(
            str(folder),
            device=None if device == "auto" else device,
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )
        if not model.supports("image"):
            raise ModelUnavailable(f"The model in {folder} reads no pictures, only texts. Choose a CLIP model.")
        part = tower_folder(folder)
        _refuse_missing_tensors(folder, part)
        # Pillow's scaling on every machine: where torchvision happens to be installed, transformers would take its
        # scaling instead, and the same picture would get another vector under the same fingerprint.
        model[0].processor.image_processor = AutoImageProcessor.from_pretrained(
            part, backend="pil", local_files_only=True
        )
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
    if not all(torch.isfinite(tensor.detach().sum()) for tensor in model.parameters()):
        raise ModelUnavailable(_damaged(str(folder)))
    return model


def _refuse_missing_tensors(folder: Path, part: Path) -> None:
    """Tensors that the weights lack are filled with random numbers by transformers, which only logs it, so every
    process would give other vectors under one fingerprint. Loading a second time is the one public way to hear of it;
    the weights are mapped, not read, so this takes about .1 s for a ViT-B/32.
    """
    _, report = AutoModel.from_pretrained(part, local_files_only=True, output_loading_info=True)
    lacking = sorted(report["missing_keys"])
    if lacking:
        raise ModelUnavailable(
            f"The weights in {folder} lack {len(lacking)} tensors of the model ({lacking[0]}, ...). "
            "Copy or download the folder again, or save the whole model."
        )


def _picture_side(model: SentenceTransformer) -> int:
    size = dict(model[0].processor.image_processor.size)
    side: int = size.get("shortest_edge") or max(size["height"], size["width"])
    return round(side * PICTURE_SIDE_FACTOR)


def _text_processing(model: SentenceTransformer) -> dict[str, dict[str, Any]]:
    """How texts are cut and padded. The limit is the smaller one of tokeniser and model: a tokeniser that was saved
    without one would let a long text through to positions the model does not have.

    The same for every call, which is what makes `embed_texts` safe in threads: a tokeniser is reconfigured only when
    these differ from the call before, and fails with "Already borrowed" when that happens while another thread is in
    it (huggingface/tokenizers#537). The first call, in the constructor, settles them.
    """
    config = model[0].config
    limit = min(model[0].tokenizer.model_max_length, config.get_text_config().max_position_embeddings)
    padding = "max_length" if config.model_type in _PADDED_TO_THE_LIMIT else True
    return {"text": {"truncation": True, "max_length": limit, "padding": padding}}


def _damaged(model: str) -> str:
    return f"The weights of {model} are not all finite numbers: the file is damaged, or the training diverged."
