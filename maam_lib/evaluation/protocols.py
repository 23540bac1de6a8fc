"""Everything that is measured of the scores of frames, each number under its named protocol."""

from typing import Any

import numpy as np
import pandas as pd

from maam_lib import metrics
from maam_lib.baselines import ROWS
from maam_lib.evaluation.intervals import clip_interval
from maam_lib.evaluation.scores import BRANCHES
from maam_lib.metrics import PROTOCOLS, Protocol

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


def frame_protocols(table: pd.DataFrame, yardsticks: pd.DataFrame) -> dict[Protocol, dict[str, Any]]:
    """The fused scores of a table, and every yardstick of the same frames, under every protocol of `metrics`.

    The one place where both become numbers: a change of the scores, as smoothing, belongs here, before either.
    `auc_interval` and `learning_adds_interval` are 95 % bootstrap intervals over the test clips, the second of the
    difference on the same clips; None with one clip only.
    """
    return {protocol: _under(protocol, table, yardsticks) for protocol in PROTOCOLS}


def _under(protocol: Protocol, table: pd.DataFrame, yardsticks: pd.DataFrame) -> dict[str, Any]:
    labels, clips, fused = (table[column].to_numpy() for column in ("label", "clip", "fused"))
    measured: dict[str, Any] = {"what": PROTOCOLS[protocol], **metrics.measure(labels, fused, clips, protocol)}
    if measured["auc"] is None:  # no clip has both classes
        return measured
    rows = {name: yardsticks[name].to_numpy() for name in ROWS}
    found = {name: metrics.measure(labels, scores, clips, protocol)["auc"] for name, scores in rows.items()}
    aucs = {name: auc for name, auc in found.items() if auc is not None}
    best = max(aucs, key=aucs.__getitem__)
    measured |= {"no_learning": aucs, "best_no_learning": best, "learning_adds": measured["auc"] - aucs[best]}
    for name, minus in {"auc_interval": None, "learning_adds_interval": rows[best]}.items():
        random = np.random.default_rng(CLIP_DRAWS_SEED)
        several = len(np.unique(clips)) > 1
        measured[name] = clip_interval(labels, fused, clips, protocol, minus=minus, random=random) if several else None
    return measured
