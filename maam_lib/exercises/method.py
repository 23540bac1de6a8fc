"""What the exercises of the chapters 00 to 03 expect: the method, from the first detection to the training (ours)."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maam_lib import losses, memory, metrics, pscd
from maam_lib.analysis import items
from maam_lib.config import Recipe
from maam_lib.data import FrameFlowDataset, PreparedDataset, recipe_frames, to_model_input
from maam_lib.exercises.answers import number, same
from maam_lib.exercises.checking import (
    EXERCISES,
    Exercise,
    Judgement,
    acts_like,
    between,
    expects,
    fixed_random,
    judged,
    value,
)
from maam_lib.figures import abnormal_spans
from maam_lib.model import NORM_EPSILON, MAAMNet
from maam_lib.playground import Addressing, as_vectors, napkin
from maam_lib.training import build_network, width_10_90

# 00 Start here: hits and false alarms (Eq. 12); the clip that scores highest, the share of alarms, AUC from pairs

LABELS = np.array([0, 1, 0, 1, 1, 0, 0])
SCORES = (fixed_random().random(7), np.array([1, 1, 2, 3, 2, 2, 1.0]), -LABELS.astype(float))


@acts_like(
    "00.a",
    lambda: [(LABELS, scores, np.median(scores)) for scores in SCORES],
    hint="`scores >= threshold` is true where a frame raises an alarm. Take its mean over each kind of frame.",
)
def alarm_rates(labels: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float]:
    """The shares of the abnormal and of the normal frames that raise an alarm (Eq. 12)."""
    raised = pscd.classify(scores, threshold)
    return float(raised[labels == 1].mean()), float(raised[labels == 0].mean())


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


# 01 Data. Holes: labels from masks, labels by key. Exercises: the longest event, frames scored when two are dropped per
# clip (item 16), model input back to gray levels (item 15), the end-point error of a flow

GRAY = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)  # every level, as stored (B, H, W, C)
INPUT, _ = to_model_input(GRAY, torch.zeros(1, 16, 16, 2), 1)
FLOWS = [(*fixed_random().normal(size=(2, 5, 6, 2)),), (np.zeros((2, 2, 2)), np.ones((2, 2, 2)))]
MASKS = fixed_random().random((5, 4, 6)) > np.array([0.9, 1, 0.5, 1, 0.95])[:, None, None]  # two frames without a pixel
CLIPS = {"b": np.array([0, 1, 1, 0]), "a": np.array([1, 0, 0])}
KEYS = [("b", 0), ("b", 1), ("b", 2), ("a", 0), ("a", 1)]  # without the last frame of each clip

acts_like(
    "01.a",
    lambda: [(MASKS,), (MASKS.astype(np.uint8),)],
    hint="Ask `any` over both axes of a frame's mask, height and width.",
)(lambda masks: np.array([int(mask.any()) for mask in masks]))


@acts_like(
    "01.b",
    lambda: [(KEYS, CLIPS), (KEYS[::-1], CLIPS)],
    hint="Each key names its clip and its frame: `labels[clip][frame]`.",
)
def labels_by_key(keys: Sequence[tuple[str, int]], labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """The label of each key (clip, frame), from the labels of each clip."""
    return np.array([labels[clip][frame] for clip, frame in keys])


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


# 02 The network by hand. Holes: one encoder block (Table 1), Eq. 1-2, Eq. 3, Eq. 4, Eq. 9, Eq. 8. Exercises: the latent
# grid of Ped2 (Table 1), numbers in M for 2000 items, a temperature that leaves one item, a step down Eq. 9

SHARES = torch.softmax(torch.from_numpy(fixed_random().normal(size=(2, 9, 3, 4))), dim=1)
FLAT = torch.full((1, 4, 1, 1), 0.25, dtype=torch.float64)  # no share exceeds the threshold
QUERIES, READ_OUTS = torch.from_numpy(fixed_random().normal(size=(2, 2, 5, 3, 4)))  # (B, D, h, w) each
ITEMS = torch.from_numpy(fixed_random().normal(size=(9, 5)))


class Block(Protocol):
    """A block of the encoder: the kit's, or one that a reader of 02 makes."""

    conv: torch.nn.Conv2d
    norm: torch.nn.BatchNorm2d


def two_blocks(net: MAAMNet) -> list[tuple[Tensor, Block]]:
    """As cases: the first block of an encoder, which keeps the sides, and the second, on an odd side too."""
    blocks, sizes = cast(list[Block], list(net.encoder)[:2]), ((6, 8), (5, 8))
    return [
        (torch.from_numpy(fixed_random().normal(size=(2, block.conv.in_channels, *size))).float(), block)
        for block, size in zip(blocks, sizes, strict=True)
    ]


@acts_like("02.a", two_blocks, hint="The order is pad, convolve, normalise, cut at 0; 1e-3 goes under the root.")
@torch.no_grad()
def encoder_block(x: Tensor, block: Block) -> Tensor:
    """Conv. 3x3 of TensorFlow's SAME, batch norm by its running statistics, ReLU, of any block with `conv` and `norm`.

    Written out, since 02 makes blocks of its own that call it, and since those of a network work on turned maps.
    """
    stride, norm = block.conv.stride[0], block.norm
    top, left = (1 if stride == 1 else n % 2 for n in x.shape[2:])
    x = F.conv2d(F.pad(x, (left, 1, top, 1)), block.conv.weight, stride=stride)
    return F.relu(F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=NORM_EPSILON))


@acts_like(
    "02.b",
    lambda: [(QUERIES, ITEMS), (3 * READ_OUTS, ITEMS[:4])],
    hint="Divide by both lengths, over D. The softmax goes over the items, axis 1.",
)
def shares(query: Tensor, items: Tensor) -> Tensor:
    """Eq. 1 and 2."""
    return torch.softmax(memory.similarity_map(query, items), dim=1)


acts_like(
    "02.c",
    lambda: [(SHARES, 1 / 9), (SHARES, 0.2), (FLAT, 0.25)],
    hint=(
        "Set shares that do not exceed the threshold to 0 and divide by the sum over the items (axis 1, "
        "keepdim=True). Where that sum is 0, take the shares as they came (`torch.where`)."
    ),
)(memory.shrink)
acts_like("02.d", lambda: [(SHARES, ITEMS)], hint="Sum over the items n; what is left is d, at every h and w.")(
    memory.read
)
acts_like(
    "02.e",
    lambda: [(QUERIES, READ_OUTS, 0.1), (QUERIES, -QUERIES, 0.3)],
    hint="The absolute value comes before the margin, the cut at 0 after it, and the mean last.",
)(losses.latent_loss)
acts_like(
    "02.f",
    lambda: [(memory.shrink(SHARES, 1 / 9),), (torch.full((1, 8, 2, 2), 1 / 8),)],
    hint=(
        "Sum -w log w over the items (axis 1), then take the mean over B, h and w. Put a 1 in place of each "
        "zero weight before the logarithm: 1 log 1 = 0."
    ),
)(losses.sparse_loss)


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


@judged("02.3", hint="Eq. 2 with e^(s / t): try some temperatures below 1 with the sliders of the napkin.")
def one_item_left(answer: Any) -> Judgement:
    """A temperature at which one of the napkin's items takes part."""
    if not 0 < number(answer) < math.inf:
        return Judgement(False, answer, "a temperature above 0")
    weights = napkin(addressing=Addressing(temperature=number(answer))).weights
    return between(answer, int(np.count_nonzero(weights)), 1, 1, "items that take part")


@expects("02.4", tolerance=1e-3, hint="Subtract five times the gradient from the query, then ask the memory again.")
def step_down_the_latent_loss() -> tuple[float, ...]:
    """(before, after): the cosine of query and read-out around one step down Eq. 9, learning rate 5."""
    query, kept = as_vectors()
    query.requires_grad_()
    losses.latent_loss(query, memory.read(memory.address(query, kept), kept), 0.1).backward()
    assert query.grad is not None
    moved = query.detach() - 5 * query.grad
    return tuple(napkin(z.flatten().tolist()).agreement for z in (query, moved))


# 03 Training. Hole: one step of the optimiser. Exercises: steps of a training, Eq. 10, motion error relative to
# predicting none, what learning adds to the best row without, the width of the largest errors relative to no learning

LARGEST = [tuple(fixed_random().gamma(2, scale, 30) for scale in scales) for scales in ((1, 2), (3, 1))]


def training_step(
    plan: Recipe, net: MAAMNet, optimizer: torch.optim.Optimizer, frames: Tensor, flow: Tensor
) -> losses.Losses:
    """One step: the losses of a batch as they were before it, and the network a little better at it."""
    terms = losses.total_loss(net(frames), frames, flow, plan.loss, plan.scoring.patch)
    optimizer.zero_grad()
    terms.total.backward()
    optimizer.step()
    return terms


def three_steps(step: Callable[..., Any], plan: Recipe) -> tuple[float, ...] | None:
    """Three steps of a small network on the same frames: the total loss before each, and how far all weights moved.

    None for an untouched step.
    """
    tiny = plan.with_settings("model.base_channels=2", "model.num_items=4", "model.dropout=0", "training.seed=0")
    torch.manual_seed(0)
    net = build_network(tiny).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    side = 2 * max(16, *plan.scoring.patch)
    frames, flow = torch.rand(2, plan.data.channels, side, side) * 2 - 1, torch.randn(2, 2, side, side)
    totals, start = [], [p.detach().clone() for p in net.parameters()]
    for _ in range(3):
        terms = step(net, optimizer, frames, flow)
        if terms is ... or terms is None:
            return None
        totals.append(torch.as_tensor(terms[0]).item())
    moved = sum(float((p - before).detach().square().sum()) for p, before in zip(net.parameters(), start, strict=True))
    return *totals, math.sqrt(moved)


def judge_step(answer: Any, plan: Recipe) -> Judgement | None:
    """Whether three steps go the library's way: gradients of an earlier step that were kept show in the third."""
    if not callable(answer):
        return Judgement(False, answer, "a function")
    got, expected = three_steps(answer, plan), three_steps(partial(training_step, plan), plan)
    if got is None or expected is None:
        return None
    judgement = value(got, expected, 1e-4)
    if judgement.passed:
        return judgement._replace(got="three steps that go the library's way")
    *_, moved = got
    if moved == 0:
        return judgement._replace(diagnosis="the weights have not moved")
    if not same(got[0], expected[0], 1e-4):
        return judgement._replace(diagnosis="at the first step, the total loss is not that before the weights move")
    if same(got[1], expected[1], 1e-4):
        return judgement._replace(diagnosis="the first step is right, but later ones go too far: gradients add up")
    return judgement._replace(diagnosis="the first step moves the weights another way")


EXERCISES["03.a"] = Exercise(
    judge_step,
    "Four lines: the losses of net(frames), zero_grad, backward of the total, step. Gradients add up until zero_grad.",
    lambda plan: partial(training_step, plan),
)


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
