"""What the encoder gave when its numbers were last settled: `python -m tests.unit.embedding.packaged.golden` writes it.

Of each vector the file keeps a few numbers at places in all three parts, and the dot products with four fixed waves,
which every number of the vector takes part in. They are those of float32, which all machines compute alike.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backend.domain.picture import Vector
from backend.embedding.packaged.encoder import PackagedEncoder
from tests.unit.embedding.packaged.drawing import GALLERY

FILE = Path(__file__).resolve().parents[3] / "golden" / "packaged_encoder.json"
TEXTS = ["mug", "red running shoes", "navy", "winter jacket", "wooden chair with arms"]

_PLACES = [*range(0, 501, 50), *range(501, 512)]
_WAVES = np.cos(np.outer(np.arange(1, 5), np.arange(512)) * 0.37)


def digest(vector: Vector) -> list[float]:
    return [round(float(value), 5) for value in (*vector[_PLACES], *(_WAVES @ vector))]


def digests(encoder: PackagedEncoder) -> Mapping[str, Mapping[str, list[float]]]:
    pictures = encoder.embed_images(list(GALLERY.values()))
    texts = encoder.embed_texts(TEXTS)
    return {
        "pictures": {name: digest(vector) for name, vector in zip(GALLERY, pictures, strict=True)},
        "texts": {text: digest(vector) for text, vector in zip(TEXTS, texts, strict=True)},
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        encoder = PackagedEncoder(Path(cache), exact=True)
        contents = {"fingerprint": encoder.space.fingerprint, **digests(encoder)}
    FILE.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
