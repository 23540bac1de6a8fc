"""A scored video to look at: any frame of it with the whole score curve under it, the place marked (ours)."""

from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np

from maam_lib.detector import DetectionError
from maam_lib.video.annotation import ALARM, INK, LINE, PAPER, SOFT, STRIP
from maam_lib.video.browser_video import VIDEO, annotated_video

CURVE = 120  # pixels of the curve's height
MARGIN = 14  # above and below it


class Playback:
    """The folder that `maam detect` wrote: `scores`, a table with one row per frame, and `picture` of any of them.

    Raises DetectionError where the folder holds no result.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        video, has_scores = annotated_video(self.folder), (self.folder / "scores.csv").is_file()
        if video is None or not has_scores:
            missing = VIDEO if has_scores else "scores.csv"
            raise DetectionError(f"{folder}: no {missing} here; make it with `maam detect RUN VIDEO --out {folder}`")
        import pandas as pd  # only here: scoring an exported file does not need it

        self.scores = pd.read_csv(self.folder / "scores.csv")
        self._video = av.open(str(video))
        self._stamps = sorted(packet.pts for packet in self._video.demux(video=0) if packet.pts is not None)
        self._next = -1  # row whose frame is decoded next

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def frame_rate(self) -> float:
        """Rows per second, in the mean over the scored footage."""
        times = self.scores["time"]
        return (len(self) - 1) / (times.iloc[-1] - times.iloc[0]) if len(self) > 1 else 1.0

    def picture(self, row: int) -> np.ndarray:
        """uint8 (H, W, 3) BGR: the marked frame of a row of `scores`, over the curve of all of them."""
        frame, curve = self._frame(row), self._curve.copy()
        x = round(row / max(1, len(self) - 1) * (frame.shape[1] - 1))
        cv2.line(curve, (x, 0), (x, len(curve)), INK, 1)
        now = self.scores.iloc[row]
        said = f"frame {now['frame']:.0f}, {now['time']:.1f} s: score {now['normalised']:.2f}"
        cv2.putText(curve, said, (6, MARGIN - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
        return np.vstack([frame, curve])

    def jpeg(self, row: int) -> bytes:
        """The same as a JPEG file."""
        return cv2.imencode(".jpg", self.picture(row))[1].tobytes()

    def _frame(self, row: int) -> np.ndarray:
        """The marked frame without its strip; playing on is cheaper than jumping."""
        if row >= len(self._stamps):
            raise DetectionError(f"{self._video.name}: no frame {row}; was it cut?")
        if self._next != row:
            self._video.seek(self._stamps[row], stream=self._video.streams.video[0])
            self._frames = self._video.decode(video=0)
        self._next = row + 1
        frame = next(frame for frame in self._frames if (frame.pts or 0) >= self._stamps[row])
        return frame.to_ndarray(format="bgr24")[:-STRIP]

    @cached_property
    def _curve(self) -> np.ndarray:
        width = self._video.streams.video[0].width
        curve = np.full((CURVE, width, 3), PAPER, np.uint8)
        scores = self.scores["normalised"].to_numpy()
        top, bottom = max(1.0, scores.max()), min(0.0, scores.min())
        columns = np.linspace(0, width - 1, len(scores))
        for x in columns[self.scores["alarm"].to_numpy() == 1].round().astype(int):
            cv2.line(curve, (int(x), MARGIN), (int(x), CURVE), LINE, max(1, round(width / len(scores)) + 1))
        rows = CURVE - 4 - (scores - bottom) / (top - bottom) * (CURVE - MARGIN - 8)
        points = np.stack([columns, rows], axis=1).round().astype(np.int32)
        cv2.polylines(curve, [points], False, ALARM, 1, cv2.LINE_AA)
        cv2.line(curve, (0, 0), (width, 0), SOFT, 1)
        return curve
