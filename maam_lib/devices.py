"""What several devices share in data-parallel training, so that they compute what one would (ours).

Each device has its share of every batch. Gradients are averaged by PyTorch's DistributedDataParallel; what else hangs
on the whole batch is here: batch norm, dropout masks, and means that go through a non-linear function. On one device
nothing of it does anything.
"""

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx, once_differentiable


def device_count() -> int:
    """How many devices train together; 1 outside of data-parallel training."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def own_rows(whole: Tensor) -> Tensor:
    """This device's rows of a whole batch (B, ...): every so-many-th, as `training.batches` deals frames out."""
    count = device_count()
    return whole if count == 1 else whole[distributed.get_rank() :: count]


def shared_mean(x: Tensor) -> Tensor:
    """The mean of a tensor over the devices, entry by entry, with its gradient; x itself on one device."""
    return x if device_count() == 1 else _Sum.apply(x) / device_count()


class _Sum(torch.autograd.Function):
    """The sum over the devices. Each device's loss hangs on it, so their gradients are summed as well."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        return _summed(grad)


def _summed(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm by the statistics of the whole batch, (B, C, H, W) in and out, with PyTorch's parameters and names.

    PyTorch's SyncBatchNorm does the same on CUDA alone. Two sums over the devices, of the mean and of squared
    distances from it, in float32 or finer.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or device_count() == 1:
            return super().forward(x)
        exact = x.float() if x.dtype != torch.float64 else x
        mean = shared_mean(exact.mean(dim=(0, 2, 3)))
        centred = exact - mean[:, None, None]
        variance = shared_mean(centred.square().mean(dim=(0, 2, 3)))
        with torch.no_grad():
            values = device_count() * x.numel() / x.shape[1]
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * values / (values - 1)).to(self.running_var.dtype), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias[:, None, None], centred, scale[:, None, None]).to(x.dtype)
