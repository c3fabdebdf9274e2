"""Reads the colours out of a text: "light blue summer dress" -> (blue, "summer dress").

The network's classes know no colours, so colour words are taken out of the text before it is compared with class names
and asked of the colour part of the vectors instead.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.embedding.packaged.colour_shades import COLOUR_WORDS
from backend.embedding.packaged.recipe import COLOUR_NAMES


class ColouredText(NamedTuple):
    """`shares` (11,) float32 sums to 1, or is all zero when no colour was named; `rest` is the text without it."""

    shares: NDArray[np.float32]
    rest: str


# Each is also a thing one can buy: alone, or as the last word, it means that thing.
_ALSO_THINGS = frozenset({
    "amber", "apricot", "aubergine", "blush", "camel", "chocolate", "cognac", "coral", "cream", "denim", "lavender",
    "lime", "mint", "mustard", "olive", "orange", "peach", "petrol", "plum", "rose", "ruby", "sage", "salmon", "sand",
})  # fmt: skip
# Before these words they mean the thing too.
_MADE_OF_THINGS = frozenset({
    "bar", "bush", "butter", "cake", "cheese", "coffee", "fish", "garden", "ice", "jam", "juice", "leaf", "milk",
    "oil", "paper", "plant", "powder", "reef", "roses", "sauce", "seed", "seeds", "soap", "soup", "sugar",
    "syrup", "tea", "tomato", "toothpaste", "tree", "water", "wine",
})  # fmt: skip
# With these words a colour makes the name of a thing, and nobody wishes for a colour.
_NAMES_MADE = dict.fromkeys(_ALSO_THINGS, _MADE_OF_THINGS) | {
    "black": frozenset({"board", "coffee", "pepper", "tea"}),
    "blue": frozenset({"cheese"}),
    "brown": frozenset({"bread", "rice", "sugar"}),
    "golden": frozenset({"retriever"}),
    "green": frozenset({"house", "salad", "tea"}),
    "red": frozenset({"cabbage", "onion", "wine"}),
    "white": frozenset({"board", "bread", "chocolate", "wine"}),
}
# Cloth first and colour second: the word is counted and stays in the text.
_ALSO_CLOTH = frozenset({"denim"})
# Before a colour they only say which; the eleven names do not tell them apart.
_SHADINGS = frozenset({
    "baby", "bottle", "bright", "burnt", "dark", "deep", "dusty", "electric", "forest", "hot", "light", "mid",
    "midnight", "neon", "off", "pale", "pastel", "powder", "royal", "sky", "soft", "steel",
})  # fmt: skip
_JOINERS = frozenset({"and", "n", "or", "with"})
_COLOUR_NOUNS = frozenset({"color", "colored", "colors", "colour", "coloured", "colours", "tone", "tones"})
_NOT_NOUNS = _JOINERS | {"for", "from", "in", "of", "on", "to", "without"}
_FILLERS = _NOT_NOUNS | {
    "a", "an", "any", "anything", "it", "items", "one", "ones", "products", "something", "stuff", "the",
    "thing", "things",
}  # fmt: skip

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
"""Letters and digits, joined by apostrophes (straight or typographic) and hyphens."""


def colours_of(text: str) -> ColouredText:
    """Take the colour words out of a text.

    "orange", "rose" and the like are colours only where something follows them ("orange dress"), after "in" ("dress in
    orange") or beside another colour. As the whole text they are both: oranges first, then what else is orange.
    """
    words = _split(text)
    coloured = _coloured(words)
    is_both = len(words) == 1 and words[0] in _ALSO_THINGS
    if is_both:
        coloured = {0}
    shares = np.zeros(len(COLOUR_NAMES), dtype=np.float32)
    for index in coloured:
        for name, share in COLOUR_WORDS[words[index]].items():
            shares[COLOUR_NAMES.index(name)] += share
    if not coloured:
        return ColouredText(shares, text.strip())
    dropped = _with_attendants(words, coloured)
    kept = [word for index, word in enumerate(words) if index not in dropped or word in _ALSO_CLOTH or is_both]
    rest = "" if all(word in _FILLERS for word in kept) else " ".join(kept)
    return ColouredText(shares / shares.sum(), rest)


def _split(text: str) -> list[str]:
    """Lower-case words; "navy-blue" and "black-and-white" become their parts, "t-shirt" and "off-white" stay whole."""
    words: list[str] = []
    for word in _WORD.findall(text.casefold()):
        parts = word.split("-")
        splittable = word not in COLOUR_WORDS and any(part in COLOUR_WORDS for part in parts)
        words.extend(parts if splittable else [word])
    return words


def _coloured(words: list[str]) -> set[int]:
    """Positions of the words that name a colour. From the end, because a word's meaning hangs on what follows."""
    found: set[int] = set()
    for index in reversed(range(len(words))):
        word, after = words[index], words[index + 1 : index + 3]
        if word not in COLOUR_WORDS or (after and after[0] in _NAMES_MADE.get(word, ())):
            continue
        if word not in _ALSO_THINGS or _used_as_colour(words, index, after, found):
            found.add(index)
    return found


def _used_as_colour(words: list[str], index: int, after: list[str], found: set[int]) -> bool:
    if index and words[index - 1] in ({"in"} | _SHADINGS):
        return True
    if not after:
        return False
    if after[0] in _JOINERS:  # "orange and black dress", but "orange and lime juice"
        return index + 2 in found
    return after[0] not in _NOT_NOUNS


def _with_attendants(words: list[str], coloured: set[int]) -> set[int]:
    """The colours' positions, and those of the words that only serve them: "light", "coloured", "and", a last "in"."""
    dropped = set(coloured)
    for index in sorted(coloured, reverse=True):
        if index + 1 < len(words) and words[index + 1] in _COLOUR_NOUNS:
            dropped.add(index + 1)
        before = index - 1
        while before >= 0 and words[before] in _SHADINGS | _COLOUR_NOUNS:
            dropped.add(before)
            before -= 1
        if before < 0:
            continue
        joins = words[before] in _JOINERS and before - 1 in coloured
        ends = words[before] == "in" and all(later in dropped for later in range(index, len(words)))
        if joins or ends:
            dropped.add(before)
    return dropped
