"""The kinds of product the demo shop sells, and how each kind is photographed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.demo.materials import PALETTE


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
        (6, 24), (-50, 34), (9, 26), 1, (0.78, 0.9),
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
        ("striped", "two-tone", "floral", "zigzag", "pinstriped"),
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
        ("two-tone", "striped", "floral", "zigzag", "banded"),
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
        ("floral", "dotted", "striped", "two-tone", "pinstriped"),
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
        (12, 159), (-24, 24), (9, 20), 1, (0.76, 0.86),
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
        ("two-tone", "striped", "floral", "dotted", "banded"),
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
