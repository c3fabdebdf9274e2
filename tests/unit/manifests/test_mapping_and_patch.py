"""Other names for columns, and rows that change facts only."""

import json

import pytest

from backend.domain.importing import FileForm, ImportMode
from backend.errors import InvalidMapping, MissingColumn
from tests.unit.manifests.opening import codes, opened, places, product, rows

CSV, LINES = FileForm.CSV, FileForm.JSON_LINES
PATCH = ImportMode.PATCH


def test_a_mapped_column_is_read_as_the_field() -> None:
    columns = {"product_id": "sku", "title": "name", "images": "photos", "attributes.color": "Farbe"}
    with opened(CSV, "sku,name,photos,Farbe,title,x\nA,Dress,a.jpg|b.jpg,rot,no,1\n", columns=columns) as manifest:
        [row] = list(manifest.rows())
        assert manifest.ignored_columns == ("title", "x")
    assert (product(row).key.product_id, product(row).title) == ("A", "Dress")
    assert product(row).attributes == {"color": "rot"}
    assert places(row) == ["a.jpg", "b.jpg"]


def test_a_mapping_goes_before_what_an_export_says() -> None:
    table = "Handle,Title,Variant Price,Image Src,Maker (custom)\na,A,5,https://a/1.jpg,Arden\na,,4,https://a/2.jpg,\n"
    with opened(CSV, table, columns={"brand": "Maker (custom)", "attributes.name": "Title"}) as manifest:
        [row] = list(manifest.rows())
        assert (manifest.dialect, manifest.ignored_columns) == ("shopify", ())
    assert (product(row).brand, product(row).title, str(product(row).price)) == ("Arden", "A", "4")
    assert product(row).attributes == {"name": "A"}


def test_keys_of_objects_and_elements_of_feeds_are_mapped_too() -> None:
    text = json.dumps({"sku": "A", "name": "Dress", "colour": "red", "attributes": {"size": "S"}, "photos": ["a.jpg"]})
    columns = {"product_id": "sku", "title": "name", "attributes.color": "colour", "images": "photos"}
    [row] = rows(LINES, text, columns=columns)
    assert (product(row).title, product(row).attributes) == ("Dress", {"size": "S", "color": "red"})
    assert places(row) == ["a.jpg"]
    feed = '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>A</g:id><g:mpn>M1</g:mpn></item></channel></rss>'
    [row] = rows(FileForm.RSS, feed, columns={"attributes.mpn": "g:mpn"})
    assert product(row).attributes == {"mpn": "M1"}


def test_everything_wrong_with_a_mapping_is_named_at_once() -> None:
    with pytest.raises(InvalidMapping) as caught:
        opened(CSV, "product_id,image\n", columns={"titel": "product_id", "title": "gone", "attributes.a b": "image"})
    assert [item.field for item in caught.value.errors] == ["titel", "attributes.a b", "title"]
    with pytest.raises(InvalidMapping):
        opened(CSV, "Handle,Title,Image Src\n", columns={"brand": "gone"})
    for form, text in ((LINES, "{}"), (FileForm.JSON, "[]"), (FileForm.RSS, "<rss/>")):
        with pytest.raises(InvalidMapping):
            opened(form, text, columns={"merchant": "x"})


def test_a_patch_of_a_table_names_only_the_cells_that_are_filled() -> None:
    header = "product_id,price,in_stock,title,attributes.color,image\n"
    table = header + "A,9.50,,,red,a.jpg\nB,,no,,,\nC,,,,,\nD,x,,,,\nE 1,1,,,,\n"
    with opened(CSV, table, mode=PATCH) as manifest:
        found = list(manifest.rows())
        assert manifest.ignored_columns == ("image",)
    assert [row.patch for row in found] == [
        {"price": "9.50", "attributes": {"color": "red"}},
        {"in_stock": False},
        {},
        None,
        None,
    ]
    assert codes(found) == [None, None, None, "invalid_field", "invalid_field"]
    assert all(row.product is None and row.pictures == () for row in found)


def test_a_patch_of_objects_removes_with_null() -> None:
    text = json.dumps(
        {"product_id": "A", "brand": None, "attributes": {"color": None, "size": "M"}, "images": ["a.jpg"]}
    )
    with opened(LINES, text, mode=PATCH) as manifest:
        [row] = list(manifest.rows())
        assert manifest.ignored_columns == ("images",)
    assert row.patch == {"brand": None, "attributes": {"color": None, "size": "M"}}
    with opened(LINES, '{"product_id": "A"}', mode=PATCH) as manifest:
        assert manifest.ignored_columns == ()


def test_a_patch_of_an_export_changes_what_the_export_has() -> None:
    [row] = rows(CSV, "Handle,Variant Price,Variant Inventory Qty,Image Src\na,5,0,x\na,4,0,\n", mode=PATCH)
    assert row.patch == {"price": "4", "in_stock": False}
    with opened(CSV, "Handle,Variant Price,Image Src\n", mode=PATCH) as manifest:
        assert manifest.ignored_columns == ("Image Src",)


def test_a_patch_needs_the_id_and_no_pictures() -> None:
    opened(CSV, "product_id,price\n", mode=PATCH)
    with pytest.raises(MissingColumn):
        opened(CSV, "price,image\n", mode=PATCH)
