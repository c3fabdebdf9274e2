"""Ask OpenCLIP itself for the vectors of `tests/fakes/tiny_openclip.py`: writes `openclip.json` beside this file.

OpenCLIP is no dependency. In an environment of its own, with the repository's root as the working directory:

    pip install open_clip_torch==3.3.0 transformers==5.23.0
    PYTHONPATH=. python tests/golden/make_openclip.py
"""

import json
from pathlib import Path
from typing import Any

import open_clip  # type: ignore[import-not-found]
import timm  # type: ignore[import-not-found]
import torch
from open_clip.model import CLIP, CustomTextCLIP  # type: ignore[import-not-found]
from open_clip.tokenizer import canonicalize_text  # type: ignore[import-not-found]
from open_clip.transform import PreprocessCfg, image_transform_v2  # type: ignore[import-not-found]
from PIL import Image

from tests.fakes import tiny_openclip as tiny
from tests.fakes.tiny_clip import tiny_tokenizer
from tests.fakes.tiny_openclip import golden_pictures, golden_texts

_create_model = timm.create_model


def small(name: str, **named: Any) -> Any:
    """timm's SigLIP of the tiny size: OpenCLIP cannot ask for it, for it knows SigLIPs by name only."""
    named |= {"embed_dim": tiny.WIDTH, "depth": tiny.LAYERS, "patch_size": tiny.PATCH, "img_size": tiny.SIDE}
    return _create_model(name, **named)


def vectors(settings: Any) -> dict[str, list[str]]:
    """Unit rows of the pictures and of the texts."""
    model_cfg, siglip = dict(settings["model_cfg"]), settings is tiny.SIGLIP
    model_cfg.pop("custom_text", None)
    model = (CustomTextCLIP if siglip else CLIP)(**model_cfg)
    named = {name: torch.from_numpy(value) for name, value in tiny.tiny_tensors(settings).items()}
    model.load_state_dict(named, strict=True)
    model.eval()
    scale = image_transform_v2(PreprocessCfg(size=tiny.SIDE, **settings["preprocess_cfg"]), is_train=False)
    pixels = torch.stack([scale(Image.fromarray(picture)) for picture in golden_pictures()])
    with torch.no_grad():
        images = model.encode_image(pixels, normalize=True)
        texts = model.encode_text(tokens(siglip=siglip), normalize=True)
    return {
        name: [" ".join(f"{number:.5f}" for number in row) for row in rows.tolist()]
        for name, rows in (("pictures", images), ("texts", texts))
    }


def tokens(*, siglip: bool) -> torch.Tensor:
    """As OpenCLIP's two tokenisers do it, with the tiny vocabulary: padded with 0, or with the tokeniser's own."""
    tokenizer, rows = tiny_tokenizer(), []
    for text in golden_texts():
        cleaned = canonicalize_text(text) if siglip else text.lower()
        ids = tokenizer(cleaned, truncation=True, max_length=tiny.TOKEN_LIMIT).input_ids
        rows.append(ids + [tokenizer.pad_token_id if siglip else 0] * (tiny.TOKEN_LIMIT - len(ids)))
    return torch.tensor(rows)


if __name__ == "__main__":
    timm.create_model = small
    answers = {"open_clip": open_clip.__version__, "clip": vectors(tiny.CLIP), "siglip": vectors(tiny.SIGLIP)}
    Path(__file__).with_name("openclip.json").write_text(json.dumps(answers, indent=1) + "\n", "utf-8")
