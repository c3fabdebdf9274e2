"""`shelfsight migrate`: from one machine to servers."""

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from backend.cli.told import told
from backend.settings import load_settings

console = Console()

EXIT_LOST = 1  # as `doctor`: the command did its work and found something wrong


def migrate(
    to: Annotated[
        list[str],
        typer.Option(
            help="Where a part goes: postgresql://… the catalog, http(s)://… the index (Qdrant), s3://… the pictures. "
            "Repeat for several; what is not named stays."
        ),
    ],
) -> None:
    """Move an embedded installation to servers without embedding anything again. The server is stopped; what is moved
    stays where it was.
    """
    from backend.cli.supervisor import hold
    from backend.migrating import migrate as move
    from backend.migrating import settings_there

    begun = time.monotonic()
    with told(), console.status("moving") as status:
        here = load_settings()
        there = settings_there(here, to)
        with hold(here.data_dir):
            moved = move(here, there, lambda doing: status.update(Text(doing)))
    if moved.pictures is not None:
        _line("pictures", f"{moved.pictures} are in {there.stores.blobs_url}")
    if moved.rows is not None:
        _line("catalog", ", ".join(f"{number} {table}" for table, number in moved.rows.items() if number))
    if moved.compared is not None:
        _line("index", f"{moved.points} pictures, none of them embedded again")
        _line("answers", f"{moved.compared.same} of {moved.compared.asked} searches give the same products in order")
    _line("took", f"{time.monotonic() - begun:.1f} s")
    for name, value in (
        ("CATALOG_URL", there.stores.catalog_url),
        ("QDRANT_URL", there.stores.qdrant_url),
        ("BLOBS_URL", there.stores.blobs_url),
    ):
        if value in to:
            _line("set", f"SHELFSIGHT_STORES__{name} to the address given")
    if not there.embedded and there.stores.broker_url is None:
        _line("set", "SHELFSIGHT_STORES__BROKER_URL to a Redis or Valkey all processes share; nothing is moved to it")
    _line("keep", f"{here.data_dir} until the new installation has proved itself; do not start it any more")
    if moved.lost:
        _line("lost", f"{moved.lost} pictures were missing or damaged before, and are missing there")
        raise typer.Exit(EXIT_LOST)


def _line(name: str, text: str) -> None:
    console.print(Text(f"{name:<9} {text}"), soft_wrap=True)
