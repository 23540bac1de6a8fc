"""Figures of PSCD: one frame in slow motion, why patches, how much each choice matters, what a threshold gives."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from maam_lib.figures.panels import ABNORMAL, ALARM, BRANCH_COLOURS, HEAT, canvas, closed, picture
from maam_lib.figures.plots import fastest, flow_colours


def slow_motion(steps: Mapping[str, np.ndarray]) -> Figure:
    """Algorithm 1 on one frame, left to right: input, output, error, patch sums; above appearance, below motion; then
    the fused sums, and the worst patch (blue) on the frame.

    steps: `frame`, `frame_hat` uint8 (H, W, C), `flow`, `flow_hat` (H, W, 2), `appearance`, `motion` (H, W),
    `appearance_sums`, `motion_sums`, `fused` (ph, pw), `worst` bool (H, W).
    """
    shape, largest = steps["frame"].shape, fastest(steps["flow"], steps["flow_hat"])
    figure, axes = canvas(2, 5, shape)
    picture(axes[0, 0], steps["frame"], "frame I")
    picture(axes[0, 1], steps["frame_hat"], "rebuilt")
    picture(axes[1, 0], flow_colours(steps["flow"], largest), f"flow F (full colour: {largest:.1f} px)")
    picture(axes[1, 1], flow_colours(steps["flow_hat"], largest), "predicted")
    for line, branch in zip(axes, ("appearance", "motion"), strict=True):
        picture(line[2], steps[branch], f"{branch} error", cmap=HEAT)
        picture(line[3], steps[f"{branch}_sums"], "patch sums", cmap=HEAT, over=shape)
    picture(axes[0, 4], steps["fused"], "fused patch sums", cmap=HEAT, over=shape)
    picture(axes[1, 4], steps["frame"], "the worst patch: the score")
    axes[1, 4].contour(steps["worst"], levels=[0.5], colors=ALARM, linewidths=2)
    return figure


def frames_against_patches(rows: Sequence[Mapping[str, np.ndarray]], titles: Sequence[str]) -> Figure:
    """Why patches (paper Fig. 4): per row a frame and both error maps, all rows in the same colours, with the patch of
    the largest fused sum (blue).

    Each row holds `frame` uint8 (H, W, C), `appearance`, `motion` (H, W) and `worst` bool (H, W).
    """
    figure, axes = canvas(len(rows), 3, rows[0]["frame"].shape)
    top = {name: max(float(row[name].max()) for row in rows) for name in ("appearance", "motion")}
    for line, row, title in zip(axes, rows, titles, strict=True):
        picture(line[0], row["frame"], title)
        for axis, name in zip(line[1:], top, strict=True):
            picture(axis, row[name], f"{name} error", cmap=HEAT)
            axis.images[0].set_clim(0, top[name])
        for axis in line:
            axis.contour(row["worst"], levels=[0.5], colors=ALARM, linewidths=2)
    return figure


def heat_table(values: pd.DataFrame, unit: str, mark: tuple[int, int] | None = None) -> Figure:
    """A table of numbers as a heat map with the numbers in it; index and columns are named; `mark` = (row, column)."""
    rows, columns = values.shape
    size = (1.6 + 0.85 * columns, 1.4 + 0.42 * rows)
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    heat = axis.imshow(values, cmap="viridis", aspect="auto")
    light = values.to_numpy().min() + 0.6 * np.ptp(values.to_numpy())
    for i, line in enumerate(values.to_numpy()):
        for j, value in enumerate(line):
            colour = "black" if value > light else "white"
            axis.text(j, i, f"{value:.3f}", ha="center", va="center", color=colour, fontsize=9)
    if mark is not None:
        row, column = mark
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=ABNORMAL, linewidth=3))
    axis.set_xticks(range(columns), values.columns)
    axis.set_yticks(range(rows), values.index)
    axis.set(xlabel=values.columns.name, ylabel=values.index.name)
    figure.colorbar(heat, ax=axis, label=unit)
    return closed(figure)


def operating_points(curve: tuple[np.ndarray, np.ndarray], points: Mapping[str, tuple[float, float]]) -> Figure:
    """A ROC curve (false-alarm rates, hit rates) and named points on it; on the line across both errors are equal."""
    figure, axis = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    axis.plot(*curve, color=BRANCH_COLOURS["fused"], label="fused score")
    axis.plot([0, 1], [1, 0], color="#c0c8d0", linewidth=0.8, label="misses as frequent as false alarms")
    for (name, (false_alarms, hits)), marker in zip(points.items(), "osD^vP*X", strict=False):
        axis.plot(false_alarms, hits, marker, color=ABNORMAL, markeredgecolor="black", markersize=9, label=name)
    axis.set(xlabel="false-alarm rate (normal frames)", ylabel="hit rate (abnormal frames)", aspect="equal")
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)
