"""What the exercises of the chapters 00 to 05 expect: the method, from the first detection to the scores (ours)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from maam_lib import losses, memory, metrics, pscd
from maam_lib.analysis import Recall, alarms, items
from maam_lib.config import Recipe
from maam_lib.data import FrameFlowDataset, PreparedDataset, recipe_frames, to_model_input
from maam_lib.evaluation import Calibration, PatchErrors, calibrated_psi, reintegration
from maam_lib.exercises.answers import number
from maam_lib.exercises.checking import Judgement, acts_like, between, expects, fixed_random, judged
from maam_lib.figures import abnormal_spans
from maam_lib.model import MAAMNet
from maam_lib.training import width_10_90

# 00 Start here: the clip that scores highest, the share of alarms (Eq. 12), AUC from pairs of frames

LABELS = np.array([0, 1, 0, 1, 1, 0, 0])
SCORES = (fixed_random().random(7), np.array([1, 1, 2, 3, 2, 2, 1.0]), -LABELS.astype(float))

expects("00.1")(lambda table: table.loc[table["fused"].idxmax(), "clip"])
expects("00.2")(lambda table, calibration: pscd.classify(table["fused"], calibration.threshold).mean())
acts_like("00.3", lambda: [(LABELS, scores) for scores in SCORES])(metrics.roc_auc)


# 01 Data: the longest event, frames scored when two are dropped per clip (item 16), model input back to gray levels
# (item 15), the end-point error of a flow

GRAY = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)  # every level, as stored (B, H, W, C)
INPUT, _ = to_model_input(GRAY, torch.zeros(1, 16, 16, 2), 1)
FLOWS = [(*fixed_random().normal(size=(2, 5, 6, 2)),), (np.zeros((2, 2, 2)), np.ones((2, 2, 2)))]


@expects("01.1", tolerance=0)
def longest_event(prepared: PreparedDataset) -> tuple[str, int]:
    """(clip, frames) of the longest unbroken abnormal span."""
    lengths = {}
    for clip in prepared.clips("test"):
        spans = abnormal_spans(np.arange(prepared.num_frames("test", clip)), prepared.labels(clip) == 1)
        lengths[clip] = max((last - first + 1 for first, last in spans), default=0)
    longest = max(lengths, key=lengths.__getitem__)
    return longest, lengths[longest]


expects("01.2", tolerance=0)(lambda prepared: len(FrameFlowDataset(prepared, "test", drop_last=2)))
acts_like("01.3", lambda: [(INPUT,)], tolerance=1e-6)(lambda _: GRAY.permute(0, 3, 1, 2))
acts_like("01.4", lambda: FLOWS)(lambda flow, truth: np.linalg.norm(flow - truth, axis=-1).mean())


# 02 The network by hand: the latent grid of Ped2 (Table 1), numbers in M for 2000 items, Eq. 3, Eq. 8

SHARES = torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1)
FLAT = torch.full((1, 4, 1, 1), 0.25, dtype=torch.float64)  # no share exceeds the threshold


@expects("02.1", tolerance=0)
@torch.no_grad()
def grid_of_ped2(net: MAAMNet) -> tuple[int, ...]:
    """(rows, columns) of the latent grid of 240x360 frames."""
    query, _ = net.encode(torch.zeros(1, net.frame_channels, 240, 360))
    return tuple(query.shape[2:])


expects("02.2", tolerance=0)(lambda: items.items_of(MAAMNet(num_items=2000)).numel())
acts_like("02.3", lambda: [(SHARES, 1 / 9), (SHARES, 0.2), (FLAT, 0.25)])(memory.shrink)
acts_like("02.4", lambda: [(memory.shrink(SHARES, 1 / 9),), (torch.full((1, 8, 2, 2), 1 / 8),)])(losses.sparse_loss)


# 03 Training: its steps, Eq. 10, motion error relative to predicting none, what learning adds to the best row without,
# the width of the largest errors relative to no learning

LARGEST = [tuple(fixed_random().gamma(2, scale, 30) for scale in scales) for scales in ((1, 2), (3, 1))]


@expects("03.1", tolerance=0)
def optimiser_steps(plan: Recipe, prepared: PreparedDataset) -> int:
    """Steps of a whole training."""
    frames = len(recipe_frames(plan, prepared, "train"))
    return plan.training.epochs * (frames // plan.training.batch_size)


expects("03.2")(lambda terms: terms.total)
acts_like("03.3", lambda history: [(history,), (history.iloc[:1],)])(lambda of: of["motion"] / of["zero_flow"])
expects("03.4", tolerance=0.01)(lambda result: result.auc - result.best.auc)
acts_like("03.5", lambda: LARGEST)(lambda learned, without: width_10_90(learned) / width_10_90(without))


# 04 The memory: effective items, one item decoded, 1 - cos of every place; items that many queries use, queries without
# support, a temperature, the nearest item alone

FEW_USED = torch.softmax(torch.from_numpy(fixed_random().normal(0, 3, size=(2, 9, 3, 4))), dim=1)
ALL_USED = [(memory.shrink(SHARES, 1 / 9),), (memory.shrink(FEW_USED, 0.3),), (torch.full((1, 8, 2, 2), 1 / 8),)]


@acts_like(
    "04.a",
    lambda: ALL_USED,
    hint="first the mean over frames, rows and columns gives each item's share; items with share 0 add nothing; then "
    "exp(-sum u log u)",
)
def effective_items(weights: Tensor) -> float:
    """The number of equally used items that has the entropy of these weights (B, N, h, w)."""
    return items.usage(weights).effective


def one_item_each(net: MAAMNet) -> list[tuple[Any, ...]]:
    """As cases: the first and the last item of a network, for frames of two sizes."""
    kept = items.items_of(net).detach()
    return [(net, kept[0], (32, 48)), (net, kept[-1], (48, 40))]


@acts_like(
    "04.b",
    one_item_each,
    hint="an empty frame, encoded, gives the sizes, and its query the grid; expand the item to (1, D, h, w)",
)
@torch.no_grad()
def decoded_alone(net: MAAMNet, item: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The frame (1, C, H, W) and the flow (1, 2, H, W) that the decoders make of one item (D,) at every place."""
    query, sizes = net.encode(torch.zeros(1, net.frame_channels, *size))
    return net.decode(item[None, :, None, None].expand(1, -1, *query.shape[2:]), sizes)


@acts_like(
    "04.c",
    lambda recalled: [(recalled.query, z) for z in (recalled.read_out, recalled.query.roll(1, 2))],
    hint="sum z * z_hat over the channels, dim=1, and divide by the product of both lengths, kept above 0",
)
def angle_between(query: Tensor, read_out: Tensor) -> np.ndarray:
    """1 - cos of every place."""
    return reintegration.reintegration_error(query, read_out)["angle"]


@expects("04.1", tolerance=0)
def items_of_many(recalled: Recall) -> int:
    """Items that support more than half of the queries."""
    return int((items.usage(recalled.weights).askers > 0.5).sum())


@expects("04.2", tolerance=0)
def queries_without_support(net: MAAMNet, recalled: Recall) -> int:
    """Queries whose shares all stay at or below 3/N, by the cosine (Eq. 1-3)."""
    kept = items.items_of(net).detach()
    largest = torch.softmax(memory.similarity_map(recalled.query, kept, "cosine"), dim=1).amax(dim=1)
    return int((largest <= 3 / len(kept)).sum())


@judged("04.3")
def half_as_many(answer: Any, net: MAAMNet, recalled: Recall) -> Judgement:
    """A temperature that halves the mean number of support items."""

    def mean_support(temperature: float) -> float:
        weights = memory.address(recalled.query, items.items_of(net).detach(), temperature=temperature)
        return memory.support_count(weights).double().mean().item()

    if not 0 < number(answer) < math.inf:
        return Judgement(False, answer, "a temperature above 0")
    half = mean_support(1.0) / 2
    return between(answer, mean_support(number(answer)), 0.85 * half, 1.15 * half, "mean support items")


@expects("04.4")
def nearest_item_alone(net: MAAMNet, recalled: Recall) -> float:
    """The mean of 1 - cos between a query and the one item that is most similar to it."""
    cosines = memory.similarity_map(recalled.query, items.items_of(net).detach(), "cosine")
    return 1 - cosines.amax(dim=1).double().mean().item()


# 05 PSCD: sums of patches, psi, the score, what a threshold gives; the AUC at psi = 0.5, the place of an alarm, the AUC
# of the mean, the worst false alarm, alarms per hour

Spans = Sequence[tuple[int, int]]  # first row (or column) of every patch, and the one after its last
SPANS: tuple[Spans, Spans] = ((0, 3), (2, 6), (5, 9)), ((0, 4), (4, 8), (6, 12), (11, 12))
ERRORS = [(fixed_random().random((9, 12)), *SPANS), (fixed_random().random((9, 12)) - 0.5, *SPANS[::-1])]
SUMS = fixed_random().gamma(2.0, 1.0, (2, 3, 4))  # patch sums of two branches
DRAWN = fixed_random().gamma(2.0, 1.0, (2, 80))  # training scores of two branches
TRAINED = [(20 + DRAWN[0], 9 * DRAWN[1]), (30 * DRAWN[0], 50 + DRAWN[1]), (5 * DRAWN[1], 5 * DRAWN[1])]
ALARMS = [(fixed_random().gamma(2.0, 1.0, 200), share, LABELS, 6 * SCORES[0]) for share in (0.9, 0.5, 0.2)]


@acts_like("05.a", lambda: ERRORS, hint="sums[i, j] adds error[top:bottom, left:right] of row i and column j")
def sums_of_patches(error: np.ndarray, rows: Spans, columns: Spans) -> np.ndarray:
    """The sum of every patch of an error map (H, W): (ph, pw) (Algorithm 1)."""
    return np.array([[error[top:bottom, left:right].sum() for left, right in columns] for top, bottom in rows])


@acts_like(
    "05.b",
    lambda: TRAINED,
    hint="weighted, the deviations are psi * sd_app and (1 - psi) * sd_mot; set them equal and solve for psi",
)
def psi_of_equal_spread(appearance: np.ndarray, motion: np.ndarray) -> float:
    """The weight of appearance that gives both branches' training scores (T,) the same spread."""
    return calibrated_psi(None, appearance, motion)


@acts_like(
    "05.c",
    lambda: [(*SUMS, 0.3), (*SUMS, 0.8), (*SUMS[::-1], 1.0)],
    hint="fuse the two maps place by place first; the maximum comes last",
)
def fused_and_score(appearance: np.ndarray, motion: np.ndarray, psi: float) -> tuple[np.ndarray, float]:
    """The fused patch sums (ph, pw) and the score of the frame (Algorithm 1)."""
    fused = pscd.fuse(appearance, motion, psi)
    return fused, float(fused.max())


@acts_like(
    "05.d",
    lambda: ALARMS,
    hint="np.quantile of the normal scores is the threshold; a frame at or above it raises an alarm; take the mean "
    "over the abnormal frames, and over the normal ones",
)
def rates_at_quantile(
    normal: np.ndarray, quantile: float, labels: np.ndarray, scores: np.ndarray
) -> tuple[float, float]:
    """(hit rate, false-alarm rate) at a quantile of normal training scores (Eq. 12)."""
    raised = pscd.classify(scores, float(np.quantile(normal, quantile)))
    return float(raised[labels == 1].mean()), float(raised[labels == 0].mean())


expects("05.1")(lambda test, table: metrics.roc_auc(table["label"], test.scores(0.5)["fused"]))


@acts_like("05.2", lambda: [(SUMS[0], level, *SPANS, (9, 12)) for level in (1.0, 2.5, 99.0)])
def place_of_alarm(
    fused: np.ndarray, threshold: float, rows: Spans, columns: Spans, size: tuple[int, int]
) -> np.ndarray:
    """Where some patch reaches the threshold: bool (H, W), of the size (H, W)."""
    found = np.zeros(size, bool)
    for i, j in np.argwhere(fused >= threshold):
        found[slice(*rows[i]), slice(*columns[j])] = True
    return found


@expects("05.3")
def auc_of_the_mean(test: PatchErrors, table: pd.DataFrame, calibration: Calibration) -> float:
    """The AUC of the mean of the fused patch sums."""
    means = test.maps(calibration.psi)["fused"].mean(axis=(1, 2))
    return metrics.roc_auc(table["label"].to_numpy(), means)


expects("05.4", tolerance=0)(lambda table: tuple(alarms.worst_false_alarms(table, 1)[["clip", "frame"]].iloc[0]))


@expects("05.5", tolerance=0.01)
def false_alarms_per_hour(table: pd.DataFrame, calibration: Calibration, frames_per_second: float) -> float:
    """False alarms per hour of normal video at the calibrated threshold."""
    return alarms.operating_point(table, calibration.threshold, frames_per_second).false_alarms_per_hour
