from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from backend.domain.picture import Vectors
from backend.embedding.packaged.encoder import PackagedEncoder
from backend.ports import Embedder
from tests.unit.embedding.packaged import drawing
from tests.unit.embedding.packaged.conftest import ClosedNetwork

pytestmark = pytest.mark.slow

PICTURES = list(drawing.GALLERY.values())
TEXTS = ["mug", "red", "light blue summer dress", "", "quantum flux", "orange"]


def assert_unit_rows(vectors: Vectors, count: int) -> None:
    assert vectors.shape == (count, 512)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_loading_and_embedding_opens_no_connection(closed_network: ClosedNetwork, tmp_path: Path) -> None:
    fresh = PackagedEncoder(tmp_path)
    fresh.warm_up()
    assert_unit_rows(fresh.embed_texts(["https://example.com/hat.jpg"]), 1)
    assert closed_network.attempts == []


def test_the_encoder_is_an_embedder(encoder: PackagedEncoder) -> None:
    port: Embedder = encoder
    assert port.space.model == "packaged"
    assert port.space.dimension == 512
    assert port.picture_side >= 298  # what the crop leaves of it must fill the network's 260 pixels


def test_pictures_become_unit_rows_in_order(encoder: PackagedEncoder) -> None:
    vectors = encoder.embed_images(PICTURES)
    assert_unit_rows(vectors, len(PICTURES))
    assert np.allclose(vectors[::-1], encoder.embed_images(PICTURES[::-1]), atol=1e-4)


def test_texts_become_unit_rows_whatever_they_say(encoder: PackagedEncoder) -> None:
    assert_unit_rows(encoder.embed_texts([*TEXTS, "dress " * 2000, "日本語", "\x00"]), len(TEXTS) + 3)


def test_how_it_computes_is_known_once_the_network_is_loaded(encoder_cache: Path) -> None:
    fresh = PackagedEncoder(encoder_cache, exact=True)
    assert fresh.how == "cpu, not loaded yet, 1 thread"
    fresh.embed_images(PICTURES[:1])
    assert fresh.how == "cpu, float32, 1 thread"


def test_a_processor_without_bfloat16_computes_in_float32(
    exact_encoder: PackagedEncoder, encoder_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.embedding.precision._has_bfloat16", lambda: False)
    fresh = PackagedEncoder(encoder_cache)
    assert np.array_equal(fresh.embed_images(PICTURES), exact_encoder.embed_images(PICTURES))
    assert "float32" in fresh.how


def test_nothing_in_is_nothing_out(encoder: PackagedEncoder) -> None:
    assert encoder.embed_images([]).shape == (0, 512)
    assert encoder.embed_texts([]).shape == (0, 512)


def test_a_vector_does_not_depend_on_its_neighbours(encoder: PackagedEncoder) -> None:
    together = encoder.embed_images(PICTURES)
    alone = np.concatenate([encoder.embed_images([picture]) for picture in PICTURES])
    assert ((together * alone).sum(axis=1) > 1 - 1e-5).all()
    texts_together = encoder.embed_texts(TEXTS)
    texts_alone = np.concatenate([encoder.embed_texts([text]) for text in TEXTS])
    assert ((texts_together * texts_alone).sum(axis=1) > 1 - 1e-5).all()


def test_threads_get_what_one_caller_gets(encoder: PackagedEncoder) -> None:
    expected = encoder.embed_images(PICTURES), encoder.embed_texts(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        pictures = [pool.submit(encoder.embed_images, PICTURES) for _ in range(4)]
        texts = [pool.submit(encoder.embed_texts, TEXTS) for _ in range(8)]
        assert all(np.allclose(future.result(), expected[0], atol=1e-5) for future in pictures)
        assert all(np.allclose(future.result(), expected[1], atol=1e-5) for future in texts)


def test_the_picture_given_is_left_alone(encoder: PackagedEncoder) -> None:
    picture = drawing.waves()
    before = picture.copy()
    picture.flags.writeable = False
    encoder.embed_images([picture])
    assert np.array_equal(picture, before)


@pytest.mark.parametrize(("text", "first"), [("red", 0), ("blue", 1), ("red vase", 0), ("navy vase", 1)])
def test_colour_words_bring_their_colour_first(encoder: PackagedEncoder, text: str, first: int) -> None:
    boxes = encoder.embed_images([drawing.box_on(drawing.WHITE, colour) for colour in (drawing.RED, drawing.BLUE)])
    scores = (encoder.embed_texts([text]) @ boxes.T)[0]
    assert scores[first] > scores[1 - first] + 0.1


def test_a_text_of_colours_alone_asks_for_no_class(encoder: PackagedEncoder) -> None:
    assert not encoder.embed_texts(["red"])[0, : 512 - 11].any()


def test_a_shape_is_nearer_to_itself_in_another_colour_than_to_noise(encoder: PackagedEncoder) -> None:
    red, blue, noise = encoder.embed_images(
        [drawing.disc_on(drawing.WHITE, drawing.RED), drawing.disc_on(drawing.WHITE, drawing.BLUE), drawing.noise()]
    )
    assert red @ blue > red @ noise + 0.1


def test_words_of_like_meaning_are_near_and_others_far(encoder: PackagedEncoder) -> None:
    sofa, couch, trumpet = encoder.embed_texts(["sofa", "comfy couch", "trumpet"])
    assert sofa @ couch > 0.8
    assert sofa @ trumpet < 0.3


def test_a_second_start_reads_the_anchors_of_the_first(
    encoder: PackagedEncoder, encoder_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = encoder.embed_texts(TEXTS)
    [file] = encoder_cache.iterdir()
    assert encoder.space.fingerprint in file.name
    written = file.stat().st_mtime_ns
    assert np.array_equal(PackagedEncoder(encoder_cache).embed_texts(TEXTS), expected)
    assert file.stat().st_mtime_ns == written
    assert caplog.text == ""


def test_a_damaged_cache_is_computed_again(encoder: PackagedEncoder, tmp_path: Path) -> None:
    file = tmp_path / f"packaged-anchors-{encoder.space.fingerprint}.npz"
    file.write_bytes(b"damaged")
    assert np.allclose(PackagedEncoder(tmp_path).embed_texts(TEXTS), encoder.embed_texts(TEXTS), atol=1e-5)
    assert file.stat().st_size > 1_000_000
