"""The rules for a merchant's facts, the same for every door: JSON bodies and rows of a file end up here.

`product_of` checks everything and reports everything that is wrong at once, so that a caller mends a product in one go.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from backend.domain.product import AttributeValue, Product, ProductKey
from backend.errors import FieldError, InvalidField, InvalidMerchant, UnknownField

MAX_ID = 128  # fits every SKU scheme we know of and keeps point ids, URLs and logs short
MAX_TITLE = 500
MAX_DESCRIPTION = 20_000
MAX_BRAND = 200
MAX_CATEGORY = 255
MAX_CATEGORY_DEPTH = 10
MAX_URL = 2_000
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_VALUE = 500
MAX_ATTRIBUTE_LIST = 50
MAX_PRICE = Decimal(
    "999999999.9999"
)  # as 1/10000 units it fits 64 bits with room to spare; a float keeps it exactly enough
PRICE_PLACES = 4  # the finest minor unit in ISO 4217 (CLF)

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:+@~-]*"
MERCHANT_PATTERN = r"[A-Za-z0-9_-]{1,64}"
ATTRIBUTE_PATTERN = r"[A-Za-z0-9_-]{1,64}"
CURRENCY_PATTERN = r"[A-Z]{3}"

_FINEST = Decimal(1).scaleb(-PRICE_PLACES)
# Decimal itself also takes `1_0`, `NaN` and exponents of nine digits, which it rounds to 0 wherever it calculates.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]{1,3})?")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]"
)  # never meant; lone surrogates cannot be stored as UTF-8


def product_of(key: ProductKey, facts: Mapping[str, object], *, default_currency: str) -> Product:
    """A product from plain values (as JSON or a row gives them). None or absent means the field's default.

    Raises `InvalidField` or `UnknownField` with one entry in `errors` for each thing wrong.
    """
    unknown = [FieldError(name, UnknownField.code, "no such field") for name in facts if name not in FACTS]
    if unknown:
        raise UnknownField(f"unknown field: {', '.join(item.field for item in unknown)}", errors=unknown)
    values: dict[str, Any] = {}
    wrong: list[FieldError] = []
    for name, rule in _RULES.items():
        if facts.get(name) is None:
            continue
        try:
            values[name] = rule(facts[name])
        except ValueError as err:
            wrong.append(FieldError(name, InvalidField.code, str(err)))
    if wrong:
        raise InvalidField("; ".join(f"{item.field}: {item.message}" for item in wrong), errors=wrong)
    if "price" in values:
        # not the other way round: a currency without a price stands by for the next one
        values.setdefault("currency", default_currency)
    return Product(key=key, **values)


def patched(product: Product, patch: Mapping[str, object], *, default_currency: str) -> Product:
    """The product after a merge patch of its facts (RFC 7396): null removes, objects merge, anything else replaces.

    Raises as `product_of` does.
    """
    facts: dict[str, object] = {name: getattr(product, name) for name in FACTS}
    for name, value in patch.items():
        known = facts.get(name)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            facts[name] = {inner: item for inner, item in {**known, **value}.items() if item is not None}
        else:
            facts[name] = value
    return product_of(product.key, facts, default_currency=default_currency)


def product_id_of(value: object) -> str:
    """A valid product id, unchanged. Raises `InvalidField`."""
    if not isinstance(value, str) or len(value) > MAX_ID or not re.fullmatch(ID_PATTERN, value):
        raise InvalidField(
            f"a product id has 1 to {MAX_ID} of letters, digits and . _ : + @ ~ - and begins with a letter or digit",
            field="product_id",
        )
    return value


def merchant_of(value: str) -> str:
    """A valid merchant name, unchanged. Raises `InvalidMerchant`."""
    if not re.fullmatch(MERCHANT_PATTERN, value):
        raise InvalidMerchant
    return value


def shown(text: str, limit: int = 200) -> str:
    """What a caller wrote, made safe to store and to show again: short, without control characters and surrogates.

    For names in ledgers and messages only; facts are refused instead of changed.
    """
    return re.sub(_CONTROL, "\N{REPLACEMENT CHARACTER}", text[:limit])


def price_of(value: object) -> Decimal:
    """An exact price from a decimal string or a JSON number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError("a price is a number or a decimal string")
    if isinstance(value, int):
        price = Decimal(value)  # not through str, which refuses integers of thousands of digits
    else:
        text = str(value).strip()  # through str: 19.99 stays 19.99 and does not become 19.989999...
        if not _DECIMAL.fullmatch(text):
            raise ValueError(f"not a decimal number: {text[:40]!r}")
        price = Decimal(text)
    if price < 0 or price > MAX_PRICE:
        raise ValueError(f"a price lies between 0 and {MAX_PRICE}")
    rounded = price.quantize(_FINEST)
    if rounded != price:
        raise ValueError(f"a price has at most {PRICE_PLACES} decimals")
    exponent = price.as_tuple().exponent
    is_finer = isinstance(exponent, int) and exponent < -PRICE_PLACES
    return (rounded if is_finer else price) + 0  # as it was written, but for zeros beyond the last place; -0 becomes 0


def category_of(value: object) -> str:
    """A normalised category path: no outer slashes, no empty, `.` or `..` parts. Raises ValueError."""
    text = _text(MAX_CATEGORY)(value)
    parts = [part.strip() for part in text.strip("/ ").split("/")] if text.strip("/ ") else []
    if len(parts) > MAX_CATEGORY_DEPTH:
        raise ValueError(f"a category has at most {MAX_CATEGORY_DEPTH} levels")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("a category's parts are neither empty nor '.' nor '..'")
    return "/".join(parts)


def currency_of(value: object) -> str:
    """An ISO 4217 code in capitals. Raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(CURRENCY_PATTERN, value.strip().upper()):
        raise ValueError("a currency is an ISO 4217 code such as EUR")
    return value.strip().upper()


def attributes_of(value: object) -> dict[str, AttributeValue]:
    """A flat map of names to strings, numbers, booleans or lists of strings. Raises ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError("attributes are an object of names and values")
    if len(value) > MAX_ATTRIBUTES:
        raise ValueError(f"at most {MAX_ATTRIBUTES} attributes")
    return {_attribute_name(name): _attribute(name, item) for name, item in value.items() if item is not None}


def _attribute_name(name: object) -> str:
    if not isinstance(name, str) or not re.fullmatch(ATTRIBUTE_PATTERN, name):
        raise ValueError(f"attribute name {str(name)[:40]!r}: 1 to 64 letters, digits, '-' or '_'")
    return name


def _attribute(name: str, value: object) -> AttributeValue:
    match value:
        case bool():
            return value
        case int() | float():
            # beyond 2^53 a double skips integers; NaN is not within it either, and no integer is too large to compare
            if not -(2**53) <= value <= 2**53:
                raise ValueError(f"{name}: a number is finite and at most 2^53")
            return value
        case str():
            return _text(MAX_ATTRIBUTE_VALUE)(value)
        case list() | tuple():
            if len(value) > MAX_ATTRIBUTE_LIST or not all(isinstance(item, str) for item in value):
                raise ValueError(f"{name}: a list has at most {MAX_ATTRIBUTE_LIST} strings")
            return tuple(_text(MAX_ATTRIBUTE_VALUE)(item) for item in value)
        case _:
            raise ValueError(f"{name}: a string, number, boolean or list of strings")


def _text(limit: int) -> Callable[[object], str]:
    def rule(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("a string is expected")
        if len(value) > limit:
            raise ValueError(f"at most {limit} characters")
        if _CONTROL.search(value):
            raise ValueError("control characters and lone surrogates are not allowed")
        return value

    return rule


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def _url(value: object) -> str:
    text = _text(MAX_URL)(value)
    if text and not re.match(r"https?://[^\s/]", text):
        raise ValueError("a URL begins with http:// or https://")
    return text


_RULES: dict[str, Callable[[object], object]] = {
    "title": _text(MAX_TITLE),
    "description": _text(MAX_DESCRIPTION),
    "category": category_of,
    "brand": _text(MAX_BRAND),
    "price": price_of,
    "currency": currency_of,
    "in_stock": _boolean,
    "url": _url,
    "attributes": attributes_of,
}
FACTS = tuple(_RULES)
"""The names of a product's facts."""
