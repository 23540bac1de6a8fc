"""No-learning yardsticks: what the same scores give when nothing is learned (ours; docs/differences.md, item 26).

Each is a "network" that answers every frame alike, so it goes through the same PSCD, the same calibration of psi
and the same metrics as a trained one. A learned result means something only above these.
"""

import numpy as np
import torch
from torch import Tensor

from maam_lib.data import FrameFlowDataset

MEDIAN_FRAMES = 200  # training frames, evenly spread, that a median is taken over

# name of the row -> (which constant answer, which column of its score table)
ROWS = {
    "speed": ("still", "motion"),
    "zero_flow": ("zero", "motion"),
    "median_flow": ("median", "motion"),
    "median_background": ("zero", "appearance"),
    "background_and_zero_flow": ("zero", "fused"),
    "background_and_median_flow": ("median", "fused"),
}


class ConstantAnswer:
    """Answers every batch of frames (B, C, H, W) with one frame (C, H, W) and one flow (2, H, W) or speed (1, H, W)."""

    def __init__(self, frame: Tensor, flow: Tensor):
        self.frame, self.flow = frame, flow

    def __call__(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        b = len(frames)
        return self.frame.to(frames).expand(b, -1, -1, -1), self.flow.to(frames).expand(b, -1, -1, -1)


def constant_answers(train: FrameFlowDataset) -> dict[str, ConstantAnswer]:
    """The yardsticks of a training set: its median frame, with no flow ("zero"), no speed ("still") or its median flow
    ("median")."""
    frames, flow = train.__getitems__(spread_evenly(len(train), MEDIAN_FRAMES).tolist())
    background, median_flow = (torch.from_numpy(np.median(x.numpy(), axis=0)) for x in (frames, flow))
    return {
        "zero": ConstantAnswer(background, torch.zeros_like(median_flow)),
        "still": ConstantAnswer(background, torch.zeros_like(median_flow[:1])),
        "median": ConstantAnswer(background, median_flow),
    }


def motionless_answers(dataset: FrameFlowDataset) -> dict[str, ConstantAnswer]:
    """Of these, "zero" and "still" as far as no training frame is needed: for the rows of motion alone.

    Their frame is gray (0 of [-1, 1]), so what they say of appearance means nothing.
    """
    size = dataset.prepared.frame_size
    frame, flow = torch.zeros(dataset.channels, *size), torch.zeros(2, *size)
    return {"zero": ConstantAnswer(frame, flow), "still": ConstantAnswer(frame, flow[:1])}


def spread_evenly(total: int, at_most: int) -> np.ndarray:
    """At most so many of the numbers 0 to total - 1, evenly spread over all of them."""
    return np.unique(np.linspace(0, total - 1, min(total, at_most)).round().astype(int))
