"""Files of products: their forms, their columns, their limits; and what is asked before any body is read."""

import io
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import pytest

from backend.api.app import create_app
from backend.domain.importing import FileForm, ImportMode, ImportOptions
from backend.domain.job import JobKind
from backend.domain.work import Receipt
from backend.settings import Settings
from backend.usecases.open_import import OpenedImport
from tests import factories
from tests.house import House

CSV = b"product_id,image,made_up\nA,https://shop.example/a.jpg,x\n"


@dataclass
class Recorder:
    """Notes what the door hands over."""

    options: ImportOptions = field(default_factory=ImportOptions)
    content: bytes = b""

    def __call__(
        self, merchant: str, source: IO[bytes], options: ImportOptions, receipt: Receipt | None = None
    ) -> OpenedImport:
        self.options, self.content = options, source.read()
        return OpenedImport("job-1", "shelfsight", ("made_up",))


class Body(io.BytesIO):
    """A body that notes whether anybody read it."""

    was_read = False

    def read(self, size: int | None = -1) -> bytes:
        self.was_read = True
        return super().read(size)


def settings_with(**limits: int) -> Settings:
    plain = Settings()
    return plain.model_copy(update={"limits": plain.limits.model_copy(update=limits)})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def client(recorder: Recorder) -> Any:
    house = House()
    services = replace(house.services, open_import=recorder)  # type: ignore[arg-type]
    return create_app(services, house.settings, key=None).test_client()


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/zip", FileForm.ZIP),
        ("text/csv", FileForm.CSV),
        ("text/csv; charset=utf-8", FileForm.CSV),
        ("text/tab-separated-values", FileForm.TSV),
        ("application/x-ndjson", FileForm.JSON_LINES),
        ("application/jsonl", FileForm.JSON_LINES),
        ("application/json", FileForm.JSON),
        ("application/rss+xml", FileForm.RSS),
        ("text/xml", FileForm.RSS),
        ("application/xml", FileForm.RSS),
    ],
)
def test_the_content_type_tells_the_form(client: Any, recorder: Recorder, content_type: str, form: FileForm) -> None:
    answer = client.post("/v1/imports", data=b"content", content_type=content_type)
    assert (answer.status_code, answer.headers["Location"]) == (202, "/v1/jobs/job-1")
    assert answer.json == {"job_id": "job-1", "dialect": "shelfsight", "ignored_columns": ["made_up"]}
    assert (recorder.options, recorder.content) == (ImportOptions(form), b"content")


@pytest.mark.parametrize(
    ("name", "content_type", "form"),
    [
        ("a.zip", "application/octet-stream", FileForm.ZIP),
        ("A.CSV", "application/vnd.ms-excel", FileForm.CSV),
        ("a.tsv", "", FileForm.TSV),
        ("a.ndjson", "application/octet-stream", FileForm.JSON_LINES),
        ("a.jsonl", "application/octet-stream", FileForm.JSON_LINES),
        ("a.xml", "application/octet-stream", FileForm.RSS),
        ("export.dat", "text/csv", FileForm.CSV),
    ],
)
def test_a_forms_file_is_known_by_its_type_or_its_ending(
    client: Any, recorder: Recorder, name: str, content_type: str, form: FileForm
) -> None:
    answer = client.post("/v1/imports", data={"file": (io.BytesIO(b"content"), name, content_type)})
    assert (answer.status_code, recorder.options.form, recorder.content) == (202, form, b"content")


def test_the_caller_may_say_the_form_the_mode_and_the_columns(client: Any, recorder: Recorder) -> None:
    path = "/v1/imports?form=csv&mode=patch&map=product_id=sku&map=title=name=x"
    assert client.post(path, data=b"x", content_type="text/plain").status_code == 202
    assert recorder.options == ImportOptions(FileForm.CSV, ImportMode.PATCH, {"product_id": "sku", "title": "name=x"})


@pytest.mark.parametrize("query", ["map=title", "map==name", "map=title=", "map=title=a&map=title=b"])
def test_a_malformed_mapping_is_refused(client: Any, query: str) -> None:
    answer = client.post(f"/v1/imports?{query}", data=CSV, content_type="text/csv")
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (422, "mapping_invalid")


@pytest.mark.parametrize("query", ["mode=merge", "form=xlsx", "made_up=1"])
def test_an_unknown_option_is_refused(client: Any, query: str) -> None:
    assert client.post(f"/v1/imports?{query}", data=CSV, content_type="text/csv").status_code == 400


def test_a_file_nobody_can_tell_the_form_of_is_415(client: Any) -> None:
    form = client.post("/v1/imports", data={"file": (io.BytesIO(CSV), "products.xlsx")})
    raw = client.post("/v1/imports", data=CSV, content_type="text/plain")
    assert (form.status_code, raw.status_code) == (415, 415)


def test_a_file_that_is_empty_is_refused(client: Any) -> None:
    answer = client.post("/v1/imports", data=b"", content_type="text/csv", headers={"Content-Length": "0"})
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (400, "body_missing")


@pytest.mark.parametrize("as_form", [False, True])
def test_a_file_over_the_limit_is_413(recorder: Recorder, as_form: bool) -> None:
    settings = settings_with(max_import_bytes=1_000)
    services = replace(House(settings=settings).services, open_import=recorder)  # type: ignore[arg-type]
    client: Any = create_app(services, settings, key=None).test_client()
    data = b"x" * 2_000
    body = {"data": {"file": (io.BytesIO(data), "a.csv")}} if as_form else {"data": data, "content_type": "text/csv"}
    answer = client.post("/v1/imports", **body)
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (413, "body_too_large")


def test_a_chunked_file_over_the_limit_is_413_too(recorder: Recorder) -> None:
    settings = settings_with(max_import_bytes=1_000)
    services = replace(House(settings=settings).services, open_import=recorder)  # type: ignore[arg-type]
    client: Any = create_app(services, settings, key=None).test_client()
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    answer = client.post(
        "/v1/imports", input_stream=io.BytesIO(b"x" * 2_000), content_type="text/csv", environ_overrides=environ
    )
    assert answer.status_code == 413


def test_a_table_of_addresses_goes_all_the_way() -> None:
    house = House()
    client: Any = create_app(house.services, house.settings, key=None).test_client()
    answer = client.post("/v1/imports", data=CSV, content_type="text/csv")
    assert (answer.json["dialect"], answer.json["ignored_columns"]) == ("shelfsight", ["made_up"])
    house.work()
    assert client.get(answer.headers["Location"]).json["total"] == 1
    assert client.get("/v1/products/A").json["images"][0]["source_url"] == "https://shop.example/a.jpg"


def test_a_full_queue_is_429_with_retry_after_before_the_body_is_read() -> None:
    house = House(settings=settings_with(queue_per_merchant=1))
    client: Any = create_app(house.services, house.settings, key=None).test_client()
    house.catalog.accept([factories.change("p0", merchant="default")], JobKind.UPLOAD)
    for method, path, content_type in (
        ("PUT", "/v1/products/p1", "application/json"),
        ("POST", "/v1/imports", "text/csv"),
    ):
        body = Body(CSV)
        answer = client.open(path, method=method, input_stream=body, content_type=content_type)
        assert (answer.status_code, answer.get_json(force=True)["code"]) == (429, "queue_full"), path
        assert int(answer.headers["Retry-After"]) > 0
        assert not body.was_read


def test_too_many_unread_imports_are_429_and_other_merchants_go_on() -> None:
    house = House(settings=settings_with(open_imports=1))
    client: Any = create_app(house.services, house.settings, key=None).test_client()
    assert client.post("/v1/imports", data=CSV, content_type="text/csv").status_code == 202
    refused = client.post("/v1/imports", data=CSV, content_type="text/csv")
    assert (refused.status_code, refused.get_json(force=True)["code"]) == (429, "too_many_imports")
    other = client.post("/v1/imports", data=CSV, content_type="text/csv", headers={"X-Shelfsight-Merchant": "other"})
    assert other.status_code == 202


def form_of(name: str) -> dict[str, object]:
    """A form whose one file is too large for memory; the test client would leave a file of its own open."""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.csv"\r\n\r\n'
    return {"data": head.encode() + bytes(600_000) + b"\r\n--b--", "content_type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/imports", {"data": CSV, "content_type": "text/csv"}),
        ("POST", "/v1/imports", {"data": CSV * 50_000, "content_type": "text/csv"}),
        ("POST", "/v1/imports", form_of("file")),
        ("PUT", "/v1/products/p1", form_of("images")),
    ],
    ids=["a small file", "a large file", "a form with a file", "a form with a picture"],
)
def test_a_full_disk_is_said_and_the_request_can_be_sent_again(
    client: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, object]
) -> None:
    files: list[IO[bytes]] = []

    def on_a_full_disk(*_: object, **__: object) -> IO[bytes]:
        files.append(Path("/dev/full").open("w+b"))  # noqa: SIM115 - closed by whom it is made for
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", on_a_full_disk)
    answer = client.open(path, method=method, **body)
    for file in files:
        with suppress(OSError):  # what is still in its buffer has no room either
            file.close()
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (503, "blobs_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
