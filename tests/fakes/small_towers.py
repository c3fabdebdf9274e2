"""Models of a few thousand random numbers, built as CLIP and SigLIP are. Importing this imports transformers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from tests.fakes.tiny_clip import SIDE, TOKEN_LIMIT

WIDTH = 32
TOWER = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
TEXT = {**TOWER, "vocab_size": 50, "max_position_embeddings": TOKEN_LIMIT, "bos_token_id": 48, "eos_token_id": 49}
VISION = {**TOWER, "image_size": SIDE, "patch_size": 8}

KINDS: dict[str, Callable[[], Any]] = {
    "CLIP": lambda: CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)),
    "CLIP with GELU": lambda: CLIPModel(
        CLIPConfig(
            text_config={**TEXT, "hidden_act": "gelu"},
            vision_config={**VISION, "hidden_act": "gelu"},
            projection_dim=24,
        )
    ),
    "SigLIP": lambda: SiglipModel(SiglipConfig(text_config=TEXT, vision_config=VISION)),
}


def model_of(kind: str) -> Any:
    """Always the same of one kind."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = KINDS[kind]().eval()
        for parameter in model.parameters():  # new ones are near zero, where any mistake is as good as another
            nn.init.normal_(parameter, std=0.2)
    return model


def features(model: Any, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Of some pictures, and of two texts."""
    pixels = torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(count))
    ids = torch.tensor([[48, 3, 4, 5, 49], [48, 6, 49, 49, 49]])
    with torch.inference_mode():
        pictures = model.get_image_features(pixel_values=pixels).pooler_output
        return pictures, model.get_text_features(input_ids=ids).pooler_output
