"""The figure of a table of methods: a dot for each number, a row for each method or group of them."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from maam_lib.figures.panels import ABNORMAL, ALARM, QUIET, closed

Kind = Literal["quoted", "paper", "kit", "no learning"]
MARKS: dict[Kind, tuple[str, str]] = {
    "quoted": ("o", QUIET),
    "paper": ("D", "black"),
    "kit": ("o", ALARM),
    "no learning": ("s", ABNORMAL),
}
LOWEST = 0.5  # AUC of guessing, at the left end where nothing is below it


class Dots(NamedTuple):
    """The numbers of a row and what they are, which gives them mark and colour."""

    kind: Kind
    values: Sequence[float]  # AUC


def method_dots(panels: Mapping[str, Mapping[str, Dots]]) -> Figure:
    """A panel per dataset over common rows (name -> dots); a row that a dataset does not have stays empty there.

    The mean of a row of several seeds ("kit") is a line through its dots.
    """
    names = list(dict.fromkeys(name for rows in panels.values() for name in rows))
    names.sort(key=lambda name: list(MARKS).index(next(rows[name].kind for rows in panels.values() if name in rows)))
    lowest = min(LOWEST, *(value for rows in panels.values() for dots in rows.values() for value in dots.values))
    size = (11, 0.9 + 0.3 * len(names))
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, (title, rows) in zip(axes[0], panels.items(), strict=True):
        for name, dots in rows.items():
            marker, colour = MARKS[dots.kind]
            height, alpha = names.index(name), 0.45 if dots.kind == "quoted" and len(dots.values) > 1 else 0.9
            axis.plot(dots.values, [height] * len(dots.values), marker, color=colour, alpha=alpha, markersize=7, mew=0)
            if dots.kind == "kit":
                axis.plot(sum(dots.values) / len(dots.values), height, "|", color=colour, markersize=16, mew=2)
        axis.set(title=title, xlabel="frame AUC", xlim=(lowest - 0.02, 1.0))
        axis.grid(axis="both", color=QUIET, alpha=0.2, linewidth=0.6)
        axis.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[0, 0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    return closed(figure)
