"""The judges of the chapters 06 to 09: the tables, the playground, your camera, the paper against the code (ours)."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from maam_lib import losses, memory, metrics, pscd
from maam_lib.analysis import alarms
from maam_lib.detector import TrainingScores
from maam_lib.evaluation import LEVEL, seed_interval, seed_spread
from maam_lib.exercises.checking import ExerciseError, Judgement, between, exercise, fixed_random, function, value
from maam_lib.grid import BASE, Results, paired
from maam_lib.playground import Rescorer, ScoreChoice
from maam_lib.training import ReleasedAdam
from maam_lib.video import Playback

# 06 The tables


@exercise("06.1")
def mean_of_what_learning_adds(answer: Any, results: Results) -> Judgement:
    """The mean over seeds of the fused AUC minus the best AUC without learning, of the recipe as it is."""
    adds = [r.auc - max(row.auc for row in r.no_learning.values()) for r in results[BASE]]
    return value(answer, float(np.mean(adds)), tolerance=0.01)


@exercise("06.2")
def beyond_the_spread(answer: Any, results: Results) -> Judgement:
    """The variants of two seeds or more whose mean AUC is further from the recipe's than half the recipe's range."""
    own, half_range = seed_spread([r.auc for r in results[BASE]])
    means = {name: np.mean([r.auc for r in seeds]) for name, seeds in results.items() if len(seeds) >= 2}
    return value(answer, tuple(sorted(name for name, mean in means.items() if abs(mean - own) > half_range)))


@exercise("06.3")
def paired_interval(answer: Any, results: Results) -> Judgement | None:
    """A function differences -> (low, high): the 95 % interval of their mean, Student's t."""
    differences = [paired(results, name) for name in results if name != BASE]
    return function(answer, lambda d: tuple(seed_interval(d)), [(d,) for d in differences if len(d) >= 2])


@exercise("06.4")
def seeds_needed(answer: Any, results: Results, switch: str, difference: float) -> Judgement:
    """Seeds at which the half width of the paired interval is at most a difference, at the spread measured so far."""
    sd, seeds = float(np.std(paired(results, switch), ddof=1)), 2
    while stats.t.ppf((1 + LEVEL) / 2, seeds - 1) * sd / math.sqrt(seeds) > difference:
        seeds += 1
    return value(answer, seeds, tolerance=0)


# 07 The playground


@exercise("07.1")
def auc_at_half_the_patch(answer: Any, rescorer: Rescorer, choice: ScoreChoice) -> Judgement:
    """The AUC with a patch of half the height and half the width, rounded down."""
    height, width = choice.patch
    halved = choice._replace(patch=(height // 2, width // 2))
    return value(answer, rescorer.under(halved).measured["auc"])


@exercise("07.2")
def psi_chosen_on_labels(answer: Any, rescorer: Rescorer, choice: ScoreChoice) -> Judgement:
    """Of the psi 0, 0.1 ... 1 one with the highest AUC on the test labels."""
    if not isinstance(answer, int | float) or not 0 <= answer <= 1:
        return Judgement(False, answer, "a psi from 0 to 1")
    labels = _labels(rescorer)
    best = max(_aucs(rescorer, choice, np.ones(len(labels), bool)))
    reached = metrics.roc_auc(labels, rescorer.under(choice._replace(psi=float(answer))).scores)
    return between(answer, reached, best - 1e-6, 1.0, "AUC")


@exercise("07.3")
def gain_on_other_clips(answer: Any, rescorer: Rescorer, choice: ScoreChoice) -> Judgement:
    """(gain on these, gain on the others): psi chosen by the AUC of every second clip, against the calibrated psi."""
    these = np.isin(rescorer.clips, list(dict.fromkeys(rescorer.clips))[::2])
    own = rescorer.under(choice).scores
    best = int(np.argmax(_aucs(rescorer, choice, these)))
    gains = [
        _aucs(rescorer, choice, part)[best] - metrics.roc_auc(_labels(rescorer)[part], own[part])
        for part in (these, ~these)
    ]
    return value(answer, tuple(gains), tolerance=0.01)


@exercise("07.4")
def lost_by_a_coarse_stride(answer: Any, rescorer: Rescorer, choice: ScoreChoice, psi: float) -> Judgement:
    """The mean ratio of the scores with patches side by side to those at the finest stride, at one psi."""
    finest = rescorer.finest_stride()
    coarse, fine = (
        rescorer.under(choice._replace(stride=stride, psi=psi)).scores for stride in (choice.patch, (finest, finest))
    )
    return value(answer, float((coarse / fine).mean()))


@exercise("07.5")
def one_false_alarm_per_hour(
    answer: Any, rescorer: Rescorer, choice: ScoreChoice, frames_per_second: float
) -> Judgement:
    """(threshold, hit rate) of the lowest threshold with at most one false alarm per hour of normal video."""
    keys = pd.DataFrame(rescorer.test.keys, columns=["clip", "frame"])
    table = keys.assign(label=rescorer.labels, fused=rescorer.under(choice).scores)
    threshold = alarms.threshold_for(table, 1, frames_per_second)
    return value(answer, (threshold, alarms.operating_point(table, threshold, frames_per_second).hit_rate))


def _labels(rescorer: Rescorer) -> np.ndarray:
    if rescorer.labels is None:
        raise ExerciseError("this exercise needs test frames with labels; prepare a dataset that has them")
    return rescorer.labels


def _aucs(rescorer: Rescorer, choice: ScoreChoice, part: np.ndarray) -> list[float]:
    """The AUC over part of the frames, bool (T,), at every psi of 0, 0.1 ... 1."""
    found = [rescorer.under(choice._replace(psi=tenths / 10)).scores for tenths in range(11)]
    return [metrics.roc_auc(_labels(rescorer)[part], scores[part]) for scores in found]


# 08 Your camera


@exercise("08.1")
def alarms_per_hour(answer: Any, events: pd.DataFrame, playback: Playback) -> Judgement:
    """Alarms of a scored video as a rate per hour of it."""
    hours = len(playback) / playback.frame_rate / alarms.SECONDS_PER_HOUR
    return value(answer, np.count_nonzero(events["kind"] == "alarm") / hours, tolerance=0.01)


@exercise("08.2")
def scaled_so_far(answer: Any, scores: pd.Series) -> Judgement | None:
    """A function scores (T,) -> Eq. 11 at each frame over the frames up to it, 0 where all were the same so far."""

    def reference(scores: np.ndarray) -> np.ndarray:
        low, high = np.minimum.accumulate(scores), np.maximum.accumulate(scores)
        return (scores - low) / np.where(high > low, high - low, 1)

    return function(answer, reference, [(scores.to_numpy(),), (np.array([2.0, 2.0, 1.0, 4.0, 3.0]),)])


@exercise("08.3")
def changed_by_the_future(answer: Any, scores: pd.Series) -> Judgement:
    """The largest change of the Eq. 11 scores of the first half, once the second half has been seen."""
    half = scores.to_numpy()[: len(scores) // 2]
    later = pscd.normalise(scores.to_numpy())[: len(half)]
    return value(answer, float(np.abs(later - pscd.normalise(half)).max()))


@exercise("08.4")
def threshold_of_normal_footage(answer: Any) -> Judgement | None:
    """A function (normal scores, alarms per hour, frames per second, shortest alarm) -> threshold."""

    def reference(scores: np.ndarray, per_hour: float, frame_rate: float, shortest: int) -> float:
        share = per_hour * shortest / (3600 * frame_rate)
        return TrainingScores.of(scores).exceeded_by(share)

    scores = fixed_random().gamma(4.0, 5.0, 500)
    return function(answer, reference, [(scores, 60, 25.0, 5), (scores, 1 / 24, 10.0, 2), (10 * scores, 6, 25.0, 5)])


# 09 The paper against the code


@exercise("09.1")
def released_similarity(answer: Any) -> Judgement | None:
    """A function of one query and one item, both (D,): the similarity that the released code computes (item 1)."""
    z, m = torch.from_numpy(fixed_random().normal(size=(2, 6)))

    def reference(z: Tensor, m: Tensor) -> Tensor:
        return memory.similarity_map(z[None, :, None, None], m[None], "released")[0, 0, 0, 0]

    return function(answer, reference, [(z, m), (2 * z, m), (torch.zeros_like(z), m)])


@exercise("09.2")
def kept_by_longer_queries(answer: Any, query: Tensor, items: Tensor) -> Judgement:
    """(cosine, released): the mean number of items kept by queries ten times as long."""
    weights = [memory.address(10 * query, items, similarity=form) for form in ("cosine", "released")]
    return value(answer, tuple(memory.support_count(w).double().mean().item() for w in weights), tolerance=0.01)


@exercise("09.3")
def first_step_of_adam(answer: Any) -> Judgement | None:
    """A function (gradient, learning rate) -> the first step of Adam as TensorFlow takes it (item 14)."""

    def reference(gradient: Tensor, learning_rate: float) -> Tensor:
        parameter = torch.nn.Parameter(torch.zeros_like(gradient))
        parameter.grad = gradient.clone()
        ReleasedAdam([parameter], lr=learning_rate).step()
        return parameter.detach()

    gradient = torch.tensor([3e-1, -2e-5, 4e-7, -1e-8], dtype=torch.float64)
    return function(answer, reference, [(gradient, 1e-3), (gradient[2:], 0.5)])


@exercise("09.4")
def same_order_in_three_channels(answer: Any) -> Judgement | None:
    """A function (psi, channels) -> the psi that ranks repeated gray frames as `psi` ranks gray ones (item 27)."""

    def reference(psi: float, channels: int) -> float:
        return psi / (psi + channels * (1 - psi))

    return function(answer, reference, [(10 / 11, 3), (0.5, 3), (1 / 11, 2), (0.3, 1)])


@exercise("09.5")
def released_latent_loss(answer: Any) -> Judgement | None:
    """A function (query, read_out, margin), both (B, D, h, w): the latent loss of the released code (item 10)."""
    query, read_out = torch.from_numpy(fixed_random().normal(size=(2, 2, 5, 3, 4)) + 1)

    def reference(query: Tensor, read_out: Tensor, margin: float) -> Tensor:
        return losses.latent_loss(query, read_out, margin, "released")

    return function(answer, reference, [(query, read_out, 0.1), (query, -read_out, 0.2), (query, query, 100.0)])
