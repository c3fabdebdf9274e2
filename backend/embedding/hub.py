"""The model hub and its local cache: is a model here, can it be had, and bringing it here.

Where the hub and its cache are, whether it may be asked, and with which token, is read by `huggingface_hub` itself
(HF_ENDPOINT, HF_HUB_CACHE or HF_HOME, HF_HUB_OFFLINE, HF_TOKEN), so that what another program downloaded is found.
"""

from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from huggingface_hub import HfApi, is_offline_mode, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

from backend.embedding.folder import MODULES_FILE, missing_files, wanted_names
from backend.errors import ModelUnavailable

TIMEOUT_SECONDS: Final = 3.0
"""For the hub's whole answer, name resolution and TLS included. A hub that can be reached answers in well under one
second; the libraries' own retries take more than a minute, far too long for a first start without internet."""

ORGANISATION: Final = "sentence-transformers"
"""Whose repository a name without a slash means, as in sentence-transformers itself."""

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

    def cached_folder(self, repository: str) -> Path | None:
        """The snapshot of `repository` in the cache when it is complete; a half-downloaded one does not count."""
        for name in (MODULES_FILE, "config.json"):
            path = try_to_load_from_cache(repository, name, cache_dir=self._cache_dir)
            if isinstance(path, str):
                folder = Path(path).parent
                return None if missing_files(folder) else folder
        return None

    def locate(self, model: str) -> Path:
        """The complete folder of `model`, a path or a name: on disk, in the cache, or downloaded into it.

        Raises `errors.ModelUnavailable` saying what is missing and what to do.
        """
        folder = folder_of(model)
        if folder is None:
            repository = repository_of(model)
            return self.cached_folder(repository) or self.download(repository)
        if not folder.is_dir():
            raise ModelUnavailable(f"There is no model folder {folder}. Correct the setting `model`.")
        missing = missing_files(folder)
        if missing:
            raise ModelUnavailable(
                f"The model folder {folder} lacks {', '.join(missing)}: the copy was cut off, or the model reads no "
                "pictures. Copy the whole folder again, or choose a CLIP model."
            )
        return folder

    def refusal(self, repository: str) -> str | None:
        """None when the hub answers that it has `repository`, else a clause that says why not. Never takes longer than
        the timeout: the question runs in a thread of its own, because nothing else can end a hanging name resolution.
        """
        if is_offline_mode():
            return "the model hub may not be asked (HF_HUB_OFFLINE is set)"
        answer: SimpleQueue[str | None] = SimpleQueue()
        Thread(target=lambda: answer.put(self._ask(repository)), name="model-hub-probe", daemon=True).start()
        try:
            return answer.get(timeout=self._timeout_seconds)
        except Empty:
            return f"the model hub did not answer within {self._timeout_seconds:g} s"

    def download(self, repository: str) -> Path:
        """Fetch into the cache what the loader needs of `repository` and return the folder.

        Raises `errors.ModelUnavailable`: within the timeout when the hub does not answer, later when a transfer fails.
        """
        refusal = self.refusal(repository)
        if refusal is not None:
            raise ModelUnavailable(_not_here(repository, refusal))
        try:
            info = HfApi(endpoint=self._endpoint).model_info(repository, timeout=self._timeout_seconds)
            names = wanted_names([file.rfilename for file in info.siblings or []])
            folder = snapshot_download(
                repository, endpoint=self._endpoint, cache_dir=self._cache_dir, allow_patterns=names
            )
        except Exception as err:  # the client's, its HTTP library's and the disk's errors share no class
            raise ModelUnavailable(_not_here(repository, f"its download failed ({_brief(err)})")) from err
        missing = missing_files(Path(folder))
        if missing:
            raise ModelUnavailable(
                f"The repository {repository} is no CLIP model this system can load: it lacks {', '.join(missing)}."
            )
        return Path(folder)

    def _ask(self, repository: str) -> str | None:
        # The client's timeout holds for each step of the exchange, not for the whole. It only ends the thread, later
        # than the deadline, so that a hub which is slow is always reported in the same words.
        try:
            HfApi(endpoint=self._endpoint).model_info(repository, timeout=self._timeout_seconds + 1)
        except HFValidationError:
            return f"{repository} is no possible name of a model on the hub"
        except RepositoryNotFoundError:
            return f"the model hub has no model {repository}, or asks for a token (HF_TOKEN) to show it"
        except HfHubHTTPError as err:
            return f"the model hub answered with status {err.response.status_code}"
        except Exception as err:  # noqa: BLE001 - whatever it is, the hub cannot be used, and the words are for a log
            return f"the model hub could not be reached ({_brief(err)})"
        return None


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


def _not_here(repository: str, reason: str) -> str:
    return (
        f"The model {repository} is not in the local model cache and cannot be downloaded: {reason}. Connect this "
        "machine to the hub, or copy the model's folder here and set `model` to its path, or set `model` to `packaged`."
    )


def _brief(err: Exception) -> str:
    """The first line of an error, cut at 200 characters: the libraries' messages run to paragraphs of advice."""
    lines = str(err).strip().splitlines()
    return f"{type(err).__name__}: {lines[0][:200]}" if lines else type(err).__name__
