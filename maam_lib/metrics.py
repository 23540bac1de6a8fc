"""How well scores tell abnormal from normal frames (paper Sec. 4.2), each number under a protocol that is named."""

from typing import Literal

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from maam_lib import pscd

Protocol = Literal["micro", "micro_per_clip", "macro", "macro_padded"]
PROTOCOLS: dict[Protocol, str] = {
    "micro": "raw scores of all test frames together",
    "micro_per_clip": "scores of each clip brought to [0, 1], then all test frames together",
    "macro": "mean of the clips' own AUC; clips of one class left out",
    "macro_padded": "mean of the clips' own AUC, each with one more normal frame at the lowest score of all and one "
    "more abnormal frame at the highest (as in the code of AI-VAD)",
}


class MetricError(ValueError):
    """Labels and scores from which the metric cannot be computed."""


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of labels (T,) in {0, 1} and scores (T,), higher = more abnormal; in [0, 1].

    The chance that an abnormal frame scores higher than a normal one, ties counting half.
    Raises MetricError for lengths that differ, scores that are not finite, or labels of one class only.
    """
    return float(roc_auc_score(*_checked(labels, scores)))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean precision over the recalls, without interpolation, in [0, 1]; chance is the share of abnormal frames.

    Errors as `roc_auc`.
    """
    return float(average_precision_score(*_checked(labels, scores)))


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float:
    """The error rate where misses and false alarms are equally frequent, in [0, 1]; lower is better.

    Interpolated linearly between the two points of the ROC curve beside the crossing; errors as `roc_auc`.
    """
    return equal_error_point(labels, scores)[0]


def equal_error_point(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """The equal error rate and the threshold on the scores that goes with it, interpolated alike.

    Where the crossing lies before the highest score, that score is the threshold: there is none above it.
    """
    false_alarms, hits, thresholds = roc_curve(*_checked(labels, scores), drop_intermediate=False)
    misses = 1 - hits
    after = int(np.argmax(false_alarms >= misses))  # the first point at or past the crossing; never 0
    before = after - 1
    gap_before = misses[before] - false_alarms[before]
    gap_after = false_alarms[after] - misses[after]
    share = gap_before / (gap_before + gap_after)
    low, high = thresholds[after], thresholds[before if before else after]
    rate = false_alarms[before] + share * (false_alarms[after] - false_alarms[before])
    return float(rate), float(high + share * (low - high))


def normalise_per_clip(scores: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Scores (T,) with those of each clip, named by clips (T,), brought to [0, 1] by Eq. 11 on their own (item 22)."""
    return pd.Series(scores).groupby(clips).transform(pscd.normalise).to_numpy()


def measure(labels: np.ndarray, scores: np.ndarray, clips: np.ndarray, protocol: Protocol) -> dict[str, float | None]:
    """What a protocol says of labels (T,), scores (T,) and the clip of each frame (T,).

    micro, micro_per_clip: `auc`, `average_precision`, `eer` and the `eer_threshold` on the protocol's scores. macro,
    macro_padded: `auc` over `clips` clips, None where there is none, and `single_class_clips`, how many were left out.
    Raises MetricError as `roc_auc`, and for an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise MetricError(f"no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    labels, scores = _checked(labels, scores)
    clips = np.asarray(clips)
    if protocol in ("macro", "macro_padded"):
        aucs = clip_aucs(labels, scores, clips, padded=protocol == "macro_padded")
        of_both = aucs[~np.isnan(aucs)]
        auc = float(of_both.mean()) if len(of_both) else None
        return {"auc": auc, "clips": len(of_both), "single_class_clips": len(aucs) - len(of_both)}
    if protocol == "micro_per_clip":
        scores = normalise_per_clip(scores, clips)
    rate, threshold = equal_error_point(labels, scores)
    return {
        "auc": roc_auc(labels, scores),
        "average_precision": average_precision(labels, scores),
        "eer": rate,
        "eer_threshold": threshold,
    }


def clip_aucs(labels: np.ndarray, scores: np.ndarray, clips: np.ndarray, *, padded: bool = False) -> np.ndarray:
    """The AUC of each clip by itself, in the order of their names: (clips,), nan for a clip of one class only.

    `padded`: every clip gets one more normal frame at the lowest score of all, and one more abnormal frame at the
    highest, so that each has both classes (as in the code of AI-VAD).
    """
    extra = ([0, 1], [scores.min(), scores.max()]) if padded else ([], [])
    aucs = []
    for clip in np.unique(clips):
        own, own_scores = (np.append(x[clips == clip], more) for x, more in zip((labels, scores), extra, strict=True))
        aucs.append(roc_auc(own, own_scores) if 0 < own.sum() < len(own) else np.nan)
    return np.array(aucs)


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise MetricError(f"expected one score per label, found {labels.shape} labels and {scores.shape} scores")
    if not np.isfinite(scores).all():
        raise MetricError(f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite")
    if set(np.unique(labels)) != {0, 1}:
        raise MetricError(f"expected labels of both classes 0 and 1, found {np.unique(labels).tolist()}")
    return labels, scores
