"""From decoded pictures to a CLIP model's input, exactly as the model's own image processor does it, in a third of the
time: whole numbers until the last step, and that step for the whole batch at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backend.domain.picture import Pixels
from backend.embedding.fused_linear import Levels
from backend.embedding.resizing import Resize, exactly

_TOLERANCE: Final = 0.02
"""Of normalised values, where one step of 255 is .015: rounding may fall the other way, another filter may not."""

_MIDDLE: Final = 128

_MODES: Final = {"do_resize", "do_rescale", "do_normalize"}


@dataclass(frozen=True, slots=True)
class Scaling:
    """What an image processor's settings say: scale, cut out the middle, normalise."""

    shortest: int | None
    size: tuple[int, int]
    """Height and width of the model's input."""
    filter: Image.Resampling
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    """A channel's input is its value (0 to 255) times `scale` plus `shift`."""

    def square(self, picture: Pixels, resize: Resize = exactly) -> Pixels:
        """(height, width, 3) uint8 of the picture's middle."""
        height, width = self.size
        if self.shortest is None:
            return resize(picture, self.size, self.filter)
        whole = resize(picture, _by_shortest(picture.shape[:2], self.shortest), self.filter)
        top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
        return whole[top : top + height, left : left + width]

    def normalised(self, squares: Sequence[Pixels], dtype: torch.dtype, device: str) -> Tensor:
        """Squares -> (n, 3, height, width). On a GPU a quarter of the bytes is copied: they go there as uint8."""
        # Turned into planes while they are bytes, so that each step runs over long rows: a third of the time.
        planes = torch.from_numpy(np.stack(squares)).to(device).permute(0, 3, 1, 2).contiguous().to(torch.float32)
        scale = torch.tensor(self.scale, device=device).view(1, 3, 1, 1)
        shift = torch.tensor(self.shift, device=device).view(1, 3, 1, 1)
        return planes.mul_(scale).add_(shift).to(dtype)

    @property
    def levels(self) -> Levels:
        """What the model expects in place of the numbers of `counted`."""
        scale = torch.tensor(self.scale)
        return Levels(scale, torch.tensor(self.shift) + _MIDDLE * scale)

    def counted(self, squares: Sequence[Pixels]) -> Tensor:
        """Squares -> (n, 3, height, width) int8, channels together: values less 128. A seventh of `normalised`'s time.

        Whole numbers from -128 to 127 are exact in bfloat16, and as small as they can be: so are the sums over them.
        """
        return torch.from_numpy((np.stack(squares) ^ _MIDDLE).view(np.int8)).permute(0, 3, 1, 2)


def scaling_of(processor: Any) -> Scaling | None:
    """The scaling of an image processor of transformers; None for one that does anything else than CLIP's or SigLIP's.

    Compared with the processor itself on pictures of several shapes, so that an unknown setting shows.
    """
    try:
        scaling = _from_settings(processor.to_dict())
    except (KeyError, TypeError, ValueError):
        return None
    if scaling is None or not all(_agrees(scaling, processor, picture) for picture in _shapes(scaling)):
        return None
    return scaling


def _from_settings(settings: Mapping[str, Any]) -> Scaling | None:
    if not all(settings.get(mode) for mode in _MODES):
        return None
    size = settings["size"]
    shortest = size.get("shortest_edge")
    if shortest is None:
        target = (int(size["height"]), int(size["width"]))
    elif settings.get("do_center_crop"):
        target = (int(settings["crop_size"]["height"]), int(settings["crop_size"]["width"]))
    else:
        return None  # inputs of different shapes: no batch
    if shortest is not None and max(target) > shortest:
        return None  # it would have to be padded
    factor = float(settings["rescale_factor"])
    mean, std = settings["image_mean"], settings["image_std"]
    return Scaling(
        shortest=None if shortest is None else int(shortest),
        size=target,
        filter=Image.Resampling(int(settings["resample"])),
        scale=tuple(factor / float(s) for s in std),
        shift=tuple(-float(m) / float(s) for m, s in zip(mean, std, strict=True)),
    )


def _by_shortest(size: Sequence[int], shortest: int) -> tuple[int, int]:
    """Height and width with the short side as given; the long one is cut to whole pixels, as transformers does."""
    height, width = size
    if width <= height:
        return int(shortest * height / width), shortest
    return shortest, int(shortest * width / height)


def _shapes(scaling: Scaling) -> list[Pixels]:
    """Noise, upright, lying and square, larger and smaller than the input."""
    random = np.random.default_rng(0)
    side = max(scaling.size)
    shapes = ((side * 2, side + 7), (side + 13, side * 3), (side // 2, side // 2))
    return [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def _agrees(scaling: Scaling, processor: Any, picture: Pixels) -> bool:
    theirs = processor(images=Image.fromarray(picture), return_tensors="pt")
    if set(theirs) != {"pixel_values"}:
        return False  # the model wants to be told more than pixels
    ours = scaling.normalised([scaling.square(picture)], torch.float32, "cpu")
    wanted = theirs["pixel_values"]
    return bool(ours.shape == wanted.shape and (ours - wanted).abs().max() < _TOLERANCE)
