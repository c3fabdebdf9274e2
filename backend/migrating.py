"""From one machine to servers: what moves is what the two settings place differently."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from backend.errors import Misconfigured
from backend.keeping import addresses, open_kept, refuse_unfinished
from backend.opening import catalog_url, open_catalog, open_made_up, places_of, serving_number
from backend.ports import VectorStore
from backend.settings import Settings, StoreSettings
from backend.usecases.move_installation import Bytes, Moved, MoveInstallation, Rows

if TYPE_CHECKING:
    from sqlalchemy import Engine

Tell = Callable[[str], None]

_MARKER = "moving.json"
"""Stands in the data directory from the first thing that is written elsewhere to the last: what is found there when it
is done again was left by the attempt before.
"""


def settings_there(here: Settings, urls: list[str]) -> Settings:
    """The settings after a move to these addresses, of which each says by its scheme what lives there.

    Raises `Misconfigured` for one that says nothing, or is named twice.
    """
    changed: dict[str, str] = {}
    for url in urls:
        name = _store_of(url)
        if name in changed:
            raise Misconfigured(f"two addresses for {name}: give one")
        changed[name] = url
    if not changed:
        raise Misconfigured("nothing to move: name at least one address")
    try:
        stores = StoreSettings.model_validate(here.stores.model_dump() | changed)
    except ValidationError as err:
        raise Misconfigured("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in err.errors())) from err
    return here.model_copy(update={"stores": stores})


def _store_of(url: str) -> str:
    scheme = url.partition("://")[0].partition("+")[0]
    stores = {"postgresql": "catalog_url", "postgres": "catalog_url", "s3": "blobs_url"}
    stores |= {"http": "qdrant_url", "https": "qdrant_url"}
    if scheme not in stores:
        raise Misconfigured(f"{scheme}:// is none of postgresql://, http(s):// (Qdrant) and s3://")
    return stores[scheme]


def migrate(here: Settings, there: Settings, tell: Tell) -> Moved:
    """Copy what lives elsewhere `there`. Nothing may run on either; what is moved stays where it was.

    Raises `Misconfigured` when something is in the way there, or is not there in the end; `Unavailable`.
    """
    if not here.embedded:
        raise Misconfigured("only an embedded installation is moved: unset SHELFSIGHT_STORES__QDRANT_URL")
    refuse_unfinished(here)
    number = serving_number(here)
    marker = here.data_dir / _MARKER
    again = _begun(here, there)
    with ExitStack() as ends:
        truth = open_catalog(here)
        ends.callback(truth.close)
        truth.ledger.return_leases(expired_only=False)  # nobody works here, and their workers will not be there
        places = places_of(here)
        space = places.stored_space(number)
        if space is None:
            raise Misconfigured("there is no index here yet, so there is nothing to move: start the server once")
        index = open_made_up(places, number, space, truth, new=False).vectors
        ends.callback(index.close)
        if not again:
            _refuse_occupied(here, there, number)
        marker.write_text(json.dumps(addresses(there)), "utf-8")
        source = ends.enter_context(_engine(here))
        moved = MoveInstallation(
            _pictures_of(source),
            truth.jobs.unread_sources,
            ends.enter_context(_bytes(here, there)),
            ends.enter_context(_rows(source, here, there, again=again)),
            index,
            (lambda: _new_index(there, number, index)) if not there.embedded else None,
            tell,
        )()
    if not there.embedded:
        _forget_other_indexes(there)
    marker.unlink()
    return moved


def _begun(here: Settings, there: Settings) -> bool:
    """Whether this very move was begun before. Raises `Misconfigured` when another one was."""
    try:
        begun = json.loads((here.data_dir / _MARKER).read_text("utf-8"))
    except FileNotFoundError:
        return False
    if begun != addresses(there):
        raise Misconfigured(
            f"a move to {', '.join(filter(None, begun.values()))} was begun and not finished: finish it, or remove "
            f"{here.data_dir / _MARKER} and what it left there"
        )
    return True


def _refuse_occupied(here: Settings, there: Settings, number: int) -> None:
    """Before anything is written. Pictures that are there already are as good as new."""
    from backend.catalog.copying import refuse_occupied

    if catalog_url(there) != catalog_url(here):
        with _engine(there) as engine:
            refuse_occupied(engine)
    if not there.embedded and places_of(there).stored_space(number) is not None:
        raise Misconfigured(
            f"the Qdrant server has a collection {there.stores.qdrant_collection} already: name another with "
            "SHELFSIGHT_STORES__QDRANT_COLLECTION"
        )


def _pictures_of(engine: "Engine") -> Callable[[], Iterator[str]]:
    from backend.catalog.copying import picture_hashes

    return lambda: picture_hashes(engine)


@contextmanager
def _bytes(here: Settings, there: Settings) -> Iterator[Bytes | None]:
    if there.stores.blobs_url == here.stores.blobs_url:
        yield None
        return
    old, new = open_kept(here), open_kept(there)
    try:
        yield Bytes(old.blobs, old.files, new.blobs, new.files)
    finally:
        old.close()
        new.close()


@contextmanager
def _rows(source: "Engine", here: Settings, there: Settings, *, again: bool) -> Iterator[Rows | None]:
    from backend.catalog.copying import copy_rows, rows_by_table
    from backend.catalog.migrations import migrate as make_tables

    if catalog_url(there) == catalog_url(here):
        yield None
        return
    with _engine(there) as target:

        def move() -> None:
            make_tables(target)
            copy_rows(source, target, again=again)

        yield Rows(move, lambda: (rows_by_table(source), rows_by_table(target)))


def _new_index(there: Settings, number: int, index: VectorStore) -> VectorStore:
    places = places_of(there)
    places.remove(number)
    return places.open_or_create(number, index.space).vectors


def _forget_other_indexes(there: Settings) -> None:
    """The generation that serves is all that was moved."""
    from backend.catalog.copying import forget_other_indexes

    with _engine(there) as engine:
        forget_other_indexes(engine)


@contextmanager
def _engine(settings: Settings) -> "Iterator[Engine]":
    from backend.catalog.engine import open_engine

    engine = open_engine(catalog_url(settings), connections=2)
    try:
        yield engine
    finally:
        engine.dispose()
