"""Large files take no more memory than small ones: each is read by a process of its own, and what it takes is told."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from backend.domain.importing import FileForm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's peak in /proc"),
]

SIZE = 300_000_000
ALLOWED = 200_000_000
READING = """
import pathlib, sys
from backend.domain.importing import FileForm, ImportOptions
from backend.errors import InvalidInput
from backend.manifests.reader import FileReader

def peak():
    words = pathlib.Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) * 1024

reader = FileReader(max_picture_bytes=20_000_000, default_currency="EUR")
before, rows, refused = peak(), 0, 0
with open(sys.argv[1], "rb") as source:
    try:
        with reader.open(source, "shop", ImportOptions(FileForm(sys.argv[2]))) as manifest:
            for row in manifest.rows():
                rows += 1
                refused += row.error is not None
    except InvalidInput as err:
        refused = -1
print(peak() - before, rows, refused)
"""


def read(path: Path, form: FileForm) -> tuple[int, int, int]:
    """Bytes the process grew by at most, rows, refused ones (-1: the file broke off)."""
    done = subprocess.run(
        [sys.executable, "-c", READING, str(path), form],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    grown, rows, refused = (int(word) for word in done.stdout.split())
    return grown, rows, refused


PRODUCT = json.dumps({"product_id": "A", "description": "x" * 19_000, "images": ["https://a/b.jpg"]})


def test_a_large_array_is_streamed(tmp_path: Path) -> None:
    path, count = tmp_path / "products.json", SIZE // len(PRODUCT)
    with path.open("w") as file:
        file.write('{"products": [' + PRODUCT)
        file.writelines("," + PRODUCT for _ in range(count - 1))
        file.write("]}")
    grown, rows, refused = read(path, FileForm.JSON)
    assert (rows, refused) == (count, 0)
    assert grown < ALLOWED / 4


def test_one_element_of_the_whole_size_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "products.json"
    with path.open("w") as file:
        file.write('[{"product_id": "A", "title": "')
        file.writelines("x" * 1_000_000 for _ in range(SIZE // 1_000_000))
        file.write(f'"}}, {PRODUCT}]')
    grown, rows, refused = read(path, FileForm.JSON)
    assert (rows, refused) == (2, 1)
    assert grown < ALLOWED


@pytest.mark.parametrize(
    ("value", "count", "outcome"),
    [
        ("0", 13_000_000, (2, 1)),
        ('"\N{GRINNING FACE}"', 3_500_000, (2, 1)),
        ("{}", 400_000, (2, 1)),
        ("{}", 9_000_000, (0, -1)),
    ],
)
def test_an_element_as_large_as_may_be_stays_within_its_bounds(
    tmp_path: Path, value: str, count: int, outcome: tuple[int, int]
) -> None:
    path = tmp_path / "products.json"
    filler = ",".join([value] * count)
    path.write_text(f'[{{"product_id": "A", "images": [{filler}]}}, {PRODUCT}]', "utf-8")
    grown, rows, refused = read(path, FileForm.JSON)
    assert (rows, refused) == outcome
    assert grown < ALLOWED


def test_a_picture_of_twenty_megabytes_in_base64_fits_beside_any_title(tmp_path: Path) -> None:
    path = tmp_path / "products.jsonl"
    product = {"product_id": "A", "title": "\N{GRINNING FACE}", "images": [{"data": "A" * 26_700_000}]}
    path.write_text(json.dumps(product, ensure_ascii=False), "utf-8")
    grown, rows, refused = read(path, FileForm.JSON_LINES)
    assert (rows, refused) == (1, 0)
    assert grown < ALLOWED


@pytest.mark.parametrize("form", [FileForm.CSV, FileForm.JSON_LINES, FileForm.RSS])
def test_a_file_of_one_endless_line_is_passed_over(tmp_path: Path, form: FileForm) -> None:
    path = tmp_path / "products"
    start = {FileForm.CSV: "product_id,image\n", FileForm.JSON_LINES: "", FileForm.RSS: "<rss><channel><item><id>"}[
        form
    ]
    with path.open("w") as file:
        file.write(start)
        file.writelines("x" * 1_000_000 for _ in range(SIZE // 1_000_000))
    grown, rows, refused = read(path, form)
    assert (rows, refused) == ((0, -1) if form is FileForm.RSS else (1, 1))
    assert grown < ALLOWED


def test_a_manifest_packed_a_thousand_to_one_is_streamed(tmp_path: Path) -> None:
    path, row = tmp_path / "products.zip", b"A,https://a/b.jpg," + b"x" * 100_000 + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("products.csv", "w") as file:
        file.write(b"product_id,image,note\n")
        for _ in range(SIZE // len(row)):
            file.write(row)
    assert path.stat().st_size < SIZE / 300
    grown, rows, refused = read(path, FileForm.ZIP)
    assert (rows, refused) == (SIZE // len(row), 0)
    assert grown < ALLOWED / 4


def test_a_zip_with_as_many_entries_as_may_be_stays_within_its_bounds(tmp_path: Path) -> None:
    path = tmp_path / "products.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("products.csv", b"product_id,image\nA,pictures/0000001.jpg\n")
        for number in range(199_999):
            archive.writestr(f"pictures/{number:07d}.jpg", b"x")
    grown, rows, refused = read(path, FileForm.ZIP)
    assert (rows, refused) == (1, 0)
    assert grown < ALLOWED


def test_a_directory_of_a_million_entries_is_not_read(tmp_path: Path) -> None:
    path, entry = tmp_path / "products.zip", b"x" * 10
    with path.open("wb") as file:
        file.write(b"PK\x03\x04" + b"\0" * 26)
        header = b"PK\x01\x02" + b"\0" * 24 + len(entry).to_bytes(2, "little") + b"\0" * 16 + entry
        for _ in range(4_000):
            file.write(header * 1_000)
        size = 4_000_000 * len(header)
        end = b"PK\x05\x06" + b"\0" * 8 + size.to_bytes(4, "little") + (30).to_bytes(4, "little") + b"\0\0"
        file.write(end)
    grown, _, refused = read(path, FileForm.ZIP)
    assert refused == -1
    assert grown < ALLOWED
