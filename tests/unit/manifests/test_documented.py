"""docs/imports.md says what is so: every example in it is read, and its limits are those of the reader."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
import typer

from backend.cli.main import app
from backend.domain.importing import FileForm, ImportMode
from backend.manifests.reader import FileReader
from tests.unit.manifests.opening import opened, places, product

PAGE = (Path(__file__).parents[3] / "docs" / "imports.md").read_text("utf-8")
FORMS = {"csv": FileForm.CSV, "jsonl": FileForm.JSON_LINES, "json": FileForm.JSON, "xml": FileForm.RSS}
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [(FORMS[language], text) for language, text in BLOCKS if language in FORMS]
READER = FileReader(max_picture_bytes=1, default_currency="EUR")


@pytest.mark.parametrize(("form", "text"), EXAMPLES)
def test_an_example_is_read_without_a_bad_row(form: FileForm, text: str) -> None:
    is_patch = form is FileForm.CSV and "image" not in text.lower()
    with opened(form, text, mode=ImportMode.PATCH if is_patch else ImportMode.REPLACE, reader=READER) as manifest:
        found = list(manifest.rows())
    assert found
    for row in found:
        assert row.error is None
        assert row.patch if is_patch else product(row).title and row.pictures


def test_every_form_and_dialect_has_an_example() -> None:
    dialects = set()
    for form, text in EXAMPLES:
        mode = ImportMode.PATCH if "image" not in text.lower() else ImportMode.REPLACE
        with opened(form, text, mode=mode, reader=READER) as manifest:
            dialects.add(manifest.dialect)
    assert dialects == {"shelfsight", "shopify", "woocommerce", "google"}
    assert {form for form, _ in EXAMPLES} == set(FORMS.values())


def test_the_examples_of_shop_systems_become_what_the_page_says() -> None:
    found = {}
    for form, text in EXAMPLES:
        if "Handle" in text or "variation" in text or "<rss" in text:
            with opened(form, text, reader=READER) as manifest:
                [found[manifest.dialect]] = list(manifest.rows())
    shopify, woo, google = (product(found[name]) for name in ("shopify", "woocommerce", "google"))
    assert (str(shopify.price), shopify.in_stock, shopify.description) == ("54.90", True, "Light & airy")
    assert (str(woo.price), woo.key.product_id, len(places(found["woocommerce"]))) == ("49.90", "DRESS", 2)
    assert shopify.category == woo.category == google.category == "clothing/dresses"
    assert google.attributes == {"color": ("Red", "White")}


def test_the_commands_on_the_page_are_commands() -> None:
    group = typer.main.get_command(app)
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("shelfsight ")]
    assert len(commands) >= 3
    for name, *arguments in commands:
        command = group.get_command(None, name)  # type: ignore[attr-defined] # typer says only that it is a command
        assert command.make_context(name, arguments).params["catalog"]


def test_the_limits_on_the_page_are_the_readers() -> None:
    defaults = {name: given.default for name, given in inspect.signature(FileReader).parameters.items()}
    assert f"at most {defaults['max_entries']:,} entries" in PAGE
    assert f"at most {defaults['max_line_bytes'] // 1_000_000} MB" in PAGE
    assert f"at most {defaults['max_pictures']} pictures are taken" in PAGE
