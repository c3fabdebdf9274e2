"""May this model be had from the hub? One question with a deadline, so that a hub in trouble never holds up a start."""

from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from huggingface_hub import HfApi, get_session, hf_hub_url, is_offline_mode
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from backend.embedding.folder import wanted_names, weight_names

_NOT_ALLOWED = (401, 403)


@dataclass(frozen=True, slots=True)
class Answer:
    """The files to fetch, or a clause that says why the model cannot be had."""

    files: tuple[str, ...] = ()
    refusal: str | None = None


def ask(repository: str, *, endpoint: str | None, timeout_seconds: float) -> Answer:
    """Ask for the model's listing and for the first byte of its weights: two small requests, without any retry.

    Never takes longer than the timeout: the question runs in a thread of its own, because nothing else can end a
    hanging name resolution.
    """
    if is_offline_mode():
        return Answer(refusal="the model hub may not be asked (HF_HUB_OFFLINE is set)")
    answers: SimpleQueue[Answer] = SimpleQueue()

    def question() -> None:
        # The client's timeout holds for each step of the exchange, not for the whole. It only ends the thread, later
        # than the deadline, so that a hub which is slow is always reported in the same words.
        answers.put(_asked(repository, endpoint, timeout_seconds + 1))

    Thread(target=question, name="model-hub-probe", daemon=True).start()
    try:
        return answers.get(timeout=timeout_seconds)
    except Empty:
        return Answer(refusal=f"the model hub did not answer within {timeout_seconds:g} s")


def brief(err: Exception) -> str:
    """The first line of an error, cut at 200 characters: the libraries' messages run to paragraphs of advice."""
    lines = str(err).strip().splitlines()
    return f"{type(err).__name__}: {lines[0][:200]}" if lines else type(err).__name__


def _asked(repository: str, endpoint: str | None, timeout_seconds: float) -> Answer:
    asked_for = "the listing"
    try:
        info = HfApi(endpoint=endpoint).model_info(repository, timeout=timeout_seconds)
        files = wanted_names([file.rfilename for file in info.siblings or []])
        # Listings and files come from different machines; a proxy may let through only the first, and a model that is
        # shown may still be closed. The downloader would find that out over 23 s of retries.
        for asked_for in weight_names(files)[:1]:
            _fetch_a_byte(hf_hub_url(repository, asked_for, revision=info.sha, endpoint=endpoint), timeout_seconds)
    except HFValidationError:
        return Answer(refusal=f"{repository} is no possible name of a model on the hub")
    except RepositoryNotFoundError:
        return Answer(refusal=f"the model hub has no model {repository}, or asks for a token (HF_TOKEN) to show it")
    except HfHubHTTPError as err:
        status = err.response.status_code
        token = "; it may want another token (HF_TOKEN)" if status in _NOT_ALLOWED else ""
        return Answer(refusal=f"the model hub answered with status {status} for {asked_for}{token}")
    except Exception as err:  # noqa: BLE001 - whatever it is, the hub cannot be used, and the words are for a log
        return Answer(refusal=f"the model hub could not be reached ({brief(err)})")
    return Answer(tuple(files))


def _fetch_a_byte(url: str, timeout_seconds: float) -> None:
    headers = {**build_hf_headers(), "Range": "bytes=0-0"}
    with get_session().stream("GET", url, headers=headers, timeout=timeout_seconds) as response:
        hf_raise_for_status(response)  # closed unread: a hub that knows no ranges sends no more than its first packets
