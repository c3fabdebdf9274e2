"""A folder of OpenCLIP -> a folder of transformers, kept, so that only the first start pays for it.

Kept as a file rather than in memory, because transformers maps it: processes that load the same model share its pages.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import punctuation
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, normalizers
from torch import Tensor
from transformers import AutoTokenizer

from backend.embedding.openclip.description import Description, described
from backend.embedding.openclip.files import CONFIG_FILE, TOKENIZER_FILES, WEIGHT_FILES
from backend.embedding.openclip.tensors import translated
from backend.errors import ModelUnavailable


def as_transformers(folder: Path, target: Path) -> Path:
    """`target`, filled from `folder` unless it is there already; its name must tell weights and settings apart.

    Complete or not there, also when several processes start at once. Raises `ModelUnavailable` when the model cannot be
    translated or `target` cannot be written, and whatever the readers of damaged files raise.
    """
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    except OSError as err:
        raise ModelUnavailable(f"The model's translation cannot be written beside {target}: {err}") from err
    try:
        _fill(part, folder)
        part.rename(target)
    except OSError as err:
        if not target.is_dir():  # else another process was faster
            raise ModelUnavailable(f"The model's translation cannot be written to {target}: {err}") from err
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _fill(part: Path, folder: Path) -> None:
    tensors = _tensors(folder)
    settings = json.loads((folder / CONFIG_FILE).read_bytes())
    description = described(settings, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    (part / "config.json").write_text(json.dumps(description.config), "utf-8")
    (part / "preprocessor_config.json").write_text(json.dumps(description.scaling), "utf-8")
    _write_tokenizer(part, folder, description)
    save_file(translated(tensors, siglip=description.is_siglip), part / "model.safetensors", metadata={"format": "pt"})


def _tensors(folder: Path) -> Mapping[str, Tensor]:
    path = next(folder / name for name in WEIGHT_FILES if (folder / name).is_file())
    if path.suffix == ".safetensors":
        return load_file(path)
    # weights_only: a pickle may run code when opened; tensors are all that is wanted from it.
    stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    tensors: Mapping[str, Tensor] = stored.get("state_dict", stored)  # a training's checkpoint holds more
    return tensors


def _write_tokenizer(part: Path, folder: Path, description: Description) -> None:
    """The folder's own, with the model's limit, and with texts in the form they had in training."""
    for name in TOKENIZER_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, part / name)
    tokenizer = AutoTokenizer.from_pretrained(part, local_files_only=True)  # beside a config that tells its class
    tokenizer.model_max_length = description.token_limit
    if description.canonical:
        backend = tokenizer.backend_tokenizer
        own = [backend.normalizer] if backend.normalizer else []
        backend.normalizer = normalizers.Sequence([*_canonical(), *own])
    tokenizer.save_pretrained(part)
    if description.canonical:
        # The named classes build these steps anew when they are loaded; this one takes them as they were saved.
        path = part / "tokenizer_config.json"
        named = json.loads(path.read_bytes()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
        path.write_text(json.dumps(named), "utf-8")


def _canonical() -> list[normalizers.Normalizer]:
    """As big_vision, where SigLIP comes from, prepares texts: no marks, small letters, single spaces."""
    return [
        normalizers.Replace("_", " "),
        normalizers.Replace(Regex("[" + "".join(f"\\{mark}" for mark in punctuation) + "]"), ""),
        normalizers.Lowercase(),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]
