"""The pictures: always the same, true to their colour, whole, and on pale paper."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.demo import DemoProduct, demo_products, draw
from backend.demo.drawing import SHAPES, photograph
from backend.demo.materials import PALETTE

SIDE = 112  # small enough for every shape to be drawn in a second or two, large enough for its parts to show


@cache
def first_of(shape: str, pattern: str = "") -> DemoProduct | None:
    """The shop's first product of a shape (and pattern)."""
    fitting = (p for p in demo_products() if p.shape == shape and pattern in ("", p.attributes["pattern"]))
    return next(fitting, None)


def drawn(product: DemoProduct | None, view: int = 0, side: int = SIDE) -> NDArray[np.int16]:
    assert product is not None
    return np.asarray(draw(product, view, side)).astype(np.int16)


def test_a_picture_is_a_square_rgb_image_of_the_side_asked_for() -> None:
    product = demo_products(count=1)[0]
    assert (draw(product, 0, 96).size, draw(product, 0, 96).mode) == ((96, 96), "RGB")
    assert draw(product, 0).size == (480, 480)


def test_the_same_product_and_view_give_the_same_pixels() -> None:
    for product in demo_products(count=16):
        assert draw(product, 0, SIDE).tobytes() == draw(product, 0, SIDE).tobytes()


def test_another_process_with_another_hash_seed_draws_the_same_pixels() -> None:
    script = (
        "import hashlib; from backend.demo import demo_products, draw; "
        "print(hashlib.sha256(b''.join(draw(p, 0, 96).tobytes() for p in demo_products(count=16))).hexdigest())"
    )
    here = hashlib.sha256(b"".join(draw(p, 0, 96).tobytes() for p in demo_products(count=16))).hexdigest()
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert run.stdout.strip() == here


def test_the_views_of_a_product_are_different_pictures() -> None:
    product = next(product for product in demo_products() if len(product.views) == 3)
    first, second, third = (drawn(product, view) for view in range(3))
    for one, other in ((first, second), (first, third), (second, third)):
        assert np.abs(one - other).mean() > 3


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_another_colour_of_the_same_shape_changes_the_product_and_not_its_outline(shape: str) -> None:
    red = first_of(shape)
    assert red is not None
    red = replace(red, attributes={**red.attributes, "color": "red", "pattern": "plain"})
    blue = replace(red, attributes={**red.attributes, "color": "blue"})
    one, other = photograph(red, 0, SIDE), photograph(blue, 0, SIDE)
    assert np.array_equal(one.cover, other.cover)
    inside = one.cover > 0.9
    apart = np.asarray(one.finish()).astype(np.int16)[inside] - np.asarray(other.finish()).astype(np.int16)[inside]
    assert apart[:, 0].mean() > 25, "the red one is redder"
    assert apart[:, 2].mean() < -25, "the blue one is bluer"


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_most_of_a_plain_product_shows_the_colour_it_is_named_after(shape: str) -> None:
    product = first_of(shape, "plain")
    assert product is not None
    studio = photograph(product, 0, SIDE)
    inside = np.asarray(studio.finish()).astype(np.float64)[studio.cover > 0.9]
    # The median, because laces, strings and handles have colours of their own and would pull a mean towards grey.
    names = list(PALETTE)
    far = np.linalg.norm(lab(np.array([PALETTE[name] for name in names])) - lab(np.median(inside, axis=0)), axis=1)
    assert names[int(far.argmin())] == product.attributes["color"]


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_the_product_is_whole_and_fills_a_good_part_of_pale_paper(shape: str) -> None:
    product = first_of(shape)
    assert product is not None
    studio = photograph(product, 0, SIDE)
    cover = studio.cover
    assert 0.08 < cover.mean() < 0.65
    assert max(cover[0].max(), cover[-1].max(), cover[:, 0].max(), cover[:, -1].max()) < 0.05, "cut off at the border"
    picture = np.asarray(studio.finish()).astype(np.int16)
    corners = np.stack([picture[y : y + 6, x : x + 6].mean(axis=(0, 1)) for y in (0, SIDE - 6) for x in (0, SIDE - 6)])
    assert corners.min() > 205
    assert np.ptp(corners, axis=1).max() < 20, "the paper is nearly neutral"


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_the_product_casts_a_shadow_and_is_shaded_itself(shape: str) -> None:
    product = first_of(shape)
    assert product is not None
    plain = replace(product, attributes={**product.attributes, "color": "grey", "pattern": "plain"})
    studio = photograph(plain, 0, SIDE)
    picture = np.asarray(studio.finish().convert("L")).astype(np.int16)
    paper, inside = picture[studio.cover < 0.01], picture[studio.cover > 0.9]
    assert np.percentile(paper, 95) - paper.min() > 40, "no shadow on the paper"
    assert inside.std() > 8, "flat as an icon"


def test_a_pattern_shows_its_second_colour() -> None:
    for pattern in ("striped", "checked", "dotted", "floral", "zigzag", "pinstriped", "banded", "two-tone"):
        product = first_of("mug-straight" if pattern == "two-tone" else "t-shirt-crew")
        assert product is not None
        plain = replace(product, attributes={**product.attributes, "color": "red", "pattern": "plain"})
        patterned = replace(plain, attributes={**plain.attributes, "pattern": pattern}, second="white")
        pale = []
        for painted in (plain, patterned):
            studio = photograph(painted, 0, 160)
            pale.append((np.asarray(studio.finish()).min(axis=2) > 150)[studio.cover > 0.9].mean())
        assert pale[1] > pale[0] + 0.03, pattern


def test_a_mirrored_view_is_the_mirror_image() -> None:
    product = demo_products(count=3)[2]
    turned = replace(product, views=(replace(product.views[0], mirror=not product.views[0].mirror),))
    assert np.array_equal(drawn(product)[:, ::-1], drawn(turned))


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of sRGB values 0 to 255: distances there follow what people call different."""
    share = np.asarray(rgb, dtype=np.float64) / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    xyz = light @ matrix / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
