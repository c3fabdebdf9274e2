"""For all tests: real servers over a small CLIP, and what was skipped is said once per reason, with its count."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.tiny_clip import save_tiny_clip
from tests.installation import Installation

if TYPE_CHECKING:
    from tests.s3_server import S3Server


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that makes servers start quickly where meaning does not matter."""
    return save_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def installation(tmp_path: Path, tiny_clip: Path) -> Iterator[Installation]:
    """A server of its own, to be killed; not started yet."""
    installation = Installation(tmp_path / "data", SHELFSIGHT_MODEL=str(tiny_clip))
    yield installation
    if installation._process is not None:
        installation.stop()


@pytest.fixture(scope="session")
def s3() -> "Iterator[S3Server]":
    """An S3 server, for all tests: each has a prefix of its own."""
    from tests.s3_server import s3_server  # with boto3 and moto: half a second nobody else pays

    with s3_server() as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        place = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[place.removeprefix("Skipped: ")] += 1
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")
