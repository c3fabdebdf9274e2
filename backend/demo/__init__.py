"""A demo shop drawn by the program: about 300 products in 16 categories, without a file or a network.

It lets a fresh machine show picture search at once, and gives tests pictures whose truth is known (same shape, same
colour). Read `assortment` for what there is, `drawing` for how a picture comes about, `studio`, `solids` and `light`
for why it looks like a photograph, `shapes_*` for the products themselves.
"""

from backend.demo.assortment import demo_products
from backend.demo.catalog import write_catalog
from backend.demo.drawing import draw
from backend.demo.product import DemoProduct, View

__all__ = ["DemoProduct", "View", "demo_products", "draw", "write_catalog"]
