"""What each write is on condition of."""

import numpy as np
import pytest

from backend.domain.payload import point_id
from backend.errors import ShelfsightError
from backend.ports import Tombstone
from backend.vectors.payload import storable_points
from backend.vectors.versions import by_version, tombstone_points, version_of
from tests.factories import content_hash, key, product
from tests.unit.vectors.points import DIMENSION, point, toward


def test_points_are_put_together_by_version() -> None:
    a, b, c = (point(product(name), toward(1.0), version=version) for name, version in [("a", 2), ("b", 1), ("c", 2)])
    assert by_version([a, b, c]) == {2: [a, c], 1: [b]}


def test_of_a_point_given_several_times_the_newest_is_kept_and_of_one_version_the_first() -> None:
    given = [point(product(title=str(number)), toward(1.0), version=v) for number, v in enumerate([2, 5, 3, 5])]
    assert by_version(given) == {5: [given[1]]}


def test_a_tombstone_lies_under_the_pictures_id_and_belongs_to_nobody() -> None:
    (stone,) = tombstone_points([Tombstone(key(), content_hash("x"), 7)], DIMENSION, 1000.5)
    assert stone.point_id == point_id(key(), content_hash("x"))
    assert stone.payload == {"version": 7, "buried_at": 1000.5}
    (stored,) = storable_points([stone], DIMENSION)
    assert np.array_equal(stored.vector, stone.vector)


@pytest.mark.parametrize("version", [None, "1", 1.0, True])
def test_what_is_no_whole_number_is_no_version(version: object) -> None:
    with pytest.raises(ShelfsightError, match="version"):
        version_of({"version": version})
