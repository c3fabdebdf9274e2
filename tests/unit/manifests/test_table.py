"""CSV and TSV by the template: whole, careless and hostile."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.importing import FileForm, ImportOptions, PictureRef
from backend.domain.product import ProductKey
from backend.errors import InvalidCsv, InvalidInput, MissingColumn, PictureMissing
from backend.manifests.table import MAX_ROW_CHARS
from tests.unit.manifests.opening import READER, codes, opened, places, product, rows

CSV, TSV = FileForm.CSV, FileForm.TSV
HEADER = "product_id,title,price,in_stock,image\n"


def test_a_row_becomes_a_product_of_its_merchant() -> None:
    [row] = rows(CSV, HEADER + "A-1,Red dress,19.90,false,a.jpg|https://shop.example/b.jpg\n")
    assert product(row).key == ProductKey("shop", "A-1")
    assert (product(row).title, str(product(row).price), product(row).currency) == ("Red dress", "19.90", "EUR")
    assert product(row).in_stock is False
    assert row.pictures == (PictureRef(entry="a.jpg"), PictureRef(url="https://shop.example/b.jpg"))
    assert (row.number, row.line) == (1, 2)


def test_attributes_come_from_prefixed_columns_and_other_columns_are_named_as_ignored() -> None:
    with opened(CSV, "product_id,image,attributes.color,split\nA,a.jpg,red,test\nB,b.jpg,,\n") as manifest:
        first, second = list(manifest.rows())
        assert manifest.ignored_columns == ("split",)
        assert manifest.dialect == "shelfsight"
    assert product(first).attributes == {"color": "red"}
    assert product(second).attributes == {}


def test_tabs_part_the_cells_of_a_tsv() -> None:
    [row] = rows(TSV, "product_id\ttitle\timages\nA\tcoats, dresses\thttp://shop.example/a,b.jpg\n")
    assert product(row).title == "coats, dresses"
    assert places(row) == ["http://shop.example/a,b.jpg"]


def test_a_byte_order_mark_and_windows_lines_do_no_harm() -> None:
    [row] = rows(CSV, b'\xef\xbb\xbfproduct_id,description,image\r\n\r\nA-1,"one\r\ntwo",a.jpg\r\n\r\n')
    assert product(row).description == "one\ntwo"
    assert row.line == 3


def test_bad_rows_fail_alone_and_keep_their_numbers_and_lines() -> None:
    found = rows(
        CSV,
        HEADER
        + "A-1,ok,1,true,a.jpg\n"
        + "A 2,bad id,1,true,a.jpg\n"
        + 'A-3,"bad\nprice",minus one,true,a.jpg\n'
        + "A-4,too,few\n"
        + "A-5,bad stock,1,perhaps,a.jpg\n"
        + "A-6,ok,1,,a.jpg\n",
    )
    assert codes(found) == [None, "invalid_field", "invalid_field", "csv_invalid", "invalid_field", None]
    assert [(row.number, row.line) for row in found] == [(1, 2), (2, 3), (3, 4), (4, 6), (5, 7), (6, 8)]
    assert [row.product_id for row in found] == ["A-1", "A 2", "A-3", None, "A-5", "A-6"]


def test_everything_wrong_with_a_row_is_said_at_once() -> None:
    [row] = rows(CSV, "product_id,price,in_stock,currency,image\nA,x,perhaps,euro,a.jpg\n")
    assert row.error is not None
    assert [item.field for item in row.error.errors] == ["price", "currency", "in_stock"]


def test_bad_quoting_spoils_its_row_and_says_the_line() -> None:
    found = rows(CSV, 'product_id,title,image\nA-1,"ok",a.jpg\nA-2,"bad"x,a.jpg\nA-3,ok,a.jpg\n')
    assert codes(found) == [None, "csv_invalid", None]
    assert found[1].error is not None
    assert "line 3" in found[1].error.detail


def test_a_row_that_is_not_utf8_fails_alone() -> None:
    assert codes(rows(CSV, b"product_id,title,image\nA-1,caf\xe9,a.jpg\nA-2,caf\xc3\xa9,a.jpg\n")) == [
        "csv_invalid",
        None,
    ]


def test_a_name_that_no_database_could_store_is_shown_safely() -> None:
    [row] = rows(CSV, b"product_id,image\nA\x00" + b"9" * 400 + b",a.jpg\n")
    assert row.error is not None
    assert row.product_id == "A\N{REPLACEMENT CHARACTER}" + "9" * 198


def test_a_null_byte_in_a_title_refuses_its_row() -> None:
    assert codes(rows(CSV, b"product_id,title,image\nA,a\x00b,a.jpg\nB,b,a.jpg\n")) == ["invalid_field", None]


def test_a_formula_is_text() -> None:
    [row] = rows(CSV, "product_id,title,image\nA,\"=cmd|'/C calc'!A0\",a.jpg\n")
    assert product(row).title == "=cmd|'/C calc'!A0"


def test_a_cell_of_ten_megabytes_refuses_its_row() -> None:
    huge = "x" * 10_000_000
    for cell in (huge, f'"{huge}"'):
        found = rows(CSV, f"product_id,title,image\nA,ok,a.jpg\nB,{cell},a.jpg\nC,ok,a.jpg\n")
        assert codes(found) == [None, "csv_invalid", None]


def test_after_a_cell_that_is_too_large_reading_goes_on_behind_its_quote() -> None:
    for huge in ("x" * 140_000, "x" * (MAX_ROW_CHARS + 10), "x\n" * 80_000, "x\n" * MAX_ROW_CHARS):
        found = rows(CSV, f'product_id,title,image\nA,"<img ""{huge}"">\nZ,""1"",a.jpg\nend",a.jpg\nC,ok,a.jpg\n')
        assert codes(found) == ["csv_invalid", None]
        assert found[1].line == huge.count("\n") + 5


def test_a_row_that_never_ends_is_not_held_in_memory() -> None:
    cells = 'x,"\n",' * (MAX_ROW_CHARS // 6 + 1)  # no cell is large, and the row goes over 600,000 lines
    found = rows(CSV, f"product_id,title,image\n{cells}\nC,ok,a.jpg\n")
    assert found[0].error is not None
    assert f"a row of more than {MAX_ROW_CHARS} characters" in found[0].error.detail
    assert codes(found)[-1] is None


def test_reading_goes_on_where_it_was() -> None:
    table = HEADER + "".join(f"A-{n},t,1,true,a.jpg\n" for n in range(1, 6))
    with opened(CSV, table) as manifest:
        assert [row.number for row in manifest.rows(first=4)] == [4, 5]
        assert [row.number for row in manifest.rows(first=2)] == [2, 3, 4, 5]
        assert list(manifest.rows(first=6)) == []


def test_the_source_stays_open_and_is_read_again_from_its_start() -> None:
    source = io.BytesIO((HEADER + "A,t,1,true,a.jpg\n").encode())
    for _ in range(2):
        with READER.open(source, "shop", ImportOptions(CSV)) as manifest:
            assert [row.product_id for row in manifest.rows()] == ["A"]
    assert not source.closed


@pytest.mark.parametrize("header", ["title,image\n", "product_id,title\n", "product_id;image\n"])
def test_a_missing_column_is_named(header: str) -> None:
    with pytest.raises(MissingColumn) as caught:
        opened(CSV, header)
    assert caught.value.errors[0].field in ("product_id", "image")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("product_id,image,image\n", "twice"),
        ("product_id,image," + ",".join(map(str, range(600))), "columns"),
        ("product_id," + "x" * 200_000, "cannot be read"),
        ("product_id,image\n".encode("utf-16"), "UTF-16"),
        (b"product_id,image,\x00\n", "not text"),
        (b"product_id,image,\xe9\n", "not text"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(table: str | bytes, reason: str) -> None:
    with pytest.raises(InvalidCsv, match=reason):
        opened(CSV, table)


def test_a_relative_picture_outside_a_zip_has_a_reason_that_helps() -> None:
    with opened(CSV, HEADER + "A,t,1,true,a.jpg\n") as manifest:
        [row] = list(manifest.rows())
        with pytest.raises(PictureMissing, match="send addresses"):
            manifest.picture(row.pictures[0].entry or "")


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=30).filter(
    lambda text: text == text.strip()
)


@given(st.lists(st.tuples(CELL, CELL), max_size=20))
def test_what_csv_writes_is_read_back(titles: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["product_id", "image", "title", "brand"])
    writer.writerows([(f"A-{n}", "a.jpg", *cells) for n, cells in enumerate(titles)])
    found = rows(CSV, text.getvalue())
    assert [(product(row).title, product(row).brand) for row in found] == titles


@given(st.binary(max_size=300), st.sampled_from([form for form in FileForm if form is not FileForm.ZIP]))
def test_no_bytes_raise_anything_but_our_errors(data: bytes, form: FileForm) -> None:
    start = {
        FileForm.CSV: b"product_id,image\n",
        FileForm.TSV: b"product_id\timage\n",
        FileForm.JSON: b"[",
        FileForm.JSON_LINES: b"",
        FileForm.RSS: b"<rss><channel><item><id>",
    }[form]
    for content in (data, start + data):
        try:
            found = rows(form, content)
        except InvalidInput:
            continue
        assert [row.number for row in found] == list(range(1, len(found) + 1))
        for row in found:
            assert (row.error is None) is (row.product is not None)
