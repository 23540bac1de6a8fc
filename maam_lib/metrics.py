"""How well scores tell abnormal from normal frames (paper Sec. 4.2)."""

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve


class MetricError(ValueError):
    """Labels and scores from which the metric cannot be computed."""


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of labels (T,) in {0, 1} and scores (T,), higher = more abnormal; in [0, 1].

    The chance that an abnormal frame scores higher than a normal one, ties counting half.
    Raises MetricError for lengths that differ, scores that are not finite, or labels of one class only.
    """
    return float(roc_auc_score(*_checked(labels, scores)))


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float:
    """The error rate where misses and false alarms are equally frequent, in [0, 1]; lower is better.

    Interpolated linearly between the two points of the ROC curve beside the crossing; errors as `roc_auc`.
    """
    false_alarms, hits, _ = roc_curve(*_checked(labels, scores), drop_intermediate=False)
    misses = 1 - hits
    after = int(np.argmax(false_alarms >= misses))  # the first point at or past the crossing; never 0
    before = after - 1
    gap_before = misses[before] - false_alarms[before]
    gap_after = false_alarms[after] - misses[after]
    share = gap_before / (gap_before + gap_after)
    return float(false_alarms[before] + share * (false_alarms[after] - false_alarms[before]))


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise MetricError(f"expected one score per label, found {labels.shape} labels and {scores.shape} scores")
    if not np.isfinite(scores).all():
        raise MetricError(f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite")
    if set(np.unique(labels)) != {0, 1}:
        raise MetricError(f"expected labels of both classes 0 and 1, found {np.unique(labels).tolist()}")
    return labels, scores
