"""Products with weights that do not change: plain, or with a copy of the weight in the order in which oneDNN reads it.

A matrix library rearranges a weight at every product with it. For the few rows of a decoding step that is a good part of the time
(`bench/products.py`); done once beforehand, it is free for every step. It knows nothing of layers.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

# with more rows the rearranging hardly counts
FEW_ROWS = 256


class Plain:
    """Products of rows (T, inputs) with a weight (outputs, inputs) that has no bias."""

    def __init__(self, weight: torch.Tensor):
        self.weight = weight

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Shape (T, outputs)."""
        return rows @ self.weight.T

    def plus(self, rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """The product added to `others`, shape (T, outputs)."""
        return torch.addmm(others, rows, self.weight.T)


class Packed(Plain):
    """The same values up to rounding, faster for few rows; takes the weight's memory once more, and no gradients."""

    def __init__(self, weight: torch.Tensor):
        super().__init__(weight)
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach())

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        few = len(rows) <= FEW_ROWS
        return torch.ops.mkldnn._linear_pointwise(rows, self.packed, None, "none", [], "") if few else super().__call__(rows)

    def plus(self, rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        few = len(rows) <= FEW_ROWS
        return torch.ops.mkldnn._linear_pointwise.binary(rows, others, self.packed, None, "add") if few else super().plus(rows, others)


def for_few_rows(weight: torch.Tensor) -> Plain:
    """`Packed` where it can be had and should pay, else `Plain`. In float32 on Intel's processors it should not: where MKL was made to use the kernels
    that it keeps for them, plain products were the faster ones (docs/log.md); no such processor was tried."""
    pays = weight.dtype != torch.float32 or not _of_intel()
    return Packed(weight) if pays and can_pack(weight) else Plain(weight)


def can_pack(weight: torch.Tensor) -> bool:
    """Whether this build and this processor have oneDNN's product for the weight's type (its operators are those that torch's compiler uses)."""
    if weight.device.type != "cpu" or not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")):
        return False
    return weight.dtype == torch.float32 or (weight.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def _of_intel() -> bool:
    described = Path("/proc/cpuinfo")
    return described.exists() and "GenuineIntel" in described.read_text()
