"""One function per figure: arrays in, matplotlib Figure out, no computation beyond colours.

Frames are (H, W) or (H, W, C) uint8, flows (H, W, 2) in pixels per frame, maps (H, W). Abnormal is orange, the
network's alarm blue: both tell apart for colour-blind readers and in gray print.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from maam_lib.figures.panels import (
    ABNORMAL,
    ALARM,
    BRANCH_COLOURS,
    HEAT,
    QUIET,
    canvas,
    closed,
    mark,
    panels,
    picture,
    tint,
)

Palette = Literal["safe", "paper"]
MOST_DOTS = 25  # points of a curve that are marked one by one


def filmstrip(
    frames: Sequence[np.ndarray], titles: Sequence[str], masks: Sequence[np.ndarray] | None = None, columns: int = 4
) -> Figure:
    """Frames side by side, in rows of at most `columns`; abnormal pixels, where masks (H, W) are given, outlined."""
    rows = -(-len(frames) // columns)
    figure, axes = canvas(rows, min(columns, len(frames)), frames[0].shape)
    for axis in axes.flat[len(frames) :]:
        axis.axis("off")
    for i, (axis, frame, title) in enumerate(zip(axes.flat, frames, titles, strict=False)):
        picture(axis, frame, title)
        if masks is not None and masks[i].any():
            axis.contour(masks[i], levels=[0.5], colors=ABNORMAL, linewidths=1.5)
    return figure


def frame_and_flow(frame: np.ndarray, flows: Mapping[str, np.ndarray]) -> Figure:
    """A frame and flows of it in one colour scale: hue is direction, strength is speed; the wheel shows which."""
    largest = fastest(*flows.values())
    figure, axes = canvas(1, len(flows) + 2, frame.shape)
    picture(axes[0, 0], frame, "frame")
    for axis, (title, flow) in zip(axes[0, 1:], flows.items(), strict=False):
        picture(axis, flow_colours(flow, largest), title)
    y, x = np.mgrid[-1:1:101j, -1:1:101j]
    wheel = flow_colours(np.stack([x, y], axis=-1) * (np.hypot(x, y) <= 1)[..., None], 1)
    picture(axes[0, -1], wheel, f"rim: {largest:.1f} pixels per frame")
    return figure


def fastest(*flows: np.ndarray) -> float:
    """The largest speed in some flows (H, W, 2), in their pixels per frame."""
    return max(float(np.hypot(flow[..., 0], flow[..., 1]).max()) for flow in flows)


def flow_colours(flow: np.ndarray, largest: float) -> np.ndarray:
    """A flow (H, W, 2) as RGB in [0, 1]: hue its direction, saturation its speed relative to `largest`."""
    speed = np.clip(np.hypot(flow[..., 0], flow[..., 1]) / max(largest, 1e-6), 0, 1)
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    return hsv_to_rgb(np.stack([hue, speed, np.ones_like(speed)], axis=-1))


def training_curves(history: pd.DataFrame) -> Figure:
    """Losses, motion error against predicting no motion, and support items, one point per epoch."""
    figure, (losses, motion, support) = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
    for name, colour in (("total", "black"), ("appearance", BRANCH_COLOURS["appearance"])):
        losses.plot(history["epoch"], history[name], marker=".", color=colour, label=name)
    losses.set(title="loss", xlabel="epoch", yscale="log")
    losses.legend(frameon=False)
    motion.plot(history["epoch"], history["motion"], marker=".", color=BRANCH_COLOURS["motion"], label="network")
    motion.plot(history["epoch"], history["zero_flow"], ".--", color=QUIET, label="no motion predicted")
    motion.set(title="motion error (pixels per frame)", xlabel="epoch")
    motion.legend(frameon=False)
    support.plot(history["epoch"], history["support_items"], marker=".", color=ALARM)
    top = 1.1 * max(history["support_items"].max(), 1)
    support.set(title="support items per query", xlabel="epoch", ylim=(0, top))
    for axis in (losses, motion, support):
        axis.set_xlim(0.5, history["epoch"].max() + 0.5)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return closed(figure)


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


def detection_rows(
    rows: Sequence[Mapping[str, np.ndarray]], titles: Sequence[str], palette: Palette = "safe"
) -> Figure:
    """Per row: frame, appearance error, motion error, fused, and where the alarm is (paper Fig. 1, 8 and 9).

    Each row holds `frame` and maps `appearance`, `motion`, `fused` (H, W, any scale), `found` and `mask` (bool).
    palette: "safe" is blue for the alarm and an orange outline for the truth; "paper" the paper's red (alarm),
    green (truth) and yellow (both), which not every eye tells apart.
    """
    figure, axes = canvas(len(rows), 5, rows[0]["frame"].shape)
    for line, row, title in zip(axes, rows, titles, strict=True):
        picture(line[0], row["frame"], title)
        for axis, name in zip(line[1:4], ("appearance", "motion", "fused"), strict=True):
            picture(axis, row[name], name, cmap=HEAT)
        if palette == "paper":
            picture(line[4], row["frame"], "alarm red, truth green, both yellow")
            parts = {"red": row["found"] & ~row["mask"], "lime": row["mask"] & ~row["found"]}
            for colour, where in (parts | {"yellow": row["found"] & row["mask"]}).items():
                tint(line[4], where, colour)
            continue
        picture(line[4], row["frame"], "alarm (blue), truth (orange)")
        tint(line[4], row["found"], ALARM)
        if row["mask"].any():
            line[4].contour(row["mask"], levels=[0.5], colors=ABNORMAL, linewidths=1.4)
    return figure


def roc_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]]) -> Figure:
    """ROC curves by name: (false-alarm rates, hit rates, AUC); learned ones full, no-learning ones dashed in turn."""
    figure, axis = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    dashes = cycle(("--", ":", "-.", (0, (7, 2)), (0, (1, 3))))
    for name, (false_alarms, hits, auc) in curves.items():
        colour, style = BRANCH_COLOURS.get(name, QUIET), "-" if name in BRANCH_COLOURS else next(dashes)
        label = f"{name.replace('_', ' ')} ({auc:.3f})"
        axis.plot(false_alarms, hits, linestyle=style, color=colour, label=label)
    axis.plot([0, 1], [1, 0], color="#c0c8d0", linewidth=0.8)  # crossing it: the equal error rate
    axis.set(xlabel="false-alarm rate", ylabel="hit rate", aspect="equal")
    figure.legend(frameon=False, fontsize=9, title="AUC", loc="outside right upper")
    return closed(figure)


def heat_over_frame(
    frame: np.ndarray, maps: Mapping[str, np.ndarray], unit: str, step: int | None = None, title: str = "frame"
) -> Figure:
    """A frame, and maps over it in one colour scale: of any grid, stretched, or of cells of `step` pixels."""
    figure, axes = canvas(1, len(maps) + 1, frame.shape)
    picture(axes[0, 0], frame, title)
    top = max(float(m.max()) for m in maps.values())
    h, w = frame.shape[:2]
    for axis, (name, values) in zip(axes[0, 1:], maps.items(), strict=True):
        picture(axis, frame, name)
        height, width = (h, w) if step is None else (values.shape[0] * step, values.shape[1] * step)
        heat = axis.imshow(values, cmap="viridis", alpha=0.75, extent=(0, width, height, 0), vmin=0, vmax=top)
        axis.set(xlim=(0, w), ylim=(h, 0))
    figure.colorbar(heat, ax=axes[0, -1], label=unit, shrink=0.8)
    return figure


def histograms(
    samples: Mapping[str, np.ndarray], xlabel: str, bins: int = 40, marks: Mapping[str, float] | None = None
) -> Figure:
    """One histogram per name on a common axis, with marked values."""
    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    edges = np.linspace(min(s.min() for s in samples.values()), max(s.max() for s in samples.values()), bins + 1)
    for (name, values), colour in zip(samples.items(), (ALARM, ABNORMAL, "#009E73", "#CC79A7"), strict=False):
        drawn = {"density": True, "color": colour}
        axis.hist(values, edges, histtype="stepfilled", alpha=0.25, **drawn)
        axis.hist(values, edges, histtype="step", linewidth=1.6, label=name, **drawn)  # where fills hide each other
    mark(axis, marks, height=0.95)
    axis.set(xlabel=xlabel, yticks=[])
    if len(samples) > 1:
        axis.legend(frameon=False)
    return closed(figure)


def item_usage(shares: np.ndarray, title: str) -> Figure:
    """Share of the addressing weight that each memory item gets over many queries, largest first, as bars."""
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    axis.bar(np.arange(1, len(shares) + 1), np.sort(shares)[::-1], width=1.0, color=ALARM)
    axis.axhline(1 / len(shares), color=QUIET, linestyle="--", linewidth=1, label="all items alike: 1/N")
    axis.set(title=title, xlabel="memory items, most used first", ylabel="share of weight")
    axis.set_xlim(0.5, len(shares) + 0.5)
    axis.legend(frameon=False)
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
    palette = [ALARM, ABNORMAL, "#009E73", "#CC79A7", QUIET]
    for i, (name, (x, y)) in enumerate(lines.items()):
        marker = "." if len(x) <= MOST_DOTS else ""
        axis.plot(x, y, marker=marker, color=BRANCH_COLOURS.get(name, palette[i % len(palette)]), label=name)
    for (name, value), style in zip((levels or {}).items(), ("--", ":", "-."), strict=False):
        axis.axhline(value, color=BRANCH_COLOURS.get(name, QUIET), linestyle=style, label=name)
    mark(axis, marks, height=0.03)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    points = [float(point) for x, _ in lines.values() for point in x]
    whole = all(point.is_integer() for point in points) or max(points) - min(points) >= 3
    axis.xaxis.set_major_locator(MaxNLocator(integer=whole))
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return closed(figure)


def bars_with_spread(
    rows: Mapping[str, Sequence[float]], xlabel: str, lines: Mapping[str, float] | None = None
) -> Figure:
    """Mean of each row as a bar, its single values (seeds) as dots, and vertical lines to compare with."""
    figure, axis = plt.subplots(figsize=(7, 0.9 + 0.42 * len(rows)), layout="constrained")
    names = list(rows)[::-1]
    axis.barh(names, [np.mean(rows[name]) for name in names], color=ALARM, alpha=0.55)
    for name in names:
        axis.plot(rows[name], [name] * len(rows[name]), "o", color="black", markersize=3)
    for (name, value), style in zip((lines or {}).items(), ("--", ":", "-."), strict=False):
        axis.axvline(value, color=ABNORMAL, linestyle=style, label=f"{name} ({value:.3f})")
    axis.set(xlabel=xlabel, xlim=(0.4, 1))
    if lines:
        figure.legend(frameon=False, fontsize=8, loc="outside lower center")
    return closed(figure)


def paired_differences(groups: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str) -> Figure:
    """How much each switch moves a measure: one dot per seed (same seed off and on), a bar at their mean.

    groups: name of a dataset -> name of a switch -> differences; a switch without any is left out.
    """
    names = list(dict.fromkeys(name for rows in groups.values() for name, values in rows.items() if len(values)))
    figure, axis = plt.subplots(figsize=(8, 0.8 + 0.5 * len(names)), layout="constrained")
    axis.axvline(0, color=QUIET, linewidth=1)
    for i, (group, colour, marker) in enumerate(zip(groups, (ALARM, ABNORMAL, "#009E73"), "osD", strict=False)):
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


def maps_side_by_side(maps: Mapping[str, np.ndarray], unit: str, xlabel: str = "", ylabel: str = "") -> Figure:
    """Maps (rows, columns) by name, square cells, each with a colour scale of its own; no scale without a unit."""
    figure, axes = panels(len(maps), len(maps), (4, 3.6))
    for axis, (title, values) in zip(axes, maps.items(), strict=True):
        heat = axis.imshow(values, cmap="viridis")
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.set_title(title, fontsize=9)
        if unit:
            figure.colorbar(heat, ax=axis, label=unit, location="bottom", shrink=0.8)
    return figure


def abnormal_spans(frames: np.ndarray, abnormal: np.ndarray) -> list[tuple[int, int]]:
    """First and last frame of each unbroken abnormal span; frames (T,), abnormal bool (T,)."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], abnormal, [False]])))  # where spans begin, where they ended
    return [(int(frames[a]), int(frames[b - 1])) for a, b in steps.reshape(-1, 2)]
