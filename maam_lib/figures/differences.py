"""Differences of the same seeds with their intervals, beside a number that somebody prints."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from maam_lib.figures.panels import ABNORMAL, ALARM, QUIET, closed

GROUPS = ((ALARM, "o"), ("#009E73", "s"), ("#CC79A7", "^"))
Interval = tuple[float, float]


def difference_intervals(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    intervals: Mapping[str, Mapping[str, Interval]],
    xlabel: str,
    printed: Mapping[str, float],
    own: Mapping[str, float] | None = None,
) -> Figure:
    """One line per row and group: a dot per seed, a tick at their mean, a bar over the interval; crosses as printed.

    groups: name -> row -> differences, one per seed. intervals: of the same. printed: row -> number to compare with.
    own: row -> the reader's difference, a star.
    """
    rows = list(dict.fromkeys(row for of in groups.values() for row in of))
    figure, axis = plt.subplots(figsize=(8, 1.3 + 0.75 * len(rows)), layout="constrained")
    axis.axvline(0, color=QUIET, linewidth=1)
    for i, (group, (colour, marker)) in enumerate(zip(groups, GROUPS, strict=False)):
        offset = 0.13 + 0.26 * (i - len(groups) / 2)
        for line, row in enumerate(reversed(rows)):
            values, y = groups[group].get(row, ()), line + offset
            if row in intervals[group]:
                axis.plot(intervals[group][row], [y, y], "-", color=colour, linewidth=5, alpha=0.25)
            axis.plot(values, [y] * len(values), marker, color=colour, markersize=5)
            axis.plot(
                [np.mean(values)] if len(values) else [], [y] * bool(len(values)), "|", color=colour, markersize=16
            )
        axis.plot([], [], marker, color=colour, label=f"{group}: a dot per seed, 95 % interval")
    for mark, label, of in (("x", "printed in the paper", printed), ("*", "your run", own or {})):
        for line, row in enumerate(reversed(rows)):
            axis.plot([of[row]] if row in of else [], [line + 0.4] * (row in of), mark, color=ABNORMAL, markersize=9)
        if of:
            axis.plot([], [], mark, color=ABNORMAL, markersize=9, label=label)
    axis.set(xlabel=xlabel, yticks=range(len(rows)), yticklabels=rows[::-1], ylim=(-0.6, len(rows) - 0.4))
    figure.legend(frameon=False, fontsize=9, loc="outside upper left")
    return closed(figure)
