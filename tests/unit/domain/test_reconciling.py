"""What has to be done so that the index shows a row."""

from dataclasses import replace

from backend.domain.picture import Picture, PictureState
from backend.domain.product import Product, ProductKey, ProductRecord
from backend.domain.reconciling import Plan, plan_of

A, B, C = "a" * 64, "b" * 64, "c" * 64
ROW = ProductRecord(Product(ProductKey("m", "p")), (Picture(A), Picture(B)), version=1, indexed_version=0)


def test_a_new_product_has_all_its_pictures_embedded() -> None:
    assert plan_of(ROW, []) == Plan(embed=(A, B), keep=(), remove=())


def test_unchanged_pictures_are_not_embedded_again() -> None:
    assert plan_of(ROW, [A, B]) == Plan(embed=(), keep=(A, B), remove=())


def test_replaced_pictures_go_and_kept_ones_stay() -> None:
    assert plan_of(ROW, [B, C]) == Plan(embed=(A,), keep=(B,), remove=(C,))


def test_a_deleted_product_keeps_nothing() -> None:
    assert plan_of(replace(ROW, deleted=True), [A, B]) == Plan(embed=(), keep=(), remove=(A, B))


def test_refused_pictures_are_not_tried_and_the_same_picture_counts_once() -> None:
    pictures = (Picture(A), Picture(A), Picture(None, PictureState.FAILED), Picture(C, PictureState.FAILED))
    assert plan_of(replace(ROW, pictures=pictures), [C]) == Plan(embed=(A,), keep=(), remove=(C,))
