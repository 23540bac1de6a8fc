"""Figures 5 and 6 of the paper, drawn from the results of several recipes: a panel, or a line, for each.

As in `figures`: numbers in, matplotlib Figure out.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from maam_lib.panels import ABNORMAL, ALARM, QUIET, closed

LINE_COLOURS = (ALARM, ABNORMAL, "#009E73", "#CC79A7", "#56B4E9", "black")
Points = Mapping[str, Sequence[float]]  # a label of the axis -> one value per seed


def support_bars(recipes: Mapping[str, tuple[Points, int]]) -> Figure:
    """Fig. 5: support items per query under each setting of the losses, a panel per recipe, seeds as dots.

    recipes: name -> (losses in words -> values, the number of items), which the axis ends at.
    """
    figure, axes = plt.subplots(1, len(recipes), figsize=(1.2 + 3.3 * len(recipes), 3.4), squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, (name, (bars, items)) in zip(axes[0], recipes.items(), strict=True):
        axis.bar(list(bars), [np.mean(values) for values in bars.values()], color=ALARM, alpha=0.55)
        for label, values in bars.items():
            axis.plot([label] * len(values), values, "o", color="black", markersize=3)
        axis.axhline(items, color=QUIET, linestyle="--", linewidth=1)
        axis.set_title(f"{name}: of {items} items", fontsize=9)
        axis.tick_params(axis="x", labelsize=8, rotation=20)
        axis.set_ylim(0, 1.05 * items)
    axes[0, 0].set_ylabel("support items per query")
    return closed(figure)


def knob_lines(lines: Mapping[str, Points], printed: Mapping[str, Points], xlabel: str) -> Figure:
    """Fig. 6: AUC over the values of a knob (labels, in rising order): ours full, seeds as dots; the paper's dashed."""
    figure, axis = plt.subplots(figsize=(7.4, 3.4), layout="constrained")
    labels = list(dict.fromkeys(label for line in (*lines.values(), *printed.values()) for label in line))
    place = {label: x for x, label in enumerate(sorted(labels, key=float))}
    for (name, line), colour in zip(lines.items(), LINE_COLOURS, strict=False):
        x = [place[label] for label in line]
        axis.plot(x, [np.mean(values) for values in line.values()], "-", color=colour, label=name)
        for at, values in zip(x, line.values(), strict=True):
            axis.plot([at] * len(values), values, "o", color=colour, markersize=4)
    for (name, line), style in zip(printed.items(), ("--", ":"), strict=False):
        axis.plot([place[label] for label in line], [np.mean(v) for v in line.values()], style, color=QUIET, label=name)
    axis.set(xlabel=xlabel, ylabel="frame AUC", xticks=list(place.values()))
    axis.set_xticklabels(list(place))
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)
