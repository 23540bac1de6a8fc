"""How much the choices of PSCD matter, read off error maps that were saved once (ours).

A network makes the two error maps of Algorithm 1; patch, stride, padding and psi come after it. So what they do to
the result is found from saved maps, in seconds, and nothing is trained or run again.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from maam_lib import metrics, pscd
from maam_lib.config import ScoringSettings
from maam_lib.data import FrameFlowDataset
from maam_lib.evaluation import Predict, balanced_psi, error_maps

BATCH = 64  # frames whose maps are in memory at once


class SavedErrors(NamedTuple):
    """Both error maps of T frames, summed over channels, memory-mapped."""

    keys: list[tuple[str, int]]  # T times (clip, frame)
    appearance: np.ndarray  # (T, H, W) float32, |I - I_hat|^2
    motion: np.ndarray  # (T, H, W) float32, |F - F_hat|, pixels per frame


def save_errors(
    predict: Predict, dataset: FrameFlowDataset, folder: Path, *, frames: Sequence[int] | None = None
) -> SavedErrors:
    """Error maps of a dataset, or of its frames of the given numbers, in two files of a new or empty folder.

    A batch is in memory at a time; a frame of 120x180 takes 170 kB of disk.
    """
    indices = list(range(len(dataset))) if frames is None else [int(i) for i in frames]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (len(indices), *dataset.prepared.frame_size)
    appearance, motion = (
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, shape) for name in ("appearance", "motion")
    )
    done = 0
    for maps in error_maps(predict, dataset, frames=indices):
        batch = slice(done, done := done + len(maps.frames))
        appearance[batch], motion[batch] = maps.appearance.numpy(), maps.motion.numpy()
    every_key = dataset.keys()
    return SavedErrors([every_key[i] for i in indices], appearance, motion)


def scores_under(maps: SavedErrors, scoring: ScoringSettings, psis: Sequence[float]) -> np.ndarray:
    """Anomaly scores (len(psis), T) of saved maps: patch sums, fusion by each psi, then the maximum (Algorithm 1)."""
    scores = np.empty((len(psis), len(maps.keys)), np.float32)
    for start in range(0, len(maps.keys), BATCH):
        batch = slice(start, start + BATCH)
        appearance, motion = (
            pscd.patch_sums(torch.from_numpy(m[batch]), scoring.patch, scoring.stride, scoring.padding).numpy()
            for m in (maps.appearance, maps.motion)
        )
        for row, psi in zip(scores, psis, strict=True):
            row[batch] = pscd.fuse(appearance, motion, psi).max(axis=(1, 2))
    return scores


def sensitivity(
    train: SavedErrors, test: SavedErrors, labels: np.ndarray, scorings: Mapping[Hashable, ScoringSettings]
) -> pd.DataFrame:
    """One row per named scoring: psi, calibrated under that scoring on the training maps, and the AUC it gives.

    labels (T,) of the test frames; columns psi, auc, auc_appearance, auc_motion. For showing how much a choice
    matters: to choose by it would be to choose on test labels.
    """
    rows = []
    for scoring in scorings.values():
        appearance, motion = scores_under(train, scoring, [1, 0])
        psi = balanced_psi(appearance, motion) if scoring.psi is None else scoring.psi
        rows.append([psi, *(metrics.roc_auc(labels, row) for row in scores_under(test, scoring, [psi, 1, 0]))])
    names = pd.Index(list(scorings), name="name", tupleize_cols=False)
    return pd.DataFrame(rows, names, ["psi", "auc", "auc_appearance", "auc_motion"])


def frame_means(maps: SavedErrors, psi: float) -> np.ndarray:
    """The mean of the fused error over the whole frame, (T,): what PSCD's maximum over patches stands against."""
    appearance, motion = (
        np.concatenate([m[start : start + BATCH].mean(axis=(1, 2)) for start in range(0, len(m), BATCH)])
        for m in (maps.appearance, maps.motion)
    )
    return pscd.fuse(appearance, motion, psi)


def misleading_pair(means: np.ndarray, maxima: np.ndarray, labels: np.ndarray) -> tuple[int, int] | None:
    """The abnormal and the normal frame that speak loudest for patches (Fig. 4): the normal one has the larger mean
    error, yet the abnormal one by far the larger maximum; means, maxima, labels (T,). None where no pair does."""
    best, found = 1.0, None
    normal = np.flatnonzero(labels == 0)
    for abnormal in np.flatnonzero(labels == 1):
        louder = normal[means[normal] >= means[abnormal]]
        if len(louder):
            quietest = louder[np.argmin(maxima[louder])]
            ratio = maxima[abnormal] / max(maxima[quietest], 1e-12)
            if ratio > best:
                best, found = ratio, (int(abnormal), int(quietest))
    return found
