"""`detect` as a whole: what it writes agrees, is whole at any end, and needs no torch for an exported file."""

import csv
import errno
import html
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections import namedtuple
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from data_prep.files.writing import DiskFullError
from data_prep.scenes.synthetic import read_synthetic, scene_settings
from maam_lib import cli
from maam_lib.detector import DetectionError, TrainingScores
from maam_lib.grid.results import reference_detector
from maam_lib.training.runs import RunFolder
from maam_lib.video.annotation import STRIP, AnnotatedVideo, Annotator, picture_size
from maam_lib.video.detection import detect, footage_notes
from maam_lib.video.detection_page import BINS, MOMENTS, Envelope, WorstMoments, clock
from maam_lib.video.events import COLUMNS
from maam_lib.video.export import check_target, write_onnx
from maam_lib.video.footage import open_footage
from maam_lib.video.onnx_file import CHECKSUM_KEY, open_onnx
from maam_lib.video.progress import Progress, progress_line
from maam_lib.video.scorer import open_run, run_network
from maam_lib.video.trouble import Footage, Frame
from maam_lib.video.trust import untrusted
from tests.conftest import PROJECT, SMALL_SCENE
from tests.fake_sources import cut, moving, write_images, write_video
from tests.maam_lib.report.test_notebook_pages import Resources
from tests.maam_lib.video.test_events import DETECTOR

FILES = ["annotated.mkv", "events.csv", "index.html", "scores.csv"]


def bright(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patch sums that need no network: the mean of each frame, everywhere; motion is 0."""
    means = frames.mean(axis=(1, 2, 3), dtype=np.float32)
    return np.broadcast_to(means[:, None, None], (len(frames), 16, 32)), np.zeros((len(frames), 16, 32), np.float32)


def scene_video(path: Path, frames: int = 60, *, bright_from: int = 20, bright_to: int = 40) -> Path:
    """Dark frames at 10 per second, some in a row bright: scores near 4, and near 50 (with psi 0.25)."""
    lit = [np.full((48, 64, 3), 200 if bright_from <= t < bright_to else 16, np.uint8) for t in range(frames)]
    for t, frame in enumerate(lit):
        frame[t % 48] = 20  # no two alike, or the camera were frozen
    write_video(path, iter(lit), "MJPG", rate=10)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return scene_video(tmp_path / "scene.avi")


def decoded(path: Path) -> list[np.ndarray]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(read[1])
    return frames


# What is written


def test_video_scores_events_and_page_agree(video: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out", []
    detector = type(DETECTOR)(**(vars(DETECTOR) | {"threshold": 30.0}))
    done = detect(detector, bright, open_footage(video), out, on_progress=lambda p: seen.append(p.frames))
    assert sorted(path.name for path in out.iterdir()) == FILES
    scores = pd.read_csv(out / "scores.csv")
    assert scores.columns.tolist() == ["frame", "time", "appearance", "motion", "fused", "normalised", "alarm"]
    assert scores["frame"].tolist() == list(range(59)) == [n - 1 for n in seen]
    np.testing.assert_allclose(scores["fused"], 0.25 * scores["appearance"], rtol=1e-6)
    np.testing.assert_allclose(scores["normalised"], (scores["fused"] - 10) / 50, rtol=1e-4, atol=1e-5)
    with (out / "events.csv").open(newline="") as file:
        [event] = csv.DictReader(file)
    assert (event["kind"], event["first_frame"], event["last_frame"]) == ("alarm", "20", "39")
    assert (event["start"], event["end"]) == ("2.000", "3.900")
    assert [event[side] for side in ("x", "y", "width", "height")] == ["0", "0", "64", "48"]
    assert float(event["peak"]) == pytest.approx(scores["fused"].max())
    page = (out / "index.html").read_text(encoding="utf-8")
    highest = f"{scores['normalised'].max():.2f}"
    assert f'<td class="number">{highest}</td>' in page, (
        "the page has one scale: the peak of the alarm as its worst moment"
    )
    assert f"score {highest}" in page
    assert scores["alarm"].tolist() == [0] * 21 + [1] * (49 - 21) + [0] * 10, "from the second frame to a quiet second"
    pictures = decoded(out / "annotated.mkv")
    assert len(pictures) == len(scores)
    assert pictures[0].shape == (240 + STRIP, 320, 3)
    assert (done.frames, done.alarms, done.announced) == (59, 1, 60)


def test_the_page_needs_no_net_and_shows_pictures_and_settings(video: Path, tmp_path: Path) -> None:
    detect(DETECTOR, bright, open_footage(video), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    found = Resources(page)
    assert found.fetched
    videos = {"annotated.mp4", "annotated.webm"}  # beside the page, in whichever form it has
    assert all(url.startswith("data:image/jpeg;base64,") for url in found.fetched if url not in videos)
    assert videos < set(found.fetched)
    assert found.scripts == {"application/json", "text/javascript"}
    assert set(found.links) == {"scores.csv", "events.csv", "annotated.mkv"}
    assert "synthetic-mini, epoch 2, trained on synthetic" in page
    fused = pd.read_csv(tmp_path / "out" / "scores.csv")["fused"]
    assert f"(fused - {fused.min():.6g}) / {np.ptp(fused):.6g}" in page, "Eq. 11"


def test_alarms_per_hour_choose_the_threshold(video: Path, tmp_path: Path) -> None:
    detect(DETECTOR, bright, open_footage(video), tmp_path / "few", alarms_per_hour=1)
    detect(DETECTOR, bright, open_footage(video), tmp_path / "many", alarms_per_hour=1e6)
    alarms = {name: pd.read_csv(tmp_path / name / "scores.csv")["alarm"].sum() for name in ("few", "many")}
    assert alarms["few"] == 0 < alarms["many"]
    assert "extrapolated beyond the 1000 frames scored" in (tmp_path / "few" / "index.html").read_text()


def test_a_stretched_picture_is_noted(tmp_path: Path) -> None:
    write_images(tmp_path / "in", moving("hall", 3, (48, 128)), "{}.png")
    footage = open_footage(tmp_path / "in", frame_rate=5)
    assert footage_notes(DETECTOR, footage) == ["48x128 is resized to 48x64, so everything looks 0.50 times as wide"]


def test_footage_that_changes_its_odd_size_goes_on(tmp_path: Path) -> None:
    write_images(tmp_path / "in", moving("a", 6, (33, 47)), "{:02d}.png")
    for t, frame in enumerate(moving("b", 6, (90, 61)), start=6):
        cv2.imwrite(str(tmp_path / "in" / f"{t:02d}.png"), frame[..., 0])
    detect(DETECTOR, bright, open_footage(tmp_path / "in", frame_rate=5), tmp_path / "out")
    assert pd.read_csv(tmp_path / "out" / "scores.csv")["frame"].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert len(decoded(tmp_path / "out" / "annotated.mkv")) == 10
    events = pd.read_csv(tmp_path / "out" / "events.csv")
    assert events[["kind", "note"]].to_numpy().tolist() == [["resized", "33x47 became 90x61"]]


@pytest.mark.parametrize("size", [(48, 64), (33, 47), (720, 1280), (2000, 40)])
def test_pictures_are_even_and_wide_enough_for_the_curve(size: tuple[int, int]) -> None:
    height, width = picture_size(size, 640)
    assert (height % 2, width % 2) == (0, 0)
    assert 320 <= width <= 640
    annotator = Annotator((height, width), 0.5)
    found = np.zeros((48, 64), bool)
    for score in (0.1, 5.0, -2.0):
        assert annotator.draw(np.zeros((*size, 3), np.uint8), found, score, False, "").shape == (
            height + STRIP,
            width,
            3,
        )


def test_abnormal_regions_are_marked_where_they_are() -> None:
    found = np.zeros((48, 64), bool)
    found[12:24, 16:32] = True
    picture = np.zeros((240, 320, 3), np.uint8)
    shown = Annotator((240, 320), 0.5).draw(picture, found, 0.4, False, "")[:240]
    rows, columns = np.nonzero(shown.any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((60, 119, 80, 159), abs=2)


# In constant memory


def test_the_curve_keeps_the_largest_scores_of_any_length() -> None:
    envelope = Envelope()
    scores = np.random.default_rng(0).random(10_000)
    for frame, score in enumerate(scores):
        envelope.add(float(score), frame / 25)
    assert BINS <= len(envelope.values) <= 2 * BINS
    expected = [scores[i : i + envelope.stretch].max() for i in range(0, len(scores), envelope.stretch)]
    assert envelope.values == expected
    assert envelope.times == [first / 25 for first in range(0, len(scores), envelope.stretch)]


def test_the_page_tells_tenths_of_a_second() -> None:
    assert [clock(s) for s in (0, 0.99, 2.0, 3661.25, 90000)] == [
        "0:00.0",
        "0:01.0",
        "0:02.0",
        "1:01:01.2",
        "25:00:00.0",
    ]


def test_the_worst_moments_are_apart_and_few() -> None:
    moments, pictures = WorstMoments(), []
    for t in range(4000):
        score = float(t % 100 == 50) * (t // 100) + 0.5 * float(t % 100 == 52) * (t // 100)
        moments.add(score, t, t / 10, lambda t=t: pictures.append(t) or b"jpeg")
    kept = moments.sorted()
    assert [m.frame for m in kept] == [50 + 100 * i for i in range(39, 39 - MOMENTS, -1)]
    assert len(pictures) < 300, "pictures are made only where they may be kept"


# Bad ends


def test_a_folder_that_holds_something_is_refused_before_anything_is_read(video: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scores.csv").write_text("of yesterday")
    with pytest.raises(DetectionError, match=r"out: not empty \(found scores.csv\); name another folder"):
        detect(DETECTOR, bright, open_footage(video), tmp_path / "out")
    assert (tmp_path / "out" / "scores.csv").read_text() == "of yesterday"
    with pytest.raises(DetectionError, match="a file; name a folder"):
        detect(DETECTOR, bright, open_footage(video), video)


def test_ctrl_c_leaves_everything_whole(video: Path, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.frames == 30:
            raise KeyboardInterrupt

    detector = type(DETECTOR)(**(vars(DETECTOR) | {"threshold": 30.0}))
    with pytest.raises(KeyboardInterrupt):
        detect(detector, bright, open_footage(video), tmp_path / "out", on_progress=stop)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    assert len(pd.read_csv(tmp_path / "out" / "scores.csv")) == 30 == len(decoded(tmp_path / "out" / "annotated.mkv"))
    events = pd.read_csv(tmp_path / "out" / "events.csv")
    assert events[["kind", "first_frame", "last_frame"]].to_numpy().tolist() == [["alarm", 20, 29]], (
        "ended where it was"
    )
    assert "frame 2" in (tmp_path / "out" / "index.html").read_text()


def test_a_disk_that_fills_stops_it_with_whole_files(video: Path, tmp_path: Path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    left = iter([5e9, 5e9, 31e6])  # when the folder is made, after four frames and after eight
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, next(left)))
    with pytest.raises(
        DiskFullError, match="31 MB left on this disk; stopped after 8 frames; what is written is complete"
    ):
        detect(DETECTOR, bright, open_footage(video), tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "scores.csv")) == 8 == len(decoded(tmp_path / "out" / "annotated.mkv"))
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_cut_video_is_scored_to_its_end_and_says_so(tmp_path: Path) -> None:
    write_video(tmp_path / "hall.avi", moving("hall", 60, (48, 64)), "MJPG")
    cut(tmp_path / "hall.avi", 0.7)
    footage = open_footage(tmp_path / "hall.avi")
    detect(DETECTOR, bright, footage, tmp_path / "out")
    scores = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert 25 < len(scores) < 50
    events = pd.read_csv(tmp_path / "out" / "events.csv")
    assert tuple(events.columns) == COLUMNS
    assert events["kind"].tolist() == ([] if footage.announced is None else ["cut"])
    assert any(note.startswith("decoding stops after ") for note in footage_notes(DETECTOR, footage))
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "The file cannot be decoded after" in page[page.index('class="story"') : page.index("</header>")]


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[3])
from tests.maam_lib.video.test_events import DETECTOR
from maam_lib.video.detection import detect
from maam_lib.video.footage import open_footage
from maam_lib.video.onnx_file import open_onnx
from maam_lib.video.scorer import open_run
from maam_lib.training.runs import RunFolder

def nothing(frames, flow):
    return (np.zeros((len(frames), 16, 32), np.float32),) * 2

def at(progress):
    if progress.frames == 300:
        os.kill(os.getpid(), signal.SIGKILL)

detect(DETECTOR, nothing, open_footage(sys.argv[1]), Path(sys.argv[2]), on_progress=at)
"""


def test_a_kill_loses_at_most_the_last_seconds(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    write_video(tmp_path / "a.avi", (random.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(320)), "MJPG")
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, tmp_path / "a.avi", out, PROJECT]
    killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(PROJECT)}, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(pd.read_csv(out / "scores.csv")) >= 280
    assert pd.read_csv(out / "events.csv").columns.tolist() == list(COLUMNS)
    assert len(decoded(out / "annotated.mkv")) >= 250


# Progress


def test_progress_is_one_line() -> None:
    progress = Progress(frames=50, announced=101, alarms=2, seconds=5.0, footage_seconds=2.0, lag=3.0)
    assert progress_line(progress) == "50 frames  10.0 frames/s  5 s left  3.0 s behind real time  2 alarms"
    progress.announced = None
    assert progress_line(progress) == "50 frames  10.0 frames/s  3.0 s behind real time  2 alarms"
    done = Progress(frames=1, announced=2, alarms=1, seconds=1.0)
    assert progress_line(done) == "1 frame  1.0 frames/s  0.0 s behind real time  1 alarm", "and nothing is left"


# Without torch

BLOCKED = """
import sys
class Blocker:
    allowed = {"maam_lib", "data_prep", "numpy", "cv2", "av", "PIL", "onnxruntime", "flatbuffers", "google",
               "packaging", "typer", "click", "rich", "markdown_it", "mdurl", "pygments", "shellingham",
               "typing_extensions", "annotated_doc", "psutil", "filelock", "pydantic", "pydantic_core",
               "annotated_types", "typing_inspection", "jinja2", "markupsafe", "tqdm"}  # typer's own needs among them
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in self.allowed and top not in sys.stdlib_module_names and not top.startswith("_"):
            raise ModuleNotFoundError(f"blocked: {name}", name=name)  # as where it is not installed
sys.meta_path.insert(0, Blocker())
from maam_lib.cli import main
main()
"""


@pytest.fixture(scope="module")
def exported(finished_run, scene_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run as an ONNX file, exported by the command."""
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(finished_run.folder, folder / "run")
    words = ["export", folder / "run", "--onnx", folder / "net.onnx", "--root", scene_root]
    with warnings.catch_warnings():
        warnings.filterwarnings("default", "`isinstance.treespec", FutureWarning)  # PyTorch's own, told and not raised
        made = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert made.exit_code == 0, made.exception
    assert "onnxruntime and PyTorch agree to" in made.stdout
    return folder / "net.onnx"


def maam(*words: object, code: str = "from maam_lib.cli import main; main()") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, words)]
    env = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_an_exported_file_scores_as_its_run_without_torch(exported: Path, tmp_path: Path, scene_root: Path) -> None:
    clip = next(clip for clip in read_synthetic(SMALL_SCENE) if clip.split == "test")
    write_images(tmp_path / "in", (frame[..., 0] for frame in clip.frames()), "{:03d}.png")
    blocked = maam("detect", "--onnx", exported, tmp_path / "in", "--out", tmp_path / "a", code=BLOCKED)
    assert blocked.returncode == 0, blocked.stderr
    assert "detected: " in blocked.stdout
    assert (tmp_path / "a" / "annotated.mp4").is_file()
    detect(
        *open_run(RunFolder.open(exported.parent / "run"), scene_root), open_footage(tmp_path / "in"), tmp_path / "b"
    )
    a, b = (pd.read_csv(tmp_path / name / "scores.csv") for name in "ab")
    np.testing.assert_allclose(a["fused"], b["fused"], rtol=1e-5)
    evaluated = pd.read_csv(exported.parent / "run" / "scores.csv")
    np.testing.assert_allclose(b["fused"], evaluated[evaluated["clip"] == clip.name]["fused"], rtol=0, atol=1e-4)
    assert "torch" not in blocked.stderr


def test_a_network_that_predicts_speed_scores_alike_as_run_and_exported_and_says_so(
    speed_run: RunFolder, scene_root: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    clip = next(clip for clip in read_synthetic(SMALL_SCENE) if clip.split == "test")
    write_images(tmp_path / "in", (frame[..., 0] for frame in clip.frames()), "{:03d}.png")
    run = RunFolder(shutil.copytree(speed_run.folder, tmp_path / "run"))
    detector, net = run_network(run, scene_root)
    assert detector.motion_target == "speed"
    with warnings.catch_warnings():
        warnings.filterwarnings("default", "`isinstance.treespec", FutureWarning)  # PyTorch's own, told and not raised
        write_onnx(net, detector, tmp_path / "net.onnx")
    ways = {"torch": open_run(run, scene_root), "onnx": open_onnx(tmp_path / "net.onnx")}
    assert ways["onnx"][0] == detector
    for name, way in ways.items():
        detect(*way, open_footage(tmp_path / "in"), tmp_path / name)
    a, b = (pd.read_csv(tmp_path / name / "scores.csv") for name in ways)
    evaluated = pd.read_csv(run.folder / "scores.csv").query("clip == @clip.name")
    for column in ("appearance", "motion", "fused"):
        np.testing.assert_allclose(a[column], b[column], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(a[column], evaluated[column], rtol=0, atol=1e-4)
    page = (tmp_path / "torch" / "index.html").read_text(encoding="utf-8")
    assert "Motion raises a score only where things are faster than the network predicts" in page
    assert "<dd>speed minus predicted speed: " in page


def test_scores_below_zero_are_written_and_drawn(video: Path, tmp_path: Path) -> None:
    """Everything slower than predicted: patch sums of motion below 0, and so are the fused scores."""

    def slow(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        appearance, motion = bright(frames, flow)
        return appearance, motion - 100

    detector = replace(DETECTOR, motion_target="speed", threshold=-40.0, training=TrainingScores(100, -80, -30, -50, 4))
    done = detect(detector, slow, open_footage(video), tmp_path / "out")
    scores = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert (scores["motion"] == -100).all()
    np.testing.assert_allclose(scores["fused"], 0.25 * scores["appearance"] - 75, rtol=1e-6)
    np.testing.assert_allclose(scores["normalised"], (scores["fused"] + 80) / 50, rtol=1e-3, atol=1e-4)
    assert done.alarms == 1
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    heights = [float(point.split(",")[1]) for point in re.search(r'points="([^"]+)"', page)[1].split()]
    assert 0 <= min(heights) < max(heights) <= 160


INTERRUPTED = """
import os
from maam_lib import cli, video

whole = video.detect

def show(progress):
    if progress.frames == 20:
        os.kill(os.getpid(), {number})

video.detect = lambda *given, **named: whole(*given, **named | dict(on_progress=show))
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_one_line_and_leaves_a_whole_folder(exported: Path, tmp_path: Path, number: signal.Signals) -> None:
    write_images(tmp_path / "in", moving("hall", 200, (48, 64)), "{:03d}.png")
    code = INTERRUPTED.format(number=int(number))
    answer = maam("detect", "--onnx", exported, tmp_path / "in", "--out", tmp_path / "out", code=code)
    assert answer.stderr == f"maam: stopped; what was scored is in {tmp_path / 'out'}\n"
    assert answer.returncode == 128 + number
    scores = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert 20 <= len(scores) <= 21
    assert len(decoded(tmp_path / "out" / "annotated.mkv")) == len(scores)
    assert (tmp_path / "out" / "index.html").read_text().rstrip().endswith("</html>")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_ctrl_c_on_a_silent_stream_is_one_line(exported: Path, tmp_path: Path) -> None:
    """The other end keeps the connection and sends no more: reading it would block for ten seconds and more."""
    write_video(tmp_path / "a.avi", moving("hall", 60, (48, 64)), "MJPG")
    out, connections = tmp_path / "out", []

    def serve() -> None:
        while True:
            connections.append(server.accept()[0])
            if len(connections) == 1:
                connections[0].sendall((tmp_path / "a.avi").read_bytes())

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        code = "from maam_lib.cli import main; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "detect",
            "--onnx",
            str(exported),
            address,
            "--out",
            str(out),
            "--patience",
            "20",
        ]
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not (out / "index.html").exists() and not scored_rows(out):
                os.sched_yield()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
        for connection in connections:
            connection.close()
    assert (process.returncode, told) == (130, f"maam: stopped; what was scored is in {out}\n")
    assert sorted(path.name for path in out.iterdir()) == FILES


def scored_rows(out: Path) -> int:
    return (out / "scores.csv").read_text().count("\n") - 1 if (out / "scores.csv").is_file() else 0


def test_the_blocker_of_that_test_blocks(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("{}")
    answer = maam("detect", tmp_path, tmp_path / "in", "--out", tmp_path / "a", code=BLOCKED)
    assert answer.returncode == 1
    assert "blocked: " in answer.stderr


def test_a_file_that_is_no_export_is_told(exported: Path, tmp_path: Path) -> None:
    whole, damaged = exported.read_bytes(), tmp_path / "damaged.onnx"
    places = np.random.default_rng(0).integers(0, len(whole), 200).tolist()
    changed = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in [*places, -1 % len(whole)]]
    for content in [b"", whole[:5000], whole[:-1], whole + b"0", *changed]:
        damaged.write_bytes(content)
        with pytest.raises(
            DetectionError, match=r"damaged.onnx: not a complete file of `maam export`.*Export it again"
        ):
            open_onnx(damaged)
    with pytest.raises(DetectionError, match=r"no such file; make it with `maam export RUN"):
        open_onnx(tmp_path / "none.onnx")


def test_an_export_replaces_nothing_but_an_export(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").write_bytes(b"the only copy")
    with pytest.raises(DetectionError, match=r"holiday.mp4: not a file of `maam export`; name another"):
        check_target(tmp_path / "holiday.mp4")
    with pytest.raises(DetectionError, match=r"net.onnx: cannot be written .*holiday.mp4 is not a folder"):
        check_target(tmp_path / "holiday.mp4" / "net.onnx")
    check_target(exported)
    check_target(tmp_path / "new" / "net.onnx")


@pytest.mark.parametrize("announced", [24, 1000])
def test_alarms_are_those_of_the_times_in_any_container(announced: int, tmp_path: Path) -> None:
    """20 frames per second, ten in the dark: the same pictures at the same times, whatever a header announces."""
    stamps = np.cumsum([0, *[50] * 20, *[100] * 30, *[50] * 20, *[100] * 10]).tolist()  # milliseconds
    bright_at = {*range(15, 17), *range(30, 34), *range(44, 47), *range(60, 75)}
    for name in ("a.mkv", "a.mp4"):
        with av.open(str(tmp_path / name), "w") as file:
            stream = file.add_stream("mpeg4", rate=announced if name == "a.mkv" else 25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            for t, stamp in enumerate(stamps):
                lit = np.full((48, 64, 3), 200 if t in bright_at else 16 + t % 2, np.uint8)
                shown = av.VideoFrame.from_ndarray(lit, "rgb24")
                shown.pts, shown.time_base = stamp, Fraction(1, 1000)
                file.mux(stream.encode(shown))
            file.mux(stream.encode(None))
        detect(DETECTOR, bright, open_footage(tmp_path / name), tmp_path / f"of {name}", alarms_per_hour=1000)
    for file in ("scores.csv", "events.csv"):
        assert (tmp_path / "of a.mkv" / file).read_text() == (tmp_path / "of a.mp4" / file).read_text()
    events = pd.read_csv(tmp_path / "of a.mkv" / "events.csv")
    found = [pd.read_csv(tmp_path / "of a.mkv" / "scores.csv")["time"].iloc[t] for t in (30, 44)]
    assert events["start"].iloc[0] == found[0], "two frames of 0.05 s are too short, four of 0.1 s are not"


def test_a_hostile_name_is_text_on_the_page(video: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "<img src=x onerror=alert(1)>\"'&.avi"
    video.rename(hostile)
    detect(DETECTOR, bright, open_footage(hostile), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    found = Resources(page)
    assert all(url.startswith(("data:image/jpeg;base64,", "annotated.")) for url in found.fetched)
    assert "<img src=x" not in page
    assert hostile.name in html.unescape(page)


def test_footage_is_not_scored_by_its_own_threshold(tmp_path: Path) -> None:
    write_images(tmp_path / "days" / "monday", moving("hall", 20, (48, 64)), "{:03d}.png")
    for normal in ("days", "days/monday"):
        words = ["detect", "ped2-laptop", tmp_path / "days" / "monday", "--normal", tmp_path / normal, "--out"]
        answer = CliRunner().invoke(cli.app, [*map(str, words), str(tmp_path / "out")])
        assert "this is the footage to be scored" in str(answer.exception)
        assert not (tmp_path / "out").exists()


def test_what_cannot_be_is_told_before_anything_is_read(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").touch()
    asked = ["detect", "--onnx", exported, tmp_path / "no.mp4", "--normal", tmp_path / "no.mp4", "--out"]
    for words, said in [
        ([tmp_path / "full"], "full: not empty (found kept)"),
        ([tmp_path / "out", "--alarms-per-hour", "nan"], "nan alarms per hour"),
        ([tmp_path / "out", "--frame-rate", "inf"], "--frame-rate"),
    ]:
        answer = CliRunner().invoke(cli.app, [str(word) for word in [*asked, *words]])
        assert answer.exit_code != 0
        assert said in f"{answer.exception} {answer.output}"
    assert not (tmp_path / "out").exists()


def test_the_checksum_leaves_a_plain_onnx_file(exported: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    assert [entry.key for entry in model.metadata_props][-1] == CHECKSUM_KEY.decode()


def test_a_run_that_cannot_be_written_is_scored_all_the_same(
    finished_run: RunFolder,
    scene_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def read_only(path: Path, text: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    run = RunFolder(shutil.copytree(finished_run.folder, tmp_path / "run"))
    kept = run_network(run, scene_root)[0]
    (run.folder / "detector.json").unlink()
    monkeypatch.setattr("maam_lib.video.scorer.write_text", read_only)
    assert run_network(run, scene_root)[0] == kept
    said = capsys.readouterr().err
    assert said.startswith("note: ")
    assert "detector.json cannot be kept (Read-only file system)" in said


@pytest.mark.parametrize("rate", [0.00076, 0.01, 0.5, 23.976, 66.123, 119.8765, 1000, 1e6])
def test_any_frame_rate_writes_its_video(rate: float, tmp_path: Path) -> None:
    video = AnnotatedVideo(tmp_path / "a.mkv", rate, (64, 320))
    pictures = [np.full((64, 320, 3), 10 * t, np.uint8) for t in range(8)]
    for t, picture in enumerate(pictures):
        video.write(picture, t / rate)
    video.close()
    with av.open(str(tmp_path / "a.mkv")) as file:
        frames = list(file.decode(video=0))
    assert len(frames) == 8
    expected = [max(t, round(1000 * t / rate)) / 1000 for t in range(8)]
    np.testing.assert_allclose([frame.time for frame in frames], expected, atol=1e-3)
    means = [frame.to_ndarray(format="gray").mean() for frame in frames]
    assert means == sorted(means)


def test_scoring_goes_on_where_the_video_cannot(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, times = AnnotatedVideo.write, []

    def write(self: AnnotatedVideo, picture: np.ndarray, time: float) -> None:
        times.append(time)
        if len(times) > 10:
            raise av.error.ExternalError(1, "no more")
        whole(self, picture, time)

    monkeypatch.setattr(AnnotatedVideo, "write", write)
    footage = open_footage(video)
    detect(DETECTOR, bright, footage, tmp_path / "out")
    assert footage.notes == ["annotated.mkv holds 10 frames: FFmpeg cannot encode more (no more)"]
    assert len(decoded(tmp_path / "out" / "annotated.mkv")) == 10
    assert len(pd.read_csv(tmp_path / "out" / "scores.csv")) == 59


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("detect", "video.mp4"), "expected RUN VIDEO, or --onnx FILE VIDEO"),
        (("detect", "--onnx", "net.onnx", "video.mp4", "other.mp4"), "expected RUN VIDEO, or --onnx FILE VIDEO"),
        (("detect", "--onnx", "net.onnx", "video.mp4"), "net.onnx: no such file"),
        (("detect", "runs/none", "video.mp4"), "or name weights that come with the kit: ped2-laptop, synthetic-laptop"),
    ],
)
def test_wrong_words_are_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    answer = maam(*words, "--out", tmp_path / "out")
    assert answer.returncode == 1
    [line] = answer.stderr.splitlines()
    assert line.startswith("maam: error: ")
    assert said in line
    assert not (tmp_path / "out").exists()


def share_of_normal_frames(name: str) -> float:
    """Of kept weights: how many of the normal test frames reach the threshold, counted in their scores."""
    kept = PROJECT / "reports" / "reference" / name
    scores, detector = pd.read_csv(kept / "scores.csv"), json.loads((kept / "detector.json").read_text())
    return float((scores["fused"][scores["label"] == 0] >= detector["threshold"]).mean())


def test_most_normal_frames_of_ped2_reach_the_threshold_of_its_kept_weights() -> None:
    detector = reference_detector("ped2-laptop")
    counted = share_of_normal_frames("ped2-laptop")
    assert detector.reached_by_normal_test(detector.threshold) == pytest.approx(counted, abs=0.01)
    assert counted > 0.5, "else the warning would be wrong"
    assert f" {100 * counted:.0f} % of the *normal* frames of its own test clips reach it too" in str(
        untrusted(detector, None)
    )
    at_rare = detector.reached_by_normal_test(detector.threshold_for(1))
    assert at_rare < counted - 0.01
    of_rare = f" {100 * at_rare:.0f} % of the *normal* frames of its own test clips reach it too"
    assert of_rare in str(untrusted(detector, 1)), "of the threshold in use"
    measured = detector.measured_on(np.arange(100.0), "sunday.mp4")
    assert untrusted(measured, None) is None
    assert untrusted(DETECTOR, None) is None, "nothing is known of it"


def test_the_page_says_how_far_the_threshold_can_be_trusted(video: Path, tmp_path: Path) -> None:
    told = {
        "training": (DETECTOR, "The threshold comes from training frames, so <strong>expect false alarms"),
        "judged": (DETECTOR.knowing(np.arange(101.0)), "<strong>50 % of the <em>normal</em> test frames of synthetic"),
        "normal": (DETECTOR.measured_on(np.arange(2000.0), "sunday.mp4"), "the frames of sunday.mp4, taken as normal."),
        "few": (DETECTOR.measured_on(np.arange(100.0), "a.mp4"), "That is only 1 of these frames"),
    }
    for name, (detector, said) in told.items():
        detect(detector, bright, open_footage(video), tmp_path / name)
        page = (tmp_path / name / "index.html").read_text(encoding="utf-8")
        assert said in page
        assert ("--normal FOOTAGE" in page) == (name in ("training", "judged"))


def test_the_story_tells_how_many_alarms_and_when(tmp_path: Path) -> None:
    """Bright for half a second at 2, 4 ... s: one, three and seven alarms, then none."""
    detector = type(DETECTOR)(**(vars(DETECTOR) | {"threshold": 30.0}))
    told = {
        1: "<strong>1 alarm</strong> in 18.8 s of footage, from 0:02.0 to 0:02.4 (2.1 % of the time).",
        3: "<strong>3 alarms</strong> in 18.8 s of footage: at 0:02.0, 0:04.0 and 0:06.0 (6.4 % of",
        7: "the first at 0:02.0, the last at 0:14.0, the strongest at 0:06.0 (15 % of the time).",
        0: "<strong>No alarms</strong> in 18.8 s of footage. The highest score, -0.02 at 0:05.0, is below the threshold"
        " of 0.40.",
    }
    for count, said in told.items():
        lit = [200 if t % 20 < 5 and 1 <= t // 20 <= count else 16 for t in range(190)]
        lit[62 if count else 50] += 20 if count != 3 else 0
        frames = (Frame(t, t / 10, np.full((48, 64, 3), level, np.uint8), 0.0) for t, level in enumerate(lit))
        out = tmp_path / str(count)
        detect(detector, bright, Footage("made.avi", False, 10, 190, (48, 64), [], frames), out)
        story = re.search(r'<p class="story">(.*?)</p>', (out / "index.html").read_text(encoding="utf-8"), re.DOTALL)
        words = " ".join(re.sub(r"</?span[^>]*>", "", story[1]).split())
        assert said in words


def test_a_stopped_run_is_made_playable_later_and_an_option_keeps_the_safe_form(exported: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "in", moving("hall", 20, (48, 64)), "{:03d}.png")
    words = ["detect", "--onnx", exported, tmp_path / "in", "--out", tmp_path / "out", "--no-browser-video"]
    run = CliRunner()
    assert run.invoke(cli.app, [str(word) for word in words]).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    made = run.invoke(cli.app, ["playable", str(tmp_path / "out")])
    assert made.exit_code == 0, made.exception
    assert "annotated.mp4: 19 frames converted for browsers in " in made.stdout
    again = run.invoke(cli.app, ["playable", str(tmp_path / "out")])
    assert "annotated.mp4: browsers play this already" in str(again.exception)


def test_a_video_that_cannot_be_written_anew_is_a_note(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    write_images(tmp_path / "in", moving("hall", 20, (48, 64)), "{:03d}.png")
    words = ["detect", "--onnx", exported, tmp_path / "in", "--out", tmp_path / "out"]
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert done.exit_code == 0
    assert "annotated.mkv stays as it is: this FFmpeg has no libx264 or libvpx-vp9" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_kept_weights_find_an_anomaly_without_any_data(tmp_path: Path) -> None:
    """The first generated test clip as pictures: the alarm is on in abnormal frames far more than in others."""
    clip = next(clip for clip in read_synthetic(scene_settings("synthetic")) if clip.split == "test")
    write_images(tmp_path / "in", (frame[..., 0] for frame in clip.frames()), "{:03d}.png")
    answer = maam("detect", "synthetic-laptop", tmp_path / "in", "--out", tmp_path / "out", "--root", tmp_path / "none")
    assert answer.returncode == 0, answer.stderr
    alarm = pd.read_csv(tmp_path / "out" / "scores.csv")["alarm"].to_numpy()
    label = clip.labels()[: len(alarm)]
    assert alarm[label == 1].mean() > alarm[label == 0].mean() + 0.2
    assert (tmp_path / "out" / "annotated.mp4").is_file()
    assert not (tmp_path / "out" / "annotated.mkv").exists()
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    counted = 100 * share_of_normal_frames("synthetic-laptop")
    [share] = re.findall(r"(\d+) % of the <em>normal</em> test frames of synthetic reach this threshold", page)
    assert float(share) == pytest.approx(counted, abs=1)
    said = f"{share} % of the *normal* frames of its own test clips reach it too"
    assert f"note: the threshold comes from the training frames of synthetic; {said}" in answer.stderr


def test_a_video_that_is_none_is_one_line_and_no_folder(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("minutes")
    answer = maam("detect", "--onnx", exported, tmp_path / "notes.mp4", "--out", tmp_path / "out")
    assert answer.returncode == 1
    [line] = answer.stderr.splitlines()
    assert "notes.mp4: cannot be read as a video" in line
    assert not (tmp_path / "out").exists()
