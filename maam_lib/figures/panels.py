"""What all figures share: the colours, empty panels for pictures, a picture in a panel.

Abnormal is orange, the network's alarm blue: both tell apart for colour-blind readers and in gray print.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

ABNORMAL, ALARM, QUIET = "#E69F00", "#0072B2", "#5d6b7a"
BRANCH_COLOURS = {"appearance": "#009E73", "motion": "#CC79A7", "fused": ALARM}
HEAT = "inferno"  # of errors: black is none
SIGNED = "PuOr_r"  # of errors with a sign, those of a speed: orange above 0, white 0, purple below


def canvas(rows: int, columns: int, shape: tuple[int, ...], below: float = 0.0) -> tuple[Figure, np.ndarray]:
    """Empty panels for pictures of a frame's shape, 11 inches wide at most, and so many inches below them."""
    width = min(11 / columns, 3.2)
    figure, axes = panels(rows * columns, columns, (width, width * shape[0] / shape[1] + 0.28 + below / rows))
    return figure, np.array(axes, object).reshape(rows, columns)


def panels(count: int, columns: int, size: tuple[float, float], sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """So many panels of a size (width, height) in inches, in rows of at most `columns`, 11 inches wide at most."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figsize = (min(size[0] * columns, 11), size[1] * rows)
    figure, axes = plt.subplots(rows, columns, figsize=figsize, squeeze=False, layout="constrained", sharey=sharey)
    for axis in axes.flat[count:]:
        axis.axis("off")
    return closed(figure), list(axes.flat[:count])


def picture(
    axis: Axes, values: np.ndarray, title: str, cmap: str = "gray", over: tuple[int, ...] | None = None
) -> None:
    """A frame or map in a panel, in its own pixels or stretched over those of a frame of shape `over`.

    uint8 keeps its gray levels, other maps use their own range.
    """
    h, w = (over or values.shape)[:2]
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    low, high = (0, 255) if values.dtype == np.uint8 else (None, None)
    axis.imshow(values, cmap=cmap, vmin=low, vmax=high, extent=(0, w, h, 0))
    axis.set_title(title, fontsize=8, parse_math=False)  # names of clips may hold dollars
    axis.set(xticks=[], yticks=[])


def error_picture(
    axis: Axes, values: np.ndarray, title: str, over: tuple[int, ...] | None = None, like: np.ndarray | None = None
) -> None:
    """A map of errors, or of their patch sums, in a panel as `picture`, from 0 to its largest or to that of others,
    `like`.

    Where some are below 0 it is of a predicted speed: purple goes as far as orange does, and the title says so.
    """
    range_of = values if like is None else like
    most = max(float(np.abs(range_of).max()), 1e-12)
    if range_of.min() >= 0:
        picture(axis, values, title, HEAT, over)
        axis.images[0].set_clim(0, most)
        return
    picture(axis, values, f"{title} (orange > 0)", SIGNED, over)
    axis.images[0].set_clim(-most, most)


def colour_bar(
    figure: Figure, axis: Axes, label: str, threshold: float | None = None, of: np.ndarray | None = None
) -> None:
    """A bar of a picture's colours with the unit and, marked in blue, the threshold of alarms.

    It lies below the picture's panel, or below the middle of all panels that share its colours, `of` (rows, columns).
    """
    if of is None:
        inch = figure.dpi / axis.get_window_extent().height
        how: dict[str, Any] = {"cax": axis.inset_axes((0, -0.3 * inch, 1, 0.1 * inch)), "orientation": "horizontal"}
    else:
        inch = 1 / figure.get_figheight()
        how = {"ax": list(of.flat), "location": "bottom", "shrink": 0.6, "aspect": 60}
        how |= {"fraction": 0.15 * inch, "pad": 0.08 * inch}
    bar = figure.colorbar(axis.images[0], **how)
    bar.set_label(label, fontsize=8, labelpad=1)
    bar.ax.tick_params(labelsize=8, pad=1, length=2)
    if threshold is not None:
        on_top = {"transform": bar.ax.get_xaxis_transform(), "clip_on": False}
        bar.ax.axvline(threshold, color=ALARM, linewidth=2)
        bar.ax.plot([threshold], [1.4], "v", color=ALARM, markersize=6, **on_top)
        bar.ax.text(threshold, 1.5, f"   alarm from {threshold:.3g}", color=ALARM, fontsize=8, va="center", **on_top)


def mark(axis: Axes, places: Mapping[str, float] | None, height: float) -> None:
    """Dashed vertical lines with their names, at a height between 0 and 1."""
    for name, value in (places or {}).items():
        axis.axvline(value, color=QUIET, linestyle="--", linewidth=1)
        axis.annotate(f" {name}", (value, height), xycoords=("data", "axes fraction"), fontsize=8, color=QUIET)


def tint(axis: Axes, where: np.ndarray, colour: str) -> None:
    """Colour the marked pixels of a picture, see-through."""
    h, w = where.shape
    axis.imshow(np.where(where, 1.0, np.nan), cmap=ListedColormap([colour]), alpha=0.45, extent=(0, w, h, 0))


def closed(figure: Figure) -> Figure:
    """Take the figure from pyplot's list, so that a notebook shows it once: where it is the cell's value."""
    plt.close(figure)
    return figure
