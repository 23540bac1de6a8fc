"""Pictures for sliders: drawn once, then only what moves is drawn again and sent as one PNG (no computation).

A whole figure costs 50 to 100 ms to draw anew; its moving parts over the kept background cost a few.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.typing import HashableList

from maam_lib.figures import ABNORMAL, ALARM, HEAT, QUIET, SIGNED, abnormal_spans

DPI = 100
WIDTH = 10.4  # inches
HOT_COLOURS, COOL_COLOURS = (
    (colormaps[name](np.arange(256))[:, :3] * 255 * 0.7).astype(np.float32) for name in (HEAT, "viridis")
)
ORANGE = np.array(to_rgb(ABNORMAL)) * 255
Mosaic = list[HashableList[Hashable]]  # names of panels, row by row
Moving = TypeVar("Moving", bound=Artist)


class LiveFigure:
    """A figure with moving parts; `png()` is its picture now, drawn as cheaply as what changed allows."""

    def __init__(self, height: float) -> None:
        self.figure = plt.figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        plt.close(self.figure)  # pyplot makes notebooks show it, and shall not keep it
        self._canvas = FigureCanvasAgg(self.figure)
        self._moving: list[Artist] = []
        self._background = None

    def moves(self, artist: Moving) -> Moving:
        """Declare a part that changes from picture to picture."""
        artist.set_animated(True)
        self._moving.append(artist)
        return artist

    def changed(self) -> None:
        """Say that something else than the moving parts has changed: the next picture draws everything."""
        self._background = None

    def png(self) -> bytes:
        """The picture as it is now."""
        if self._background is None:
            self._canvas.draw()
            self.figure.set_layout_engine("none")  # laid out once: it would double the cost of later draws
            self._background = self._canvas.copy_from_bbox(self.figure.bbox)
        self._canvas.restore_region(self._background)
        for artist in self._moving:
            self.figure.draw_artist(artist)
        return png_of(np.asarray(self._canvas.buffer_rgba()))

    def plain(self) -> Figure:
        """The figure for a notebook's page: with its moving parts as they stand now."""
        for artist in self._moving:
            artist.set_animated(False)
        return self.figure


class ScoreFigure(LiveFigure):
    """One frame with its error maps, patch scores and alarm, above the score curve of its clip (paper Fig. 7, 8).

    of_speed: motion errors have a sign; orange is faster than predicted, purple slower.
    """

    TITLES = ("alarm (blue), truth (orange)", "appearance error", "motion error", "largest patch sum of each place")

    def __init__(self, size: tuple[int, int], *, of_speed: bool = False) -> None:
        super().__init__(WIDTH / 4 * size[0] / size[1] + 2.2)
        names = ["frame", "appearance", "motion", "places"]
        mosaic: Mosaic = [[*names], ["curve"] * 4]
        axes = self.figure.subplot_mosaic(mosaic, height_ratios=[WIDTH / 4 * size[0] / size[1] + 0.2, 1.9])
        self._pictures = {name: self.moves(picture(axes[name], size)) for name in names}
        for name, title in zip(names, self.TITLES, strict=True):
            axes[name].set_title(title, fontsize=9)
        self._of_speed = of_speed
        if of_speed:
            self._pictures["motion"].set_cmap(SIGNED)
            axes["motion"].set_title("faster (orange), slower (purple)", fontsize=9)
        self._curve_axis = axes["curve"]
        self._curve_axis.set_xlabel("frame", fontsize=9)
        self._curve = self.moves(self._curve_axis.plot([], [], color=ALARM, linewidth=1.4)[0])
        self._now = self.moves(self._curve_axis.axvline(0, color="black", linewidth=1))
        self._dot = self.moves(self._curve_axis.plot([], [], "o", color="black", markersize=5)[0])
        self._threshold = self.moves(self._curve_axis.axhline(0, color=QUIET, linestyle="--", linewidth=1.2))
        self._spans: list[Artist] = []

    def show_clip(self, clip: str, frames: np.ndarray, labels: np.ndarray | None, tops: dict[str, float]) -> None:
        """Another clip: its frame numbers (T,), labels (T,) or None, and the largest size of an error in both maps."""
        for span in self._spans:
            span.remove()
        self._spans = [
            self._curve_axis.axvspan(first - 0.5, last + 0.5, color=ABNORMAL, alpha=0.3, linewidth=0)
            for first, last in (abnormal_spans(frames, labels == 1) if labels is not None else [])
        ]
        self._curve_axis.set_xlim(frames[0], frames[-1] + 1)
        title = f"{clip}: score over time, abnormal span shaded, threshold dashed"
        self._curve_axis.set_title(title, fontsize=9, parse_math=False)
        for name, top in tops.items():
            self._pictures[name].set_clim(-top if self._of_speed and name == "motion" else 0, top)
        self._curve.set_xdata(frames)
        self._curve.set_ydata(np.zeros(len(frames)))
        self.changed()

    def show_scores(self, scores: np.ndarray, threshold: float, top: float, name: str) -> None:
        """Other scores (T,) of the clip, on an axis from 0, or the least below it, to about `top`, with its name."""
        self._curve.set_ydata(scores)
        self._threshold.set_ydata([threshold, threshold])
        least, (bottom, old_top) = min(0.0, float(scores.min())), self._curve_axis.get_ylim()
        fits = 0.6 * old_top < top < 0.98 * old_top and bottom <= least <= 0.5 * bottom
        if not fits or name != self._curve_axis.get_ylabel():
            self._curve_axis.set_ylim(1.15 * least, 1.15 * max(top, 0) or 1)
            self._curve_axis.set_ylabel(name, fontsize=9)
            self.changed()

    def show_frame(self, number: int, score: float, pictures: Mapping[str, np.ndarray], top: float) -> None:
        """Another frame, its number in the clip and its score; `top` is the brightest of `places`, black 0 or less.

        pictures: `frame` uint8 (H, W, C), maps `appearance`, `motion`, `places` (H, W), bool (H, W) `found` and `mask`.
        """
        self._pictures["frame"].set_data(marked(pictures["frame"], pictures["found"], pictures["mask"]))
        for name in ("appearance", "motion", "places"):
            self._pictures[name].set_data(pictures[name])
        self._pictures["places"].set_clim(0, max(top, 0) or 1)
        self._now.set_xdata([number, number])
        self._dot.set_data([number], [score])


class AddressingFigure(LiveFigure):
    """Which items answer one query, and where over the frame each of them answers (Eq. 1-4, Fig. 5)."""

    def __init__(self, size: tuple[int, int], most_items: int) -> None:
        columns = -(-most_items // 2)
        height = WIDTH / columns * size[0] / size[1] + 0.25
        super().__init__(2.8 + 2 * height)
        upper = ["bars"] * (columns - columns // 2) + ["support"] * (columns // 2)
        places = [f"item{i}" for i in range(2 * columns)]
        mosaic: Mosaic = [[*upper], [*places[:columns]], [*places[columns:]]]
        axes = self.figure.subplot_mosaic(mosaic, height_ratios=[2.6, height, height])
        self._axis = axes["bars"]
        self._axis.set(xticks=[], xlim=(-0.6, most_items - 0.4), ylim=(0, 1))
        self._axis.set_xlabel("memory items by number, largest share first", fontsize=9)
        self._shares, self._weights = (
            [self.moves(bar) for bar in self._axis.bar(range(most_items), 0, width, color=colour, label=label)]
            for width, colour, label in ((0.8, "#c0c8d0", "share before shrinkage"), (0.4, ALARM, "weight"))
        )
        self._threshold = self.moves(self._axis.axhline(0, color=QUIET, linestyle="--", linewidth=1))
        self._threshold.set_label("threshold lambda, on the shares")
        self._axis.legend(frameon=False, fontsize=8)
        self._numbers = [
            self.moves(self._axis.text(i, 0, "", ha="center", va="bottom", fontsize=8)) for i in range(most_items)
        ]
        panels = [axes["support"], *(axes[name] for name in places)]
        self._maps = [self.moves(picture(axis, size)) for axis in panels]
        for axis in panels:
            axis.set_axis_off()
        self._titles = [self.moves(axis.set_title("0", fontsize=9)) for axis in panels]
        mark = {"markerfacecolor": "none", "markeredgecolor": "white", "markersize": 7}
        self._cells = [self.moves(axis.plot([], [], "o", **mark)[0]) for axis in panels]
        self._size = size

    def show(self, frame: np.ndarray, found: Mapping[str, np.ndarray], threshold: float, cell: tuple[int, int]) -> None:
        """The answer to the query at a cell (row, column) of the latent grid of a frame uint8 (H, W, C), and lambda.

        found: `items` (K,) their numbers, `shares` and `weights` (K,) before and after shrinkage, `maps` (K, h, w)
        each item's weights over the frame, and `support` (h, w) items per query.
        """
        highest = float(max(found["shares"].max(), found["weights"].max(), threshold))
        top = self._axis.get_ylim()[1]
        if not 0.5 * top < highest < 0.9 * top:
            self._axis.set_ylim(0, 1.25 * highest)
            self.changed()
        self._threshold.set_ydata([threshold, threshold])
        for artist in (*self._shares, *self._weights, *self._numbers, *self._maps, *self._titles, *self._cells):
            artist.set_visible(False)
        answers = zip(*(found[name].tolist() for name in ("items", "shares", "weights")), strict=True)
        bars = zip(self._shares, self._weights, self._numbers, strict=True)
        for (item, share, weight), (of_share, of_weight, number) in zip(answers, bars, strict=False):
            of_share.set(height=share, visible=True)
            of_weight.set(height=weight, visible=True)
            number.set(text=f"{item}", y=max(share, weight), visible=True)
        support, brightest = found["support"], float(found["maps"].max())
        titles = [f"support items of every query: {support.min()} to {support.max()} (bright)"]
        titles += [f"item {item}" for item in found["items"]]
        gray = 0.3 * frame.mean(axis=2, keepdims=True, dtype=np.float32)
        pictures = [heat_on(gray, support, support.max(), COOL_COLOURS)]
        pictures += [heat_on(gray, weights, brightest, HOT_COLOURS) for weights in found["maps"]]
        y, x = ((at + 0.5) * side / count for at, side, count in zip(cell, self._size, support.shape, strict=True))
        panels = zip(self._maps, self._titles, self._cells, strict=True)
        for pixels, text, (shown, title, mark) in zip(pictures, titles, panels, strict=False):
            shown.set(data=pixels, visible=True)
            title.set(text=text, visible=True)
            mark.set(data=([x], [y]), visible=True)


def picture(axis: Axes, size: tuple[int, int]) -> AxesImage:
    """An empty picture (H, W) without ticks, in the colours of heat where it will hold a map."""
    axis.set(xticks=[], yticks=[])
    return axis.imshow(np.zeros(size, np.float32), cmap=HEAT, interpolation="nearest", extent=(0, size[1], size[0], 0))


def marked(frame: np.ndarray, found: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A frame uint8 (H, W, C) in colour, the alarm tinted blue and the truth's outline orange: uint8 (H, W, 3)."""
    coloured = _rgb(frame)
    coloured[found] = (0.55 * coloured[found] + 0.45 * np.array(to_rgb(ALARM)) * 255).astype(np.uint8)
    inside = cv2.erode(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) == 1
    coloured[mask & ~inside] = ORANGE
    return coloured


def heat_on(gray: np.ndarray, values: np.ndarray, brightest: float, colours: np.ndarray) -> np.ndarray:
    """Values (h, w) >= 0 in 256 colours (256, 3) over a dimmed gray frame (H, W, 1); uint8 (H, W, 3)."""
    levels = colours[(np.asarray(values) * (255 / (brightest or 1))).astype(int).clip(0, 255)]
    rows, columns = (np.arange(side) * n // side for side, n in zip(gray.shape[:2], values.shape, strict=True))
    return (gray + levels[rows][:, columns]).astype(np.uint8)


def frame_with_cell(frame: np.ndarray, grid: tuple[int, int], cell: tuple[int, int], width: int = 540) -> np.ndarray:
    """A frame uint8 (H, W, C) enlarged to about `width` pixels, lines between the queries, one of them outlined."""
    scale = max(1, round(width / frame.shape[1]))
    large = _rgb(frame).repeat(scale, axis=0).repeat(scale, axis=1)
    rows, columns = (
        np.linspace(0, side, n + 1).round().astype(int) for side, n in zip(large.shape[:2], grid, strict=True)
    )
    large[rows[1:-1]] = large[rows[1:-1]] * 0.75 + 60
    large[:, columns[1:-1]] = large[:, columns[1:-1]] * 0.75 + 60
    (top, bottom), (left, right) = rows[cell[0] : cell[0] + 2].tolist(), columns[cell[1] : cell[1] + 2].tolist()
    return cv2.rectangle(large, (left + 1, top + 1), (right - 2, bottom - 2), ORANGE.tolist(), thickness=2)


def png_of(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, 3 or 4), red first, as an opaque PNG, packed lightly: it goes to a browser on the same machine."""
    blue_first = np.ascontiguousarray(pixels[..., 2::-1])
    return cv2.imencode(".png", blue_first, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _rgb(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W, 1 or 3) as a picture of three channels to draw into."""
    return np.broadcast_to(frame, (*frame.shape[:2], 3)).copy()
