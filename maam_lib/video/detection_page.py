"""What the page of a scored video is made of, gathered in constant memory while the footage comes."""

import base64
import csv
import heapq
import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maam_lib.pages import page

MOMENTS = 12  # pictures on the page
APART = 5.0  # seconds between two of them, at least
BINS = 600  # of the curve
LISTED = 200  # events in the table; all of them are in events.csv
WIDTH, HEIGHT = 1000, 160  # of the curve, in its own units


class Envelope:
    """The largest score of each of at most 2 * BINS equal stretches of frames; stretches double as frames come."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.stretch = 1  # frames per value
        self._filled = 0

    def add(self, score: float) -> None:
        if self._filled == 0:
            self.values.append(score)
        self.values[-1] = max(self.values[-1], score)
        self._filled = (self._filled + 1) % self.stretch
        if len(self.values) == 2 * BINS and self._filled == 0:
            self.values = [max(pair) for pair in zip(self.values[::2], self.values[1::2], strict=True)]
            self.stretch *= 2


@dataclass(order=True)
class Moment:
    """A frame of high score."""

    score: float
    frame: int
    time: float = field(compare=False)
    picture: bytes = field(compare=False)  # JPEG


class WorstMoments:
    """The highest-scored moments, at least APART seconds from each other; at most MOMENTS pictures are kept."""

    def __init__(self) -> None:
        self._now: Moment | None = None
        self._kept: list[Moment] = []

    def add(self, score: float, frame: int, time: float, picture: Callable[[], bytes]) -> None:
        """One scored frame; its picture is asked for only where it may be kept."""
        if self._now is not None and time - self._now.time >= APART:
            self._keep(self._now)
            self._now = None
        if self._now is None or score > self._now.score:
            full = len(self._kept) == MOMENTS
            if not full or score > self._kept[0].score:
                self._now = Moment(score, frame, time, picture())

    def _keep(self, moment: Moment) -> None:
        heapq.heappush(self._kept, moment)
        if len(self._kept) > MOMENTS:
            heapq.heappop(self._kept)

    def sorted(self) -> list[Moment]:
        """The worst first."""
        now = [] if self._now is None else [self._now]
        return sorted([*self._kept, *now], reverse=True)[:MOMENTS]


def detection_page(
    title: str,
    envelope: Envelope,
    level: float,
    seconds: float,
    moments: list[Moment],
    events: Path,
    facts: Mapping[str, Any],
    normal: str,
) -> str:
    """One HTML page, readable offline: curve over so many seconds, worst moments, events, settings.

    Scores, and the threshold `level`, are normalised by those of what `normal` names.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>Scores are scaled by those of {html.escape(normal)}: 1 is the worst of them. The dashed line is the alarm "
        "threshold. Every score: <a href='scores.csv'>scores.csv</a>; every event: "
        "<a href='events.csv'>events.csv</a>; the video with its marks: <a href='annotated.mkv'>annotated.mkv</a>.</p>",
        "<h2>Score over time</h2>",
        _curve(envelope, level),
        _scale(envelope, level, seconds),
        "<h2>Worst moments</h2>",
        f'<div class="gallery">{"".join(map(_figure, moments))}</div>',
        "<h2>Events</h2>",
        _events(events),
        "<h2>Settings</h2>",
        f"<table>{''.join(_row(name, value) for name, value in facts.items())}</table>",
    ]
    made = "Made by maam detect. A score says how unlike the training footage a frame is, not that it is dangerous."
    return page(title, "".join(parts), made)


def _curve(envelope: Envelope, level: float) -> str:
    values = envelope.values
    top, bottom = max(1.1 * level, 1.0, *values), min(0.0, level, *values)

    def y(score: float) -> float:
        return round(HEIGHT - (score - bottom) / (top - bottom) * HEIGHT, 1)

    step = WIDTH / max(1, len(values) - 1)
    line = " ".join(f"{i * step:.1f},{y(value)}" for i, value in enumerate(values))
    return f"""<svg viewBox="0 -4 {WIDTH} {HEIGHT + 8}" width="100%" preserveAspectRatio="none" height="{HEIGHT}"
 role="img" aria-label="score over time"><line x1="0" x2="{WIDTH}" y1="{y(level)}" y2="{y(level)}" stroke="#5d6b7a"
 stroke-dasharray="6 4" vector-effect="non-scaling-stroke"/><polyline points="{line}" fill="none" stroke="#0072B2"
 stroke-width="1.2" vector-effect="non-scaling-stroke"/></svg>"""


def _scale(envelope: Envelope, level: float, seconds: float) -> str:
    """Five times under the curve, and what its height means in words: the curve itself is stretched to the page."""
    times = "".join(f"<span>{clock(seconds * quarter / 4)}</span>" for quarter in range(5))
    highest = f"highest {max(envelope.values):.2f}, " if envelope.values else ""
    return f"""<div style="display:flex;justify-content:space-between;font-size:.85em">{times}</div>
<p>Time as h:mm:ss. Scores: {highest}threshold {level:.2f}.</p>"""


def _figure(moment: Moment) -> str:
    picture = base64.b64encode(moment.picture).decode()
    said = f"{clock(moment.time)}, frame {moment.frame}: score {moment.score:.2f}"
    return f'<div><img alt="{said}" src="data:image/jpeg;base64,{picture}"><br>{said}</div>'


def _events(path: Path) -> str:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        head, shown, left_out = next(rows), [], 0
        for row in rows:
            if len(shown) < LISTED:
                shown.append(row)
            else:
                left_out += 1
    if not shown:
        return "<p>None.</p>"
    more = f"<p>And {left_out} more in events.csv.</p>" if left_out else ""
    lines = [f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in shown]
    return f"<table><tr>{''.join(f'<th>{html.escape(name)}</th>' for name in head)}</tr>{''.join(lines)}</table>{more}"


def _row(name: str, value: Any) -> str:
    shown = f"{value:.5g}" if isinstance(value, float) else str(value)
    return f"<tr><td>{html.escape(name)}</td><td>{html.escape(shown)}</td></tr>"


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
