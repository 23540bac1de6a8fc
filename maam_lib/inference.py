"""A trained network made ready for scoring alone: the same answers, faster (ours).

Batch norm is folded into the convolutions, whose kernels are turned once; activations lie channels-last and are
overwritten in place; freed memory is kept between calls; and the number format is the fastest that the processor has
hardware for and that keeps the scores.
"""

import copy
import itertools
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from maam_lib.convolution import Size, turned
from maam_lib.hardware import has_fast_bfloat16, keep_freed_memory
from maam_lib.model import Decoder, MAAMNet, MAAMOutput

NumberFormat = Literal["auto", "float32", "bfloat16"]
TOLERANCE = 1e-3  # relative: what another number format may change of a frame's largest patch error
FEW_CHANNELS = 2  # that `FewChannels` is faster for (measured)
PATCH = 16  # side of those patches, the smallest frame's


class InferenceNet(nn.Module):
    """A copy of a network, folded: frames (B, C, H, W) in [-1, 1] -> MAAMOutput in float32, without gradients.

    Training the network further does not change it. The memory is computed in float32 whatever the number format.
    """

    def __init__(self, net: MAAMNet, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.net, self.dtype = copy.deepcopy(net).eval(), dtype
        self.encoder = nn.ModuleList(
            _folded(block.conv.weight, block.norm, 0, nn.Conv2d, block.stride) for block in net.encoder
        )
        self.decoders = nn.ModuleList(_folded_decoder(d) for d in (net.appearance_decoder, net.motion_decoder))
        device = next(net.parameters()).device
        for layers in (self.encoder, self.decoders):
            layers.to(device, dtype, memory_format=torch.channels_last)
        if device.type == "cpu" and dtype == torch.float32:
            for layers in self.decoders:
                if layers[-1].out_channels <= FEW_CHANNELS:
                    layers[-1] = FewChannels(layers[-1])
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> MAAMOutput:
        self.net.check_frames(frames)
        x, sizes = self._laid_out(turned(frames)), []
        for conv in self.encoder:
            x = conv(x).relu_()
            sizes.append((x.shape[2], x.shape[3]))
        query = turned(x).to(self.net.items.dtype if self.net.items is not None else torch.float32)
        read_out, weights = self.net.recall(query)
        x = self._laid_out(turned(read_out))
        frame_hat, flow_hat = (self._decode(x, decoder, sizes[-2::-1]) for decoder in self.decoders)
        return MAAMOutput(frame_hat, flow_hat, query, read_out, weights)

    def _decode(self, x: Tensor, layers: nn.ModuleList, sizes: list[Size]) -> Tensor:
        for deconv, size in zip(layers[:-1], sizes, strict=True):
            if self.dtype == torch.bfloat16:  # with its bias, it may take a path that is up to 13 times slower
                x = nn.functional.conv_transpose2d(x, deconv.weight, None, 2, 1, (1 - size[0] % 2, 1 - size[1] % 2))
                x = x.add_(deconv.bias[:, None, None]).relu_()
            else:
                x = deconv(x, output_size=size).relu_()
        return turned(layers[-1](x)).float()

    def _laid_out(self, x: Tensor) -> Tensor:
        return x.to(self.dtype, memory_format=torch.channels_last)


class FewChannels(nn.Module):
    """A 3 x 3 convolution of stride 1 to one or two channels, (B, C, H, W) -> (B, out, H, W), on a CPU.

    PyTorch's own computes eight channels whatever is asked. Here one matrix product gives every pixel's share in its
    nine neighbours, and shifted sums add them up: up to twice as fast where the input lies channels-last.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
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


def prepare_for_inference(
    net: MAAMNet, frames: Tensor | None = None, *, number_format: NumberFormat = "auto", compiled: bool = False
) -> Callable[[Tensor], MAAMOutput]:
    """A trained network as a faster function: frames (B, C, H, W) in [-1, 1] -> MAAMOutput in float32 (ours).

    number_format: "auto" is bfloat16 where the processor has hardware for it and where, on `frames` (some of those to
    be scored; without them it is not tried), it changes the largest patch error of no frame by more than TOLERANCE.
    The memory makes that a hard test: a query rounded to bfloat16 may lose or gain support items.
    compiled: through torch.compile, for frames of one shape; the first call then takes a minute or so, and needs a C++
    compiler. Stays on the network's device; tells glibc, for the whole process, to keep freed memory.
    """
    keep_freed_memory()
    exact, device = InferenceNet(net), next(net.parameters()).device.type
    ready = exact
    if number_format == "bfloat16" or (number_format == "auto" and frames is not None and has_fast_bfloat16(device)):
        rounded = InferenceNet(net, torch.bfloat16)
        if number_format == "bfloat16" or change_of_scores(exact, rounded, frames) <= TOLERANCE:
            ready = rounded
    if not compiled:
        return ready
    return torch.compile(ready, options={"freezing": True} if device == "cpu" else None)


def change_of_scores(exact: InferenceNet, other: InferenceNet, frames: Tensor) -> float:
    """How much another number format changes the largest patch error of any frame (B, C, H, W), relative, in the worst
    case; a flow of zero stands for the true one."""
    expected, found = (_largest_errors(net(frames), frames) for net in (exact, other))
    return float(((found - expected).abs() / expected.clamp(min=1e-12)).max())


def _largest_errors(output: MAAMOutput, frames: Tensor) -> Tensor:
    """Of appearance and motion, (2, B)."""
    errors = (frames - output.frame_hat).square(), output.flow_hat.abs()
    return torch.stack([nn.functional.avg_pool2d(e.sum(dim=1), PATCH, PATCH // 4).amax(dim=(1, 2)) for e in errors])


def _folded(weight: Tensor, norm: nn.BatchNorm2d, out_axis: int, kind: type, stride: int = 2) -> nn.Module:
    """A convolution with the batch norm behind it: gamma (W x - mean) / sd + beta = (gamma / sd) W x + beta - gamma
    mean / sd; computed in float64."""
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    axes = [1, 1, 1, 1]
    axes[out_axis] = -1
    shift = norm.bias.double() - norm.running_mean.double() * scale
    return _convolution(kind, turned(weight).double() * scale.view(axes), shift, out_axis, stride)


def _folded_decoder(decoder: Decoder) -> nn.ModuleList:
    layers = [_folded(block.deconv.weight, block.norm, 1, nn.ConvTranspose2d) for block in decoder.blocks]
    return nn.ModuleList([*layers, _convolution(nn.Conv2d, turned(decoder.output.weight), decoder.output.bias, 0, 1)])


def _convolution(kind: type, weight: Tensor, bias: Tensor, out_axis: int, stride: int) -> nn.Module:
    """A convolution module of padding 1 that holds these values."""
    module = kind(weight.shape[1 - out_axis], weight.shape[out_axis], 3, stride, padding=1, device=weight.device)
    module.weight.data.copy_(weight.detach())
    module.bias.data.copy_(bias.detach())
    return module
