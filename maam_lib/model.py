"""The network: encoder, memory, appearance decoder and motion decoder (paper Sec. 3.2.1, Table 1).

The comments beside the layers give height x width x channels for a frame of 240x360 and 64 base channels.
"""

from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor, nn

from maam_lib import memory
from maam_lib.fast import DropoutReLU, SameConv2d, SameConvTranspose2d, Size, speed_up_same_padding
from maam_lib.memory import Similarity

INITIAL_SD = 0.02  # of weights and memory items, a normal cut at two sd (released code; the paper does not say)
NORM_EPSILON = 1e-3  # of batch norm (released code; the paper does not say)


class EncoderBlock(nn.Module):
    """Conv. 3x3, BN, ReLU: (B, in, H, W) -> (B, out, ceil(H/stride), ceil(W/stride)).

    The convolution has no bias: the batch norm that follows would cancel it.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm_momentum: float):
        super().__init__()
        self.conv = SameConv2d(in_channels, out_channels, stride, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, NORM_EPSILON, norm_momentum)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x)))


class Encoder(nn.Sequential):
    """Frames (B, C, H, W) -> query z (B, D, h, w), D = 8 x base."""

    def __init__(self, frame_channels: int, base: int, norm_momentum: float):
        super().__init__(
            EncoderBlock(frame_channels, base, 1, norm_momentum),  # 240x360xC -> 240x360x64
            EncoderBlock(base, 2 * base, 2, norm_momentum),  # -> 120x180x128
            EncoderBlock(2 * base, 4 * base, 2, norm_momentum),  # -> 60x90x256
            EncoderBlock(4 * base, 8 * base, 2, norm_momentum),  # -> 30x45x512
            EncoderBlock(8 * base, 8 * base, 2, norm_momentum),  # -> 15x23x512
        )


class DecoderBlock(nn.Module):
    """Deconv. 3x3 of stride 2, BN, dropout, ReLU: (B, in, h, w) -> (B, out, H, W); size is (H, W), h = ceil(H/2)."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float, norm_momentum: float):
        super().__init__()
        self.deconv = SameConvTranspose2d(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(out_channels, NORM_EPSILON, norm_momentum)
        self.dropout_relu = DropoutReLU(dropout)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.dropout_relu(self.norm(self.deconv(x, size)))


class Decoder(nn.Module):
    """Read-out (B, D, h, w) -> frame (B, C, H, W) or flow (B, 2, H, W), without a bound: the last layer is linear."""

    def __init__(self, base: int, out_channels: int, dropout: float, norm_momentum: float):
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                DecoderBlock(8 * base, 4 * base, dropout, norm_momentum),  # 15x23x512 -> 30x45x256
                DecoderBlock(4 * base, 4 * base, dropout, norm_momentum),  # -> 60x90x256
                DecoderBlock(4 * base, 2 * base, dropout, norm_momentum),  # -> 120x180x128
                DecoderBlock(2 * base, base, dropout, norm_momentum),  # -> 240x360x64
            ]
        )
        self.output = SameConv2d(base, out_channels)  # -> 240x360xC, or 240x360x2 for flow

    def forward(self, x: Tensor, sizes: list[Size]) -> Tensor:
        for block, size in zip(self.blocks, sizes, strict=True):
            x = block(x, size)
        return self.output(x)


class MAAMOutput(NamedTuple):
    """What the network returns for a batch of frames."""

    frame_hat: Tensor  # (B, C, H, W) reconstructed frame
    flow_hat: Tensor  # (B, 2, H, W) predicted flow to the next frame, pixels per frame, (dx, dy); or speed (B, 1, H, W)
    query: Tensor  # (B, D, h, w) encoder output z, >= 0
    read_out: Tensor  # (B, D, h, w) what the decoders see: z_hat, or z without memory
    weights: Tensor | None  # (B, N, h, w) addressing weights; None without memory


class MAAMNet(nn.Module):
    """MAAM-Net: reconstructs a frame and predicts its flow from memory items alone (paper Fig. 2, Table 1).

    Trainable parameters: 8,447,875 for 1 channel and 500 items; 8,450,181 for 3 and 500; 9,218,181 for 3 and 2000.
    These are the released graph's counts less 2,880 biases that batch norm cancels (docs/differences.md).
    All convolutions are padded as TensorFlow's SAME (docs/differences.md, item 4), so released weights fit.

    Args:
        frame_channels: C, 1 for gray frames, 3 for colour.
        num_items: N, memory items.
        base_channels: filters of the first convolution; D = 8 times as many.
        similarity: "cosine" (Eq. 1) or "released" (item 1 of docs/differences.md).
        temperature: divides the similarities; 1 is the paper.
        shrink_threshold: lambda of Eq. 3; None is 1/N.
        use_memory: without memory the query itself goes to the decoders (Table 2).
        dropout: share of decoder activations dropped in training.
        norm_momentum: weight of a new batch in the running batch-norm statistics.
        motion_channels: 2, the motion decoder predicts flow; 1, its length, the speed (ours; item 28).
    """

    def __init__(
        self,
        frame_channels: int = 3,
        num_items: int = 500,
        *,
        base_channels: int = 64,
        similarity: Similarity = "cosine",
        temperature: float = 1.0,
        shrink_threshold: float | None = None,
        use_memory: bool = True,
        dropout: float = 0.3,
        norm_momentum: float = 0.01,
        motion_channels: int = 2,
    ):
        super().__init__()
        self.frame_channels = frame_channels
        self.similarity: Similarity = similarity
        self.temperature = temperature
        self.shrink_threshold = shrink_threshold
        self.encoder = Encoder(frame_channels, base_channels, norm_momentum)
        self.items = nn.Parameter(torch.empty(num_items, 8 * base_channels)) if use_memory else None  # M, (N, D)
        self.appearance_decoder = Decoder(base_channels, frame_channels, dropout, norm_momentum)
        self.motion_decoder = Decoder(base_channels, motion_channels, dropout, norm_momentum)
        self.reset_parameters()
        speed_up_same_padding(self.encoder, self.appearance_decoder, self.motion_decoder)

    def forward(self, frames: Tensor) -> MAAMOutput:
        """Frames (B, C, H, W) in [-1, 1] -> MAAMOutput, at the frames' own size; h = ceil(H/16), w = ceil(W/16)."""
        query, sizes = self.encode(frames)
        read_out, weights = self.recall(query)
        frame_hat, flow_hat = self.decode(read_out, sizes)
        return MAAMOutput(frame_hat, flow_hat, query, read_out, weights)

    def encode(self, frames: Tensor) -> tuple[Tensor, list[Size]]:
        """Query z (B, D, h, w) of frames (B, C, H, W) in [-1, 1], and the sizes that the decoders go back through.

        Raises ValueError for frames of another number of channels or smaller than 16x16.
        """
        self.check_frames(frames)
        height, width = frames.shape[2:]
        sizes = [(ceil(height / n), ceil(width / n)) for n in (8, 4, 2, 1)]  # 30x45, 60x90, 120x180, 240x360
        return self.encoder(frames), sizes

    def recall(self, query: Tensor) -> tuple[Tensor, Tensor | None]:
        """Read-out (B, D, h, w) and addressing weights (B, N, h, w) of a query (Eq. 1-4).

        Always in the query's full precision, at least float32: the threshold 1/N is too fine for bfloat16.
        """
        if self.items is None:
            return query, None
        with torch.autocast(query.device.type, enabled=False):
            exact = query.to(self.items.dtype)
            weights = memory.address(
                exact,
                self.items,
                similarity=self.similarity,
                temperature=self.temperature,
                shrink_threshold=self.shrink_threshold,
            )
            return memory.read(weights, self.items), weights

    def decode(self, read_out: Tensor, sizes: list[Size]) -> tuple[Tensor, Tensor]:
        """Frame (B, C, H, W) and flow (B, 2, H, W), or speed (B, 1, H, W), from a read-out (B, D, h, w)."""
        z = _fork(read_out)
        return self.appearance_decoder(z, sizes), self.motion_decoder(z, sizes)

    def check_frames(self, frames: Tensor) -> None:
        """Raises ValueError for frames of another number of channels or smaller than 16x16."""
        if frames.ndim != 4 or frames.shape[1] != self.frame_channels or min(frames.shape[2:]) < 16:
            expected = f"(B, {self.frame_channels}, H, W) with H, W >= 16"
            raise ValueError(f"expected frames of shape {expected}, found {tuple(frames.shape)}")

    def reset_parameters(self) -> None:
        """Draw initial values as the released code does: a cut normal of sd 0.02, biases 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                _draw(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.items is not None:
            _draw(self.items)


def _fork(x: Tensor) -> Tensor:
    """x for several branches: their gradients are added to each other before any other, which fixes the rounding."""
    return x.view_as(x)


def _draw(values: Tensor) -> None:
    nn.init.trunc_normal_(values, std=INITIAL_SD, a=-2 * INITIAL_SD, b=2 * INITIAL_SD)
