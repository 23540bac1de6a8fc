"""Several devices that train as one (ours): what each must know of the others for the numbers of one device.

Every device holds an equal share of the global batch. Gradients are averaged by PyTorch's data parallelism; here is the
rest: the place of a device, means over all of them, and batch norm with the statistics of the global batch. On one
device nothing is done, and without `torch.distributed` there is one.
"""

import atexit
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx, once_differentiable


class Place(NamedTuple):
    """The rank of this device, from 0, and how many there are; of the global batch it holds rows rank::world_size."""

    rank: int
    world_size: int


def place() -> Place:
    """This process's place among the devices that train together; (0, 1) where it trains alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Place(0, 1)
    return Place(distributed.get_rank(), distributed.get_world_size())


def leave_at_exit() -> None:
    """Leave the group of devices when this process ends, before Python goes: else, now and then, a thread of gloo that
    still runs aborts the process. Fabric does so for NCCL alone."""
    atexit.register(_leave)


def _leave() -> None:
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def largest_divisor(number: int, at_most: int) -> int:
    """The most devices, of `at_most` there are, that share `number` frames equally."""
    return max(count for count in range(1, at_most + 1) if number % count == 0)


def mean_over_devices(x: Tensor) -> Tensor:
    """The mean over all devices of a tensor that each has one of, with its gradient; x itself on one device.

    A loss that is no mean over frames needs it inside: the mean of its values on parts is not its value on the whole.
    """
    count = place().world_size
    return x if count == 1 else _SumOverDevices.apply(x) / count


class _SumOverDevices(torch.autograd.Function):
    """Each device's value counts in the sum of all, so the gradient of a value is the sum of all their gradients."""

    @staticmethod
    def forward(_: FunctionCtx, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        return _SumOverDevices.forward(ctx, grad)


def share_statistics(net: nn.Module, device_type: str) -> nn.Module:
    """Turn the network's batch norms, in place, into ones over all devices' frames; parameters and keys stay.

    On "cuda" they are PyTorch's own SyncBatchNorm, which works only there; else SharedBatchNorm2d.
    """
    if device_type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm2d
    return net


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm of (B, C, H, W) by mean and variance over all devices' frames, each device with equally many.

    In float32 or finer, whatever the number format. Evaluated, it is plain batch norm.
    """

    running_mean: Tensor  # PyTorch's may be None: of a batch norm that keeps no statistics
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        exact = x if x.dtype == torch.float64 else x.float()
        mean = mean_over_devices(exact.mean(dim=(0, 2, 3)))
        centred = exact - mean[:, None, None]
        variance = mean_over_devices(centred.square().mean(dim=(0, 2, 3)))
        self._follow(mean.detach(), variance.detach(), x.numel() // x.shape[1] * place().world_size)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards the global batch's; `count` numbers made each of them."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
