"""Pictures as the model's own image processor makes them, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from backend.domain.picture import Pixels

if TYPE_CHECKING:
    from backend.embedding.scaling import Scaling

pytestmark = pytest.mark.slow  # importing transformers


def clip(**settings: Any) -> Any:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil(**settings)


def siglip(**settings: Any) -> Any:
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    return SiglipImageProcessorPil(**settings)


def scaling_of(processor: Any) -> Scaling | None:
    from backend.embedding.scaling import scaling_of

    return scaling_of(processor)


def ours(processor: Any, picture: Pixels) -> Any:
    import torch

    scaling = scaling_of(processor)
    assert scaling is not None
    return scaling.normalised([scaling.square(picture)], torch.float32, "cpu").numpy()


@pytest.mark.parametrize("processor", [clip, siglip])
@pytest.mark.parametrize("shape", [(500, 375), (375, 500), (224, 224), (300, 6000), (30, 40), (1000, 225)])
def test_they_are_the_processors_own(processor: Any, shape: tuple[int, int]) -> None:
    built = processor()
    picture = np.random.default_rng(5).integers(0, 256, (*shape, 3), dtype=np.uint8)
    theirs = built(images=Image.fromarray(picture), return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(ours(built, picture), theirs, atol=1e-5)


def test_levels_stand_for_what_the_processor_gives() -> None:
    import torch

    scaling = scaling_of(clip())
    assert scaling is not None
    squares = [np.random.default_rng(seed).integers(0, 256, (224, 224, 3), dtype=np.uint8) for seed in (1, 2)]
    squares[0][0, 0], squares[0][0, 1] = 0, 255
    counted, levels = scaling.counted(squares), scaling.levels
    assert counted.is_contiguous(memory_format=torch.channels_last)
    assert counted[0, :, 0, :2].tolist() == [[-128, 127]] * 3
    meant = counted * levels.scale.view(1, 3, 1, 1) + levels.shift.view(1, 3, 1, 1)
    torch.testing.assert_close(meant, scaling.normalised(squares, torch.float32, "cpu"), atol=1e-5, rtol=1e-5)


def test_a_processors_own_means_and_filter_are_used() -> None:
    built = clip(image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.6, 0.7], resample=2, size={"shortest_edge": 96})
    built.crop_size = {"height": 80, "width": 96}
    picture = np.random.default_rng(6).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    theirs = built(images=Image.fromarray(picture), return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(ours(built, picture), theirs, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_center_crop": False},
        {"do_normalize": False},
        {"size": {"shortest_edge": 100}, "crop_size": {"height": 224, "width": 224}},
    ],
)
def test_a_processor_that_does_something_else_is_left_to_do_it(settings: dict[str, Any]) -> None:
    assert scaling_of(clip(**settings)) is None


def test_a_processor_whose_settings_do_not_tell_what_it_does_is_found_out() -> None:
    built = clip()

    class Inverting(type(built)):  # type: ignore[misc]
        def __call__(self, images: Any, **named: Any) -> Any:
            return super().__call__(Image.fromarray(255 - np.asarray(images)), **named)

    assert scaling_of(Inverting()) is None


GOLDEN = Path(__file__).parents[2] / "golden" / "clip_scaling.json"


def scaled() -> list[list[float]]:
    """Of each check picture, 48 numbers spread over the input of a ViT-B/32."""
    from backend.embedding.precision import check_pictures

    built = clip()
    inputs = [ours(built, picture).ravel() for picture in check_pictures()]
    return [[round(float(value), 5) for value in row[:: len(row) // 48][:48]] for row in inputs]


def test_the_numbers_stay_what_they_are() -> None:
    """Every vector depends on them. Whoever changes them on purpose counts up the recipe in `folder`, so that no index
    mixes both, and writes this file anew: python -m tests.unit.embedding.test_scaling.
    """
    np.testing.assert_allclose(scaled(), json.loads(GOLDEN.read_text("utf-8")), atol=2e-5)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(scaled()) + "\n", "utf-8")
