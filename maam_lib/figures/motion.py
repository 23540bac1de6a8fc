"""The figure of what learning motion does to the AUC."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maam_lib.figures.panels import ABNORMAL, ALARM, QUIET, closed

COLOURS = (ALARM, "#C24E00", "#00785A", "#A64D86", "#6B5900", "black")  # of trainings, dark enough for their names
DARK = "#8A5F00"  # of the names of rows without learning: their orange, dark enough to read
LEAST_GAP = 0.05  # of the axis' height, between two labels
MARGIN = 0.02  # AUC above and below what is drawn
LEFT = -0.1  # of the axis: a network that predicts motion worse than this is off it, and counted in a corner


def auc_against_motion(
    points: pd.DataFrame, levels: Mapping[str, float], printed: Mapping[str, float] | None = None
) -> Figure:
    """AUC against the share of the motion that a network has learned: a dot for each epoch, a large one for
    the last, and a colour for each training.

    points: training (its name on the figure), seed, epoch, learned (1 - error / that of predicting no motion, on normal
    test frames; 0 = nothing, 1 = all), auc. levels: name -> AUC of a row without learning, dashed. printed: name -> AUC
    of others, whose share of motion is not known, as a mark on the right edge.
    """
    figure, axis = plt.subplots(figsize=(9, 4.6), layout="constrained")
    labels = []
    for i, (training, of_training) in enumerate(points.groupby("training", sort=False)):
        colour = COLOURS[i % len(COLOURS)]
        last = of_training.loc[of_training.groupby("seed")["epoch"].idxmax()]
        axis.plot(of_training["learned"], of_training["auc"], "o", color=colour, alpha=0.4, markersize=4.5, mew=0)
        axis.plot(last["learned"], last["auc"], "o", color=colour, markersize=9, markeredgecolor="white", zorder=4)
        labels.append((float(last["auc"].mean()), str(training), colour))
    for name, auc in (printed or {}).items():
        axis.plot(
            1, auc, "<", color="black", markersize=9, transform=axis.get_yaxis_transform(), clip_on=False, zorder=5
        )
        labels.append((auc, name, "black"))
    within = points["learned"] >= LEFT
    drawn = [*points.loc[within, "auc"], *levels.values(), *(printed or {}).values()]
    axis.set(
        xlabel="motion learned: 1 - error / error of predicting none (normal test frames)",
        ylabel="frame AUC, motion",
        xlim=(LEFT, 1.1 * max(0.1, points["learned"].max())),
        ylim=(min(drawn) - MARGIN, min(1, max(drawn) + MARGIN)),
    )
    outside = np.count_nonzero(points["learned"] < LEFT)
    said = f"small: an epoch{f'; {outside} further left' if outside else ''}; large: the last one"
    axis.set_title(said, fontsize=9, color=QUIET, loc="left")
    axis.axvline(0, color=QUIET, linewidth=0.8, alpha=0.6, zorder=0)
    at_zero = {"xycoords": axis.get_xaxis_transform(), "rotation": 90, "fontsize": 8.5, "color": QUIET}
    axis.annotate("nothing learned ", (0, 0.02), ha="right", va="bottom", **at_zero)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    _levels(axis, levels)
    _beside(axis, labels)
    return closed(figure)


def _levels(axis: Axes, levels: Mapping[str, float]) -> None:
    """Dashed lines, named at their right end: above the line, or below it where another is close above."""
    low, high = axis.get_ylim()
    for name, auc in levels.items():
        above = not any(0 < other - auc < LEAST_GAP * (high - low) for other in levels.values())
        axis.axhline(auc, color=ABNORMAL, linestyle="--", linewidth=1.4, zorder=1)
        beside = {"xytext": (0, 2 if above else -3), "textcoords": "offset points", "fontsize": 8.5, "ha": "right"}
        place = {"xycoords": axis.get_yaxis_transform(), "va": "bottom" if above else "top", "color": DARK}
        axis.annotate(f"{name}: {auc:.3f}", (0.97, auc), **beside, **place)


def _beside(axis: Axes, labels: list[tuple[float, str, str]]) -> None:
    """Names at the right of the axis, (AUC, name, colour), each at its AUC or as far above as the one below needs."""
    (low, high), labels = axis.get_ylim(), sorted(labels)
    places = np.array([(auc - low) / (high - low) for auc, _, _ in labels])
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + LEAST_GAP)
    for place, (_, name, colour) in zip(places, labels, strict=True):
        axis.annotate(name, (1.03, place), xycoords="axes fraction", va="center", fontsize=9, color=colour)
