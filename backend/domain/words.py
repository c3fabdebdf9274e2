"""The words a product is found by, and the words of a search, brought to one form so that they meet.

One form for every language: lower case without accents, split at whatever is neither letter nor digit. No stemming and
no list of stop words, which would need one language a shop: the index weighs rare words more, so `with` and `for` say
next to nothing, and `spelling` joins `dress` and `dresses`.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum

from backend.domain.product import Product

SPELLED = 3
"""Characters of a piece of a word: two say too little, four meet too few pieces of a short word spelt wrongly."""
EDGE = "\u01c1"
"""Marks a word's two ends in its pieces, so that they weigh as much as its middle. A letter (of Khoisan languages, in
no product's title), because indexes split text at what is none."""
MAX_WORD = 40
"""Longer runs are no words (addresses, encoded data); their beginning is kept."""


class WordField(StrEnum):
    """The two texts of a product in an index."""

    WORDS = "words"
    SPELLING = "spelling"


def words_of(text: str) -> list[str]:
    """The words in order, and for those joined by a sign (`AB-12`, `t-shirt`) their join (`ab12`, `tshirt`) too."""
    found: list[str] = []
    for run in _folded(text).split():
        parts = [part[:MAX_WORD] for part in _split(run)]
        found += parts
        if len(parts) > 1:
            found.append("".join(parts)[:MAX_WORD])
    return found


def pieces_of(words: Iterable[str]) -> list[str]:
    """Every three characters of each word that follow each other, its ends marked: near spellings share most."""
    return [piece for word in words for piece in _pieces(word)]


def product_words(product: Product) -> list[str]:
    """What a product is found by: its id, title, brand, category, and the texts of its attributes (codes, colours)."""
    texts = [product.key.product_id, product.title, product.brand, *product.category.split("/")]
    for value in product.attributes.values():
        texts += value if isinstance(value, tuple) else [value] if isinstance(value, str) else []
    return [word for text in texts for word in words_of(text)]


def _folded(text: str) -> str:
    """Lower case, compatible forms joined (NFKD), accents dropped: Unicode Standard Annex 15.

    Signs go first: NFKD would make letters of some, and `Acme™` would be the word `acmetm`.
    """
    said = "".join(" " if unicodedata.category(char) == "So" else char for char in text)
    apart = unicodedata.normalize("NFKD", said).casefold()
    return "".join(char for char in apart if not unicodedata.combining(char))


def _split(run: str) -> Iterator[str]:
    part = ""
    for char in run:
        if char.isalnum():
            part += char
        elif part:
            yield part
            part = ""
    if part:
        yield part


def _pieces(word: str) -> Iterator[str]:
    marked = f"{EDGE}{word}{EDGE}"
    return (marked[start : start + SPELLED] for start in range(len(marked) - SPELLED + 1))
