"""Figures of the memory: which items answer a query, what the items are, where they lie."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from maam_lib.figures.panels import ABNORMAL, ALARM, QUIET, closed, picture
from maam_lib.figures.plots import fastest, flow_colours, heat_over_frame


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

    Each row holds `title`, `frame` uint8 (H, W, C), `flow` (H, W, 2) in pixels per frame, all in one colour scale, and
    `patches`, a list of (title, uint8 square).
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
        picture(line[1], flow_colours(row["flow"], largest), f"flow, full colour {largest:.1f} px")
        for axis in line[2:]:
            axis.axis("off")
        for axis, (title, patch) in zip(line[2:], row["patches"], strict=False):
            picture(axis, patch, title)
            axis.axis("on")
    return closed(figure)


def items_in_a_plane(
    placed: Mapping[str, tuple[np.ndarray, np.ndarray]], abnormal: np.ndarray, used: np.ndarray
) -> Figure:
    """Queries and items in the plane, one panel per method: (Q, 2) and (N, 2); bool abnormal (Q,), used (N,)."""
    figure, axes = plt.subplots(1, len(placed), figsize=(5.5 * len(placed), 4.4), squeeze=False, layout="constrained")
    for axis, (method, (queries, items)) in zip(axes[0], placed.items(), strict=True):
        axis.scatter(*queries[~abnormal].T, s=12, color=QUIET, alpha=0.4, linewidths=0, label="normal queries")
        axis.scatter(*queries[abnormal].T, s=18, color=ABNORMAL, linewidths=0, label="abnormal queries")
        axis.scatter(*items[used].T, s=34, marker="P", color=ALARM, edgecolor="white", linewidths=0.6, label="items")
        axis.scatter(*items[~used].T, s=22, marker="x", color="black", linewidths=1, label="items that nobody asks")
        axis.set(title=method, xticks=[], yticks=[])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    shown = [(handle, label) for handle, label in zip(handles, labels, strict=True) if len(handle.get_offsets())]
    figure.legend(*zip(*shown, strict=True), frameon=False, fontsize=9, loc="outside lower center", ncols=4)
    return closed(figure)
