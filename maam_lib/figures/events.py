"""Figures of abnormal events: when each score finds them, and where speed and a network's motion error lie."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from maam_lib.figures.panels import ABNORMAL, ALARM, HEAT, canvas, closed, panels, picture

KIND_COLOURS = {"bicycle": "#009E73", "cart": "black", "skater": "#CC79A7", "wheelchair": "#56B4E9"}
FOUND, MISSED, FALSE_ALARM, NORMAL = "found", "missed", "false alarm", "normal"
STATE_COLOURS = {FOUND: ALARM, MISSED: ABNORMAL, FALSE_ALARM: "#5d6b7a", NORMAL: "#e6eaee"}


def event_timelines(objects: pd.DataFrame, found: pd.DataFrame, columns: int = 3) -> Figure:
    """A panel per clip over its frames: every abnormal object in the colour of what it is, and below it a bar per score
    that says which abnormal frames it finds and misses, and where it raises a false alarm.

    objects: rows of clip, what, first, last. found: one row per scored frame, in order: clip, frame, label, and true or
    false in a column per score, by the name that its bar has.
    """
    names = [name for name in found.columns if name not in ("clip", "frame", "label")]
    clips = {str(clip): frames for clip, frames in found.groupby("clip", sort=False)}
    lanes = {clip: _lanes(objects.loc[objects["clip"] == clip]) for clip in clips}
    most = max((len(of_clip) for of_clip in lanes.values()), default=0)
    size = (11 / columns, 0.45 + 0.17 * (most + 1 + len(names)))
    figure, axes = panels(len(clips), columns, size, sharey=True)
    for axis, (clip, frames) in zip(axes, clips.items(), strict=True):
        for y, lane in enumerate(reversed(lanes[clip])):
            for what, first, last in lane:
                axis.broken_barh([(first, last - first + 1)], (y + 0.1, 0.8), facecolor=KIND_COLOURS[what])
        for i, name in enumerate(names):
            _draw_states(axis, frames, name, -1.3 - i)
        top = max(1, len(lanes[clip]))
        axis.text(0, top + 0.2, clip, fontsize=9, weight="bold", parse_math=False)
        axis.set(xlim=(0, frames["frame"].max() + 1), ylim=(-len(names) - 0.6, most + 1.2))
        axis.set_yticks([-0.8 - i for i in range(len(names))], names, fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.tick_params(axis="y", length=0)
        axis.spines[["top", "left", "right"]].set_visible(False)
    figure.supxlabel("frame", fontsize=9)
    kinds = set(objects["what"])
    handles = [Patch(color=colour, label=what) for what, colour in KIND_COLOURS.items() if what in kinds]
    handles += [Patch(color=colour, label=state) for state, colour in STATE_COLOURS.items()]
    figure.legend(handles=handles, frameon=False, fontsize=8, loc="outside upper center", ncols=len(handles))
    return figure


def speed_against_error(rows: Sequence[Mapping[str, np.ndarray]], titles: Sequence[str], unit: str) -> Figure:
    """Per row a frame with its abnormal pixels outlined (orange), the speed, and a network's motion error, all maps in
    one colour scale that begins at 0; the largest patch of each map is outlined in blue.

    Each row holds `frame` uint8 (H, W, C), `mask` (H, W), `speed` and `error` (H, W) in `unit`, and `speed_patch` and
    `error_patch` bool (H, W).
    """
    figure, axes = canvas(len(rows), 3, rows[0]["frame"].shape)
    top = max(float(row[name].max()) for row in rows for name in ("speed", "error"))
    for line, row, title in zip(axes, rows, titles, strict=True):
        picture(line[0], row["frame"], title)
        if row["mask"].any():
            line[0].contour(row["mask"], levels=[0.5], colors=ABNORMAL, linewidths=1.4)
        for axis, name, words in zip(line[1:], ("speed", "error"), ("speed", "motion error"), strict=True):
            picture(axis, row[name], words, cmap=HEAT)
            axis.images[0].set_clim(0, top)
            axis.contour(row[f"{name}_patch"], levels=[0.5], colors=ALARM, linewidths=1.4)
    figure.colorbar(axes[0, 1].images[0], ax=list(axes[-1, 1:]), label=unit, location="bottom", shrink=0.6, aspect=40)
    return closed(figure)


def _lanes(objects: pd.DataFrame) -> list[list[tuple[str, int, int]]]:
    """The objects of a clip in as few lanes as keep them apart: (what, first, last)."""
    lanes: list[list[tuple[str, int, int]]] = []
    in_order = objects.sort_values("first", kind="stable")
    for what, first, last in zip(*(in_order[name] for name in ("what", "first", "last")), strict=True):
        free = next((lane for lane in lanes if lane[-1][2] < first), None)
        if free is None:
            lanes.append(free := [])
        free.append((what, first, last))
    return lanes


def _draw_states(axis: Axes, frames: pd.DataFrame, name: str, bottom: float) -> None:
    """One score's bar: its state of each frame of a clip."""
    label, hit = frames["label"].to_numpy() == 1, frames[name].to_numpy(bool)
    states = np.select([label & hit, label, hit], [FOUND, MISSED, FALSE_ALARM], NORMAL)
    for state, first, length in _runs(states, frames["frame"].to_numpy()):
        axis.broken_barh([(first, length)], (bottom, 0.8), facecolor=STATE_COLOURS[state])


def _runs(states: np.ndarray, frames: np.ndarray) -> Iterator[tuple[str, int, int]]:
    """State, first frame and length of every run of equal states."""
    begins = np.flatnonzero(np.append(True, states[1:] != states[:-1]))
    for begin, end in zip(begins, np.append(begins[1:], len(states)), strict=True):
        yield str(states[begin]), int(frames[begin]), int(frames[end - 1] - frames[begin] + 1)
