"""Layers in whole numbers give nearly what plain ones do."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from backend.embedding.integer_linear import IntegerLinear
from backend.embedding.program import Program

ACTIVATIONS: dict[tuple[str, str], Callable[[Tensor], Tensor]] = {
    ("none", ""): lambda x: x,
    ("swish", ""): functional.silu,
    ("gelu", "none"): functional.gelu,
    ("gelu", "tanh"): lambda x: functional.gelu(x, approximate="tanh"),
}
INPUTS, OUTPUTS = 64, 48


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture
def x() -> Tensor:
    return random(2, 7, INPUTS)


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours - exact).norm() / exact.norm())


@pytest.mark.parametrize("bias", [random(OUTPUTS), None], ids=["bias", "no bias"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=" ".join)
def test_nearly_the_same_comes_out(activation: tuple[str, str], bias: Tensor | None, x: Tensor) -> None:
    weight = random(OUTPUTS, INPUTS)
    exact = ACTIVATIONS[activation](functional.linear(x, weight, bias))
    assert 0 < error(IntegerLinear(weight, bias, *activation)(x), exact) < 0.02


@pytest.mark.parametrize("bias", [random(OUTPUTS), None], ids=["bias", "no bias"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS)[1:], ids=" ".join)
def test_what_an_activation_gave_is_counted_from_its_least_value(
    activation: tuple[str, str], bias: Tensor | None, x: Tensor
) -> None:
    weight, given = random(OUTPUTS, INPUTS), ACTIVATIONS[activation](x * 3)
    exact = functional.linear(given, weight, bias)
    name, _ = activation
    counted_so = error(IntegerLinear(weight, bias, after=name)(given), exact)
    assert counted_so < 0.02
    # Most of the loss is the weights': in inputs alone it is half as much.
    assert counted_so < error(IntegerLinear(weight, bias)(given), exact)


def test_it_is_added_to_what_is_there(x: Tensor) -> None:
    weight, bias, there = random(OUTPUTS, INPUTS), random(OUTPUTS), random(2, 7, OUTPUTS)
    for some_bias in (bias, None):
        layer, program = IntegerLinear(weight, some_bias), Program(there="Tensor")
        run = program.compiled(layer.written(program, Program.INPUT, added_to="%there"))
        before = there.clone()
        torch.testing.assert_close(run(x, there), there + layer(x), atol=1e-5, rtol=1e-5)
        assert torch.equal(there, before)


def test_a_row_comes_out_the_same_whatever_else_is_in_the_batch(x: Tensor) -> None:
    layer = IntegerLinear(random(OUTPUTS, INPUTS), random(OUTPUTS), "swish")
    beside = torch.cat([x, x * 1000, -x])
    assert torch.equal(layer(beside)[: len(x)], layer(x))


def test_rows_and_weights_of_zeros_are_counted_too() -> None:
    weight, bias = random(OUTPUTS, INPUTS), random(OUTPUTS)
    weight[3] = 0
    layer = IntegerLinear(weight, bias)
    torch.testing.assert_close(layer(torch.zeros(1, INPUTS)), bias[None])
    assert layer(random(5, INPUTS))[:, 3].allclose(bias[3])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_largest_numbers_have_room(sign: float) -> None:
    """Where products are added in pairs with 16 bits for a sum, larger whole numbers would be cut off."""
    largest = torch.full((3, INPUTS), 5.0)
    layer = IntegerLinear(torch.full((OUTPUTS, INPUTS), sign * 0.25), None)
    torch.testing.assert_close(layer(largest), torch.full((3, OUTPUTS), sign * 5 * 0.25 * INPUTS))
    torch.testing.assert_close(layer(-largest), torch.full((3, OUTPUTS), -sign * 5 * 0.25 * INPUTS))


def test_a_torch_without_programs_gives_the_same(x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    weight, bias = random(OUTPUTS, INPUTS), random(OUTPUTS)
    compiled = IntegerLinear(weight, bias, "gelu", "tanh")(x)
    monkeypatch.delattr(torch._C, "parse_ir")
    assert torch.equal(IntegerLinear(weight, bias, "gelu", "tanh")(x), compiled)


def test_a_torch_without_the_operations_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "onednn", object())
    with pytest.raises(RuntimeError, match="this torch has no oneDNN operation qlinear_prepack"):
        IntegerLinear(random(OUTPUTS, INPUTS), None)
