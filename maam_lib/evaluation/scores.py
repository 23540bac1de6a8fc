"""From a predictor's errors to anomaly scores: patch sums, what is calibrated on them, scores with keys and labels.

psi and the threshold are calibrated on training errors, never on test labels; the same rule serves the no-learning
rows. Every score carries its (clip, frame) key, and labels are joined by that key.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data_prep.words import counted
from maam_lib import pscd
from maam_lib.config import Recipe, ScoringSettings
from maam_lib.data import PreparedDataset
from maam_lib.detector import Detector, TrainingScores
from maam_lib.windows import default_stride

BRANCHES = ("appearance", "motion", "fused")


class EvaluationError(ValueError):
    """Scores and labels that do not belong together: names the clip and both counts."""


@dataclass(frozen=True)
class PatchErrors:
    """Everything that scores are made of, for T frames; any psi and threshold follow without running a network."""

    keys: list[tuple[str, int]]  # T times (clip, frame)
    appearance: np.ndarray  # (T, ph, pw) patch sums of squared frame errors
    motion: np.ndarray  # (T, ph, pw) patch sums of absolute flow errors; of speed, signed
    appearance_mean: np.ndarray  # (T,) mean of the appearance map over the frame
    motion_mean: np.ndarray  # (T,) mean of the motion map over the frame
    flow_error: np.ndarray  # (T,) mean |F - F_hat|, pixels per frame; F is flow or speed
    flow_size: np.ndarray  # (T,) mean |F|: the flow error of predicting no motion

    def maps(self, psi: float) -> dict[str, np.ndarray]:
        """Patch sums (T, ph, pw) of each branch alone and of the fusion."""
        maps = (self.appearance, self.motion, pscd.fuse(self.appearance, self.motion, psi))
        return dict(zip(BRANCHES, maps, strict=True))

    def scores(self, psi: float) -> dict[str, np.ndarray]:
        """Anomaly scores (T,) before Eq. 11 of each branch alone and of the fusion (fuse first, then the maximum)."""
        return {branch: sums.max(axis=(1, 2)) for branch, sums in self.maps(psi).items()}

    def of_whole_frames(self) -> "PatchErrors":
        """What PSCD stands against (Sec. 3.4): the whole frame as its one patch, with the mean of each error map."""
        appearance, motion = (means[:, None, None] for means in (self.appearance_mean, self.motion_mean))
        return replace(self, appearance=appearance, motion=motion)


@dataclass(frozen=True)
class Calibration:
    """What is fixed on training frames before any test frame is scored."""

    psi: float  # weight of appearance
    threshold: float  # tau of Eq. 12, on fused scores before Eq. 11


def calibrate(train: PatchErrors, scoring: ScoringSettings) -> Calibration:
    """psi and threshold from the errors of normal training frames, without any label (ours; the paper prints neither).

    psi is `calibrated_psi` of the training frames. The threshold is the quantile `alarm_quantile` of the fused
    training scores.
    """
    alone = train.scores(0.5)
    psi = calibrated_psi(scoring.psi, alone["appearance"], alone["motion"])
    return Calibration(psi, float(np.quantile(train.scores(psi)["fused"], scoring.alarm_quantile)))


def calibrated_detector(recipe: Recipe, prepared: PreparedDataset, train: PatchErrors, epoch: int) -> Detector:
    """The detector of any video that a network makes, calibrated as above on its errors on training frames.

    Raises DetectionError for data whose flow cannot be estimated while a video plays.
    """
    scoring, calibration = recipe.scoring, calibrate(train, recipe.scoring)
    return Detector(
        recipe=recipe.name,
        epoch=epoch,
        trained_on=prepared.name,
        frame_size=prepared.frame_size,
        channels=prepared.channels,
        flow=prepared.manifest.flow.estimator,
        patch=scoring.patch,
        stride=scoring.stride or default_stride(scoring.patch),
        padding=scoring.padding,
        psi=float(calibration.psi),
        threshold=calibration.threshold,
        training=TrainingScores.of(train.scores(calibration.psi)["fused"]),
        motion_target=recipe.loss.motion_target,
    )


def calibrated_psi(given: float | None, appearance: np.ndarray, motion: np.ndarray) -> float:
    """The psi that is given, or else the weight of appearance that gives both branches' scores (T,) on training frames
    the same standard deviation (ours).

    So neither drowns the other: psi = sd_motion / (sd_appearance + sd_motion); 0.5 where a branch does not vary, which
    no weight helps. Scores may be negative.
    """
    if given is not None:
        return given
    spread = float(appearance.std()), float(motion.std())
    return spread[1] / sum(spread) if min(spread) > 0 else 0.5


def score_table(errors: PatchErrors, psi: float, prepared: PreparedDataset) -> pd.DataFrame:
    """One row per scored test frame: clip, frame, label, appearance, motion, fused.

    Labels are looked up by (clip, frame). Raises EvaluationError for a score whose clip has no such frame.
    """
    table = pd.DataFrame(errors.keys, columns=["clip", "frame"])
    table["label"] = 0
    for name, rows in table.groupby("clip", sort=False).groups.items():
        clip = str(name)
        labels, frames = prepared.labels(clip), table.loc[rows, "frame"].to_numpy()
        if frames.max() >= len(labels):
            raise EvaluationError(
                f"{prepared.name}/test/{clip}: a score for frame {frames.max()} but {counted(len(labels), 'label')}; "
                "were scores and labels prepared from the same source?"
            )
        table.loc[rows, "label"] = labels[frames].astype(int)
    return table.assign(**errors.scores(psi))
