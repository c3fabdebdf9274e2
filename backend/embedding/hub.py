"""The model hub and its local cache: is a model here, can it be had, and bringing it here.

Where the hub and its cache are, whether it may be asked, and with which token, is read by `huggingface_hub` itself
(HF_ENDPOINT, HF_HUB_CACHE or HF_HOME, HF_HUB_OFFLINE, HF_TOKEN), so that what another program downloaded is found.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from huggingface_hub import snapshot_download, try_to_load_from_cache
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    logging,
)

from backend.embedding.asking import Answer, ask, brief
from backend.embedding.folder import MODULES_FILE, missing_files
from backend.embedding.openclip import files as openclip
from backend.errors import ModelUnavailable

TIMEOUT_SECONDS: Final = 3.0
"""For the hub's whole answer, name resolution and TLS included. A hub that can be reached answers in well under one
second; the libraries' own retries take more than a minute, far too long for a first start without internet."""

ORGANISATION: Final = "sentence-transformers"
"""Whose repository a name without a slash means, as in sentence-transformers itself."""

_PARTS: Final = ("snapshots/*/**/*", "blobs/*.incomplete")
"""Where the client keeps files that arrived, and those that are under way, below a repository's folder."""

_MOST_SLASHES: Final = 1  # a repository is `owner/name`; more slashes can only be a path


class Hub:
    """One hub and one cache. Without arguments those of `huggingface_hub`'s environment variables."""

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        cache_dir: Path | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._endpoint = endpoint
        self._cache_dir = cache_dir
        self._timeout_seconds = timeout_seconds

    def cached_folder(self, repository: str, *, texts_only: bool = False) -> Path | None:
        """The snapshot of `repository` in the cache when it is complete; a half-downloaded one does not count."""
        folder = self._snapshot(repository)
        return None if folder is None or missing_files(folder, texts_only=texts_only) else folder

    def half_copy(self, repository: str) -> str | None:
        """A clause that says what a broken download left in the cache; None when that is nothing, or the whole."""
        found = "a half-downloaded copy was found in the local model cache"
        folder = self._snapshot(repository)
        if folder is not None:
            missing = missing_files(folder)
            return f"{found} (it lacks {', '.join(missing)})" if missing else None
        kept = Path(self._cache_dir or HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model")
        return found if any(path.is_file() for part in _PARTS for path in kept.glob(part)) else None

    def locate(self, model: str, *, texts_only: bool = False) -> Path:
        """The complete folder of `model`, a path or a name: on disk, in the cache, or downloaded into it.

        `texts_only`: it need not read pictures. Raises `errors.ModelUnavailable` saying what is missing and what to do.
        """
        folder = folder_of(model)
        if folder is None:
            repository = repository_of(model)
            cached = self.cached_folder(repository, texts_only=texts_only)
            return cached or self.download(repository, texts_only=texts_only)
        if not folder.is_dir():
            setting = "text_model" if texts_only else "model"
            raise ModelUnavailable(f"There is no model folder {folder}. Correct the setting `{setting}`.")
        missing = missing_files(folder, texts_only=texts_only)
        if missing:
            raise ModelUnavailable(
                f"The model folder {folder} lacks {', '.join(missing)}: the copy was cut off, or the model reads no "
                "pictures. Copy the whole folder again, or choose a CLIP model."
            )
        return folder

    def refusal(self, repository: str) -> str | None:
        """None when the hub can give `repository`, else a clause that says why not. Never longer than the timeout."""
        return self._ask(repository).refusal

    def download(self, repository: str, folder: Path | None = None, *, texts_only: bool = False) -> Path:
        """Fetch into the cache, or into `folder`, what the loader needs of `repository` and return the folder.

        Raises `errors.ModelUnavailable`: within the timeout when the hub does not answer, later when a transfer fails.
        """
        answer = self._ask(repository)
        if answer.refusal is not None:
            raise self._not_here(repository, answer.refusal)
        try:
            with _quiet():
                fetched = snapshot_download(
                    repository,
                    endpoint=self._endpoint,
                    cache_dir=self._cache_dir,
                    local_dir=folder,
                    allow_patterns=list(answer.files),
                )
        except Exception as err:  # the client's, its HTTP library's and the disk's errors share no class
            raise self._not_here(repository, f"its download failed ({brief(err)})") from err
        missing = missing_files(Path(fetched), texts_only=texts_only)
        if missing:
            raise ModelUnavailable(
                f"The repository {repository} is no CLIP model this system can load: it lacks {', '.join(missing)}."
            )
        return Path(fetched)

    def _ask(self, repository: str) -> Answer:
        return ask(repository, endpoint=self._endpoint, timeout_seconds=self._timeout_seconds)

    def _snapshot(self, repository: str) -> Path | None:
        """The folder in the cache that holds some of the model's files."""
        for name in (MODULES_FILE, "config.json", openclip.CONFIG_FILE):
            path = try_to_load_from_cache(repository, name, cache_dir=self._cache_dir)
            if isinstance(path, str):
                return Path(path).parent
        return None

    def _not_here(self, repository: str, reason: str) -> ModelUnavailable:
        half = self.half_copy(repository)
        state = f"is not usable: {half}, and the rest" if half else "is not in the local model cache and"
        return ModelUnavailable(
            f"The model {repository} {state} cannot be downloaded: {reason}. Connect this machine to the hub, or copy "
            "the model's folder here and set `model` to its path, or set `model` to `packaged`."
        )


def repository_of(name: str) -> str:
    """`clip-ViT-B-32` -> `sentence-transformers/clip-ViT-B-32`; a full name stays."""
    return name if "/" in name else f"{ORGANISATION}/{name}"


def folder_of(name: str) -> Path | None:
    """The folder that `name` means, absolute; None when it is a name on the hub.

    A folder that exists wins over a repository of that name, as in sentence-transformers. What can only be a path
    (`./x`, `/x`, `~/x`, `a/b/c`) is one even when nothing is there, so that a typing error never asks the hub.
    """
    path = Path(name).expanduser()
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") > _MOST_SLASHES or name.endswith("/")
    return path.resolve() if looks_like_path or path.is_dir() else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's line for each retry, and its bar where nobody watches: one line at the end says it all."""
    verbosity, bars = logging.get_verbosity(), not are_progress_bars_disabled()
    logging.set_verbosity_error()
    if bars and not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            enable_progress_bars()
