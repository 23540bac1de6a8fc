"""Figures of numbers: lines, bars, dots and tables."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from maam_lib.evaluation import Epoch
from maam_lib.figures.panels import ABNORMAL, ALARM, BRANCH_COLOURS, QUIET, closed, mark, panels

MOST_DOTS = 25  # points of a curve that are marked one by one
AUC_OF = {"fused": "auc", "motion": "auc_motion", "appearance": "auc_appearance"}
LINE_COLOURS = (ALARM, ABNORMAL, "#009E73", "#CC79A7", "#56B4E9", "black")
Points = Mapping[str, Sequence[float]]  # a label of the axis -> one value per seed


def training_curves(history: pd.DataFrame) -> Figure:
    """Losses, motion error against predicting no motion, and support items, one point per epoch."""
    figure, axes = panels(3, 3, (11 / 3, 3))
    named = history.set_index("epoch").rename(columns={"motion": "network", "zero_flow": "no motion predicted"})
    losses, motion, support = axes
    named[["total", "appearance"]].plot(
        ax=losses, marker=".", color=["black", BRANCH_COLOURS["appearance"]], title="loss", logy=True
    )
    named[["network", "no motion predicted"]].plot(
        ax=motion, style=[".-", ".--"], color=[BRANCH_COLOURS["motion"], QUIET], title="motion error (pixels per frame)"
    )
    top = 1.1 * max(1, *history["support_items"])
    named["support_items"].plot(ax=support, marker=".", color=ALARM, title="support items per query", ylim=(0, top))
    for axis in axes:
        axis.set_xlim(0.5, max(history["epoch"]) + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for axis in (losses, motion):
        axis.legend(frameon=False)
    return figure


def score_curves(
    tables: Mapping[str, pd.DataFrame], column: str = "fused", threshold: float | None = None, columns: int = 2
) -> Figure:
    """Anomaly score over time, one panel per clip, abnormal spans shaded (paper Fig. 7)."""
    figure, axes = panels(len(tables), columns, (11 / columns, 1.9), sharey=True)
    for axis, (clip, table) in zip(axes, tables.items(), strict=True):
        frames, abnormal = table["frame"], table["label"].to_numpy() == 1
        for first, last in abnormal_spans(frames.to_numpy(), abnormal):
            axis.axvspan(first - 0.5, last + 0.5, color=ABNORMAL, alpha=0.3, linewidth=0)
        axis.plot(frames, table[column], color=ALARM, linewidth=1.2)
        if threshold is not None:
            axis.axhline(threshold, color=QUIET, linestyle="--", linewidth=1)
        axis.set_title(clip, fontsize=9, parse_math=False)
        axis.margins(x=0)
    figure.supxlabel("frame", fontsize=9)
    figure.supylabel(f"{column} score", fontsize=9)
    return figure


def abnormal_spans(frames: np.ndarray, abnormal: np.ndarray) -> list[tuple[int, int]]:
    """First and last frame of each unbroken abnormal span; frames (T,), abnormal bool (T,)."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], abnormal, [False]])))  # where spans begin, where they ended
    return [(int(frames[a]), int(frames[b - 1])) for a, b in steps.reshape(-1, 2)]


def roc_curves(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]], points: Mapping[str, tuple[float, float]] | None = None
) -> Figure:
    """ROC curves by name: (false-alarm rates, hit rates, AUC); learned ones full, no-learning ones dashed in turn.

    points: (false-alarm rate, hit rate) to mark, by name. On the line across both errors are equal.
    """
    figure, axis = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    dashes = cycle(("--", ":", "-.", (0, (7, 2)), (0, (1, 3))))
    for name, (false_alarms, hits, auc) in curves.items():
        colour, style = BRANCH_COLOURS.get(name, QUIET), "-" if name in BRANCH_COLOURS else next(dashes)
        label = f"{name.replace('_', ' ')} (AUC {auc:.3f})"
        axis.plot(false_alarms, hits, linestyle=style, color=colour, label=label)
    axis.plot([0, 1], [1, 0], color="#c0c8d0", linewidth=0.8, label="misses as frequent as false alarms")
    for (name, (false_alarms, hits)), marker in zip((points or {}).items(), "osD^vP*X", strict=False):
        axis.plot(false_alarms, hits, marker, color=ABNORMAL, markeredgecolor="black", markersize=9, label=name)
    axis.set(xlabel="false-alarm rate (normal frames)", ylabel="hit rate (abnormal frames)", aspect="equal")
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)


def histograms(
    samples: Mapping[str, np.ndarray], xlabel: str, bins: int = 40, marks: Mapping[str, float] | None = None
) -> Figure:
    """One histogram per name on a common axis, as shares of its own values, with marked values."""
    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    edges = np.linspace(min(s.min() for s in samples.values()), max(s.max() for s in samples.values()), bins + 1)
    for (name, values), colour in zip(samples.items(), LINE_COLOURS, strict=False):
        drawn = {
            "weights": np.full(len(values), 1 / len(values)),
            "facecolor": (colour, 0.25),
            "edgecolor": colour,
            "linewidth": 1.6,
        }
        axis.hist(values, edges, histtype="stepfilled", label=name, **drawn)
    mark(axis, marks, height=0.95)
    axis.set(xlabel=xlabel, ylabel="share in each bin")
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    if len(samples) > 1:
        axis.legend(frameon=False)
    return closed(figure)


def item_usage(shares: np.ndarray, title: str) -> Figure:
    """Share of the addressing weight that each memory item gets over many queries, largest first, as bars."""
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    axis.bar(np.arange(1, len(shares) + 1), np.sort(shares)[::-1], width=1.0, color=ALARM)
    axis.axhline(1 / len(shares), color=QUIET, linestyle="--", linewidth=1, label="all items equal: 1/N")
    axis.set(title=title, xlabel="memory items, most used first", ylabel="share of weight")
    axis.set_xlim(0.5, len(shares) + 0.5)
    axis.legend(frameon=False)
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


def curves(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
    xlabel: str,
    ylabel: str,
    marks: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Lines by name over one axis, with marked positions on it and dashed levels to compare with."""
    figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
    for i, (name, (x, y)) in enumerate(lines.items()):
        marker = "." if len(x) <= MOST_DOTS else ""
        axis.plot(x, y, marker=marker, color=BRANCH_COLOURS.get(name, LINE_COLOURS[i % len(LINE_COLOURS)]), label=name)
    for (name, value), style in zip((levels or {}).items(), ("--", ":", "-."), strict=False):
        axis.axhline(value, color=BRANCH_COLOURS.get(name, QUIET), linestyle=style, label=name)
    mark(axis, marks, height=0.03)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    points = [float(point) for x, _ in lines.values() for point in x]
    whole = all(point.is_integer() for point in points) or max(points) - min(points) >= 3
    axis.xaxis.set_major_locator(MaxNLocator(integer=whole))
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)


def paired_differences(groups: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str) -> Figure:
    """How much each switch moves a measure: one dot per seed (same seed off and on), a bar at their mean.

    groups: name of a dataset -> name of a switch -> differences; a switch without any is left out.
    """
    names = list(dict.fromkeys(name for rows in groups.values() for name, values in rows.items() if len(values)))
    figure, axis = plt.subplots(figsize=(8, 0.8 + 0.5 * len(names)), layout="constrained")
    axis.axvline(0, color=QUIET, linewidth=1)
    for i, (group, colour, marker) in enumerate(zip(groups, LINE_COLOURS, "osD", strict=False)):
        offset = (i - (len(groups) - 1) / 2) * 0.26
        for line, name in enumerate(reversed(names)):
            values = groups[group].get(name, ())
            if len(values):
                axis.plot(values, [line + offset] * len(values), marker, color=colour, alpha=0.7, markersize=5)
                axis.plot([np.mean(values)], [line + offset], "|", color=colour, markersize=15, markeredgewidth=2.5)
        axis.plot([], [], marker, color=colour, label=group)
    axis.set(xlabel=xlabel, yticks=range(len(names)), yticklabels=names[::-1], ylim=(-0.6, len(names) - 0.4))
    axis.grid(axis="y", color="#e6eaee")
    figure.legend(frameon=False, fontsize=9, loc="outside upper right", ncols=len(groups))
    return closed(figure)


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
    labels = {label for line in (*lines.values(), *printed.values()) for label in line}
    axis.xaxis.update_units(sorted(labels, key=float))
    for (name, line), colour in zip(lines.items(), LINE_COLOURS, strict=False):
        axis.plot(list(line), [np.mean(values) for values in line.values()], "-", color=colour, label=name)
        for label, values in line.items():
            axis.plot([label] * len(values), values, "o", color=colour, markersize=4)
    for (name, line), style in zip(printed.items(), ("--", ":"), strict=False):
        axis.plot(list(line), [np.mean(values) for values in line.values()], style, color=QUIET, label=name)
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
