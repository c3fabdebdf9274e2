"""`shelfsight ingest`: a file of products -> the public API -> a progress bar and what failed.

A CSV with local picture paths goes as ZIPs with the pictures in them; any other file goes as it is.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from backend.cli.client import Api
from backend.cli.packing import count_rows, parts
from backend.cli.watching import Watched
from backend.domain.importing import FileForm, ImportMode, ImportOptions
from backend.errors import PictureMissing, UnsupportedBody
from backend.manifests.reader import FileReader
from backend.manifests.template import PICTURES, Template

SHOWN_FAILURES = 50

_ZIP = "application/zip"
_CSV = "text/csv"
_TSV = "text/tab-separated-values"
_NDJSON = "application/x-ndjson"
_RSS = "application/rss+xml"
_CONTENT_TYPES = {
    ".csv": _CSV,
    ".tsv": _TSV,
    ".txt": _TSV,  # what Merchant Center calls a text file
    ".jsonl": _NDJSON,
    ".ndjson": _NDJSON,
    ".json": "application/json",
    ".xml": _RSS,
    ".rss": _RSS,
    ".zip": _ZIP,
}


@dataclass(slots=True)
class Outcome:
    """What became of a catalog."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def searchable(self) -> int:
        """How many rows are searchable."""
        return self.counts.get("searchable", 0)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file to be sent. `rows`: its rows' numbers in the catalog, None where they are its own.

    `refused`: rows of the catalog so far that could not be read here.
    """

    file: Path
    content_type: str
    rows: list[int] | None = None
    refused: tuple[dict[str, Any], ...] = ()


def ingest(
    api: Api,
    catalog: Path,
    console: Console,
    *,
    mode: ImportMode = ImportMode.REPLACE,
    columns: Mapping[str, str] | None = None,
) -> Outcome:
    """Send a catalog and wait until every row is searchable or has a reason.

    Raises `ApiError`, and before anything is sent an `errors.InvalidInput` of a CSV that cannot be read as a whole.
    """
    content_type = _content_type_of(catalog)
    options = ImportOptions(FileForm.CSV, mode, columns or {})
    packed = content_type == _CSV and needs_packing(catalog, options)
    outcome, started = Outcome(), time.monotonic()
    total = count_rows(catalog) if packed else None
    parcels = _packed(catalog, options) if packed else iter([Parcel(catalog, content_type)])
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        console=console,
    ) as progress:
        watched = Watched(api, progress, total, started)
        for parcel in parcels:
            accepted = _sent(api, parcel, options, watched)
            outcome.failures = list(parcel.refused)
            outcome.ignored_columns = accepted.get("ignored_columns", [])  # not told where its first answer was lost
            watched.jobs[accepted["job_id"]] = parcel.rows
            watched.persist(watched.look)
        while not watched.persist(watched.look):
            time.sleep(watched.pause)
    outcome.counts["failed"] = len(outcome.failures)
    for job_id, rows in watched.jobs.items():
        for state, count in watched.done[job_id].items():
            outcome.counts[state] = outcome.counts.get(state, 0) + count
        outcome.failures += _failures(api, watched, job_id, rows)
    outcome.failures.sort(key=lambda item: int(item["row"]))
    outcome.seconds = time.monotonic() - started
    return outcome


def report(outcome: Outcome, console: Console) -> None:
    """Say what became of a catalog: a line, and a table of the rows that failed."""
    rate = outcome.searchable / outcome.seconds if outcome.seconds else 0.0
    others = "".join(f", {count} {state}" for state, count in outcome.counts.items() if count and state != "searchable")
    console.print(
        f"[bold]{outcome.searchable} searchable[/bold]{others} in {outcome.seconds:.1f} s ({rate:.1f} products/s)"
    )
    if outcome.ignored_columns:
        console.print(f"ignored columns: {', '.join(outcome.ignored_columns)}", markup=False)
    if not outcome.failures:
        return
    table = Table("row", "line", "product", "code", "reason", title=f"{len(outcome.failures)} rows failed")
    for item in outcome.failures[:SHOWN_FAILURES]:
        words = (str(item.get(name) or "") for name in ("row", "line", "product_id", "code", "detail"))
        table.add_row(*(Text(word) for word in words))  # Text: what a file says is shown, never read as markup
    console.print(table)
    if len(outcome.failures) > SHOWN_FAILURES:
        console.print(f"and {len(outcome.failures) - SHOWN_FAILURES} more: GET /v1/jobs/<job>/items?state=failed")


def needs_packing(catalog: Path, options: ImportOptions) -> bool:
    """Whether a CSV names pictures that lie here: it is ours, brings pictures, and one is no address.

    Raises an `errors.InvalidInput` when the file cannot be read as a whole.
    """
    if options.mode is ImportMode.PATCH:
        return False
    reader = FileReader(max_picture_bytes=1, default_currency="EUR")
    try:
        with catalog.open("rb") as source, reader.open(source, "default", options) as manifest:
            return manifest.dialect == Template.name and any(
                picture.entry for row in manifest.rows() for picture in row.pictures
            )
    except OSError as err:
        raise PictureMissing(f"{catalog} cannot be read: {err.strerror}") from err


def _packed(catalog: Path, options: ImportOptions) -> Iterator[Parcel]:
    """One at a time: the next is packed when the one before has been sent and is gone."""
    for part in parts(catalog, {options.columns.get(name, name) for name in PICTURES}):
        yield Parcel(part.archive, _ZIP, part.rows, tuple(part.refused))
        part.archive.unlink()


def _sent(api: Api, parcel: Parcel, options: ImportOptions, watched: Watched) -> dict[str, Any]:
    """The server's 202. A request that timed out may have been accepted, so its repetition has the same key."""
    key = secrets.token_hex(16)

    def send() -> dict[str, Any]:
        found: dict[str, Any] = api.import_file(
            parcel.file, parcel.content_type, mode=options.mode, columns=options.columns, key=key
        )
        return found

    try:
        return watched.persist(send)
    except OSError as err:
        raise PictureMissing(f"{parcel.file} cannot be read: {err.strerror}") from err


def _content_type_of(catalog: Path) -> str:
    try:
        return _CONTENT_TYPES[catalog.suffix.lower()]
    except KeyError:
        raise UnsupportedBody(f"{catalog.name}: a file of products ends in {', '.join(_CONTENT_TYPES)}") from None


def _failures(api: Api, watched: Watched, job_id: str, rows: list[int] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = watched.persist(partial(api.get, f"/v1/jobs/{job_id}/items", state="failed", limit=1000, cursor=cursor))
        # a packed row has another line in its part than in the catalog, so only its number is told
        found += [
            item if rows is None else {**item, "row": rows[item["row"] - 1], "line": None} for item in page["items"]
        ]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
