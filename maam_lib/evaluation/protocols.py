"""Everything that is measured of the scores of frames, each number under its named protocol."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d, median_filter

from maam_lib import metrics
from maam_lib.baselines import ROWS
from maam_lib.evaluation.intervals import clip_interval
from maam_lib.evaluation.scores import BRANCHES
from maam_lib.metrics import PROTOCOLS, MetricError, Protocol

Smoothing = Literal["none", "gaussian_3", "median_17"]
# What others do to the scores (T,) of a clip before they are measured. Both take what lies beyond a clip's ends from a
# mirror; HF2-VAD's median takes zeros there, which are no low scores where scores are signed.
SMOOTH: dict[Smoothing, Callable[[np.ndarray], np.ndarray]] = {
    "gaussian_3": partial(gaussian_filter1d, sigma=3),  # AI-VAD (Reiss and Hoshen 2022), on Ped2 and Avenue
    "median_17": partial(median_filter, size=17),  # the evaluation of HF2-VAD (Liu et al. 2021)
}
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


def no_learning_rows(yardsticks: pd.DataFrame) -> dict[str, dict[str, float]]:
    """AUC and EER of every yardstick's scores, over the raw scores of all frames together."""
    labels, rows = yardsticks["label"].to_numpy(), {}
    for name in ROWS:
        scores = yardsticks[name].to_numpy()
        rows[name] = {"auc": metrics.roc_auc(labels, scores), "eer": metrics.equal_error_rate(labels, scores)}
    return rows


def frame_protocols(
    table: pd.DataFrame, yardsticks: pd.DataFrame, smoothing: Smoothing = "none"
) -> dict[Protocol, dict[str, Any]]:
    """The fused scores of a table, and every yardstick of the same frames, under every protocol of `metrics`.

    Smoothing changes all scores, with and without learning, before they are measured. `auc_interval` and
    `learning_adds_interval` are 95 % bootstrap intervals over the test clips, the second of the difference on the same
    clips; None with one clip only.
    """
    table, yardsticks = (smoothed(scores, smoothing) for scores in (table, yardsticks))
    return {protocol: _under(protocol, table, yardsticks) for protocol in PROTOCOLS}


def every_convention(table: pd.DataFrame, column: str = "fused") -> pd.DataFrame:
    """AUC of one column of a score table under every protocol (rows) and smoothing (columns); NaN where there is none.

    What the same scores are worth by convention alone. Scores are smoothed first and brought to [0, 1] after that.
    """
    aucs = {}
    for smoothing in get_args(Smoothing):
        labels, scores, clips = (smoothed(table, smoothing)[name].to_numpy() for name in ("label", column, "clip"))
        aucs[smoothing] = {protocol: metrics.measure(labels, scores, clips, protocol)["auc"] for protocol in PROTOCOLS}
    return pd.DataFrame(aucs, dtype=float)


def smoothed(table: pd.DataFrame, smoothing: Smoothing) -> pd.DataFrame:
    """A table of scores in which those of each clip are smoothed over time, column by column, never across clips.

    Widths are in frames. Raises MetricError where the frames of a clip are not in order, or some are missing.
    """
    if smoothing == "none":
        return table
    steps = table.groupby("clip", sort=False)["frame"].diff().fillna(1)
    if len(wrong := np.flatnonzero(steps != 1)):
        clip, frame = (table[name].iloc[wrong[0]] for name in ("clip", "frame"))
        raise MetricError(
            f"clip {clip}: frame {frame} does not follow the frame before it; smoothing needs every frame of a clip, "
            "in order. Sort the scores by clip and frame"
        )
    columns = table.columns.difference(["clip", "frame", "label"])
    by_clip = table.groupby("clip", sort=False)[list(columns)]
    return table.assign(**by_clip.transform(lambda scores: SMOOTH[smoothing](scores.to_numpy(np.float64))))


def _under(protocol: Protocol, table: pd.DataFrame, yardsticks: pd.DataFrame) -> dict[str, Any]:
    labels, clips, fused = (table[column].to_numpy() for column in ("label", "clip", "fused"))
    measured: dict[str, Any] = {"what": PROTOCOLS[protocol], **metrics.measure(labels, fused, clips, protocol)}
    if measured["auc"] is None:  # no clip has both classes
        return measured
    rows = {name: yardsticks[name].to_numpy() for name in ROWS}
    found = {name: metrics.measure(labels, scores, clips, protocol)["auc"] for name, scores in rows.items()}
    aucs = {name: auc for name, auc in found.items() if auc is not None}
    best = max(aucs, key=aucs.__getitem__)
    for branch in ("appearance", "motion"):
        measured[f"auc_{branch}"] = metrics.measure(labels, table[branch].to_numpy(), clips, protocol)["auc"]
    measured |= {"no_learning": aucs, "best_no_learning": best, "learning_adds": measured["auc"] - aucs[best]}
    for name, minus in {"auc_interval": None, "learning_adds_interval": rows[best]}.items():
        random = np.random.default_rng(CLIP_DRAWS_SEED)
        several = len(np.unique(clips)) > 1
        measured[name] = clip_interval(labels, fused, clips, protocol, minus=minus, random=random) if several else None
    return measured
