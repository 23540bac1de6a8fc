"""Every figure draws small arrays without a warning, with the panels it promises, and leaves nothing in pyplot."""

import inspect
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from maam_lib.evaluation.result import Epoch, MotionError
from maam_lib.figures import events, motion, pictures, plots

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
    "psi": 0.25,
    "worst": MASK,
}
SIGNED = MAP - 0.4
SPEED = FLOW[..., :1]
OF_SPEED = STEPS | {"flow_hat": SPEED, "motion": SIGNED, "motion_sums": SIGNED[:4, :6], "fused": SIGNED[:4, :6]}
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
OBJECTS = pd.DataFrame({"clip": "a", "what": ["bicycle", "cart", "skater"], "first": [1, 2, 4], "last": [3, 3, 4]})
FRAMES = pd.DataFrame({"clip": ["a"] * 6 + ["b"] * 2, "frame": [*range(6), 0, 1], "label": [0, 1, 1, 1, 1, 0, 0, 0]})
FOUND = FRAMES.assign(speed=[True, True, True, False, True, False, False, False], network=True)
SPEED_ROW = {"frame": GRAY, "mask": MASK, "speed": MAP, "error": 2 * MAP - 1, "speed_patch": MASK, "error_patch": MASK}
LEARNED = pd.DataFrame(
    [
        ("a", 0, 1, -0.05, 0.95),
        ("a", 0, 2, 0.2, 0.8),
        ("a", 1, 2, 0.1, 0.85),
        ("b", 0, 1, -1.5, 0.3),
        ("b", 0, 3, 0, 0.96),
    ],
    columns=["training", "seed", "epoch", "learned", "auc"],
)
SHARES = {"appearance_share": MAP[:4, :6], "motion_share": 2 * MAP[:4, :6], "fused_sums": 3 * MAP[:4, :6]}
ROW = {"frame": GRAY, "found": MASK, "mask": MASK, "threshold": np.float64(2.0)} | SHARES

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
        11,
        12,
    ),
    "detection_rows in the paper's colours": (lambda: pictures.detection_rows([ROW], ["a"], palette="paper"), 6, 8),
    "detection_rows of a speed": (lambda: pictures.detection_rows([ROW | {"motion_share": SIGNED}], ["a"]), 6, 6),
    "query_answers": (lambda: pictures.query_answers(GRAY, (1, 2), WEIGHTS, [4, 0, 2], 4), 5, 7),
    "item_gallery": (lambda: pictures.item_gallery([ITEM, ITEM | {"patches": ITEM["patches"][:1]}]), 8, 7),
    "items_in_a_plane": (
        lambda: plots.items_in_a_plane({"PCA": PLACED, "t-SNE": PLACED}, np.arange(9) % 3 == 0, np.arange(5) > 0),
        2,
        0,
    ),
    "slow_motion": (lambda: pictures.slow_motion(STEPS), 10, 10),
    "slow_motion with a threshold": (lambda: pictures.slow_motion(STEPS, 0.5), 10, 10),
    "slow_motion of a speed": (lambda: pictures.slow_motion(OF_SPEED), 10, 10),
    "item_gallery of speeds": (lambda: pictures.item_gallery([ITEM | {"flow": SPEED}]), 4, 4),
    "frames_against_patches of a speed": (lambda: pictures.frames_against_patches([OF_SPEED, STEPS], ["a", "b"]), 6, 6),
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
    "event_timelines": (lambda: events.event_timelines(OBJECTS, FOUND), 2, 0),
    "speed_against_error": (
        lambda: events.speed_against_error([SPEED_ROW, SPEED_ROW | {"mask": EMPTY}], ["a", "b"], "pixels per frame"),
        7,
        6,
    ),
    "auc_against_motion": (lambda: motion.auc_against_motion(LEARNED, {"speed": 0.97, "zero": 0.96}), 1, 0),
    "auc_against_motion with a printed one": (
        lambda: motion.auc_against_motion(LEARNED, {"zero": 0.96}, {"paper": 0.98}),
        1,
        0,
    ),
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
        for module in (events, motion, pictures, plots)
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


def test_a_predicted_speed_is_gray_and_says_its_scale() -> None:
    """It has no direction, so no hue: white where nothing moves (or less than nothing is predicted), black at most."""
    fast, slow, none, below = pictures.flow_colours(np.array([[[2.0], [0.5], [0], [-1]]]), 2)[0]
    np.testing.assert_allclose([fast, slow, none, below], np.repeat([[0], [0.75], [1], [1]], 3, axis=1))
    assert pictures.fastest(SPEED, FLOW) == np.hypot(*FLOW.transpose(2, 0, 1)).max()
    titles = [axis.get_title() for axis in pictures.slow_motion(OF_SPEED).axes]
    assert f"predicted speed (black: {pictures.fastest(FLOW):.1f} px)" in titles
    assert pictures.item_gallery([ITEM | {"flow": SPEED}]).axes[1].get_title() == f"speed, black {SPEED.max():.1f} px"


def test_errors_with_a_sign_are_white_at_zero_and_orange_where_things_are_faster() -> None:
    row = pictures.detection_rows([ROW | {"motion_share": 9 * SIGNED}], ["a"]).axes
    motion = row[2].images[0]
    assert row[2].get_title() == "(1 − ψ) × motion (orange > 0)"
    most = 9 * np.abs(SIGNED).max()
    limits = {(*axis.images[0].get_clim(), axis.images[0].get_cmap().name) for axis in row[1:4]}
    assert limits == {(-most, most, "PuOr_r")}, "what is added to it has the same scale"
    slower, none, faster = motion.get_cmap()([0.1, 0.5, 0.9])[:, :3]
    assert faster[0] > faster[2] + 0.3, "orange: more red than blue"
    assert slower[2] > slower[0] + 0.1, "purple: more blue than red"
    assert none.min() > 0.95
    shown = [axis.images[0] for axis in pictures.frames_against_patches([OF_SPEED, STEPS], ["a", "b"]).axes]
    limits = {(shown[i].norm.vmin, shown[i].norm.vmax, shown[i].get_cmap().name) for i in (2, 5)}
    assert limits == {(-MAP.max(), MAP.max(), "PuOr_r")}, "both frames in the same colours"


def test_all_maps_of_a_score_share_one_scale_that_holds_the_threshold() -> None:
    """A miss is as dark as its score is low: nothing is brightened to the largest of its own row."""
    miss = {name: sums / 10 for name, sums in SHARES.items()}
    most = 3 * MAP[:4, :6].max()
    for threshold, top in ((2.0, most), (7.0, 7.0)):
        at = {"threshold": np.float64(threshold)}
        *panels, bar = pictures.detection_rows([ROW | at, ROW | at | miss], ["hit", "miss"]).axes
        maps = [panels[i].images[0] for i in (1, 2, 3, 6, 7, 8)]
        assert {shown.get_clim() for shown in maps} == {(0, top)}
        assert [line.get_xdata()[0] for line in bar.lines] == [threshold] * 2
        assert f"alarm from {threshold:.3g}" in bar.texts[0].get_text()


def test_slow_motion_shows_what_is_added_up() -> None:
    axes = pictures.slow_motion(STEPS, threshold=0.5).axes
    above, below, fused = axes[3], axes[8], axes[4]
    np.testing.assert_allclose(above.images[0].get_array(), 0.25 * STEPS["appearance_sums"])
    np.testing.assert_allclose(below.images[0].get_array(), 0.75 * STEPS["motion_sums"])
    assert {axis.images[0].get_clim() for axis in (above, below, fused)} == {(0, STEPS["fused"].max())}
    assert (above.get_title(), below.get_title()) == ("0.25 × patch sums", "0.75 × patch sums")
    [bar] = below.child_axes
    assert bar.lines[0].get_xdata()[0] == 0.5
    assert axes[2].get_title() == f"appearance error, up to {MAP.max():.1f}"


def test_histograms_are_shares_of_their_own_values() -> None:
    axis = plots.histograms({"a": np.array([0.0, 0, 0, 1]), "b": np.array([1.0])}, "x", bins=2).axes[0]
    heights = [max(patch.get_xy()[:, 1]) for patch in axis.patches]
    assert heights == [0.75, 1]
    assert axis.get_ylabel() == "share in each bin"
    assert [label.get_text() for label in axis.get_yticklabels()][-1].endswith("%")


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


def test_a_timeline_shows_objects_apart_and_what_each_score_finds() -> None:
    figure = events.event_timelines(OBJECTS, FOUND)
    bars = [
        (path.vertices[:, 0].min(), path.vertices[:, 0].max(), path.vertices[:, 1].min(), bar.get_facecolor()[0])
        for bar in figure.axes[0].collections
        for path in bar.get_paths()
    ]
    things = sorted((bottom, first, last) for first, last, bottom, _ in bars if bottom > 0)
    assert things == [(0.1, 2, 4), (1.1, 1, 4), (1.1, 4, 5)], "the skater begins where the bicycle has ended"
    states = {colour.lower(): state for state, colour in events.STATE_COLOURS.items()}
    of_speed = [(first, last, states[to_hex(colour)]) for first, last, bottom, colour in bars if bottom == -1.3]
    assert of_speed == [(0, 1, "false alarm"), (1, 3, "found"), (3, 4, "missed"), (4, 5, "found"), (5, 6, "normal")]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["speed", "network"]
    assert [text.get_text() for text in figure.legends[0].get_texts()][:3] == ["bicycle", "cart", "skater"]


def test_speed_and_error_have_one_colour_scale() -> None:
    rows = [SPEED_ROW, SPEED_ROW | {"error": 7 * MAP}]
    maps = [axis.images[0] for axis in events.speed_against_error(rows, ["a", "b"], "pixels per frame").axes[:6]]
    limits = {maps[i].get_clim() for i in (1, 2, 4, 5)}
    assert limits == {(0, 7 * MAP.max())}
    assert maps[0].get_clim() == (0, 255), "of a frame"


def test_every_epoch_is_where_it_was_measured_and_the_last_of_each_seed_is_large() -> None:
    axis = motion.auc_against_motion(LEARNED, {"zero flow": 0.96}, {"paper": 0.98}).axes[0]
    dots: dict[float, list] = {}
    for line in axis.lines:
        if line.get_marker() == "o":
            at = sorted(zip(line.get_xdata(), line.get_ydata(), strict=True))
            dots.setdefault(line.get_markersize(), []).append(at)
    assert dots[max(dots)] == [[(0.1, 0.85), (0.2, 0.8)], [(0, 0.96)]]
    assert dots[min(dots)] == [[(-0.05, 0.95), (0.1, 0.85), (0.2, 0.8)], [(-1.5, 0.3), (0, 0.96)]]
    assert "1 further left" in axis.get_title(loc="left"), "of a network that is worse than none"
    assert axis.get_xlim()[0] == motion.LEFT
    assert axis.get_ylim()[0] == pytest.approx(0.8 - motion.MARGIN), "what is off the axis does not stretch it"


def test_names_beside_the_axis_keep_their_order_and_their_distance() -> None:
    close = LEARNED.assign(
        training=[f"t{i}" for i in range(5)], learned=0.1, auc=[0.9, 0.901, 0.902, 0.95, 0.8], seed=0
    )
    axis = motion.auc_against_motion(close, {"zero flow": 0.96}).axes[0]
    places = {text.get_text(): text.xy[1] for text in axis.texts if text.get_text().startswith("t")}
    in_order = sorted(places, key=lambda name: places[name])
    assert in_order == ["t4", "t0", "t1", "t2", "t3"]
    assert np.diff(sorted(places.values())).min() >= motion.LEAST_GAP - 1e-9
