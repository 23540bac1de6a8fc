"""Dropout and ReLU in one step for training on a CPU (ours): drawing the mask is most of what PyTorch's dropout costs.

PyTorch spends a 32-bit draw and more on every activation; here one of 64 bits serves four. The share that is dropped
is the asked one to the nearest of 65,536 steps, and what is kept is scaled by exactly that share.
"""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

STEPS = 2**16  # different values of one 16-bit draw


def drop_and_rectify(x: Tensor, share: float) -> Tensor:
    """ReLU of x with a share (0 to 1) of its entries set to 0 and the others divided by 1 - share; x is overwritten.

    The random numbers come from PyTorch's global generator.
    """
    return _DropAndRectify.apply(x, round(share * STEPS))


class _DropAndRectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, dropped: int) -> Tensor:
        ctx.mark_dirty(x)
        ctx.scale = STEPS / max(STEPS - dropped, 1)
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        kept = (draws[: x.numel()] >= dropped - STEPS // 2).as_strided(x.shape, x.stride())
        x.relu_().mul_(kept).mul_(ctx.scale)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors  # positive exactly where x was positive and kept
        return torch.ops.aten.threshold_backward(grad, y, 0).mul_(ctx.scale), None
