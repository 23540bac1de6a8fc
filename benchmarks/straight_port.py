"""MAAM-Net straight from the paper's Table 1 and Eq. 1-4, as a first port would be: the base of all ratios.

A bias in every convolution, TensorFlow's SAME by padding before and cropping after, float32, eager. It shares no code
with the kit. For benchmarks only.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PARAMETERS = 8_453_061  # of 3 channels and 500 items: the released graph's count


class StraightPort(nn.Module):
    """Frames (B, C, H, W) in [-1, 1] -> frame, flow, query, read-out and addressing weights, H and W even or odd."""

    def __init__(self, frame_channels: int = 3, num_items: int = 500, base: int = 64):
        super().__init__()
        down = [frame_channels, base, 2 * base, 4 * base, 8 * base, 8 * base]
        up = [8 * base, 4 * base, 4 * base, 2 * base, base]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, 1 if i == 0 else 2) for i, (a, b) in enumerate(_pairs(down)))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b, 1e-3, 0.01) for b in down[1:])
        self.items = nn.Parameter(0.02 * torch.randn(num_items, 8 * base))
        self.frame_decoder = _Decoder(up, frame_channels)
        self.flow_decoder = _Decoder(up, 2)

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        x, sizes = frames, []
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            stride = 1 if i == 0 else 2
            top, left = (1 if stride == 1 else n % 2 for n in x.shape[2:])
            x = F.relu(norm(conv(F.pad(x, (left, 1, top, 1)))))
            sizes.append(x.shape[2:])
        query = x
        similarity = torch.einsum("bdhw,nd->bnhw", F.normalize(query, dim=1), F.normalize(self.items, dim=1))
        soft = torch.softmax(similarity, dim=1)
        excess = soft - 1 / len(self.items)
        kept = F.relu(excess) * soft / (excess.abs() + 1e-12)
        weights = kept / (kept.sum(dim=1, keepdim=True) + 1e-12)
        read_out = torch.einsum("bnhw,nd->bdhw", weights, self.items)
        back = sizes[-2::-1]
        return self.frame_decoder(read_out, back), self.flow_decoder(read_out, back), query, read_out, weights


class _Decoder(nn.Module):
    def __init__(self, widths: list[int], out_channels: int):
        super().__init__()
        self.deconvs = nn.ModuleList(nn.ConvTranspose2d(a, b, 3, 2) for a, b in _pairs(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b, 1e-3, 0.01) for b in widths[1:])
        self.output = nn.Conv2d(widths[-1], out_channels, 3)

    def forward(self, x: Tensor, sizes: list[torch.Size]) -> Tensor:
        for deconv, norm, (height, width) in zip(self.deconvs, self.norms, sizes, strict=True):
            top, left = height % 2, width % 2
            x = norm(deconv(x)[:, :, top : top + height, left : left + width])
            x = F.relu(F.dropout(x, 0.3, self.training))
        return self.output(F.pad(x, (1, 1, 1, 1)))


def training_loss(output: tuple[Tensor, ...], frames: Tensor, flow: Tensor) -> Tensor:
    """Eq. 10 with the paper's weights."""
    frame_hat, flow_hat, query, read_out, weights = output
    entropy = -(weights * (weights + 1e-12).log()).sum(dim=1).mean()
    latent = F.relu(F.cosine_similarity(query, read_out, dim=1).abs() - 0.1).mean()
    generative = (frames - frame_hat).square().mean() + 2 * (flow - flow_hat).abs().mean()
    return generative + 3e-4 * entropy + 1e-3 * latent


def _pairs(widths: list[int]) -> list[tuple[int, int]]:
    return list(pairwise(widths))
