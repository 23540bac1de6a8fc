"""Every figure draws small arrays without a warning, with the panels it promises, and leaves nothing in pyplot."""

import inspect
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from maam_lib.evaluation.result import Epoch, MotionError
from maam_lib.figures import pictures, plots

RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 256, (16, 24, 1), np.uint8)
COLOUR = RANDOM.integers(0, 256, (16, 24, 3), np.uint8)
FLOW = RANDOM.normal(size=(16, 24, 2))
MAP = RANDOM.random((16, 24))
MASK = MAP > 0.8
EMPTY = np.zeros_like(MASK)
LINE = (np.arange(5), np.linspace(0, 1, 5))
HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "total": [1, 0.5], "appearance": [0.5, 0.2], "motion": [0.3, 0.2], "zero_flow": [0.3, 0.3]}
).assign(support_items=[4, 3])
SCORES = pd.DataFrame({"frame": range(6), "label": [0, 0, 1, 1, 0, 0], "fused": [*LINE[1].tolist(), 0.5]})
WEIGHTS = RANDOM.random((5, 4, 6))
ITEM = {"title": "item 3", "frame": GRAY, "flow": FLOW, "patches": [("a", GRAY[:8, :8]), ("b", GRAY[:8, :8])]}
STEPS = {
    "frame": GRAY,
    "frame_hat": GRAY,
    "flow": FLOW,
    "flow_hat": FLOW,
    "appearance": MAP,
    "motion": MAP,
    "appearance_sums": MAP[:4, :6],
    "motion_sums": MAP[:4, :6],
    "fused": MAP[:4, :6],
    "worst": MASK,
}
PLACED = (RANDOM.normal(size=(9, 2)), RANDOM.normal(size=(5, 2)))
TABLE = pd.DataFrame([[0.9, 0.8], [0.7, 0.95], [0.6, 0.5]], index=[8, 16, 24], columns=[4, 8])
EPOCHS = [
    Epoch(
        epoch=n,
        auc=0.8 + n / 10,
        auc_motion=0.7,
        auc_appearance=0.6,
        motion_error_to_zero_flow=MotionError(train=1, test_normal=1 / n),
    )
    for n in (1, 2)
]
ROW = {"frame": GRAY, "appearance": MAP, "motion": MAP, "fused": MAP, "found": MASK, "mask": MASK}

# name: (call, axes, pictures)
CASES: dict[str, tuple[Callable[[], Figure], int, int]] = {
    "filmstrip": (lambda: pictures.filmstrip([GRAY, COLOUR], ["a", "b"], [MASK, EMPTY]), 2, 2),
    "filmstrip in two rows": (lambda: pictures.filmstrip([GRAY] * 5, list("abcde")), 8, 5),
    "frame_and_flow": (lambda: pictures.frame_and_flow(GRAY, {"one": FLOW, "other": 2 * FLOW}), 4, 4),
    "frame_and_flow without motion": (lambda: pictures.frame_and_flow(COLOUR, {"none": 0 * FLOW}), 3, 3),
    "training_curves": (lambda: plots.training_curves(HISTORY), 3, 0),
    "score_curves": (lambda: plots.score_curves({"a": SCORES, "b": SCORES, "c": SCORES}, threshold=0.5), 4, 0),
    "detection_rows": (
        lambda: pictures.detection_rows([ROW, ROW | {"mask": EMPTY, "found": EMPTY}], ["a", "b"]),
        10,
        12,
    ),
    "detection_rows in the paper's colours": (lambda: pictures.detection_rows([ROW], ["a"], palette="paper"), 5, 8),
    "query_answers": (lambda: pictures.query_answers(GRAY, (1, 2), WEIGHTS, [4, 0, 2], 4), 5, 7),
    "item_gallery": (lambda: pictures.item_gallery([ITEM, ITEM | {"patches": ITEM["patches"][:1]}]), 8, 7),
    "items_in_a_plane": (
        lambda: plots.items_in_a_plane({"PCA": PLACED, "t-SNE": PLACED}, np.arange(9) % 3 == 0, np.arange(5) > 0),
        2,
        0,
    ),
    "slow_motion": (lambda: pictures.slow_motion(STEPS), 10, 10),
    "frames_against_patches": (lambda: pictures.frames_against_patches([STEPS, STEPS], ["a", "b"]), 6, 6),
    "heat_table": (lambda: plots.heat_table(TABLE, "AUC", mark=(1, 0)), 2, 1),
    "roc_curves": (lambda: plots.roc_curves({"fused": (*LINE, 0.9), "zero_flow": (*LINE, 0.5)}), 1, 0),
    "roc_curves with points": (lambda: plots.roc_curves({"fused": (*LINE, 0.9)}, {"EER": (0.2, 0.8)}), 1, 0),
    "heat_over_frame": (lambda: pictures.heat_over_frame(GRAY[..., 0], {"a": MAP[:4, :4], "b": MAP}, "items"), 4, 5),
    "histograms": (lambda: plots.histograms({"a": MAP.ravel(), "b": MAP[0]}, "x", marks={"mark": 0.5}), 1, 0),
    "item_usage": (lambda: plots.item_usage(np.array([0.5, 0.0, 0.3, 0.2]), "title"), 1, 0),
    "curves": (lambda: plots.curves({"fused": LINE, "other": LINE}, "x", "y", {"mark": 2}), 1, 0),
    "paired_differences": (
        lambda: plots.paired_differences({"one": {"a": [0.1, 0.2], "b": [-0.1]}, "other": {"b": [], "c": [0]}}, "x"),
        1,
        0,
    ),
    "maps_side_by_side": (lambda: pictures.maps_side_by_side({"a": MAP, "b": MAP[:2]}, "unit"), 4, 2),
    "support_bars": (
        lambda: plots.support_bars({name: ({"neither loss": [], "both": [5, 6]}, 10) for name in "abcde"}),
        8,
        0,
    ),
    "knob_lines": (lambda: plots.knob_lines({"a": {"1": [0.8], "10": [0.7]}}, {"b": {"1": [0.9]}}, "x"), 1, 0),
    "epoch_curves": (lambda: plots.epoch_curves({0: EPOCHS, 1: EPOCHS}, ("zero flow", 0.9), 0.9), 2, 0),
    "bars_with_spread": (lambda: plots.bars_with_spread({"a": [0.5, 0.7], "b": [0.6]}, "AUC", {"line": 0.55}), 1, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_figure_draws(case: str) -> None:
    draw, axes, pictures = CASES[case]
    figure = draw()
    figure.canvas.draw()  # warnings of the layout come only here, and are errors in tests
    assert len(figure.axes) == axes
    assert sum(len(axis.images) for axis in figure.axes) == pictures
    assert plt.get_fignums() == [], "shown twice in a notebook otherwise"


def test_every_figure_function_is_tried() -> None:
    public = {
        name
        for module in (pictures, plots)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert public - {"flow_colours", "fastest", "abnormal_spans"} == {case.split()[0] for case in CASES}


def test_frames_keep_their_gray_levels() -> None:
    """A dark frame stays dark beside a bright one: no stretching of each to its own range."""
    picture = pictures.filmstrip([GRAY // 4], ["dark"]).axes[0].images[0]
    assert (picture.norm.vmin, picture.norm.vmax) == (0, 255)
    np.testing.assert_array_equal(picture.get_array(), GRAY[..., 0] // 4)


def test_flow_colours_tell_direction_by_hue_and_speed_by_strength() -> None:
    right, left, none = pictures.flow_colours(np.array([[[2.0, 0], [-2, 0], [0, 0]]]), 2)[0]
    np.testing.assert_allclose(right, [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(left, [0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(none, [1, 1, 1])
    slow = pictures.flow_colours(np.array([[[1.0, 0]]]), 2)[0, 0]
    np.testing.assert_allclose(slow, [1, 0.5, 0.5], atol=1e-6)


def test_abnormal_frames_are_shaded_and_only_those() -> None:
    axis = plots.score_curves({"a": SCORES}).axes[0]
    assert [(shade.get_x(), shade.get_x() + shade.get_width()) for shade in axis.patches] == [(1.5, 3.5)]


def test_few_points_of_a_curve_are_marked_and_ticks_are_whole_where_that_is_fine_enough() -> None:
    points = np.arange(1, 3), np.linspace(-1, 1, 41), np.linspace(-3, 3, 25)
    drawn = [plots.curves({"line": (x, x)}, "x", "y").axes[0] for x in points]
    assert [axis.lines[0].get_marker() for axis in drawn] == [".", "", "."]
    assert [all(float(tick).is_integer() for tick in axis.get_xticks()) for axis in drawn] == [True, False, True]


def test_a_single_abnormal_frame_can_be_seen() -> None:
    axis = plots.score_curves({"a": SCORES.assign(label=[0, 0, 0, 0, 0, 1])}).axes[0]
    assert [shade.get_width() for shade in axis.patches] == [1]


def test_epochs_are_drawn_where_they_were_measured() -> None:
    """Left every branch over the epochs, right the motion branch over its error: the very numbers of the result."""
    more = plots.epoch_curves(dict.fromkeys(range(5), EPOCHS), ("zero flow", 0.9), 0.95)
    assert "seed 4" in [text.get_text() for text in more.legends[0].get_texts()]
    left, right = plots.epoch_curves({0: EPOCHS}, ("zero flow", 0.9), 0.95).axes
    drawn = [(line.get_xdata(), line.get_ydata()) for line in left.lines if len(line.get_xdata()) == len(EPOCHS)]
    np.testing.assert_allclose(drawn[0], ([1, 2], [0.9, 1.0]))
    dots = [(list(line.get_xdata()), list(line.get_ydata())) for line in right.lines]
    assert ([1.0, 0.5], [0.7, 0.7]) in dots
    assert ([1], [0.95]) in dots, "zero flow lies at its own error"
