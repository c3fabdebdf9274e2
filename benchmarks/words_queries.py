"""What is asked of the two catalogs in words, and which products are right: by their facts, not by any method."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from backend.domain.product import Product
from benchmarks.encoder_quality import CLASS_NAMES, PHRASINGS
from benchmarks.words_data import Shelf

CODES = 100
"""Codes asked of each catalog, drawn at random."""
NAMES_AT_MOST = 40
"""Queries of a kind, drawn at random where there are more."""
MISSPELT_FROM = 5
"""Letters of a word from which on people's slips leave it recognisable."""
DEMO_NAMES = {"t-shirt": "t-shirt", "sunglasses": "sunglasses"}


@dataclass(frozen=True)
class Asked:
    """One query and the products that answer it."""

    kind: str
    text: str
    right: frozenset[str]


def queries(shelf: Shelf, seed: int = 5) -> list[Asked]:
    """All queries of a catalog. One that no product answers is left out."""
    random = Random(f"{shelf.name}/{seed}")
    found: list[Asked] = []
    for kind, texts in _kinds(shelf, random).items():
        asked = [Asked(kind, text, _ids(shelf.products, right)) for text, right in texts]
        answered = [it for it in asked if it.right]
        found += random.sample(answered, min(len(answered), CODES if kind == "code" else NAMES_AT_MOST))
    return found


Right = Callable[[Product], bool]


def _kinds(shelf: Shelf, random: Random) -> dict[str, list[tuple[str, Right]]]:
    classes = _classes(shelf)
    brands = sorted({product.brand for product in shelf.products})
    codes = random.sample([product.key.product_id for product in shelf.products], CODES)
    named = [(text, _in(leaf)) for text, leaf in classes.items()]
    branded = [(brand, _of(brand)) for brand in brands]
    kinds: dict[str, list[tuple[str, Right]]] = {
        "class word": named,
        "brand": branded,
        "code": [(code.lower(), _named(code)) for code in codes],
        "brand + class": [
            (f"{brand} {text}", _both(_of(brand), _in(leaf))) for brand in brands for text, leaf in classes.items()
        ],
        "misspelt class": list(_misspelt(named, random)),
        "misspelt brand": list(_misspelt(branded, random)),
    }
    if shelf.name == "clothing":
        kinds["other words"] = [(text, _in(leaf)) for text, leaf in PHRASINGS.items()]
    for attribute in ("color", "pattern", "material"):
        values = sorted({str(product.attributes.get(attribute, "")) for product in shelf.products} - {""})
        if values:
            kinds[f"{attribute} + class"] = [
                (f"{value} {text}", _both(_with(attribute, value), _in(leaf)))
                for value in values
                for text, leaf in classes.items()
            ]
    return kinds


def _classes(shelf: Shelf) -> dict[str, str]:
    """Words -> the last part of the category they mean."""
    if shelf.name == "clothing":
        return CLASS_NAMES
    leaves = sorted({product.category.rsplit("/", 1)[-1] for product in shelf.products})
    return {leaf.replace("-", " ") if leaf not in DEMO_NAMES else leaf: leaf for leaf in leaves}


def _misspelt(named: Iterable[tuple[str, Right]], random: Random) -> Iterator[tuple[str, Right]]:
    """Each text with one slip in its longest word: two letters changed about, one left out, doubled or wrong."""
    for text, right in named:
        word = max(text.split(), key=len)
        if len(word) < MISSPELT_FROM:
            continue
        at = random.randrange(1, len(word) - 2)  # hardly anybody gets the first letter wrong
        slips = (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + random.choice("aeiou") + word[at + 1 :],
        )
        for slip in slips:
            if slip != word:
                yield text.replace(word, slip), right


def _ids(products: Sequence[Product], right: Right) -> frozenset[str]:
    return frozenset(product.key.product_id for product in products if right(product))


def _named(code: str) -> Right:
    return lambda product: product.key.product_id == code


def _in(leaf: str) -> Right:
    return lambda product: product.category.rsplit("/", 1)[-1] == leaf


def _of(brand: str) -> Right:
    return lambda product: product.brand == brand


def _with(attribute: str, value: str) -> Right:
    return lambda product: product.attributes.get(attribute) == value


def _both(one: Right, other: Right) -> Right:
    return lambda product: one(product) and other(product)
