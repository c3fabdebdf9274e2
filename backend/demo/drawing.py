"""From a product and a view to a picture."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from PIL import Image

from backend.demo import (
    shapes_accessories,
    shapes_bags,
    shapes_clothing,
    shapes_furniture,
    shapes_hats,
    shapes_home,
    shapes_kitchen,
    shapes_music,
    shapes_shoes,
)
from backend.demo.camera import Camera
from backend.demo.light import Light
from backend.demo.look import Drawing, Look
from backend.demo.materials import FINISHES, PALETTE, Paint, trim
from backend.demo.product import DemoProduct
from backend.demo.studio import Studio

SHAPES: Mapping[str, Drawing] = {
    **shapes_accessories.SHAPES,
    **shapes_bags.SHAPES,
    **shapes_clothing.SHAPES,
    **shapes_furniture.SHAPES,
    **shapes_hats.SHAPES,
    **shapes_home.SHAPES,
    **shapes_kitchen.SHAPES,
    **shapes_music.SHAPES,
    **shapes_shoes.SHAPES,
}
"""Every shape's drawing, by the name `DemoProduct.shape` carries."""


def draw(product: DemoProduct, view: int, side: int = 480) -> Image.Image:
    """The product's picture number `view` (from 0), square, RGB, `side` pixels; the same pixels every time."""
    picture = photograph(product, view, side).finish()
    mirror = product.views[view].mirror
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirror else picture


def photograph(product: DemoProduct, view: int, side: int) -> Studio:
    """The studio with the product in it, before the background: tests ask it what is product and what is not."""
    taken = product.views[view]
    camera = Camera(side, yaw=taken.yaw, pitch=taken.pitch, roll=taken.roll, zoom=taken.zoom, shift=taken.shift)
    light = Light(taken.light, taken.contrast, taken.warmth)
    # Not hash(): it changes with every process.
    seed = int.from_bytes(sha256(f"{product.product_id}/{view}".encode()).digest()[:8], "big")
    studio = Studio(camera, light, backdrop=taken.backdrop, seed=seed)
    SHAPES[product.shape](studio, look_of(product))
    return studio


def look_of(product: DemoProduct) -> Look:
    """The paints of a product's parts."""
    finish = FINISHES[product.attributes["material"]]
    pattern = product.attributes["pattern"]
    two_tone = pattern == "two-tone"
    second = PALETTE[product.second]
    main = Paint(PALETTE[product.attributes["color"]], finish, second, "plain" if two_tone else pattern)
    return Look(
        main=main,
        second=Paint(second, finish) if two_tone else main,
        inside=replace(trim("cream"), finish=finish),
        two_tone=two_tone,
    )
