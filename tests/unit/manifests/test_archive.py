"""ZIPs of products: whole, damaged and hostile."""

import io
import random
import struct
import unicodedata
import warnings
import zipfile
from typing import Any

import pytest

from backend.domain.importing import FileForm, ImportMode
from backend.errors import ImageTooLarge, InvalidArchive, InvalidCsv, InvalidInput, PictureMissing, UnsafeArchiveName
from backend.manifests import archive
from backend.manifests.reader import LOOKED_AT_BYTES, FileManifest, FileReader
from tests.unit.manifests.opening import codes, opened, product, rows, zipped

ZIP = FileForm.ZIP
TABLE = b"product_id,image\n"
STORED = zipfile.ZIP_STORED


def local_at(data: bytes, number: int) -> int:
    """Where the local header of an entry is."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.infolist()[number].header_offset


def directory_at(data: bytes, number: int = 0) -> int:
    """Where the directory's header of an entry is."""
    at = -1
    for _ in range(number + 1):
        at = data.index(b"PK\x01\x02", at + 1)
    return at


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


# --- what is in it ----------------------------------------------------------------------------------------------------

ROWS = {
    "products.csv": b"product_id,title,image\nA,Dress,p/a.jpg\n",
    "products.tsv": b"product_id\ttitle\timage\nA\tDress\tp/a.jpg\n",
    "products.jsonl": b'{"product_id": "A", "title": "Dress", "images": ["p/a.jpg"]}',
    "products.json": b'[{"product_id": "A", "title": "Dress", "images": ["p/a.jpg"]}]',
    "products.xml": b"<rss><channel><item><id>A</id><title>Dress</title><image_link>p/a.jpg</image_link></item>"
    b"</channel></rss>",
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("folder", ["", "shop/"])
@pytest.mark.parametrize("compression", [STORED, zipfile.ZIP_DEFLATED])
def test_any_form_may_lie_in_a_zip_with_its_pictures_beside_it(name: str, folder: str, compression: int) -> None:
    entries = {folder + name: ROWS[name], folder + "p/a.jpg": b"jpeg", "p/other.jpg": b"no"}
    with opened(ZIP, zipped(entries, compression)) as manifest:
        [row] = list(manifest.rows())
        assert product(row).title == "Dress"
        assert manifest.picture(row.pictures[0].entry or "") == b"jpeg"
        assert [row.number for row in manifest.rows()] == [1]  # a second reading begins anew


def test_what_macos_puts_beside_a_file_is_not_seen() -> None:
    entries = {
        "Shop/list.csv": TABLE,
        "__MACOSX/Shop/._list.csv": b"\0",
        "Shop/.hidden.csv": b"",
        "Shop/.DS_Store": b"",
    }
    assert rows(ZIP, zipped(entries)) == []


def test_the_file_at_the_top_goes_before_others() -> None:
    entries = {"a/products.csv": b"x", "Products.CSV": b"product_id,image\nA,a.jpg\n", "notes.json": b"{}"}
    assert [row.product_id for row in rows(ZIP, zipped(entries))] == ["A"]


@pytest.mark.parametrize(
    "names", [["a.jpg"], ["a.csv", "b.csv"], ["products.csv", "products.json"], ["nested.zip"], []]
)
def test_an_archive_without_a_file_of_products_or_with_two_is_refused(names: list[str]) -> None:
    with pytest.raises(InvalidArchive, match="needs one"):
        opened(ZIP, zipped(dict.fromkeys(names, TABLE)))


def test_an_archive_in_the_archive_is_never_opened() -> None:
    inner = zipped({"products.csv": TABLE})
    with opened(ZIP, zipped({"products.csv": TABLE + b"A,inner.zip\n", "inner.zip": inner})) as manifest:
        [row] = list(manifest.rows())
        assert manifest.picture(row.pictures[0].entry or "") == inner  # bytes like any; no decoder takes them


def test_accents_are_found_however_the_system_wrote_them() -> None:
    for written, asked in (("NFC", "NFD"), ("NFD", "NFC")):
        name = unicodedata.normalize(written, "café.jpg")  # type: ignore[arg-type] # the literals are known
        with opened(ZIP, zipped({"products.csv": TABLE, name: b"jpeg"})) as manifest:
            assert manifest.picture(unicodedata.normalize(asked, "café.jpg")) == b"jpeg"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["nowhere.jpg", "../products.csv", "/etc/passwd", "", ".", "\x00", "\ud800.jpg"])
def test_a_missing_picture_has_its_own_error(name: str) -> None:
    with opened(ZIP, zipped({"products.csv": TABLE})) as manifest, pytest.raises(PictureMissing) as caught:
        manifest.picture(name)
    caught.value.detail.encode()


def test_names_of_windows_are_found_with_either_slash() -> None:
    entries = {"shop\\products.csv": TABLE + b"A,p\\a.jpg\nB,p/a.jpg\n", "shop\\p\\a.jpg": b"jpeg"}
    with opened(ZIP, zipped(entries)) as manifest:
        assert [manifest.picture(row.pictures[0].entry or "") for row in manifest.rows()] == [b"jpeg"] * 2


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_utf8_that_do_not_say_so_are_found(form: Any) -> None:
    name = unicodedata.normalize(form, "p/café.jpg")
    data = bytearray(zipped({"products.csv": TABLE, name: b"jpeg"}))
    for at in (local_at(bytes(data), 1) + 7, directory_at(bytes(data), 1) + 9):
        assert data[at] & 0x08
        data[at] &= ~0x08  # what macOS writes
    with opened(ZIP, bytes(data)) as manifest:
        assert manifest.picture("p/café.jpg") == b"jpeg"


def test_a_name_that_says_it_is_utf8_is_not_read_otherwise() -> None:
    misread = "café.jpg".encode().decode("cp437")
    with opened(ZIP, zipped({"products.csv": TABLE, misread: b"jpeg"})) as manifest, pytest.raises(PictureMissing):
        manifest.picture("café.jpg")


def test_a_picture_a_row_names_twice_is_there_once() -> None:
    [row] = rows(ZIP, zipped({"products.csv": TABLE + b"A,a.jpg|b.jpg|a.jpg\n"}))
    assert [ref.entry for ref in row.pictures] == ["a.jpg", "b.jpg"]


# --- what must not be in it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/passwd", "a/../../b", "C:/x.jpg", "a\\..\\b", "\\x", "c:x"])
def test_an_archive_with_a_climbing_name_is_refused_as_a_whole(name: str) -> None:
    with pytest.raises(UnsafeArchiveName):
        opened(ZIP, zipped({"products.csv": TABLE, name: b"x"}))


def test_a_link_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("products.csv", TABLE)
        link = zipfile.ZipInfo("a.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeArchiveName, match="link"):
        opened(ZIP, buffer.getvalue())


@pytest.mark.parametrize("flag", [0x1, 0x40, 0x2000])
def test_an_encrypted_archive_is_refused(flag: int) -> None:
    data = zipped({"products.csv": TABLE})
    with pytest.raises(InvalidArchive, match="encrypted"):
        opened(ZIP, patched(data, directory_at(data) + 8, struct.pack("<H", flag)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9])
def test_only_stored_and_deflated_entries_are_read(method: int) -> None:
    data = zipped({"products.csv": TABLE})
    with pytest.raises(InvalidArchive, match="another method"):
        opened(ZIP, patched(data, directory_at(data) + 10, struct.pack("<H", method)))


def test_a_name_that_is_there_twice_is_refused() -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for content in (TABLE, TABLE + b"A,a.jpg\n"):
            archive.writestr("products.csv", content)
    with pytest.raises(InvalidArchive, match="twice"):
        opened(ZIP, buffer.getvalue())


def test_names_that_differ_in_their_slashes_only_are_refused() -> None:
    with pytest.raises(InvalidArchive, match="twice"):
        opened(ZIP, zipped({"products.csv": TABLE, "p/a.jpg": b"x", "p\\a.jpg": b"y"}))


def test_entries_that_share_a_header_are_refused() -> None:
    data = zipped({"products.csv": TABLE, "a.jpg": b"x" * 100, "b.jpg": b"x" * 100})
    same = patched(data, directory_at(data, 2) + 42, struct.pack("<I", local_at(data, 1)))
    with pytest.raises(InvalidArchive, match="overlap"):
        opened(ZIP, same)


def test_a_quoted_overlap_is_refused() -> None:
    inner = zipped({"b.jpg": b"x" * 100})
    inner = inner[: inner.index(b"PK\x01\x02")]  # a local entry, whole, as the data of another
    data = zipped({"products.csv": TABLE, "a.jpg": inner, "b.jpg": b"y" * 100})
    quoted = patched(data, directory_at(data, 2) + 42, struct.pack("<I", data.index(inner)))
    with pytest.raises(InvalidArchive, match="overlap"):
        opened(ZIP, quoted)


def test_an_entry_that_reaches_into_the_directory_is_refused() -> None:
    data = zipped({"products.csv": TABLE})
    for at in (directory_at(data) + 20, directory_at(data) + 24):  # the packed and the unpacked size
        data = patched(data, at, struct.pack("<I", len(TABLE) + 20))
    with pytest.raises(InvalidArchive, match="overlap with its directory"):
        opened(ZIP, data)


def test_an_entry_without_a_header_of_its_own_is_refused() -> None:
    data = zipped({"products.csv": TABLE, "a.jpg": b"x" * 100})
    with pytest.raises(InvalidArchive):
        opened(ZIP, patched(data, directory_at(data, 1) + 42, struct.pack("<I", local_at(data, 1) + 7)))


def test_more_entries_than_allowed_are_refused_whatever_the_end_record_says() -> None:
    reader = FileReader(max_picture_bytes=1_000, default_currency="EUR", max_entries=100)
    allowed = zipped({"products.csv": TABLE, **{f"{n}.jpg": b"" for n in range(99)}})
    with opened(ZIP, allowed, reader=reader) as manifest:
        assert list(manifest.rows()) == []
    more = zipped({"products.csv": TABLE, **{f"{n}.jpg": b"" for n in range(100)}})
    lying = patched(more, len(more) - 22 + 8, struct.pack("<HH", 1, 1))
    names = zipped({"products.csv": TABLE, **{f"{n}{'x' * 60_000}.jpg": b"" for n in range(5)}})
    for data in (more, lying, names):
        with pytest.raises(InvalidArchive, match="more than 100 entries"):
            opened(ZIP, data, reader=reader)


@pytest.mark.parametrize("cut", [1, 10, 22, 60])
def test_a_truncated_archive_is_refused(cut: int) -> None:
    with pytest.raises(InvalidArchive, match="not a ZIP"):
        opened(ZIP, zipped({"products.csv": TABLE})[:-cut])


@pytest.mark.parametrize("data", [b"", b"product_id,image\n", b"PK\x05\x06" + b"\0" * 18, b"\0" * 200_000])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidArchive):
        opened(ZIP, data)


def test_a_picture_that_unpacks_beyond_the_limit_is_refused_whatever_the_directory_says() -> None:
    data = zipped({"products.csv": TABLE, "big.jpg": b"\0" * 100_000}, zipfile.ZIP_DEFLATED)
    lying = data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    for packed in (data, lying):
        with opened(ZIP, packed) as manifest, pytest.raises(InvalidInput) as caught:
            manifest.picture("big.jpg")
        assert isinstance(caught.value, ImageTooLarge) or caught.value.code == "image_undecodable"


def test_the_bytes_of_the_file_of_products_count_and_not_its_announced_size() -> None:
    table = TABLE + b"A,a.jpg\n" * 1_000
    data = zipped({"products.csv": table}, zipfile.ZIP_DEFLATED)
    larger, smaller = (
        data.replace(len(table).to_bytes(4, "little"), size.to_bytes(4, "little")) for size in (2**31, 100)
    )
    assert codes(rows(ZIP, data)) == codes(rows(ZIP, larger)) == [None] * 1_000
    with pytest.raises(InvalidArchive, match="breaks off"):
        rows(ZIP, smaller)


def test_a_file_of_products_that_unpacks_beyond_the_limit_of_an_import_breaks_off() -> None:
    reader = FileReader(max_picture_bytes=1, default_currency="EUR", max_file_bytes=100_000)
    data = zipped({"products.csv": TABLE + b"A,a.jpg\n" * 20_000}, zipfile.ZIP_DEFLATED)
    with opened(ZIP, data, reader=reader) as manifest:
        reading = manifest.rows()
        assert next(reading).product_id == "A"
        with pytest.raises(InvalidArchive, match="more than 100000 bytes"):
            list(reading)


BLANK = b"\n" * (2 * LOOKED_AT_BYTES)
FAR = {
    "products.csv": (BLANK + TABLE, None),
    "products.tsv": (b"x" * 2 * LOOKED_AT_BYTES + b"\n", None),
    "products.jsonl": (BLANK + b'{"product_id": "A", "images": ["a.jpg"]}', "A"),
    "products.json": (b"[" + BLANK + b'{"product_id": "A", "images": ["a.jpg"]}]', None),
    "products.xml": (b"<rss><channel>" + BLANK + b"<item><id>A</id></item></channel></rss>", "A"),
}


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("mode", ImportMode)
def test_no_more_than_the_start_of_a_file_is_read_to_open_it(
    name: str, mode: ImportMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, product_id = FAR[name]
    unpacked: list[int] = []
    reading = archive._Entry.readinto

    def counted(entry: archive._Entry, buffer: memoryview) -> int:
        unpacked.append(reading(entry, buffer))
        return unpacked[-1]

    monkeypatch.setattr(archive._Entry, "readinto", counted)
    data = zipped({name: content}, zipfile.ZIP_DEFLATED)
    if name.endswith("sv"):
        with pytest.raises(InvalidCsv, match=r"empty|the header"):
            opened(ZIP, data, mode=mode)
    else:
        with opened(ZIP, data, mode=mode) as manifest:
            assert manifest.ignored_columns == ()
            assert LOOKED_AT_BYTES < sum(unpacked) < LOOKED_AT_BYTES * 1.1
            [row] = list(manifest.rows())
            assert row.product_id == product_id  # an element of the array is too large for the reader of these tests
    assert sum(unpacked) < len(content) * 1.6


def test_no_damage_to_an_archive_raises_anything_but_our_errors() -> None:
    table = b"product_id,title,image\n" + b"A-1,t,a.jpg\n" * 50
    good = zipped({"products.csv": table, "a.jpg": b"x" * 500}, zipfile.ZIP_DEFLATED)
    rng = random.Random(5)
    refused = 0
    for _ in range(1_000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        try:
            with opened(ZIP, bytes(data)) as manifest:
                assert isinstance(manifest, FileManifest)
                list(manifest.rows())
                manifest.picture("a.jpg")
        except InvalidInput:
            refused += 1
    assert refused > 250
