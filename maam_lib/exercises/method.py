"""The judges of the chapters 00 to 05: the method, from the first detection to the scores (ours)."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from maam_lib import losses, memory, metrics, pscd
from maam_lib.analysis import Recall, alarms, items
from maam_lib.config import Recipe
from maam_lib.data import FrameFlowDataset, PreparedDataset, to_model_input
from maam_lib.evaluation import Calibration, PatchErrors, Result, reintegration
from maam_lib.exercises.checking import ExerciseError, Judgement, between, exercise, fixed_random, function, value
from maam_lib.losses import Losses
from maam_lib.model import MAAMNet

# 00 Start here


@exercise("00.1")
def loudest_clip(answer: Any, table: pd.DataFrame) -> Judgement:
    """The clip of the highest fused score in a score table."""
    return value(answer, str(table.loc[table["fused"].idxmax(), "clip"]))


@exercise("00.2")
def share_of_alarms(answer: Any, table: pd.DataFrame, calibration: Calibration) -> Judgement:
    """The share of the frames of a score table that reach the calibrated threshold (Eq. 12)."""
    return value(answer, float(pscd.classify(table["fused"].to_numpy(), calibration.threshold).mean()))


@exercise("00.3")
def auc_by_pairs(answer: Any) -> Judgement | None:
    """A function (labels, scores) -> AUC, from pairs of frames."""
    labels = np.array([0, 1, 0, 1, 1, 0, 0])
    cases = [
        (labels, fixed_random().random(7)),
        (labels, np.array([1, 1, 2, 3, 2, 2, 1.0])),
        (labels, -labels.astype(float)),
    ]
    return function(answer, metrics.roc_auc, cases)


# 01 Data


@exercise("01.1")
def longest_event(answer: Any, prepared: PreparedDataset) -> Judgement:
    """(clip, frames) of the longest unbroken abnormal span."""
    lengths = {}
    for clip in prepared.clips("test"):
        labels = np.concatenate([[0], prepared.labels(clip), [0]]).astype(int)
        begins, ends = np.flatnonzero(np.diff(labels) == 1), np.flatnonzero(np.diff(labels) == -1)
        lengths[clip] = int((ends - begins).max(initial=0))
    longest = max(lengths, key=lengths.__getitem__)
    return value(answer, (longest, lengths[longest]), tolerance=0)


@exercise("01.2")
def scored_frames_less_two(answer: Any, prepared: PreparedDataset) -> Judgement:
    """Test frames that are scored when two are dropped per clip (item 16)."""
    return value(answer, len(FrameFlowDataset(prepared, "test", drop_last=2)), tolerance=0)


@exercise("01.3")
def gray_levels(answer: Any) -> Judgement | None:
    """A function from model input (B, C, H, W) in [-1, 1] back to gray levels 0 to 255 (item 15)."""
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    frames, _ = to_model_input(levels, torch.zeros(1, 16, 16, 2, dtype=torch.float16), 1)
    return function(answer, lambda _: levels.permute(0, 3, 1, 2), [(frames,)], tolerance=1e-6)


@exercise("01.4")
def end_point_error(answer: Any) -> Judgement | None:
    """A function (flow, truth), both (H, W, 2), -> mean length of the difference."""
    flow, truth = fixed_random().normal(size=(2, 5, 6, 2))
    cases = [(flow, truth), (np.zeros((2, 2, 2)), np.ones((2, 2, 2)))]
    return function(answer, lambda flow, truth: np.linalg.norm(flow - truth, axis=-1).mean(), cases)


# 02 The network by hand


@exercise("02.1")
def grid_of_ped2(answer: Any, net: MAAMNet) -> Judgement:
    """(rows, columns) of the latent grid of 240x360 frames (Table 1)."""
    with torch.no_grad():
        query, _ = net.encode(torch.zeros(1, net.frame_channels, 240, 360))
    return value(answer, (query.shape[2], query.shape[3]), tolerance=0)


@exercise("02.2")
def memory_parameters(answer: Any) -> Judgement:
    """Numbers in M for 2000 items at Table 1's width."""
    return value(answer, _items(MAAMNet(num_items=2000)).numel(), tolerance=0)


@exercise("02.3")
def shrinkage(answer: Any) -> Judgement | None:
    """A function (shares, threshold) -> weights: Eq. 3, renormalised."""
    shares = torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1)
    flat = torch.full((1, 4, 1, 1), 0.25, dtype=torch.float64)  # no share exceeds the threshold
    return function(answer, memory.shrink, [(shares, 1 / 9), (shares, 0.2), (flat, 0.25)])


@exercise("02.4")
def sparse_loss(answer: Any) -> Judgement | None:
    """A function of weights (B, N, h, w): Eq. 8, the mean over queries."""
    weights = memory.shrink(torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1), 1 / 9)
    return function(answer, losses.sparse_loss, [(weights,), (torch.full((1, 8, 2, 2), 1 / 8),)])


# 03 Training


@exercise("03.1")
def optimiser_steps(answer: Any, plan: Recipe, prepared: PreparedDataset) -> Judgement:
    """Steps of a whole training."""
    frames = len(FrameFlowDataset(prepared, "train", drop_last=plan.data.drop_last))
    return value(answer, plan.training.epochs * (frames // plan.training.batch_size), tolerance=0)


@exercise("03.2")
def weighted_sum(answer: Any, terms: Losses) -> Judgement:
    """The total of Eq. 10 from its terms."""
    return value(answer, terms.total)


@exercise("03.3")
def ratio_to_no_motion(answer: Any, history: pd.DataFrame) -> Judgement | None:
    """A function history -> motion error relative to predicting none, per epoch."""
    return function(answer, lambda h: h["motion"] / h["zero_flow"], [(history,), (history.iloc[:1],)])


@exercise("03.4")
def what_learning_adds(answer: Any, result: Result) -> Judgement:
    """Fused AUC minus the best AUC without learning."""
    best = max(row.auc for row in result.no_learning.values())
    return value(answer, result.auc - best, tolerance=0.01)


# 04 The memory


@exercise("04.1")
def effective_items(answer: Any, recalled: Recall) -> Judgement:
    """exp of the entropy of the items' mean shares."""
    return value(answer, items.usage(recalled.weights).effective, tolerance=0.01)


@exercise("04.2")
def queries_without_support(answer: Any, net: MAAMNet, recalled: Recall) -> Judgement:
    """Queries whose shares all stay at or below 3/N, by the cosine (Eq. 1-3)."""
    kept = _items(net)
    largest = torch.softmax(memory.similarity_map(recalled.query, kept, "cosine"), dim=1).amax(dim=1)
    return value(answer, int((largest <= 3 / len(kept)).sum()), tolerance=0)


@exercise("04.3")
def half_as_many(answer: Any, net: MAAMNet, recalled: Recall) -> Judgement:
    """A temperature that halves the mean number of support items."""

    def mean_support(temperature: float) -> float:
        weights = memory.address(recalled.query, _items(net), temperature=temperature)
        return memory.support_count(weights).double().mean().item()

    if not isinstance(answer, int | float) or not answer > 0:
        return Judgement(False, answer, "a temperature above 0")
    half = mean_support(1.0) / 2
    return between(answer, mean_support(float(answer)), 0.85 * half, 1.15 * half, "mean support items")


@exercise("04.4")
def angle_between(answer: Any, recalled: Recall) -> Judgement | None:
    """A function (query, read_out) -> 1 - cos of every place."""

    def reference(query: Tensor, read_out: Tensor) -> np.ndarray:
        return reintegration.reintegration_error(query, read_out)["angle"]

    return function(
        answer, reference, [(recalled.query, recalled.read_out), (recalled.query, recalled.query.roll(1, 2))]
    )


def _items(net: MAAMNet) -> Tensor:
    if net.items is None:
        raise ExerciseError("this exercise needs a network with a memory (model.use_memory)")
    return net.items.detach()


# 05 PSCD


@exercise("05.1")
def auc_at_one_half(answer: Any, test: PatchErrors, table: pd.DataFrame) -> Judgement:
    """The fused AUC at psi = 0.5."""
    return value(answer, metrics.roc_auc(table["label"].to_numpy(), test.scores(0.5)["fused"]))


@exercise("05.2")
def sums_of_patches(answer: Any) -> Judgement | None:
    """A function (error, height, width) -> sums of all whole patches, stride 1 (Algorithm 1)."""

    def reference(error: np.ndarray, height: int, width: int) -> np.ndarray:
        sums = pscd.patch_sums(torch.from_numpy(error)[None], (height, width), (1, 1), "valid")
        return sums[0].numpy()

    return function(answer, reference, [(fixed_random().random((9, 12)), 3, 4), (fixed_random().random((5, 5)), 5, 2)])


@exercise("05.3")
def auc_of_the_mean(answer: Any, test: PatchErrors, table: pd.DataFrame, calibration: Calibration) -> Judgement:
    """The AUC of the mean of the fused patch sums."""
    means = test.maps(calibration.psi)["fused"].mean(axis=(1, 2))
    return value(answer, metrics.roc_auc(table["label"].to_numpy(), means))


@exercise("05.4")
def worst_false_alarm(answer: Any, table: pd.DataFrame) -> Judgement:
    """(clip, frame) of the normal frame with the highest fused score."""
    worst = alarms.worst_false_alarms(table, 1).iloc[0]
    return value(answer, (str(worst["clip"]), int(worst["frame"])), tolerance=0)


@exercise("05.5")
def false_alarms_per_hour(
    answer: Any, table: pd.DataFrame, calibration: Calibration, frames_per_second: float
) -> Judgement:
    """False alarms per hour of normal video at the calibrated threshold."""
    point = alarms.operating_point(table, calibration.threshold, frames_per_second)
    return value(answer, point.false_alarms_per_hour, tolerance=0.01)
