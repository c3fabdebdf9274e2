"""What the machine the tests run on can compute."""

import torch


def has_onednn_bfloat16() -> bool:
    """Whether oneDNN multiplies in bfloat16 here (AVX-512 at least); torch without it does, slowly."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


WAY_IN_BFLOAT16 = "bfloat16, fused layers" if has_onednn_bfloat16() else "bfloat16"
"""How an encoder that is made to compute in it says that it does."""
