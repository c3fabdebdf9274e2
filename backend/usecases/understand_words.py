"""What the words of a search are to the products of a merchant: how much each weighs, and what was meant by a slip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

from backend.domain.filters import Filter
from backend.domain.fusion import Terms
from backend.domain.product import ProductKey
from backend.domain.words import WordField, names_of, parts_of, pieces_of, run_words
from backend.ports import Catalog, VectorSearch

MAX_TERMS = 32
"""Words of a search that products are asked for: nobody types more, and each costs a question of 0.1 ms."""

MAX_CORRECTED = 4
"""Words that are looked at for a slip; a text full of unknown words is in another language, not misspelt."""

SHORTEST = 4
"""Letters of a word that may be a slip. Of three, every other word would be near."""

NEAR = 0.8
"""How alike a slip and the word meant are, as `difflib` counts it (twice the letters in common, of all letters). At 0.7
other words become ours, at 0.85 a third of the slips in class words is missed."""

NEIGHBOURS = 20
"""Products that share most pieces with a slip; the word meant is one of theirs."""

Runs = Sequence[Sequence[str]]
"""The words of a text's runs, see `parts_of`."""


@dataclass(frozen=True, slots=True)
class Understood:
    """`text`: to be embedded. `terms`: to ask products for. `corrected`: what was typed -> what was meant."""

    text: str
    terms: Terms
    corrected: Mapping[str, str]


def understand_words(vectors: VectorSearch, catalog: Catalog, merchant: str, text: str) -> Understood:
    """Weigh the words of a search and put slips right. By the merchant's products, whatever the filter: a word that is
    right does not become wrong where a filter admits no product with it.

    A run with a digit (`SHRT-12`) is never put right, nor a part of it: it may be a code, and one like it is no answer.
    """
    runs: Runs = parts_of(text)
    weights = _weights(vectors, merchant, runs)
    runs = _joined(runs, weights)
    strange = [parts for parts in runs if "".join(parts).isalpha() and not _known(parts, weights)]
    slips = [part for parts in strange for part in parts if weights.get(part) == 0.0]
    corrected: dict[str, str] = {}
    for word in [slip for slip in slips if len(slip) >= SHORTEST][:MAX_CORRECTED]:
        if meant := _meant(vectors, catalog, merchant, word):
            corrected[word] = meant
    if corrected:
        runs = [[corrected.get(part, part) if parts in strange else part for part in parts] for parts in runs]
        text = " ".join("-".join(parts) for parts in runs)
        weights = _weights(vectors, merchant, runs)
    known = {word: weights[word] for parts in runs for word in run_words(parts) if weights.get(word)}
    unknown = sum(not _known(parts, weights) for parts in runs)
    return Understood(text, Terms(known, unknown, runs), corrected)


def _known(parts: Sequence[str], weights: Mapping[str, float]) -> bool:
    """Whether products have the words of a run, apart (`ab 12`) or together (`ab12`). What was not asked for is."""
    return all(weights.get(part, 1.0) for part in parts) or bool(weights.get(run_words(parts)[-1], 1.0))


def _weights(vectors: VectorSearch, merchant: str, runs: Runs) -> dict[str, float]:
    """What the best product scores for each word alone; 0 for one that none has."""
    words = dict.fromkeys(word for parts in runs for word in run_words(parts))
    words |= dict.fromkeys(word for pair in pairwise(runs) if (word := _together(*pair)) is not None)
    weights = {}
    for word in list(words)[:MAX_TERMS]:
        best = vectors.worded(merchant, [word], Filter(), limit=1)
        weights[word] = best[0].score if best else 0.0
    return weights


def _together(first: Sequence[str], second: Sequence[str]) -> str | None:
    """What two runs that follow each other are as one word, if one is of letters, one of digits: `ab 12` -> `ab12`."""
    if len(first) != 1 or len(second) != 1:
        return None
    kinds = {(word.isalpha(), word.isdigit()) for word in (first[0], second[0])}
    return first[0] + second[0] if kinds == {(True, False), (False, True)} else None


def _joined(runs: Runs, weights: Mapping[str, float]) -> Runs:
    """The runs, and for two that some product has as one word, one: `ab 12` as `AB-12` is read."""
    joined: list[Sequence[str]] = []
    for parts in runs:
        word = _together(joined[-1], parts) if joined else None
        if word is not None and weights.get(word):
            joined[-1] = [*joined[-1], *parts]
        else:
            joined.append(parts)
    return joined


def _meant(vectors: VectorSearch, catalog: Catalog, merchant: str, word: str) -> str | None:
    """The word of a title, brand or category that is spelt nearly so and begins alike: few get a first letter wrong."""
    near = vectors.worded(merchant, pieces_of([word]), Filter(), limit=NEIGHBOURS, field=WordField.SPELLING)
    records = catalog.products([ProductKey(merchant, match.product_id) for match in near])
    live = [record.product for record in records if not record.deleted]
    known = sorted({name for product in live for name in names_of(product) if name[0] == word[0]})
    return next(iter(get_close_matches(word, known, 1, NEAR)), None)
