"""The words a product is found by, and the words of a search, brought to one form so that they meet.

One form for every language: lower case without accents, split at whatever is neither letter nor digit. No stemming and
no list of stop words, which would need one language a shop: the index weighs rare words more, so `with` and `for` say
next to nothing, and `spelling` joins `dress` and `dresses`.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from backend.domain.product import Product

SPELLED = 3
"""Characters of a piece of a word: two say too little, four meet too few pieces of a short word spelt wrongly."""
EDGE = "\u01c1"
"""Marks a word's two ends in its pieces, so that they weigh as much as its middle. A letter (of Khoisan languages, in
no product's title), because indexes split text at what is none."""
MAX_WORD = 40
"""Longer runs are no words (addresses, encoded data); their beginning is kept."""


_TEXTS = ("product_id", "title", "brand", "category")
_PART = re.compile(r"[^\W_]+")  # letters and digits, as str.isalnum takes them


class WordField(StrEnum):
    """The two texts of a product in an index."""

    WORDS = "words"
    SPELLING = "spelling"


def words_of(text: str) -> list[str]:
    """The words in order, and for those joined by a sign (`AB-12`, `t-shirt`) their join (`ab12`, `tshirt`) too."""
    return [word for parts in parts_of(text) for word in run_words(parts)]


def run_words(parts: Sequence[str]) -> list[str]:
    """The parts of one run, and their join when there are several."""
    return [*parts, "".join(parts)[:MAX_WORD]] if len(parts) > 1 else [*parts]


def parts_of(text: str) -> list[list[str]]:
    """The words of each run of characters without a space: `T-shirt red` -> `t`, `shirt` and `red`."""
    split = ([part[:MAX_WORD] for part in _PART.findall(run)] for run in _folded(text).split())
    return [parts for parts in split if parts]


def pieces_of(words: Iterable[str]) -> list[str]:
    """Every three characters of each word that follow each other, its ends marked: near spellings share most."""
    return [piece for word in words for piece in _pieces(word)]


def product_words(product: Product) -> list[str]:
    """What a product is found by: its id, title, brand, category, and the texts of its attributes (codes, colours)."""
    return _words_in(product.key.product_id, product.title, product.brand, product.category, product.attributes)


def names_of(product: Product) -> list[str]:
    """The words that a slip may have meant: those of its title, brand and category, but no part of a code."""
    runs = [
        run for text in (product.title, product.brand, product.category) for run in parts_of(text.replace("/", " "))
    ]
    return [word for parts in runs if "".join(parts).isalpha() for word in run_words(parts)]


def payload_words(payload: Mapping[str, object]) -> set[str]:
    """The same of the facts a match carries."""
    attributes = payload.get("attributes")
    product_id, title, brand, category = (str(payload.get(name) or "") for name in _TEXTS)
    return {*_words_in(product_id, title, brand, category, attributes if isinstance(attributes, Mapping) else {})}


def _words_in(product_id: str, title: str, brand: str, category: str, attributes: Mapping[str, object]) -> list[str]:
    texts = [product_id, title, brand, *category.split("/")]
    for value in attributes.values():
        texts += value if isinstance(value, list | tuple) else [value] if isinstance(value, str) else []
    return [word for text in texts for word in words_of(text)]


def _folded(text: str) -> str:
    """Lower case, compatible forms joined (NFKD), accents dropped: Unicode Standard Annex 15.

    Signs go first: NFKD would make letters of some, and `Acme™` would be the word `acmetm`.
    """
    if text.isascii():
        return text.lower()  # the same, without a look at each character
    said = "".join(" " if unicodedata.category(char) == "So" else char for char in text)
    apart = unicodedata.normalize("NFKD", said).casefold()
    return "".join(char for char in apart if not unicodedata.combining(char))


def _pieces(word: str) -> Iterator[str]:
    marked = f"{EDGE}{word}{EDGE}"
    return (marked[start : start + SPELLED] for start in range(len(marked) - SPELLED + 1))
