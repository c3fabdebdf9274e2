"""A CLIP folder -> a model that can be trusted: complete, finite, on its device, and scaling pictures with Pillow."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoImageProcessor, AutoModel
from transformers.utils import logging as transformers_logging

from backend.embedding.folder import tower_folder
from backend.embedding.openclip.conversion import as_transformers
from backend.embedding.openclip.files import is_openclip
from backend.errors import ModelUnavailable

_NAFLEX = "siglip2"  # SigLIP 2 of a fixed resolution calls itself siglip

_PADDED_TO_THE_LIMIT = ("siglip",)
"""They were trained on texts padded to the limit and read the last position; with less padding, a text's vector would
depend on what else is in its batch (transformers' documentation of SigLIP)."""


def device_of(setting: str) -> str:
    """`auto` or a name of torch -> `cuda`, `mps` or `cpu`. Raises `ModelUnavailable` for one that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if setting == "auto":
        return next(name for name, usable in there.items() if usable)
    if not there.get(setting, False):
        raise ModelUnavailable(
            f"The setting `device` is {setting}, but torch finds none here: install torch's build for it, or set "
            "`device` to auto."
        )
    return setting


def loadable(folder: Path, fingerprint: str, cache_dir: Path | None) -> Path:
    """The folder to load: the one that was located, or the translation of OpenCLIP's files that `cache_dir` keeps.

    Raises `ModelUnavailable` for what cannot be translated, and for a SigLIP that takes pictures of any shape.
    """
    if is_openclip(folder):
        if cache_dir is None:
            raise ModelUnavailable(f"{folder} holds OpenCLIP's files, and no place was given for their translation.")
        return as_transformers(folder, cache_dir / f"openclip-{fingerprint}")
    if json.loads((tower_folder(folder) / "config.json").read_bytes()).get("model_type") == _NAFLEX:
        raise ModelUnavailable(
            f"The model in {folder} is a SigLIP 2 of the NaFlex kind, which takes pictures of any shape in "
            "patches; that is not supported. Choose a SigLIP 2 of a fixed resolution, such as "
            "google/siglip2-base-patch16-224."
        )
    return folder


def load_clip(folder: Path, device: str) -> SentenceTransformer:
    """Load without network, in float32, and refuse a model that lacks an image tower or some of its weights."""
    with quietly():
        model = load_module(folder, device)
        if not model.supports("image"):
            raise ModelUnavailable(f"The model in {folder} reads no pictures, only texts. Choose a CLIP model.")
        part = tower_folder(folder)
        _refuse_missing_tensors(folder, part)
        # Pillow's scaling on every machine: where torchvision happens to be installed, transformers would take its
        # scaling instead, and the same picture would get another vector under the same fingerprint.
        if model[0].config.model_type in _PADDED_TO_THE_LIMIT:
            model[0].tokenizer.model_input_names = ["input_ids"]  # no mask: padding is read like any other token
        model[0].processor.image_processor = AutoImageProcessor.from_pretrained(
            part, backend="pil", local_files_only=True
        )
    if not all(torch.isfinite(tensor.detach().sum()) for tensor in model.parameters()):
        raise ModelUnavailable(damaged(str(folder)))
    return model


def load_module(folder: Path, device: str) -> SentenceTransformer:
    """The folder as sentence-transformers reads it, ready to infer with, without any network."""
    exact = {"dtype": torch.float32}
    return SentenceTransformer(str(folder), device=device, local_files_only=True, model_kwargs=exact).eval()


@contextmanager
def quietly() -> Iterator[None]:
    """Without transformers' progress bar: a server's log is no terminal, and loading takes a tenth of a second."""
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def told_as_ours(what: str) -> Iterator[None]:
    """Errors of loading `what` ("The model x"): the libraries answer a damaged folder with any error there is."""
    try:
        yield
    except ModelUnavailable:
        raise
    except Exception as err:
        raise ModelUnavailable(
            f"{what} could not be loaded: {type(err).__name__}: {err}. "
            "Copy or download the folder again, or choose another."
        ) from err


@contextmanager
def failing_as(what: str) -> Iterator[None]:
    """Errors of computing: torch knows one class for no memory on the device, and for a device that was lost."""
    try:
        yield
    except RuntimeError as err:
        raise ModelUnavailable(f"{what} failed: {err}") from err


def input_side(processor: Any) -> int:
    """The short side in pixels that an image processor scales a picture to."""
    size = dict(processor.size)
    side: int = size.get("shortest_edge") or max(size["height"], size["width"])
    return side


def text_processing(model: SentenceTransformer) -> dict[str, dict[str, Any]]:
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


def query_prompt(model: SentenceTransformer) -> str:
    """What the model's own files put before a text that searches; mostly nothing."""
    prompts: dict[str, str] = model.prompts or {}
    return prompts.get("query") or prompts.get(model.default_prompt_name or "") or ""


def damaged(model: str) -> str:
    """What is said of weights that are no numbers."""
    return f"The weights of {model} are not all finite numbers: the file is damaged, or the training diverged."


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
