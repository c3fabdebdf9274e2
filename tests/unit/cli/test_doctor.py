"""What `shelfsight doctor` says of where pictures are kept."""

import socket
from pathlib import Path

import pytest

from backend.blobs import s3_bucket
from backend.cli.doctor import Finding, examine
from backend.settings import Settings, StoreSettings
from tests.s3_server import S3Server


def pictures(folder: Path, **stores: str) -> Finding:
    settings = Settings(data_dir=folder, stores=StoreSettings.model_validate(stores))
    return next(found for found in examine(settings) if found.part == "pictures")


def test_a_bucket_that_can_be_written_is_well(tmp_path: Path, s3: S3Server) -> None:
    url = s3.url()
    found = pictures(tmp_path, blobs_url=url, blobs_endpoint=s3.endpoint)
    assert (found.found, found.mend) == (f"{url} answers and can be written", "")


def test_a_bucket_that_is_missing_is_said_with_what_to_do(tmp_path: Path, s3: S3Server) -> None:
    found = pictures(tmp_path, blobs_url="s3://not-there/x", blobs_endpoint=s3.endpoint)
    assert "make the bucket" in found.found
    assert found.mend


def test_a_store_that_does_not_answer_is_said(tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_bucket, "_ATTEMPTS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = pictures(tmp_path, blobs_url=s3.url(), blobs_endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert "cannot be read" in found.found
    assert found.mend


def test_without_a_bucket_they_are_in_the_data_directory(tmp_path: Path) -> None:
    assert pictures(tmp_path).found == str(tmp_path / "pictures")
