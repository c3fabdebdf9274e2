"""What a change of the index finds and says: generations that earlier commands left, a server at work, a setting."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from backend.cli.supervisor import is_held
from backend.domain.generation import FIRST, Generation, IndexState
from backend.embedding.choice import AUTO, same_model
from backend.errors import DataDirectoryInUse, IndexUnavailable, Misconfigured
from backend.opening import Truth, places_of
from backend.ports import Space
from backend.settings import Settings
from backend.usecases.compare_indexes import Comparison
from backend.usecases.served_index import ServedIndex

POLL_SECONDS = 0.3

LONGEST_SEARCH_SECONDS = 60.0
"""A server closes the index that served before once its last search has ended."""


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """One change of the index at a time."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / "reindex.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured("another `shelfsight reindex` works on this data directory") from None
        yield


def opened_when_free(open_it: Callable[[], ServedIndex]) -> ServedIndex:
    """What the server has just let go of, or is about to. Raises `DataDirectoryInUse` when it does not."""
    until = time.monotonic() + LONGEST_SEARCH_SECONDS
    while True:
        try:
            return open_it()
        except DataDirectoryInUse:
            if time.monotonic() > until:
                raise
            time.sleep(POLL_SECONDS)


def clean_up(settings: Settings, truth: Truth) -> None:
    """Remove what no longer serves any purpose; a process killed in the middle of it is followed by the next."""
    places = places_of(settings)
    for generation in truth.indexes.generations():
        if generation.state is IndexState.DROPPED:
            places.remove(generation.number)
            truth.indexes.forget(generation.number)


def clear_place(settings: Settings, generation: Generation) -> None:
    """Before a generation is begun from nothing: what lies under its number, as after a catalog was restored, is of
    another life, and nobody would take it out of the new index.
    """
    if generation.after is None and not generation.filled and generation.served_at is None:
        places_of(settings).remove(generation.number)


def serving_space(settings: Settings, truth: Truth) -> Space:
    """Raises `Misconfigured` when there is no index yet."""
    generations = truth.indexes.generations()
    number = next((it.number for it in generations if it.state is IndexState.SERVING), FIRST)
    space = places_of(settings).stored_space(number)
    if space is None:
        raise Misconfigured("there is no index yet: set SHELFSIGHT_MODEL, and the first start builds one for it")
    return space


def resumed(settings: Settings, truth: Truth, space: Space) -> Generation | None:
    """The generation an earlier command for this encoder left. Those for other encoders are removed."""
    found = None
    for it in truth.indexes.generations():
        if it.served_at is not None or it.state not in {IndexState.BUILDING, IndexState.READY}:
            continue
        if (it.fingerprint, it.dimension) == (space.fingerprint, space.dimension):
            found = it
        elif it.state is IndexState.READY and settings.embedded and is_held(settings.data_dir):
            raise Misconfigured(f"the server is just switching to {it.model}: wait for its end")
        else:
            truth.indexes.drop(it.number)
    clean_up(settings, truth)
    return found


def taken_over(settings: Settings, truth: Truth, generation: Generation, console: Console) -> bool:
    """Whether a generation that is ready serves by now; False when no server is there to take it over.

    Raises `IndexUnavailable` when the server could not.
    """
    while settings.embedded:
        found = next((it for it in truth.indexes.generations() if it.number == generation.number), None)
        if found is None or found.state is IndexState.DROPPED:
            raise IndexUnavailable("somebody gave the new index up")
        if found.state is IndexState.SERVING:
            tell_it_serves(settings, truth, generation, console)
            return True
        if found.state is not IndexState.READY:
            if found.detail:
                raise IndexUnavailable(f"the server goes on with the old index: {found.detail}")
            return False
        if not is_held(settings.data_dir):
            return False
        time.sleep(POLL_SECONDS)
    return False


def tell_it_serves(settings: Settings, truth: Truth, generation: Generation, console: Console) -> None:
    """The end of it."""
    clean_up(settings, truth)
    console.print(
        f"{generation.model} serves. The former index is kept: `shelfsight reindex --rollback` goes back to it."
    )
    tell_of_setting(settings, generation.model, console)


def tell_of_setting(settings: Settings, model: str, console: Console) -> None:
    """A start refuses an encoder that is not the index's own; nobody should learn that from a server that is down."""
    if settings.model != AUTO and not same_model(settings.model, model):
        console.print(
            f"NOTE: the setting `model` names {settings.model}. Before the next start of any process set "
            f"SHELFSIGHT_MODEL to {model}, or to auto: the index knows its own encoder. Else that start is refused.",
            style="yellow",
        )


def described(compared: Comparison) -> str:
    """The comparison in words."""
    lines = [f"compared by {compared.queries} questions: they share {compared.overlap:.0%} of their first ten answers"]
    if compared.labelled:
        lines.append(
            f"of the first ten, of the right category (precision at ten, {compared.labelled} questions): "
            f"{compared.before:.3f} before, {compared.after:.3f} now"
        )
    return "\n".join(lines)
