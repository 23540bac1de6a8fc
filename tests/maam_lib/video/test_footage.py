"""Footage of every kind, whole and damaged: frames come as they are, trouble comes as events, nothing waits."""

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from maam_lib.detector import DetectionError
from maam_lib.video import footage
from maam_lib.video.events import Event
from maam_lib.video.footage import open_footage
from maam_lib.video.trouble import Footage, Frame
from tests.data_prep.readers.test_videos import write_slowing_video
from tests.fake_sources import cut, moving, write_images, write_video


def frames_of(source: Footage) -> list[Frame]:
    return [item for item in source if isinstance(item, Frame)]


def events_of(source: Footage) -> list[Event]:
    return [item for item in source if isinstance(item, Event)]


def the_event(source: Footage) -> Event:
    [event] = events_of(source)
    return event


# Whole footage


@pytest.mark.parametrize(("container", "codec"), [("avi", "MJPG"), ("mkv", "FFV1"), ("mp4", "mp4v"), ("wmv", "WMV2")])
def test_a_video_comes_frame_by_frame_with_its_times(container: str, codec: str, tmp_path: Path) -> None:
    write_video(tmp_path / f"hall.{container}", moving("hall", 9), codec, rate=20)
    source = open_footage(tmp_path / f"hall.{container}")
    assert (source.frame_rate, source.announced, source.size, source.is_live) == (20, 9, (32, 48), False)
    found = frames_of(source)
    assert [frame.number for frame in found] == list(range(9))
    assert [frame.time for frame in found] == pytest.approx([t / 20 for t in range(9)], abs=2e-3)
    assert all(frame.follows for frame in found)
    assert np.abs(found[4].pixels.astype(int) - list(moving("hall", 9))[4]).mean() < 12
    assert source.notes == []


def test_a_folder_comes_in_order_of_its_numbers(tmp_path: Path) -> None:
    write_images(tmp_path / "in", moving("hall", 12), "cam2_{}.png", first=5)
    source = open_footage(tmp_path / "in", frame_rate=4)
    found = frames_of(source)
    np.testing.assert_array_equal([frame.pixels for frame in found], list(moving("hall", 12)))
    assert [frame.time for frame in found] == [t / 4 for t in range(12)]
    assert source.notes == []
    assert open_footage(tmp_path / "in").notes == ["taken as 25 frames per second; --frame-rate changes that"]


@pytest.mark.parametrize("kind", ["gray", "alpha", "sixteen bits", "odd size"])
def test_images_of_any_form_become_rgb(kind: str, tmp_path: Path) -> None:
    for t, frame in enumerate(moving("hall", 3, (33, 47) if kind == "odd size" else (32, 48))):
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        stored = {
            "gray": bgr[..., 0],
            "alpha": cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA),
            "sixteen bits": bgr.astype(np.uint16) * 257,
            "odd size": bgr,
        }[kind]
        cv2.imwrite(str(tmp_path / f"{t}.png"), stored)
    found = frames_of(open_footage(tmp_path))
    assert [frame.pixels.shape[2] for frame in found] == [3, 3, 3]
    expected = np.stack(list(moving("hall", 3, found[0].pixels.shape[:2])))
    if kind == "gray":
        expected = np.repeat(expected[..., 2:], 3, axis=3)
    np.testing.assert_array_equal([frame.pixels for frame in found], expected)


def test_a_varying_frame_rate_is_noted_and_its_times_are_kept(tmp_path: Path) -> None:
    write_slowing_video(tmp_path / "hall.mkv")
    source = open_footage(tmp_path / "hall.mkv")
    times = [frame.time for frame in frames_of(source)]
    assert np.diff(times).max() > 1.1 * np.diff(times).min()
    [note] = source.notes
    assert "frame rate varies" in note


# What cannot be scored


def no_video(folder: Path) -> Path:
    (folder / "notes.mp4").write_text("minutes of the meeting")
    return folder / "notes.mp4"


def no_frames(folder: Path) -> Path:
    write_video(folder / "a.mp4", moving("a", 5), "mp4v")
    cut(folder / "a.mp4", 0.5)  # its index stands at the end
    return folder / "a.mp4"


def one_frame(folder: Path) -> Path:
    write_video(folder / "a.avi", moving("a", 1))
    return folder / "a.avi"


def no_images(folder: Path) -> Path:
    (folder / "in").mkdir()
    return folder / "in"


def broken_images(folder: Path) -> Path:
    no_images(folder)
    for t in range(3):
        (folder / "in" / f"{t}.png").write_bytes(b"\x89PNG")
    return folder / "in"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (no_video, r"notes.mp4: cannot be read as a video \(22 bytes\)"),
        (no_frames, "cannot be read as a video|0 frames can be decoded"),
        (one_frame, "1 frame can be decoded, expected 2 or more"),
        (no_images, "no images in this folder"),
        (broken_images, "0 frames can be decoded, expected 2 or more"),
        (lambda folder: folder / "nothing.mp4", "nothing.mp4: no such file; expected a video"),
        (lambda _: "63", "camera 63: cannot be opened; is it plugged in"),
        (
            lambda _: "http://me:secret@127.0.0.1:9/cam",
            r"^http://127.0.0.1:9/cam: cannot be opened \(.*refused\); is",
        ),
    ],
)
def test_what_cannot_be_scored_is_one_clear_error(make, said: str, tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match=said) as error:
        open_footage(make(tmp_path))
    assert len(str(error.value).splitlines()) == 1


# Trouble that is survived


def test_a_cut_video_is_scored_to_where_it_decodes(tmp_path: Path) -> None:
    write_video(tmp_path / "hall.avi", moving("hall", 40), "MJPG")
    cut(tmp_path / "hall.avi", 0.6)
    source = open_footage(tmp_path / "hall.avi")
    items = list(source)
    frames, event = items[:-1], items[-1]
    assert 15 < len(frames) < 40
    assert (event.kind, event.first) == ("cut", len(frames))
    assert re.match(rf"decoding stops after {len(frames)} frames: the file is \d+ bytes shorter than its", event.note)


def test_missing_and_damaged_images_are_a_gap(tmp_path: Path) -> None:
    write_images(tmp_path / "in", moving("hall", 12), "{:02d}.png")
    for number in (3, 4):
        (tmp_path / "in" / f"{number:02d}.png").unlink()
    (tmp_path / "in" / "08.png").write_bytes(b"")
    items = list(open_footage(tmp_path / "in"))
    assert [item.number for item in items if isinstance(item, Frame)] == [0, 1, 2, 5, 6, 7, 9, 10, 11]
    assert [item.number for item in items if isinstance(item, Frame) and not item.follows] == [5, 9]
    missing, damaged = (item for item in items if isinstance(item, Event))
    assert (missing.kind, missing.first, missing.last, missing.note) == ("gap", 2, 5, "2 missing before 05.png")
    assert (damaged.kind, damaged.first, damaged.last, damaged.note) == ("gap", 7, 9, "08.png cannot be decoded")


def test_a_pause_in_the_time_stamps_is_a_gap(tmp_path: Path) -> None:
    times = [0, 0.04, 0.08, 3.0, 3.04]
    items = [Frame(t, time, np.full((16, 16, 3), t, np.uint8), 0.0) for t, time in enumerate(times)]
    source = Footage("hall", False, 25, 5, (16, 16), [], (item for item in items))
    event = the_event(source)
    assert (event.kind, event.first, event.last, event.note) == ("gap", 2, 3, "2.9 s without a frame")


def test_another_resolution_begins_anew(tmp_path: Path) -> None:
    write_images(tmp_path / "in", moving("hall", 3), "{}.png")
    for t, frame in enumerate(moving("hall", 3, (40, 60)), start=3):
        cv2.imwrite(str(tmp_path / "in" / f"{t}.png"), frame)
    items = list(open_footage(tmp_path / "in"))
    assert [item.follows for item in items if isinstance(item, Frame)] == [True, True, True, False, True, True]
    event = next(item for item in items if isinstance(item, Event))
    assert (event.kind, event.first, event.last, event.note) == ("resized", 2, 3, "32x48 became 40x60")


def test_a_frozen_picture_is_told_when_it_moves_again_or_ends(tmp_path: Path) -> None:
    moves = list(moving("hall", 6))
    order = [0, 1, 2, 2, 2, 2, 3, 3, 4, 5, 5, 5, 5]  # at 1 frame per second: 3 s, 1 s (not told), 3 s
    write_images(tmp_path / "in", iter([moves[i] for i in order]), "{:02d}.png")
    events = events_of(open_footage(tmp_path / "in", frame_rate=1))
    assert [(e.kind, e.first, e.last, e.start, e.end) for e in events] == [
        ("frozen", 2, 5, 2.0, 5.0),
        ("frozen", 9, 12, 9.0, 12.0),
    ]


# Cameras and streams


class FakeCapture:
    """A camera that gives so many frames and then fails."""

    def __init__(self, frames: int):
        self.left, self.released = frames, False

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.full((16, 16, 3), self.left, np.uint8)) if self.left >= 0 else (False, None)

    def get(self, _: int) -> float:
        return 0.0

    def release(self) -> None:
        self.released = True


def test_a_lost_camera_is_opened_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    captures = [FakeCapture(3), None, None, FakeCapture(2), *[None] * 99]
    opened = iter(captures)
    monkeypatch.setattr(footage, "open_camera", lambda _: next(opened))
    clock = Clock()
    monkeypatch.setattr(footage.time, "monotonic", clock.now)
    items = list(open_footage("0", patience=60, wait=clock.sleep))
    assert [item.number for item in items if isinstance(item, Frame)] == [0, 1, 2, 3, 4]
    assert [item.follows for item in items if isinstance(item, Frame)] == [True, True, True, False, True]
    back, gone = (item for item in items if isinstance(item, Event) and item.kind == "lost")
    assert (back.first, back.last, back.note) == (3, 3, "came back")
    assert gone.note == "did not come back within 60 s"
    assert clock.slept[:3] == [1, 2, 4]
    assert max(clock.slept) == 30
    assert captures[0].released
    assert captures[3].released


class Clock:
    """Time that passes only by sleeping and by looking."""

    def __init__(self) -> None:
        self.time, self.slept = 0.0, []

    def now(self) -> float:
        self.time += 0.01
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def stream() -> Iterator[str]:
    """The address of a stream of JPEG frames that breaks off after twelve, three times; then nobody answers."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=next\r\n\r\n"
                    connection.sendall(head.encode())
                    for frame in moving("hall", 12, (64, 96)):
                        picture = cv2.imencode(".jpg", frame)[1].tobytes()
                        part = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                        connection.sendall(part.encode() + picture + b"\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/cam.mjpg"
    thread.join(timeout=10)


def test_a_real_stream_that_breaks_off_is_survived(stream: str) -> None:
    source = open_footage(stream, patience=0.5, wait=lambda _: None)
    assert source.is_live
    items = list(source)
    starts = [item.number for item in items if isinstance(item, Frame) and not item.follows]
    lost = [item.note for item in items if isinstance(item, Event)]
    assert len(starts) == 2
    assert lost == ["came back", "came back", "did not come back within 0.5 s"]
    assert sum(isinstance(item, Frame) for item in items) >= 30


@pytest.mark.data
def test_a_real_video_is_read(real_data: Path) -> None:
    source = open_footage(real_data / "avenue_sample" / "Avenue Dataset" / "testing_videos" / "21.avi")
    assert (source.size, source.frame_rate, source.announced) == ((360, 640), 25, 76)
    assert len(frames_of(source)) == 76
