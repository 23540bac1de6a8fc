"""Three items in the plane, a query, and what the memory answers (Eq. 1-4; ours)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maam_lib.figures.panels import ABNORMAL, ALARM, QUIET, closed

READ_OUT = "#009E73"
Numbers = Sequence[float] | np.ndarray


def napkin(
    query: Numbers,
    items: Sequence[Numbers] | np.ndarray,
    shares: Numbers | None = None,
    weights: Numbers | None = None,
    threshold: float | None = None,
    read_out: Numbers | None = None,
) -> Figure:
    """A query (2,) and items (N, 2) as arrows in the plane; with the answer, its weights and its read-out too.

    shares, weights (N,): before and after the shrinkage, drawn as bars beside the plane; threshold: lambda of Eq. 3;
    read_out (2,). The arrow of an item is wider where its weight is larger, and pale where it is 0.
    """
    columns = 1 if weights is None else 2
    figure, axes = plt.subplots(1, columns, squeeze=False, figsize=(4.6 * columns, 4.2), layout="constrained")
    plane, beside = axes[0, 0], axes[0, -1]
    reach = max(1.9 * np.abs(np.asarray(items)).max(), 1.15 * np.abs(np.asarray(query)).max())
    plane.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="first number", ylabel="second number")
    plane.axhline(0, color="#d5dbe1", linewidth=0.8, zorder=0)
    plane.axvline(0, color="#d5dbe1", linewidth=0.8, zorder=0)
    for i, item in enumerate(items):
        weight = None if weights is None else float(weights[i])
        _arrow(plane, item, ALARM, 2 if weight is None else 1.2 + 3 * weight, 0.35 if weight == 0 else 1)
        _name(plane, item, f"item {i + 1}" if weight is None else f"item {i + 1}\nweight {weight:.2f}")
    _arrow(plane, query, "black", 1.6)
    plane.plot([], [], color="black", label="query")
    if read_out is not None:
        plane.plot([0, read_out[0]], [0, read_out[1]], color=READ_OUT, linewidth=1.6, marker="o", markevery=[1])
        plane.plot([], [], color=READ_OUT, marker="o", label=f"read-out ({read_out[0]:.2f}, {read_out[1]:.2f})")
    plane.legend(frameon=False, fontsize=9, loc="lower left")
    if shares is not None and weights is not None:
        _bars(beside, shares, weights, threshold)
    return closed(figure)


def _arrow(axis: Axes, tip: Numbers, colour: str, width: float, alpha: float = 1.0) -> None:
    look = {"arrowstyle": "-|>,head_width=0.3,head_length=0.6", "color": colour, "lw": width, "alpha": alpha}
    axis.annotate("", (tip[0], tip[1]), (0, 0), arrowprops=look | {"shrinkA": 0, "shrinkB": 0})


def _name(axis: Axes, tip: Numbers, text: str) -> None:
    """A name beyond the tip of an arrow from the origin."""
    length = max(float(np.hypot(tip[0], tip[1])), 1e-9)
    x, y = tip[0] / length, tip[1] / length
    across = "left" if x > 0.4 else "right" if x < -0.4 else "center"
    up = "bottom" if y > 0.4 else "top" if y < -0.4 else "center"
    look = {"ha": across, "va": up, "color": ALARM, "fontsize": 9}
    axis.annotate(text, (tip[0], tip[1]), (8 * x, 8 * y), textcoords="offset points", **look)


def _bars(axis: Axes, shares: Numbers, weights: Numbers, threshold: float | None) -> None:
    places = np.arange(len(shares))
    axis.bar(places - 0.2, shares, 0.38, color=ALARM, alpha=0.35, label="share (Eq. 2)")
    axis.bar(places + 0.2, weights, 0.38, color=ALARM, label="weight (Eq. 3, then sum 1)")
    for place, share, weight in zip(places, shares, weights, strict=True):
        axis.text(place - 0.2, share, f"{share:.2f}", ha="center", va="bottom", fontsize=9, color=QUIET)
        axis.text(place + 0.2, weight, f"{weight:.2f}", ha="center", va="bottom", fontsize=9)
    if threshold is not None:
        axis.axhline(threshold, color=ABNORMAL, linestyle="--", linewidth=1.5, label=f"threshold {threshold:.2f}")
    axis.set(ylim=(0, 1.35), ylabel="part of the answer", yticks=[0, 0.25, 0.5, 0.75, 1])
    axis.set_xticks(places, [f"item {place + 1}" for place in places])
    axis.legend(frameon=False, fontsize=9, loc="upper right")
