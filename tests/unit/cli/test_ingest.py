"""A catalog on disk becomes ZIPs of bounded size or goes as it is, and what cannot be sent is said."""

import csv
import io
import json
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from backend.cli import packing, watching
from backend.cli.client import Api, ApiError
from backend.cli.ingest import Outcome, ingest
from backend.cli.main import app
from backend.cli.watching import Watched
from backend.domain.importing import ImportMode
from backend.errors import InvalidMapping, MissingColumn, PictureMissing, UnsupportedBody


def rows_of(archive: Path) -> list[list[str]]:
    with zipfile.ZipFile(archive) as opened:
        return list(csv.reader(io.StringIO(opened.read("products.csv").decode("utf-8", "surrogateescape"))))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(name.encode() * 200)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "catalog.csv"
    path.write_text(text, "utf-8")
    return path


def test_pictures_travel_with_their_rows(folder: Path) -> None:
    catalog = write(folder, "product_id,image\nA,a.jpg|b.jpg\nB,a.jpg\n")
    [part] = [(rows_of(part.archive), zipfile.ZipFile(part.archive).namelist()) for part in packing.parts(catalog)]
    rows, names = part
    first, second = rows[1][1].split("|")
    assert rows[2] == ["B", first]  # the same file is packed once
    assert sorted(names) == sorted(["products.csv", first, second])


def test_a_large_catalog_is_sent_in_parts_that_keep_their_row_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "PART_BYTES", 1_500)
    catalog = write(folder, "product_id,image\nA,a.jpg\nB,b.jpg\nC,c.jpg\n")
    assert [(part.rows, len(rows_of(part.archive)) - 1) for part in packing.parts(catalog)] == [([1, 2], 2), ([3], 1)]


def test_the_first_part_is_small_so_that_the_server_begins_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "FIRST_PART_BYTES", 1)
    monkeypatch.setattr(packing, "PART_GROWTH", 1_500)
    catalog = write(folder, "product_id,image\nA,a.jpg\nB,b.jpg\nC,c.jpg\n")
    assert [part.rows for part in packing.parts(catalog)] == [[1], [2, 3]]


def test_pictures_above_the_catalogs_folder_are_packed_under_safe_names(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    catalog = write(inner, f"product_id,image\nA,../a.jpg\nB,{folder / 'b.jpg'}\n")
    for part in packing.parts(catalog):
        with zipfile.ZipFile(part.archive) as opened:
            assert all(not name.startswith("/") and ".." not in name for name in opened.namelist())
            assert len(opened.namelist()) == 3


def test_a_missing_picture_keeps_its_name_for_the_ledger(folder: Path) -> None:
    catalog = write(folder, "product_id,image\nA,gone.jpg\n")
    [rows] = [rows_of(part.archive) for part in packing.parts(catalog)]
    assert rows[1] == ["A", "gone.jpg"]


def test_a_row_that_cannot_be_read_is_refused_here_and_the_rest_is_sent(folder: Path) -> None:
    catalog = write(folder, 'product_id,title,image\nA,ok,a.jpg\nB,"bad"x,b.jpg\nC,ok,c.jpg\n')
    [(rows, refused)] = [(part.rows, part.refused) for part in packing.parts(catalog)]
    assert rows == [1, 3]
    assert [(item["row"], item["code"]) for item in refused] == [(2, "csv_invalid")]


def test_an_empty_catalog_is_one_empty_part(folder: Path) -> None:
    assert [part.rows for part in packing.parts(write(folder, "product_id,image\n"))] == [[]]


def test_a_catalog_that_is_none_is_refused_with_its_columns(folder: Path) -> None:
    with pytest.raises(MissingColumn, match="its header has: name"):
        list(packing.parts(write(folder, "name\nA\n")))
    with pytest.raises(PictureMissing):
        list(packing.parts(folder / "nowhere.csv"))


def test_a_mapped_column_of_pictures_is_packed_too(folder: Path) -> None:
    catalog = write(folder, "sku,photo\nA,a.jpg\n")
    [rows] = [rows_of(part.archive) for part in packing.parts(catalog, {"photo"})]
    assert rows[1][1].startswith("pictures/")


# --- over HTTP --------------------------------------------------------------------------------------------------------


class Server:
    """Stands for a server: keeps what was sent to it, and has each import done after a look or two.

    `refusals`: what it first says instead, by method: a status, or None for a connection that breaks. `asked`: every
    request's method and time. `keys`: the Idempotency-Key of each file that came.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[tuple[str, str]], bytes]] = []
        self.refusals: dict[str, list[int | None]] = {"GET": [], "POST": []}
        self.retry_after = "0"
        self.asked: list[tuple[str, float]] = []
        self.keys: list[str | None] = []
        self.told: dict[str, Any] = {"ignored_columns": ["x"]}
        self.items: list[dict[str, Any]] = []
        self.job: dict[str, Any] = {"code": None, "detail": None, "total": 2, "counts": {"searchable": 2, "failed": 0}}
        self.eta: float | None = 9.0
        self.looks = 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.keys.append(self.headers["Idempotency-Key"])
                if self.refused():
                    return
                server.sent.append((self.headers["Content-Type"], parse_qsl(urlsplit(self.path).query), body))
                self.answer({"job_id": f"job-{len(server.sent)}", **server.told})

            def do_GET(self) -> None:
                if self.refused():
                    return None
                if urlsplit(self.path).path.endswith("/items"):
                    return self.answer({"items": server.items, "next_cursor": None})
                server.looks += 1
                pace = {"rate": 4.0, "eta_seconds": server.eta}
                reading = {"done": False, "total": None, "counts": {"pending": 2}, **pace}
                return self.answer(server.job | (reading if server.looks == 1 else {"done": True}))

            def refused(self) -> bool:
                refusal = server.refusal(self.command)
                for status in filter(None, refusal):
                    problem = {"code": "too_many_imports", "detail": "16 are unread", "mend": "Wait."}
                    self.answer(problem, status, "application/problem+json")
                return bool(refusal)

            def answer(self, value: object, status: int = 200, content_type: str = "application/json") -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Retry-After", server.retry_after)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def refusal(self, method: str) -> list[int | None]:
        self.asked.append((method, time.monotonic()))
        refusal, self.refusals[method] = self.refusals[method][:1], self.refusals[method][1:]
        return refusal

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def take(self, catalog: Path, console: Console | None = None, **given: Any) -> Outcome:
        with Api(self.url, key=None, merchant="shop") as api:
            return ingest(api, catalog, console or Console(quiet=True), **given)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.mark.parametrize(
    ("name", "text", "content_type"),
    [
        ("a.csv", "product_id,image\nA,https://a/b.jpg\n", "text/csv"),
        ("a.CSV", "Handle,Title,Image Src\na,A,b.jpg\n", "text/csv"),
        ("a.tsv", "product_id\timage\n", "text/tab-separated-values"),
        ("a.txt", "id\ttitle\timage link\n", "text/tab-separated-values"),
        ("a.jsonl", "{}", "application/x-ndjson"),
        ("a.ndjson", "{}", "application/x-ndjson"),
        ("a.json", "[]", "application/json"),
        ("a.xml", "<rss/>", "application/rss+xml"),
        ("a.rss", "<rss/>", "application/rss+xml"),
        ("a.zip", "PK", "application/zip"),
    ],
)
def test_a_file_without_local_pictures_is_sent_as_it_is(
    server: Server, tmp_path: Path, name: str, text: str, content_type: str
) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    server.items = [{"row": 1, "line": 7, "product_id": "A", "code": "c", "detail": "d"}]
    outcome = server.take(path)
    assert server.sent == [(content_type, [("mode", "replace")], text.encode())]
    assert (outcome.searchable, outcome.ignored_columns, outcome.failures) == (2, ["x"], server.items)


def test_a_csv_with_local_pictures_is_sent_as_a_zip_and_keeps_its_row_numbers(server: Server, folder: Path) -> None:
    catalog = write(folder, 'product_id,image\nA,a.jpg\nB,"bad"x\nC,https://a/b.jpg\n')
    server.items = [{"row": 2, "line": 3, "product_id": "C", "code": "c", "detail": "d"}]
    outcome = server.take(catalog)
    [(content_type, _, body)] = server.sent
    assert content_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == ["pictures/0000000-a.jpg", "products.csv"]
    assert [(item["row"], item["code"]) for item in outcome.failures] == [(2, "csv_invalid"), (3, "c")]


def test_mode_and_mapping_travel_in_the_query(server: Server, folder: Path) -> None:
    catalog = write(folder, "sku,the=name,photo\nA,Dress,a.jpg\n")
    columns = {"product_id": "sku", "title": "the=name", "image": "photo"}
    server.take(catalog, mode=ImportMode.PATCH, columns=columns)
    server.take(catalog, columns=columns)
    maps = [("map", "product_id=sku"), ("map", "title=the=name"), ("map", "image=photo")]
    assert [(sent[0], sent[1]) for sent in server.sent] == [
        ("text/csv", [("mode", "patch"), *maps]),
        ("application/zip", [("mode", "replace"), *maps]),
    ]


def test_progress_says_the_rate_and_what_is_left(server: Server) -> None:
    progress = Progress(disable=True)
    with Api(server.url, key=None, merchant="shop") as api:
        watched = Watched(api, progress, None, 0.0)
        watched.jobs["job-1"] = None
        assert not watched.look()
        assert progress.tasks[0].fields["pace"] == "4.0/s, 9 s left"
        totals = [progress.tasks[0].total]  # only the job knows it, once it is read
        assert watched.look()
        totals.append(progress.tasks[0].total)
        assert totals == [None, 2]
        assert progress.tasks[0].completed == 2


@pytest.mark.parametrize(("left", "pause"), [(None, 0.25), (1, 0.25), (8, 0.4), (20, 1.0), (3600, 1.0)])
def test_jobs_are_asked_less_often_while_much_is_left(server: Server, left: float | None, pause: float) -> None:
    server.eta = left
    with Api(server.url, key=None, merchant="shop") as api:
        watched = Watched(api, Progress(disable=True), None, 0.0)
        watched.jobs["job-1"] = None
        assert not watched.look()
    assert watched.pause == pause


def test_an_import_that_cannot_be_read_on_says_why(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[")
    server.job |= {"code": "json_row_invalid", "detail": "the array breaks off after element 0"}
    with pytest.raises(ApiError, match="breaks off"):
        server.take(path)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.02)


@pytest.mark.usefixtures("short_waits")
def test_more_parts_than_imports_may_be_unread_are_sent_as_the_server_takes_them(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "PART_BYTES", 1)
    catalog = write(folder, "product_id,image\nA,a.jpg\nB,b.jpg\nC,c.jpg\n")
    server.refusals["POST"] = [429, 503, None]
    outcome = server.take(catalog)
    assert (len(server.sent), outcome.searchable) == (3, 6)
    first, second, third, *others = server.keys
    assert first == second == third == others[0]  # one part, whatever became of its first tries
    assert len({first, *others}) == 3


@pytest.mark.usefixtures("short_waits")
def test_the_server_is_asked_again_when_it_said_and_its_jobs_are_followed_meanwhile(
    server: Server, folder: Path
) -> None:
    catalog = write(folder, "product_id,image\n")
    server.refusals["POST"], server.retry_after = [429], "1"
    with Api(server.url, key=None, merchant="shop") as api:
        watched = Watched(api, Progress(disable=True), None, 0.0)
        watched.jobs |= {f"job-{number}": None for number in range(100)}
        watched.persist(lambda: api.import_file(catalog, "text/csv", mode="replace", columns={}, key="k"))
        assert watched.done
    posts = [at for method, at in server.asked if method == "POST"]
    assert posts[1] - posts[0] >= 1
    assert any(posts[0] < at < posts[1] for method, at in server.asked if method == "GET")


@pytest.mark.usefixtures("short_waits")
def test_a_server_that_is_away_for_a_moment_ends_nothing(server: Server, folder: Path) -> None:
    server.refusals = {"POST": [None], "GET": [503, None, 503]}
    server.told = {}  # what a repetition is told whose first answer was lost
    outcome = server.take(write(folder, "product_id,image\nA,https://a/b.jpg\n"))
    assert (outcome.searchable, outcome.ignored_columns) == (2, [])


@pytest.mark.usefixtures("short_waits")
def test_patience_ends_when_no_row_moves(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", 0.1)
    server.refusals["POST"] = [429] * 10_000
    with pytest.raises(ApiError, match="too_many_imports"):
        server.take(write(folder, "product_id,image\nA,https://a/b.jpg\n"))


def test_what_is_refused_for_good_is_not_sent_again(server: Server, folder: Path) -> None:
    server.refusals["POST"] = [422]
    with pytest.raises(ApiError):
        server.take(write(folder, "product_id,image\nA,https://a/b.jpg\n"))
    assert len(server.keys) == 1


def test_what_cannot_be_sent_is_refused_before_anything_is(server: Server, folder: Path) -> None:
    with pytest.raises(MissingColumn):
        server.take(write(folder, "name\nA\n"))
    with pytest.raises(InvalidMapping):
        server.take(write(folder, "product_id,image\n"), columns={"title": "gone"})
    for name in ("gone.csv", "gone.json"):
        with pytest.raises(PictureMissing, match="cannot be read"):
            server.take(folder / name)
    with pytest.raises(UnsupportedBody, match=r"a\.jpg"):
        server.take(folder / "a.jpg")
    assert server.sent == []


def test_the_command_reads_mappings_and_refuses_what_is_none(server: Server, folder: Path) -> None:
    catalog = write(folder, "product_id,image,name\nA,https://a/b.jpg,Dress\n")
    runner = CliRunner(env={"SHELFSIGHT_DATA_DIR": str(folder / "data")})
    done = runner.invoke(app, ["ingest", str(catalog), "--map", "title=name", "--mode", "patch", "--url", server.url])
    assert done.exit_code == 0, done.output
    assert [sent[1] for sent in server.sent] == [[("mode", "patch"), ("map", "title=name")]]
    wrong = runner.invoke(app, ["ingest", str(catalog), "--map", "title", "--url", server.url])
    assert wrong.exit_code == 2
    assert "field=column" in wrong.output
