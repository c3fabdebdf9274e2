"""oneDNN's operations, which torch gives to its compiler only, under private names. Whoever calls one compares vectors
with those of torch's public operations first, and goes on with these where it is missing.
"""

from typing import Any

import torch


def operation(name: str, room: str = "mkldnn") -> Any:
    """The operation. Raises `RuntimeError`, as torch does for what it cannot do, where this torch has none such."""
    try:
        return getattr(getattr(torch.ops, room), name)
    except AttributeError as err:
        raise RuntimeError(f"this torch has no oneDNN operation {name}") from err
