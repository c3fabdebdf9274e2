"""`shelfsight ingest`: a CSV with local picture paths -> ZIPs over the public API -> a progress bar and what failed."""

import csv
import io
import itertools
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from backend.cli.client import Api
from backend.errors import InvalidCsv, MissingColumn, PictureMissing
from backend.manifests.table import PICTURE_SEPARATOR, PICTURES

if TYPE_CHECKING:
    from _csv import Reader

PART_BYTES = 256_000_000  # pictures per ZIP: bounds the disk used for the moment and what a broken connection costs
POLL_SECONDS = 0.25
SHOWN_FAILURES = 50


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


def ingest(api: Api, catalog: Path, console: Console) -> Outcome:
    """Send a catalog and wait until every row is searchable or has a reason. Raises `MissingColumn`, `ApiError`."""
    outcome, started = Outcome(), time.monotonic()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("reading", total=_count_rows(catalog), rate="")
        jobs: dict[str, list[int]] = {}
        done: dict[str, dict[str, int]] = {}
        for part in parts(catalog):
            outcome.failures = part.refused
            accepted = api.import_zip(part.archive)
            part.archive.unlink()
            jobs[accepted["job_id"]] = part.rows
            outcome.ignored_columns = accepted["ignored_columns"]
            _show(progress, task, api, jobs, done, started)
        while not _show(progress, task, api, jobs, done, started):
            time.sleep(POLL_SECONDS)
    outcome.counts["failed"] = len(outcome.failures)
    for job_id, rows in jobs.items():
        for state, count in done[job_id].items():
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
    table = Table("row", "product", "code", "reason", title=f"{len(outcome.failures)} rows failed")
    for item in outcome.failures[:SHOWN_FAILURES]:
        words = (str(item[name] or "") for name in ("row", "product_id", "code", "detail"))
        table.add_row(*(Text(word) for word in words))  # Text: what a file says is shown, never read as markup
    console.print(table)
    if len(outcome.failures) > SHOWN_FAILURES:
        console.print(f"and {len(outcome.failures) - SHOWN_FAILURES} more: GET /v1/jobs/<job>/items?state=failed")


@dataclass(frozen=True, slots=True)
class Part:
    """A ZIP of some rows. `rows`: their numbers in the catalog; `refused`: rows so far that could not be read."""

    archive: Path
    rows: list[int]
    refused: list[dict[str, Any]]


def parts(catalog: Path) -> Iterator[Part]:
    """The catalog as ZIPs of bounded size, in a folder that goes with the last of them. Raises `MissingColumn`."""
    with tempfile.TemporaryDirectory(prefix="shelfsight-ingest-") as folder, _open(catalog) as text:
        reader = csv.reader(text, strict=True)
        header = _header(catalog, reader)
        refused: list[dict[str, Any]] = []
        rows = _rows(reader, refused)
        row = next(rows, None)
        for number in itertools.count():
            archive, sent = Path(folder) / f"part-{number}.zip", []
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:  # pictures are compressed already
                manifest = io.StringIO()
                writer = csv.writer(manifest)
                writer.writerow(header)
                packed = _Packed(target, catalog.parent)
                while row is not None and packed.bytes < PART_BYTES:
                    sent.append(row[0])
                    writer.writerow(packed.row(header, row[1]))
                    row = next(rows, None)
                target.writestr("products.csv", manifest.getvalue().encode("utf-8", "surrogateescape"))
            yield Part(archive, sent, refused)
            if row is None:
                return


def _header(catalog: Path, reader: "Reader") -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as err:
        raise InvalidCsv(f"{catalog}: the header cannot be read: {err}") from err
    if "product_id" not in header or not any(name in header for name in PICTURES):
        raise MissingColumn(f"{catalog} needs the columns product_id and image; its header has: {', '.join(header)}")
    return header


def _rows(reader: "Reader", refused: list[dict[str, Any]]) -> Iterator[tuple[int, list[str]]]:
    """Rows with their numbers; what cannot be read goes to `refused` and the reading goes on."""
    for number in itertools.count(1):
        try:
            cells = next(row for row in reader if row)
        except StopIteration:
            return
        except csv.Error as err:
            reason = f"line {reader.line_num}: {err}"
            refused.append({"row": number, "product_id": None, "code": InvalidCsv.code, "detail": reason})
        else:
            yield number, cells


class _Packed:
    """Puts the pictures a row names into the ZIP, each file once, under names that are safe in any ZIP."""

    def __init__(self, target: zipfile.ZipFile, folder: Path) -> None:
        self.bytes = 0
        self._target = target
        self._folder = folder
        self._names: dict[str, str] = {}

    def row(self, header: list[str], cells: list[str]) -> list[str]:
        """The row with its pictures' names in the ZIP; what is not there keeps its name and fails by it."""
        return [
            PICTURE_SEPARATOR.join(self._pack(name.strip()) for name in cell.split(PICTURE_SEPARATOR) if name.strip())
            if index < len(header) and header[index] in PICTURES
            else cell
            for index, cell in enumerate(cells)
        ]

    def _pack(self, name: str) -> str:
        if name not in self._names:
            path = self._folder / name
            inside = f"pictures/{len(self._names):07d}-{re.sub(r'[^A-Za-z0-9._-]', '_', path.name)[-60:]}"
            try:
                self._target.write(path, inside)
                self.bytes += path.stat().st_size
            except (OSError, ValueError):
                inside = name
            self._names[name] = inside
        return self._names[name]


def _show(
    progress: Progress,
    task: Any,
    api: Api,
    jobs: dict[str, list[int]],
    done: dict[str, dict[str, int]],
    started: float,
) -> bool:
    """Bring the bar up to date; whether every job is done. A finished job is not asked again."""
    finished = True
    for job_id in jobs:
        if job_id in done:
            continue
        job = api.get(f"/v1/jobs/{job_id}")
        if job["code"]:
            raise InvalidCsv(f"the import stopped: {job['code']}: {job['detail']}")
        if job["done"]:
            done[job_id] = job["counts"]
        else:
            finished = False
            settled = sum(count for state, count in job["counts"].items() if state != "pending")
            progress.update(task, description="indexing", completed=_settled(done) + settled)
    total = _settled(done)
    if finished:
        progress.update(task, completed=total)
    completed = progress.tasks[0].completed
    progress.update(task, rate=f"{completed / max(time.monotonic() - started, 1e-3):.1f}/s")
    return finished


def _settled(done: dict[str, dict[str, int]]) -> int:
    return sum(count for counts in done.values() for state, count in counts.items() if state != "pending")


def _failures(api: Api, job_id: str, rows: list[int]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = api.get(f"/v1/jobs/{job_id}/items", state="failed", limit=1000, cursor=cursor)
        found += [{**item, "row": rows[item["row"] - 1]} for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _count_rows(catalog: Path) -> int:
    with _open(catalog) as text:
        return max(sum(1 for row in csv.reader(text) if row) - 1, 0)


def _open(catalog: Path) -> io.TextIOWrapper:
    try:
        return catalog.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as err:
        raise PictureMissing(f"{catalog} cannot be read: {err.strerror}") from err
