"""A trained network made ready for scoring alone: the same answers, faster (ours).

Batch norm is folded into the convolutions, whose kernels are turned once; activations lie channels-last and are
overwritten in place; and freed memory is kept between calls.
"""

import copy
import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from maam_lib.fast import keep_freed_memory, turned
from maam_lib.model import Decoder, DecoderBlock, EncoderBlock, MAAMNet

FEW_CHANNELS = 2  # that `FewChannels` is faster for (measured)


def prepare_for_inference(net: MAAMNet) -> MAAMNet:
    """A copy of a trained network as a faster function: frames (B, C, H, W) in [-1, 1] -> MAAMOutput in float32 (ours).

    It has no gradients, and training the network further does not change it. Stays on the network's device; tells
    glibc, for the whole process, to keep freed memory.
    """
    keep_freed_memory()
    device = next(net.parameters()).device
    ready = copy.deepcopy(net).cpu().double().eval()  # folded in float64
    for block in list(ready.modules()):
        if isinstance(block, EncoderBlock):
            block.register_module("conv", fuse_conv_bn_eval(_plain(block.conv), block.norm))
        elif isinstance(block, DecoderBlock):
            block.register_module("deconv", fuse_conv_bn_eval(_plain(block.deconv), block.norm, transpose=True))
        elif isinstance(block, Decoder):
            last = _plain(block.output)
            if device.type == "cpu" and isinstance(last, nn.Conv2d) and last.out_channels <= FEW_CHANNELS:
                last = FewChannels(last)
            block.register_module("output", last)
        if isinstance(block, EncoderBlock | DecoderBlock):
            block.register_module("norm", nn.Identity())
    for part in (ready.encoder, ready.appearance_decoder, ready.motion_decoder):
        part.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  torch's types leave it out
        part.register_forward_pre_hook(_channels_last)
    return ready.to(device, torch.float32).requires_grad_(False)


def _channels_last(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return inputs[0].contiguous(memory_format=torch.channels_last), *inputs[1:]


def _plain(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Conv2d | nn.ConvTranspose2d:
    """A SAME convolution as PyTorch's own, for turned maps."""
    kind = nn.ConvTranspose2d if isinstance(layer, nn.ConvTranspose2d) else nn.Conv2d
    plain = kind(layer.in_channels, layer.out_channels, 3, layer.stride[0], 1, dtype=layer.weight.dtype).eval()
    plain.weight.data = turned(layer.weight)
    plain.bias = layer.bias
    return plain


class FewChannels(nn.Module):
    """A 3 x 3 convolution of stride 1 to one or two channels, (B, C, H, W) -> (B, out, H, W), on a CPU.

    PyTorch's own computes eight channels whatever is asked. Here one matrix product gives every pixel's share in its
    nine neighbours, and shifted sums add them up: up to twice as fast where the input lies channels-last.
    """

    taps: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        assert conv.bias is not None
        self.register_buffer("taps", conv.weight.detach().permute(2, 3, 0, 1).flatten(0, 2).contiguous())  # (9 out, C)
        self.register_buffer("bias", conv.bias.detach()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        shares = (self.taps @ x.permute(0, 2, 3, 1).flatten(1, 2).mT).view(batch, 3, 3, -1, height, width)
        sums = shares[:, 1, 1] + self.bias
        for down, across in itertools.product((-1, 0, 1), repeat=2):
            if down or across:
                (rows, from_rows), (columns, from_columns) = _shifted(height, down), _shifted(width, across)
                sums[..., rows, columns] += shares[:, 1 + down, 1 + across, :, from_rows, from_columns]
        return sums


def _shifted(side: int, by: int) -> tuple[slice, slice]:
    """The places along a side that have a neighbour so many pixels on, and those neighbours."""
    return slice(max(-by, 0), side - max(by, 0)), slice(max(by, 0), side - max(-by, 0))
