"""Reading on in an import: what breaks off, what never ends, what is large, and whose turn it is."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Self

import pytest

from backend.domain.importing import FileForm, ImportOptions, Row
from backend.domain.job import ItemState, JobKind
from backend.manifests.reader import FileReader
from backend.ports import Manifest
from backend.settings import LimitSettings, Settings
from backend.usecases import read_rows
from backend.usecases.import_products import ImportProducts
from tests import pictures
from tests.factories import change
from tests.house import House

PICTURE = pictures.encode(pictures.photo(64, 64), "JPEG")
LINES = ImportOptions(FileForm.JSON_LINES)
ARRAY = ImportOptions(FileForm.JSON)


def products(count: int, **more: object) -> list[str]:
    """Products as JSON, one a line."""
    images = [{"data": base64.b64encode(PICTURE).decode()}]
    return [json.dumps({"product_id": f"P{n:04d}", "images": images, **more}) for n in range(count)]


def opened(house: House, text: str, options: ImportOptions = LINES, merchant: str = "shop") -> str:
    house.clock.advance(1)
    return house.services.open_import(merchant, io.BytesIO(text.encode()), options).job_id


def by_the_clock(house: House, **changes: object) -> ImportProducts:
    """The use case, its turns and leases by the house's clock."""
    now = lambda: house.clock().timestamp()  # noqa: E731
    return replace(house.services.import_products, monotonic=now, **changes)  # type: ignore[arg-type]


def steps_of(house: House) -> list[int]:
    """How many rows each step has, filled as they are recorded."""
    record, steps = house.catalog.record_import, []

    def counted(step, *, lease_seconds):  # type: ignore[no-untyped-def]
        steps.append(len(step.changes) + len(step.refused))
        record(step, lease_seconds=lease_seconds)

    house.catalog.record_import = counted  # type: ignore[method-assign]
    return steps


class Watched(io.BytesIO):
    """A file that notes whether it is open."""

    def __init__(self, content: bytes, opened: list[io.BytesIO], before_read: Callable[[], object]) -> None:
        super().__init__(content)
        self._before_read = before_read
        opened.append(self)

    def read(self, size: int | None = -1) -> bytes:
        self._before_read()
        return super().read(size)


def watch_files(house: House, before_read: Callable[[], object] = lambda: None) -> list[io.BytesIO]:
    """Every file of an import that is opened from now on."""
    found: list[io.BytesIO] = []

    def watched(name: str) -> IO[bytes]:
        return Watched(house.files.contents[name], found, before_read)

    house.files.open = watched  # type: ignore[method-assign]
    return found


# --- what breaks off --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("good", [1, 63, 64, 100])
def test_what_stands_before_a_break_is_kept(good: int) -> None:
    house = House()
    job_id = opened(house, "[" + ",".join(products(good)) + ',{"prod', ARRAY)
    house.work()
    job = house.services.read_job("shop", job_id)
    assert (job.code, job.done, job.total) == ("json_row_invalid", True, good)
    assert job.counts[ItemState.SEARCHABLE] == good
    assert house.files.contents == {}


@pytest.mark.parametrize(("rows", "code"), [(70, None), (71, "import_too_many_rows")])
def test_as_many_rows_are_taken_of_a_file_with_too_many_as_of_one_with_just_enough(rows: int, code: str | None) -> None:
    house = House(Settings(limits=LimitSettings(max_import_rows=70)))
    job_id = opened(house, "\n".join(products(rows)))
    house.work()
    job = house.services.read_job("shop", job_id)
    assert (job.code, job.total, job.counts[ItemState.SEARCHABLE]) == (code, 70, 70)


# --- what never ends --------------------------------------------------------------------------------------------------


def tried_for(house: House, minutes: int) -> None:
    for _ in range(minutes):
        house.work()
        house.clock.advance(61)
        house.services.sweep()


class FaultyReader:
    """Opens files whose rows raise what nobody foresaw, at the row `at`; 0: when they are opened."""

    def __init__(self, at: int) -> None:
        self._at = at

    def open(self, source: IO[bytes], merchant: str, options: ImportOptions) -> "FaultyManifest":
        if self._at == 0:
            raise RuntimeError("unforeseen")
        reader = FileReader(max_picture_bytes=1_000_000, default_currency="EUR")
        return FaultyManifest(reader.open(source, merchant, options), self._at)


class FaultyManifest:
    """See `FaultyReader`."""

    ignored_columns = ()
    dialect = "shelfsight"

    def __init__(self, manifest: Manifest, at: int) -> None:
        self._manifest = manifest
        self._at = at

    def rows(self, *, first: int = 1) -> Iterator[Row]:
        for row in self._manifest.rows(first=first):
            if row.number >= self._at:
                raise RuntimeError("unforeseen")
            yield row

    def picture(self, name: str) -> bytes:
        return self._manifest.picture(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


@pytest.mark.parametrize(("at", "kept"), [(0, 0), (1, 0), (10, 9), (100, 99)])
def test_an_import_at_which_the_server_fails_again_and_again_ends_and_keeps_what_it_read(at: int, kept: int) -> None:
    house = House()
    job_id = opened(house, "\n".join(products(120)))
    import_products = replace(house.services.import_products, manifests=FaultyReader(at))
    house.services = replace(house.services, import_products=import_products)
    tried_for(house, 8)
    job = house.services.read_job("shop", job_id)
    assert (job.code, job.done, job.total) == ("internal", True, kept)
    assert job.counts.get(ItemState.SEARCHABLE, 0) == kept
    assert house.catalog.imports_due() == 0
    assert house.files.contents == {}


def test_a_fault_that_passes_costs_an_import_nothing() -> None:
    house = House()
    job_id = opened(house, "\n".join(products(3)))
    put = house.blobs.put

    def fail_once(data: bytes) -> str:
        house.blobs.put = put  # type: ignore[method-assign]
        raise RuntimeError("unforeseen")

    house.blobs.put = fail_once  # type: ignore[method-assign]
    tried_for(house, 2)
    job = house.services.read_job("shop", job_id)
    assert (job.code, job.counts[ItemState.SEARCHABLE]) == (None, 3)


# --- what is large ----------------------------------------------------------------------------------------------------


def test_rows_with_much_picture_text_make_short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    lines = products(10)
    monkeypatch.setattr(read_rows, "LETTERS_PER_STEP", 2 * len(base64.b64encode(PICTURE)) + 1)
    steps = steps_of(house)
    opened(house, "\n".join(lines))
    house.work()
    assert steps == [3, 3, 3, 1]


# --- what takes long --------------------------------------------------------------------------------------------------


def test_the_file_stays_open_between_turns_so_that_no_turn_reads_again_what_was_read() -> None:
    house = House()
    job_id = opened(house, "\n".join(products(300)))
    files = watch_files(house)
    import_products = replace(house.services.import_products, seconds=0.0)
    for _ in range(3):
        assert import_products()
    assert [file.closed for file in files] == [False]
    while import_products():
        pass
    assert [file.closed for file in files] == [True]
    house.work()
    assert house.services.read_job("shop", job_id).counts[ItemState.SEARCHABLE] == 300


def test_of_files_between_turns_one_is_open() -> None:
    house = House()
    files = watch_files(house)
    jobs = [opened(house, "\n".join(products(150))) for _ in range(2)]
    import_products = replace(house.services.import_products, seconds=0.0)
    for turns in range(1, 5):
        house.clock.advance(1)
        assert import_products()
        assert [file.closed for file in files] == [True] * (turns - 1) + [False]
    while import_products():
        pass
    assert all(file.closed for file in files)
    assert [house.services.read_job("shop", job).total for job in jobs] == [150, 150]


def test_a_file_that_is_open_is_not_read_on_after_another_process_had_its_turn() -> None:
    house = House()
    job_id = opened(house, "\n".join(products(200)))
    ours = replace(house.services.import_products, seconds=0.0)
    theirs = replace(ours, _left=[])
    for take in (ours, theirs, ours, theirs):
        assert take()
    house.work()
    job = house.services.read_job("shop", job_id)
    assert (job.total, job.counts[ItemState.SEARCHABLE]) == (200, 200)


def test_an_open_file_is_let_go_when_its_import_is_gone_and_when_the_process_ends() -> None:
    house = House()
    files = watch_files(house)
    import_products = replace(house.services.import_products, seconds=0.0)
    job_id = opened(house, "\n".join(products(150)))
    import_products()
    house.services.cancel_job("shop", job_id)
    assert not import_products()
    opened(house, "\n".join(products(150)))
    import_products()
    assert [file.closed for file in files] == [True, False]
    house.services.close()
    assert [file.closed for file in files] == [True, True]


def test_a_fault_lets_go_of_the_file() -> None:
    house = House()
    files = watch_files(house)
    opened(house, "\n".join(products(150)))
    import_products = replace(house.services.import_products, seconds=0.0)
    import_products()

    def fail(data: bytes) -> str:
        raise RuntimeError("unforeseen")

    house.blobs.put = fail  # type: ignore[method-assign]
    import_products()
    assert [file.closed for file in files] == [True]


def test_an_import_is_nobody_elses_while_its_file_is_read_for_longer_than_a_lease() -> None:
    house = House()

    def slowly() -> None:
        house.clock.advance(25)
        assert house.catalog.return_leases() == 0
        assert house.catalog.claim_import(60) is None

    job_id = opened(house, "\n".join(products(200, description="x" * 9_000)))
    files = watch_files(house, slowly)
    assert by_the_clock(house, rows_per_step=150, seconds=1e9)()
    assert len(files) == 1
    assert house.services.read_job("shop", job_id).total == 200


def test_a_turn_gets_somewhere_however_long_it_skipped() -> None:
    house = House()
    job_id = opened(house, "\n".join(products(300, description="x" * 9_000)))
    import_products = by_the_clock(house, seconds=5.0)
    steps = steps_of(house)
    for _ in range(2):  # a process each, so that all that was kept is skipped
        watch_files(house, lambda: house.clock.advance(3))
        import_products()
        import_products.close()
    assert len(steps) > 2
    assert house.services.read_job("shop", job_id).code is None


def test_an_import_cancelled_while_its_rows_are_skipped_is_left_at_once() -> None:
    house = House()
    job_id = opened(house, "\n".join(products(200, description="x" * 9_000)))
    reads = []

    def cancel() -> None:
        reads.append(house.services.cancel_job("shop", job_id))
        house.clock.advance(25)

    watch_files(house, cancel)
    assert by_the_clock(house)()
    assert len(reads) < 5
    assert house.services.read_job("shop", job_id).total == 0


# --- whose turn it is -------------------------------------------------------------------------------------------------


def test_the_imports_of_a_merchant_whose_queue_is_full_hold_nobody_up() -> None:
    house = House(Settings(limits=LimitSettings(queue_per_merchant=1)))
    house.catalog.accept([change("x", merchant="large")], JobKind.UPLOAD)
    for _ in range(16):
        opened(house, products(1)[0], merchant="large")
    job_id = opened(house, products(1)[0], merchant="small")
    house.clock.advance(1)
    assert house.services.import_products()
    assert house.services.read_job("small", job_id).total == 1
    assert not house.services.import_products()  # only full ones are left, and that is found out in one round
    assert house.catalog.imports_due("large") == 16
