"""What shop systems write in a cell, as Shelfsight keeps it: text of HTML, category paths, names of attributes."""

import contextlib
import html
import re

from backend.domain.product_facts import price_of
from backend.errors import InvalidField

MAX_MARKUP = 1_000_000  # fifty times the longest description; an item of a feed may be as large as a picture
MAX_LISTED = 50  # values of one attribute; `domain.product_facts` admits no more

# These keep what they took (possessive) and stop at the next '<', or begin at a blank only where none is before it: so
# no letter is read again and the time grows with the length. One that read back would hold the whole process up.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+|!|\?)[^<>]*+>")
_BEFORE_ADDRESS = re.compile(r"(?<!\\),\s*+(?=https?://)|(?<!\s)\s++(?=https?://)")
_UNREAD = ("script", "style")


def text_of(markup: str) -> str:
    """The text of an HTML fragment, blanks collapsed: each tag is one, scripts and styles are left out.

    Raises `InvalidField` for one of more than `MAX_MARKUP` characters.
    """
    if len(markup) > MAX_MARKUP:
        raise InvalidField(f"description: more than {MAX_MARKUP:,} characters of HTML", field="description")
    parts: list[str] = []
    at, inside = 0, ""
    for tag in _TAG.finditer(markup):
        if not inside:
            parts.append(markup[at : tag.start()])
        closing, name = tag.group(1), tag.group(2).lower()
        if name in _UNREAD and not closing and not inside:
            inside = name
        elif closing and name == inside:
            inside = ""
        at = tag.end()
    parts.append("" if inside else markup[at:])
    text = " ".join(parts)
    with contextlib.suppress(ValueError):  # a character's number of thousands of digits: nobody's text, and left so
        text = html.unescape(text)
    return " ".join(text.split())


def category_path(text: str) -> str:
    """`Clothing > Dresses` -> `clothing/dresses`. Without a `>` it is a path already."""
    parts = [part.replace("/", "-") for part in text.split(">")] if ">" in text else text.split("/")
    return "/".join(part.strip().lower() for part in parts if part.strip())


def attribute_name(text: str) -> str:
    """`Shoe size` -> `shoe_size`; empty when nothing is left that a name may hold."""
    return re.sub(r"[^a-z0-9-]+", "_", text.lower()).strip("_")[:64]


def listed(values: list[str]) -> str | list[str]:
    """One value as it is, several as a list, each once, in order."""
    once = list(dict.fromkeys(values))[:MAX_LISTED]
    return once[0] if len(once) == 1 else once


def cell_list(cell: str) -> list[str]:
    """The parts of a comma-separated cell; a backslash keeps a comma (WooCommerce writes it so)."""
    parts = (part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", cell))
    return [part for part in parts if part]


def pictures_in(cell: str) -> list[str]:
    """The pictures of a comma-separated cell. Addresses may hold commas, so there only a new address ends one."""
    if "://" not in cell:
        return cell_list(cell)
    return [part for piece in _BEFORE_ADDRESS.split(cell) if (part := piece.replace("\\,", ",").strip())]


def lowest_price(cells: list[str]) -> str | None:
    """The lowest of some prices; one that is no price goes first, so that it is refused and not passed over."""
    wrong = next((cell for cell in cells if not _is_price(cell)), None)
    return wrong or min(cells, key=price_of, default=None)


def _is_price(cell: str) -> bool:
    try:
        price_of(cell)
    except ValueError:
        return False
    return True
