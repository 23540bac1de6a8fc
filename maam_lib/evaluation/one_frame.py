"""Algorithm 1 on a single frame, every step kept, so that it can be looked at in slow motion (Sec. 3.4)."""

from typing import NamedTuple

import numpy as np

from maam_lib import pscd
from maam_lib.config import ScoringSettings
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.evaluation.error_maps import error_maps, network_predictor
from maam_lib.evaluation.scores import Calibration
from maam_lib.model import MAAMNet
from maam_lib.windows import reached


class ScoreSteps(NamedTuple):
    """Algorithm 1 on one frame, every step."""

    frame: np.ndarray  # uint8 (H, W, C)
    frame_hat: np.ndarray  # uint8 (H, W, C), rebuilt
    flow: np.ndarray  # (H, W, 2), pixels per frame
    flow_hat: np.ndarray  # (H, W, 2), predicted; or the predicted speed (H, W, 1)
    appearance: np.ndarray  # (H, W), |I - I_hat|^2
    motion: np.ndarray  # (H, W), |F - F_hat|; of a speed, signed
    appearance_sums: np.ndarray  # (ph, pw)
    motion_sums: np.ndarray  # (ph, pw)
    fused: np.ndarray  # (ph, pw)
    worst: np.ndarray  # bool (H, W), the patch of the largest sum
    score: float
    psi: float  # the weight of appearance in `fused`


def score_steps(
    net: MAAMNet, prepared: PreparedDataset, clip: str, frame: int, scoring: ScoringSettings, psi: float
) -> ScoreSteps:
    """Every step of Algorithm 1 on one scored test frame."""
    dataset = FrameFlowDataset(prepared, "test", clips=[clip], channels=net.frame_channels)
    [maps] = error_maps(network_predictor(net), dataset, frames=[dataset.keys().index((clip, frame))])
    appearance, motion = (sums[0].numpy() for sums in maps.sums(scoring))
    fused = pscd.fuse(appearance, motion, psi)
    as_picture = ((maps.frame_hat[0] + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0)
    return ScoreSteps(
        frame=prepared.frames("test", clip)[frame],
        frame_hat=as_picture.numpy(),
        flow=maps.flow[0].permute(1, 2, 0).numpy(),
        flow_hat=maps.flow_hat[0].permute(1, 2, 0).numpy(),
        appearance=maps.appearance[0].numpy(),
        motion=maps.motion[0].numpy(),
        appearance_sums=appearance,
        motion_sums=motion,
        fused=fused,
        worst=_places(fused, float(fused.max()), prepared, scoring),
        score=float(fused.max()),
        psi=psi,
    )


def detection_row(
    net: MAAMNet, prepared: PreparedDataset, clip: str, frame: int, scoring: ScoringSettings, calibration: Calibration
) -> dict[str, np.ndarray]:
    """One scored test frame as a row of Fig. 8: `frame` uint8 (H, W, C), error maps `appearance`, `motion` and
    `fused` float32 (H, W), and bool (H, W) `found` (patches over the threshold) and `mask` (the truth, if known).

    Also what the score is made of, (ph, pw): `appearance_share` psi * e_app, `motion_share` (1 - psi) * e_mot and their
    sum, `fused_sums`; and `threshold`, a number, which is of those.
    """
    steps, masks = score_steps(net, prepared, clip, frame, scoring, calibration.psi), prepared.masks(clip)
    return {
        "frame": steps.frame,
        "appearance": steps.appearance,
        "motion": steps.motion,
        "fused": pscd.fuse(steps.appearance, steps.motion, calibration.psi),
        "appearance_share": calibration.psi * steps.appearance_sums,
        "motion_share": (1 - calibration.psi) * steps.motion_sums,
        "fused_sums": steps.fused,
        "threshold": np.array(calibration.threshold),
        "found": _places(steps.fused, calibration.threshold, prepared, scoring),
        "mask": np.zeros(prepared.frame_size, bool) if masks is None else masks[frame] == 1,
    }


def _places(fused: np.ndarray, threshold: float, prepared: PreparedDataset, scoring: ScoringSettings) -> np.ndarray:
    """Where patches reach a threshold: bool (H, W)."""
    patch, stride, padding = scoring.patch, scoring.stride, scoring.padding
    return reached(fused, threshold, prepared.frame_size, patch=patch, stride=stride, padding=padding)
