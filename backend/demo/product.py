"""What a demo product is: the facts a shop would know, the truth a test wants, and how its pictures are taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class View:
    """How one picture is taken. Angles in degrees; `shift` is a share of the picture's side.

    `light` is where the soft box stands (-1 far left, 1 far right), `contrast` and `warmth` describe it, `backdrop` is
    the paper's brightness (1 is white).
    """

    yaw: float
    pitch: float
    roll: float
    zoom: float
    shift: tuple[float, float]
    mirror: bool
    light: float
    contrast: float
    warmth: float
    backdrop: float


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """A product of the demo shop.

    `shape` names its drawing (`mug-barrel`) and, with the attributes `color`, `pattern` and `material`, is the truth
    about it: products of one shape have the same outline, products of one colour the same paint. `second` is the other
    colour of patterns and two-tone products; for plain ones it is not used.
    """

    product_id: str
    title: str
    category: str
    brand: str
    price: Decimal
    currency: str
    in_stock: bool
    attributes: Mapping[str, str]
    shape: str
    second: str
    views: tuple[View, ...]
