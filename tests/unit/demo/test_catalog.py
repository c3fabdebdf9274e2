"""The catalog on disk: whole or not there, and never over somebody's files."""

import csv
import hashlib
from pathlib import Path

import pytest
from PIL import Image

from backend.demo import DemoProduct, catalog, demo_products, write_catalog
from backend.errors import BlobsUnavailable, InvalidField, Misconfigured

COUNT = 6


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog(tmp_path_factory.mktemp("shop") / "demo", count=COUNT)


def test_the_csv_has_a_row_for_every_product_with_its_facts(written: Path) -> None:
    found = rows(written)
    assert list(found[0]) == [
        "product_id", "title", "category", "brand", "price", "currency", "in_stock", "images",
        "attributes.color", "attributes.pattern", "attributes.material",
    ]  # fmt: skip
    for row, product in zip(found, demo_products(count=COUNT), strict=True):
        assert (row["product_id"], row["title"], row["category"]) == (
            product.product_id, product.title, product.category,
        )  # fmt: skip
        assert row["price"] == str(product.price)
        assert row["in_stock"] == str(product.in_stock).lower()
        assert row["attributes.color"] == product.attributes["color"]
        assert len(row["images"].split("|")) == len(product.views)


def test_every_picture_named_is_a_jpeg_beside_the_csv(written: Path) -> None:
    names = [name for row in rows(written) for name in row["images"].split("|")]
    assert len(set(names)) == len(names)
    for name in names:
        with Image.open(written.parent / name) as picture:
            picture.load()
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (480, 480))


def test_nothing_but_the_catalog_is_left(written: Path) -> None:
    assert [path.name for path in written.parent.parent.iterdir()] == ["demo"]
    assert {path.name for path in written.parent.iterdir()} == {"catalog.csv", "demo-catalog.json", "pictures"}


def test_two_catalogs_of_one_seed_are_the_same_byte_for_byte(written: Path, tmp_path: Path) -> None:
    assert contents(write_catalog(tmp_path / "again", count=COUNT).parent) == contents(written.parent)


def test_a_complete_catalog_is_kept_and_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_catalog(tmp_path / "demo", count=2)
    monkeypatch.setattr(catalog, "draw", refuse)
    assert write_catalog(tmp_path / "demo", count=2) == path


def test_a_catalog_of_another_count_is_replaced(tmp_path: Path) -> None:
    write_catalog(tmp_path / "demo", count=3)
    assert len(rows(write_catalog(tmp_path / "demo", count=2))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_catalog_of_an_older_drawing_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "VERSION", 0)
    marker = write_catalog(tmp_path / "demo", count=1).with_name("demo-catalog.json")
    old = marker.read_text()
    monkeypatch.undo()
    write_catalog(tmp_path / "demo", count=1)
    assert marker.read_text() != old


def test_a_catalog_that_lost_a_picture_is_written_anew(tmp_path: Path) -> None:
    path = write_catalog(tmp_path / "demo", count=1)
    lost = next((path.parent / "pictures").iterdir())
    lost.unlink()
    write_catalog(tmp_path / "demo", count=1)
    assert lost.is_file()


def refuse(product: DemoProduct, view: int) -> Image.Image:
    raise OSError(28, "No space left on device")


def test_a_catalog_cut_short_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "draw", refuse)
    with pytest.raises(BlobsUnavailable, match="No space left"):
        write_catalog(tmp_path / "demo", count=2)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rewrite_leaves_the_older_catalog_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_catalog(tmp_path / "demo", count=1).parent
    before = contents(folder)
    monkeypatch.setattr(catalog, "draw", refuse)
    with pytest.raises(BlobsUnavailable):
        write_catalog(folder, count=2)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_folder_with_other_files_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Misconfigured, match="other files"):
        write_catalog(tmp_path, count=1)
    assert contents(tmp_path).keys() == {"thesis.txt"}


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(Misconfigured):
        write_catalog(tmp_path / "demo", count=1)


def test_an_empty_folder_and_missing_parents_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert write_catalog(tmp_path / "empty", count=1).is_file()
    assert write_catalog(tmp_path / "new" / "deep", count=1).is_file()


def test_an_impossible_count_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidField):
        write_catalog(tmp_path / "demo", count=0)
    assert list(tmp_path.iterdir()) == []
