"""How often those who bet are right, against how sure they were: the reliability diagram."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from maam_lib.figures.panels import ABNORMAL, ALARM, QUIET, closed

STYLES = ((ALARM, "o"), (ABNORMAL, "s"), ("#009E73", "^"), ("#CC79A7", "D"))


def reliability(groups: Mapping[str, pd.DataFrame]) -> Figure:
    """The share of bets that are right over their confidence, a dot per row with its interval and its number of bets.

    groups: name -> table with the columns confidence, right, low, high (all from 0 to 1) and bets. On the dashed line
    those who say 70 % are right in 70 % of the cases; below it they are too sure.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4), layout="constrained")
    axis.plot([0, 1], [0, 1], color=QUIET, linestyle="--", linewidth=1, label="well calibrated")
    for i, (name, table) in enumerate(groups.items()):
        colour, marker = STYLES[i % len(STYLES)]
        share, x = table["right"], table["confidence"] + 0.006 * (i - (len(groups) - 1) / 2)  # side by side
        spread = (share - table["low"], table["high"] - share)
        axis.errorbar(x, share, spread, fmt=marker, color=colour, capsize=3, linewidth=1, label=name)
        for place, height, bets in zip(x, share, table["bets"], strict=True):
            axis.annotate(f" {bets}", (place, height), fontsize=8, color=colour, va=("bottom", "top")[i % 2])
    axis.set(
        xlim=(0.28, 1.05), ylim=(-0.03, 1.03), xlabel="confidence of the bet", ylabel="share of bets that are right"
    )
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)
