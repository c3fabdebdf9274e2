from dataclasses import fields, replace

import pytest

from backend.embedding.packaged import colour, encoder, vocabulary, weights
from backend.embedding.packaged.colour_shades import COLOUR_WORDS, SHADES
from backend.embedding.packaged.encoder import fingerprint_of
from backend.embedding.packaged.recipe import RECIPE, Recipe
from backend.errors import ModelUnavailable

HASHES = {"tower": "aa", "model.safetensors": "bb"}


def test_the_fingerprint_is_sixteen_hex_digits_and_always_the_same() -> None:
    assert fingerprint_of(HASHES) == fingerprint_of(dict(reversed(HASHES.items())))
    assert len(fingerprint_of(HASHES)) == 16
    int(fingerprint_of(HASHES), 16)


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_number_of_the_recipe_is_in_the_fingerprint(name: str) -> None:
    changed = replace(RECIPE, **{name: getattr(RECIPE, name) * 2})
    assert fingerprint_of(HASHES, changed) != fingerprint_of(HASHES)


def test_the_weights_are_in_the_fingerprint() -> None:
    assert fingerprint_of(HASHES | {"tower": "ab"}) != fingerprint_of(HASHES)


def test_the_colour_table_is_in_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint_of(HASHES)
    monkeypatch.setitem(SHADES, "red", ("#ff0000",))
    with_shade = fingerprint_of(HASHES)
    monkeypatch.setattr(colour, "COLOUR_RECIPE", replace(colour.COLOUR_RECIPE, naming_sigma=10.0))
    with_sigma = fingerprint_of(HASHES)
    monkeypatch.setitem(COLOUR_WORDS, "teal", {"blue": 1.0})
    assert len({before, with_shade, with_sigma, fingerprint_of(HASHES)}) == 4


@pytest.mark.parametrize("file", ["vocabulary.txt", "class_names.txt"])
def test_the_vocabulary_is_in_the_fingerprint(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    before = fingerprint_of(HASHES)
    shipped = vocabulary.data_text
    monkeypatch.setattr(encoder, "data_text", lambda name: shipped(name) + ("more" if name == file else ""))
    assert fingerprint_of(HASHES) != before


def test_energies_leave_a_picture_at_unit_length() -> None:
    assert RECIPE.looks_energy + RECIPE.class_energy + RECIPE.colour_energy == pytest.approx(1)
    assert RECIPE.dimension == 512


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_TOWER_PACKAGE", "no_such_weights_package")
    with pytest.raises(ModelUnavailable, match="no-such-weights-package is not installed"):
        weights.weight_hashes()


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_SENTENCES_FILES", ("gone.safetensors",))
    with pytest.raises(ModelUnavailable, match=r"gone\.safetensors is missing"):
        weights.weight_hashes()
