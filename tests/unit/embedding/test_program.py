import sys
from functools import reduce

import pytest
import torch
from torch import Tensor

from backend.embedding.program import Constant, Program, Scalars
from tests.lock import busy_thread, waits

LAYERS = 12
LONG_ENOUGH = 600
"""An operation on so many rows and columns takes a millisecond: the other thread notices that the lock is free."""


def weights(side: int = 8) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(side, side, generator=random) for _ in range(LAYERS)]


def test_a_program_computes_what_its_operations_do_one_by_one() -> None:
    program, x = Program(), Program.INPUT
    for weight in weights():
        x = program.call("aten::hardtanh", program.call("aten::matmul", x, program.tensor(weight)), *limits(program))
    given = torch.ones(3, 8)
    wanted = given
    for weight in weights():
        wanted = torch.nn.functional.hardtanh(wanted @ weight, -0.5, 2.0)
    assert torch.equal(program.compiled(x)(given), wanted)


def limits(program: Program) -> tuple[str, str]:
    return program.constant(-0.5), program.constant(2.0)


def test_constants_have_the_types_that_operations_take() -> None:
    program = Program()
    pooled = program.call(
        "aten::avg_pool2d",
        Program.INPUT,
        program.constant([2, 2]),
        program.constant([2, 2]),
        program.constant([0, 0]),
        program.constant(False),
        program.constant(True),
        program.constant(None),
    )
    given = torch.arange(64.0).view(1, 1, 8, 8)
    assert torch.equal(program.compiled(pooled)(given), torch.nn.functional.avg_pool2d(given, 2, 2))


def test_equal_constants_are_written_once_and_unequal_ones_apart() -> None:
    program = Program()
    assert program.constant([1, 1]) == program.constant([1, 1])
    values: list[Constant] = [1, 1.0, True, "1", None, [1], Scalars([1]), Scalars()]
    assert len({program.constant(value) for value in values}) == len(values)


@pytest.mark.skipif(sys.platform != "linux", reason="a thread's own switches are counted on Linux only")
def test_python_s_lock_is_waited_for_once_and_not_at_each_operation() -> None:
    program, x, layers = Program(), Program.INPUT, weights(LONG_ENOUGH)
    for weight in layers:
        x = program.call("aten::matmul", x, program.tensor(weight))
    run, given = program.compiled(x), torch.ones(LONG_ENOUGH, LONG_ENOUGH)
    with busy_thread():
        one_by_one = waits(lambda: reduce(torch.matmul, layers, given))
        assert waits(lambda: run(given)) < one_by_one / 2


def test_a_program_is_given_more_than_a_tensor_where_it_says_so() -> None:
    program = Program(mask="Tensor?", causal="bool")
    rest = program.constant(0.0), "%causal", program.constant(None), program.constant(False)
    run = program.compiled(
        program.call("aten::scaled_dot_product_attention", *[Program.INPUT] * 3, "%mask", *rest),
    )
    given = torch.randn(1, 2, 5, 8, generator=torch.Generator().manual_seed(2))
    mask = torch.tensor([[True, True, False, True, True]])
    attention = torch.nn.functional.scaled_dot_product_attention
    assert torch.equal(run(given, None, False), attention(given, given, given))
    assert torch.equal(run(given, None, True), attention(given, given, given, is_causal=True))
    assert torch.equal(run(given, mask, False), attention(given, given, given, mask))


def test_an_operation_that_is_not_there_is_torch_s_own_error() -> None:
    program = Program()
    run = program.compiled(program.call("aten::no_such", Program.INPUT))
    with pytest.raises(RuntimeError, match="no_such"):
        run(torch.ones(1))


def test_a_torch_without_programs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch._C, "parse_ir")
    with pytest.raises(RuntimeError, match="runs no programs"):
        Program().compiled(Program.INPUT)


def test_without_programs_the_same_operations_are_called_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(mask="Tensor")
    constant = program.constant
    weight, bias = program.tensor(weights()[0]), program.tensor(None)
    normed = program.call(
        "aten::layer_norm", Program.INPUT, constant([8, 8]), weight, bias, constant(1e-5), constant(False)
    )
    result = program.call(
        "aten::masked_fill", program.call("aten::gelu", normed, constant("tanh")), "%mask", constant(0)
    )
    program.tensor(weights()[1])  # one that is not used does no harm
    given, mask = torch.arange(64.0).view(8, 8), torch.eye(8, dtype=torch.bool)
    wanted = program.runnable(result)(given, mask)
    assert 0 < wanted.count_nonzero() < 64
    monkeypatch.delattr(torch._C, "parse_ir")
    assert torch.equal(program.runnable(result)(given, mask), wanted)
