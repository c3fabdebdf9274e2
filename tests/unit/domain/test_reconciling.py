"""What has to be done so that the index shows a row."""

from dataclasses import replace

from backend.domain.picture import Picture, PictureState
from backend.domain.product import Product, ProductKey, ProductRecord
from backend.domain.reconciling import Plan, plan_of

A, B, C = "a" * 64, "b" * 64, "c" * 64
ROW = ProductRecord(Product(ProductKey("m", "p")), (Picture(A), Picture(B)), version=1, indexed_version=0)


def test_a_new_product_has_all_its_pictures_added() -> None:
    assert plan_of(ROW, []) == Plan(add=(A, B), keep=(), bury=())


def test_unchanged_pictures_are_not_added_again() -> None:
    assert plan_of(ROW, [A, B]) == Plan(add=(), keep=(A, B), bury=())


def test_replaced_pictures_go_and_kept_ones_stay() -> None:
    assert plan_of(ROW, [B, C]) == Plan(add=(A,), keep=(B,), bury=(C,))


def test_a_deleted_product_keeps_nothing() -> None:
    assert plan_of(replace(ROW, deleted=True), [A, B]) == Plan(add=(), keep=(), bury=(A, B))


def test_refused_pictures_are_not_tried_and_the_same_picture_counts_once() -> None:
    pictures = (Picture(A), Picture(A), Picture(None, PictureState.FAILED), Picture(C, PictureState.FAILED))
    assert plan_of(replace(ROW, pictures=pictures), [C]) == Plan(add=(A,), keep=(), bury=(C,))


def test_a_picture_that_was_dropped_is_buried_though_the_index_never_had_it() -> None:
    """A late worker may be about to bring it."""
    assert plan_of(replace(ROW, dropped=(B, C)), [A]) == Plan(add=(B,), keep=(A,), bury=(C,))
