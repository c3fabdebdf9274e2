"""Bodies, facts, addresses and headers that are wrong."""

import json
from collections.abc import Callable

import httpx

from tests import pictures
from tests.bad_inputs.case import IMPORTS, KNOWN, PRODUCT, USED_KEY, Case, get, put, put_images, raw, request, search


def _with_facts(**facts: object) -> Callable[[], httpx.Request]:
    return lambda: put(json.dumps(facts), pictures.jpeg())


BODIES = [
    Case("put without a body", lambda: request("PUT", PRODUCT), 400, "body_missing"),
    Case("put of plain text", lambda: raw("PUT", PRODUCT, "hello", "text/plain"), 415, "unsupported_content_type"),
    Case("put of an empty JSON body", lambda: raw("PUT", PRODUCT, ""), 400, "body_missing"),
    Case("put of malformed JSON", lambda: raw("PUT", PRODUCT, '{"title": '), 400, "invalid_json"),
    Case("put of a JSON list", lambda: raw("PUT", PRODUCT, "[]"), 400, "invalid_field", "body"),
    Case("put of JSON that is not UTF-8", lambda: raw("PUT", PRODUCT, b'{"title": "caf\xe9"}'), 400, "invalid_json"),
    Case("put of a name given twice", lambda: raw("PUT", PRODUCT, '{"title": "a", "title": "b"}'), 400, "invalid_json"),
    Case("put of deeply nested JSON", lambda: raw("PUT", PRODUCT, "[" * 100_000), 400, "invalid_json"),
    Case(
        "put of 300,000 pictures that are numbers",
        lambda: raw("PUT", PRODUCT, '{"images": [' + "1," * 300_000 + "1]}"),
        400,
        "invalid_field",
    ),
    Case("put of 2,000,000 values", lambda: raw("PUT", PRODUCT, "[" + "1," * 2_000_000 + "1]"), 400, "invalid_json"),
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
    Case("import of plain text", lambda: raw("POST", IMPORTS, "a", "text/plain"), 415, "unsupported_content_type"),
    Case("put of UTF-16", lambda: raw("PUT", PRODUCT, '{"images": []}'.encode("utf-16")), 400, "invalid_json"),
    Case(
        "put of a number of 5,000 digits",
        lambda: raw("PUT", PRODUCT, '{"price": ' + "9" * 5_000 + "}"),
        400,
        "invalid_json",
    ),
    Case(
        "put of a form that breaks off",
        lambda: raw("PUT", PRODUCT, b"--x\r\nContent-", "multipart/form-data; boundary=x"),
        400,
        "invalid_field",
        "product",
    ),
    Case(
        "put of a form without a boundary",
        lambda: raw("PUT", PRODUCT, b"hello", "multipart/form-data"),
        400,
        "invalid_field",
        "product",
    ),
    Case(
        "delete with a merchant in the address",
        lambda: request("DELETE", "/v1/products/other/known-1"),
        404,
        "not_found",
    ),
    Case("a wrong method", lambda: request("POST", PRODUCT), 405, "http_error"),
    Case("an unknown address", get("/v1/nowhere"), 404, "not_found"),
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
    Case('a price of "1e-999999999"', _with_facts(price="1e-999999999"), 400, "invalid_field", "price"),
    Case('a price of "1_0"', _with_facts(price="1_0"), 400, "invalid_field", "price"),
    Case("an attribute of 400 digits", _with_facts(attributes={"a": 10**400}), 400, "invalid_field", "attributes"),
    Case("2,000 attributes", _with_facts(attributes={f"a{n}": 1 for n in range(2_000)}), 400, "invalid_json"),
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

LOOKUPS = [
    Case("an unknown product", get("/v1/products/nobody"), 404, "product_not_found"),
    Case("deleting an unknown product", lambda: request("DELETE", "/v1/products/nobody"), 404, "product_not_found"),
    Case(
        "patching an unknown product",
        lambda: raw("PATCH", "/v1/products/nobody", '{"price": 1}'),
        404,
        "product_not_found",
    ),
    Case("an unknown job", get("/v1/jobs/nothing"), 404, "job_not_found"),
    Case("items of an unknown job", get("/v1/jobs/nothing/items"), 404, "job_not_found"),
    Case("items in a state that is none", get("/v1/jobs/nothing/items?state=lost"), 400, "invalid_field", "state"),
    Case("a cursor that is none", get("/v1/jobs/nothing/items?cursor=x"), 400, "invalid_field", "cursor"),
    Case("an unknown picture", get(f"/v1/images/{'0' * 64}"), 404, "image_not_found"),
    Case("a picture id that climbs", get("/v1/images/..%2f..%2fetc%2fpasswd"), 404, "not_found"),
    Case("a thumbnail 9,999 pixels wide", get(f"/v1/images/{'0' * 64}?width=9999"), 400, "invalid_field", "width"),
    Case(
        "a merchant that is none",
        lambda: request("GET", "/v1/status", headers={"X-Shelfsight-Merchant": "a/b"}),
        400,
        "invalid_merchant",
    ),
]

HEADERS = [
    Case(
        "an Idempotency-Key of 256 characters",
        lambda: raw("PATCH", f"/v1/products/{KNOWN}", '{"price": 1}', Idempotency_Key="k" * 256),
        400,
        "invalid_field",
        "Idempotency-Key",
    ),
    Case(
        "an Idempotency-Key that is not ASCII",
        lambda: request("DELETE", f"/v1/products/{KNOWN}", headers={"Idempotency-Key": "schl\u00fcssel".encode()}),
        400,
        "invalid_field",
        "Idempotency-Key",
    ),
    Case(
        "an Idempotency-Key with another body",
        lambda: raw("PATCH", f"/v1/products/{KNOWN}", '{"price": 2}', Idempotency_Key=USED_KEY),
        409,
        "idempotency_key_reused",
    ),
    Case(
        "an Idempotency-Key with another method",
        lambda: request("DELETE", f"/v1/products/{KNOWN}", headers={"Idempotency-Key": USED_KEY}),
        409,
        "idempotency_key_reused",
    ),
    Case(
        "an Idempotency-Key with another route",
        lambda: raw("POST", IMPORTS, "product_id,image\n", "text/csv", Idempotency_Key=USED_KEY),
        409,
        "idempotency_key_reused",
    ),
    *(
        Case(
            f"an upload of nothing with Prefer: {prefer}",
            lambda prefer=prefer: put_images(Prefer=prefer),  # type: ignore[misc] # binds the value of this turn
            400,
            "pictures_missing",
            "images",
        )
        for prefer in ("wait=-1", "wait=abc", "wait=1e9", "wait=99999999999", "wait=;;;,,,", "respond-async, wait")
    ),
    Case("retry of an unknown job", lambda: request("POST", "/v1/jobs/nothing/retry"), 404, "job_not_found"),
    Case("cancel of an unknown job", lambda: request("POST", "/v1/jobs/nothing/cancel"), 404, "job_not_found"),
    Case("events of an unknown job", get("/v1/jobs/nothing/events"), 404, "job_not_found"),
    Case("a job id that climbs", get("/v1/jobs/..%2f..%2fstatus"), 404, "not_found"),
    Case("a job id of 10,000 characters", get("/v1/jobs/" + "a" * 10_000), 404, "job_not_found"),
    Case("events with a wrong method", lambda: request("POST", "/v1/jobs/nothing/events"), 405, "http_error"),
    Case("items, 0 at a time", get("/v1/jobs/nothing/items?limit=0"), 400, "invalid_field", "limit"),
    Case("items, 1,001 at a time", get("/v1/jobs/nothing/items?limit=1001"), 400, "invalid_field", "limit"),
    Case(
        "a job of another merchant",
        lambda: request("GET", "/v1/jobs/nothing", headers={"X-Shelfsight-Merchant": "other"}),
        404,
        "job_not_found",
    ),
    Case(
        "a product of another merchant",
        lambda: request("GET", f"/v1/products/{KNOWN}", headers={"X-Shelfsight-Merchant": "other"}),
        404,
        "product_not_found",
    ),
]
