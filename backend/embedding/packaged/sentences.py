"""all-MiniLM-L6-v2: short texts -> vectors in which like meanings are near."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from backend.embedding.packaged.class_space import Floats
from backend.errors import ModelUnavailable

SENTENCE_DIMENSION = 384

_BATCH = 64
"""Shop phrases are a few tokens long; larger batches gain nothing on a CPU."""


class Sentences:
    """The sentence model, read from the folder its package carries. No network is asked for anything."""

    def __init__(self, folder: Path) -> None:
        # Here and not above: they take seconds to import, and a process that embeds pictures only never needs them.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils import logging as transformers_logging  # noqa: PLC0415

        bars = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()  # a bar for half a second, in a log that is no terminal
        try:
            # local_files_only: a folder alone does not keep every version of the libraries from asking the hub.
            self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as err:
            raise ModelUnavailable(f"{folder} does not hold the sentence model: {err}") from err
        finally:
            if bars:
                transformers_logging.enable_progress_bar()
        # The tokenizer keeps its truncation settings in itself and refuses a second thread while it is in use.
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, 384) float32, unit rows. Texts beyond 256 tokens are cut there."""
        if not texts:
            return np.empty((0, SENTENCE_DIMENSION), dtype=np.float32)
        # Named as text, never a bare string: the library takes a string that ends in ".jpg" for a file or an address
        # where a model reads pictures too, and no search query may make this machine open one.
        inputs = [{"text": text} for text in texts]
        try:
            with self._lock:
                rows = self._model.encode(inputs, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False)
        except RuntimeError as err:  # torch's own word for having no memory
            raise ModelUnavailable(f"The sentence model failed: {err}") from err
        return np.asarray(rows, dtype=np.float32)
