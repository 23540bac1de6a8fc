"""What the exercises of the chapters 07 and 08 expect: the playground, and your own camera (ours)."""

from typing import Any

import numpy as np
import pandas as pd

from maam_lib import metrics, pscd
from maam_lib.analysis import alarms
from maam_lib.detector import SHORTEST, TrainingScores
from maam_lib.exercises.answers import number
from maam_lib.exercises.checking import ExerciseError, Judgement, acts_like, between, expects, fixed_random, judged
from maam_lib.playground import Rescorer, ScoreChoice
from maam_lib.video import Playback

# 07 The playground: a sum from an integral image; moves of the sliders as code

MAP = fixed_random().random((8, 11))
INTEGRAL = np.pad(MAP.cumsum(0).cumsum(1), ((1, 0), (1, 0)))  # (9, 12)


@acts_like(
    "07.a",
    lambda: [(INTEGRAL, 0, 0, 3, 4), (INTEGRAL, 2, 5, 6, 6), (INTEGRAL, 7, 10, 1, 1)],
    hint="All up to the lower right corner, minus all left of the patch, minus all above it. What was subtracted "
    "twice is added once.",
)
def sum_from_corners(integral: np.ndarray, y: int, x: int, height: int, width: int) -> float:
    """The sum of the patch whose first pixel is (y, x), by four readings of an integral image (H + 1, W + 1)."""
    down, right = y + height, x + width
    return float(integral[down, right] - integral[y, right] - integral[down, x] + integral[y, x])


@expects("07.1", hint="`choice.patch` is (height, width). Halve both with `//`, and change nothing else of `choice`.")
def auc_at_half_the_patch(rescorer: Rescorer, choice: ScoreChoice) -> float | None:
    """The AUC with a patch of half the height and half the width, rounded down."""
    height, width = choice.patch
    return rescorer.under(choice._replace(patch=(height // 2, width // 2))).measured["auc"]


@judged(
    "07.2",
    hint=(
        'Try all eleven values in `rescorer.under(choice._replace(psi=...)).measured["auc"]`. The answer is '
        "the psi, not its AUC."
    ),
)
def psi_chosen_on_labels(answer: Any, rescorer: Rescorer, choice: ScoreChoice) -> Judgement:
    """Of the psi 0, 0.1 ... 1 one with the highest AUC on the test labels."""
    if not 0 <= number(answer) <= 1:
        return Judgement(False, answer, "a psi from 0 to 1", "this is not a psi from 0 to 1")
    labels = _labels(rescorer)
    best = max(_aucs(rescorer, choice, np.ones(len(labels), bool)))
    reached = metrics.roc_auc(labels, rescorer.under(choice._replace(psi=number(answer))).scores)
    return between(answer, reached, best - 1e-6, 1.0, "AUC")


@expects(
    "07.3",
    tolerance=0.01,
    hint=(
        "One psi is chosen, on the clips [::2] only. Each gain is the AUC with this psi minus the AUC of "
        "`choice` itself, on the same frames. Take all clips' names from `rescorer.clips` in their order."
    ),
)
def gain_on_other_clips(rescorer: Rescorer, choice: ScoreChoice) -> tuple[float, ...]:
    """(gain on these, gain on the others): psi chosen by the AUC of every second clip, against the calibrated psi."""
    these = np.isin(rescorer.clips, list(dict.fromkeys(rescorer.clips))[::2])
    own = rescorer.under(choice).scores
    best = int(np.argmax(_aucs(rescorer, choice, these)))
    return tuple(
        _aucs(rescorer, choice, part)[best] - metrics.roc_auc(_labels(rescorer)[part], own[part])
        for part in (these, ~these)
    )


@expects(
    "07.4",
    hint=(
        "Set psi and stride in one `_replace`, for both. Divide coarse by fine frame by frame and take the "
        "mean of these shares, not the share of the means."
    ),
)
def lost_by_a_coarse_stride(rescorer: Rescorer, choice: ScoreChoice, psi: float) -> float:
    """The mean ratio of the scores with patches side by side to those at the finest stride, at one psi."""
    finest = rescorer.finest_stride()
    strides = choice.patch, (finest, finest)
    coarse, fine = (rescorer.under(choice._replace(stride=stride, psi=psi)).scores for stride in strides)
    return float((coarse / fine).mean())


@expects(
    "07.5",
    hint=(
        "Make a table with the columns clip, frame, label and fused. `alarms.threshold_for` gives the "
        "threshold; with it, `alarms.operating_point(...).hit_rate` is the share."
    ),
)
def one_false_alarm_per_hour(rescorer: Rescorer, choice: ScoreChoice, frame_rate: float) -> tuple[float, float]:
    """(threshold, hit rate) of the lowest threshold with at most one false alarm per hour of normal video."""
    keys = pd.DataFrame(rescorer.test.keys, columns=["clip", "frame"])
    table = keys.assign(label=_labels(rescorer), fused=rescorer.under(choice).scores)
    threshold = alarms.threshold_for(table, 1, frame_rate)
    return threshold, alarms.operating_point(table, threshold, frame_rate).hit_rate


def _labels(rescorer: Rescorer) -> np.ndarray:
    if rescorer.labels is None:
        raise ExerciseError("this exercise needs test frames with labels; prepare a dataset that has them")
    return rescorer.labels


def _aucs(rescorer: Rescorer, choice: ScoreChoice, part: np.ndarray) -> list[float]:
    """The AUC over part of the frames, bool (T,), at every psi of 0, 0.1 ... 1."""
    found = [rescorer.under(choice._replace(psi=tenths / 10)).scores for tenths in range(11)]
    return [metrics.roc_auc(_labels(rescorer)[part], scores[part]) for scores in found]


# 08 Your camera: a score without future, a threshold by alarms per hour; rates and alarms of a video

NORMAL = fixed_random().gamma(4.0, 5.0, 500)  # scores of normal footage
TRAINING = [TrainingScores.of(scores) for scores in (NORMAL, 10 * NORMAL[:90] + 3)]
RATES = (18000.0, 60.0, 1 / 24)  # alarms per hour
ON_AND_OFF = np.array([2.0, 0, 3, 4, 0, 0, 2, 2, 5, 1, 0, 6, 6])  # spans of 1, 2, 3 and 2 scores of at least 2


@acts_like(
    "08.a",
    lambda: [(NORMAL[:6] + 20, of) for of in TRAINING],
    hint="Use Eq. 11 with the smallest and the largest training score in place of those of the video.",
)
def score_without_future(scores: np.ndarray, training: TrainingScores) -> np.ndarray:
    """Scores (T,) on the scale on which the training scores reach from 0 to 1."""
    return training.normalise(scores)


@acts_like(
    "08.b",
    lambda: [(of, asked) for of in TRAINING for asked in RATES],
    hint="The share p is the time at the threshold in an hour, alarms times 0.2 seconds, divided by its 3600 seconds.",
)
def threshold_by_alarms(training: TrainingScores, alarms_per_hour: float) -> float:
    """The score that normal frames exceed for so short a share of the time that there are at most so many alarms."""
    return training.exceeded_by(min(1.0, alarms_per_hour * SHORTEST / alarms.SECONDS_PER_HOUR))


@expects(
    "08.1",
    tolerance=0.01,
    hint='Count the events whose `kind` is "alarm". The hours are frames / frames per second / 3600.',
)
def alarms_per_hour(events: pd.DataFrame, playback: Playback) -> float:
    """Alarms of a scored video as a rate per hour of it."""
    hours = len(playback) / playback.frame_rate / alarms.SECONDS_PER_HOUR
    return np.count_nonzero(events["kind"] == "alarm") / hours


@acts_like(
    "08.2",
    lambda scores: [(scores.to_numpy(),), (np.array([2.0, 2.0, 1.0, 4.0, 3.0]),)],
    hint=(
        "At frame t use `scores[: t + 1]` only. Subtract their smallest and divide by largest minus smallest;"
        " give 0 where these are equal."
    ),
)
def scaled_so_far(scores: np.ndarray) -> np.ndarray:
    """Eq. 11 at each frame over the scores (T,) up to it, 0 where all were the same so far."""
    low, high = np.minimum.accumulate(scores), np.maximum.accumulate(scores)
    return (scores - low) / np.where(high > low, high - low, 1)


@expects(
    "08.3",
    hint=(
        "Normalise all scores and keep the first half of the result. Normalise the first half of the scores. "
        "Take the largest distance of the two, without its sign."
    ),
)
def changed_by_the_future(scores: pd.Series) -> float:
    """The largest change of the Eq. 11 scores of the first half, once the second half has been seen."""
    half = scores.to_numpy()[: len(scores) // 2]
    later = pscd.normalise(scores.to_numpy())[: len(half)]
    return float(np.abs(later - pscd.normalise(half)).max())


@acts_like(
    "08.4",
    lambda: [(ON_AND_OFF, 2.0, shortest) for shortest in (1, 2, 3, 9)],
    hint="Walk through the scores and count how many in a row reach the threshold; look at the count where a row ends.",
)
def alarms_in(scores: np.ndarray, threshold: float, shortest: int) -> int:
    """Unbroken spans of at least so many scores (T,) that reach the threshold."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], scores >= threshold, [False]])))
    return int((np.diff(steps)[::2] >= shortest).sum())
