"""Products as JSON: lines and arrays, good elements beside bad ones."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.importing import FileForm, PictureRef
from backend.errors import InvalidJsonLines
from backend.manifests import json_array
from backend.manifests.record import Borrowed
from tests.unit.manifests.opening import codes, opened, product, rows

LINES, ARRAY = FileForm.JSON_LINES, FileForm.JSON
GOOD = {"product_id": "A-1", "title": "Red dress", "price": "19.90", "images": ["https://shop.example/a.jpg"]}


def line(**fields: object) -> str:
    return json.dumps(GOOD | fields) + "\n"


def array(*elements: str, wrapped: bool = False) -> str:
    text = f"[{', '.join(elements)}]"
    return f'{{"products": {text}}}' if wrapped else text


def test_an_object_has_the_fields_of_a_put() -> None:
    fields = {
        "description": "Linen",
        "category": "clothing/dress",
        "brand": "Arden",
        "currency": "USD",
        "in_stock": False,
        "url": "https://shop.example/a",
        "attributes": {"color": "red", "sizes": ["S", "M"], "weight": 1.5, "new": True},
    }
    [row] = rows(LINES, line(**fields))
    found = product(row)
    assert (found.title, str(found.price), found.currency, found.in_stock) == ("Red dress", "19.90", "USD", False)
    assert found.attributes == {"color": "red", "sizes": ("S", "M"), "weight": 1.5, "new": True}


def test_a_picture_is_a_name_or_an_object_with_one_key() -> None:
    images = ["a.jpg", "HTTPS://shop.example/b.jpg", {"url": "https://c"}, {"data": "aGk="}, {"image_id": "f" * 64}]
    [row] = rows(LINES, line(images=images))
    assert row.pictures == (
        PictureRef(entry="a.jpg"),
        PictureRef(url="HTTPS://shop.example/b.jpg"),
        PictureRef(url="https://c"),
        PictureRef(data="aGk="),
        PictureRef(image_id="f" * 64),
    )


@pytest.mark.parametrize("picture", [{}, {"url": "https://a", "data": "x"}, {"path": "a"}, {"url": 1}, "", 5, None, []])
def test_a_picture_that_is_none_of_these_refuses_its_row(picture: object) -> None:
    [row] = rows(LINES, line(images=["a.jpg", picture]))
    assert row.error is not None
    assert (row.error.code, row.error.errors[0].field) == ("invalid_field", "images[1]")
    assert row.product_id == "A-1"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "json_row_invalid"),
        ("[]", "json_row_invalid"),
        ("5", "json_row_invalid"),
        ("null", "json_row_invalid"),
        ('{"product_id": "A", "price": NaN}', "json_row_invalid"),
        ('{"product_id": "A", "price": 1e400}', "json_row_invalid"),
        ('{"product_id": "A", "price": ' + "9" * 1_500 + "}", "invalid_field"),
        ('{"product_id": "A", "product_id": "B"}', "json_row_invalid"),
        ('{"product_id": "A"} {"product_id": "B"}', "json_row_invalid"),
        ('{"product_id": 5}', "invalid_field"),
        ('{"product_id": null}', "invalid_field"),
        ('{"title": "no id"}', "invalid_field"),
        ('{"product_id": "A", "titel": "x"}', "unknown_field"),
        ('{"product_id": "A", "merchant": "other"}', "unknown_field"),
        ('{"product_id": "A", "images": "a.jpg"}', None),
        ('{"product_id": "A", "images": 5}', "invalid_field"),
        ('{"product_id": "A", "title": "\\ud800"}', "invalid_field"),
        ('{"product_id": "A", "\\ud800": 1}', "unknown_field"),
        ('{"product_id": "A", "attributes": [1]}', "invalid_field"),
        ("[" * 1_900, "json_row_invalid"),
        ("x" * 3_000, "json_row_invalid"),
    ],
)
def test_a_bad_object_fails_alone_in_lines_and_in_arrays(text: str, code: str | None) -> None:
    found = rows(LINES, line() + "\n" + text + "\n" + line())
    assert codes(found) == [None, code, None]
    assert [row.line for row in found] == [1, 3, 4]
    if text.count("[") == text.count("]") and text.count("{") == text.count("}"):
        for wrapped in (False, True):
            found = rows(ARRAY, array(line(), text, line(), wrapped=wrapped))
            assert codes(found) == [None, code, None]
            assert [row.line for row in found] == [1, 2, 3]
    for row in found:
        if row.error is not None:
            row.error.detail.encode()  # what is kept of it can be stored


def test_a_line_that_is_not_utf8_fails_alone() -> None:
    assert codes(rows(LINES, b'{"product_id": "A", "title": "caf\xe9"}\n' + line().encode())) == [
        "json_row_invalid",
        None,
    ]


def test_a_line_over_the_limit_is_passed_over() -> None:
    long = line(title="x" * 5_000_000)
    found = rows(LINES, line() + long + line() + long)
    assert codes(found) == [None, "json_row_invalid", None, "json_row_invalid"]
    assert [row.line for row in found] == [1, 2, 3, 4]
    at_the_limit = json.dumps(GOOD | {"description": ""})
    at_the_limit = at_the_limit[:-2] + "x" * (2_000 - len(at_the_limit)) + '"}'
    assert codes(rows(LINES, at_the_limit + "\r\n" + at_the_limit)) == [None, None]
    assert codes(rows(ARRAY, f"[{at_the_limit},{at_the_limit}]")) == [None, None]
    assert codes(rows(ARRAY, f"[{at_the_limit},{at_the_limit} ]")) == [None, "json_row_invalid"]


def test_an_element_over_the_limit_is_passed_over() -> None:
    long = line(title='}],"\\' * 500_000)
    assert codes(rows(ARRAY, array(line(), long, line()))) == [None, "json_row_invalid", None]


def test_a_byte_order_mark_does_no_harm() -> None:
    for form, text in ((LINES, line()), (ARRAY, array(line())), (ARRAY, array(line(), wrapped=True))):
        assert codes(rows(form, b"\xef\xbb\xbf" + text.encode())) == [None]


@pytest.mark.parametrize("text", ["[]", " [ \n ] ", '{"products": []}', '{ "products" : [ ] }\n'])
def test_an_empty_array_has_no_rows(text: str) -> None:
    assert rows(ARRAY, text) == []


@pytest.mark.parametrize(
    "text",
    ["", "{}", "5", '{"items": []}', '{"version": 1, "products": []}', "product_id,image", "[]".encode("utf-16")],
)
def test_a_file_that_is_no_array_of_products_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidJsonLines, match="an array of products"):
        opened(ARRAY, text)


@pytest.mark.parametrize(
    "end", ["", ",", "] x", "]]", "]}", '], "more": 1}', ', {"product_id": "B', ', {"product_id": "B"']
)
def test_an_array_that_breaks_off_says_so_after_its_good_rows(end: str) -> None:
    with opened(ARRAY, f"[{line()}, {line()} {end}") as manifest:
        reading = manifest.rows()
        assert next(reading).error is None
        with pytest.raises(InvalidJsonLines):
            list(reading)


def test_a_missing_comma_spoils_two_elements_and_no_more() -> None:
    assert codes(rows(ARRAY, f"[{line()} {line()}, {line()}]")) == ["json_row_invalid", None]


def test_reading_goes_on_where_it_was() -> None:
    for form, text in ((LINES, line() * 5), (ARRAY, array(*[line()] * 5))):
        with opened(form, text) as manifest:
            assert [row.number for row in manifest.rows(first=4)] == [4, 5]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=8), st.integers(20, 60), st.booleans(), st.booleans(), st.sampled_from([None, 2]))
def test_any_array_is_cut_into_its_elements_wherever_the_chunks_end(
    values: list[object], chunk_bytes: int, wrapped: bool, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps({"products": values} if wrapped else values, ensure_ascii=ascii_only, indent=indent)
    stream = Borrowed(io.BytesIO(text.encode("utf-8", "surrogatepass")))
    found = list(json_array.elements(stream, 10_000, chunk_bytes=chunk_bytes))
    assert [json.loads(part) for _, part in found if isinstance(part, bytes)] == values
    assert [number for number, _ in found] == list(range(1, len(values) + 1))
