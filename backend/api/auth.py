"""Who calls: the key, the merchant, and for an open door that the caller really is on this machine."""

import hmac
from urllib.parse import urlsplit

from flask import Request

from backend.domain.product_facts import merchant_of
from backend.errors import ForeignOrigin, Unauthorized
from backend.settings import is_loopback

MERCHANT_HEADER = "X-Shelfsight-Merchant"
DEFAULT_MERCHANT = "default"
OPEN_PATHS = ("/healthz", "/readyz", "/openapi.json", "/docs")
"""Probes and the reference need no key: they tell nothing about any merchant."""


def check_door(request: Request, key: str | None) -> None:
    """Raise `Unauthorized` or `ForeignOrigin` unless the caller may come in."""
    if request.path in OPEN_PATHS or request.path.startswith("/docs/"):
        return
    if key is None:
        _check_local(request)
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # compared as bytes (a str with other than ASCII would raise) and in constant time (or the key could be guessed)
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("utf-8", "replace"), key.encode()):
        raise Unauthorized


def merchant_in(request: Request) -> str:
    """Whose catalog the request is about. Raises `InvalidMerchant`."""
    return merchant_of(request.headers.get(MERCHANT_HEADER, DEFAULT_MERCHANT))


def _check_local(request: Request) -> None:
    """An open door serves programs of this machine, not the pages of other sites a browser on it has open."""
    if not is_loopback(_host(f"//{request.host}")):  # a foreign name that resolves to us: DNS rebinding
        raise ForeignOrigin(f"{request.host} is not an address of this machine")
    origin = request.headers.get("Origin")
    if origin is not None and not is_loopback(_host(origin)):
        raise ForeignOrigin(f"pages of {origin[:100]} may not call an open server")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
