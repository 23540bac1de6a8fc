"""Online scores are those of `evaluate`; threads end, errors arrive, a slow machine passes over whole pairs."""

import json
import shutil
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep.clip import Clip
from maam_lib.data import PreparedDataset
from maam_lib.detector import DetectionError
from maam_lib.training.files import RunError
from maam_lib.training.loop import dataset_for, fit
from maam_lib.training.runs import RunFolder
from maam_lib.video.events import Event
from maam_lib.video.footage import open_footage
from maam_lib.video.online import Ahead, FramePair, Scored, frame_pairs, score_online
from maam_lib.video.scorer import open_run, run_network
from maam_lib.video.trouble import Footage, Frame
from tests.conftest import tiny_recipe
from tests.fake_sources import moving, write_images
from tests.maam_lib.video.test_events import DETECTOR


def zeros(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    maps = np.zeros((len(frames), 16, 32), np.float32)
    return maps, maps


def frame(number: int, *, follows: bool = True) -> Frame:
    return Frame(number, number / 25, np.full((48, 64, 3), number % 250, np.uint8), 0.0, follows)


def footage(items: Generator[Frame | Event], *, is_live: bool = False) -> Footage:
    return Footage("made", is_live, 25, None, (48, 64), [], items)


@pytest.mark.parametrize(("is_live", "silent", "is_lost"), [(True, 30, True), (True, 0.5, False), (False, 30, False)])
def test_a_live_source_that_is_silent_at_the_end_is_lost(
    is_live: bool, silent: float, is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = footage((frame(t) for t in range(9)), is_live=is_live)
    items = iter(heard)
    for _ in range(4):
        next(items)
    monkeypatch.setattr("time.monotonic", lambda: silent)
    lost = heard.lost()
    assert (lost is not None) == is_lost
    if lost is not None:
        assert (lost.kind, lost.first, lost.start, lost.end) == ("lost", 4, 3 / 25, 3 / 25 + 30)
    assert [item.number for item in items] == [4, 5, 6, 7, 8]
    assert heard.lost() is None, "its end has come"


@pytest.fixture
def run(finished_run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the finished run, to write into."""
    return RunFolder(shutil.copytree(finished_run.folder, tmp_path / "run"))


def test_scores_are_those_of_evaluate(run: RunFolder, scene: PreparedDataset, scene_root: Path, tmp_path: Path) -> None:
    table = pd.read_csv(run.folder / "scores.csv")
    detector, score = open_run(run, scene_root)
    for clip in scene.clips("test"):
        write_images(tmp_path / clip, (f[..., 0] for f in scene.frames("test", clip)), "{:03d}.png")
        found = list(score_online(detector, score, open_footage(tmp_path / clip)))
        own = table[table["clip"] == clip]
        assert [scored.frame.number for scored in found] == own["frame"].tolist(), "all but the last frame"
        for column in ("appearance", "motion", "fused"):
            np.testing.assert_allclose([getattr(s, column) for s in found], own[column], rtol=0, atol=1e-4)


def test_colour_footage_larger_than_the_network_scores_as_prepared(tmp_path: Path) -> None:
    """The way of `prepare`: flow at the source's size, then both resized, stored flow rounded to float16."""
    clips = [_moving_clip("train", "a"), _moving_clip("test", "b")]
    prepared = PreparedDataset(prepare_sized(tmp_path / "data", clips, (48, 64)))
    recipe = tiny_recipe("data.channels=3", "training.epochs=1")
    run = fit(recipe, dataset_for(tmp_path / "data", recipe), tmp_path / "run")
    detector, score = open_run(run, tmp_path / "data")
    assert detector.channels == 3
    write_images(tmp_path / "b", moving("b", 30, (72, 90)), "{:03d}.png")
    found = list(score_online(detector, score, open_footage(tmp_path / "b")))
    expected, _ = score(*(array("test", "b")[:16].copy() for array in (prepared.frames, prepared.flow)))
    np.testing.assert_allclose([s.appearance for s in found[:16]], expected.max(axis=(1, 2)), rtol=0, atol=1e-4)
    assert found[0].source_size == (72, 90)


def _moving_clip(split: str, name: str) -> Clip:
    labels = None if split == "train" else lambda: np.arange(30, dtype=np.uint8) % 2
    return Clip(split, name, 30, frames=lambda: moving(name, 30, (72, 90)), labels=labels)


def prepare_sized(root: Path, clips: list[Clip], size: tuple[int, int]) -> Path:
    from data_prep.prepare import prepare
    from data_prep.scenes import synthetic

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "read_synthetic", lambda _: clips)
        return prepare("synthetic", None, root, size=size, workers=1, progress=False)


def test_a_detector_is_kept_beside_its_run_until_the_run_goes_on(run: RunFolder, scene_root: Path, tmp_path) -> None:
    first = run_network(run, tmp_path / "no data here")[0]  # as `evaluate` left it
    (run.folder / "detector.json").unlink()
    assert run_network(run, scene_root)[0] == first, "calibrated now"
    assert run_network(run, tmp_path / "no data here")[0] == first
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert (first.psi, first.threshold) == (metrics["psi"], metrics["threshold"]), "the rule of evaluate"
    kept = run.folder / "detector.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"epoch": 1, "psi": 0.5}))
    assert run_network(run, scene_root)[0] == first, "of another epoch: made anew"
    optimizer = run.checkpoints / "optimizer.safetensors"
    optimizer.write_bytes(optimizer.read_bytes()[:-100])
    assert run_network(run, tmp_path / "no data here")[0] == first, "detection needs the weights alone"


def test_what_a_detector_needs_is_said(run: RunFolder, tmp_path: Path) -> None:
    (run.folder / "detector.json").unlink()
    with pytest.raises(DetectionError, match="not calibrated yet, which needs its training data once"):
        run_network(run, tmp_path)
    with pytest.raises(RunError, match="no run here"):
        RunFolder.open(tmp_path)


# Pairs


def test_frames_that_do_not_follow_make_no_pair() -> None:
    items = [frame(0), frame(1), Event("gap", 1, 5, 0, 0), frame(5, follows=False), frame(6)]
    pairs = list(frame_pairs(iter(items)))
    assert [p.frame.number if isinstance(p, FramePair) else p.kind for p in pairs] == [0, "gap", 5]


def test_events_keep_their_place_among_scores() -> None:
    items = [frame(0), frame(1), frame(2), Event("gap", 2, 5, 0, 0), frame(5, follows=False), frame(6)]
    found = list(score_online(DETECTOR, zeros, footage(item for item in items)))
    assert [f.frame.number if isinstance(f, Scored) else f.kind for f in found] == [0, 1, "gap", 5]


def test_a_slow_machine_passes_over_whole_pairs_of_a_camera() -> None:
    """The network waits until the camera is through, so that most pairs find the queues full."""
    through = threading.Event()

    def camera() -> Generator[Frame | Event]:
        yield from map(frame, range(300))
        through.set()

    def slow(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert through.wait(timeout=30)
        return zeros(frames, flow)

    found = list(score_online(DETECTOR, slow, footage(camera(), is_live=True)))
    scored = [item.frame.number for item in found if isinstance(item, Scored)]
    behind = [item for item in found if isinstance(item, Event)]
    assert scored == sorted(scored)
    assert 0 < len(scored) < 250
    assert {event.kind for event in behind} == {"behind"}
    assert sum(int(event.note.split()[0]) for event in behind) == 299 - len(scored)


def test_what_was_passed_over_is_told_although_the_camera_has_gone_silent() -> None:
    silent, told = threading.Event(), threading.Event()

    def pairs() -> Generator[FramePair | Event]:
        yield from (FramePair(frame(t), frame(t + 1)) for t in range(10))
        silent.set()
        assert told.wait(timeout=30)

    ahead = Ahead(pairs(), 4, threading.Event(), may_pass=True)
    assert silent.wait(timeout=30)
    taken = [item for _ in range(5) for item in ahead.take(1)]
    told.set()
    assert [item.frame.number for item in taken[:4]] == [0, 1, 2, 3]
    assert (taken[4].kind, taken[4].first, taken[4].last) == ("behind", 4, 9)
    assert ahead.take(1) == []


# Threads


def test_an_error_in_any_thread_reaches_who_asks() -> None:
    def breaks() -> Generator[Frame | Event]:
        yield from map(frame, range(40))
        raise OSError("the cable was pulled")

    found = score_online(DETECTOR, zeros, footage(breaks()))
    with pytest.raises(OSError, match="the cable was pulled"):
        list(found)

    def fails(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        list(score_online(DETECTOR, fails, footage(frame(t) for t in range(40))))


def test_leaving_early_ends_the_threads_and_closes_the_source() -> None:
    closed = threading.Event()

    def endless() -> Generator[Frame | Event]:
        try:
            number = 0
            while True:
                yield frame(number)
                number += 1
        finally:
            closed.set()

    found = score_online(DETECTOR, zeros, footage(endless()))
    assert next(found).frame.number == 0
    found.close()
    assert closed.wait(timeout=10)


def test_never_more_items_wait_than_allowed() -> None:
    made = []

    def items() -> Generator[int]:
        for number in range(50):
            made.append(number)
            yield number

    ahead = Ahead(items(), 4, threading.Event())
    taken = []
    while batch := ahead.take(3):
        taken += batch
        assert len(made) - len(taken) <= 4 + 1 + len(batch)
    assert taken == list(range(50))
