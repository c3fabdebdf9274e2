"""What a record says of a product, before and after it is checked by the rules of `domain.product_facts`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from backend.domain.importing import ImportMode, PictureRef, Row
from backend.domain.product import ProductKey
from backend.domain.product_facts import product_id_of, product_of, shown
from backend.errors import FieldError, InvalidInput, ShelfsightError

log = logging.getLogger(__name__)

_DETAIL = 500  # characters of a message worth keeping: it may repeat what the file says


@dataclass(frozen=True, slots=True)
class Draft:
    """A product as its file has it. `facts`: only what is there, as `product_of` takes it (None: removed)."""

    line: int
    product_id: object = None
    facts: Mapping[str, object] = field(default_factory=dict)
    pictures: tuple[PictureRef, ...] = ()
    error: InvalidInput | None = None

    def overlaid(self, other: "Draft") -> "Draft":
        """This draft where `other` says nothing; attributes are joined name by name."""
        facts = {**self.facts, **other.facts}
        mine, theirs = self.facts.get("attributes"), other.facts.get("attributes")
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            facts["attributes"] = {**mine, **theirs}
        return replace(
            self,
            product_id=other.product_id or self.product_id,
            facts=facts,
            pictures=other.pictures or self.pictures,
        )


def row_of(number: int, draft: Draft, *, merchant: str, default_currency: str, mode: ImportMode) -> Row:
    """The row of a draft: a product, a patch, or why it was refused."""
    name = draft.product_id
    product_id = shown(name) if isinstance(name, str) and name else None
    try:
        if draft.error is not None:
            raise draft.error
        key = ProductKey(merchant, product_id_of(name))
        product = product_of(key, draft.facts, default_currency=default_currency)
    except Exception as err:  # noqa: BLE001 - see reason_of
        return Row(number, product_id, error=_told(reason_of(err)), line=draft.line)
    if mode is ImportMode.PATCH:
        return Row(number, product_id, patch=draft.facts, line=draft.line)
    # each once: a picture named twice would be unpacked, or decoded, twice
    return Row(number, product_id, product, tuple(dict.fromkeys(draft.pictures)), line=draft.line)


def reason_of(err: Exception) -> InvalidInput:
    """Why a row is refused. What nobody foresaw refuses its row too: raised, it would hold up the import for ever, as
    every turn begins at that row again.
    """
    if isinstance(err, InvalidInput):
        return err
    log.error("a row could not be read", exc_info=err)
    return _Unforeseen()


class _Unforeseen(InvalidInput):
    code = ShelfsightError.code
    mend = ShelfsightError.mend


def picture_ref(text: str) -> PictureRef:
    """A picture as a cell names it: an address, or else an entry of the ZIP."""
    return PictureRef(url=text) if text[:8].lower().startswith(("http://", "https://")) else PictureRef(entry=text)


def _told(err: InvalidInput) -> InvalidInput:
    """The same error, safe to store: it may repeat names from the file, which may hold anything."""
    wrong = [FieldError(shown(item.field), item.code, shown(item.message, _DETAIL)) for item in err.errors]
    return type(err)(shown(err.detail, _DETAIL), errors=wrong)
