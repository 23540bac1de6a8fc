"""Algorithm 1 on a single frame, every step kept, so that it can be looked at in slow motion (Sec. 3.4)."""

from typing import NamedTuple

import numpy as np

from maam_lib import pscd
from maam_lib.config import ScoringSettings
from maam_lib.data import PreparedDataset
from maam_lib.evaluation import error_maps_of_frame
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
    maps = error_maps_of_frame(net, prepared, clip, frame)
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding}
    appearance_sums, motion_sums = maps.sums(scoring)
    fused = pscd.fuse(appearance_sums, motion_sums, psi)
    worst = pscd.localise(fused, float(fused.max()), prepared.frame_size, **where)
    as_picture = ((maps.frame_hat[0] + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0)
    return ScoreSteps(
        frame=prepared.frames("test", clip)[frame],
        frame_hat=as_picture.numpy(),
        flow=maps.flow[0].permute(1, 2, 0).numpy(),
        flow_hat=maps.flow_hat[0].permute(1, 2, 0).numpy(),
        appearance=maps.appearance[0].numpy(),
        motion=maps.motion[0].numpy(),
        appearance_sums=appearance_sums[0].numpy(),
        motion_sums=motion_sums[0].numpy(),
        fused=fused[0].numpy(),
        worst=worst[0].numpy(),
        score=float(fused.max()),
    )
