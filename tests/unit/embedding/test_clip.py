"""ClipEncoder over small real CLIP models. Slow: importing sentence-transformers alone takes several seconds, which is
also why nothing here imports it before a test runs."""

from __future__ import annotations

import json
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backend.domain.picture import Pixels, Vectors
from backend.embedding.hub import Hub
from backend.errors import ModelUnavailable
from tests.fakes.tiny_clip import DIMENSION, SIDE, TOKEN_LIMIT, save_tiny_clip
from tests.processor import WAY_IN_BFLOAT16

if TYPE_CHECKING:
    import torch

    from backend.embedding.clip import ClipEncoder

pytestmark = pytest.mark.slow

TEXTS = ["red shoe", "a blue dress", "", "Röcke & Schuhe 42"]


def load(model: str, **named: Any) -> ClipEncoder:
    """In float32 unless told otherwise, and without measuring the best batch."""
    from backend.embedding.clip import ClipEncoder

    return ClipEncoder(model, **{"exact": True, "batch": 32, **named})


def pictures() -> list[Pixels]:
    random = np.random.default_rng(7)
    sizes = [(40, 40), (64, 90), (200, 50), (33, 32), (3, 70)]
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture(scope="session")
def laid_out_as_on_the_hub(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights as `sentence-transformers/clip-ViT-B-32` lays them out, in the formats of its day (2021)."""
    folder = tmp_path_factory.mktemp("sentence-transformers")
    module = {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}
    (folder / "modules.json").write_text(json.dumps([module]))
    (folder / "config_sentence_transformers.json").write_text('{"__version__": {"sentence_transformers": "2.0.0"}}')
    towers = Path(shutil.copytree(clip_folder, folder / "0_CLIPModel"))
    vocabulary = json.loads((towers / "tokenizer.json").read_text())["model"]
    (towers / "vocab.json").write_text(json.dumps(vocabulary["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in vocabulary["merges"]]
    (towers / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    scaling = json.loads((towers / "processor_config.json").read_text())["image_processor"]
    old = {key: scaling[key] for key in ("image_mean", "image_std", "resample")}
    old |= {"do_center_crop": True, "do_normalize": True, "do_resize": True, "size": SIDE, "crop_size": SIDE}
    old |= {"feature_extractor_type": "CLIPFeatureExtractor"}
    (towers / "preprocessor_config.json").write_text(json.dumps(old))
    (towers / "tokenizer.json").unlink()
    (towers / "processor_config.json").unlink()
    return folder


@pytest.fixture(scope="module")
def encoder(clip_folder: Path) -> ClipEncoder:
    return load(str(clip_folder), device="cpu")


@pytest.fixture
def copy(clip_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clip_folder, tmp_path / "copy"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def reference(folder: Path) -> tuple[Vectors, Vectors]:
    """What transformers' own classes make of the pictures and the texts, without sentence-transformers."""
    import torch
    from transformers import AutoTokenizer, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = CLIPModel.from_pretrained(folder).eval()
    scaled = CLIPImageProcessorPil.from_pretrained(folder)(
        pictures(), return_tensors="pt", input_data_format="channels_last"
    )
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS, return_tensors="pt", padding=True, truncation=True)
    with torch.inference_mode():
        images = model.get_image_features(**scaled).pooler_output
        texts = model.get_text_features(**tokens).pooler_output
    return _unit_rows(images), _unit_rows(texts)


def _unit_rows(tensor: torch.Tensor) -> Vectors:
    vectors: Vectors = (tensor / tensor.norm(dim=1, keepdim=True)).numpy()
    return vectors


def rewrite_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def rewrite_weights(folder: Path, change: object) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)  # type: ignore[operator]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


class TestVectors:
    @pytest.mark.parametrize("layout", ["clip_folder", "laid_out_as_on_the_hub"])
    def test_they_equal_the_transformers_reference(
        self, layout: str, clip_folder: Path, request: pytest.FixtureRequest
    ) -> None:
        images, texts = reference(clip_folder)
        encoder = load(str(request.getfixturevalue(layout)), device="cpu")
        np.testing.assert_allclose(encoder.embed_images(pictures()), images, atol=1e-3)
        np.testing.assert_allclose(encoder.embed_texts(TEXTS), texts, atol=1e-3)

    def test_small_batches_keep_the_order(self, clip_folder: Path, encoder: ClipEncoder) -> None:
        small = load(str(clip_folder), device="cpu", batch=2)
        np.testing.assert_allclose(small.embed_images(pictures()), encoder.embed_images(pictures()), atol=1e-5)
        np.testing.assert_allclose(small.embed_texts(TEXTS), encoder.embed_texts(TEXTS), atol=1e-5)

    def test_half_precision_weights_are_computed_in_float32(self, copy: Path, encoder: ClipEncoder) -> None:
        def halve(tensors: dict[str, object]) -> None:
            tensors.update({name: tensor.half() for name, tensor in tensors.items()})  # type: ignore[attr-defined]

        rewrite_weights(copy, halve)
        rewrite_json(copy / "config.json", dtype="float16")
        half = load(str(copy), device="cpu")
        assert half.how == encoder.how
        np.testing.assert_allclose(half.embed_images(pictures()), encoder.embed_images(pictures()), atol=5e-3)

    def test_pickled_weights_give_the_same(self, copy: Path, encoder: ClipEncoder) -> None:
        import torch
        from safetensors.torch import load_file

        torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
        (copy / "model.safetensors").unlink()
        pickled = load(str(copy), device="cpu")
        np.testing.assert_allclose(pickled.embed_images(pictures()), encoder.embed_images(pictures()), atol=1e-5)

    def test_a_picture_three_pixels_high_is_not_taken_for_colours_first(self, encoder: ClipEncoder) -> None:
        strip = np.zeros((3, 40, 3), np.uint8)
        strip[..., 0] = 255
        square = np.zeros((40, 40, 3), np.uint8)
        square[..., 0] = 255
        vectors = encoder.embed_images([strip, square])
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


class TestPrecision:
    @pytest.fixture
    def fast(self, clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> ClipEncoder:
        """In bfloat16, whatever this machine is best at."""
        import torch

        monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.bfloat16)
        return load(str(clip_folder), device="cpu", exact=False)

    def test_half_the_bits_give_the_same_vectors(self, fast: ClipEncoder, encoder: ClipEncoder) -> None:
        assert WAY_IN_BFLOAT16 in fast.how
        for ours, theirs in (
            (fast.embed_images(pictures()), encoder.embed_images(pictures())),
            (fast.embed_texts(TEXTS), encoder.embed_texts(TEXTS)),
        ):
            assert np.einsum("nd,nd->n", ours, theirs).min() > 0.995
            np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
        assert fast.space == encoder.space

    def test_where_they_do_not_float32_is_used_and_said(
        self, clip_folder: Path, encoder: ClipEncoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        import torch

        monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.bfloat16)
        monkeypatch.setattr("backend.embedding.precision.LEAST_COSINE", 1.1)
        careful = load(str(clip_folder), device="cpu", exact=False)
        assert careful.how == encoder.how
        np.testing.assert_array_equal(careful.embed_images(pictures()), encoder.embed_images(pictures()))
        assert "changes vectors here" in caplog.text
        assert "float32 is used instead" in caplog.text

    def test_without_fused_layers_the_plain_ones_are_tried(
        self, clip_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        import torch

        def missing(*_: object) -> None:
            raise RuntimeError("this torch has no oneDNN operation")

        monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.bfloat16)
        monkeypatch.setattr("backend.embedding.towers.fuse", missing)
        assert "bfloat16, " in load(str(clip_folder), device="cpu", exact=False).how
        assert "no oneDNN operation" in caplog.text

    @pytest.fixture
    def whole(self, clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> ClipEncoder:
        """In whole numbers, whatever this machine is best at."""
        import torch

        monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.float32)
        monkeypatch.setattr("backend.embedding.clip.multiplies_whole_faster", lambda: True)
        return load(str(clip_folder), device="cpu", exact=False)

    def test_whole_numbers_give_the_same_vectors(self, whole: ClipEncoder, encoder: ClipEncoder) -> None:
        assert "int8, fused layers" in whole.how
        assert np.einsum("nd,nd->n", whole.embed_texts(TEXTS), encoder.embed_texts(TEXTS)).min() > 0.995
        assert np.einsum("nd,nd->n", whole.embed_images(pictures()), encoder.embed_images(pictures())).min() > 0.995
        assert whole.space == encoder.space

    def test_in_whole_numbers_too_a_vector_is_the_same_whatever_else_is_asked(self, whole: ClipEncoder) -> None:
        together = whole.embed_images(pictures())
        alone = [whole.embed_images([picture])[0] for picture in pictures()]
        np.testing.assert_allclose(together, alone, atol=1e-3)

    def test_where_whole_numbers_lose_too_much_float32_is_fused(
        self, clip_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        import torch

        monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.float32)
        monkeypatch.setattr("backend.embedding.clip.multiplies_whole_faster", lambda: True)
        monkeypatch.setattr("backend.embedding.integer_linear.largest_weight", lambda: 1)
        assert "float32, fused layers" in load(str(clip_folder), device="cpu", exact=False).how
        assert "CLIP in int8, fused layers changes vectors here" in caplog.text

    def test_float32_is_fused_too_where_nothing_is_faster(
        self, clip_folder: Path, encoder: ClipEncoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import torch

        monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.float32)
        monkeypatch.setattr("backend.embedding.clip.multiplies_whole_faster", lambda: False)
        fused = load(str(clip_folder), device="cpu", exact=False)
        assert "float32, fused layers" in fused.how
        np.testing.assert_allclose(fused.embed_texts(TEXTS), encoder.embed_texts(TEXTS), atol=1e-5)
        # Pictures are noise here, and scaled quickly: `resizing` says how far that is from Pillow's numbers.
        cosines = np.einsum("nd,nd->n", fused.embed_images(pictures()), encoder.embed_images(pictures()))
        assert cosines.min() > 0.9999


class TestSharedWeights:
    def test_they_give_the_same_vectors_in_half_the_bits(
        self, clip_folder: Path, encoder: ClipEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import torch

        monkeypatch.setattr("backend.embedding.clip.fast_dtype", lambda device: torch.bfloat16)
        shared = load(str(clip_folder), device="cpu", exact=False, shared=True, cache_dir=tmp_path)
        assert "bfloat16, " in shared.how
        assert "fused" not in shared.how
        assert np.einsum("nd,nd->n", shared.embed_texts(TEXTS), encoder.embed_texts(TEXTS)).min() > 0.995
        [file] = tmp_path.glob("*.safetensors")
        assert file.name == f"weights-{shared.space.fingerprint}-bfloat16.safetensors"

    def test_float32_can_be_shared_too(self, clip_folder: Path, encoder: ClipEncoder, tmp_path: Path) -> None:
        shared = load(str(clip_folder), device="cpu", shared=True, cache_dir=tmp_path)
        np.testing.assert_array_equal(shared.embed_images(pictures()), encoder.embed_images(pictures()))
        assert shared.space == encoder.space


class TestTexts:
    @pytest.mark.parametrize("with_limit", [True, False])
    def test_a_long_one_is_cut_at_the_models_token_limit(self, copy: Path, *, with_limit: bool) -> None:
        if not with_limit:  # as saved by older tools: the tokeniser does not know the model's limit
            rewrite_json(copy / "tokenizer_config.json", model_max_length=10**9)
        encoder = load(str(copy), device="cpu")
        kept = " ".join(["red"] * (TOKEN_LIMIT - 2))  # two tokens mark the start and the end
        long, exact, shorter = encoder.embed_texts([kept + " blue dress" * 50, kept, kept.removesuffix(" red")])
        np.testing.assert_allclose(long, exact, atol=1e-5)
        assert not np.allclose(exact, shorter, atol=1e-3)

    @pytest.mark.usefixtures("no_network")
    @pytest.mark.parametrize("ending", ["jpg", "mp4", "wav"])
    def test_one_that_names_a_file_or_an_address_opens_neither(
        self, encoder: ClipEncoder, ending: str, tmp_path: Path
    ) -> None:
        secret = tmp_path / f"a.{ending}"
        secret.write_bytes(b"not for a search to read")
        texts = [str(secret), f"http://127.0.0.1:9/a.{ending}", "data:image/png;base64,AAAA", "https://youtu.be/a"]
        vectors = encoder.embed_texts(texts)
        assert vectors.shape == (4, DIMENSION)

    def test_the_models_own_prompt_stands_before_what_is_searched(
        self, laid_out_as_on_the_hub: Path, encoder: ClipEncoder, tmp_path: Path
    ) -> None:
        folder = Path(shutil.copytree(laid_out_as_on_the_hub, tmp_path / "copied"))
        prompts = {"query": "red ", "document": "blue "}
        (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
        prompted = load(str(folder), device="cpu")
        np.testing.assert_allclose(prompted.embed_texts(["shoe"]), encoder.embed_texts(["red shoe"]), atol=1e-5)


class TestSpace:
    def test_it_names_what_the_user_wrote(self, clip_folder: Path, encoder: ClipEncoder) -> None:
        assert encoder.space.model == str(clip_folder)
        assert encoder.space.dimension == DIMENSION
        assert len(encoder.space.fingerprint) == 16

    def test_other_weights_are_another_space(self, encoder: ClipEncoder, tmp_path: Path) -> None:
        other = load(str(save_tiny_clip(tmp_path, seed=1)), device="cpu")
        assert other.space.fingerprint != encoder.space.fingerprint

    def test_a_model_whose_files_shorten_its_vectors_gives_short_ones(
        self, laid_out_as_on_the_hub: Path, encoder: ClipEncoder, tmp_path: Path
    ) -> None:
        folder = Path(shutil.copytree(laid_out_as_on_the_hub, tmp_path / "copied"))
        (folder / "config_sentence_transformers.json").write_text(json.dumps({"truncate_dim": 8}))
        short, whole = load(str(folder), device="cpu"), encoder.embed_images(pictures())
        assert short.space.dimension == 8
        first = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
        np.testing.assert_allclose(short.embed_images(pictures()), first, atol=1e-5)

    def test_pictures_should_be_half_again_as_large_as_the_models_input(self, encoder: ClipEncoder) -> None:
        assert encoder.picture_side == SIDE * 3 // 2


class TestLoading:
    @pytest.mark.usefixtures("no_network")
    def test_a_folder_touches_no_network(self, clip_folder: Path, encoder: ClipEncoder) -> None:
        assert load(str(clip_folder), device="cpu").space == encoder.space

    @pytest.mark.usefixtures("no_network")
    def test_a_cached_hub_model_touches_no_network(
        self, laid_out_as_on_the_hub: Path, encoder: ClipEncoder, tmp_path: Path
    ) -> None:
        repository = tmp_path / "models--sentence-transformers--clip-ViT-B-32"
        shutil.copytree(laid_out_as_on_the_hub, repository / "snapshots" / "abc")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
        cached = load("clip-ViT-B-32", device="cpu", hub=Hub(cache_dir=tmp_path))
        assert cached.space.model == "clip-ViT-B-32"
        np.testing.assert_allclose(cached.embed_images(pictures()), encoder.embed_images(pictures()), atol=1e-5)

    def test_an_uncached_hub_model_without_hub_says_what_to_do(self, tmp_path: Path) -> None:
        hub = Hub(endpoint="http://127.0.0.1:9", cache_dir=tmp_path)  # port 9 (discard): nobody listens
        with pytest.raises(ModelUnavailable, match=r"could not be reached .* set `model` to `packaged`"):
            load("clip-ViT-B-32", hub=hub)

    def test_threads_may_embed_at_once(self, encoder: ClipEncoder) -> None:
        images, texts = encoder.embed_images(pictures()), encoder.embed_texts(TEXTS)
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                all_images = pool.map(lambda _: encoder.embed_images(pictures()), range(16))
                all_texts = pool.map(lambda n: encoder.embed_texts(TEXTS[: n % 4 + 1]), range(64))
                for result in all_images:
                    np.testing.assert_allclose(result, images, atol=1e-5)
                for result in all_texts:
                    np.testing.assert_allclose(result, texts[: len(result)], atol=1e-5)


class TestRefusals:
    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ModelUnavailable, match=r"There is no model folder .*Correct the setting"):
            load(str(tmp_path / "nothing"))

    @pytest.mark.parametrize("name", ["model.safetensors", "config.json", "processor_config.json", "tokenizer.json"])
    def test_a_half_copied_folder(self, copy: Path, name: str) -> None:
        (copy / name).write_bytes(b"")
        with pytest.raises(ModelUnavailable, match=f"lacks .*{name}.* Copy the whole folder again"):
            load(str(copy))

    def test_weights_cut_off_in_the_middle(self, copy: Path) -> None:
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        with pytest.raises(ModelUnavailable, match=r"could not be loaded: .* Copy or download the folder again"):
            load(str(copy))

    def test_a_git_lfs_pointer_instead_of_weights(self, copy: Path) -> None:
        (copy / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
        with pytest.raises(ModelUnavailable, match=r"could not be loaded: .*Safetensor"):
            load(str(copy))

    def test_weights_that_are_not_numbers(self, copy: Path) -> None:
        def spoil(tensors: dict[str, object]) -> None:
            tensors["text_model.embeddings.token_embedding.weight"][5, 5] = float("nan")  # type: ignore[index]

        rewrite_weights(copy, spoil)
        with pytest.raises(ModelUnavailable, match="not all finite numbers"):
            load(str(copy))

    def test_weights_that_lack_a_tensor(self, copy: Path) -> None:
        rewrite_weights(copy, lambda tensors: tensors.pop("visual_projection.weight"))
        with pytest.raises(ModelUnavailable, match=r"lack 1 tensors of the model .visual_projection.weight"):
            load(str(copy))

    def test_a_model_of_texts_alone(self, copy: Path) -> None:
        from transformers import BertConfig, BertModel

        (copy / "config.json").unlink()
        (copy / "processor_config.json").unlink()
        config = BertConfig(vocab_size=600, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
        BertModel(config).save_pretrained(copy)
        with pytest.raises(ModelUnavailable, match=r"lacks .*or the model reads no pictures"):
            load(str(copy))
        (copy / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": "CLIPImageProcessor"}))
        rewrite_json(copy / "tokenizer_config.json", processor_class=None, tokenizer_class="PreTrainedTokenizerFast")
        with pytest.raises(ModelUnavailable, match=r"reads no pictures, only texts. Choose a CLIP model"):
            load(str(copy))

    def test_towers_that_end_in_different_dimensions(self, copy: Path) -> None:
        save_tiny_siglip(copy, text_dimension=16)
        with pytest.raises(ModelUnavailable, match="pictures 32 dimensions and texts 16, so they cannot be compared"):
            load(str(copy))

    def test_a_device_this_machine_lacks(self, clip_folder: Path) -> None:
        with pytest.raises(ModelUnavailable, match="torch finds none here"):
            load(str(clip_folder), device="mps")


def test_a_siglip_text_does_not_depend_on_its_batch(copy: Path) -> None:
    save_tiny_siglip(copy, text_dimension=32)
    encoder = load(str(copy), device="cpu")
    together = encoder.embed_texts(["red", "red shoe blue dress red"])
    np.testing.assert_allclose(encoder.embed_texts(["red"])[0], together[0], atol=1e-5)


def save_tiny_siglip(folder: Path, *, text_dimension: int) -> None:
    """SigLIP has no common projection, so its towers may end in different dimensions. `folder` keeps its tokeniser."""
    from transformers import SiglipConfig, SiglipModel

    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**tower, "vocab_size": 600, "max_position_embeddings": TOKEN_LIMIT, "projection_size": text_dimension}
    config = SiglipConfig(text_config=text, vision_config={**tower, "image_size": SIDE, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)
