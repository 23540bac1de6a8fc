"""From decoded video frames to pictures as people see them: deinterlaced, upright, RGB with the right colours."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import av
import av.error
import av.filter
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

DEINTERLACER = ("bwdif", "mode=send_frame:deint=interlaced")  # one frame per frame; progressive ones pass unchanged
RECOLOUR = "convert it: ffmpeg -i IN -vf zscale=matrix=709 OUT.mp4"


@dataclass(frozen=True)
class Shown:
    """A picture of the video."""

    time: float  # seconds from the first frame
    pixels: np.ndarray  # uint8 (H, W, 3) RGB


@dataclass(frozen=True)
class Break:
    """Frames are missing: they cannot be decoded or converted, or the file ends too early.

    After damage all is left out up to the next key frame, since what follows is built on damaged frames.
    """

    time: float  # seconds from the first frame, of the last frame before
    frames: int  # that came before
    lost: int  # frames or packets left out, at least
    why: str
    remedy: str
    at_end: bool = False  # no frame follows


Decoded = tuple[av.VideoFrame, float] | Break  # a frame and its time in seconds


def pictures(decoded: Iterable[Decoded]) -> Iterator[Shown | Break]:
    """The picture of each frame, in order (ours); a Break for a colour matrix or a format that cannot be converted.

    How a picture is turned holds until a frame says otherwise: some videos say it in their key frames only.
    """
    reformatter, turn, last = VideoReformatter(), None, 0.0
    for number, item in enumerate(_deinterlaced(decoded)):
        if isinstance(item, Break):
            yield item
            continue
        frame, time = item
        if (matrix := frame.side_data.get("DISPLAYMATRIX")) is not None:
            turn = bytes(matrix)
        try:
            rgb = reformatter.reformat(
                frame,
                format="rgb24",
                src_color_range=frame.color_range,
                interpolation=Interpolation.BICUBIC,
                threads=1,
            )
        except OSError:
            how = f"matrix {int(frame.colorspace)} of ITU-T H.273, {frame.format.name}"
            yield Break(last, number, 1, f"colours that cannot be converted ({how})", RECOLOUR)
        else:
            last = time
            yield Shown(time, _upright(rgb.to_ndarray(), turn))


def _deinterlaced(decoded: Iterable[Decoded]) -> Iterator[Decoded]:
    """The same frames; from the first one that is interlaced on, they go through FFmpeg's bwdif.

    It needs the following frame: frames then come one later. Those that are not interlaced stay as they are.
    """
    bwdif: _Deinterlacer | None = None
    for item in decoded:
        layout = None if isinstance(item, Break) else _layout(item[0])
        if bwdif is not None and bwdif.layout != layout:
            yield from bwdif.add(None)
            bwdif = None
        if isinstance(item, Break):
            yield item
            continue
        if bwdif is None and item[0].interlaced_frame:
            bwdif = _Deinterlacer(item[0])
        yield from [item] if bwdif is None else bwdif.add(*item)
    if bwdif is not None:
        yield from bwdif.add(None)


def _layout(frame: av.VideoFrame) -> tuple:
    return frame.format.name, frame.width, frame.height


class _Deinterlacer:
    """FFmpeg's deinterlacer for frames of one layout; None for a frame ends it."""

    def __init__(self, frame: av.VideoFrame):
        self.layout = _layout(frame)
        self._waiting: deque[tuple[float, av.VideoFrame]] = deque()
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        self._graph.link_nodes(source, self._graph.add(*DEINTERLACER), self._graph.add("buffersink")).configure()

    def add(self, frame: av.VideoFrame | None, time: float = 0.0) -> Iterator[tuple[av.VideoFrame, float]]:
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
