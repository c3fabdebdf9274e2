"""A transformer's linear layers in whole numbers of eight bits, for processors that multiply these faster than floats:
twice as fast with AVX2. VNNI is made for them and should gain more, which was not measured.

Each row of inputs (a token) is counted in steps of its own, so that nothing else in a batch changes it, and each
output's weights in theirs. What an activation gave has a least value and is counted from there. How much is lost
depends on how evenly the channels of a row range: see `evening`.

torch keeps the operation for its compiler. Whoever uses it compares vectors with those of float32 first.
"""

from collections.abc import Callable
from functools import cache, cached_property
from typing import Final

import torch
from torch import Tensor, nn

from backend.embedding.onednn import operation
from backend.embedding.program import Name, Program, Scalars

_LEAST: Final = {"swish": -0.2785, "gelu": -0.1701}
"""Of what these give, rounded away from zero."""

_UNSIGNED: Final = 255
_SIGNED: Final = 127
_ZERO: Final = 128
"""What stands for zero where there is no least value."""

_NARROWEST: Final = 1e-30
"""Steps of a row of zeros, to be divided by."""


class IntegerLinear(nn.Module):
    """A linear layer, and what follows it. Takes and gives float32. Safe from several threads.

    Raises `RuntimeError`, as torch does, where it has no such operation.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, activation: str = "none", algorithm: str = "", after: str = "none"
    ) -> None:
        """(outputs, inputs) and (outputs,), float32. `after`: the activation that gave the inputs."""
        super().__init__()
        self._steps = (weight.abs().amax(1) / largest_weight()).clamp_min(_NARROWEST)
        whole = (weight / self._steps[:, None]).round()
        self._least = _LEAST.get(after)
        if self._least is not None:
            below = self._least * whole.sum(1) * self._steps
            bias = below if bias is None else bias + below
        self._bias = bias
        self._weight = operation("qlinear_prepack", "onednn")(whole.to(torch.int8), None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._activation = activation, algorithm

    @cached_property
    def _run(self) -> Callable[..., Tensor]:
        """By itself, which layers in a tower's program are not."""
        program = Program()
        return program.runnable(self.written(program, Program.INPUT))

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        result: Tensor = self._run(x)
        return result

    def written(self, program: Program, x: Name, added_to: Name | None = None) -> Name:
        """The same as lines of a program; without its activation, and added to `added_to`, where one is named."""
        call, constant = program.call, program.constant
        counted, steps = self._counted(program, x)
        products = call(
            "onednn::qlinear_pointwise",
            *(counted, constant(1.0), constant(_ZERO if self._least is None else 0)),
            *(program.tensor(self._weight), program.tensor(self._steps), program.tensor(self._zeros)),
            *(constant(None), constant(1.0), constant(0), constant(torch.float32)),
            *(constant("none"), constant(Scalars()), constant("")),
        )
        bias = program.tensor(self._bias)
        if added_to is not None:
            result = call("aten::addcmul", added_to, products, steps, constant(1))
            return result if self._bias is None else call("aten::add_", result, bias, constant(1))
        if self._bias is None:
            result = call("aten::mul_", products, steps)
        else:
            result = call("aten::addcmul", bias, products, steps, constant(1))
        match self._activation:
            case "swish", _:
                return call("aten::silu_", result)
            case "gelu", algorithm:
                return call("aten::gelu_", result, constant(algorithm))
        return result

    def _counted(self, program: Program, x: Name) -> tuple[Name, Name]:
        """Whole numbers, and each row's steps."""
        call, constant = program.call, program.constant
        by_row = constant([-1]), constant(True)
        if self._least is None:
            steps = call("aten::div", call("aten::amax", call("aten::abs", x), *by_row), constant(float(_SIGNED)))
            steps = call("aten::clamp_min_", steps, constant(_NARROWEST))
            origin = call("aten::mul", steps, constant(-_ZERO - 0.5))
        else:
            span = call("aten::sub", call("aten::amax", x, *by_row), constant(self._least), constant(1))
            steps = call("aten::div", span, constant(float(_UNSIGNED)))
            origin = call("aten::add_", call("aten::mul", steps, constant(-0.5)), constant(self._least), constant(1))
        # Half a step above: what is cut off by the change of type is rounded then.
        in_steps = call("aten::div_", call("aten::sub", x, origin, constant(1)), steps)
        return call("aten::to", in_steps, constant(torch.uint8), *[constant(False)] * 2, constant(None)), steps


@cache
def largest_weight() -> int:
    """127 or 63, by amount. Processors without VNNI add products in pairs, with 16 bits for each sum, in which two of
    255 times 127 have no room. Whether this one does is tried. Raises `RuntimeError` as the layer does.
    """
    prepacked = operation("qlinear_prepack", "onednn")(torch.full((64, 64), _SIGNED, dtype=torch.int8), None)
    inputs = torch.full((1, 64), _UNSIGNED, dtype=torch.uint8)
    numbers = 1.0, 0, prepacked, torch.ones(64), torch.zeros(64, dtype=torch.int64), None, 1.0, 0, torch.float32
    products = operation("qlinear_pointwise", "onednn")(inputs, *numbers, "none", [], "")
    fits = bool((products == 64 * _UNSIGNED * _SIGNED).all())
    return _SIGNED if fits else _SIGNED // 2
