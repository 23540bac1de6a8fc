"""What the exercises of the chapters 00 to 05 expect: the method, from the first detection to the scores (ours)."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from maam_lib import losses, memory, metrics, pscd
from maam_lib.analysis import Recall, alarms, items
from maam_lib.config import Recipe
from maam_lib.data import FrameFlowDataset, PreparedDataset, recipe_frames, to_model_input
from maam_lib.evaluation import Calibration, PatchErrors, reintegration
from maam_lib.exercises.answers import number
from maam_lib.exercises.checking import Judgement, acts_like, between, expects, fixed_random, judged
from maam_lib.figures import abnormal_spans
from maam_lib.model import MAAMNet
from maam_lib.training import width_10_90

# 00 Start here: the clip that scores highest, the share of alarms (Eq. 12), AUC from pairs of frames

LABELS = np.array([0, 1, 0, 1, 1, 0, 0])
SCORES = (fixed_random().random(7), np.array([1, 1, 2, 3, 2, 2, 1.0]), -LABELS.astype(float))

expects("00.1", hint="Find the row with the largest `fused` (`idxmax`) and read the clip of that row.")(
    lambda table: table.loc[table["fused"].idxmax(), "clip"]
)
expects(
    "00.2",
    hint=(
        'Compare `table["fused"]` with `calibration.threshold` by >= and take the mean over all frames, '
        "normal ones included."
    ),
)(lambda table, calibration: pscd.classify(table["fused"], calibration.threshold).mean())
acts_like(
    "00.3",
    lambda: [(LABELS, scores) for scores in SCORES],
    hint=(
        "Compare every abnormal score with every normal one, `abnormal[:, None] > normal[None, :]`. A tie "
        "counts half. Take the mean over all pairs."
    ),
)(metrics.roc_auc)


# 01 Data: the longest event, frames scored when two are dropped per clip (item 16), model input back to gray levels
# (item 15), the end-point error of a flow

GRAY = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)  # every level, as stored (B, H, W, C)
INPUT, _ = to_model_input(GRAY, torch.zeros(1, 16, 16, 2), 1)
FLOWS = [(*fixed_random().normal(size=(2, 5, 6, 2)),), (np.zeros((2, 2, 2)), np.ones((2, 2, 2)))]


@expects(
    "01.1",
    tolerance=0,
    hint=(
        "Go along the labels of a clip: count up at a 1, go back to 0 at a 0, and keep the largest count. "
        "Then take the clip with the largest one."
    ),
)
def longest_event(prepared: PreparedDataset) -> tuple[str, int]:
    """(clip, frames) of the longest unbroken abnormal span."""
    lengths = {}
    for clip in prepared.clips("test"):
        spans = abnormal_spans(np.arange(prepared.num_frames("test", clip)), prepared.labels(clip) == 1)
        lengths[clip] = max((last - first + 1 for first, last in spans), default=0)
    longest = max(lengths, key=lengths.__getitem__)
    return longest, lengths[longest]


expects(
    "01.2", tolerance=0, hint="Each clip loses two frames: subtract 2 per clip, not 2 in all. Only test clips count."
)(lambda prepared: len(FrameFlowDataset(prepared, "test", drop_last=2)))
acts_like(
    "01.3",
    lambda: [(INPUT,)],
    tolerance=1e-6,
    hint=(
        "Bring [-1, 1] to [0, 2], then to [0, 255]. Round to whole numbers last; cutting decimals off makes "
        "levels too dark."
    ),
)(lambda _: GRAY.permute(0, 3, 1, 2))
acts_like(
    "01.4",
    lambda: FLOWS,
    hint=(
        "Square the differences and sum over the last axis (dx, dy); the root of that is the length at each "
        "pixel. Take the mean last."
    ),
)(lambda flow, truth: np.linalg.norm(flow - truth, axis=-1).mean())


# 02 The network by hand: the latent grid of Ped2 (Table 1), numbers in M for 2000 items, Eq. 3, Eq. 8

SHARES = torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1)
FLAT = torch.full((1, 4, 1, 1), 0.25, dtype=torch.float64)  # no share exceeds the threshold


@expects(
    "02.1",
    tolerance=0,
    hint=("Halve the height four times and round up each time; then do the same with the width. Rows come first."),
)
@torch.no_grad()
def grid_of_ped2(net: MAAMNet) -> tuple[int, ...]:
    """(rows, columns) of the latent grid of 240x360 frames."""
    query, _ = net.encode(torch.zeros(1, net.frame_channels, 240, 360))
    return tuple(query.shape[2:])


expects(
    "02.2",
    tolerance=0,
    hint="Each item is as long as a query, D numbers. In Table 1 the last block of the encoder has D channels.",
)(lambda: items.items_of(MAAMNet(num_items=2000)).numel())
acts_like(
    "02.3",
    lambda: [(SHARES, 1 / 9), (SHARES, 0.2), (FLAT, 0.25)],
    hint=(
        "Set shares that do not exceed the threshold to 0 and divide by the sum over the items (axis 1, "
        "keepdim=True). Where that sum is 0, take the shares as they came (`torch.where`)."
    ),
)(memory.shrink)
acts_like(
    "02.4",
    lambda: [(memory.shrink(SHARES, 1 / 9),), (torch.full((1, 8, 2, 2), 1 / 8),)],
    hint=(
        "Sum -w log w over the items (axis 1), then take the mean over B, h and w. Put a 1 in place of each "
        "zero weight before the logarithm: 1 log 1 = 0."
    ),
)(losses.sparse_loss)


# 03 Training: its steps, Eq. 10, motion error relative to predicting none, what learning adds to the best row without,
# the width of the largest errors relative to no learning

LARGEST = [tuple(fixed_random().gamma(2, scale, 30) for scale in scales) for scales in ((1, 2), (3, 1))]


@expects(
    "03.1",
    tolerance=0,
    hint=(
        "Of each training clip, `plan.data.drop_last` frames are not used. Divide all that are left by the "
        "batch size, round down, and multiply by the epochs."
    ),
)
def optimiser_steps(plan: Recipe, prepared: PreparedDataset) -> int:
    """Steps of a whole training."""
    frames = len(recipe_frames(plan, prepared, "train"))
    return plan.training.epochs * (frames // plan.training.batch_size)


expects(
    "03.2",
    hint=(
        "The appearance term counts as it is. Multiply each other term by its own weight (`motion_weight`, "
        "`sparse_weight`, `latent_weight`) and add all four."
    ),
)(lambda terms: terms.total)
acts_like(
    "03.3",
    lambda history: [(history,), (history.iloc[:1],)],
    hint="Divide the column `motion` by the column `zero_flow`, epoch by epoch.",
)(lambda of: of["motion"] / of["zero_flow"])
expects(
    "03.4",
    tolerance=0.01,
    hint=("`result.no_learning` holds rows, each with an `auc`. Subtract the largest of these from `result.auc`."),
)(lambda result: result.auc - result.best.auc)
acts_like(
    "03.5",
    lambda: LARGEST,
    hint=(
        "The width is the 90 % quantile minus the 10 % quantile of one array. Divide the width of `learned` "
        "by that of `without`."
    ),
)(lambda learned, without: width_10_90(learned) / width_10_90(without))


# 04 The memory: the effective number of items, queries without support, a temperature, 1 - cos of every place

expects(
    "04.1",
    tolerance=0.01,
    hint=(
        "Average the weights over B, h and w first: one share per item. Then take the entropy of these shares"
        " (0 log 0 = 0), then its exponential."
    ),
)(lambda recalled: items.usage(recalled.weights).effective)


@expects(
    "04.2",
    tolerance=0,
    hint=(
        'Take the softmax of `memory.similarity_map(..., "cosine")` over the items (axis 1), then the largest'
        " share of each query. Count the queries where it is at most 3/N."
    ),
)
def queries_without_support(net: MAAMNet, recalled: Recall) -> int:
    """Queries whose shares all stay at or below 3/N, by the cosine (Eq. 1-3)."""
    kept = items.items_of(net).detach()
    largest = torch.softmax(memory.similarity_map(recalled.query, kept, "cosine"), dim=1).amax(dim=1)
    return int((largest <= 3 / len(kept)).sum())


@judged(
    "04.3",
    hint=(
        "Lower temperatures leave fewer items. Write the mean number of support items as a function of the "
        "temperature and halve the interval from 0.001 to 1 again and again."
    ),
)
def half_as_many(answer: Any, net: MAAMNet, recalled: Recall) -> Judgement:
    """A temperature that halves the mean number of support items."""

    def mean_support(temperature: float) -> float:
        weights = memory.address(recalled.query, items.items_of(net).detach(), temperature=temperature)
        return memory.support_count(weights).double().mean().item()

    if not 0 < number(answer) < math.inf:
        return Judgement(False, answer, "a temperature above 0", "this is not a temperature above 0")
    half = mean_support(1.0) / 2
    return between(answer, mean_support(number(answer)), 0.85 * half, 1.15 * half, "mean support items")


@acts_like(
    "04.4",
    lambda recalled: [(recalled.query, z) for z in (recalled.read_out, recalled.query.roll(1, 2))],
    hint=(
        "The cosine is the sum of products over D (axis 1) divided by both lengths; keep these above 0 with "
        "`clamp`. The error is 1 minus the cosine."
    ),
)
def angle_between(query: Tensor, read_out: Tensor) -> np.ndarray:
    """1 - cos of every place."""
    return reintegration.reintegration_error(query, read_out)["angle"]


# 05 PSCD: the AUC at psi = 0.5, sums of whole patches, the AUC of their mean, the worst false alarm, alarms per hour

ERRORS = [(fixed_random().random((9, 12)), 3, 4), (fixed_random().random((5, 5)), 5, 2)]

expects(
    "05.1",
    hint=(
        '`test.scores(0.5)["fused"]` holds one score per frame, in the order of `table`. `metrics.roc_auc` '
        "takes the labels first."
    ),
)(lambda test, table: metrics.roc_auc(table["label"], test.scores(0.5)["fused"]))


@acts_like(
    "05.2",
    lambda: ERRORS,
    hint=(
        "The patch at (i, j) is `error[i : i + height, j : j + width]`. The last i is H - height, so there "
        "are H - height + 1 rows."
    ),
)
def sums_of_patches(error: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sums of all whole patches, stride 1 (Algorithm 1)."""
    return pscd.patch_sums(torch.from_numpy(error)[None], (height, width), (1, 1), "valid")[0].numpy()


@expects(
    "05.3",
    hint=(
        '`test.maps(calibration.psi)["fused"]` is (T, ph, pw). Take the mean over both patch axes, not over '
        "the frames; then the AUC, labels first."
    ),
)
def auc_of_the_mean(test: PatchErrors, table: pd.DataFrame, calibration: Calibration) -> float:
    """The AUC of the mean of the fused patch sums."""
    means = test.maps(calibration.psi)["fused"].mean(axis=(1, 2))
    return metrics.roc_auc(table["label"].to_numpy(), means)


expects(
    "05.4",
    tolerance=0,
    hint=("Keep the rows with label 0 first, then take the one with the largest `fused`: its clip, then its frame."),
)(lambda table: tuple(alarms.worst_false_alarms(table, 1)[["clip", "frame"]].iloc[0]))


@expects(
    "05.5",
    tolerance=0.01,
    hint=(
        "Go clip by clip: no alarm runs from one clip into the next. Count spans, not frames. Hours of normal"
        " video: frames with label 0 / frames per second / 3600."
    ),
)
def false_alarms_per_hour(table: pd.DataFrame, calibration: Calibration, frames_per_second: float) -> float:
    """False alarms per hour of normal video at the calibrated threshold."""
    return alarms.operating_point(table, calibration.threshold, frames_per_second).false_alarms_per_hour
