"""The description beside an embedded index."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.errors import IndexUnavailable, Misconfigured
from backend.ports import Space
from backend.vectors.sidecar import NAME, Sidecar, read_sidecar, write_sidecar

FLUSHED = datetime(2026, 1, 1, 12, 0, 0, 250_001, tzinfo=UTC)
SIDECAR = Sidecar(Space("clip", 512, "abc"), "2026-01-01T00:00:00+00:00", 7, FLUSHED, clean=False)


@pytest.mark.parametrize("durable", [True, False])
def test_what_was_written_is_read(tmp_path: Path, durable: bool) -> None:
    write_sidecar(tmp_path, SIDECAR, durable=durable)
    assert read_sidecar(tmp_path) == SIDECAR
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert read_sidecar(tmp_path) is None
    assert read_sidecar(tmp_path / "absent") is None


def test_a_draft_left_by_a_killed_process_is_not_read(tmp_path: Path) -> None:
    write_sidecar(tmp_path, SIDECAR, durable=False)
    (tmp_path / f"{NAME}.new").write_text('{"format": 5, "spa')
    assert read_sidecar(tmp_path) == SIDECAR


@pytest.mark.parametrize("content", ["", "[]", '{"format": 5}', '{"format": 5, "space": {"model": "x"}}', "\x00\x00"])
def test_a_damaged_description_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(IndexUnavailable, match="build the index anew"):
        read_sidecar(tmp_path)


@pytest.mark.parametrize(
    ("layout", "mend"),
    [(1, "Remove .*: the next start makes"), (3, "Remove .*: the next start makes"), (6, "Start the")],
)
def test_a_description_of_another_version_is_refused_and_says_what_to_do(
    tmp_path: Path, layout: int, mend: str
) -> None:
    write_sidecar(tmp_path, SIDECAR, durable=False)
    content = json.loads((tmp_path / NAME).read_text())
    (tmp_path / NAME).write_text(json.dumps(content | {"format": layout}))
    with pytest.raises(Misconfigured, match=f"format {layout}.*{mend}"):
        read_sidecar(tmp_path)


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable, match="cannot be written"):
        write_sidecar(tmp_path / "absent", SIDECAR, durable=True)
