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
from maam_lib.evaluation import Predict, calibrated_psi, error_maps

BATCH = 64  # frames whose maps are in memory at once


class SavedErrors(NamedTuple):
    """Both error maps of T frames, summed over channels, memory-mapped."""

    keys: list[tuple[str, int]]  # T times (clip, frame)
    appearance: np.ndarray  # (T, H, W) float32, |I - I_hat|^2
    motion: np.ndarray  # (T, H, W) float32, |F - F_hat|, pixels per frame; of a speed, signed


def save_errors(
    predict: Predict, dataset: FrameFlowDataset, folder: Path, *, frames: Sequence[int] | None = None
) -> SavedErrors:
    """Error maps of a dataset, or of its frames of the given numbers, in two files of a new or empty folder.

    A batch is in memory at a time; a frame of 120x180 takes 170 kB of disk.
    """
    numbers = np.arange(len(dataset)) if frames is None else np.asarray(frames)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (len(numbers), *dataset.prepared.frame_size)
    appearance, motion = (
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, shape) for name in ("appearance", "motion")
    )
    done = 0
    for maps in error_maps(predict, dataset, frames=numbers):
        batch = slice(done, done := done + len(maps.frames))
        appearance[batch], motion[batch] = maps.appearance.numpy(), maps.motion.numpy()
    return SavedErrors(dataset.keys(numbers), appearance, motion)


def scores_under(maps: SavedErrors, wanted: Sequence[tuple[ScoringSettings, Sequence[float]]]) -> list[np.ndarray]:
    """Anomaly scores of saved maps: patch sums, fusion by each psi, then the maximum (Algorithm 1).

    wanted: settings, each with its psis; for each an array (len(psis), T), all from one pass over the maps. Patches are
    summed in float64.
    """
    scores = [np.empty((len(psis), len(maps.keys)), np.float32) for _, psis in wanted]
    for start in range(0, len(maps.keys), BATCH):
        batch = slice(start, start + BATCH)
        errors = [torch.from_numpy(m[batch].astype(np.float64)) for m in (maps.appearance, maps.motion)]
        for (s, psis), of_setting in zip(wanted, scores, strict=True):
            appearance, motion = (pscd.patch_sums(e, s.patch, s.stride, s.padding).numpy() for e in errors)
            for row, psi in zip(of_setting, psis, strict=True):
                row[batch] = pscd.fuse(appearance, motion, psi).max(axis=(1, 2))
    return scores


def sensitivity(
    train: SavedErrors, test: SavedErrors, labels: np.ndarray, scorings: Mapping[Hashable, ScoringSettings]
) -> pd.DataFrame:
    """One row per named scoring: psi, calibrated under that scoring on the training maps, and the AUC it gives.

    labels (T,) of the test frames; columns psi, auc, auc_appearance, auc_motion. For showing how much a choice
    matters: to choose by it would be to choose on test labels.
    """
    alone = scores_under(train, [(scoring, [1, 0]) for scoring in scorings.values()])
    psis = [calibrated_psi(s.psi, *scores) for s, scores in zip(scorings.values(), alone, strict=True)]
    scores = scores_under(test, [(s, [psi, 1, 0]) for s, psi in zip(scorings.values(), psis, strict=True)])
    aucs = [[metrics.roc_auc(labels, row) for row in of_setting] for of_setting in scores]
    rows = [[psi, *auc] for psi, auc in zip(psis, aucs, strict=True)]
    names = pd.Index(list(scorings), name="name", tupleize_cols=False)
    return pd.DataFrame(rows, names, ["psi", "auc", "auc_appearance", "auc_motion"])


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
