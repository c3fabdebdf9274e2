"""The demo shop's assortment: the list of products, made from the kinds."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from backend.demo.kinds import KINDS, Kind
from backend.demo.product import DemoProduct, View
from backend.errors import InvalidField

BRANDS = ("Velmora", "Nordhusk", "Talvane", "Quillbay", "Brunsel", "Ostrelle", "Kivanta", "Plumrow")
"""Invented: a demo must not put words into a real maker's mouth."""

MODELS = (
    "Alva", "Birk", "Cleo", "Doro", "Elin", "Fjell", "Gala", "Hygo", "Iris", "Juno", "Koru", "Lumo",
    "Mira", "Nilo", "Opal", "Pino", "Rika", "Sola", "Tarn", "Ulla", "Vero", "Wren", "Yara", "Zeno",
)  # fmt: skip

IN_STOCK_SHARE = 0.8
"""Most products of a shop are in stock; enough are not for the filter to show."""

PALE = ("white", "yellow", "pink")


def demo_products(seed: int = 7, count: int = 300) -> list[DemoProduct]:
    """The demo shop's products, always the same for a seed. The kinds take turns, so a short list shows them all.

    Raises `InvalidField` for a count below 1 or above 9,999 (ids have four digits).
    """
    if not 1 <= count <= 9999:
        raise InvalidField(f"count is {count}; between 1 and 9,999 products can be made", field="count")
    random = Random(f"shelfsight-demo/{seed}")
    colours = {kind.category: random.sample(kind.colours, len(kind.colours)) for kind in KINDS}
    return [
        _product(random, n + 1, KINDS[n % len(KINDS)], n // len(KINDS), colours[KINDS[n % len(KINDS)].category])
        for n in range(count)
    ]


def _product(random: Random, number: int, kind: Kind, turn: int, colours: Sequence[str]) -> DemoProduct:
    """The `turn`-th product of a kind. Colours start one later in every round, so that a colour meets another shape."""
    shape = list(kind.shapes)[turn % len(kind.shapes)]
    colour = colours[(turn + turn // len(colours)) % len(colours)]
    # Every second product of a shape is plain: "the same colour in another shape" is tested with those. Kinds and
    # shapes start with either, so that a page of the shop shows both.
    plain = (sum(divmod(turn, len(kind.shapes))) + number) % 2 == 0
    pattern = "plain" if plain else random.choice(kind.patterns)
    second = random.choice(_contrasts(colour))
    brand = random.choice(BRANDS)
    low, high = kind.price
    amounts = random.randint(low, high - 1) + random.choice((0.5, 0.9, 0.95, 0.99))
    return DemoProduct(
        product_id=f"DEMO-{number:04d}",
        title=f"{_words(colour, pattern, second).capitalize()} {kind.shapes[shape]} {brand} {random.choice(MODELS)}",
        category=kind.category,
        brand=brand,
        price=Decimal(f"{amounts:.2f}"),
        currency="EUR",
        in_stock=random.random() < IN_STOCK_SHARE,
        attributes={"color": colour, "pattern": pattern, "material": random.choice(kind.materials)},
        shape=shape,
        second=second,
        views=tuple(_view(random, kind, hero=n == 0) for n in range(random.choice((1, 2, 2, 3)))),
    )


def _contrasts(colour: str) -> tuple[str, ...]:
    """Second colours that can be told from the first one and leave it its name."""
    if colour == "white":
        return ("black", "blue", "red", "green")
    if colour in PALE:
        return ("black", "white", "blue", "purple")
    return ("white", "white", "yellow", "black") if colour in ("blue", "purple", "green") else ("white",)


def _words(colour: str, pattern: str, second: str) -> str:
    match pattern:
        case "plain":
            return colour
        case "two-tone":
            return f"{colour} and {second}"
        case "burst":
            return f"{colour} sunburst"
        case _:
            return f"{colour} {pattern}"


def _view(random: Random, kind: Kind, *, hero: bool) -> View:
    """One way to take the picture. The first picture of a product is the calm one, the others move about."""
    reach = 0.45 if hero else 1.0

    def within(span: tuple[float, float]) -> float:
        middle, half = (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
        return round(random.uniform(middle - half * reach, middle + half * reach), 3)

    zoom = round(random.uniform(*kind.zoom) if hero else random.uniform(kind.zoom[0] * 0.86, kind.zoom[1]), 3)
    room = max(1.02 - zoom, 0.0) * 0.25
    return View(
        yaw=within(kind.yaw),
        pitch=within(kind.pitch),
        roll=within((-kind.roll, kind.roll)),
        zoom=zoom,
        shift=(round(random.uniform(-room, room), 4), round(random.uniform(-room, room), 4)),
        mirror=kind.mirror and not hero and random.random() < 0.5,
        light=round(random.choice((-1, -1, 1)) * random.uniform(0.35, 0.7), 3),
        contrast=round(random.uniform(0.85, 1.15), 3),
        warmth=round(random.uniform(-0.5, 0.6), 3),
        backdrop=round(random.uniform(0.945, 1.0), 3),
    )
