"""Bad requests, each with the status and code it must get. Run against the fakes and, over a socket, a real server."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests import pictures

PRODUCT = "/v1/products/bad-1"
KNOWN = "known-1"
"""A product that exists; no bad request may change it."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A request, and what it must get. `field`: the first entry of `errors`, where one is promised."""

    name: str
    make: Callable[[], httpx.Request]
    status: int
    code: str
    field: str | None = None

    def __str__(self) -> str:
        return self.name


def request(method: str, path: str, **options: Any) -> httpx.Request:
    return httpx.Request(method, f"http://127.0.0.1{path}", **options)


def put(product: Json | str, *images: bytes, name: str = "photo.jpg", path: str = PRODUCT) -> httpx.Request:
    """A multipart upload."""
    text = product if isinstance(product, str) else json.dumps(product)
    parts: list[tuple[str, Any]] = [("product", (None, text, "application/json"))]
    parts += [("images", (name, image, "image/jpeg")) for image in images]
    return request("PUT", path, files=parts)


def raw(method: str, path: str, body: bytes | str, content_type: str = "application/json") -> httpx.Request:
    return request(method, path, content=body, headers={"Content-Type": content_type})


def search(body: Json | str) -> httpx.Request:
    return raw("POST", "/v1/search", body if isinstance(body, str) else json.dumps(body))


def search_by(image: bytes, query: Json | None = None) -> httpx.Request:
    parts: dict[str, Any] = {"image": ("photo.jpg", image, "image/jpeg")}
    return request("POST", "/v1/search", files=parts, data={"query": json.dumps(query)} if query is not None else None)


def archive(entries: dict[str, bytes]) -> httpx.Request:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in entries.items():
            target.writestr(name, data)
    return raw("POST", "/v1/imports", buffer.getvalue(), "application/zip")


def _get(path: str) -> Callable[[], httpx.Request]:
    return lambda: request("GET", path)


def _with_facts(**facts: object) -> Callable[[], httpx.Request]:
    return lambda: put(json.dumps(facts), pictures.jpeg())


def _filter(raw_filter: object) -> Callable[[], httpx.Request]:
    return lambda: search({"text": "dress", "filter": raw_filter})


def _bad_picture(data: Callable[[], bytes], status: int, code: str, name: str) -> list[Case]:
    """The same picture as an upload and as a query."""
    return [
        Case(f"upload of {name}", lambda: put({}, data()), status, code, "images[0]"),
        Case(f"search by {name}", lambda: search_by(data()), status, code),
    ]


BODIES = [
    Case("put without a body", lambda: request("PUT", PRODUCT), 400, "body_missing"),
    Case("put of plain text", lambda: raw("PUT", PRODUCT, "hello", "text/plain"), 415, "unsupported_content_type"),
    Case("put of an empty JSON body", lambda: raw("PUT", PRODUCT, ""), 400, "body_missing"),
    Case("put of malformed JSON", lambda: raw("PUT", PRODUCT, '{"title": '), 400, "invalid_json"),
    Case("put of a JSON list", lambda: raw("PUT", PRODUCT, "[]"), 400, "invalid_field", "body"),
    Case("put of JSON that is not UTF-8", lambda: raw("PUT", PRODUCT, b'{"title": "caf\xe9"}'), 400, "invalid_json"),
    Case("put of a name given twice", lambda: raw("PUT", PRODUCT, '{"title": "a", "title": "b"}'), 400, "invalid_json"),
    Case("put of deeply nested JSON", lambda: raw("PUT", PRODUCT, "[" * 100_000), 400, "invalid_json"),
    Case("put without pictures", lambda: raw("PUT", PRODUCT, '{"images": []}'), 400, "pictures_missing", "images"),
    Case("put without an images field", lambda: raw("PUT", PRODUCT, '{"title": "a"}'), 400, "invalid_field", "images"),
    Case("form without pictures", lambda: put({}), 400, "pictures_missing", "images"),
    Case(
        "form without a product part",
        lambda: request("PUT", PRODUCT, files={"images": ("a.jpg", pictures.jpeg())}),
        400,
        "invalid_field",
        "product",
    ),
    Case(
        "form with an unknown part",
        lambda: request("PUT", PRODUCT, files={"product": (None, "{}"), "picture": ("a.jpg", pictures.jpeg())}),
        400,
        "unknown_field",
        "picture",
    ),
    Case("search without a body", lambda: request("POST", "/v1/search"), 400, "body_missing"),
    Case("search of malformed JSON", lambda: search("{"), 400, "invalid_json"),
    Case("patch of malformed JSON", lambda: raw("PATCH", f"/v1/products/{KNOWN}", "nope"), 400, "invalid_json"),
    Case("import without a body", lambda: request("POST", "/v1/imports"), 400, "body_missing"),
    Case("import of JSON", lambda: raw("POST", "/v1/imports", "{}"), 415, "unsupported_content_type"),
    Case("a wrong method", lambda: request("POST", PRODUCT), 405, "http_error"),
    Case("an unknown address", _get("/v1/nowhere"), 404, "not_found"),
]

PICTURES = [
    *_bad_picture(lambda: b"", 422, "image_empty", "zero bytes"),
    *_bad_picture(lambda: b"hello, this is text", 415, "image_unsupported_type", "text"),
    *_bad_picture(pictures.eps_bytes, 415, "image_unsupported_type", "EPS named .jpg"),
    *_bad_picture(pictures.svg_bytes, 415, "image_unsupported_type", "SVG"),
    *_bad_picture(pictures.bomb_png, 422, "image_too_many_pixels", "a small PNG of 100 megapixels"),
    *_bad_picture(pictures.strip_png, 422, "image_aspect_ratio", "a strip of 30000 x 1"),
    *_bad_picture(lambda: pictures.png(8, 8), 422, "image_too_small", "8 x 8 pixels"),
    *_bad_picture(lambda: pictures.jpeg() + bytes(20_000_001), 413, "image_too_large", "20 MB"),
    *_bad_picture(pictures.truncated_jpeg, 422, "image_truncated", "a truncated JPEG"),
    Case(
        "17 pictures", lambda: put({}, *[pictures.jpeg(seed=n) for n in range(17)]), 400, "too_many_pictures", "images"
    ),
    Case(
        "a picture that is not base64",
        lambda: raw("PUT", PRODUCT, '{"images": [{"data": "%%%"}]}'),
        400,
        "invalid_base64",
        "images[0].data",
    ),
    Case("a query that is not base64", lambda: search({"image": {"data": "a"}}), 400, "invalid_base64", "image.data"),
    Case(
        "base64 of no picture",
        lambda: search({"image": {"data": base64.b64encode(b"this is a text and no picture").decode()}}),
        415,
        "image_unsupported_type",
    ),
    Case(
        "a picture given in two ways",
        lambda: raw("PUT", PRODUCT, '{"images": [{"data": "aaaa", "image_id": "b"}]}'),
        400,
        "invalid_field",
        "images[0]",
    ),
]

FACTS = [
    Case("an unknown field", _with_facts(colour="red"), 400, "unknown_field", "colour"),
    Case("a field the server owns", _with_facts(version=7), 400, "unknown_field", "version"),
    Case("a title that is a number", _with_facts(title=5), 400, "invalid_field", "title"),
    Case("stock that is a word", _with_facts(in_stock="yes"), 400, "invalid_field", "in_stock"),
    Case("a negative price", _with_facts(price=-1), 400, "invalid_field", "price"),
    Case("a price of NaN", lambda: put('{"price": NaN}', pictures.jpeg()), 400, "invalid_json"),
    Case("a price of 1e400", lambda: put('{"price": 1e400}', pictures.jpeg()), 400, "invalid_json"),
    Case('a price of "1e400"', _with_facts(price="1e400"), 400, "invalid_field", "price"),
    Case("a price of five decimals", _with_facts(price="1.00001"), 400, "invalid_field", "price"),
    Case("a currency that is none", _with_facts(price=1, currency="euro"), 400, "invalid_field", "currency"),
    Case("a category that climbs", _with_facts(category="clothing/../secret"), 400, "invalid_field", "category"),
    Case("an attribute that nests", _with_facts(attributes={"a": {"b": 1}}), 400, "invalid_field"),
    Case("an attribute's name with a space", _with_facts(attributes={"a b": 1}), 400, "invalid_field", "attributes"),
    Case("a script as URL", _with_facts(url="javascript:alert(1)"), 400, "invalid_field", "url"),
    Case("a title with a NUL", _with_facts(title="a\x00b"), 400, "invalid_field", "title"),
    Case(
        "an id of 300 characters",
        lambda: put({}, pictures.jpeg(), path="/v1/products/" + "a" * 300),
        400,
        "invalid_field",
        "product_id",
    ),
    Case(
        "an id with a space",
        lambda: put({}, pictures.jpeg(), path="/v1/products/a%20b"),
        400,
        "invalid_field",
        "product_id",
    ),
    Case(
        "a patch of an unknown field",
        lambda: raw("PATCH", f"/v1/products/{KNOWN}", '{"images": []}'),
        400,
        "unknown_field",
        "images",
    ),
    Case(
        "a patch of a bad price",
        lambda: raw("PATCH", f"/v1/products/{KNOWN}", '{"price": "x"}'),
        400,
        "invalid_field",
        "price",
    ),
]

SEARCHES = [
    Case("a search for nothing", lambda: search({}), 400, "query_missing"),
    Case("a search by an unknown field", lambda: search({"words": "a"}), 400, "unknown_field", "words"),
    Case("an unknown filter", _filter({"colour": "red"}), 400, "invalid_filter", "filter.colour"),
    Case("a filter on another merchant", _filter({"merchant": "other"}), 400, "invalid_filter", "filter.merchant"),
    Case("a filter that is a list", lambda: search({"text": "a", "filter": []}), 400, "invalid_field", "filter"),
    Case("a range upside down", _filter({"price": {"gte": 5, "lt": 4}}), 400, "invalid_filter", "filter.price"),
    Case("a range of words", _filter({"price": {"gte": "cheap"}}), 400, "invalid_filter", "filter.price.gte"),
    Case("a range with no bound", _filter({"price": {}}), 400, "invalid_filter", "filter.price"),
    Case("a range with an unknown bound", _filter({"price": {"from": 1}}), 400, "invalid_filter", "filter.price"),
    Case("a price that is a number", _filter({"price": 5}), 400, "invalid_filter", "filter.price"),
    Case("an empty list", _filter({"brand": []}), 400, "invalid_filter", "filter.brand"),
    Case("stock as a word", _filter({"in_stock": "true"}), 400, "invalid_filter", "filter.in_stock"),
    Case("a filter on a category that climbs", _filter({"category": "../x"}), 400, "invalid_filter", "filter.category"),
    Case("an attribute without a name", _filter({"attributes.": "x"}), 400, "invalid_filter", "filter.attributes."),
    Case(
        "a filter six deep", _filter({"not": {"not": {"not": {"not": {"not": {"brand": "a"}}}}}}), 400, "invalid_filter"
    ),
    Case("a filter of 10,000 values", _filter({"brand": [str(n) for n in range(10_000)]}), 400, "invalid_filter"),
    Case("limit 0", _get("/v1/search?q=a&limit=0"), 400, "invalid_field", "limit"),
    Case("limit 101", _get("/v1/search?q=a&limit=101"), 400, "invalid_field", "limit"),
    Case("limit x", _get("/v1/search?q=a&limit=x"), 400, "invalid_field", "limit"),
    Case("limit 101 in JSON", lambda: search({"text": "a", "limit": 101}), 400, "invalid_field", "limit"),
    Case("limit as a string in JSON", lambda: search({"text": "a", "limit": "5"}), 400, "invalid_field", "limit"),
    Case("a negative offset", _get("/v1/search?q=a&offset=-1"), 400, "invalid_field", "offset"),
    Case(
        "a page beyond 1,000", lambda: search({"text": "a", "offset": 990, "limit": 20}), 400, "invalid_field", "offset"
    ),
    Case("an unknown parameter", _get("/v1/search?q=a&colour=red"), 400, "unknown_field", "colour"),
    Case("a price of NaN in the address", _get("/v1/search?q=a&min_price=nan"), 400, "invalid_field", "min_price"),
    Case("text of 100 kB", lambda: search({"text": "a" * 100_000}), 400, "invalid_field", "text"),
    Case("text of spaces", lambda: search({"text": "   "}), 400, "invalid_field", "text"),
    Case(
        "weights of nothing",
        lambda: search({"text": "a", "weights": {"image": 0, "text": 0}}),
        400,
        "invalid_field",
        "weights",
    ),
    Case("like an unknown product", lambda: search({"product_id": "nobody"}), 404, "product_not_found", "product_id"),
    Case("like an unknown picture", lambda: search({"image": {"image_id": "f" * 64}}), 404, "image_not_found"),
    Case("like a picture with a climbing id", lambda: search({"image": {"image_id": "../x"}}), 404, "image_not_found"),
]

LOOKUPS = [
    Case("an unknown product", _get("/v1/products/nobody"), 404, "product_not_found"),
    Case("deleting an unknown product", lambda: request("DELETE", "/v1/products/nobody"), 404, "product_not_found"),
    Case(
        "patching an unknown product",
        lambda: raw("PATCH", "/v1/products/nobody", '{"price": 1}'),
        404,
        "product_not_found",
    ),
    Case("an unknown job", _get("/v1/jobs/nothing"), 404, "job_not_found"),
    Case("items of an unknown job", _get("/v1/jobs/nothing/items"), 404, "job_not_found"),
    Case("items in a state that is none", _get("/v1/jobs/nothing/items?state=lost"), 400, "invalid_field", "state"),
    Case("a cursor that is none", _get("/v1/jobs/nothing/items?cursor=x"), 400, "invalid_field", "cursor"),
    Case("an unknown picture", _get(f"/v1/images/{'0' * 64}"), 404, "image_not_found"),
    Case("a picture id that climbs", _get("/v1/images/..%2f..%2fetc%2fpasswd"), 404, "not_found"),
    Case("a thumbnail 9,999 pixels wide", _get(f"/v1/images/{'0' * 64}?width=9999"), 400, "invalid_field", "width"),
    Case(
        "a merchant that is none",
        lambda: request("GET", "/v1/status", headers={"X-Shelfsight-Merchant": "a/b"}),
        400,
        "invalid_merchant",
    ),
]

IMPORTS = [
    Case(
        "a ZIP that is none", lambda: raw("POST", "/v1/imports", b"PK nope", "application/zip"), 422, "invalid_archive"
    ),
    Case("a ZIP without a manifest", lambda: archive({"a.jpg": b"x"}), 422, "invalid_archive"),
    Case(
        "a ZIP with a climbing name",
        lambda: archive({"products.csv": b"product_id,image\n", "../evil.jpg": b"x"}),
        422,
        "archive_unsafe_name",
    ),
    Case(
        "a CSV without its columns",
        lambda: archive({"products.csv": b"title\nA\n"}),
        422,
        "csv_missing_column",
        "product_id",
    ),
    Case("an empty CSV", lambda: archive({"products.csv": b""}), 422, "csv_invalid"),
    Case("a header with bad quoting", lambda: archive({"products.csv": b'"product_id"x,image\n'}), 422, "csv_invalid"),
]

CASES = [*BODIES, *PICTURES, *FACTS, *SEARCHES, *LOOKUPS, *IMPORTS]
