"""Everything that is measured of a score table and of test errors, each number under its named protocol."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from maam_lib import metrics, pscd
from maam_lib.baselines import ROWS
from maam_lib.config import ScoringSettings
from maam_lib.data import PreparedDataset
from maam_lib.evaluation import localisation
from maam_lib.evaluation.intervals import clip_interval, paired_clip_interval
from maam_lib.evaluation.scores import BRANCHES, PatchErrors, calibrated_psi
from maam_lib.metrics import PROTOCOLS, Protocol

CRITERIA = ("pixel_auc", "pixel_auc_ucsd", "rbdc", "tbdc")
CLIP_DRAWS_SEED = 0  # of the draws that intervals are made of, so that evaluating again gives the same file


def frame_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Micro AUC of each branch and of the fusion, and the fusion's EER, over the raw scores of all frames together."""
    labels = table["label"].to_numpy()
    auc = {branch: metrics.roc_auc(labels, table[branch].to_numpy()) for branch in BRANCHES}
    return {
        "auc": auc["fused"],
        "eer": metrics.equal_error_rate(labels, table["fused"].to_numpy()),
        "auc_appearance": auc["appearance"],
        "auc_motion": auc["motion"],
    }


def whole_frame(
    train: PatchErrors, test: PatchErrors, labels: np.ndarray, scoring: ScoringSettings
) -> dict[str, float]:
    """Micro AUC of each branch and of the fusion where a frame's score is its mean error, without patches (ours).

    psi is calibrated on these training scores by the rule that serves PSCD; labels (T,) of the test frames. The paper
    claims that its patches do better (Sec. 3.4).
    """
    psi = calibrated_psi(train.whole_frame_scores(0.5), scoring)
    auc = {branch: metrics.roc_auc(labels, s) for branch, s in test.whole_frame_scores(psi).items()}
    return {"auc": auc["fused"], "auc_appearance": auc["appearance"], "auc_motion": auc["motion"], "psi": psi}


def no_learning_rows(yardsticks: pd.DataFrame) -> dict[str, dict[str, float]]:
    """AUC and EER of every yardstick's scores, over the raw scores of all frames together."""
    labels = yardsticks["label"].to_numpy()
    scores = {name: yardsticks[name].to_numpy() for name in ROWS}
    return {
        name: {"auc": metrics.roc_auc(labels, s), "eer": metrics.equal_error_rate(labels, s)}
        for name, s in scores.items()
    }


def frame_protocols(table: pd.DataFrame, yardsticks: pd.DataFrame) -> dict[Protocol, dict[str, Any]]:
    """The fused scores of a table, and every yardstick of the same frames, under every protocol of `metrics`.

    `auc_interval` and `learning_adds_interval` are 95 % bootstrap intervals over the test clips, the second of the
    difference on the same clips; None with one clip only.
    """
    return {protocol: _under(protocol, table, yardsticks) for protocol in PROTOCOLS}


def _under(protocol: Protocol, table: pd.DataFrame, yardsticks: pd.DataFrame) -> dict[str, Any]:
    labels, clips, fused = (table[column].to_numpy() for column in ("label", "clip", "fused"))
    found = metrics.measure(labels, fused, clips, protocol)
    measured, auc = {"what": PROTOCOLS[protocol]} | found, found["auc"]
    if auc is None:
        return measured
    rows = {name: metrics.measure(labels, yardsticks[name].to_numpy(), clips, protocol)["auc"] for name in ROWS}
    aucs = {name: value for name, value in rows.items() if value is not None}
    best = max(aucs, key=aucs.__getitem__)
    intervals = dict.fromkeys(("auc_interval", "learning_adds_interval"))
    if len(np.unique(clips)) > 1:
        random, other = (np.random.default_rng(CLIP_DRAWS_SEED) for _ in range(2))
        of_auc = clip_interval(labels, fused, clips, protocol, random=random)
        of_gain = paired_clip_interval(labels, fused, yardsticks[best].to_numpy(), clips, protocol, random=other)
        intervals = {"auc_interval": list(of_auc), "learning_adds_interval": list(of_gain)}
    beside = {"no_learning": aucs, "best_no_learning": best, "learning_adds": auc - aucs[best]}
    return measured | beside | intervals


def localised(
    errors: PatchErrors, psi: float, prepared: PreparedDataset, scoring: ScoringSettings, branch: str = "fused"
) -> dict[str, Any] | None:
    """Pixel, region and track criteria of test errors; None without masks of both normal and abnormal frames.

    The score of a pixel is the branch's largest patch sum over it. Frames of clips without masks are left out, and so
    are abnormal frames whose mask vanished at the stored size: `frames_left_out`. True regions are the objects' pixels
    inside the masks where tracks are known, else the connected components of the masks, and `tbdc` is None.
    """
    chosen = [i for i, key in enumerate(errors.keys) if _has_truth(prepared, *key)]
    keys = [errors.keys[i] for i in chosen]
    if {int(prepared.labels(clip)[frame]) for clip, frame in keys} != {0, 1}:
        return None
    tracked = all(prepared.tracks(clip) is not None for clip, _ in keys)
    sums = errors.maps(psi)[branch]
    pixels, covered = localisation.EveryPixel(), localisation.CoveredFrames()
    regions = localisation.FoundRegions(localisation.region_thresholds(sums.max(axis=(1, 2))[chosen]))
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding}
    for i, (clip, frame) in zip(chosen, keys, strict=True):
        scores = pscd.pixel_scores(torch.from_numpy(sums[i : i + 1]), prepared.frame_size, **where)[0].numpy()
        masks, tracks = prepared.masks(clip), prepared.tracks(clip)
        assert masks is not None  # `_has_truth`
        mask = masks[frame]
        pixels.add(scores, mask)
        covered.add(scores, mask)
        if tracked and tracks is not None:
            regions.add(scores, tracks[frame] * mask, clip)
        else:
            regions.add(scores, localisation.components(mask))
    return {
        "pixel_auc": pixels.auc(),
        "pixel_auc_ucsd": covered.auc(),
        "rbdc": regions.rbdc(),
        "tbdc": regions.tbdc(),
        "frames": len(keys),
        "frames_left_out": len(errors.keys) - len(keys),
        "true_regions": "objects" if tracked else "connected components of the masks (no tracks, so no TBDC)",
        "pixel_score": "largest patch sum over the pixel",
        "region_thresholds": localisation.THRESHOLDS,
    }


def _has_truth(prepared: PreparedDataset, clip: str, frame: int) -> bool:
    masks = prepared.masks(clip)
    return masks is not None and bool(masks[frame].any()) == bool(prepared.labels(clip)[frame])
