"""The phrases whose pictures are known: ImageNet's class names and a shop's vocabulary.

The vocabulary is a lookup table with soft edges: a listed phrase is found well, one that contains a listed head term
("winter jacket") nearly as well, one without a listed relative by luck. So head terms are listed broadly.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

CLASS_COUNT = 1000

Classes = tuple[int, ...]
"""Indices of classes that are all equally meant."""

_PACKAGE = "backend.embedding.packaged"

_QUALIFIERS = re.compile(r"\s+(?:with|without|for|from|in|on|of|by|to|at|made)\s+")
_COUNTERS = re.compile(r"^(?:an? )?(?:pair|set|piece|pack|box|bunch|photo|picture|image) of (?:an? |the )?")
"""In "pair of jeans" the jeans are wanted, in "bottle of wine" the bottle too."""

_LONGEST_LISTED_WORDS = 4
"""No listed phrase that could end a longer one has more words ("pots and pans" has three)."""


@dataclass(frozen=True)
class Vocabulary:
    """`names[i]` are the names of class i; `phrases` maps what shoppers say to the classes that look like it."""

    names: tuple[tuple[str, ...], ...]
    phrases: Mapping[str, Classes]

    @cached_property
    def anchors(self) -> dict[str, Classes]:
        """Every known phrase once.

        What a shop means by a word stands above what ImageNet does: without that, "cardigan" is half a dog.
        """
        listed = {_key(phrase) for phrase in self.phrases}
        anchors: dict[str, Classes] = {}
        for index, names in enumerate(self.names):
            for name in names:
                if _key(name) not in listed:
                    # A name of two classes (a crane is a bird and a machine) means both.
                    anchors[name] = (*anchors.get(name, ()), index)
        return anchors | dict(self.phrases)

    def head_classes(self, text: str) -> Classes:
        """The classes of the longest listed phrase that ends the text, or none.

        An English compound is a kind of its last word: a "floral summer dress" is a dress. What follows a preposition
        is left out ("mug with handle"). Sentence embeddings alone weigh "floral" and "summer" as much as "dress".
        """
        words = _QUALIFIERS.split(_COUNTERS.sub("", _key(text)))[0].split()
        for start in range(max(0, len(words) - _LONGEST_LISTED_WORDS), len(words)):
            tail = " ".join(words[start:])
            # As written first: "glasses" are eyewear, a "glass" is for drinking.
            classes = self._by_key.get(tail) or self._by_singular.get(_singular(tail))
            if classes:
                return classes
        return ()

    @cached_property
    def _by_key(self) -> dict[str, Classes]:
        return {_key(text): classes for text, classes in self.anchors.items()}

    @cached_property
    def _by_singular(self) -> dict[str, Classes]:
        by_singular: dict[str, Classes] = {}
        for key, classes in self._by_key.items():
            by_singular.setdefault(_singular(key), classes)
        return by_singular


def load_vocabulary() -> Vocabulary:
    """Read the two data files that ship with the package."""
    names = parse_names(data_text("class_names.txt"))
    return Vocabulary(names=names, phrases=parse_phrases(data_text("vocabulary.txt"), names))


def data_text(name: str) -> str:
    """A data file of this package, with the same line ends on every system (the fingerprint hashes it)."""
    return files(_PACKAGE).joinpath(name).read_text("utf-8").replace("\r\n", "\n")


def parse_names(text: str) -> tuple[tuple[str, ...], ...]:
    """One class a line, names separated by commas. Raises `ValueError` unless there are 1,000."""
    names = tuple(tuple(line.split(", ")) for line in _lines(text))
    if len(names) != CLASS_COUNT:
        raise ValueError(f"{len(names)} classes where {CLASS_COUNT} were expected")
    return names


def parse_phrases(text: str, names: tuple[tuple[str, ...], ...]) -> dict[str, Classes]:
    """`phrase, phrase = class, class` a line. Raises `ValueError` for an unknown class or a phrase listed twice."""
    by_first_name: dict[str, Classes] = {}
    for index, (first, *_) in enumerate(names):
        by_first_name[first] = (*by_first_name.get(first, ()), index)
    phrases: dict[str, Classes] = {}
    seen: set[str] = set()
    for line in _lines(text):
        left, _, right = line.partition(" = ")
        if unknown := [name for name in right.split(", ") if name not in by_first_name]:
            raise ValueError(f"no class is called {unknown} in: {line}")
        classes = tuple(sorted({index for name in right.split(", ") for index in by_first_name[name]}))
        for phrase in left.split(", "):
            if _key(phrase) in seen:
                raise ValueError(f"{phrase!r} is listed twice")
            seen.add(_key(phrase))
            phrases[phrase] = classes
    return phrases


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]


def _key(phrase: str) -> str:
    """How a phrase is compared: without case, hyphens or doubled spaces."""
    return " ".join(phrase.casefold().replace("-", " ").split())


def _singular(phrase: str) -> str:
    """The phrase with its last word's plural ending taken off; good enough to match two spellings of one thing."""
    if phrase.endswith("ies"):
        return phrase[:-3] + "y"
    if phrase.endswith(("sses", "xes", "ches", "shes")):
        return phrase[:-2]
    if phrase.endswith("s") and not phrase.endswith(("ss", "us", "is")):
        return phrase[:-1]
    return phrase
