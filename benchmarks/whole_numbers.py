"""What whole numbers of eight bits lose in a network that was trained: `python -m benchmarks.whole_numbers`.

MiniLM's six layers, from the packaged encoder's weights, with `IntegerLinear` for their linear layers: how near its
vectors of the shop vocabulary's phrases are to those of float32, without evening out what channels range over and with
several shares of it. Ranges are looked up in two texts, those that a CLIP is compared by at a start. A CLIP's own
weights could not be had where this was written.

MiniLM has its norms after what is added, where nothing can take the divisors, so that inputs are divided at each call:
the numbers are what counts here, not the time.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from backend.embedding.evening import SHARE, channel_ranges, divisors
from backend.embedding.integer_linear import IntegerLinear, largest_weight
from backend.embedding.packaged.vocabulary import load_vocabulary
from backend.embedding.packaged.weights import sentences_folder
from backend.embedding.precision import CHECK_TEXTS

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)


class Divided(nn.Module):
    """A layer in whole numbers, of inputs that are divided before."""

    def __init__(self, layer: nn.Linear, by: Tensor, after: str) -> None:
        super().__init__()
        self._by = by
        self._layer = IntegerLinear(layer.weight.data * self._by, layer.bias.data, after=after)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self._layer(x / self._by)
        return result


@torch.inference_mode()
def main() -> None:
    folder = sentences_folder()
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def vectors(network: Any, texts: list[str]) -> Tensor:
        tokens = tokenizer(texts, padding=True, return_tensors="pt")
        states, mask = network(**tokens).last_hidden_state, tokens["attention_mask"].unsqueeze(-1)
        return nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)

    phrases = sorted(load_vocabulary().phrases)
    exact = vectors(model, phrases)
    linears = {name: layer for name, layer in model.encoder.named_modules() if type(layer) is nn.Linear}
    ranges = channel_ranges(list(linears.values()), lambda: vectors(model, list(CHECK_TEXTS)))
    print(f"MiniLM, {len(phrases)} phrases; weights to {largest_weight()} here")
    print("widest range of a channel to the median, by kind of layer:")
    for kind in ("self.query", "attention.output.dense", "intermediate.dense", "output.dense"):
        found = [ranges[layer] for name, layer in linears.items() if _kind(name) == kind]
        print(f"  {kind:24} {max(float(some.max() / some.median()) for some in found):5.1f}")

    for share in (None, *SHARES):
        whole = _in_whole_numbers(model, linears, ranges, share)
        cosines = nn.functional.cosine_similarity(vectors(whole, phrases), exact)
        what = "as it is" if share is None else f"evened out by {share}{', as taken' if share == SHARE else ''}"
        print(f"{what:25} cosine to float32: mean {cosines.mean():.4f}, least {cosines.min():.4f}")


def _in_whole_numbers(
    model: nn.Module, linears: Mapping[str, nn.Linear], ranges: Mapping[nn.Module, Tensor], share: float | None
) -> nn.Module:
    changed = copy.deepcopy(model)
    for name, layer in linears.items():
        after_activation = _kind(name) == "output.dense"
        by = torch.ones(layer.in_features)
        if share is not None and not after_activation:
            by = divisors(layer.weight.data, ranges[layer], share)
        changed.set_submodule(f"encoder.{name}", Divided(layer, by, "gelu" if after_activation else "none"))
    return changed


def _kind(name: str) -> str:
    """Without `layer.3.`; `attention.self.query` counts as `self.query`."""
    _, _, kind = name.removeprefix("layer.").partition(".")
    return kind.replace("attention.self", "self")


if __name__ == "__main__":
    main()
