"""docs/pictures.md names every way a picture is refused, and nothing that is not there."""

import re
from pathlib import Path

import pytest

from backend import errors
from backend.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "pictures.md").read_text("utf-8")
NAMES = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", PAGE))


def codes_below(root: type[errors.ShelfsightError]) -> set[str]:
    return {root.code}.union(*(codes_below(child) for child in root.__subclasses__()))


def test_every_refusal_of_a_picture_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(codes_below(errors.UnreadableImage))


@pytest.mark.parametrize("name", sorted(name for name in NAMES if "." in name))
def test_every_setting_it_names_is_there(name: str) -> None:
    group, _, field = name.partition(".")
    assert field in type(getattr(Settings(), group)).model_fields


def test_every_code_it_names_is_there() -> None:
    assert {name for name in NAMES if "." not in name} <= codes_below(errors.ShelfsightError)


def test_every_limit_of_the_settings_that_a_picture_can_meet_is_named() -> None:
    assert {"limits.max_image_bytes", "limits.max_pixels", "limits.max_aspect", "limits.min_side"} <= NAMES
    assert {f"decoding.{field}" for field in type(Settings().decoding).model_fields} <= NAMES
