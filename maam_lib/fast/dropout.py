"""Dropout and ReLU in one step for training on a CPU (ours): drawing the mask is most of what PyTorch's dropout costs.

PyTorch spends a 32-bit draw and more on every activation; here one of 64 bits serves four. The share that is dropped
is the asked one to the nearest of 65,536 steps, and what is kept is scaled by exactly that share.

Several devices that train together draw the mask of the global batch, each the same, and take their own rows of it: so
they drop what one device would.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from maam_lib.fast.devices import place

STEPS = 2**16  # different values of one 16-bit draw


class DropoutReLU(nn.Dropout):
    """Dropout, in training alone, then ReLU: what is kept is divided by 1 - p. The input is overwritten.

    The random numbers come from PyTorch's global generator. On a CPU the input must be dense and its first axis, of
    rows, the outermost.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return F.relu(x, inplace=True)
        if x.device.type == "cpu":
            return _DropAndRectify.apply(x, round(self.p * STEPS))
        return F.relu(drop(x, self.p), inplace=True)


def drop(x: Tensor, share: float) -> Tensor:
    """PyTorch's dropout of x (B, ...), with what it would drop of these rows in the global batch on one device."""
    rank, world_size = place()
    if world_size == 1:
        return F.dropout(x, share)
    shape, strides = _global_batch(x, world_size)
    ones = torch.empty_strided(shape, strides, dtype=x.dtype, device=x.device).fill_(1)
    return x * F.dropout(ones, share)[rank::world_size].clone()  # a clone, so that the other rows are freed


def _global_batch(x: Tensor, world_size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and strides of the global batch that a device's share x of it lies in."""
    return (world_size * len(x), *x.shape[1:]), (x.numel() // len(x), *x.stride()[1:])


class _DropAndRectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dropped: int) -> Tensor:
        ctx.mark_dirty(x)
        ctx.scale = STEPS / max(STEPS - dropped, 1)
        rank, world_size = place()
        shape, strides = _global_batch(x, world_size)
        draws = torch.empty(-(-math.prod(shape) // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        kept = draws.as_strided(shape, strides)[rank::world_size] >= dropped - STEPS // 2
        x.relu_().mul_(kept).mul_(ctx.scale)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors  # positive exactly where x was positive and kept
        return torch.ops.aten.threshold_backward(grad, y, 0).mul_(ctx.scale), None
