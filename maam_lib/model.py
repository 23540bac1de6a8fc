"""The network: encoder, memory, appearance decoder and motion decoder (paper Sec. 3.2.1, Table 1)."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maam_lib import memory
from maam_lib.fast import Size, convolve, convolve_transposed, drop, drop_and_rectify, turned
from maam_lib.memory import Similarity

INITIAL_SD = 0.02  # of weights and memory items, a normal cut at two sd (released code; the paper does not say)
NORM_EPSILON = 1e-3  # of batch norm (released code; the paper does not say)


class MAAMOutput(NamedTuple):
    """What the network returns for a batch of frames."""

    frame_hat: Tensor  # (B, C, H, W) reconstructed frame
    flow_hat: Tensor  # (B, 2, H, W) predicted flow to the next frame, pixels per frame, (dx, dy)
    query: Tensor  # (B, D, h, w) encoder output z, >= 0
    read_out: Tensor  # (B, D, h, w) what the decoders see: z_hat, or z without memory
    weights: Tensor | None  # (B, N, h, w) addressing weights; None without memory


class EncoderBlock(nn.Module):
    """Convolution 3x3, batch norm, ReLU of a turned map: (B, in, H, W) -> (B, out, ceil(H/stride), ceil(W/stride)).

    No bias: the batch norm that follows would cancel it.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm_momentum: float):
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, NORM_EPSILON, norm_momentum)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(convolve(x, self.conv.weight, stride=self.stride)), inplace=True)


class DecoderBlock(nn.Module):
    """Transposed convolution 3x3 of stride 2, batch norm, dropout, ReLU: turned (B, in, h, w) -> (B, out, *size)."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float, norm_momentum: float):
        super().__init__()
        self.deconv = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, NORM_EPSILON, norm_momentum)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        x = self.norm(convolve_transposed(x, self.deconv.weight, size))
        if self.training and self.dropout.p > 0:
            if x.device.type == "cpu":
                return drop_and_rectify(x, self.dropout.p)
            x = drop(x, self.dropout.p)
        return F.relu(x, inplace=True)


class Decoder(nn.Module):
    """Four blocks back to the frame's size and a linear output convolution, turned: (B, D, h, w) -> (B, out, H, W)."""

    def __init__(self, base: int, out_channels: int, dropout: float, norm_momentum: float):
        super().__init__()
        widths = [8 * base, 4 * base, 4 * base, 2 * base, base]  # 512 256 256 128 64
        self.blocks = nn.ModuleList(
            DecoderBlock(before, after, dropout, norm_momentum) for before, after in pairwise(widths)
        )
        self.output = nn.Conv2d(base, out_channels, 3)

    def forward(self, x: Tensor, sizes: list[Size]) -> Tensor:
        for block, size in zip(self.blocks, sizes, strict=True):
            x = block(x, size)  # 15x23 -> 30x45 -> 60x90 -> 120x180 -> 240x360
        return convolve(x, self.output.weight, self.output.bias)


class MAAMNet(nn.Module):
    """MAAM-Net: reconstructs a frame and predicts its flow from memory items alone (paper Fig. 2, Table 1).

    Trainable parameters: 8,447,875 for 1 channel and 500 items; 8,450,181 for 3 and 500; 9,218,181 for 3 and 2000.
    These are the released graph's counts less 2,880 biases that batch norm cancels (docs/differences.md).
    All convolutions are padded as TensorFlow's SAME (item 4), so that released weights give released outputs.

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
    ):
        super().__init__()
        self.frame_channels = frame_channels
        self.similarity = similarity
        self.temperature = temperature
        self.shrink_threshold = shrink_threshold
        b = base_channels
        widths = [frame_channels, b, 2 * b, 4 * b, 8 * b, 8 * b]  # 3 64 128 256 512 512
        strides = [1, 2, 2, 2, 2]
        self.encoder = nn.ModuleList(
            EncoderBlock(before, after, stride, norm_momentum)
            for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
        self.items = nn.Parameter(torch.empty(num_items, 8 * b)) if use_memory else None  # M, (N, D)
        self.appearance_decoder = Decoder(b, frame_channels, dropout, norm_momentum)
        self.motion_decoder = Decoder(b, 2, dropout, norm_momentum)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values as the released code does: a cut normal of sd 0.02, biases 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                _draw(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if self.items is not None:
            _draw(self.items)

    def encode(self, frames: Tensor) -> tuple[Tensor, list[Size]]:
        """Query z (B, D, h, w) of frames (B, C, H, W) in [-1, 1], and the sizes that the decoders go back through.

        Raises ValueError for frames of another number of channels or smaller than 16x16.
        """
        self.check_frames(frames)
        x, sizes = turned(frames), []
        for block in self.encoder:
            x = block(x)  # 240x360 -> 240x360 -> 120x180 -> 60x90 -> 30x45 -> 15x23
            sizes.append((x.shape[2], x.shape[3]))
        return turned(x), sizes[-2::-1]

    def check_frames(self, frames: Tensor) -> None:
        """Raises ValueError for frames of another number of channels or smaller than 16x16."""
        if frames.ndim != 4 or frames.shape[1] != self.frame_channels or min(frames.shape[2:]) < 16:
            expected = f"(B, {self.frame_channels}, H, W) with H, W >= 16"
            raise ValueError(f"expected frames of shape {expected}, found {tuple(frames.shape)}")

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
        """Frame (B, C, H, W) and flow (B, 2, H, W) from a read-out (B, D, h, w)."""
        x = turned(read_out)
        return turned(self.appearance_decoder(x, sizes)), turned(self.motion_decoder(x, sizes))

    def forward(self, frames: Tensor) -> MAAMOutput:
        """Frames (B, C, H, W) in [-1, 1] -> MAAMOutput, at the frames' own size; h = ceil(H/16), w = ceil(W/16)."""
        query, sizes = self.encode(frames)
        read_out, weights = self.recall(query)
        frame_hat, flow_hat = self.decode(read_out, sizes)
        return MAAMOutput(frame_hat, flow_hat, query, read_out, weights)


def _draw(values: Tensor) -> None:
    nn.init.trunc_normal_(values, std=INITIAL_SD, a=-2 * INITIAL_SD, b=2 * INITIAL_SD)
