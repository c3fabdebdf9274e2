"""A model's folder on disk: which of its files the loader reads, which are missing, and their fingerprint.

Three layouts are known. A plain transformers folder has `config.json` at its top. A sentence-transformers folder has
`modules.json` there, which lists the sub-folders of its modules; the first module holds the towers. OpenCLIP's has
`open_clip_config.json` (`openclip.files`).
"""

import json
import re
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final

from backend.embedding.openclip import files as openclip
from backend.errors import ModelUnavailable

MODULES_FILE: Final = "modules.json"

PICTURE_CONFIGS: Final = ("preprocessor_config.json", "processor_config.json")
"""How pictures are scaled; transformers 5 writes the second name, everything before it the first."""

TOKENIZER_FILES: Final = ("tokenizer.json", "vocab.json", "spiece.model", "vocab.txt", "sentencepiece.bpe.model")
"""The vocabularies a tokenizer can be built from, in the order transformers prefers them."""

CONFIG_FILES: Final = (
    "config.json",
    *PICTURE_CONFIGS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "sentence_bert_config.json",
)

WEIGHT_FILES: Final = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""In the order transformers prefers them; an index names the shards beside it."""

_WEIGHT_NAME: Final = re.compile(r"(pytorch_)?model(-\d+-of-\d+)?\.(safetensors|bin)(\.index\.json)?")
_TOP_FILES: Final = (MODULES_FILE, "config_sentence_transformers.json", "merges.txt", *CONFIG_FILES, *TOKENIZER_FILES)

_IRRELEVANT_KEYS: Final = frozenset({"transformers_version", "_name_or_path", "dtype", "torch_dtype"})
"""Keys of a config that say who saved it, and where, but not what it computes (it always runs in float32 here).
They change when the same model is saved again by another release, which must not force a whole index to be rebuilt."""

_RECIPE: Final = b"clip 2"
"""Our own share in a vector (the scaling in `resizing`, float32). Count it up when that changes the vectors."""


def missing_files(folder: Path, *, texts_only: bool = False) -> tuple[str, ...]:
    """What the loader would look for in vain, in words for the user; empty for a complete folder.

    A copy or download that was cut off leaves files out or empty; this finds that without reading the weights.
    `texts_only`: the model need not read pictures.
    """
    try:
        part = tower_folder(folder)
        shards = _weights(part)
    except ValueError as err:
        return (str(err),)
    as_openclip = openclip.is_openclip(part) and not texts_only
    config = openclip.CONFIG_FILE if as_openclip else "config.json"
    missing = [] if _is_filled(part / config) else [config]
    if not (texts_only or as_openclip) and not any(_is_filled(part / name) for name in PICTURE_CONFIGS):
        missing.append(" or ".join(PICTURE_CONFIGS))
    if not any(_is_filled(part / name) for name in TOKENIZER_FILES):
        missing.append(openclip.TOKENIZER_WANTED if as_openclip else "tokenizer.json or vocab.json")
    if _is_filled(part / "vocab.json") and not _is_filled(part / "tokenizer.json"):
        missing += [] if _is_filled(part / "merges.txt") else ["merges.txt"]
    missing += [shard.name for shard in shards if not _is_filled(shard)]
    return tuple(missing) if shards else (*missing, _weight_files(part)[0])


def fingerprint_of(folder: Path) -> str:
    """16 hex digits (64 bits of SHA-256) over every file that shapes a vector: weights, configs, vocabulary.

    The files' bytes are hashed rather than the tensors in memory, because a release of the library may rename tensors
    or settings while it loads them; the names inside the folder count, its own place does not. So a copy elsewhere
    has the same fingerprint, and another set of weights has another one. Readme, prompts of other tools and files
    that the loader passes over do not count. About .35 s for the 500 MB of a ViT-B/32.

    Raises `errors.ModelUnavailable` when the folder cannot be read.
    """
    digest = sha256(_RECIPE)
    try:
        if openclip.is_openclip(folder):
            digest.update(openclip.RECIPE)
        for number, part in enumerate(_module_folders(folder)):
            for path in _loaded_files(part):
                digest.update(f"\n{number}/{path.name}\n".encode())
                digest.update(_digest(path))
    except (OSError, ValueError) as err:
        raise ModelUnavailable(f"The model folder {folder} cannot be read: {err}.") from err
    return digest.hexdigest()[:16]


def tower_folder(folder: Path) -> Path:
    """The folder of the module that holds the image and the text tower. Raises ValueError on a broken modules.json."""
    return _module_folders(folder)[0]


def dimension_of(folder: Path) -> int | None:
    """The length of the model's vectors, where its config says it and no module comes after the towers."""
    if openclip.is_openclip(folder):
        return openclip.dimension_in(folder)
    try:
        parts = _module_folders(folder)
        size = json.loads((parts[0] / "config.json").read_bytes()).get("projection_dim")
    except (OSError, ValueError, AttributeError):
        return None
    return size if len(parts) == 1 and isinstance(size, int) else None


def wanted_names(names: list[str]) -> list[str]:
    """Which files of a hub repository to download: what the loader reads, and of two kinds of weights only one.

    Repositories often carry the same weights as safetensors, as a pickle, for ONNX and for other libraries; taking all
    would be several times the download. Safetensors wins, as it does in the loader. OpenCLIP's files are taken where
    transformers' are not there, or need Python code of the repository's own.
    """
    if openclip.is_openclip_listing(names):
        kinds = [name for name in openclip.WEIGHT_FILES if name in names]
        return [name for name in names if name in (openclip.CONFIG_FILE, *openclip.TOKENIZER_FILES)] + kinds[:1]
    weights = [name for name in names if _WEIGHT_NAME.fullmatch(Path(name).name)]
    # Per folder: of a model in several modules, one may have been saved before safetensors.
    safe = {str(Path(name).parent) for name in weights if ".safetensors" in name}
    wanted = [name for name in weights if ".safetensors" in name or str(Path(name).parent) not in safe]
    return [name for name in names if Path(name).name in _TOP_FILES] + wanted


def weight_names(names: list[str]) -> list[str]:
    """Which of these names hold weights, in their order; an index of shards holds none."""
    kinds = [name for name in names if not name.endswith(".json")]
    return [name for name in kinds if _WEIGHT_NAME.fullmatch(Path(name).name) or name in openclip.WEIGHT_FILES]


def _module_folders(folder: Path) -> list[Path]:
    listing = folder / MODULES_FILE
    if not listing.is_file():
        return [folder]
    try:
        modules = json.loads(listing.read_bytes())
        return [folder / module["path"] for module in modules] or [folder]
    except (ValueError, TypeError, KeyError) as err:
        raise ValueError(f"a readable {MODULES_FILE}") from err


def _weights(part: Path) -> list[Path]:
    """The weight files the loader would take: one file, or an index's shards. Empty when there are none."""
    for name in _weight_files(part):
        path = part / name
        if not path.is_file():
            continue
        if not name.endswith(".index.json"):
            return [path]
        try:
            shards = set(json.loads(path.read_bytes())["weight_map"].values())
        except (ValueError, TypeError, KeyError, AttributeError) as err:
            raise ValueError(f"a readable {name}") from err
        return [part / shard for shard in sorted(shards)]
    return []


def _weight_files(part: Path) -> tuple[str, ...]:
    return openclip.WEIGHT_FILES if openclip.is_openclip(part) else WEIGHT_FILES


def _loaded_files(part: Path) -> list[Path]:
    vocabulary = next((name for name in TOKENIZER_FILES if (part / name).is_file()), None)
    configs: tuple[str, ...] = CONFIG_FILES
    if openclip.is_openclip(part):  # a config for transformers, beside it, is not read
        configs = (openclip.CONFIG_FILE, *(name for name in CONFIG_FILES if name in openclip.TOKENIZER_FILES))
    names = [*configs, *([vocabulary] if vocabulary else [])]
    if vocabulary == "vocab.json":
        names.append("merges.txt")
    return sorted([part / name for name in names if (part / name).is_file()] + _weights(part))


def _digest(path: Path) -> bytes:
    if path.name in (openclip.CONFIG_FILE, *CONFIG_FILES):
        return sha256(_facts_of(path.read_bytes())).digest()
    with path.open("rb") as file:
        return file_digest(file, "sha256").digest()


def _facts_of(config: bytes) -> bytes:
    """A config without what does not matter: spacing, the order of keys, and who saved it."""
    facts = json.loads(config)
    if isinstance(facts, dict):
        facts = {key: value for key, value in facts.items() if key not in _IRRELEVANT_KEYS}
    return json.dumps(facts, sort_keys=True).encode()


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
