"""Other networks of the paper's comparison, built from their papers' layer tables, for speed alone: random weights.

Each has the parameter count of its authors' code. Where a paper leaves open which convolutions batch norm follows, the
count decided. Liu et al., "Future frame prediction for anomaly detection", CVPR 2018; Park et al. (MNAD), "Learning
memory-guided normality for anomaly detection", CVPR 2020; Gong et al. (MemAE), "Memorizing normality to detect
anomaly", ICCV 2019.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PARAMETERS = {"Liu": 7_707_011, "MNAD": 17_196_291, "MemAE": 6_492_801}


def double(before: int, after: int, norms: int = 2) -> nn.Sequential:
    """Two convolutions 3x3 with ReLU, the first `norms` of them with batch norm."""
    layers: list[nn.Module] = []
    for i, channels in enumerate((before, after)):
        norm = [nn.BatchNorm2d(after)] if i < norms else []
        layers += [nn.Conv2d(channels, after, 3, padding=1), *norm, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class Liu(nn.Module):
    """U-Net: four frames (B, 12, H, W) -> the next (B, 3, H, W); H and W in eights."""

    def __init__(self) -> None:
        super().__init__()
        widths = [12, 64, 128, 256, 512]
        self.down = nn.ModuleList(double(a, b, 1 if b == 512 else 2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, 2) for c in (256, 128, 64))
        self.joined = nn.ModuleList(double(2 * c, c, 0) for c in (256, 128, 64))
        self.output = nn.Conv2d(64, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            kept.append(x)
        for up, block, beside in zip(self.up, self.joined, kept[-2::-1], strict=True):
            x = block(torch.cat([beside, up(x)], dim=1))
        return self.output(x).tanh()


class MNAD(nn.Module):
    """Reconstruction with ten memory items: frame (B, 3, H, W) -> (B, 3, H, W); H and W in eights."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(double(a, b) for a, b in pairwise([3, 64, 128, 256, 512]))
        self.register_buffer("items", F.normalize(torch.rand(10, 512), dim=1))
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(c, c, 3, 2, 1, 1), nn.BatchNorm2d(c), nn.ReLU(inplace=True))
            for c in (512, 256, 128)
        )
        self.blocks = nn.ModuleList(double(a, b) for a, b in ((1024, 512), (512, 256), (256, 128), (128, 64)))
        self.output = nn.Conv2d(64, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
        query = F.normalize(x, dim=1)
        weights = torch.einsum("bdhw,nd->bnhw", query, self.items).softmax(dim=1)
        x = self.blocks[0](torch.cat([query, torch.einsum("bnhw,nd->bdhw", weights, self.items)], dim=1))
        for up, block in zip(self.up, self.blocks[1:], strict=True):
            x = block(up(x))
        return self.output(x).tanh()


class MemAE(nn.Module):
    """Clips of 16 gray frames (B, 1, 16, H, W) through 3D convolutions and 2000 items; H and W in sixteens."""

    def __init__(self) -> None:
        super().__init__()
        steps = [(1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
        widths = [1, 96, 128, 256, 256]
        self.down = nn.Sequential()
        for (a, b), step in zip(pairwise(widths), steps, strict=True):
            self.down.extend([nn.Conv3d(a, b, 3, step, 1), nn.BatchNorm3d(b), nn.LeakyReLU(0.2, inplace=True)])
        self.items = nn.Parameter(torch.randn(2000, 256) / 16)
        self.up = nn.Sequential()
        for (b, a), step in zip(pairwise(widths[::-1]), steps[::-1], strict=True):
            self.up.append(nn.ConvTranspose3d(b, a, 3, step, 1, tuple(s - 1 for s in step)))
            if a > 1:
                self.up.extend([nn.BatchNorm3d(a), nn.LeakyReLU(0.2, inplace=True)])

    def forward(self, x: Tensor) -> Tensor:
        query = self.down(x)
        soft = torch.einsum("bdthw,nd->bnthw", query, self.items).softmax(dim=1)
        excess = soft - 1 / 2000
        weights = F.normalize(F.relu(excess) * soft / (excess.abs() + 1e-12), p=1, dim=1)
        return self.up(torch.einsum("bnthw,nd->bdthw", weights, self.items))


NETS = {"Liu": (Liu, (12, 256, 256)), "MNAD": (MNAD, (3, 256, 256)), "MemAE": (MemAE, (1, 16, 256, 256))}


def build(name: str) -> tuple[nn.Module, Tensor]:
    """A peer in evaluation mode and one input; raises RuntimeError where its parameter count is not the known one."""
    kind, shape = NETS[name]
    net = kind().eval()
    if (found := sum(p.numel() for p in net.parameters())) != PARAMETERS[name]:
        raise RuntimeError(f"{name} has {found} parameters, expected {PARAMETERS[name]}")
    return net, torch.rand(1, *shape) * 2 - 1
