"""`shelfsight ingest`: a file of products -> the public API -> a progress bar and what failed.

A CSV with local picture paths goes as ZIPs with the pictures in them; any other file goes as it is.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from backend.cli.client import Api, ApiError
from backend.cli.packing import count_rows, parts
from backend.domain.importing import FileForm, ImportMode, ImportOptions
from backend.errors import PictureMissing, UnsupportedBody
from backend.manifests.reader import FileReader
from backend.manifests.template import PICTURES, Template

POLL_SECONDS = 0.25
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
class Sent:
    """A file that was accepted. `rows`: its rows' numbers in the catalog, None where they are its own.

    `refused`: rows of the catalog so far that could not be read here.
    """

    job_id: str
    ignored_columns: list[str]
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
    sending = _send_packed(api, catalog, options) if packed else _send_whole(api, catalog, content_type, options)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        console=console,
    ) as progress:
        watched = Watched(api, progress, total, started)
        for sent in sending:
            outcome.failures = list(sent.refused)
            outcome.ignored_columns = sent.ignored_columns
            watched.jobs[sent.job_id] = sent.rows
            watched.look()
        while not watched.look():
            time.sleep(POLL_SECONDS)
    outcome.counts["failed"] = len(outcome.failures)
    for job_id, rows in watched.jobs.items():
        for state, count in watched.done[job_id].items():
            outcome.counts[state] = outcome.counts.get(state, 0) + count
        outcome.failures += _failures(api, job_id, rows)
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


class Watched:
    """The jobs of a catalog and the bar that shows them. A finished job is not asked again."""

    def __init__(self, api: Api, progress: Progress, total: int | None, started: float) -> None:
        """`total`: rows of the catalog, None where only the server will know."""
        self.jobs: dict[str, list[int] | None] = {}
        self.done: dict[str, dict[str, int]] = {}
        self._api = api
        self._progress = progress
        self._total = total
        self._started = started
        self._task = progress.add_task("reading", total=total, pace="")

    def look(self) -> bool:
        """Bring the bar up to date; whether every job is done. Raises `ApiError` when one could not be read on."""
        settled = 0
        last: dict[str, Any] = {}
        for job_id in self.jobs:
            if job_id not in self.done:
                last = self._api.get(f"/v1/jobs/{job_id}")
                if last["code"]:
                    raise ApiError({"code": last["code"], "detail": f"the import stopped: {last['detail']}"})
                if last["done"]:
                    self.done[job_id] = last["counts"]
                else:
                    settled += _settled(last["counts"])
        settled += sum(_settled(counts) for counts in self.done.values())
        total = self._total if self._total is not None else last.get("total")
        self._progress.update(
            self._task, description="indexing", completed=settled, total=total, pace=self._pace(settled, total, last)
        )
        return len(self.done) == len(self.jobs)

    def _pace(self, settled: int, total: int | None, job: Mapping[str, Any]) -> str:
        """The rate, and when the rest will be there: by the job where it says so, else by the clock."""
        rate = job.get("rate") or settled / max(time.monotonic() - self._started, 1e-3)
        left = (total - settled) / rate if total and rate else job.get("eta_seconds")
        return f"{rate:.1f}/s" + (f", {left:.0f} s left" if left else "")


def _settled(counts: Mapping[str, int]) -> int:
    return sum(count for state, count in counts.items() if state != "pending")


def _send_packed(api: Api, catalog: Path, options: ImportOptions) -> Iterator[Sent]:
    for part in parts(catalog, {options.columns.get(name, name) for name in PICTURES}):
        accepted = api.import_file(part.archive, _ZIP, mode=options.mode, columns=options.columns)
        part.archive.unlink()
        yield Sent(accepted["job_id"], accepted["ignored_columns"], part.rows, tuple(part.refused))


def _send_whole(api: Api, catalog: Path, content_type: str, options: ImportOptions) -> Iterator[Sent]:
    try:
        accepted = api.import_file(catalog, content_type, mode=options.mode, columns=options.columns)
    except OSError as err:
        raise PictureMissing(f"{catalog} cannot be read: {err.strerror}") from err
    yield Sent(accepted["job_id"], accepted["ignored_columns"])


def _content_type_of(catalog: Path) -> str:
    try:
        return _CONTENT_TYPES[catalog.suffix.lower()]
    except KeyError:
        raise UnsupportedBody(f"{catalog.name}: a file of products ends in {', '.join(_CONTENT_TYPES)}") from None


def _failures(api: Api, job_id: str, rows: list[int] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = api.get(f"/v1/jobs/{job_id}/items", state="failed", limit=1000, cursor=cursor)
        # a packed row has another line in its part than in the catalog, so only its number is told
        found += [
            item if rows is None else {**item, "row": rows[item["row"] - 1], "line": None} for item in page["items"]
        ]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
