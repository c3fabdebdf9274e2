"""Operations of torch one after the other as one call, in which Python's lock is let go of once.

Called one by one each lets go of it, and has to get it back before the next one, and once more for each of its weights
that nothing but Python holds. Beside one thread that is busy in Python that is a wait of 5 ms each time: a pass of 64
operations and 50 ms took 560 to 690. As a program it takes 62 to 65 there, and by itself some twentieth less.

torch has this under private names: it is what its older compiler runs. Where it is missing, operations are called one
by one (`runnable`). Whoever writes private operations compares vectors with those of public ones first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

Name = str
"""Of what an operation results in, for the operations that follow."""


@dataclass(frozen=True, slots=True)
class Scalars:
    """A list of numbers where an operation takes some or none, for which torch has a type of its own."""

    values: Sequence[float] = ()


Constant = int | float | str | bool | None | Sequence[int] | Scalars | torch.dtype

_NUMBERS_OF_TYPES = {torch.uint8: 0, torch.float32: 6}
"""As torch counts them (its `ScalarType`), of which programs have no names."""


class Program:
    """Written operation by operation, then compiled. Begins with one tensor, `INPUT`, and what else it is given."""

    INPUT: Name = "%input"

    def __init__(self, **also: str) -> None:
        """`also`: the names of what it is given after `INPUT`, in order, with torch's types (`"Tensor?"`, `"bool"`)."""
        self._given = {self.INPUT: "Tensor", **{f"%{name}": kind for name, kind in also.items()}}
        self._calls: list[tuple[Name, str, tuple[Name, ...]]] = []
        self._constants: dict[str, Name] = {}
        self._tensors: list[Tensor] = []
        self._values: dict[Name, object] = {}
        """Of constants and tensors."""

    def tensor(self, value: Tensor | None) -> Name:
        """A weight, or that there is none."""
        if value is None:
            return self.constant(None)
        name = f"%tensor{len(self._tensors)}"
        self._tensors.append(value)
        self._values[name] = value
        return name

    def constant(self, value: Constant) -> Name:
        """Anything else that an operation takes."""
        if isinstance(value, torch.dtype):
            value = _NUMBERS_OF_TYPES[value]
        match value:
            case None:
                return self._written("NoneType", "prim::Constant()", value)
            case str():
                return self._written("str", f'prim::Constant[value="{value}"]()', value)
            case bool() | int():
                return self._written(type(value).__name__, f"prim::Constant[value={int(value)}]()", value)
            case float():
                return self._written("float", f"prim::Constant[value={value!r}]()", value)
            case Scalars():
                items = (self.constant(float(item)) for item in value.values)
                return self._written("Scalar?[]", f"prim::ListConstruct({', '.join(items)})", list(value.values))
            case _:
                made = f"prim::ListConstruct({', '.join(map(self.constant, value))})"
                return self._written("int[]", made, list(value))

    def call(self, operation: str, *arguments: Name) -> Name:
        """`operation`: its name in torch's schema, as `aten::relu`."""
        result = f"%result{len(self._calls)}"
        self._calls.append((result, operation, arguments))
        return result

    def runnable(self, result: Name) -> Callable[..., Tensor]:
        """`compiled`, or where this torch runs no programs its operations one by one."""
        try:
            return self.compiled(result)
        except RuntimeError:
            return partial(self._one_by_one, result)

    def compiled(self, result: Name) -> Callable[..., Tensor]:
        """The program up to this result. Safe from several threads.

        Raises `RuntimeError`, as torch does for what it cannot do, where this torch runs no programs; what is compiled
        raises it where an operation is not there.
        """
        text = "\n  ".join(
            [
                f"graph({', '.join(f'{name} : {kind}' for name, kind in self._given.items())}, %tensors : Tensor[]):",
                *([f"{self._typed_tensors()} = prim::ListUnpack(%tensors)"] if self._tensors else []),
                *(f"{name} : {made}" for made, name in self._constants.items()),
                *(f"{name} : Tensor = {operation}({', '.join(taken)})" for name, operation, taken in self._calls),
                f"return ({result})",
            ]
        )
        try:
            function = torch._C._create_function_from_graph("program", torch._C.parse_ir(text))  # noqa: SLF001
            # Not Python's list: of what nothing but Python holds, an operation tells Python that it holds it too.
            tensors = torch._C.ScriptList(self._tensors)  # noqa: SLF001
        except AttributeError as err:
            raise RuntimeError(f"this torch runs no programs: {err}") from err
        return lambda *given: function(*given, tensors)

    def _one_by_one(self, result: Name, *given: object) -> Tensor:
        values: dict[Name, Any] = {**self._values, **dict(zip(self._given, given, strict=True))}
        for name, operation, arguments in self._calls:
            values[name] = _called(operation, [values[it] for it in arguments])
        last: Tensor = values[result]
        return last

    def _typed_tensors(self) -> str:
        return ", ".join(f"%tensor{number} : Tensor" for number in range(len(self._tensors)))

    def _written(self, kind: str, made: str, value: object) -> Name:
        """Once for each value."""
        key = f"{kind} = {made}"
        if key not in self._constants:
            name = self._constants[key] = f"%constant{len(self._constants)}"
            self._values[name] = value
        return self._constants[key]


def _called(operation: str, values: Sequence[Any]) -> Any:
    """From Python torch takes some by name only, which a program names by their place."""
    room, name = operation.split("::")
    called = getattr(getattr(torch.ops, room), name)
    schemas = [getattr(called, overload)._schema.arguments for overload in called.overloads()]  # noqa: SLF001
    taken = next(arguments for arguments in schemas if len(arguments) == len(values))
    by_place = [value for argument, value in zip(taken, values, strict=True) if not argument.kwarg_only]
    by_name = {argument.name: value for argument, value in zip(taken, values, strict=True) if argument.kwarg_only}
    return called(*by_place, **by_name)
