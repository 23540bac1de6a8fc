"""Figures 5 and 6 of the paper, and the epochs (ours), drawn from results: a panel or a line per recipe or seed."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from maam_lib.evaluation import Epoch
from maam_lib.figures.panels import ABNORMAL, ALARM, BRANCH_COLOURS, QUIET, closed, panels

AUC_OF = {"fused": "auc", "motion": "auc_motion", "appearance": "auc_appearance"}
LINE_COLOURS = (ALARM, ABNORMAL, "#009E73", "#CC79A7", "#56B4E9", "black")
Points = Mapping[str, Sequence[float]]  # a label of the axis -> one value per seed


def support_bars(recipes: Mapping[str, tuple[Points, int]]) -> Figure:
    """Fig. 5: support items per query under each setting of the losses, a panel per recipe, seeds as dots.

    recipes: name -> (losses in words -> values, the number of items), which the axis ends at. A setting without values
    has no bar and says so.
    """
    figure, axes = panels(len(recipes), 4, (3.3, 3.0))
    for axis, (name, (bars, items)) in zip(axes, recipes.items(), strict=True):
        for x, values in enumerate(bars.values()):
            if values:
                axis.bar(x, float(np.mean(values)), color=ALARM, alpha=0.55)
                axis.plot([x] * len(values), values, "o", color="black", markersize=3)
            else:
                axis.text(x, 0.02 * items, "not measured", rotation=90, ha="center", color=QUIET, fontsize=8)
        axis.axhline(items, color=QUIET, linestyle="--", linewidth=1)
        axis.set_title(f"{name}: of {items} items", fontsize=9)
        axis.set_xticks(range(len(bars)), [label.replace(" ", "\n") for label in bars], fontsize=8)
        axis.set(xlim=(-0.6, len(bars) - 0.4), ylim=(0, 1.05 * items))
    figure.supylabel("support items per query", fontsize=9)
    figure.supxlabel("memory losses that are on", fontsize=9)
    return figure


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
    axis.set_xticks(list(place.values()), list(place))
    axis.set(xlabel=xlabel, ylabel="frame AUC")
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)


def epoch_curves(seeds: Mapping[int, Sequence[Epoch]], best: tuple[str, float], zero_flow: float) -> Figure:
    """AUC of every epoch, and the motion branch's against how well it predicts motion; one style of line per seed.

    seeds: seed -> the `curve` of its result (`evaluation.evaluate(..., every_epoch=True)`). best: name and AUC of the
    best no-learning row. zero_flow: the AUC of predicting no motion, which lies at a motion error of 1.
    """
    figure, (epochs, motion) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    for (seed, curve), line, dot in zip(seeds.items(), cycle(("-", "--", ":", "-.")), cycle("osD^"), strict=False):
        for branch, key in AUC_OF.items():
            epochs.plot([p.epoch for p in curve], [getattr(p, key) for p in curve], line, color=BRANCH_COLOURS[branch])
        error = [p.motion_error_to_zero_flow.test_normal for p in curve]
        auc = [p.auc_motion for p in curve]
        motion.plot(error, auc, dot, color=BRANCH_COLOURS["motion"], alpha=0.6, markersize=5)
        motion.plot(error[0], auc[0], dot, color="white", markeredgecolor="black", markersize=7)
        motion.plot(error[-1], auc[-1], dot, color="black", markersize=7)
        epochs.plot([], [], line, color="black", marker=dot, markersize=5, label=f"seed {seed}")
    for branch in AUC_OF:
        epochs.plot([], [], color=BRANCH_COLOURS[branch], linewidth=4, label=branch)
    epochs.axhline(best[1], color=QUIET, linestyle="--", linewidth=1, label=f"no learning: {best[0]}")
    motion.plot(1, zero_flow, "*", color=ABNORMAL, markersize=18, zorder=1, label="no motion predicted")
    motion.plot([], [], "ow", markeredgecolor="black", label="first epoch")
    motion.plot([], [], "ok", label="last epoch")
    epochs.set(xlabel="epoch", ylabel="frame AUC")
    epochs.xaxis.set_major_locator(MaxNLocator(integer=True))
    motion.set(xlabel="motion error, normal test frames", ylabel="frame AUC, motion")
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)
