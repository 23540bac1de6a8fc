"""Pictures of scored footage: the frame with its abnormal regions, the score of the last seconds under it.

Colours as in `maam_lib.figures`, as BGR: the alarm is blue.
"""

from collections import deque
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from maam_lib.video.events import Box
from maam_lib.windows import Pair

ALARM, INK, SOFT, PAPER, LINE = (178, 114, 0), (51, 39, 28), (122, 107, 93), (255, 255, 255), (234, 227, 221)
STRIP = 96  # pixels under the picture, for the curve
SMALLEST_WIDTH = 320  # that the curve and its words need
MAX_STEP = 3  # pixels between two scores of the curve
TINT = 0.35  # of the alarm's colour over abnormal regions
CODEC = "mpeg4"  # which every player reads; Matroska stays playable when it is cut
QUALITY = {"flags": "+qscale", "global_quality": str(3 * 118), "g": "12"}  # 118: FFmpeg's unit; a key frame every 12
WRITTEN_AT_ONCE = {"flush_packets": "1", "cluster_time_limit": "1000"}  # milliseconds of video that a kill may lose
RATES = (0.01, 1000.0)  # frames per second
STAMP = Fraction(1, 1000)  # second; MPEG-4 allows no finer ones than 1/65535


def picture_size(source_size: Pair, width: int) -> Pair:
    """(height, width) of the picture part: the source's aspect, at most so wide, even, wide enough for the curve."""
    shown = max(SMALLEST_WIDTH, min(width, source_size[1])) // 2 * 2
    return max(2, round(source_size[0] * shown / source_size[1] / 2) * 2), shown


class Annotator:
    """Draws one picture per scored frame; keeps the scores of one strip's width."""

    def __init__(self, size: Pair, level: float):
        """size: (height, width) of the picture part. level: the threshold, in normalised scores."""
        self.size, self.level = size, level
        self._scores: deque[float] = deque(maxlen=size[1] // MAX_STEP + 1)

    def draw(self, picture: np.ndarray, found: np.ndarray, score: float, on: bool, caption: str) -> np.ndarray:
        """uint8 (height + STRIP, width, 3) BGR: picture (H, W, 3) RGB, found bool (H, W) of any size, a score.

        on: an alarm is on. The curve ends at this frame's normalised score.
        """
        height, width = self.size
        shown = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        if shown.shape[:2] != self.size:
            shown = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)
        if found.any():
            _mark(shown, found)
        if on:
            cv2.rectangle(shown, (1, 1), (width - 2, height - 2), ALARM, 3)
        self._scores.append(score)
        return np.vstack([shown, self._strip(width, on, caption)])

    def _strip(self, width: int, on: bool, caption: str) -> np.ndarray:
        strip = np.full((STRIP, width, 3), PAPER, np.uint8)
        top = max(1.25 * self.level, 1.0, *self._scores)
        bottom = min(0.0, *self._scores, self.level)

        def y(score: float) -> int:
            return round(STRIP - 4 - (score - bottom) / (top - bottom) * (STRIP - 24))

        cv2.line(strip, (0, 0), (width, 0), LINE, 1)
        for x in range(0, width, 8):
            cv2.line(strip, (x, y(self.level)), (x + 4, y(self.level)), SOFT, 1)
        first = width - 1 - MAX_STEP * (len(self._scores) - 1)
        points = [(first + MAX_STEP * i, y(score)) for i, score in enumerate(self._scores)]
        cv2.polylines(strip, [np.array(points, np.int32)], False, ALARM, 1, cv2.LINE_AA)
        cv2.putText(strip, caption, (6, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
        if on:
            cv2.putText(strip, "ALARM", (width - 56, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.45, ALARM, 2, cv2.LINE_AA)
        return strip


def _mark(shown: np.ndarray, found: np.ndarray) -> None:
    """Tint and outline abnormal regions, in place."""
    height, width = shown.shape[:2]
    inside = cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) == 1
    shown[inside] = (shown[inside] * (1 - TINT) + np.array(ALARM) * TINT).astype(np.uint8)
    for box in boxes(found, (height, width)):
        cv2.rectangle(shown, box, PAPER, 3)
        cv2.rectangle(shown, box, ALARM, 2)


def boxes(found: np.ndarray, size: Pair) -> list[Box]:
    """Boxes around the connected parts (8 neighbours) of a mask (H, W), largest first, in pixels of `size` (ours)."""
    down, across = size[0] / found.shape[0], size[1] / found.shape[1]
    _, _, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    placed = []
    for x, y, width, height, _ in sorted(stats[1:].tolist(), key=lambda part: -part[cv2.CC_STAT_AREA]):
        left, top = round(x * across), round(y * down)
        placed.append((left, top, round((x + width) * across) - left, round((y + height) * down) - top))
    return placed


class AnnotatedVideo:
    """annotated.mkv: MPEG-4 in Matroska, which plays to its last written second when the program is killed.

    Each picture is shown at its own time, so no frame rate has to be right: the header alone has the announced one.
    """

    def __init__(self, path: Path, frame_rate: float, size: Pair):
        """frame_rate: that the header announces, per second; to six digits, and within RATES. size: (height, width).

        Raises OSError where the file cannot be written, av.FFmpegError where it cannot be encoded; so do the others.
        """
        rate = Fraction(min(max(frame_rate, RATES[0]), RATES[1])).limit_denominator(1_000_000)
        self._file = av.open(str(path), "w", "matroska", options=WRITTEN_AT_ONCE)
        self._stream = self._file.add_stream(CODEC, rate=rate, options=QUALITY)
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = STAMP
        self._last = -1  # time stamp of the last picture

    def write(self, picture: np.ndarray, time: float) -> None:
        """One picture (H, W, 3) BGR, shown from so many seconds on, in whole milliseconds."""
        frame = av.VideoFrame.from_ndarray(picture, "bgr24")
        frame.time_base = STAMP
        frame.pts = self._last = max(self._last + 1, round(time / STAMP))
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        with self._file:
            self._file.mux(self._stream.encode(None))


def jpeg(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) BGR as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
