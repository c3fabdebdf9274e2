"""What lies in deploy/ and the Compose file: read by the tools that will read it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from backend.settings import Settings, load_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def compose() -> dict[str, dict[str, dict[str, object]]]:
    loaded: dict[str, dict[str, dict[str, object]]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


def test_every_service_has_a_health_check_and_data_lives_in_volumes() -> None:
    file = compose()
    assert set(file["services"]) == {"api", "worker", "qdrant", "valkey", "postgres"}
    for name, service in file["services"].items():
        assert "healthcheck" in service, name
        mounts = service["volumes"]
        assert isinstance(mounts, list)
        assert all(mount.split(":")[0] in file["volumes"] for mount in mounts), name


def test_the_compose_file_holds_no_secret_and_needs_each() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    assert wanted == {"SHELFSIGHT_PLATFORM_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD", "QDRANT_API_KEY"}
    example = (ROOT / "deploy" / "env.example").read_text("utf-8")
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in wanted)


def test_the_settings_compose_gives_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given = compose()["services"]["api"]["environment"]
    assert isinstance(given, dict)
    for name, value in given.items():
        secrets_filled = re.sub(r"\$\{[A-Z_]+:\?[^}]*\}", "x" * 20, str(value))
        plain = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", secrets_filled)
        monkeypatch.setenv(name, plain)
    settings = load_settings()
    assert isinstance(settings, Settings)
    assert not settings.embedded
    assert settings.door_key(always=True)


def test_gunicorn_reads_its_configuration() -> None:
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--check-config",
            "-c",
            str(ROOT / "deploy" / "gunicorn.conf.py"),
            "flask:Flask",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_what_gunicorn_reads_before_it_forks_loads_no_torch() -> None:
    """Threads of torch do not survive a fork, and a forward pass in the child may wait for one for ever."""
    code = (
        "import runpy, sys; conf = runpy.run_path('deploy/gunicorn.conf.py'); import backend.api.wsgi;"
        "sys.exit('torch' in sys.modules or conf['preload_app'])"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_a_worker_without_a_sign_of_life_is_unhealthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers import heartbeat

    monkeypatch.setattr(heartbeat, "PATH", tmp_path / "beat")
    assert heartbeat.main() == 1
    heartbeat.beat()
    assert heartbeat.main() == 0
    monkeypatch.setattr(heartbeat, "STALE_SECONDS", -1.0)
    assert heartbeat.main() == 1
