"""What every `ports.Embedder` promises, claimed of the fake and of every real one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from backend.domain.picture import Pixels
from backend.ports import Embedder
from tests.fakes.embedder import COLOURS, FakeEmbedder
from tests.fakes.tiny_clip import save_tiny_clip

TEXTS = ["red shoe", "a long blue summer dress with white flowers", "", "Röcke, 42", "red"]

# Batches of other sizes are computed by other kernels, which add in another order; .00003 is far below any difference
# that could change a ranking.
TOLERANCE = 3e-5


def _fake(_folder: Path) -> Embedder:
    return FakeEmbedder()


def _clip(folder: Path) -> Embedder:
    from backend.embedding.clip import ClipEncoder

    return ClipEncoder(str(save_tiny_clip(folder / "clip")), device="cpu", threads=1, exact=True, batch=3)


def _packaged(folder: Path) -> Embedder:
    encoder = pytest.importorskip("backend.embedding.packaged.encoder", exc_type=ImportError)
    built: Embedder = encoder.PackagedEncoder(cache_dir=folder, threads=1)
    return built


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(_fake, id="fake"),
        pytest.param(_clip, id="clip", marks=pytest.mark.slow),
        pytest.param(_packaged, id="packaged", marks=pytest.mark.slow),
    ],
)
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    built: Embedder = request.param(tmp_path_factory.mktemp("encoder"))
    return built


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    """Plain, patterned and noisy, upright and lying, small and large, up to the 20:1 that the imaging room admits."""
    random = np.random.default_rng(3)
    plain = [np.full((64, 64, 3), colour, np.uint8) for colour in COLOURS.values()]
    noise = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in [(32, 640), (300, 40), (500, 400)]]
    stripes = np.zeros((90, 120, 3), np.uint8)
    stripes[::8] = 255
    return [*plain, *noise, stripes]


class TestEmbedder:
    def test_vectors_have_the_spaces_dimension_and_unit_length(
        self, embedder: Embedder, pictures: list[Pixels]
    ) -> None:
        for vectors, count in ((embedder.embed_images(pictures), len(pictures)), (embedder.embed_texts(TEXTS), 5)):
            assert vectors.shape == (count, embedder.space.dimension)
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)

    def test_nothing_in_nothing_out(self, embedder: Embedder) -> None:
        for vectors in (embedder.embed_images([]), embedder.embed_texts([])):
            assert vectors.shape == (0, embedder.space.dimension)
            assert vectors.dtype == np.float32

    def test_the_same_input_gives_the_same_vectors(self, embedder: Embedder, pictures: list[Pixels]) -> None:
        np.testing.assert_array_equal(embedder.embed_images(pictures), embedder.embed_images(pictures))
        np.testing.assert_array_equal(embedder.embed_texts(TEXTS), embedder.embed_texts(TEXTS))

    def test_rows_keep_the_order_of_the_input(self, embedder: Embedder, pictures: list[Pixels]) -> None:
        backwards = embedder.embed_images(pictures[::-1])
        np.testing.assert_allclose(backwards[::-1], embedder.embed_images(pictures), atol=TOLERANCE)
        np.testing.assert_allclose(embedder.embed_texts(TEXTS[::-1])[::-1], embedder.embed_texts(TEXTS), atol=TOLERANCE)

    def test_a_vector_does_not_depend_on_its_batch(self, embedder: Embedder, pictures: list[Pixels]) -> None:
        alone = [embedder.embed_images([pixels])[0] for pixels in pictures]
        np.testing.assert_allclose(alone, embedder.embed_images(pictures), atol=TOLERANCE)
        alone = [embedder.embed_texts([text])[0] for text in TEXTS]
        np.testing.assert_allclose(alone, embedder.embed_texts(TEXTS), atol=TOLERANCE)

    def test_different_pictures_and_texts_get_different_vectors(
        self, embedder: Embedder, pictures: list[Pixels]
    ) -> None:
        for vectors in (embedder.embed_images(pictures), embedder.embed_texts(TEXTS[:2])):
            cosines = vectors @ vectors.T - np.eye(len(vectors))
            assert cosines.max() < 1 - 1e-4

    def test_pictures_are_left_as_they_were(self, embedder: Embedder, pictures: list[Pixels]) -> None:
        before = [pixels.copy() for pixels in pictures]
        embedder.embed_images(pictures)
        for pixels, original in zip(pictures, before, strict=True):
            np.testing.assert_array_equal(pixels, original)

    def test_a_read_only_picture_is_accepted(self, embedder: Embedder, pictures: list[Pixels]) -> None:
        frozen = pictures[0].copy()
        frozen.flags.writeable = False
        vectors = embedder.embed_images([frozen, pictures[0]])
        np.testing.assert_allclose(vectors[0], vectors[1], atol=TOLERANCE)

    def test_threads_may_embed_at_once(self, embedder: Embedder, pictures: list[Pixels]) -> None:
        images, texts = embedder.embed_images(pictures), embedder.embed_texts(TEXTS)
        with ThreadPoolExecutor(4) as pool:
            all_images = pool.map(lambda _: embedder.embed_images(pictures), range(4))
            all_texts = pool.map(lambda n: embedder.embed_texts(TEXTS[n % 5 :]), range(40))
            for result in all_images:
                np.testing.assert_allclose(result, images, atol=TOLERANCE)
            for result in all_texts:
                np.testing.assert_allclose(result, texts[-len(result) :], atol=TOLERANCE)

    def test_a_space_and_a_side_can_be_stored_and_used(self, embedder: Embedder) -> None:
        assert embedder.space.model
        assert len(embedder.space.fingerprint) == 16
        assert 0 < embedder.picture_side < 2000

    def test_it_says_in_a_few_words_what_it_computes_with(self, embedder: Embedder) -> None:
        assert embedder.how.startswith("cpu, ")
        assert len(embedder.how) < 80
        assert embedder.how.isprintable()


class TestFakeEmbedder:
    """What the tests that use the fake rely on beyond the contract."""

    @pytest.mark.parametrize("colour", sorted(COLOURS))
    def test_a_colour_word_finds_pictures_of_that_colour(self, colour: str) -> None:
        fake = FakeEmbedder()
        noise = np.random.default_rng(1).normal(0, 12, (len(COLOURS), 60, 80, 3))
        shades = [np.asarray(rgb) + noise[n] for n, rgb in enumerate(COLOURS.values())]
        gallery = fake.embed_images([np.clip(shade, 0, 255).astype(np.uint8) for shade in shades])
        scores = gallery @ fake.embed_texts([f"a {colour} dress"])[0]
        assert list(COLOURS)[int(scores.argmax())] == colour

    def test_like_is_nearer_than_unlike(self) -> None:
        red, dark_red, blue = (np.full((9, 9, 3), rgb, np.uint8) for rgb in [(220, 0, 0), (160, 0, 0), (0, 0, 220)])
        vectors = FakeEmbedder().embed_images([red, dark_red, blue])
        assert vectors[0] @ vectors[1] > 0.95 > vectors[0] @ vectors[2]

    def test_it_counts_what_it_was_asked(self) -> None:
        fake = FakeEmbedder()
        pixels = np.zeros((4, 4, 3), np.uint8)
        fake.embed_images([pixels, pixels])
        fake.embed_images([pixels])
        fake.embed_texts(["red"])
        assert (fake.pictures_embedded, fake.batches, fake.texts_embedded) == (3, [2, 1], 1)

    def test_it_fails_when_told_and_recovers(self) -> None:
        fake = FakeEmbedder()
        fake.fail(RuntimeError("as told"))
        with pytest.raises(RuntimeError, match="as told"):
            fake.embed_images([])
        with pytest.raises(RuntimeError, match="as told"):
            fake.embed_texts([])
        fake.recover()
        assert fake.embed_texts(["red"]).shape == (1, 32)

    def test_another_seed_is_another_model(self) -> None:
        one, other = FakeEmbedder(seed=0), FakeEmbedder(seed=1)
        assert one.space.fingerprint != other.space.fingerprint
        assert abs(float(one.embed_texts(["red"])[0] @ other.embed_texts(["red"])[0])) < 0.9
