"""Algorithm 1 on a single frame, every step kept, so that it can be looked at in slow motion (Sec. 3.4)."""

from typing import NamedTuple

import numpy as np
import torch

from maam_lib import pscd
from maam_lib.config import ScoringSettings
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.model import MAAMNet


class ScoreSteps(NamedTuple):
    """Algorithm 1 on one frame, every step."""

    frame: np.ndarray  # uint8 (H, W, C)
    frame_hat: np.ndarray  # uint8 (H, W, C), rebuilt
    flow: np.ndarray  # (H, W, 2), pixels per frame
    flow_hat: np.ndarray  # (H, W, 2), predicted
    appearance: np.ndarray  # (H, W), |I - I_hat|^2
    motion: np.ndarray  # (H, W), |F - F_hat|
    appearance_sums: np.ndarray  # (ph, pw)
    motion_sums: np.ndarray  # (ph, pw)
    fused: np.ndarray  # (ph, pw)
    worst: np.ndarray  # bool (H, W), the patch of the largest sum
    score: float


def score_steps(
    net: MAAMNet, prepared: PreparedDataset, clip: str, frame: int, scoring: ScoringSettings, psi: float
) -> ScoreSteps:
    """Every step of Algorithm 1 on one scored test frame."""
    dataset = FrameFlowDataset(prepared, "test", clips=[clip], channels=net.frame_channels)
    x, flow = dataset.__getitems__([dataset.keys().index((clip, frame))])
    net.eval()
    with torch.no_grad():
        output = net(x)
    appearance, motion = pscd.error_maps(x, output.frame_hat, flow, output.flow_hat)
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding}
    sums = pscd.score_maps(x, output.frame_hat, flow, output.flow_hat, psi=psi, **where)
    worst = pscd.localise(sums.fused, float(sums.fused.max()), prepared.frame_size, **where)
    as_picture = ((output.frame_hat[0] + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0)
    return ScoreSteps(
        frame=prepared.frames("test", clip)[frame],
        frame_hat=as_picture.numpy(),
        flow=flow[0].permute(1, 2, 0).numpy(),
        flow_hat=output.flow_hat[0].permute(1, 2, 0).numpy(),
        appearance=appearance[0].numpy(),
        motion=motion[0].numpy(),
        appearance_sums=sums.appearance[0].numpy(),
        motion_sums=sums.motion[0].numpy(),
        fused=sums.fused[0].numpy(),
        worst=worst[0].numpy(),
        score=float(sums.scores[0]),
    )
