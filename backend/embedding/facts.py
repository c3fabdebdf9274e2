"""What can be said of a model that is on this machine without loading its weights."""

from dataclasses import dataclass
from pathlib import Path

from backend.embedding.choice import PACKAGED, load
from backend.embedding.folder import dimension_of, fingerprint_of
from backend.embedding.hub import Hub, folder_of, repository_of


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`where` its files are. Of a model that is not here nothing else is known; `dimension` may take loading it."""

    where: str
    size_bytes: int | None = None
    dimension: int | None = None
    fingerprint: str | None = None


def facts_of(model: str, *, cache_dir: Path, hub: Hub) -> ModelFacts:
    """Asks nobody. Raises `errors.ModelUnavailable` for a folder that is not there or incomplete."""
    if model == PACKAGED:
        return _of_the_packaged(cache_dir)
    repository = repository_of(model)
    folder = hub.locate(model) if folder_of(model) else hub.cached_folder(repository)
    if folder is None:
        return ModelFacts(where=hub.half_copy(repository) or "not on this machine yet; the start downloads it")
    return facts_of_folder(folder)


def facts_of_folder(folder: Path) -> ModelFacts:
    """Of a complete folder."""
    return ModelFacts(str(folder), _size(folder), dimension_of(folder), fingerprint_of(folder))


def _of_the_packaged(cache_dir: Path) -> ModelFacts:
    from backend.embedding.packaged import weights  # noqa: PLC0415 - only for this encoder

    parts = (weights.tower_file(), weights.sentences_folder())
    # Built, it has hashed its weights, but loads none of them before the first picture or text.
    space = load(PACKAGED, cache_dir=cache_dir, device="cpu", threads=1).space
    return ModelFacts(
        where=" and ".join(str(part) for part in parts),
        size_bytes=sum(_size(part) for part in parts),
        dimension=space.dimension,
        fingerprint=space.fingerprint,
    )


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [below for below in path.rglob("*") if below.is_file()]
    return sum(file.stat().st_size for file in files)
