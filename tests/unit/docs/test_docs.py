"""The documents say what the code does: every setting, route and error code, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask_openapi import OpenAPI
from pydantic import BaseModel

from backend.api.app import create_app
from backend.api.errors import status_of
from backend.errors import Misconfigured, ShelfsightError
from backend.settings import Settings
from tests.house import House

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object, str | None]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings_of(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field.default, field.description


def errors_of(branch: type[ShelfsightError]) -> Iterator[type[ShelfsightError]]:
    yield branch
    for below in branch.__subclasses__():
        if below.__module__ == "backend.errors":
            yield from errors_of(below)


def table_rows(page: str) -> dict[str, str]:
    rows = re.findall(r"^\| `([^`]+)` \|(.*)$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    return dict(rows)


@pytest.fixture(scope="module")
def app() -> OpenAPI:
    house = House()
    return create_app(house.services, house.settings, key=None)


def test_every_setting_is_documented_with_its_default_and_how_to_choose_it() -> None:
    documented = table_rows("settings.md")
    for name, default, description in settings_of(Settings):
        assert description, name
        assert description in documented.get(name, ""), f"docs/settings.md on {name}"
        if default is not None:
            assert f"`{default}`" in documented[name], f"docs/settings.md: the default of {name}"


def test_no_setting_is_documented_that_is_not_there() -> None:
    assert set(table_rows("settings.md")) == {name for name, _, _ in settings_of(Settings)}


def test_every_error_code_is_documented_with_its_status_and_mend() -> None:
    documented = table_rows("errors.md")
    for error in errors_of(ShelfsightError):
        row = documented.get(error.code, "")
        assert error.mend in row, f"docs/errors.md on {error.code}"
        in_ledger_or_start = issubclass(error, Misconfigured) or "ledger" in row
        assert in_ledger_or_start or f" {status_of(error)} |" in row, f"docs/errors.md: the status of {error.code}"


def test_no_code_has_two_meanings() -> None:
    codes = [error.code for error in errors_of(ShelfsightError)]
    assert len(codes) == len(set(codes))


def test_every_error_says_how_to_mend_it() -> None:
    assert all(error.mend.endswith(".") and error.__doc__ for error in errors_of(ShelfsightError))


def test_every_route_is_documented_and_no_other(app: OpenAPI) -> None:
    served = {
        f"{method} {rule.rule.replace('<', '{').replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/docs/")
    }
    assert set(table_rows("api.md")) == served


def test_links_between_documents_lead_somewhere() -> None:
    for page in (*DOCS.rglob("*.md"), *ROOT.glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_commands_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    from backend.cli.main import app as cli

    commands = {command.callback.__name__ for command in cli.registered_commands if command.callback}
    assert set(re.findall(r"\bshelfsight ([a-z]+)\b", text)) <= commands
