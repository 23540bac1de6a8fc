"""A trained network made ready for scoring alone: the same answers, faster (ours).

Batch norm is folded into the convolutions, whose kernels are turned once; activations lie channels-last and are
overwritten in place; and freed memory is kept between calls.
"""

import copy
import itertools

import torch
from torch import Tensor, nn

from maam_lib.fast import Size, keep_freed_memory, turned
from maam_lib.model import Decoder, DecoderBlock, EncoderBlock, MAAMNet, MAAMOutput

Kind = type[nn.Conv2d] | type[nn.ConvTranspose2d]
FEW_CHANNELS = 2  # that `FewChannels` is faster for (measured)


class InferenceNet(nn.Module):
    """A copy of a network, folded: frames (B, C, H, W) in [-1, 1] -> MAAMOutput in float32, without gradients.

    Training the network further does not change it.
    """

    def __init__(self, net: MAAMNet):
        super().__init__()
        self.net = copy.deepcopy(net).eval()
        self.encoder = nn.ModuleList(
            _folded(block.conv.weight, block.norm, 0, nn.Conv2d, block.conv.stride[0])
            for block in net.encoder
            if isinstance(block, EncoderBlock)
        )
        self.appearance, self.motion = (_folded_decoder(d) for d in (net.appearance_decoder, net.motion_decoder))
        device = next(net.parameters()).device
        for layers in (self.encoder, self.appearance, self.motion):
            layers.to(device=device, dtype=torch.float32)
            for parameter in layers.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
            last = layers[-1]
            if device.type == "cpu" and isinstance(last, nn.Conv2d) and last.out_channels <= FEW_CHANNELS:
                layers[-1] = FewChannels(last)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> MAAMOutput:
        self.net.check_frames(frames)
        x, sizes = turned(frames).contiguous(memory_format=torch.channels_last), []
        for conv in self.encoder:
            x = conv(x).relu_()
            sizes.append((x.shape[2], x.shape[3]))
        query = turned(x)
        read_out, weights = self.net.recall(query)
        x = turned(read_out).contiguous(memory_format=torch.channels_last)
        frame_hat, flow_hat = (self._decode(x, layers, sizes[-2::-1]) for layers in (self.appearance, self.motion))
        return MAAMOutput(frame_hat, flow_hat, query, read_out, weights)

    def _decode(self, x: Tensor, layers: nn.ModuleList, sizes: list[Size]) -> Tensor:
        for deconv, size in zip(layers[:-1], sizes, strict=True):
            x = deconv(x, output_size=size).relu_()
        return turned(layers[-1](x))


class FewChannels(nn.Module):
    """A 3 x 3 convolution of stride 1 to one or two channels, (B, C, H, W) -> (B, out, H, W), on a CPU.

    PyTorch's own computes eight channels whatever is asked. Here one matrix product gives every pixel's share in its
    nine neighbours, and shifted sums add them up: up to twice as fast where the input lies channels-last.
    """

    taps: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        assert conv.bias is not None  # `_convolution`
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


def prepare_for_inference(net: MAAMNet) -> InferenceNet:
    """A trained network as a faster function: frames (B, C, H, W) in [-1, 1] -> MAAMOutput in float32 (ours).

    Stays on the network's device; tells glibc, for the whole process, to keep freed memory.
    """
    keep_freed_memory()
    return InferenceNet(net)


def _folded(weight: Tensor, norm: nn.BatchNorm2d, out_axis: int, kind: Kind, stride: int = 2) -> nn.Module:
    """A convolution with the batch norm behind it: gamma (W x - mean) / sd + beta = (gamma / sd) W x + beta - gamma
    mean / sd; computed in float64."""
    assert norm.running_var is not None  # the network's batch norms keep running statistics
    assert norm.running_mean is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    axes = [1, 1, 1, 1]
    axes[out_axis] = -1
    shift = norm.bias.double() - norm.running_mean.double() * scale
    return _convolution(kind, turned(weight).double() * scale.view(axes), shift, out_axis, stride)


def _folded_decoder(decoder: Decoder) -> nn.ModuleList:
    blocks = (block for block in decoder.blocks if isinstance(block, DecoderBlock))
    layers = [_folded(block.deconv.weight, block.norm, 1, nn.ConvTranspose2d) for block in blocks]
    bias = decoder.output.bias
    assert bias is not None  # the last layer has one
    return nn.ModuleList([*layers, _convolution(nn.Conv2d, turned(decoder.output.weight), bias, 0, 1)])


def _convolution(kind: Kind, weight: Tensor, bias: Tensor, out_axis: int, stride: int) -> nn.Module:
    """A convolution module of padding 1 that holds these values."""
    module = kind(weight.shape[1 - out_axis], weight.shape[out_axis], 3, stride, padding=1, device=weight.device)
    module.weight.data.copy_(weight.detach())
    assert module.bias is not None
    module.bias.data.copy_(bias.detach())
    return module
