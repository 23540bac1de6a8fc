"""The annotated video written anew for browsers: H.264 in MP4, or VP9 in WebM (ours).

While footage is scored it is MPEG-4 in Matroska, which stays whole when the program is killed and plays in no browser.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import av
from av.error import FFmpegError, InvalidDataError
from av.video.frame import PictureType
from av.video.stream import VideoStream

from data_prep.files import written_aside
from data_prep.words import counted
from maam_lib.detector import DetectionError
from maam_lib.video.annotation import STAMP
from maam_lib.video.result_folder import check_room

VIDEO = "annotated.mkv"  # as it is written while footage is scored
EVERY = 100  # frames between two looks at the room on the disk


class Form(NamedTuple):
    """A form that browsers play."""

    codec: str  # FFmpeg's encoder
    file: str
    container: str
    options: dict[str, str]


FORMS = (  # the first one that this FFmpeg can write is taken; key frames every second or so, for jumps; no B-frames
    Form("libx264", "annotated.mp4", "mp4", {"preset": "veryfast", "crf": "23", "g": "25", "bf": "0"}),
    Form("libvpx-vp9", "annotated.webm", "webm", {"deadline": "realtime", "cpu-used": "6", "crf": "32", "g": "25"}),
)
Written = Callable[[int, int], object]  # frames written, and of how many


def annotated_video(folder: Path) -> Path | None:
    """The annotated video in a result folder, in whichever form it has; None where there is none."""
    names = (VIDEO, *(form.file for form in FORMS))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def browser_files() -> list[str]:
    """What the video may be called once it is written anew, the likeliest first."""
    return [form.file for form in sorted(FORMS, key=lambda form: form.codec not in av.codecs_available)]


def for_browsers(folder: Path, on_frame: Written | None = None) -> Path:
    """Write annotated.mkv of a result folder anew in the first of FORMS, delete it, and return the new file (ours).

    Frame by frame, so memory does not grow with the length. The new file shows its first picture at 0 s.

    Raises DetectionError where there is no annotated.mkv, or where it cannot be written anew; then it stays.
    """
    safe = folder / VIDEO
    if not safe.is_file() and (made := annotated_video(folder)):
        raise DetectionError(f"{made}: browsers play this already; there is nothing to convert")
    if not safe.is_file():
        raise DetectionError(f"{folder}: no {VIDEO} here, so there is nothing to convert for browsers")
    form = next((form for form in FORMS if form.codec in av.codecs_available), None)
    if form is None:
        wanted = " or ".join(form.codec for form in FORMS)
        raise DetectionError(f"{safe} stays as it is: this FFmpeg has no {wanted}, which browsers need")
    try:
        with written_aside(folder / form.file) as aside:
            _write_anew(safe, aside, form, on_frame)
    except (FFmpegError, OSError) as error:
        why = getattr(error, "strerror", None) or error
        raise DetectionError(f"{safe} stays as it is: it cannot be written as {form.file} ({why})") from error
    safe.unlink()
    return folder / form.file


def _write_anew(safe: Path, aside: Path, form: Form, on_frame: Written | None) -> None:
    expected, written = _pictures(safe), 0
    with av.open(str(safe)) as source, av.open(str(aside), "w", form.container) as target:
        shown = source.streams.video[0]
        shown.thread_type = "AUTO"
        stream = target.add_stream(form.codec, rate=shown.average_rate, options=form.options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = shown.height, shown.width, "yuv420p"
        stream.codec_context.time_base = stream.time_base = STAMP
        first = None
        for packet in source.demux(shown):
            frames: list[av.VideoFrame] = []
            with suppress(InvalidDataError):  # the last packet of a video that a kill cut
                frames = packet.decode()
            for frame in frames:
                stamp = round((frame.time or 0.0) / STAMP)
                first = stamp if first is None else first
                frame.pts, frame.time_base, frame.pict_type = stamp - first, STAMP, PictureType.NONE
                target.mux(stream.encode(frame))
                written += 1
                if written % EVERY == 0:
                    check_room(aside.parent, "nothing was replaced")
                if on_frame is not None:
                    on_frame(written, expected)
        target.mux(stream.encode(None))
    found = _pictures(aside)
    if not written or found != written or written < expected - 1:  # one may be cut
        raise OSError(f"{counted(expected, 'picture')} gave {written}, of which {found} can be read")


def _pictures(video: Path) -> int:
    """How many are in a file."""
    with av.open(str(video)) as file:
        return sum(1 for packet in file.demux(video=0) if packet.size)
