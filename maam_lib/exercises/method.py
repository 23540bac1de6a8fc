"""What the exercises of the chapters 00 to 03 expect: the method, from the first detection to the training (ours)."""

import numpy as np
import torch

from maam_lib import losses, memory, metrics, pscd
from maam_lib.analysis import items
from maam_lib.config import Recipe
from maam_lib.data import FrameFlowDataset, PreparedDataset, recipe_frames, to_model_input
from maam_lib.exercises.checking import acts_like, expects, fixed_random
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
