"""What is counted is what is packed."""

from pathlib import Path

import pytest

from backend.cli import packing
from backend.errors import InvalidCsv


def test_a_row_that_cannot_be_read_counts_like_any(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.csv"
    catalog.write_text(f'product_id,title,image\nA,{"x" * 140_000},a.jpg\n\nB,"bad"x,b.jpg\nC,ok,c.jpg\n', "utf-8")
    [part] = packing.parts(catalog)
    assert (part.rows, [item["row"] for item in part.refused]) == ([3], [1, 2])
    assert packing.count_rows(catalog) == 3


@pytest.mark.parametrize(("text", "count"), [("", 0), ("product_id,image\n", 0), ("product_id,image\nA,a.jpg", 1)])
def test_the_header_is_no_row(tmp_path: Path, text: str, count: int) -> None:
    catalog = tmp_path / "catalog.csv"
    catalog.write_text(text, "utf-8")
    assert packing.count_rows(catalog) == count


def test_a_header_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.csv"
    catalog.write_text(f"product_id,image,{'x' * 140_000}\nA,a.jpg\n", "utf-8")
    with pytest.raises(InvalidCsv, match="header"):
        packing.count_rows(catalog)
