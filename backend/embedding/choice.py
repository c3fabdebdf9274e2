"""Which encoder an index gets. The decision is pure; what it needs to know of the outside comes through `Probes`."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Final, Protocol

from backend.embedding.folder import fingerprint_of, missing_files
from backend.embedding.hub import Hub, folder_of, repository_of
from backend.errors import ModelMismatch, ModelUnavailable
from backend.ports import Embedder, Space

AUTO: Final = "auto"
PACKAGED: Final = "packaged"

DEFAULT_MODEL: Final = "clip-ViT-B-32"
"""The smallest of OpenAI's CLIP models and the one most shops' tools know; 512 dimensions, about 600 MB to download."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An encoder and why it was chosen: `reason` is one plain sentence for the log, the status and the demo."""

    model: str
    reason: str


class Probes(Protocol):
    """What the decision asks of the outside. Each question is asked only when its answer decides."""

    def is_cached(self, model: str) -> bool:
        """Whether a model of the hub is complete in the local cache."""
        ...

    def half_copy(self, model: str) -> str | None:
        """A clause that says what a broken download left of the model in the local cache; None for nothing."""
        ...

    def refusal(self, model: str) -> str | None:
        """None when the hub can give the model, else a clause that says why not. Takes 3 s at the most."""
        ...

    def fingerprint(self, model: str) -> str | None:
        """The fingerprint of a model that is on this machine, without loading it; None when it is not."""
        ...


class LocalProbes:
    """The real answers: this machine's disk and the hub."""

    def __init__(self, hub: Hub | None = None) -> None:
        self._hub = hub or Hub()

    def is_cached(self, model: str) -> bool:
        """Whether a model of the hub is complete in the local cache."""
        return self._hub.cached_folder(repository_of(model)) is not None

    def half_copy(self, model: str) -> str | None:
        """Look into the cache."""
        return self._hub.half_copy(repository_of(model))

    def refusal(self, model: str) -> str | None:
        """Ask the hub for the model's listing and for a byte of its weights."""
        return self._hub.refusal(repository_of(model))

    def fingerprint(self, model: str) -> str | None:
        """Hash the folder's or the cached snapshot's files."""
        folder = folder_of(model)
        if folder is None:
            folder = self._hub.cached_folder(repository_of(model))
        elif missing_files(folder):
            folder = None
        return None if folder is None else fingerprint_of(folder)


def choose(setting: str, stored: Space | None, probes: Probes) -> Choice:
    """Decide. `setting` is `auto`, `packaged`, a name on the hub or a folder; `stored` is an existing index's space.

    An existing index decides: `auto` keeps its encoder, and naming another one raises `errors.ModelMismatch`. Without
    one, `auto` takes CLIP when it is cached or the hub answers, else the packaged encoder. A folder comes back as an
    absolute path, because the name is stored beside the index and read by processes started elsewhere.
    """
    if setting != AUTO:
        return _choose_named(_settled(setting), stored, probes)
    if stored is not None:
        return Choice(stored.model, f"auto keeps {_spoken(stored.model)}: the index was built with it")
    if probes.is_cached(DEFAULT_MODEL):
        return Choice(DEFAULT_MODEL, f"auto chose {DEFAULT_MODEL}: it is in the local model cache")
    refusal = probes.refusal(DEFAULT_MODEL)
    half = probes.half_copy(DEFAULT_MODEL)
    if refusal is None:
        rest = f"; {half}, the rest follows" if half else ""
        return Choice(DEFAULT_MODEL, f"auto chose {DEFAULT_MODEL}: the model hub answered and will send it once{rest}")
    state = f"of {DEFAULT_MODEL} {half}" if half else f"{DEFAULT_MODEL} is not cached"
    return Choice(PACKAGED, f"auto chose the packaged encoder: {refusal} and {state}")


def same_model(one: str, other: str) -> bool:
    """Whether two spellings mean one model: with and without `sentence-transformers/`, a relative and a full path."""
    return _identity(one) == _identity(other)


def check_space(actual: Space, stored: Space) -> None:
    """Raise `errors.ModelMismatch` unless vectors of `actual` may join an index of `stored`. Weights are compared, not
    names: one name may come to stand for other weights (a folder trained again, a repository's new revision).
    """
    if (actual.fingerprint, actual.dimension) == (stored.fingerprint, stored.dimension):
        return
    raise ModelMismatch(
        f"The index was built with {_described(stored)}, but {_described(actual)} was loaded: their vectors cannot be "
        f"compared. Put the old weights back, or run `{_reindex_command(actual.model)}` to build the index anew."
    )


def load(
    model: str,
    *,
    cache_dir: Path,
    device: str,
    threads: int | None,
    exact: bool = False,
    text_model: str | None = None,
    shared: bool = False,
    hub: Hub | None = None,
) -> Embedder:
    """Build the encoder of `Choice.model`. `cache_dir` is where encoders keep what they derive from their
    weights and measure; CLIP models themselves are kept in the hub's own cache. `exact`: in float32 whatever the
    machine is best at. `text_model`: reads the texts in a CLIP's place. `shared`: processes of one machine
    have a CLIP's weights in memory once. Raises `errors.ModelUnavailable`.

    The imports stand inside so that only the chosen encoder's libraries are paid for (torch and sentence-transformers
    take several seconds).
    """
    if model == PACKAGED:
        if text_model is not None:
            raise ModelUnavailable(f"The packaged encoder has words of its own; {text_model} belongs to a CLIP.")
        from backend.embedding.packaged.encoder import PackagedEncoder  # noqa: PLC0415 - see the docstring

        # One thread unless told otherwise: two on a busy machine of two cores ran at a fifth of the speed of one.
        return PackagedEncoder(cache_dir=cache_dir, threads=threads or 1, exact=exact)
    (hub or Hub()).locate(model)  # before the import: a mistyped name should not cost seconds until it is refused
    from backend.embedding.clip import ClipEncoder  # noqa: PLC0415 - see the docstring

    clip = ClipEncoder(model, device=device, threads=threads, exact=exact, cache_dir=cache_dir, shared=shared, hub=hub)
    if text_model is None:
        return clip
    from backend.embedding.text_tower import WithTextTower  # noqa: PLC0415 - see the docstring

    return WithTextTower(clip, text_model, device=device, hub=hub)


def load_chosen(
    setting: str,
    stored: Space | None,
    *,
    cache_dir: Path,
    device: str,
    threads: int | None,
    exact: bool = False,
    text_model: str | None = None,
    shared: bool = False,
    hub: Hub | None = None,
) -> tuple[Embedder, Choice]:
    """Choose, load and compare with the index: what a process does at its start.

    Under `auto` a CLIP that cannot be loaded after all (the hub answered, then the download broke) gives way to the
    packaged encoder, but only while there is no index: an index's vectors must not meet another encoder's.
    Raises `errors.ModelUnavailable` and `errors.ModelMismatch`.
    """
    choice = choose(setting, stored, LocalProbes(hub))
    build = partial(load, cache_dir=cache_dir, device=device, threads=threads, exact=exact, hub=hub)
    try:
        embedder = build(choice.model, text_model=text_model, shared=shared)
    except ModelUnavailable as err:
        if setting != AUTO or stored is not None or choice.model == PACKAGED:
            raise
        what_failed, _, _ = err.detail.partition(". ")  # the rest advises on a setting that nobody wrote
        choice = Choice(PACKAGED, f"auto chose the packaged encoder: {what_failed}")
        embedder = build(PACKAGED)
    if stored is not None:
        check_space(embedder.space, stored)
    return embedder, choice


def _choose_named(model: str, stored: Space | None, probes: Probes) -> Choice:
    named = Choice(model, f"the setting `model` names {_spoken(model)}")
    if stored is None or same_model(model, stored.model):
        return named
    # A folder that was moved, or is mounted elsewhere in a container, is still the same model: weights tell, not names.
    if model != PACKAGED and probes.fingerprint(model) == stored.fingerprint:
        return named
    raise ModelMismatch(
        f"The index was built with {_spoken(stored.model)}, but the setting `model` names {_spoken(model)}. Run "
        f"`{_reindex_command(model)}` to build the index anew, or set `model` back to {stored.model}."
    )


def _settled(setting: str) -> str:
    folder = None if setting == PACKAGED else folder_of(setting)
    return setting if folder is None else str(folder)


def _identity(model: str) -> str:
    settled = _settled(model)
    return settled if settled == PACKAGED or Path(settled).is_absolute() else repository_of(settled)


def _spoken(model: str) -> str:
    return "the packaged encoder" if model == PACKAGED else model


def _described(space: Space) -> str:
    return f"{_spoken(space.model)} ({space.dimension} dimensions, fingerprint {space.fingerprint})"


def _reindex_command(model: str) -> str:
    return f"shelfsight reindex --model {quote(model)}"
