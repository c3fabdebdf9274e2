"""Settings come from the environment, are checked, and guard the door."""

from pathlib import Path

import pytest

from backend.errors import Misconfigured
from backend.settings import is_loopback, load_settings

KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("SHELFSIGHT_")]:
        monkeypatch.delenv(name)


def test_defaults_are_the_embedded_mode_on_loopback() -> None:
    settings = load_settings()
    assert settings.embedded
    assert settings.door_key() is None


def test_nested_names_join_with_two_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFSIGHT_SERVER__PORT", "9000")
    monkeypatch.setenv("SHELFSIGHT_LIMITS__MAX_PICTURES", "3")
    settings = load_settings()
    assert (settings.server.port, settings.limits.max_pictures) == (9000, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHELFSIGHT_PORT", "9000"),
        ("SHELFSIGHT_SERVER__PROT", "9000"),
        ("SHELFSIGHT_SERVER__PORT", "many"),
        ("SHELFSIGHT_SERVER__PORT", "70000"),
        ("SHELFSIGHT_CURRENCY", "euro"),
    ],
)
def test_a_variable_that_is_no_setting_or_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=name):
        load_settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.example"])
def test_another_address_than_loopback_needs_a_key(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SHELFSIGHT_SERVER__HOST", host)
    with pytest.raises(Misconfigured, match="PLATFORM_KEY"):
        load_settings().door_key()
    monkeypatch.setenv("SHELFSIGHT_SERVER__PLATFORM_KEY", KEY)
    assert load_settings().door_key() == KEY


def test_a_key_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    monkeypatch.setenv("SHELFSIGHT_SERVER__PLATFORM_KEY_FILE", str(file))
    assert load_settings().door_key() == KEY
    file.unlink()
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_settings().door_key()


@pytest.mark.parametrize("key", ["short", "ü" * 20, "a\tb" * 10])
def test_a_weak_key_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SHELFSIGHT_SERVER__PLATFORM_KEY", key)
    with pytest.raises(Misconfigured, match=r"at least|or more"):
        load_settings().platform_key()


def test_a_key_never_shows_in_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFSIGHT_SERVER__PLATFORM_KEY", KEY)
    assert KEY not in repr(load_settings())


def test_several_processes_always_need_a_key() -> None:
    with pytest.raises(Misconfigured):
        load_settings().door_key(always=True)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.9.9.9", True),
        ("10.0.0.1", False),
        ("", False),
        ("localhost.evil.example", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
