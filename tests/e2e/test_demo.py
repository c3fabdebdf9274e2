"""The newcomer's command: a catalog is drawn, indexed by the packaged encoder, and searched; next time it is there."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.demo import DemoProduct, demo_products
from tests.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


def demo(data_dir: Path) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHELFSIGHT_")}
    settings = {"SHELFSIGHT_DATA_DIR": str(data_dir), "SHELFSIGHT_SERVER__PORT": "0", "SHELFSIGHT_MODEL": "packaged"}
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli.main", "demo", "--no-stay"],
        env={**inherited, **settings, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_the_first_run_loads_the_catalog_and_shows_three_searches(data_dir: Path) -> None:
    said = demo(data_dir)
    assert "300 searchable in" in said
    assert said.count("products in") == 3
    assert "words: red shoes" in said
    assert "Red" in said.split("words: red shoes")[1].split("2 │")[0]
    assert "http://127.0.0.1:" in said


def test_the_second_run_keeps_the_data(data_dir: Path) -> None:
    said = demo(data_dir)
    assert "catalog: 300 products" in said
    assert "searchable in" not in said


@pytest.fixture(scope="module")
def serving(data_dir: Path) -> Iterator[tuple[Installation, dict[str, DemoProduct]]]:
    installation = Installation(data_dir, SHELFSIGHT_MODEL="packaged")
    installation.start()
    yield installation, {product.product_id: product for product in demo_products()}
    installation.stop()


def test_words_of_colour_and_kind_find_that_colour_and_kind(
    serving: tuple[Installation, dict[str, DemoProduct]],
) -> None:
    installation, truth = serving
    for words, category, colour in (
        ("red mug", "kitchen/mug", "red"),
        ("blue umbrella", "accessories/umbrella", "blue"),
        ("green t-shirt", "clothing/t-shirt", "green"),
    ):
        first = truth[installation.search(text=words, limit=1)[0]["product_id"]]
        assert (first.category, first.attributes["color"]) == (category, colour), words


def test_a_picture_finds_its_own_kind(serving: tuple[Installation, dict[str, DemoProduct]]) -> None:
    installation, truth = serving
    shares = []
    for product in list(truth.values())[::20]:
        matches = installation.search(product_id=product.product_id, limit=10)
        shares.append(sum(truth[match["product_id"]].category == product.category for match in matches) / 10)
    assert statistics.mean(shares) >= 0.9


def test_filters_on_the_demo_catalog_hold_for_every_match(
    serving: tuple[Installation, dict[str, DemoProduct]],
) -> None:
    installation, truth = serving
    wanted = {"category": "clothing", "price": {"lte": 60}, "in_stock": True, "attributes.color": ["red", "blue"]}
    matches = installation.search(text="dress", limit=100, filter=wanted)
    expected = {
        product.product_id
        for product in truth.values()
        if product.category.startswith("clothing/")
        and product.price <= 60
        and product.in_stock
        and product.attributes["color"] in ("red", "blue")
    }
    assert {match["product_id"] for match in matches} == expected
    assert expected
