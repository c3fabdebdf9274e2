"""OpenCLIP's layout of a folder: `open_clip_config.json`, its weights, and a tokeniser as transformers saves it."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final

CONFIG_FILE: Final = "open_clip_config.json"

WEIGHT_FILES: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""In the order OpenCLIP prefers them."""

TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)

TOKENIZER_WANTED: Final = (
    "tokenizer.json or vocab.json (those of openai/clip-vit-base-patch32, unless the model was trained with others)"
)
"""OpenCLIP carries OpenAI's vocabulary in its package, so folders that were filled by hand often have none."""

RECIPE: Final = b"openclip 1"
"""Our own share in such a model's vectors: the translation. Count it up when that changes the vectors."""


def is_openclip(folder: Path) -> bool:
    """Whether the folder is to be read as OpenCLIP's.

    One that holds the same model in transformers' layout too is read that way, unless its config asks for Python code
    of its own: such code is never run.
    """
    if not (folder / CONFIG_FILE).is_file():
        return False
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return True
    own_code = not isinstance(config, dict) or "model_type" not in config or "auto_map" in config
    return own_code or not _has_other_weights([path.name for path in folder.iterdir()])


def is_openclip_listing(names: Collection[str]) -> bool:
    """The same, judged by the names of a repository's files: before they are fetched their insides are not known."""
    own_code = any(name.endswith(".py") for name in names)
    plain = "config.json" in names and not own_code and _has_other_weights(names)
    return CONFIG_FILE in names and not plain


def dimension_in(folder: Path) -> int | None:
    """The length of the model's vectors; None where its config does not say it."""
    try:
        size = json.loads((folder / CONFIG_FILE).read_bytes())["model_cfg"]["embed_dim"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return size if isinstance(size, int) else None


def _has_other_weights(names: Collection[str]) -> bool:
    return any(
        name.startswith(("model", "pytorch_model")) and name.endswith((".safetensors", ".bin")) for name in names
    )
