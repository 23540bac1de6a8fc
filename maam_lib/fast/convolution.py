"""The convolutions of the network as modules: 3x3, padded as TensorFlow's SAME (item 4), and faster (ours).

SAME pads, at stride 2 and an even side, one zero at the end and none at the beginning, for which PyTorch must copy the
map. But a convolution of a map turned by 180 degrees, with turned kernels, is the convolution, turned; and there the
zero stands at the beginning, where PyTorch's own padding=1 puts it. So does the transposed convolution, which then
needs no cropping (the batch norm of a cropped map takes a slow path). Everything is equal up to rounding.

A layer by itself turns its map before and after; in a network of them, `speed_up_same_padding` leaves out all turns
in between.

On processors without AVX-512, PyTorch's weight gradients of wide convolutions are several times slower than the
convolution itself; there they are computed here as matrix products.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

Size = tuple[int, int]
HAS_AVX512 = "AVX512" in torch.backends.cpu.get_cpu_capability()  # found once: torch.compile cannot look
WIDE = 32 * 64  # input times output channels from which a strided weight gradient as products is faster (measured)


def turned(x: Tensor) -> Tensor:
    """A map or kernels (..., H, W) turned by 180 degrees."""
    return x.flip(-2, -1)


class SameConv2d(nn.Conv2d):
    """SAME convolution 3x3: (B, in, H, W) -> (B, out, ceil(H/stride), ceil(W/stride))."""

    turns = True  # its map before and after; False inside a module that does

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, *, bias: bool = True):
        super().__init__(in_channels, out_channels, 3, stride, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return turned(self._of_turned(turned(x))) if self.turns else self._of_turned(x)

    def _of_turned(self, x: Tensor) -> Tensor:
        kernels, stride = turned(self.weight), self.stride[0]
        if _gradient_by_products(x, self.weight, stride):
            y = _Convolution.apply(x, kernels, stride)
            return y if self.bias is None else y + self.bias[:, None, None]
        return F.conv2d(x, kernels, self.bias, stride, padding=1)


class SameConvTranspose2d(nn.ConvTranspose2d):
    """Transpose of the SAME convolution 3x3 of stride 2, without bias: (B, in, h, w) -> (B, out, H, W).

    A call names the size (H, W), with ceil(H/2) = h and ceil(W/2) = w.
    """

    turns = True  # as above

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, 3, stride=2, padding=1, bias=False)

    def forward(self, x: Tensor, output_size: Size) -> Tensor:
        return turned(self._of_turned(turned(x), output_size)) if self.turns else self._of_turned(x, output_size)

    def _of_turned(self, x: Tensor, size: Size) -> Tensor:
        kernels, more = turned(self.weight), (1 - size[0] % 2, 1 - size[1] % 2)
        if _gradient_by_products(x, self.weight, 2):
            return _TransposedConvolution.apply(x, kernels, more)
        return F.conv_transpose2d(x, kernels, None, 2, padding=1, output_padding=more)


def speed_up_same_padding(*nets: nn.Module) -> None:
    """From now on each network turns its map on the way in and out, and the SAME convolutions in it do not (in place).

    Only for networks in which nothing else looks at neighbouring pixels: batch norm, dropout and ReLU do not. A layer
    of one that is called by itself then takes and gives turned maps.
    """
    for net in nets:
        for layer in net.modules():
            if isinstance(layer, SameConv2d | SameConvTranspose2d):
                layer.turns = False
        net.register_forward_pre_hook(_turn_first)
        net.register_forward_hook(_turn_result)


def _turn_first(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return turned(inputs[0]), *inputs[1:]


def _turn_result(_: nn.Module, _inputs: tuple[Any, ...], result: Tensor) -> Tensor:
    return turned(result)


class _Convolution(torch.autograd.Function):
    """F.conv2d with padding 1 whose weight gradient is a sum of matrix products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, None, stride, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = conv2d_input(x.shape, weight, grad, ctx.stride, padding=1)
        if ctx.needs_input_grad[1]:
            of_weight = strided_gradient(x, grad) if ctx.stride == 2 else narrow_gradient(x, grad)
        return of_x, of_weight, None


class _TransposedConvolution(torch.autograd.Function):
    """F.conv_transpose2d with stride 2 and padding 1, likewise: its weight gradient has the two maps change places."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, more: Size) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv_transpose2d(x, weight, None, 2, padding=1, output_padding=more)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_x = F.conv2d(grad, weight, None, 2, padding=1) if ctx.needs_input_grad[0] else None
        return of_x, strided_gradient(grad, x) if ctx.needs_input_grad[1] else None, None


def strided_gradient(large: Tensor, small: Tensor) -> Tensor:
    """Gradient (O, C, 3, 3) of a convolution of stride 2 and padding 1, from its input (B, C, H, W) and the gradient
    (B, O, h, w) of its output; h = ceil(H/2), w = ceil(W/2).

    The input is sorted by the parity of row and column, so that the pixels under one kernel element lie as close
    together as the output's; each product then sums over all places of a frame at once.
    """
    channels, (filters, h, w) = large.shape[1], small.shape[1:]
    places = (h + 1) * (w + 1)
    sorted_input = large.new_zeros(h + 1, w + 1, 2, 2, channels)  # row, column, odd column, odd row, channel
    columns = sorted_input.view(places, 4 * channels)
    output = small.new_zeros(h + 1, w + 1, filters)
    rows = output.view(places, filters).t()
    total = large.new_zeros(3, 3, channels, filters).transpose(2, 3)
    same = large.new_zeros(filters, 2, 2, channels)  # kernel elements 0 and 1 of both axes: they share their places
    right = large.new_zeros(filters, 2, channels)  # element 2 across, 0 and 1 down
    lower = [large.new_zeros(filters, channels) for _ in range(3)]  # element 2 down
    for frame, gradient in zip(large.permute(0, 2, 3, 1), small.permute(0, 2, 3, 1), strict=True):
        for a in (0, 1):
            for b in (0, 1):
                part = frame[1 - a :: 2, 1 - b :: 2]  # the zero of padding stands before pixel 0
                sorted_input[1 - a :, 1 - b :, b, a][: len(part), : part.shape[1]] = part
        output[:h, :w] = gradient
        same.view(filters, -1).addmm_(rows, columns)
        right.view(filters, -1).addmm_(rows[:, :-1], columns[1:, : 2 * channels])
        for element, after in ((0, w + 1), (1, w + 1), (2, w + 2)):
            first = 2 * channels * (element % 2)
            lower[element].addmm_(rows[:, :-after], columns[after:, first : first + channels])
    total[:2, :2] = same.permute(2, 1, 0, 3)
    total[:2, 2] = right.transpose(0, 1)
    for element in range(3):
        total[2, element] = lower[element]
    return total.permute(2, 3, 0, 1)


def narrow_gradient(x: Tensor, grad: Tensor) -> Tensor:
    """Gradient (O, C, 3, 3) of a convolution of stride 1 and padding 1, from its input (B, C, H, W) and the gradient
    (B, O, H, W) of its output, one of them with few channels: its 3x3 windows against the other, place by place."""
    channels, filters = x.shape[1], grad.shape[1]
    wide, narrow = (grad, x) if channels < filters else (x, grad)
    total = wide.new_zeros(9 * narrow.shape[1], wide.shape[1])
    for one, other in zip(wide.permute(0, 2, 3, 1), narrow, strict=True):
        total.addmm_(F.unfold(other[None], 3, padding=1)[0], one.reshape(-1, wide.shape[1]))
    windows = total.view(-1, 3, 3, wide.shape[1])
    if channels < filters:
        return windows.permute(3, 0, 1, 2)
    return turned(windows.permute(0, 3, 1, 2))  # the output's window around an input pixel runs the other way


def _gradient_by_products(x: Tensor, weight: Tensor, stride: int) -> bool:
    """Whether a weight gradient will be asked for that matrix products compute faster."""
    if not (weight.requires_grad and torch.is_grad_enabled()) or x.device.type != "cpu" or x.dtype != torch.float32:
        return False
    if torch.is_autocast_enabled("cpu") or HAS_AVX512 or torch.compiler.is_compiling():  # loops would be unrolled
        return False
    few, many = sorted(weight.shape[:2])
    return few * many >= WIDE if stride == 2 else 9 * few <= many
