"""MiniLM's forward pass: token numbers -> one vector a text.

A BERT (Devlin et al., 2019) of six layers in torch's own operations, written as a `program`. sentence-transformers
computes the same, and brings scikit-learn and half of transformers with it: three quarters of a start, and 160 MB, for
this page.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from backend.embedding.program import Name, Program

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
        self._through_layers = self._layers(config["num_hidden_layers"])
        self(torch.zeros((1, 1), dtype=torch.long), torch.ones((1, 1), dtype=torch.long))  # is everything there?

    def __call__(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, length) token numbers, and 1 where there is one -> (n, dimension) unit rows: the tokens' mean."""
        with torch.inference_mode():
            x = self._through_layers(self._embedded(tokens), mask[:, None, None, :].bool())
            shares = mask.unsqueeze(-1).to(x.dtype)
            return functional.normalize((x * shares).sum(dim=1) / shares.sum(dim=1), dim=1)

    def _embedded(self, tokens: Tensor) -> Tensor:
        weights, norm = self._weights, "embeddings.LayerNorm"
        words = weights["embeddings.word_embeddings.weight"][tokens]
        places = weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        kind = weights["embeddings.token_type_embeddings.weight"][0]  # of two, for pairs of sentences
        weight, bias = weights[f"{norm}.weight"], weights[f"{norm}.bias"]
        return functional.layer_norm(words + places + kind, weight.shape, weight, bias, self._epsilon)

    def _layers(self, count: int) -> Callable[[Tensor, Tensor], Tensor]:
        """(n, length, dimension) and the mask of what is attended to -> the same, of the last layer.

        One call, for a search not to wait for Python's lock a hundred times beside an import.
        """
        program, x = Program(mask="Tensor"), Program.INPUT
        for layer in (f"encoder.layer.{number}" for number in range(count)):
            x = self._norm(program, f"{layer}.attention.output", x, self._attention(program, layer, x))
            wide = self._linear(program, f"{layer}.intermediate", x)
            wide = program.call("aten::gelu", wide, program.constant("none"))
            x = self._norm(program, f"{layer}.output", x, self._linear(program, f"{layer}.output", wide))
        return program.runnable(x)

    def _attention(self, program: Program, layer: str, x: Name) -> Name:
        call, constant, taken = program.call, program.constant, []
        for part in ("query", "key", "value"):
            weights = self._tensors(program, f"{layer}.attention.self.{part}")
            by_heads = call(
                "aten::unflatten", call("aten::linear", x, *weights), constant(-1), constant([self._heads, -1])
            )
            taken.append(call("aten::transpose", by_heads, constant(1), constant(2)))
        rest = constant(0.0), constant(False), constant(None), constant(False)
        mixed = call("aten::scaled_dot_product_attention", *taken, "%mask", *rest)
        flat = call(
            "aten::flatten", call("aten::transpose", mixed, constant(1), constant(2)), constant(2), constant(-1)
        )
        return self._linear(program, f"{layer}.attention.output", flat)

    def _linear(self, program: Program, name: str, x: Name) -> Name:
        return program.call("aten::linear", x, *self._tensors(program, f"{name}.dense"))

    def _norm(self, program: Program, name: str, x: Name, added: Name) -> Name:
        constant, (weight, bias) = program.constant, self._tensors(program, f"{name}.LayerNorm")
        shape = constant(list(self._weights[f"{name}.LayerNorm.weight"].shape))
        both = program.call("aten::add", x, added, constant(1))
        return program.call("aten::layer_norm", both, shape, weight, bias, constant(self._epsilon), constant(False))

    def _tensors(self, program: Program, name: str) -> tuple[Name, Name]:
        return program.tensor(self._weights[f"{name}.weight"]), program.tensor(self._weights[f"{name}.bias"])
