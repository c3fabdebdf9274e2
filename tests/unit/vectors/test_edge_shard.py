"""How the engine is asked."""

import subprocess
import sys
from pathlib import Path

import pytest
import qdrant_edge

from backend.errors import IndexUnavailable
from backend.vectors import edge_shard
from backend.vectors.edge_shard import asked, create_shard, discard_shard, load_shard

ROOT = Path(__file__).parents[3]


class PanicError(BaseException):
    """As the engine's own on damaged data: not an Exception."""


def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [PanicError("corrupted"), RuntimeError("failed"), ValueError("bad")], ids=repr)
def test_whatever_goes_wrong_in_the_engine_is_unavailable(error: BaseException) -> None:
    with pytest.raises(IndexUnavailable, match=str(error)) as raised:
        asked(raising, error)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("wish", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_a_wish_to_end_the_process_passes(wish: BaseException) -> None:
    with pytest.raises(type(wish)):
        asked(raising, wish)


def test_a_half_made_shard_of_a_killed_process_is_made_anew(tmp_path: Path) -> None:
    draft = tmp_path / "shard.new"
    (draft / "segments" / "half").mkdir(parents=True)
    (draft / "edge_config.json").write_text('{"vec')
    create_shard(tmp_path / "shard", 8)
    shard = load_shard(tmp_path / "shard")
    assert shard.info().points_count == 0
    assert set(shard.info().payload_schema) == {
        "merchant", "product_id", "categories", "brand", "currency", "image", "price", "in_stock", "version",
        "buried_at", "lead", "added_at", "attribute_terms", "attribute_numbers", "words", "spelling", "shelves",
    }  # fmt: skip
    shard.close()
    assert not draft.exists()


def test_a_shard_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexUnavailable, match="cannot be created"):
        create_shard(tmp_path / "file" / "shard", 8)


def test_the_embedded_index_does_not_need_the_servers_client() -> None:
    check = "import sys, backend.vectors.edge_store; print(*(name for name in sys.modules if 'qdrant' in name))"
    loaded = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "qdrant_edge" in loaded
    assert "qdrant_client" not in loaded


def test_a_discarded_shard_goes_without_its_indexes_and_lets_others_have_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_shard, "PIECE_SECONDS", 0.0)
    create_shard(tmp_path / "shard", 8)
    discard_shard(load_shard(tmp_path / "shard"))
    again = qdrant_edge.EdgeShard.load(str(tmp_path / "shard"))
    assert again.info().payload_schema == {}
    again.close()
