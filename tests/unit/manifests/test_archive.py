"""ZIPs of products: whole, damaged and hostile."""

import io
import random
import zipfile

import pytest

from backend.domain.product import ProductKey
from backend.errors import (
    ImageTooLarge,
    InvalidArchive,
    InvalidCsv,
    InvalidInput,
    MissingColumn,
    PictureMissing,
    UnsafeArchiveName,
)
from backend.manifests.archive import ZipManifest, ZipReader
from backend.ports import Row

READER = ZipReader(max_picture_bytes=1_000, default_currency="EUR")
HEADER = "product_id,title,price,in_stock,image\n"


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


def opened(table: str | bytes, **pictures: bytes) -> ZipManifest:
    data = table.encode() if isinstance(table, str) else table
    return READER.open(zipped({"products.csv": data, **pictures}), "shop")


def rows(table: str | bytes) -> list[Row]:
    with opened(table) as manifest:
        return list(manifest.rows())


def test_a_row_becomes_a_product_of_its_merchant() -> None:
    [row] = rows(HEADER + "A-1,Red dress,19.90,false,a.jpg|b.jpg\n")
    assert row.product is not None
    assert row.product.key == ProductKey("shop", "A-1")
    assert (row.product.title, str(row.product.price), row.product.currency) == ("Red dress", "19.90", "EUR")
    assert row.product.in_stock is False
    assert row.pictures == ("a.jpg", "b.jpg")


def test_attributes_come_from_prefixed_columns_and_other_columns_are_named_as_ignored() -> None:
    with opened("product_id,image,attributes.color,split\nA,a.jpg,red,test\nB,b.jpg,,\n") as manifest:
        first, second = list(manifest.rows())
        assert manifest.ignored_columns == ("split",)
    assert first.product is not None
    assert first.product.attributes == {"color": "red"}
    assert second.product is not None
    assert second.product.attributes == {}


def test_a_byte_order_mark_and_windows_lines_do_no_harm() -> None:
    [row] = rows(b"\xef\xbb\xbfproduct_id,image\r\nA-1,a.jpg\r\n\r\n")
    assert row.product_id == "A-1"
    assert row.error is None


def test_bad_rows_fail_alone_and_keep_their_numbers() -> None:
    found = rows(
        HEADER
        + "A-1,ok,1,true,a.jpg\n"
        + "A 2,bad id,1,true,a.jpg\n"
        + "A-3,bad price,minus one,true,a.jpg\n"
        + "A-4,too,few\n"
        + "A-5,bad stock,1,perhaps,a.jpg\n"
        + "A-6,ok,1,,a.jpg\n"
    )
    assert [(row.number, row.error.code if row.error else None) for row in found] == [
        (1, None),
        (2, "invalid_field"),
        (3, "invalid_field"),
        (4, "csv_invalid"),
        (5, "invalid_field"),
        (6, None),
    ]


def test_bad_quoting_spoils_its_row_and_says_the_line() -> None:
    found = rows('product_id,title,image\nA-1,"ok",a.jpg\nA-2,"bad"x,a.jpg\nA-3,ok,a.jpg\n')
    assert [row.error.code if row.error else None for row in found] == [None, "csv_invalid", None]
    assert found[1].error is not None
    assert "line 3" in found[1].error.detail


def test_a_row_that_is_not_utf8_fails_alone() -> None:
    found = rows(b"product_id,title,image\nA-1,caf\xe9,a.jpg\nA-2,caf\xc3\xa9,a.jpg\n")
    assert [row.error.code if row.error else None for row in found] == ["csv_invalid", None]


def test_a_name_that_no_database_could_store_is_shown_safely() -> None:
    [row] = rows(b"product_id,image\nA\x00" + b"9" * 400 + b",a.jpg\n")
    assert row.error is not None
    assert row.product_id == "A\N{REPLACEMENT CHARACTER}" + "9" * 198


def test_reading_goes_on_where_it_was() -> None:
    table = HEADER + "".join(f"A-{n},t,1,true,a.jpg\n" for n in range(1, 6))
    with opened(table) as manifest:
        assert [row.number for row in manifest.rows(first=4)] == [4, 5]


@pytest.mark.parametrize("header", ["title,image\n", "product_id,title\n"])
def test_a_missing_column_is_named(header: str) -> None:
    with pytest.raises(MissingColumn) as caught:
        opened(header)
    assert caught.value.errors[0].field in ("product_id", "image")


@pytest.mark.parametrize(
    "table", ["", "product_id,image,image\n", "product_id,image," + ",".join(map(str, range(300)))]
)
def test_a_header_that_makes_no_sense_is_refused(table: str) -> None:
    with pytest.raises(InvalidCsv):
        opened(table)


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/passwd", "a/../../b", "C:/x.jpg", "a\\..\\b", "\\x"])
def test_an_archive_with_a_climbing_name_is_refused_as_a_whole(name: str) -> None:
    with pytest.raises(UnsafeArchiveName):
        READER.open(zipped({"products.csv": b"product_id,image\n", name: b"x"}), "shop")


def test_an_archive_without_a_manifest_or_with_two_is_refused() -> None:
    for entries in ({"a.jpg": b"x"}, {"a.csv": b"x", "b.csv": b"x"}):
        with pytest.raises(InvalidArchive):
            READER.open(zipped(entries), "shop")


def test_the_only_csv_one_folder_down_is_found_with_its_pictures_beside_it() -> None:
    with READER.open(
        zipped({"shop/list.csv": b"product_id,image\nA,p/a.jpg\n", "shop/p/a.jpg": b"jpg"}), "m"
    ) as manifest:
        assert manifest.picture("p/a.jpg") == b"jpg"


def test_an_encrypted_archive_is_refused() -> None:
    data = bytearray(zipped({"products.csv": b"product_id,image\n"}).getvalue())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InvalidArchive, match="encrypted"):
        READER.open(io.BytesIO(bytes(data)), "shop")


def test_a_missing_picture_has_its_own_error() -> None:
    with opened("product_id,image\n") as manifest, pytest.raises(PictureMissing):
        manifest.picture("nowhere.jpg")


def test_a_picture_that_unpacks_beyond_the_limit_is_refused_whatever_the_directory_says() -> None:
    source = zipped(
        {"products.csv": b"product_id,image\n", "big.jpg": b"\0" * 100_000}, compression=zipfile.ZIP_DEFLATED
    )
    data = source.getvalue().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    for archive in (source.getvalue(), data):
        with READER.open(io.BytesIO(archive), "shop") as manifest, pytest.raises(InvalidInput) as caught:
            manifest.picture("big.jpg")
        assert isinstance(caught.value, ImageTooLarge) or caught.value.code == "image_undecodable"


def test_no_damage_to_an_archive_raises_anything_but_our_errors() -> None:
    good = zipped(
        {"products.csv": (HEADER + "A-1,t,1,true,a.jpg\n" * 50).encode(), "a.jpg": b"x" * 500},
        compression=zipfile.ZIP_DEFLATED,
    ).getvalue()
    rng = random.Random(5)
    refused = 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        try:
            with READER.open(io.BytesIO(bytes(data)), "shop") as manifest:
                list(manifest.rows())
                manifest.picture("a.jpg")
        except InvalidInput:
            refused += 1
    assert refused > 100
