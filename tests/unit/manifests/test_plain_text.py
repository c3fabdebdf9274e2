"""What is in a cell, as text: hostile cells end soon, and what nobody foresaw refuses its row."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.domain.importing import FileForm
from backend.errors import InvalidField
from backend.manifests import draft, google, json_product
from backend.manifests.plain_text import MAX_MARKUP, pictures_in, text_of
from tests.unit.manifests.opening import codes, rows

ITEM = "id\ttitle\tdescription\timage_link\n"

ENDLESS = {
    "a tag that never closes": 'text_of("<" + "a" * N)',
    "a thousand tags that never close": 'text_of(("<a" + " b" * (N // 2_000)) * 1_000)',
    "a tag of digits": 'text_of("</h" + "1" * N + "<")',
    "a script that never closes": 'text_of("<script>" + "</" * (N // 2))',
    "numbers of characters": 'text_of("&#9999" * (N // 6))',
    "blanks in an address": 'pictures_in("http://a" + " " * N + "b")',
    "blanks after commas": 'pictures_in("http://a" + ("," + " " * 1_000) * (N // 1_000) + "b")',
    "commas in an address": 'pictures_in("http://a" + "," * N + "b")',
    "backslashes in names": 'pictures_in("\\\\" * N + ",b")',
    "blanks in a category": 'category_path("a" + " " * N + "/b")',
    "signs in a name": 'attribute_name("+" * N + "a")',
}
READING = "from backend.manifests.plain_text import *; N = 900_000; {}"


@pytest.mark.parametrize("cell", ENDLESS.values(), ids=ENDLESS)
def test_a_large_cell_of_anything_is_read_to_its_end(cell: str) -> None:
    """In a process of its own, since a pattern that reads back holds up all threads. It would take an hour."""
    subprocess.run(
        [sys.executable, "-c", READING.format(cell)],
        check=True,
        timeout=20,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


def test_more_markup_than_any_description_has_is_refused() -> None:
    assert text_of("x" * MAX_MARKUP) == "x" * MAX_MARKUP
    with pytest.raises(InvalidField):
        text_of("x" * (MAX_MARKUP + 1))


def test_a_character_of_thousands_of_digits_is_left_as_it_is() -> None:
    endless = f"&#{'9' * 4_400};"
    assert text_of(f"<b>a</b>{endless}") == f"a {endless}"
    assert codes(rows(FileForm.TSV, f"{ITEM}A\tA\t{endless}\ta.jpg\nB\tB\tb\tb.jpg\n")) == [None, None]


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("https://a/1.jpg, https://a/2.jpg", ["https://a/1.jpg", "https://a/2.jpg"]),
        ("https://a/1.jpg \n https://a/w_1,h_2/2.jpg,", ["https://a/1.jpg", "https://a/w_1,h_2/2.jpg,"]),
        ("https://a/w_1\\,h_2/1.jpg , https://a/2.jpg", ["https://a/w_1,h_2/1.jpg", "https://a/2.jpg"]),
        ("https://proxy/\\,https://a/1.jpg", ["https://proxy/,https://a/1.jpg"]),
        ("a.jpg, b\\, c.jpg", ["a.jpg", "b, c.jpg"]),
        (" , ", []),
    ],
)
def test_pictures_are_parted_by_commas_that_are_no_part_of_them(cell: str, names: list[str]) -> None:
    assert pictures_in(cell) == names


def test_what_nobody_foresaw_refuses_its_row_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    lines = '{"product_id": "A", "images": ["a.jpg"]}'
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(google, "text_of", failing)
        [of_a_dialect] = rows(FileForm.TSV, f"{ITEM}A\tA\ta\ta.jpg\n")
        patch.setattr(json_product, "_draft_of", failing)
        [of_an_object] = rows(FileForm.JSON_LINES, lines)
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(draft, "product_of", failing)
        [of_a_draft] = rows(FileForm.JSON_LINES, lines)
    found = [of_a_dialect, of_an_object, of_a_draft]
    assert codes(found) == ["internal"] * 3
    assert [row.product_id for row in found] == ["A"] * 3
    assert len([record for record in caplog.records if record.exc_info]) == 3
