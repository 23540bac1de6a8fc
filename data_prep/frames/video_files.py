"""Video files and streams, read by FFmpeg (PyAV): true time stamps, and each frame that cannot be decoded is told.

Sizes are (height, width); frames are uint8 (H, W, 3) RGB, upright and deinterlaced (see `video_pictures`).
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.stream import VideoStream

from data_prep.clip import SourceError
from data_prep.frames.containers import missing_bytes
from data_prep.frames.picture_order import AGAIN
from data_prep.frames.sizes import Size, check_size
from data_prep.frames.video_pictures import Break, Decoded, Shown, pictures

FETCH = "Download or copy it again"
CONVERT = "convert it: ffmpeg -i IN OUT.mp4"
REPAIR = "to keep what can be decoded, convert it: ffmpeg -i IN OUT.mp4"
HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}  # ITU-T H.273, transfer characteristics
TEXT_CODECS = {"ansi", "bintext", "idf", "xbin"}  # FFmpeg draws text files as video
FASTEST, USUAL_RATE = 1000.0, 25.0  # frames per second: what says more is not believed; where nothing says it
MOST_HELD = 16  # frames: no codec reorders more
PASSES_OVER = {"mjpeg"}  # decoders that tell damage only when asked to fail; others then refuse whole files
Item = TypeVar("Item")


class VideoError(SourceError):
    """What cannot be read as video: one line that names the file, what is wrong and what to do."""


@dataclass
class VideoFacts:
    """What was seen of a video so far."""

    rate: float  # frames per second, where time stamps are absent or do not grow
    pixel_aspect: float  # width of a pixel by its height
    num_frames: int = 0
    first: float = 0.0  # seconds, the time stamp of the first frame
    last: float = 0.0  # seconds from the first frame to the last one
    shortest: float = math.inf  # milliseconds from one frame to the next
    longest: float = 0.0
    interlaced: int = 0  # frames
    transfer: str = ""  # of high dynamic range

    def with_times(self, frames: list[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, float]]:
        """Frames with their times, in seconds from the first one, which always grow."""
        for frame in frames:
            if self.num_frames == 0:
                self.first = frame.time or 0.0
            else:
                now = -1.0 if frame.time is None else frame.time - self.first
                now = now if now > self.last else self.last + 1 / self.rate
                step, self.last = 1000 * (now - self.last), now
                self.shortest, self.longest = min(self.shortest, step), max(self.longest, step)
            self.num_frames += 1
            self.interlaced += frame.interlaced_frame
            self.transfer = HIGH_DYNAMIC_RANGE.get(int(frame.color_trc), self.transfer)
            yield frame, self.last

    @property
    def notes(self) -> list[str]:
        """What a user should know of it."""
        notes = []
        if self.longest > 1.1 * self.shortest and self.longest - self.shortest > 2:  # more than times are rounded by
            notes.append(
                f"the frame rate varies ({self.shortest:.0f} to {self.longest:.0f} ms from frame to frame); flow is "
                "per frame, whatever its duration"
            )
        if self.interlaced:
            notes.append(f"{self.interlaced} of {self.num_frames} frames are interlaced, and were deinterlaced")
        if self.pixel_aspect != 1:
            notes.append(
                f"its pixels are {self.pixel_aspect:.3g} times as wide as high; frames are taken pixel by pixel"
            )
        if self.transfer:
            notes.append(f"its brightness is coded for high dynamic range ({self.transfer}); it is taken as it is")
        return notes


def count_frames(path: Path) -> int:
    """Frames of a video file by its packets, without decoding them: what an edit list hides is not counted.

    Raises VideoError where it cannot be read as video. Damage shows only in decoding.
    """
    with closing(open_file(path)) as video:
        return sum(1 for _ in video.packets())


def survey_video(path: Path) -> VideoFacts:
    """Decode a video file to its end, keeping nothing (ours).

    Raises VideoError for what is no video, holds no frame, was cut, or has a frame that cannot be decoded.
    """
    with closing(open_file(path)) as video:
        for _ in _unbroken(path, video.decoded()):
            pass
    if not video.facts.num_frames:
        raise VideoError(f"{path}: no frame can be decoded; {CONVERT}")
    return video.facts


def video_frames(path: Path, num_frames: int, size: Size | None = None) -> Iterator[np.ndarray]:
    """The frames of a video file, each uint8 (H, W, 3) RGB.

    Raises VideoError where one cannot be decoded or converted, where decoding ends before `num_frames`, or for a frame
    of another size.
    """
    found = 0
    with closing(open_file(path)) as video:
        for found, shown in enumerate(_unbroken(path, video.shown()), start=1):
            check_size(f"{path}, frame {found}", shown.pixels, size)
            yield shown.pixels
    if found < num_frames:
        raise VideoError(f"{path}: decoding stops after {found} of {num_frames} frames; was the file cut? {FETCH}")


def _unbroken(path: Path, items: Iterable[Item | Break]) -> Iterator[Item]:
    """The same up to the first Break, which is a VideoError."""
    for item in items:
        if isinstance(item, Break):
            what = "decoding stops after" if item.at_end else "after"
            raise VideoError(f"{path}: {what} {item.frames} frames ({item.time:.2f} s): {item.why}; {item.remedy}")
        yield item


def open_file(path: Path, *, threads: int = 1) -> "Video":
    """A video file opened for reading; VideoError for what is no regular file, no video, text or one picture.

    threads: one where clips are prepared side by side, 0 for one per core.
    """
    if not path.is_file():
        kind = "no such file" if not path.exists() else "not a regular file"
        raise VideoError(f"{path}: {kind}; expected a video file")
    missing = missing_bytes(path)
    cut = f", {missing} fewer than its header says: was it cut?" if missing else ""
    refused = f"{path}: cannot be read as a video ({path.stat().st_size} bytes{cut})"
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (FFmpegError, UnicodeError) as error:
        raise VideoError(f"{refused}; {AGAIN}, or {CONVERT}") from error
    try:
        form = container.format.name
        if form in ("image2", "ico") or (form.endswith("_pipe") and _is_one_picture(path)):
            raise VideoError("it is one picture; put the pictures of a clip into a separate folder")
        return Video(container, threads=threads, missing=missing)
    except VideoError as error:
        container.close()
        raise VideoError(f"{refused}: {error}") from error


def _is_one_picture(path: Path) -> bool:
    """Whether a file that FFmpeg takes for joined pictures, as raw Motion JPEG is, holds one alone."""
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
        packets = (packet for packet in container.demux(video=0) if packet.size)
        return next(packets, None) is None or next(packets, None) is None


def open_stream(address: str, timeout: float) -> "Video":
    """A stream opened for reading; opening it and each reading may take `timeout` seconds.

    Raises VideoError, whose text lacks the address: that may hold a password.
    """
    try:
        container = av.open(address, options={"rtsp_transport": "tcp"}, timeout=timeout)
    except (FFmpegError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no valid address"
        raise VideoError(f"cannot be opened ({why}); is the address right, and does the machine answer?") from None
    try:
        return Video(container, threads=1)  # frames decoded side by side would come later
    except VideoError:
        container.close()
        raise


class Video:
    """An opened video file or stream.

    frame_rate: per second, by its header; None where that says none. expected: frames by its header, an estimate; None
    where nothing tells, as of a live stream. facts: what was seen so far. missing: bytes that the file lacks.

    Raises VideoError where it holds no video; the message lacks the name.
    """

    def __init__(self, container: InputContainer, *, threads: int, missing: int = 0):
        self._container, self._missing, self._stops = container, missing, ""
        self._stream = stream = _video_stream(container)
        codec = stream.codec_context
        codec.thread_count, codec.thread_type = threads, "SLICE" if threads == 1 else "AUTO"
        if codec.name in PASSES_OVER:
            codec.options = {"err_detect": "explode"}
        rates = [float(rate) for rate in (stream.guessed_rate, stream.average_rate) if rate]
        self.frame_rate = next((rate for rate in rates if 0 < rate <= FASTEST), None)
        self.expected = _expected_frames(container, stream, self.frame_rate)
        self.facts = VideoFacts(self.frame_rate or USUAL_RATE, float(stream.sample_aspect_ratio or 1))

    def close(self) -> None:
        self._container.close()

    def packets(self) -> Iterator[av.Packet]:
        """The packets of frames that are shown: not an AVI's empty ones, and not what an edit list hides."""
        return (packet for packet in self._container.demux(self._stream) if packet.size and not packet.is_discard)

    def shown(self) -> Iterator[Shown | Break]:
        """The pictures in order of their times, and Breaks where frames are missing.

        A stream that breaks off ends so too.
        """
        return pictures(self.decoded())

    def decoded(self) -> Iterator[Decoded]:
        """The frames with their times, in seconds from the first one, before anything is converted.

        What comes before the first key frame and cannot be decoded is left out: the video begins later.
        """
        seen, why, lost, started = self.facts, "", 0, False
        held: list[av.VideoFrame] = []  # B-frames: may be built on a frame that comes later, and may be damaged
        codec = self._stream.codec_context
        for packet, frames, damage in self._steps():
            started = started or packet.is_keyframe or seen.num_frames > 0
            if damage and started:
                why, lost = why or damage, lost + 1
            for frame in frames:
                if frame.is_corrupt and started:
                    why, lost, held = why or "a frame is damaged", lost + 1 + len(held), []
                elif frame.is_corrupt or (why and not frame.key_frame):
                    lost += 1
                elif frame.pict_type == PictureType.B and codec.reorder_depth > 0 and len(held) < MOST_HELD:
                    held.append(frame)
                else:
                    yield from seen.with_times(held)
                    held = []
                    if why:
                        yield Break(seen.last, seen.num_frames, lost, why, REPAIR)
                        why, lost = "", 0
                    yield from seen.with_times([frame])
        yield from seen.with_times(held)
        why = why or self._stops
        if self._missing:
            why = f"the file is {self._missing} bytes shorter than its header says. Was it cut? {FETCH}"
        if why:
            yield Break(seen.last, seen.num_frames, max(1, lost), why, REPAIR, at_end=True)

    def _steps(self) -> Iterator[tuple[av.Packet, list[av.VideoFrame], str]]:
        """Each packet, the frames that came with it, and why it cannot be decoded."""
        # In a transport stream the flag only says that a packet before got lost: the decoder sees what is missing.
        flag_counts, decoder = "mpegts" not in self._container.format.name, self._stream.codec_context.name
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0 and packet.dts is not None:  # an AVI's dropped frame; it would end the decoding
                    continue
                if packet.is_corrupt and flag_counts:
                    yield packet, [], "a frame is incomplete"
                    continue
                try:
                    frames, why = packet.decode(), ""
                except FFmpegError as error:
                    frames, why = [], f"{decoder} cannot decode a frame ({error.strerror})"
                yield packet, frames, why
        except FFmpegError as error:
            self._stops = f"reading stops ({error.strerror})"


def _video_stream(container: InputContainer) -> VideoStream:
    """The stream that FFmpeg thinks best; VideoError for text, one picture, or no video."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or "attached_pic" in str(stream.disposition):
        raise VideoError(f"it holds none; {AGAIN}")
    if stream.codec_context is None:
        raise VideoError(f"FFmpeg has no decoder for it here; {CONVERT}")
    if stream.codec_context.name in TEXT_CODECS:
        raise VideoError("it is a text file; keep it in another folder")
    return stream


def _expected_frames(container: InputContainer, stream: VideoStream, rate: float | None) -> int | None:
    """The smaller of what the header counts and what its duration gives."""
    seconds = (container.duration or 0) / av.time_base
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    return min(filter(None, (round(seconds * (rate or 0)), stream.frames)), default=None)
