"""MiniLM's forward pass: token numbers -> one vector a text.

A BERT (Devlin et al., 2019) of six layers in torch's own operations. sentence-transformers computes the same, and
brings scikit-learn and half of transformers with it: three quarters of a start, and 160 MB, for this page.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

_WHAT_IT_IS = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


class SentenceNetwork:
    """The weights are mapped from their file: processes share its pages, and words that nobody asks for stay on disk.

    Keeps no state between calls: safe from several threads. Raises `OSError`, `KeyError`, `ValueError` or safetensors'
    error for a folder that does not hold such a network.
    """

    def __init__(self, folder: Path) -> None:
        config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
        if config | _WHAT_IT_IS != config:
            raise ValueError(f"its config is not of a network with {_WHAT_IT_IS}")
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._weights: Mapping[str, Tensor] = load_file(folder / "model.safetensors")
        self._layers = [f"encoder.layer.{number}" for number in range(config["num_hidden_layers"])]
        self(torch.zeros((1, 1), dtype=torch.long), torch.ones((1, 1), dtype=torch.long))  # is everything there?

    def __call__(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, length) token numbers, and 1 where there is one -> (n, dimension) unit rows: the tokens' mean."""
        with torch.inference_mode():
            x = self._embedded(tokens)
            attended = mask[:, None, None, :].bool()
            for layer in self._layers:
                x = self._norm(f"{layer}.attention.output.LayerNorm", x + self._attention(layer, x, attended))
                wide = functional.gelu(self._linear(f"{layer}.intermediate.dense", x))
                x = self._norm(f"{layer}.output.LayerNorm", x + self._linear(f"{layer}.output.dense", wide))
            shares = mask.unsqueeze(-1).to(x.dtype)
            return functional.normalize((x * shares).sum(dim=1) / shares.sum(dim=1), dim=1)

    def _embedded(self, tokens: Tensor) -> Tensor:
        weights = self._weights
        words = weights["embeddings.word_embeddings.weight"][tokens]
        places = weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        kind = weights["embeddings.token_type_embeddings.weight"][0]  # of two, for pairs of sentences
        return self._norm("embeddings.LayerNorm", words + places + kind)

    def _attention(self, layer: str, x: Tensor, attended: Tensor) -> Tensor:
        queries, keys, values = (
            self._linear(f"{layer}.attention.self.{part}", x).view(*x.shape[:2], self._heads, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=attended)
        return self._linear(f"{layer}.attention.output.dense", mixed.transpose(1, 2).flatten(2))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, self._epsilon)
