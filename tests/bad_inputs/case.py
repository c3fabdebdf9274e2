"""What a bad request is: how it is made, and what it must get."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import httpx

PRODUCT = "/v1/products/bad-1"
IMPORTS = "/v1/imports"
CSV, TSV, JSON = "text/csv", "text/tab-separated-values", "application/json"
JSONL, RSS, ZIP = "application/x-ndjson", "application/rss+xml", "application/zip"
KNOWN = "known-1"
"""A product that exists; no bad request may change it."""

USED_KEY = "a key that was used before"
"""Sent before with a PATCH of `KNOWN`."""

Json = dict[str, Any]
Where = Literal["answer", "row", "job"]


@dataclass(frozen=True)
class Case:
    """A request, and what it must get. `field`: the first entry of `errors`, where one is promised.

    `where`: the request itself is refused; or it is accepted and its first row (a product's only one) ends as failed
    with the code and field; or its whole job does.
    """

    name: str
    make: Callable[[], httpx.Request]
    status: int
    code: str
    field: str | None = None
    where: Where = "answer"

    def __str__(self) -> str:
        return self.name


def request(method: str, path: str, **options: Any) -> httpx.Request:
    return httpx.Request(method, f"http://127.0.0.1{path}", **options)


def get(path: str, **headers: str) -> Callable[[], httpx.Request]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: request("GET", path, headers=named)


def put(product: Json | str, *images: bytes, name: str = "photo.jpg", path: str = PRODUCT) -> httpx.Request:
    """A multipart upload."""
    text = product if isinstance(product, str) else json.dumps(product)
    parts: list[tuple[str, Any]] = [("product", (None, text, "application/json"))]
    parts += [("images", (name, image, "image/jpeg")) for image in images]
    return request("PUT", path, files=parts)


def put_images(*images: object, **headers: str) -> httpx.Request:
    """A JSON upload of pictures as they are written there."""
    return raw("PUT", PRODUCT, json.dumps({"images": images}), **headers)


def raw(
    method: str, path: str, body: bytes | str, content_type: str = "application/json", **headers: str
) -> httpx.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return request(method, path, content=body, headers={"Content-Type": content_type, **named})


def search(body: Json | str) -> httpx.Request:
    return raw("POST", "/v1/search", body if isinstance(body, str) else json.dumps(body))


def search_by(image: bytes, query: Json | None = None) -> httpx.Request:
    parts: dict[str, Any] = {"image": ("photo.jpg", image, "image/jpeg")}
    return request("POST", "/v1/search", files=parts, data={"query": json.dumps(query)} if query is not None else None)


def archive(entries: dict[str, bytes]) -> httpx.Request:
    return raw("POST", IMPORTS, zip_of(entries), "application/zip")


def zip_of(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in entries.items():
            target.writestr(name, data)
    return buffer.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def import_of(body: bytes | str, content_type: str, **parameters: str) -> Callable[[], httpx.Request]:
    """A file of products; `parameters` go into the query string."""
    path = f"{IMPORTS}?{urlencode(parameters)}" if parameters else IMPORTS
    return lambda: raw("POST", path, body, content_type)
