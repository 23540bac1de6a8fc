"""What the exercises of the chapters 04 and 05 expect: the memory, and from errors to scores (ours)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from maam_lib import memory, metrics, pscd
from maam_lib.analysis import Recall, alarms, items
from maam_lib.evaluation import Calibration, PatchErrors, calibrated_psi, reintegration
from maam_lib.exercises.answers import number
from maam_lib.exercises.checking import Judgement, acts_like, between, expects, fixed_random, judged
from maam_lib.model import MAAMNet

# 04 The memory: effective items, one item decoded, 1 - cos of every place; items that many queries use, queries without
# support, a temperature, the nearest item alone

SHARES = torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1)
FEW_USED = torch.softmax(torch.from_numpy(fixed_random().normal(0, 3, size=(2, 9, 3, 4))), dim=1)
ALL_USED = [(memory.shrink(SHARES, 1 / 9),), (memory.shrink(FEW_USED, 0.3),), (torch.full((1, 8, 2, 2), 1 / 8),)]


@acts_like(
    "04.a",
    lambda: ALL_USED,
    hint="Average the weights over B, h and w first: one share per item. Then take the entropy of these shares "
    "(0 log 0 = 0), then its exponential.",
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
    hint="An empty frame, encoded, gives the sizes, and its query the grid. Expand the item to (1, D, h, w).",
)
@torch.no_grad()
def decoded_alone(net: MAAMNet, item: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The frame (1, C, H, W) and the flow (1, 2, H, W) that the decoders make of one item (D,) at every place."""
    query, sizes = net.encode(torch.zeros(1, net.frame_channels, *size))
    return net.decode(item[None, :, None, None].expand(1, -1, *query.shape[2:]), sizes)


@acts_like(
    "04.c",
    lambda recalled: [(recalled.query, z) for z in (recalled.read_out, recalled.query.roll(1, 2))],
    hint="The cosine is the sum of products over D (axis 1) divided by both lengths; keep these above 0 with `clamp`. "
    "The error is 1 minus the cosine.",
)
def angle_between(query: Tensor, read_out: Tensor) -> np.ndarray:
    """1 - cos of every place."""
    return reintegration.reintegration_error(query, read_out)["angle"]


@expects(
    "04.1",
    tolerance=0,
    hint="An item supports a query where its weight is above 0. Average that over B, h and w; count what exceeds 0.5.",
)
def items_of_many(recalled: Recall) -> int:
    """Items that support more than half of the queries."""
    return int((items.usage(recalled.weights).askers > 0.5).sum())


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


@expects(
    "04.4",
    hint="The largest similarity over the items (axis 1) is the cosine to the nearest one. Take 1 minus its mean.",
)
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
LABELS = np.array([0, 1, 0, 1, 1, 0, 0])
TESTED = 6 * fixed_random().random(7)  # scores of as many frames
ALARMS = [(fixed_random().gamma(2.0, 1.0, 200), share, LABELS, TESTED) for share in (0.9, 0.5, 0.2)]


@acts_like("05.a", lambda: ERRORS, hint="`sums[i, j]` adds up `error[top:bottom, left:right]` of row i and column j.")
def sums_of_patches(error: np.ndarray, rows: Spans, columns: Spans) -> np.ndarray:
    """The sum of every patch of an error map (H, W): (ph, pw) (Algorithm 1)."""
    return np.array([[error[top:bottom, left:right].sum() for left, right in columns] for top, bottom in rows])


@acts_like(
    "05.b",
    lambda: TRAINED,
    hint="The weighted deviations are psi * sd_app and (1 - psi) * sd_mot. Set them equal and solve for psi.",
)
def psi_of_equal_spread(appearance: np.ndarray, motion: np.ndarray) -> float:
    """The weight of appearance that gives both branches' training scores (T,) the same spread."""
    return calibrated_psi(None, appearance, motion)


@acts_like(
    "05.c",
    lambda: [(*SUMS, 0.3), (*SUMS, 0.8), (*SUMS[::-1], 1.0)],
    hint="Fuse the two maps first, place by place. The maximum comes last.",
)
def fused_and_score(appearance: np.ndarray, motion: np.ndarray, psi: float) -> tuple[np.ndarray, float]:
    """The fused patch sums (ph, pw) and the score of the frame (Algorithm 1)."""
    fused = pscd.fuse(appearance, motion, psi)
    return fused, float(fused.max())


@acts_like(
    "05.d",
    lambda: ALARMS,
    hint="`np.quantile` of the normal scores is the threshold. A frame at or above it raises an alarm. Take the mean "
    "over the abnormal frames, and over the normal ones.",
)
def rates_at_quantile(
    normal: np.ndarray, quantile: float, labels: np.ndarray, scores: np.ndarray
) -> tuple[float, float]:
    """(hit rate, false-alarm rate) at a quantile of normal training scores (Eq. 12)."""
    raised = pscd.classify(scores, float(np.quantile(normal, quantile)))
    return float(raised[labels == 1].mean()), float(raised[labels == 0].mean())


expects(
    "05.1",
    hint=(
        '`test.scores(0.5)["fused"]` holds one score per frame, in the order of `table`. `metrics.roc_auc` '
        "takes the labels first."
    ),
)(lambda test, table: metrics.roc_auc(table["label"], test.scores(0.5)["fused"]))


@acts_like(
    "05.2",
    lambda: [(SUMS[0], level, *SPANS, (9, 12)) for level in (1.0, 2.5, 99.0)],
    hint="Start with an array of False. For every (i, j) whose sum reaches the threshold, set its rows and columns.",
)
def place_of_alarm(
    fused: np.ndarray, threshold: float, rows: Spans, columns: Spans, size: tuple[int, int]
) -> np.ndarray:
    """Where some patch reaches the threshold: bool (H, W), of the size (H, W)."""
    found = np.zeros(size, bool)
    for i, j in np.argwhere(fused >= threshold):
        found[slice(*rows[i]), slice(*columns[j])] = True
    return found


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
