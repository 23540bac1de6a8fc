"""From decoded video frames to pictures as people see them: deinterlaced, upright, RGB with the right colours."""

from collections import deque
from collections.abc import Iterator

import av
import av.error
import av.filter
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

DEINTERLACER = ("bwdif", "mode=send_frame:deint=interlaced")  # one frame per frame; progressive ones pass unchanged
HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}  # ITU-T H.273, transfer characteristics


class PictureError(ValueError):
    """A decoded frame that cannot become a picture: why, in a few words."""


class Pictures:
    """Makes a picture of each decoded frame, in order (ours).

    From the first frame that is interlaced on, frames go through FFmpeg's bwdif, which needs the following frame:
    pictures then come one frame later. Frames that are not interlaced stay as they are. How a picture is turned holds
    until a frame says otherwise: some videos say it in their key frames only. Raises PictureError for a
    colour matrix or a pixel format that cannot be converted.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._deinterlacer: _Deinterlacer | None = None
        self._turn: bytes | None = None  # the display matrix of the last frame that had one

    def add(self, frame: av.VideoFrame, time: float) -> Iterator[tuple[float, np.ndarray]]:
        """The pictures that are ready, each uint8 (H, W, 3) RGB, with their times."""
        if self._deinterlacer is not None and self._deinterlacer.layout != _layout(frame):
            yield from self.flush()
        if self._deinterlacer is None:
            if not frame.interlaced_frame:
                yield time, self._picture(frame)
                return
            self._deinterlacer = _Deinterlacer(frame)
        for done, at in self._deinterlacer.add(frame, time):
            yield at, self._picture(done)

    def flush(self) -> Iterator[tuple[float, np.ndarray]]:
        """The pictures that are still on their way, where the video ends or breaks."""
        if self._deinterlacer is not None:
            ending, self._deinterlacer = self._deinterlacer, None
            for done, at in ending.add(None, 0.0):
                yield at, self._picture(done)

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        try:
            rgb = self._reformatter.reformat(
                frame,
                format="rgb24",
                src_color_range=frame.color_range,
                interpolation=Interpolation.BICUBIC,
                threads=1,
            )
        except OSError as error:
            raise PictureError(
                f"colours that cannot be converted (matrix {int(frame.colorspace)} of ITU-T H.273, {frame.format.name})"
            ) from error
        if (matrix := frame.side_data.get("DISPLAYMATRIX")) is not None:
            self._turn = bytes(matrix)
        return _upright(rgb.to_ndarray(), self._turn)


def _layout(frame: av.VideoFrame) -> tuple:
    return frame.format.name, frame.width, frame.height


class _Deinterlacer:
    """FFmpeg's deinterlacer for frames of one layout."""

    def __init__(self, frame: av.VideoFrame):
        self.layout = _layout(frame)
        self._waiting: deque[tuple[float, av.VideoFrame]] = deque()
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        self._graph.link_nodes(source, self._graph.add(*DEINTERLACER), self._graph.add("buffersink")).configure()

    def add(self, frame: av.VideoFrame | None, time: float) -> Iterator[tuple[av.VideoFrame, float]]:
        if frame is not None:
            self._waiting.append((time, frame))
        self._graph.push(frame)
        while True:
            try:
                done = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            at, before = self._waiting.popleft()
            done.colorspace, done.color_range = before.colorspace, before.color_range
            yield done, at


def _upright(picture: np.ndarray, matrix: bytes | None) -> np.ndarray:
    """The picture as its display matrix says it is to be seen, by quarter turns and mirrors; as OpenCV turned it."""
    if matrix is None:
        return picture
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(int)
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, x, y = picture.swapaxes(0, 1), c, b
    else:
        x, y = a, d
    return np.ascontiguousarray(picture[:: -1 if y < 0 else 1, :: -1 if x < 0 else 1])
