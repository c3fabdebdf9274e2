"""The demo shop's assortment: which kinds of product there are, and the list of products made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from backend.demo.materials import PALETTE
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


@dataclass(frozen=True, slots=True)
class Kind:
    """A category: its shapes (drawing and words for the title), what it is made of, and how it is photographed.

    `patterns` are those beside plain; `yaw`, `pitch`, `zoom` are ranges, `roll` is one to both sides; `mirror` is false
    where a mirrored picture would be wrong (a clock's numerals).
    """

    category: str
    shapes: Mapping[str, str]
    materials: tuple[str, ...]
    patterns: tuple[str, ...]
    price: tuple[int, int]
    yaw: tuple[float, float]
    pitch: tuple[float, float]
    roll: float = 3.0
    zoom: tuple[float, float] = (0.88, 1.0)
    mirror: bool = True
    colours: tuple[str, ...] = tuple(PALETTE)


KINDS: Sequence[Kind] = (
    Kind(
        "clothing/t-shirt",
        {"t-shirt-crew": "crew-neck t-shirt", "t-shirt-v-neck": "v-neck t-shirt", "t-shirt-loose": "pocket t-shirt"},
        ("cotton", "linen", "cotton"),
        ("striped", "two-tone", "dotted", "floral", "zigzag"),
        (9, 45), (-12, 12), (-4, 4), 4, (0.9, 1.02),
    ),
    Kind(
        "kitchen/mug",
        {"mug-straight": "coffee mug", "mug-barrel": "round mug", "mug-tapered": "tall latte mug"},
        ("ceramic", "stoneware", "enamel"),
        ("striped", "two-tone", "dotted", "floral", "checked"),
        (6, 24), (-50, 34), (9, 26), 1, (0.78, 0.91),
    ),
    Kind(
        "shoes/sneaker",
        {"sneaker-runner": "running shoe", "sneaker-high": "high-top sneaker", "sneaker-court": "court sneaker"},
        ("mesh", "canvas", "leather"),
        ("two-tone", "two-tone", "checked"),
        (39, 149), (-17, 17), (3, 12), 3, (0.84, 0.96),
    ),
    Kind(
        "home/lamp",
        {"lamp-gourd": "table lamp", "lamp-column": "column table lamp", "lamp-ball": "ball table lamp"},
        ("linen", "cotton", "silk"),
        ("striped", "two-tone", "floral", "zigzag"),
        (29, 139), (-25, 25), (3, 13), 0.5, (0.84, 0.95),
    ),
    Kind(
        "bags/backpack",
        {"backpack-round": "backpack", "backpack-flap": "flap backpack", "backpack-roll": "roll-top backpack"},
        ("nylon", "canvas", "leather"),
        ("two-tone", "striped", "floral", "dotted"),
        (35, 129), (-19, 19), (-2, 8), 2, (0.84, 0.96),
    ),
    Kind(
        "furniture/chair",
        {"chair-dining": "dining chair", "chair-slat": "ladder-back chair", "chair-shell": "shell chair"},
        ("wool", "velvet", "leather"),
        ("two-tone", "checked"),
        (49, 199), (-40, 40), (8, 19), 0.5, (0.77, 0.86),
    ),
    Kind(
        "home/vase",
        {"vase-bulb": "bottle vase", "vase-amphora": "shouldered vase", "vase-tulip": "beaker vase"},
        ("ceramic", "porcelain", "stoneware"),
        ("two-tone", "striped", "floral", "zigzag"),
        (15, 89), (-30, 30), (7, 20), 0.5, (0.84, 0.97),
    ),
    Kind(
        "music/guitar",
        {
            "guitar-acoustic": "acoustic guitar",
            "guitar-cutaway": "cutaway acoustic guitar",
            "guitar-electric": "electric guitar",
        },
        ("spruce", "cedar", "maple"),
        ("burst", "burst", "two-tone"),
        (119, 799), (-15, 15), (-4, 4), 34, (0.86, 0.95), False,
    ),
    Kind(
        "clothing/dress",
        {"dress-skater": "skater dress", "dress-maxi": "maxi dress", "dress-sleeved": "puff-sleeve dress"},
        ("cotton", "linen", "silk"),
        ("floral", "dotted", "striped", "two-tone"),
        (29, 129), (-12, 12), (-4, 4), 3, (0.87, 0.98),
    ),
    Kind(
        "home/clock",
        {"clock-round": "wall clock", "clock-bars": "slim wall clock", "clock-square": "square wall clock"},
        ("plastic", "metal", "wood"),
        ("two-tone",),
        (14, 79), (-20, 20), (-8, 8), 1, (0.9, 1.02), False,
    ),
    Kind(
        "kitchen/teapot",
        {"teapot-round": "globe teapot", "teapot-tall": "tall teapot", "teapot-low": "low teapot"},
        ("ceramic", "porcelain", "stoneware"),
        ("two-tone", "striped", "floral", "dotted"),
        (19, 79), (-34, 34), (7, 20), 1, (0.82, 0.92),
    ),
    Kind(
        "accessories/sunglasses",
        {
            "sunglasses-square": "square sunglasses",
            "sunglasses-round": "round sunglasses",
            "sunglasses-aviator": "aviator sunglasses",
        },
        ("acetate", "plastic", "nylon"),
        ("two-tone",),
        (12, 159), (-28, 28), (9, 20), 1, (0.76, 0.86),
        # Dark glasses in white or orange would be called grey and brown.
        colours=tuple(name for name in PALETTE if name not in ("white", "orange")),
    ),
    Kind(
        "furniture/sofa",
        {"sofa-three": "three-seat sofa", "sofa-two": "two-seat sofa", "sofa-bench": "bench sofa"},
        ("wool", "velvet", "leather", "linen"),
        ("two-tone", "checked"),
        (349, 1299), (-32, 32), (8, 19), 0.5, (0.87, 0.94),
    ),
    Kind(
        "clothing/hat",
        {"hat-fedora": "fedora hat", "hat-sun": "sun hat", "hat-boater": "boater hat"},
        ("felt", "straw", "wool"),
        ("two-tone",),
        (15, 79), (-40, 40), (12, 26), 4, (0.82, 0.94),
    ),
    Kind(
        "kitchen/bottle",
        {"bottle-flask": "insulated bottle", "bottle-slim": "slim water bottle", "bottle-sport": "sports bottle"},
        ("steel", "enamel", "plastic"),
        ("two-tone", "striped", "floral", "dotted"),
        (8, 39), (-30, 30), (4, 15), 1, (0.83, 0.93),
    ),
    Kind(
        "accessories/umbrella",
        {"umbrella-stick": "stick umbrella", "umbrella-dome": "dome umbrella", "umbrella-wide": "golf umbrella"},
        ("nylon", "polyester"),
        ("two-tone", "two-tone", "dotted", "striped"),
        (12, 59), (-22, 22), (0, 12), 10, (0.85, 0.95),
    ),
)  # fmt: skip

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
