"""A catalog on disk becomes ZIPs of bounded size, and what cannot be sent is said."""

import csv
import io
import zipfile
from pathlib import Path

import pytest

from backend.cli import ingest
from backend.errors import MissingColumn, PictureMissing


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
    [part] = [(rows_of(part.archive), zipfile.ZipFile(part.archive).namelist()) for part in ingest.parts(catalog)]
    rows, names = part
    first, second = rows[1][1].split("|")
    assert rows[2] == ["B", first]  # the same file is packed once
    assert sorted(names) == sorted(["products.csv", first, second])


def test_a_large_catalog_is_sent_in_parts_that_keep_their_row_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "PART_BYTES", 1_500)
    catalog = write(folder, "product_id,image\nA,a.jpg\nB,b.jpg\nC,c.jpg\n")
    assert [(part.rows, len(rows_of(part.archive)) - 1) for part in ingest.parts(catalog)] == [([1, 2], 2), ([3], 1)]


def test_pictures_above_the_catalogs_folder_are_packed_under_safe_names(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    catalog = write(inner, f"product_id,image\nA,../a.jpg\nB,{folder / 'b.jpg'}\n")
    for part in ingest.parts(catalog):
        with zipfile.ZipFile(part.archive) as opened:
            assert all(not name.startswith("/") and ".." not in name for name in opened.namelist())
            assert len(opened.namelist()) == 3


def test_a_missing_picture_keeps_its_name_for_the_ledger(folder: Path) -> None:
    catalog = write(folder, "product_id,image\nA,gone.jpg\n")
    [rows] = [rows_of(part.archive) for part in ingest.parts(catalog)]
    assert rows[1] == ["A", "gone.jpg"]


def test_a_row_that_cannot_be_read_is_refused_here_and_the_rest_is_sent(folder: Path) -> None:
    catalog = write(folder, 'product_id,title,image\nA,ok,a.jpg\nB,"bad"x,b.jpg\nC,ok,c.jpg\n')
    [(rows, refused)] = [(part.rows, part.refused) for part in ingest.parts(catalog)]
    assert rows == [1, 3]
    assert [(item["row"], item["code"]) for item in refused] == [(2, "csv_invalid")]


def test_an_empty_catalog_is_one_empty_part(folder: Path) -> None:
    assert [part.rows for part in ingest.parts(write(folder, "product_id,image\n"))] == [[]]


def test_a_catalog_that_is_none_is_refused_with_its_columns(folder: Path) -> None:
    with pytest.raises(MissingColumn, match="its header has: name"):
        list(ingest.parts(write(folder, "name\nA\n")))
    with pytest.raises(PictureMissing):
        list(ingest.parts(folder / "nowhere.csv"))
