"""Random changes of training frames that leave them normal, their flow turned with them (ours; item 28)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SHIFT = 0.05  # of a side, at most, up, down, left and right
CONTRAST = (0.8, 1.25)  # factors
BRIGHTNESS = 0.15  # added to values in [-1, 1], at most


@dataclass
class Augmenter:
    """Mirrors, shifts, and changes contrast and brightness, anew for every frame.

    The draws are those of the whole batch, of which a device takes its own: the frames do not depend on how many
    devices share a batch.
    """

    draws: np.random.Generator
    batch_size: int
    rank: int = 0
    world_size: int = 1

    def __call__(self, frames: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, C, H, W) in [-1, 1] and flow (B, 2, H, W), both changed alike; new tensors."""
        chance = self.draws.random((self.batch_size, 5))[self.rank :: self.world_size]
        mirrored, down, right, contrast, brightness = torch.from_numpy(chance).to(frames).T
        frames, flow = mirror(frames, flow, mirrored < 0.5)
        height, width = frames.shape[2:]
        y, x = _within(down, SHIFT * height), _within(right, SHIFT * width)
        frames, flow = shift(frames, y, x), shift(flow, y, x)
        low, high = CONTRAST
        factor = low * (high / low) ** contrast[:, None, None, None]
        added = (2 * brightness[:, None, None, None] - 1) * BRIGHTNESS
        return (frames * factor + added).clamp(-1, 1), flow


def mirror(frames: Tensor, flow: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """Frames (B, C, H, W) and flow (B, 2, H, W), mirrored left to right where `where` (B,) is true, dx negated."""
    where = where[:, None, None, None]
    turned = flow.flip(3) * torch.tensor([-1.0, 1.0]).to(flow).view(1, 2, 1, 1)
    return torch.where(where, frames.flip(3), frames), torch.where(where, turned, flow)


def shift(maps: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Maps (B, C, H, W) moved by so many pixels each, (B,) whole numbers; the border's values fill the gap."""
    most = max(int(down.abs().max()), int(right.abs().max()))
    padded = F.pad(maps, (most, most, most, most), mode="replicate")
    height, width = maps.shape[2:]
    starts = zip((most - down).tolist(), (most - right).tolist(), strict=True)
    moved = [p[:, y : y + height, x : x + width] for p, (y, x) in zip(padded, starts, strict=True)]
    return torch.stack(moved)


def _within(chance: Tensor, most: float) -> Tensor:
    """Chances in [0, 1) as whole numbers from -most to most."""
    return ((2 * chance - 1) * most).round().long()
