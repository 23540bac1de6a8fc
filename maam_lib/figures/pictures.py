"""Figures of frames, flows and maps: pictures side by side, in rows, or one over the other.

Frames are (H, W) or (H, W, C) uint8, flows (H, W, 2) and speeds (H, W, 1) in pixels per frame, maps (H, W).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from maam_lib.figures.panels import ABNORMAL, ALARM, canvas, closed, colour_bar, error_picture, panels, picture, tint


def filmstrip(
    frames: Sequence[np.ndarray], titles: Sequence[str], masks: Sequence[np.ndarray] | None = None, columns: int = 4
) -> Figure:
    """Frames side by side, in rows of at most `columns`; abnormal pixels, where masks (H, W) are given, outlined."""
    rows = -(-len(frames) // columns)
    figure, axes = canvas(rows, min(columns, len(frames)), frames[0].shape)
    for axis in axes.flat[len(frames) :]:
        axis.axis("off")
    for i, (axis, frame, title) in enumerate(zip(axes.flat, frames, titles, strict=False)):
        picture(axis, frame, title)
        if masks is not None and masks[i].any():
            axis.contour(masks[i], levels=[0.5], colors=ABNORMAL, linewidths=1.5)
    return figure


def frame_and_flow(frame: np.ndarray, flows: Mapping[str, np.ndarray]) -> Figure:
    """A frame and flows of it in one colour scale: hue is direction, strength is speed; the wheel shows which."""
    largest = fastest(*flows.values())
    figure, axes = canvas(1, len(flows) + 2, frame.shape)
    picture(axes[0, 0], frame, "frame")
    for axis, (title, flow) in zip(axes[0, 1:], flows.items(), strict=False):
        picture(axis, flow_colours(flow, largest), title)
    y, x = np.mgrid[-1:1:101j, -1:1:101j]
    wheel = flow_colours(np.stack([x, y], axis=-1) * (np.hypot(x, y) <= 1)[..., None], 1)
    picture(axes[0, -1], wheel, f"edge: {largest:.1f} pixels per frame")
    return figure


def fastest(*flows: np.ndarray) -> float:
    """The largest speed in some flows (H, W, 2) or speeds (H, W, 1), in their pixels per frame."""
    return max(float(_speed(flow).max()) for flow in flows)


def flow_colours(flow: np.ndarray, largest: float) -> np.ndarray:
    """A flow (H, W, 2) as RGB in [0, 1]: hue its direction, saturation its speed relative to `largest`.

    A speed (H, W, 1) has no direction and is gray: white where nothing moves, black where it is `largest`.
    """
    speed = np.clip(_speed(flow) / max(largest, 1e-6), 0, 1)
    if flow.shape[2] == 1:
        return np.repeat(1 - speed[..., None], 3, axis=2)
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    return hsv_to_rgb(np.stack([hue, speed, np.ones_like(speed)], axis=-1))


def _speed(flow: np.ndarray) -> np.ndarray:
    """The speed (H, W) of a flow (H, W, 2), or as it is predicted, (H, W, 1)."""
    return flow[..., 0] if flow.shape[2] == 1 else np.hypot(flow[..., 0], flow[..., 1])


def detection_rows(
    rows: Sequence[Mapping[str, np.ndarray]], titles: Sequence[str], palette: Literal["safe", "paper"] = "safe"
) -> Figure:
    """Per row: frame, what appearance and motion add to the score, their sum, and where the alarm is (paper Fig. 1, 8
    and 9).

    All maps of all rows share one scale, on which the threshold is marked: a miss is as dark as its score is low.
    Each row holds `frame`, patch sums `appearance_share`, `motion_share`, `fused_sums` (ph, pw), their `threshold`, and
    `found` and `mask` (bool). Motion errors of a speed are signed: orange is faster than predicted, purple slower.
    palette: "safe" is blue for the alarm and an orange outline for the truth; "paper" the paper's red (alarm),
    green (truth) and yellow (both), which not every eye tells apart.
    """
    shape, threshold = rows[0]["frame"].shape, float(rows[0]["threshold"])
    figure, axes = canvas(len(rows), 5, shape, below=0.6)
    maps = {"appearance_share": "ψ × appearance", "motion_share": "(1 − ψ) × motion", "fused_sums": "fused: both added"}
    scale = np.array(
        [threshold, *(extreme(row[name]) for row in rows for name in maps for extreme in (np.min, np.max))]
    )
    for line, row, title in zip(axes, rows, titles, strict=True):
        picture(line[0], row["frame"], title)
        for axis, (name, words) in zip(line[1:4], maps.items(), strict=True):
            error_picture(axis, row[name], words, shape, like=scale)
        if palette == "paper":
            picture(line[4], row["frame"], "alarm red, truth green, both yellow")
            parts = {"red": row["found"] & ~row["mask"], "lime": row["mask"] & ~row["found"]}
            for colour, where in (parts | {"yellow": row["found"] & row["mask"]}).items():
                tint(line[4], where, colour)
            continue
        picture(line[4], row["frame"], "alarm (blue), truth (orange)")
        tint(line[4], row["found"], ALARM)
        if row["mask"].any():
            line[4].contour(row["mask"], levels=[0.5], colors=ABNORMAL, linewidths=1.4)
    colour_bar(figure, axes[0, 1], "patch sum", threshold, of=axes)
    return figure


def heat_over_frame(
    frame: np.ndarray, maps: Mapping[str, np.ndarray], unit: str, step: int | None = None, title: str = "frame"
) -> Figure:
    """A frame, and maps over it in one colour scale: of any grid, stretched, or of cells of `step` pixels."""
    figure, axes = canvas(1, len(maps) + 1, frame.shape)
    picture(axes[0, 0], frame, title)
    top = max(float(m.max()) for m in maps.values())
    h, w = frame.shape[:2]
    for axis, (name, values) in zip(axes[0, 1:], maps.items(), strict=True):
        picture(axis, frame, name)
        height, width = (h, w) if step is None else (values.shape[0] * step, values.shape[1] * step)
        heat = axis.imshow(values, cmap="viridis", alpha=0.75, extent=(0, width, height, 0), vmin=0, vmax=top)
        axis.set(xlim=(0, w), ylim=(h, 0))
    figure.colorbar(heat, ax=axes[0, -1], label=unit, shrink=0.8)
    return figure


def maps_side_by_side(maps: Mapping[str, np.ndarray], unit: str, xlabel: str = "", ylabel: str = "") -> Figure:
    """Maps (rows, columns) by name, square cells, each with a colour scale of its own; no scale without a unit."""
    figure, axes = panels(len(maps), len(maps), (4, 3.6))
    for axis, (title, values) in zip(axes, maps.items(), strict=True):
        heat = axis.imshow(values, cmap="viridis")
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.set_title(title, fontsize=9)
        if unit:
            figure.colorbar(heat, ax=axis, label=unit, location="bottom", shrink=0.8)
    return figure


def query_answers(
    frame: np.ndarray, cell: tuple[int, int], weights: np.ndarray, chosen: Sequence[int], step: int
) -> Figure:
    """One asker (orange square) and the items that answer it: where on the frame each of them answers as well.

    weights (N, h, w) of this frame; chosen: the items to show, strongest first; step: pixels per place of the grid.
    Colours run from no weight to the strongest among them.
    """
    maps = {f"item {item}: weight {weights[item][cell]:.3f} here": weights[item] for item in chosen}
    figure = heat_over_frame(frame, maps, "weight", step, f"asker: row {cell[0]}, column {cell[1]}")
    for axis in figure.axes[: len(chosen) + 1]:
        corner = (cell[1] * step, cell[0] * step)
        axis.add_patch(Rectangle(corner, step, step, fill=False, edgecolor=ABNORMAL, linewidth=2))
    return figure


def item_gallery(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """One row per item: the frame and the flow decoded from it alone, then the training patches most like it.

    Each row holds `title`, `frame` uint8 (H, W, C), `flow` (H, W, 2) or speed (H, W, 1) in pixels per frame, all in one
    colour scale, and `patches`, a list of (title, uint8 square).
    """
    most = max(len(row["patches"]) for row in rows)
    largest = fastest(*(row["flow"] for row in rows))
    h, w = rows[0]["frame"].shape[:2]
    ratios = [w / h, w / h, *[1] * most]
    side = 11 / sum(ratios)
    size = (11, (side + 0.3) * len(rows))
    figure, axes = plt.subplots(
        len(rows), len(ratios), figsize=size, squeeze=False, layout="constrained", width_ratios=ratios
    )
    for line, row in zip(axes, rows, strict=True):
        picture(line[0], row["frame"], row["title"])
        scale = "speed, black" if row["flow"].shape[2] == 1 else "flow, full colour"
        picture(line[1], flow_colours(row["flow"], largest), f"{scale} {largest:.1f} px")
        for axis, (title, patch) in zip(line[2:], row["patches"], strict=False):
            picture(axis, patch, title)
        for axis in line[2 + len(row["patches"]) :]:
            axis.axis("off")
    return closed(figure)


def slow_motion(steps: Mapping[str, Any], threshold: float | None = None) -> Figure:
    """Algorithm 1 on one frame, left to right: input, output, error, weighted patch sums; above appearance, below
    motion; then the fused sums, and the worst patch (blue) on the frame.

    The patch sums share one scale of colours, on which the threshold is marked. Errors per pixel have units of their
    own, and their titles say where their scales end.
    steps: `frame`, `frame_hat` uint8 (H, W, C), `flow`, `flow_hat` (H, W, 2), or (H, W, 1) of a speed, `appearance`,
    `motion` (H, W), `appearance_sums`, `motion_sums`, `fused` (ph, pw), `psi`, `worst` bool (H, W).
    """
    shape, largest = steps["frame"].shape, fastest(steps["flow"], steps["flow_hat"])
    figure, axes = canvas(2, 5, shape, below=0.6)
    psi = float(steps["psi"])
    shares = {"appearance": psi * steps["appearance_sums"], "motion": (1 - psi) * steps["motion_sums"]}
    scale = np.concatenate([np.ravel(sums) for sums in (*shares.values(), steps["fused"], threshold or 0.0)])
    weights = {"appearance": f"{psi:.3g}", "motion": f"{1 - psi:.3g}"}
    picture(axes[0, 0], steps["frame"], "frame I")
    picture(axes[0, 1], steps["frame_hat"], "rebuilt")
    picture(axes[1, 0], flow_colours(steps["flow"], largest), f"flow F (full colour: {largest:.1f} px)")
    of_speed = steps["flow_hat"].shape[2] == 1
    predicted = f"predicted speed (black: {largest:.1f} px)" if of_speed else "predicted"
    picture(axes[1, 1], flow_colours(steps["flow_hat"], largest), predicted)
    for line, branch in zip(axes, ("appearance", "motion"), strict=True):
        error_picture(line[2], steps[branch], f"{branch} error, up to {np.abs(steps[branch]).max():.1f}")
        error_picture(line[3], shares[branch], f"{weights[branch]} × patch sums", shape, like=scale)
    error_picture(axes[0, 4], steps["fused"], "fused: both added", shape, like=scale)
    picture(axes[1, 4], steps["frame"], "the worst patch: the score")
    axes[1, 4].contour(steps["worst"], levels=[0.5], colors=ALARM, linewidths=2)
    colour_bar(figure, axes[-1, 3], "patch sum", threshold)
    return figure


def frames_against_patches(rows: Sequence[Mapping[str, np.ndarray]], titles: Sequence[str]) -> Figure:
    """Why patches (paper Fig. 4): per row a frame and both error maps, all rows in the same colours, with the patch of
    the largest fused sum (blue).

    Each row holds `frame` uint8 (H, W, C), `appearance`, `motion` (H, W) and `worst` bool (H, W).
    """
    figure, axes = canvas(len(rows), 3, rows[0]["frame"].shape, below=0.6)
    errors = {name: np.stack([row[name] for row in rows]) for name in ("appearance", "motion")}
    for line, row, title in zip(axes, rows, titles, strict=True):
        picture(line[0], row["frame"], title)
        for axis, name in zip(line[1:], errors, strict=True):
            error_picture(axis, row[name], f"{name} error", like=errors[name])
        for axis in line:
            axis.contour(row["worst"], levels=[0.5], colors=ALARM, linewidths=2)
    colour_bar(figure, axes[-1, 1], "squared error of a pixel")
    colour_bar(figure, axes[-1, 2], "motion error of a pixel")
    return figure
