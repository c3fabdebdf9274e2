"""Files of products as JSON, JSON lines and RSS feeds."""

import json
from collections.abc import Callable

import httpx

from tests import pictures
from tests.bad_inputs.case import IMPORTS, JSON, JSONL, RSS, Case, Json, base64_of, import_of, raw


def _rows(*products: Json | str, **parameters: str) -> Callable[[], httpx.Request]:
    """JSON lines."""
    lines = [item if isinstance(item, str) else json.dumps(item) for item in products]
    return import_of("\n".join(lines), JSONL, **parameters)


def _good(**more: object) -> Json:
    return {"product_id": "bad-1", "images": [{"data": base64_of(pictures.png(32, 32))}], **more}


def _feed(body: str, head: str = "") -> str:
    return f'<?xml version="1.0"?>{head}<rss version="2.0"><channel>{body}</channel></rss>'


TEXTS = [
    Case(
        "a row with an attribute of 400 digits",
        _rows(_good(attributes={"a": 10**400})),
        202,
        "invalid_field",
        where="row",
    ),
    Case("a JSON import that is no array", import_of('{"product_id": "bad-1"}', JSON), 422, "json_row_invalid"),
    Case("a JSON import that is a word", import_of("nope", JSON), 422, "json_row_invalid"),
    Case("a JSON import in UTF-16", import_of("[]".encode("utf-16"), JSON), 422, "json_row_invalid"),
    Case(
        "a JSON array that breaks off",
        import_of('[{"product_id": "bad-1"}, ', JSON),
        202,
        "json_row_invalid",
        where="job",
    ),
    Case("a JSON array with more behind it", import_of("[5] []", JSON), 202, "json_row_invalid", where="job"),
    Case("an element that is no object", import_of("[5]", JSON), 202, "json_row_invalid", where="row"),
    Case(
        "an element nested 100,000 deep",
        import_of("[" + "[" * 100_000 + "]" * 100_000 + "]", JSON),
        202,
        "json_row_invalid",
        where="row",
    ),
    Case("a line that is no JSON", _rows("nope"), 202, "json_row_invalid", where="row"),
    Case("a line that is a list", _rows("[1]"), 202, "json_row_invalid", where="row"),
    Case("a line nested 100,000 deep", _rows('{"a": ' + "[" * 100_000), 202, "json_row_invalid", where="row"),
    Case(
        "a line with a price of NaN",
        _rows('{"product_id": "bad-1", "price": NaN}'),
        202,
        "json_row_invalid",
        where="row",
    ),
    Case(
        "a line with a name given twice",
        _rows('{"product_id": "a", "product_id": "b"}'),
        202,
        "json_row_invalid",
        where="row",
    ),
    Case("a line with an unknown field", _rows(_good(colour="red")), 202, "unknown_field", "colour", "row"),
    Case("a line with a title that is a number", _rows(_good(title=5)), 202, "invalid_field", "title", "row"),
    Case(
        "a line with an id that is a number",
        _rows({**_good(), "product_id": 7}),
        202,
        "invalid_field",
        "product_id",
        "row",
    ),
    Case(
        "a line with pictures that are a number",
        _rows({"product_id": "bad-1", "images": 5}),
        202,
        "invalid_field",
        "images",
        "row",
    ),
    Case(
        "a line with a picture given in two ways",
        _rows({"product_id": "bad-1", "images": [{"url": "https://a.example/", "data": "aaaa"}]}),
        202,
        "invalid_field",
        "images[0]",
        "row",
    ),
    Case(
        "a line with a picture that is not base64",
        _rows({"product_id": "bad-1", "images": [{"data": "%"}]}),
        202,
        "invalid_base64",
        "images[0]",
        "row",
    ),
    Case(
        "a line with a picture id nobody has",
        _rows({"product_id": "bad-1", "images": [{"image_id": "f" * 64}]}),
        202,
        "image_not_found",
        where="row",
    ),
    Case(
        "a line that patches what is not there",
        _rows({"product_id": "nobody", "price": 1}, mode="patch"),
        202,
        "product_not_found",
        "product_id",
        "row",
    ),
    Case("a feed that is no XML", import_of("hello", RSS), 422, "feed_invalid"),
    Case("a feed that is no RSS", import_of("<html></html>", RSS), 422, "feed_invalid"),
    Case("a feed with a document type", import_of(_feed("", "<!DOCTYPE rss>"), RSS), 422, "feed_invalid"),
    Case(
        "a feed with an external entity",
        import_of(
            _feed("<item><title>&x;</title></item>", '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), RSS
        ),
        422,
        "feed_invalid",
    ),
    Case("a feed of a billion laughs", lambda: raw("POST", IMPORTS, _laughs(), RSS), 422, "feed_invalid"),
    Case("a feed nested 100,000 deep", import_of("<rss>" + "<a>" * 100_000, RSS), 422, "feed_invalid"),
    Case(
        "a feed in an encoding that is none",
        import_of('<?xml version="1.0" encoding="nope"?><rss/>', RSS),
        422,
        "feed_invalid",
    ),
    Case(
        "a feed that breaks off after an item",
        import_of(_feed("<item><title>A</title></item>" + " " * 100_000)[:-20], RSS),
        202,
        "feed_invalid",
        where="job",
    ),
    Case(
        "an item of a feed without an id",
        import_of(_feed("<item><title>A</title></item>"), RSS),
        202,
        "invalid_field",
        "product_id",
        "row",
    ),
]


def _laughs() -> str:
    """Ten entities, each ten times the one before (CVE-2003-1564)."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return _feed("<item><title>&l9;</title></item>", f'<!DOCTYPE rss [<!ENTITY l0 "ha">{entities}]>')
