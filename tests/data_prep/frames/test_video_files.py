"""Video files as FFmpeg reads them: every frame that is there, at its time, with its colours; and no other."""

import os
import socket
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import cv2
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from PIL import Image

from data_prep.frames.containers import missing_bytes
from data_prep.frames.video_files import VideoError, count_frames, survey_video, video_frames
from data_prep.readers.videos import read_videos
from maam_lib.detector import DetectionError
from maam_lib.video.addresses import without_secrets
from maam_lib.video.events import Event
from maam_lib.video.footage import open_footage
from maam_lib.video.trouble import Frame
from tests.fake_sources import cut, moving, write_footage

SIZE = (64, 96)
RATE = 25


def scene(num_frames: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    return list(moving("hall", num_frames, size))


def write(
    path: Path,
    frames: list[np.ndarray],
    codec: str = "libx264",
    *,
    times: list[int] | None = None,  # in frames
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    filters: tuple[tuple[str, str], ...] = (),
    aspect: Fraction | None = None,
    sound: float = 0.0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Frames through FFmpeg's filters into a video, by PyAV; with so many seconds of silence."""
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        video = container.add_stream(codec, rate=RATE, options=options or {"g": "10"})
        video.width, video.height, video.pix_fmt = frames[0].shape[1], frames[0].shape[0], pixels
        if codec != "libx264":
            video.codec_context.bit_rate = 4_000_000
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        audio = container.add_stream("aac" if path.suffix == ".mp4" else "pcm_s16le", rate=8000) if sound else None
        for frame in encodable(frames, times or list(range(len(frames))), pixels, filters):
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, round(8000 * sound)), np.int16), "s16", "mono")
            silence.sample_rate, silence.pts = 8000, 0
            container.mux(audio.encode(silence))
            container.mux(audio.encode(None))
    return path


def encodable(
    frames: list[np.ndarray], times: list[int], pixels: str, filters: tuple[tuple[str, str], ...]
) -> Iterator[av.VideoFrame]:
    graph = av.filter.Graph()
    height, width = frames[0].shape[:2]
    source = graph.add_buffer(width=width, height=height, format=pixels, time_base=Fraction(1, RATE))
    graph.link_nodes(source, *(graph.add(*each) for each in filters), graph.add("buffersink")).configure()
    for picture, time in zip(frames, times, strict=True):
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixels)
        frame.pts, frame.time_base = time, Fraction(1, RATE)
        graph.push(frame)
        yield from ready(graph)
    graph.push(None)
    yield from ready(graph)


def ready(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def read(path: Path) -> np.ndarray:
    return np.stack(list(video_frames(path, survey_video(path).num_frames)))


def error_to(found: np.ndarray, expected: list[np.ndarray]) -> float:
    return float(np.abs(found.astype(int) - np.stack(expected)).mean())


def played(path: Path) -> tuple[list[Frame], list[Event]]:
    items = list(open_footage(path))
    return [item for item in items if isinstance(item, Frame)], [item for item in items if isinstance(item, Event)]


# Whole files


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mkv", "libx265"),
        ("a.ts", "mpeg2video"),
        ("a.avi", "mpeg4"),
        ("a.webm", "libvpx-vp9"),
        ("a.mov", "mjpeg"),
        ("a.flv", "flv"),
    ],
)
def test_every_format_gives_its_frames_and_times(name: str, codec: str, tmp_path: Path) -> None:
    frames = scene(30)
    path = write(tmp_path / name, frames, codec, pixels="yuvj420p" if codec == "mjpeg" else "yuv420p")
    facts = survey_video(path)
    assert (facts.num_frames, count_frames(path), facts.notes) == (30, 30, [])
    assert error_to(read(path), frames) < 8
    found, events = played(path)
    assert [frame.time for frame in found] == pytest.approx([t / RATE for t in range(30)], abs=2e-3)
    assert events == []


def test_frames_that_refer_to_later_ones_come_in_order_and_do_not_vary(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", scene(30), options={"bf": "3", "g": "30"})
    assert survey_video(path).notes == []
    assert error_to(read(path), scene(30)) < 8


def test_an_edit_list_hides_frames(tmp_path: Path) -> None:
    """A trimmed MP4 keeps what comes before the first shown frame, with negative times."""
    path = write(tmp_path / "a.mp4", scene(40), options={"g": "40", "bf": "0"}, times=list(range(-10, 30)))
    assert (survey_video(path).num_frames, count_frames(path)) == (30, 30)
    assert error_to(read(path), scene(40)[10:]) < 8
    assert len(played(path)[0]) == 30
    assert played(path)[1] == []


def test_a_varying_rate_is_told_in_real_numbers_and_its_times_are_kept(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 8, 9, 10, 20]
    path = write(tmp_path / "a.mkv", scene(8), times=times)
    assert survey_video(path).notes == [
        "the frame rate varies (40 to 400 ms from frame to frame); flow is per frame, whatever its duration"
    ]
    assert [frame.time for frame in played(path)[0]] == pytest.approx([t / RATE for t in times], abs=1e-3)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_longer_sound_and_a_late_start_are_no_cut(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, scene(12), times=list(range(50, 62)), sound=6.0)
    assert survey_video(path).num_frames == 12
    found, events = played(path)
    assert (found[0].time, len(found), events) == (0.0, 12, [])


def test_an_avi_with_empty_places_holds_fewer_frames_than_it_says(tmp_path: Path) -> None:
    times = [t for t in range(20) if t % 5]
    path = write(tmp_path / "a.avi", scene(16), "mpeg4", times=times)
    assert (survey_video(path).num_frames, count_frames(path)) == (16, 16)
    assert len(played(path)[0]) == 16
    assert played(path)[1] == []


def test_a_recording_that_begins_between_key_frames_begins_at_the_next_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ts", scene(60), "mpeg2video", options={"g": "20", "bf": "0"})
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 5 // 188 * 188 :])
    assert survey_video(path).num_frames == 40
    assert error_to(read(path), scene(60)[20:]) < 8
    assert played(path)[1] == []


# Pictures as they are to be seen


def interlaced(num_frames: int, path: Path, codec: str = "libx264") -> list[np.ndarray]:
    """Writes a gray video whose frames hold two moments each; returns the progressive frames of the first moments."""
    moments = [np.repeat(frame[..., :1], 3, axis=2) for frame in scene(2 * num_frames)]
    frames = [first.copy() for first in moments[::2]]
    for frame, second in zip(frames, moments[1::2], strict=True):
        frame[1::2] = second[1::2]
    options = {"x264-params": "tff=1", "qp": "4"} if codec == "libx264" else {"flags": "+ildct+ilme"}
    write(path, frames, codec, options=options, filters=(("setfield", "tff"),))
    return moments[::2]


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.ts", "mpeg2video"), ("a.avi", "mpeg4")])
def test_interlaced_frames_are_deinterlaced_and_noted(name: str, codec: str, tmp_path: Path) -> None:
    expected = interlaced(20, tmp_path / name, codec)
    facts = survey_video(tmp_path / name)
    assert facts.notes == ["20 of 20 frames are interlaced, and were deinterlaced"]
    found = read(tmp_path / name)
    assert error_to(found, expected) < 6
    assert len({frame.tobytes() for frame in found}) == 20
    frames, events = played(tmp_path / name)
    assert (len(frames), events) == (20, [])
    np.testing.assert_array_equal(np.stack([frame.pixels for frame in frames]), found)
    assert np.diff([frame.time for frame in frames]) == pytest.approx(
        np.full(19, np.diff([frame.time for frame in frames])[0]), abs=2e-3
    )


def test_one_interlaced_second_inside_progressive_video(tmp_path: Path) -> None:
    """Transport streams can be joined end to end."""
    parts = []
    for number in range(3):
        part = tmp_path / f"{number}.ts"
        if number == 1:
            expected = interlaced(12, part, "mpeg2video")
        else:
            write(part, scene(12), "mpeg2video")
        parts.append(part.read_bytes())
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(parts))
    facts = survey_video(path)
    assert (facts.num_frames, facts.interlaced) == (36, 12)
    found = read(path)
    assert error_to(found[12:24], expected) < 6
    np.testing.assert_array_equal(found[:12], read(tmp_path / "0.ts"))
    np.testing.assert_array_equal(found[24:], read(tmp_path / "2.ts"))


@pytest.mark.parametrize("matrix", [1, 5, 7, 9])  # BT.709, BT.601, SMPTE 240M, BT.2020 of ITU-T H.273
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_right_for_every_matrix_and_range(matrix: int, full: bool, tmp_path: Path) -> None:
    colour = np.array([200, 40, 90])
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        frame = av.VideoFrame.from_ndarray(planes(colour, matrix, full), "yuv444p")
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
        for t in range(2):
            frame.pts = t
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert np.abs(read(path)[0].reshape(-1, 3).astype(int) - colour).max() <= 2


def planes(colour: np.ndarray, matrix: int, full: bool) -> np.ndarray:
    """uint8 (3, 32, 32): Y, Cb and Cr of one colour, by the definition in ITU-T H.273."""
    red, blue = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}[matrix]
    r, g, b = colour / 255
    y = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    values = (255 * y, 255 * cb + 128, 255 * cr + 128) if full else (219 * y + 16, 224 * cb + 128, 224 * cr + 128)
    return np.stack([np.full((32, 32), round(value), np.uint8) for value in values])


def test_a_colour_matrix_that_cannot_be_converted_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", scene(4), options={"x264-params": "colormatrix=YCgCo"})
    said = r"colours that cannot be converted \(matrix 8 of .*ffmpeg -i IN -vf zscale=matrix=709"
    with pytest.raises(VideoError, match=said):
        read(path)
    with pytest.raises(DetectionError, match=r"0 frames can be decoded .*matrix 8"):
        open_footage(path)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_video_is_upright_as_opencv_turns_it(angle: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", scene(4))
    content = path.read_bytes()
    place = content.index(matrix_bytes(0), content.index(b"tkhd"))
    path.write_bytes(content[:place] + matrix_bytes(angle) + content[place + 36 :])
    by_opencv = cv2.VideoCapture(str(path)).read()[1]
    [first, *_] = read(path)
    assert first.shape[:2] == (SIZE if angle == 180 else SIZE[::-1])
    np.testing.assert_array_equal(first, by_opencv[..., ::-1])


def matrix_bytes(angle: int) -> bytes:
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[angle]
    numbers = np.array([cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30])
    return numbers.astype(">i4").tobytes()


def test_pixels_that_are_no_squares_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", scene(4), aspect=Fraction(16, 15))
    assert survey_video(path).notes == ["its pixels are 1.07 times as wide as high; frames are taken pixel by pixel"]
    source = open_footage(path)
    list(source)
    assert source.notes == survey_video(path).notes


# Damage


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.mov", "mjpeg"), ("a.ts", "mpeg2video"), ("a.flv", "flv")]
)
def test_a_frame_that_cannot_be_decoded_is_an_error_or_a_gap(name: str, codec: str, tmp_path: Path) -> None:
    frames = list(moving("hall", 60, (120, 160)))
    path = write(tmp_path / name, frames, codec, pixels="yuvj420p" if codec == "mjpeg" else "yuv420p")
    whole = read(path)
    spoil(path)
    with pytest.raises(VideoError, match=rf"{name}: after \d+ frames \(\d\.\d\d s\): .*convert it: ffmpeg -i IN OUT"):
        survey_video(path)
    found, [event] = played(path)
    assert event.kind == "gap"
    assert [frame.follows for frame in found].count(False) == 1
    assert 40 < len(found) < 60
    for frame in found:  # those that come are as they were, at their times and with their numbers
        np.testing.assert_array_equal(frame.pixels, whole[round(frame.time * RATE)])


def spoil(path: Path) -> None:
    """Overwrite 50 bytes of one packet: where they cannot be taken for a picture (a JPEG's head, else its end)."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    data = bytes(packets[25])
    place = content.find(data[-60:])
    if path.suffix == ".ts":
        place = len(content) // 2 // 188 * 188 + 60
    elif path.suffix == ".mov":
        place = content.find(data) + 4
    assert place > 4
    noise = np.random.default_rng(0).integers(0, 255, 50, np.uint8).tobytes()
    content[place : place + 50] = noise
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mkv", "libx264", {}),
        ("a.avi", "mpeg4", {}),
        ("a.webm", "libvpx-vp9", {}),
        ("a.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mov", "mpeg4", {"movflags": "faststart"}),
        ("a.flv", "flv", {}),
    ],
)
def test_a_cut_file_is_told(name: str, codec: str, options: dict[str, str], tmp_path: Path) -> None:
    path = write(tmp_path / name, scene(60, (120, 160)), codec, container_options=options)
    assert missing_bytes(path) == 0
    cut(path, 0.6)
    with pytest.raises(VideoError, match=rf"{name}: decoding stops after \d+ frames"):
        survey_video(path)
    found, events = played(path)
    assert [event.kind for event in events] == ["cut"]
    assert 10 < len(found) < 60


def test_a_cut_file_without_its_index_says_what_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", scene(60))
    cut(path, 0.6)
    with pytest.raises(VideoError, match=r"cannot be read as a video \(\d+ bytes, \d+ fewer than its header says"):
        survey_video(path)


# What is no video


def text(path: Path) -> Path:
    path.write_text("camera 3, hall, recorded in May\n" * 40)
    return path


def picture(path: Path) -> Path:
    cv2.imwrite(str(path), scene(1)[0])
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def listener(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    return path


@pytest.mark.parametrize(
    ("make", "name", "said"),
    [
        (text, "README.txt", "it is a text file; keep it in another folder"),
        (picture, "a.jpg", "it is one picture; put the pictures of a clip into a separate folder"),
        (picture, "a.png", "it is one picture"),
        (pipe, "a.mp4", "not a regular file"),
        (listener, "a.mp4", "not a regular file"),
        (folder, "a.mp4", "not a regular file"),
        (empty, "a.mp4", r"cannot be read as a video \(0 bytes\)"),
        (sound_only, "a.wav", "cannot be read as a video .* it holds none"),
        (lambda path: path, "a.mp4", "no such file"),
    ],
)
def test_what_is_no_video_is_one_clear_error(make, name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=rf"{name}: .*{said}") as error:
        survey_video(make(tmp_path / name))
    assert len(str(error.value).splitlines()) == 1


def test_a_text_among_the_clips_is_named(tmp_path: Path) -> None:
    source = write_footage(tmp_path)
    text(source / "train/README.ans")
    with pytest.raises(VideoError, match=r"README\.ans: .*it is a text"):
        read_videos(source)


def test_a_playlist_opens_nothing_but_itself(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match=r"list\.m3u8: "):
        survey_video(path)


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "12_30.avi", scene(4), "mpeg4").rename(tmp_path / "12:30.avi")
    monkeypatch.chdir(tmp_path)
    assert survey_video(Path("12:30.avi")).num_frames == 4


# Passwords


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:PASS@10.0.0.2:554/live", "rtsp://10.0.0.2:554/live"),
        ("rtsp://me:P@SS@10.0.0.2/live", "rtsp://10.0.0.2/live"),
        ("rtsp://me:PA/SS@10.0.0.2/live", "rtsp://10.0.0.2/live"),
        ("rtsp://me:PA:S/S@@host/x?channel=1&subtype=0", "rtsp://host/x?channel=1&subtype=0"),
        ("rtsp://me:P?SS@host/x", "rtsp://host/x"),
        ("rtsp://me:P@S?S@host/x", "rtsp://host/x"),
        ("rtsp://PASS@host/x", "rtsp://host/x"),
        ("http://host/v?token=PASS", "http://host/v?token=***"),
        ("http://host/v?PASS", "http://host/v?***"),
        ("http://host/v?user=me@a.org&password=P@/SS&channel=2", "http://host/v?user=***&password=***&channel=2"),
        ("http://host/v?pwd=PA;SS", "http://host/v?pwd=***&***"),
        (
            "rtsp://host:554/user=me&password=PASS&channel=1&stream=0.sdp",
            "rtsp://host:554/user=***&password=***&channel=1&stream=0.sdp",
        ),
        ("rtsp://host/user=me_password=PASS_channel=1", "rtsp://host/user=***"),
        ("rtsp://[fe80::1]:554/a", "rtsp://[fe80::1]:554/a"),
        ("evening.mp4", "evening.mp4"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    assert without_secrets(address) == shown
    assert "PA" not in shown
    assert "SS" not in shown


@pytest.mark.parametrize("address", ["http://me:PA@SS@127.0.0.1:9/c", "rtsp://127.0.0.1:9/c?user=me&password=PASS"])
def test_an_error_of_a_stream_shows_no_password(address: str) -> None:
    with pytest.raises(DetectionError, match=r"127.0.0.1:9/c.*: cannot be opened") as error:
        open_footage(address)
    assert "SS" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def encoded(path: Path, codec: str, form: str, pictures: list[np.ndarray], pix_fmt: str, **options: str) -> Path:
    """Pictures (H, W, 3) as a video, a key frame every five."""
    with av.open(str(path), "w", form) as file:
        stream = file.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.gop_size = pix_fmt, 5
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    return path


def test_a_turn_that_is_said_in_key_frames_holds_for_all(tmp_path: Path) -> None:
    pictures = list(moving("hall", 20, (48, 64)))
    plain = encoded(tmp_path / "a.mp4", "libx264", "mp4", pictures, "yuv420p", bf="0")
    with av.open(str(plain)) as source, av.open(str(tmp_path / "b.ts"), "w", "mpegts") as file:
        stream = file.add_stream_from_template(source.streams.video[0])
        turning = BitStreamFilterContext(
            "h264_mp4toannexb,h264_metadata=display_orientation=insert:flip=horizontal", source.streams.video[0], stream
        )
        for packet in source.demux(video=0):
            for turned in turning.filter(packet if packet.size else None):
                turned.stream = stream
                file.mux(turned)
    expected = [frame[:, ::-1] for frame in video_frames(plain, 20)]
    np.testing.assert_array_equal(list(video_frames(tmp_path / "b.ts", 20)), expected)


def test_raw_motion_jpeg_is_a_video(tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), 10 * t, np.uint8) for t in range(9)]
    raw = encoded(tmp_path / "a.mjpeg", "mjpeg", "mjpeg", pictures, "yuvj420p")
    assert survey_video(raw).num_frames == 9
    one = encoded(tmp_path / "one.mjpeg", "mjpeg", "mjpeg", pictures[:1], "yuvj420p")
    with pytest.raises(VideoError, match="it is one picture"):
        survey_video(one)


def test_a_cut_gif_is_told(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((48, 64), 20 * t, np.uint8)) for t in range(10)]
    whole = tmp_path / "a.gif"
    pages[0].save(whole, save_all=True, append_images=pages[1:])
    assert survey_video(whole).num_frames == 10
    (tmp_path / "cut.gif").write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(VideoError, match=r"cut\.gif: .*Was it cut"):
        survey_video(tmp_path / "cut.gif")
