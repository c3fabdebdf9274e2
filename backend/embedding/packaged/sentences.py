"""all-MiniLM-L6-v2: short texts -> vectors in which like meanings are near."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer

from backend.embedding.packaged.class_space import Floats
from backend.embedding.packaged.sentence_network import SentenceNetwork
from backend.errors import ModelUnavailable

SENTENCE_DIMENSION = 384

_MOST_TOKENS = 256
"""Where the model was trained to cut (its own `sentence_bert_config.json`)."""

_BATCH = 64
"""Shop phrases are a few tokens long; larger batches gain nothing on a CPU."""


class Sentences:
    """The sentence model, read from the folder its package carries. Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        try:
            self._network = SentenceNetwork(folder)
            self._tokenizer = _tokenizer(folder)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as err:
            raise ModelUnavailable(f"{folder} does not hold the sentence model: {err}") from err

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, 384) float32, unit rows. Texts beyond 256 tokens are cut there."""
        rows = np.empty((len(texts), SENTENCE_DIMENSION), dtype=np.float32)
        # Texts of like length go together: a batch is as wide as its longest.
        by_length = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        try:
            for start in range(0, len(texts), _BATCH):
                numbers = by_length[start : start + _BATCH]
                rows[numbers] = self._batch([texts[number] for number in numbers])
        except RuntimeError as err:  # torch's own word for having no memory
            raise ModelUnavailable(f"The sentence model failed: {err}") from err
        return rows

    def _batch(self, texts: Sequence[str]) -> Floats:
        encoded = self._tokenizer.encode_batch(texts)
        tokens = torch.tensor([one.ids for one in encoded])
        mask = torch.tensor([one.attention_mask for one in encoded])
        rows: Floats = self._network(tokens, mask).numpy()
        return rows


def _tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as err:  # the library knows no class of its own
        raise ValueError(f"{path} cannot be read: {err}") from err
    # Settled here and never changed: the file's own settings pad every phrase to 128 tokens.
    tokenizer.enable_truncation(_MOST_TOKENS)
    tokenizer.enable_padding()  # with 0, as its vocabulary has it
    return tokenizer
