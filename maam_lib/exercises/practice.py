"""What the exercises of the chapters 07 to 09 expect: playground, your camera, paper against code (ours)."""

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from maam_lib import losses, memory, metrics, pscd
from maam_lib.analysis import alarms
from maam_lib.config import load_recipe
from maam_lib.detector import TrainingScores
from maam_lib.exercises.answers import number
from maam_lib.exercises.checking import (
    ExerciseError,
    Judgement,
    acts_like,
    between,
    expects,
    fixed_random,
    judged,
)
from maam_lib.playground import Rescorer, ScoreChoice
from maam_lib.training import ReleasedAdam
from maam_lib.video import Playback

# 07 The playground


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


# 08 Your camera

NORMAL = fixed_random().gamma(4.0, 5.0, 500)  # scores of normal footage


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
    lambda: [(NORMAL, 60, 25.0, 5), (NORMAL, 1 / 24, 10.0, 2), (10 * NORMAL, 6, 25.0, 5)],
    hint=(
        "Take p = alarms_per_hour * shortest / (3600 * frames_per_second); m is the mean of the scores above q minus q."
    ),
)
def threshold_of_normal_footage(scores: np.ndarray, per_hour: float, frame_rate: float, shortest: int) -> float:
    """The threshold for so many alarms per hour, by normal scores, frames per second and the shortest alarm."""
    return TrainingScores.of(scores).exceeded_by(per_hour * shortest / (3600 * frame_rate))


# 09 The paper against the code

GRADIENT = torch.tensor([3e-1, -2e-5, 4e-7, -1e-8], dtype=torch.float64)
QUERY, READ_OUT = torch.from_numpy(fixed_random().normal(size=(2, 2, 5, 3, 4)) + 1)
ITEMS = torch.from_numpy(fixed_random().normal(size=(7, 5)))
SHARES = torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1)
PAIRS = [(QUERY, READ_OUT, 0.1), (QUERY, -READ_OUT, 0.2), (QUERY, QUERY, 100.0)]


acts_like(
    "09.a",
    lambda: [(QUERY, ITEMS), (2 * QUERY, ITEMS), (torch.zeros_like(QUERY), ITEMS)],
    hint=(
        "Above the line: the sum of z m over the channels. Below: the sum of (z m) squared, no lengths and no root. "
        "Add 1e-12 to each."
    ),
)(partial(memory.similarity_map, form="released"))

acts_like(
    "09.b",
    lambda: [(SHARES,), (torch.full((1, 8, 2, 2), 1 / 8),), (torch.eye(3)[None, :, :, None],)],
    hint="Multiply each weight by the logarithm of (weight + 1e-12), change the sign, take one mean over everything.",
)(partial(losses.sparse_loss, form="released"))

acts_like(
    "09.c",
    lambda: PAIRS,
    hint=(
        '`torch.einsum("bdhv,bdhw->bhvw", ...)` gives all pairs of a row, of products and of squares. Take '
        "the mean over all quotients, then `abs`, then subtract the margin and cut at 0."
    ),
)(partial(losses.latent_loss, form="released"))


@expects(
    "09.1", hint="The odds are psi / (1 - psi). Divide the largest by the smallest and take the logarithm of base 10."
)
def orders_of_magnitude() -> float:
    """Between the odds of the three psi of the released code (item 21)."""
    psis = [load_recipe(f"{name}-released").scoring.psi for name in ("ped2", "avenue", "shanghaitech")]
    odds = [psi / (1 - psi) for psi in psis if psi is not None]
    return math.log10(max(odds) / min(odds))


@expects(
    "09.2",
    tolerance=0.01,
    hint=(
        'Call `memory.address(10 * query, items, similarity=...)` with "cosine", then with "released". Take '
        "the mean of `memory.support_count` over all queries."
    ),
)
def kept_by_longer_queries(query: Tensor, items: Tensor) -> tuple[float, ...]:
    """(cosine, released): the mean number of items kept by queries ten times as long."""
    weights = [memory.address(10 * query, items, similarity=form) for form in ("cosine", "released")]
    return tuple(memory.support_count(w).double().mean().item() for w in weights)


@acts_like(
    "09.3",
    lambda: [(GRADIENT, 1e-3), (GRADIENT[2:], 0.5)],
    hint=(
        "The rate of step 1 is learning_rate * sqrt(1 - 0.999) / (1 - 0.9). The parameter moves by minus this"
        " rate times m / (sqrt(s) + 1e-8)."
    ),
)
def first_step_of_adam(gradient: Tensor, learning_rate: float) -> Tensor:
    """The first step of Adam as TensorFlow takes it (item 14)."""
    parameter = torch.nn.Parameter(torch.zeros_like(gradient))
    parameter.grad = gradient.clone()
    ReleasedAdam([parameter], lr=learning_rate).step()
    return parameter.detach()


# The psi that ranks gray frames repeated to some channels as `psi` ranks gray ones (item 27)
PSIS = [(10 / 11, 3), (0.5, 3), (1 / 11, 2), (0.3, 1)]
acts_like(
    "09.4",
    lambda: PSIS,
    hint=(
        "Two weightings rank equally where appearance weighs equally much relative to motion: channels * psi'"
        " / (1 - psi') = psi / (1 - psi). Solve for psi'."
    ),
)(lambda psi, channels: psi / (psi + channels * (1 - psi)))
