"""A product as a JSON object: the fields of the API's `PUT` body and `product_id`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain.importing import PictureRef
from backend.domain.product_facts import FACTS, shown
from backend.domain.strict_json import strict_value
from backend.errors import FieldError, InvalidField, InvalidInput, InvalidJsonLines, UnknownField
from backend.manifests.draft import Draft, picture_ref, reason_of
from backend.manifests.template import ATTRIBUTE_PREFIX

_FIELDS = ("product_id", "images", *FACTS)
_PICTURE_KEYS = ("url", "data", "image_id")

Text = tuple[int, bytes | InvalidInput]
"""Where an object begins, and its bytes or why they could not be had."""


@dataclass(frozen=True)
class JsonProducts:
    """The products of a file of JSON objects. `texts` reads the file from its start. `columns`: field -> key."""

    texts: Callable[[], Iterator[Text]]
    columns: Mapping[str, str]
    ignored_columns: tuple[str, ...] = ()
    name: str = "shelfsight"

    def drafts(self, first: int) -> Iterator[tuple[int, Draft]]:
        """Drafts with their numbers from `first`; those before it are counted and not parsed."""
        for number, (line, text) in enumerate(self.texts(), start=1):
            if number >= first:
                yield number, self._draft(line, text)

    def _draft(self, line: int, text: bytes | InvalidInput) -> Draft:
        product_id = None
        try:
            if isinstance(text, InvalidInput):
                raise text
            fields = json_object(text)
            product_id = fields.get(self.columns.get("product_id", "product_id"))
            return _draft_of(line, self._named(fields))
        except Exception as err:  # noqa: BLE001 - see reason_of
            return Draft(line, product_id, error=reason_of(err))

    def _named(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The object by a product's own names. Raises `UnknownField`."""
        mapped = {name: fields[key] for name, key in self.columns.items() if key in fields}
        keys = set(self.columns.values())
        unknown = [key for key in fields if key not in _FIELDS and key not in keys]
        if unknown:
            raise UnknownField(
                f"unknown field: {shown(', '.join(unknown))}",
                errors=[FieldError(shown(key), UnknownField.code, "no such field") for key in unknown],
            )
        return {key: value for key, value in fields.items() if key in _FIELDS} | mapped


def json_object(text: bytes) -> dict[str, Any]:
    """See `backend.domain.strict_json`. Raises `InvalidJsonLines`."""
    try:
        value = strict_value(text)
    except ValueError as err:
        raise InvalidJsonLines(f"not JSON: {shown(str(err))}") from err
    if not isinstance(value, dict):
        raise InvalidJsonLines("an object is expected")
    return value


def _draft_of(line: int, fields: Mapping[str, Any]) -> Draft:
    facts = {name: fields[name] for name in FACTS if name in fields}
    inner = {
        name.removeprefix(ATTRIBUTE_PREFIX): value
        for name, value in fields.items()
        if name.startswith(ATTRIBUTE_PREFIX)
    }
    if inner:
        attributes = facts.get("attributes") or {}
        facts["attributes"] = {**attributes, **inner} if isinstance(attributes, Mapping) else attributes
    pictures = fields.get("images") or fields.get("image") or []
    if isinstance(pictures, str):
        pictures = [pictures]
    if not isinstance(pictures, list):
        raise InvalidField("images: a list is expected", field="images")
    refs = tuple(_picture(f"images[{at}]", picture) for at, picture in enumerate(pictures))
    return Draft(line, fields.get("product_id"), facts, refs)


def _picture(where: str, value: object) -> PictureRef:
    if isinstance(value, str) and value.strip():
        return picture_ref(value.strip())
    if isinstance(value, dict) and len(value) == 1:
        key, text = next(iter(value.items()))
        if key in _PICTURE_KEYS and isinstance(text, str) and text:
            return PictureRef(**{key: text})
    raise InvalidField(f"{where}: a name, or an object with one of {', '.join(_PICTURE_KEYS)}", field=where)
