"""For all tests: what was skipped is said once per reason, with its count."""

import os
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def clothing() -> Path:
    """The folder of real photographs, or a skip."""
    folder = Path(os.environ.get("SHELFSIGHT_CLOTHING", ROOT.parent / "shared" / "data" / "clothing"))
    if not (folder / "catalog.csv").exists():
        pytest.skip("the clothing photographs are not here (SHELFSIGHT_CLOTHING)")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        place = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[place.removeprefix("Skipped: ")] += 1
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}: {reason}")
