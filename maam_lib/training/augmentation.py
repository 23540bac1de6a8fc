"""Random changes of training frames that leave them normal, their flow changed with them (ours; item 28)."""

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
    """Mirrors, shifts, and changes contrast and brightness, anew for every frame of every batch.

    Five numbers are drawn for each frame of the whole batch, of which a device takes those of its own frames: what is
    done to a frame does not depend on how many devices share the batch.
    """

    draws: np.random.Generator
    batch_size: int  # over all devices
    rank: int = 0
    world_size: int = 1

    def __call__(self, frames: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """This device's frames (B, C, H, W) in [-1, 1] and flow (B, 2, H, W) of the next batch, both changed.

        The flow is mirrored and shifted with its frames; contrast and brightness leave it as it is.
        """
        chances = self.draws.random((self.batch_size, 5))[self.rank :: self.world_size]
        mirrored, down, right, contrast, brightness = torch.from_numpy(chances).float().T
        frames, flow = mirror(frames, flow, mirrored < 0.5)
        height, width = frames.shape[2:]
        by = _within(down, SHIFT * height), _within(right, SHIFT * width)
        low, high = CONTRAST
        factor, added = low * (high / low) ** contrast, (2 * brightness - 1) * BRIGHTNESS
        return change_light(shift(frames, *by), factor, added), shift(flow, *by)


def mirror(frames: Tensor, flow: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """Frames (B, C, H, W) and flow (B, 2, H, W), mirrored left to right where `where` (B,) is true, dx negated."""
    where = where.to(frames.device)[:, None, None, None]
    turned = flow.flip(3) * torch.tensor([-1.0, 1.0]).to(flow).view(1, 2, 1, 1)
    return torch.where(where, frames.flip(3), frames), torch.where(where, turned, flow)


def shift(maps: Tensor, down: list[int], right: list[int]) -> Tensor:
    """Maps (B, C, H, W), each moved by its own whole number of pixels; the border's values fill the gap."""
    most = max(map(abs, (*down, *right)))
    padded = F.pad(maps, (most, most, most, most), mode="replicate")
    height, width = maps.shape[2:]
    corners = [(most - y, most - x) for y, x in zip(down, right, strict=True)]
    moved = [p[:, y : y + height, x : x + width] for p, (y, x) in zip(padded, corners, strict=True)]
    return torch.stack(moved)


def change_light(frames: Tensor, factor: Tensor, added: Tensor) -> Tensor:
    """Frames (B, C, H, W) in [-1, 1] times a factor (B,) (contrast around middle gray) plus a value (B,) (brightness);
    values outside [-1, 1] are cut."""
    factor, added = (x.to(frames)[:, None, None, None] for x in (factor, added))
    return (frames * factor + added).clamp(-1, 1)


def _within(chances: Tensor, most: float) -> list[int]:
    """Chances (B,) in [0, 1) as whole numbers from -most to most."""
    return ((2 * chances - 1) * most).round().long().tolist()
