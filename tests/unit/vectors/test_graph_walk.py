"""Which way a shard with a graph is searched."""

import pytest

from backend.vectors.graph_walk import Way, way_of


@pytest.mark.parametrize(
    ("kept", "points", "way"),
    [
        (300_000, 300_000, Way.WALK),
        (120_000, 300_000, Way.WALK),  # dense enough
        (119_999, 300_000, Way.FAR_WALK),
        (100_000, 300_000, Way.WHOLE),
        (25_001, 300_000, Way.WHOLE),
        (25_000, 300_000, Way.WALK),  # which the engine does not do, for so few
        (0, 300_000, Way.WALK),
        (100_001, 1_000_000, Way.FAR_WALK),
        (0, 0, Way.WALK),
    ],
)
def test_what_is_neither_few_nor_dense_is_not_left_to_a_plain_walk(kept: int, points: int, way: Way) -> None:
    assert way_of(kept=kept, points=points, scan_points=25_000) is way
