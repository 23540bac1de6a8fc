"""The annotated video written anew for browsers: the same pictures at the same times, or the safe form stays."""

import shutil
from collections import namedtuple
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from data_prep.files.writing import DiskFullError
from maam_lib.detector import DetectionError
from maam_lib.playground.explorers.player import player
from maam_lib.video import browser_video
from maam_lib.video.annotation import AnnotatedVideo
from maam_lib.video.browser_video import FORMS, Form, annotated_video, browser_files, for_browsers
from maam_lib.video.detection import detect
from maam_lib.video.footage import open_footage
from maam_lib.video.playback import Playback
from tests.fake_sources import cut
from tests.maam_lib.video.test_detection import bright, scene_video
from tests.maam_lib.video.test_events import DETECTOR

TIMES = [3.0, 3.04, 3.1, 3.5, 60.0, 60.001, 61.0]  # seconds; neither regular nor from 0


def safe_video(folder: Path, times: list[float] = TIMES) -> Path:
    """annotated.mkv of pictures that grow brighter, with a dark square that moves."""
    video = AnnotatedVideo(folder / "annotated.mkv", 25.0, (64, 320))
    for t, time in enumerate(times):
        picture = np.full((64, 320, 3), 40 + 25 * (t % 8), np.uint8)
        cv2.rectangle(picture, (20 * (t % 8), 10), (20 * (t % 8) + 18, 30), (0, 0, 0), -1)
        video.write(picture, time)
    video.close()
    return folder / "annotated.mkv"


def shown(path: Path) -> tuple[list[float], np.ndarray]:
    """Times in seconds and gray pictures."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    return [frame.time for frame in frames], np.stack([frame.to_ndarray(format="gray") for frame in frames])


@pytest.fixture(params=FORMS, ids=lambda form: form.container)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Form:
    monkeypatch.setattr(browser_video, "FORMS", (request.param,))
    return request.param


def test_pictures_and_times_stay_and_the_first_is_shown_at_once(form: Form, tmp_path: Path) -> None:
    before, pictures = shown(safe_video(tmp_path))
    told: list[tuple[int, int]] = []
    made = for_browsers(tmp_path, lambda *progress: told.append(progress))
    assert [path.name for path in tmp_path.iterdir()] == [form.file] == [made.name]
    after, anew = shown(made)
    np.testing.assert_allclose(after, np.array(before) - before[0], atol=1e-3)
    np.testing.assert_allclose(after, np.array(TIMES) - TIMES[0], atol=1e-3)
    assert np.abs(anew.astype(float) - pictures).mean() < 3, "gray levels"
    assert told == [(t, len(TIMES)) for t in range(1, len(TIMES) + 1)]
    with av.open(str(made)) as file:
        stream = file.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt) == ({"mp4": "h264", "webm": "vp9"}[form.container], "yuv420p")


def test_h264_is_taken_where_there_is_libx264_and_vp9_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert browser_files() == ["annotated.mp4", "annotated.webm"]
    monkeypatch.setattr(av, "codecs_available", {"libvpx-vp9", "mpeg4"})
    assert browser_files() == ["annotated.webm", "annotated.mp4"]


def test_without_an_encoder_the_safe_form_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    safe_video(tmp_path)
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(DetectionError, match=r"annotated.mkv stays as it is: this FFmpeg has no libx264 or libvpx-vp9"):
        for_browsers(tmp_path)
    assert annotated_video(tmp_path) == tmp_path / "annotated.mkv"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (av.error.ExternalError(1, "no more"), r"\(no more\)"),
        (DiskFullError("out: 31 MB left on this disk; nothing was replaced"), "31 MB left on this disk"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (KeyboardInterrupt("stopped"), "stopped"),
    ],
    ids=["encoder", "full disk", "bad disk", "Ctrl-C"],
)
def test_a_failure_keeps_the_safe_form_and_nothing_else(error: BaseException, said: str, tmp_path: Path) -> None:
    content = safe_video(tmp_path).read_bytes()

    def fail(written: int, expected: int) -> None:
        if written == 3:
            raise error

    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else DetectionError, match=said):
        for_browsers(tmp_path, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["annotated.mkv"]
    assert (tmp_path / "annotated.mkv").read_bytes() == content


def test_a_video_that_a_kill_cut_is_written_anew_to_where_it_was_cut(form: Form, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    video = AnnotatedVideo(tmp_path / "annotated.mkv", 25.0, (64, 320))
    for t in range(100):
        video.write(random.integers(0, 256, (64, 320, 3), np.uint8), t / 25)
    video.close()
    cut(tmp_path / "annotated.mkv", 0.5)
    times, _ = shown(for_browsers(tmp_path))
    assert 40 < len(times) < 60
    np.testing.assert_allclose(times, np.arange(len(times)) / 25, atol=1e-3)


def test_a_file_that_is_no_video_or_is_not_there_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match=r"no annotated.mkv here"):
        for_browsers(tmp_path)
    (tmp_path / "annotated.mkv").write_bytes(b"minutes")
    with pytest.raises(DetectionError, match=r"annotated.mkv stays as it is: it cannot be written as annotated.mp4"):
        for_browsers(tmp_path)
    assert (tmp_path / "annotated.mkv").read_bytes() == b"minutes"


def test_the_room_on_the_disk_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    safe_video(tmp_path, [t / 25 for t in range(150)])
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 31e6))
    with pytest.raises(DetectionError, match="31 MB left on this disk"):
        for_browsers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["annotated.mkv"]


def test_the_player_of_a_notebook_takes_either_form(form: Form, tmp_path: Path) -> None:
    out = tmp_path / "out"
    detect(DETECTOR, bright, open_footage(scene_video(tmp_path / "scene.avi", 60)), out)
    safe = Playback(out)
    before = [safe.picture(row).astype(float) for row in (0, 25, 58)]
    for_browsers(out)
    anew = Playback(out)
    assert len(anew) == 59
    for row, picture in zip((0, 25, 58), before, strict=True):
        assert np.abs(anew.picture(row) - picture).mean() < 3, "gray levels"
    assert player(anew).children[0].value == anew.jpeg(0)
