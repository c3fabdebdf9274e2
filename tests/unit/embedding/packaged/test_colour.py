import numpy as np
import pytest

from backend.domain.picture import Pixels
from backend.embedding.packaged.class_space import Floats
from backend.embedding.packaged.colour import colour_shares
from backend.embedding.packaged.recipe import COLOUR_NAMES
from tests.unit.embedding.packaged import drawing

EVERYWHERE = np.ones((1, 9, 9), dtype=np.float32)


def shares_of(picture: Pixels, attention: Floats = EVERYWHERE) -> dict[str, float]:
    return dict(zip(COLOUR_NAMES, colour_shares(picture[None], attention)[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "rgb"),
    [
        ("black", (12, 12, 12)),
        ("white", (248, 248, 248)),
        ("grey", (128, 128, 128)),
        ("red", (200, 30, 40)),
        ("orange", (240, 130, 30)),
        ("yellow", (245, 215, 40)),
        ("green", (40, 140, 60)),
        ("blue", (40, 80, 170)),
        ("blue", (0, 0, 255)),
        ("purple", (110, 45, 145)),
        ("pink", (240, 140, 180)),
        ("brown", (110, 70, 40)),
    ],
)
def test_a_plain_colour_gets_its_name(name: str, rgb: tuple[int, int, int]) -> None:
    assert shares_of(drawing.plain(rgb, 260, 260))[name] > 0.5


def test_the_background_is_left_out() -> None:
    shares = shares_of(drawing.box_on((40, 120, 60), drawing.RED, 260, 260))
    assert shares["red"] > 0.9
    assert shares["green"] < 0.05


def test_a_product_that_fills_the_picture_keeps_its_colour() -> None:
    assert shares_of(drawing.plain(drawing.BLUE, 260, 260))["blue"] > 0.5


def test_the_networks_attention_decides_between_two_things() -> None:
    picture = drawing.plain(drawing.WHITE, 260, 260)
    picture[60:200, 60:130] = drawing.RED
    picture[60:200, 130:200] = drawing.BLUE
    left = np.zeros((1, 9, 9), dtype=np.float32)
    left[:, :, :4] = 1
    assert shares_of(picture, left)["red"] > 0.8
    assert shares_of(picture, left[:, :, ::-1])["blue"] > 0.8


def test_shares_sum_to_one_whatever_the_picture() -> None:
    pictures = np.stack([drawing.noise(seed, 260, 260) for seed in range(3)])
    assert np.allclose(colour_shares(pictures, np.zeros((3, 9, 9), dtype=np.float32)).sum(axis=1), 1)


def test_the_neighbours_in_a_batch_do_not_matter() -> None:
    pictures = np.stack([drawing.noise(1, 260, 260), drawing.box_on(drawing.WHITE, drawing.RED, 260, 260)])
    attention = np.random.default_rng(0).random((2, 9, 9), dtype=np.float32)
    together = colour_shares(pictures, attention)
    alone = [colour_shares(pictures[i : i + 1], attention[i : i + 1])[0] for i in range(2)]
    assert np.allclose(together, alone, atol=1e-6)
