"""The promised quality on real photographs; `benchmarks.encoder_quality` prints the whole table."""

import numpy as np
import pytest

from backend.domain.picture import Vectors
from backend.embedding.packaged.encoder import PackagedEncoder
from benchmarks.encoder_quality import (
    CLASS_NAMES,
    CLOTHING,
    Catalog,
    embedded,
    picture_to_picture,
    precision,
    read_catalog,
    words_to_pictures,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # 3,781 photographs on a busy machine
    pytest.mark.skipif(not CLOTHING.is_dir(), reason=f"the clothing data set is not at {CLOTHING}"),
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog()


@pytest.fixture(scope="module")
def vectors(encoder: PackagedEncoder, catalog: Catalog) -> Vectors:
    return embedded(encoder, catalog.paths)


def test_three_of_four_pictures_found_are_of_the_same_category(vectors: Vectors, catalog: Catalog) -> None:
    hits = picture_to_picture(vectors, catalog)
    assert (len(hits), len(hits[0])) == (372, 3409)
    assert precision(hits) >= 0.75


def test_seven_of_ten_pictures_found_by_a_category_name_are_of_it(
    encoder: PackagedEncoder, vectors: Vectors, catalog: Catalog
) -> None:
    wanted = list(CLASS_NAMES.values())
    assert set(wanted) == set(np.unique(catalog.categories))
    hits = words_to_pictures(encoder.embed_texts(list(CLASS_NAMES)), wanted, vectors, catalog)
    assert precision(hits) >= 0.70
