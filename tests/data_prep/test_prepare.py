"""Preparation: what is written, where it goes, what a second call does, that failures lose nothing."""

import errno
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import clip_files
from data_prep import prepare as prepare_module
from data_prep.clip import Clip, SourceError
from data_prep.clip_files import ensure_clip
from data_prep.files.writing import aside_of
from data_prep.flow import estimate_flow
from data_prep.layout import DatasetError
from data_prep.prepare import PreparationError, prepare
from data_prep.readers.ucsd import find_source
from data_prep.scenes.synthetic import SCENE_VERSIONS, SceneSettings
from maam_lib.data import PreparedDataset
from tests.conftest import FRAME_SIZE, TEST, TRAIN, fake_frames, fake_masks
from tests.reader_contract import stored_as

prepare = partial(prepare, workers=1, progress=False)


def contents(folder: Path) -> dict[str, str]:
    """Path and sha256 of every file under a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


# What is written


def test_arrays_hold_the_source(ped2: Path, root: Path) -> None:
    folder = prepare("ped2", ped2, root)
    assert folder == root / "ped2"
    for split, clips in (("train", TRAIN), ("test", TEST)):
        for name, num_frames in clips.items():
            frames = np.load(folder / split / name / "frames.npy")
            assert frames.dtype == np.uint8
            np.testing.assert_array_equal(frames[..., 0], np.stack(list(fake_frames(name, num_frames))))
            flow = np.load(folder / split / name / "flow.npy")
            assert flow.dtype == np.float16
            assert flow.shape == (num_frames - 1, *FRAME_SIZE, 2)
            np.testing.assert_array_equal(flow[1], estimate_flow("dis", frames[1], frames[2]).astype(np.float16))
    for name in TEST:
        masks = np.load(folder / "test" / name / "masks.npy")
        np.testing.assert_array_equal(masks, np.stack(list(fake_masks(name))) // 255)
        np.testing.assert_array_equal(np.load(folder / "test" / name / "labels.npy"), masks.any(axis=(1, 2)))


def test_manifest_tells_what_is_there(ped2: Path, root: Path, pack: Callable[[Path], Path]) -> None:
    archive = pack(ped2)
    folder = prepare("ped2", archive, root)
    manifest = manifest_of(folder)
    assert manifest["format"] == 1
    assert manifest["dataset"] == "ped2"
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert manifest["source"] == {"name": archive.name, "sha256": sha256, "frame_size": list(FRAME_SIZE)}
    assert (manifest["frame_size"], manifest["channels"]) == (list(FRAME_SIZE), 1)
    assert manifest["flow"]["estimator"] == "dis"
    assert (manifest["complete"], manifest["missing"]) == (True, [])
    assert manifest["totals"] == {"train_frames": 13, "test_frames": 14, "abnormal_frames": 9}
    assert manifest["clips"]["test"]["Test001"]["abnormal"] == 5
    for split in ("train", "test"):
        for name, entry in manifest["clips"][split].items():
            stored = contents(folder / split / name)
            assert {f"{array}.npy": sha256 for array, sha256 in entry["sha256"].items()}.items() <= stored.items()
    assert str(root) not in (folder / "manifest.json").read_text()


def test_size_resizes_frames_by_area_and_masks_to_the_nearest(ped2: Path, root: Path) -> None:
    folder = prepare("ped2", ped2, root, size=(16, 18))
    frames = np.load(folder / "train/Train001/frames.npy")
    assert frames.shape == (6, 16, 18, 1)
    source = np.stack(list(fake_frames("Train001", 6)))
    assert frames.mean() == pytest.approx(source.mean(), abs=1)
    flow = np.load(folder / "train/Train001/flow.npy").astype(np.float32)
    estimated = estimate_flow("dis", source[0], source[1])  # at the source's size, 24 x 36
    assert flow[0].mean(axis=(0, 1)) == pytest.approx(
        estimated.mean(axis=(0, 1)) * (18 / 36, 16 / 24), rel=0.1, abs=0.01
    )
    masks = np.load(folder / "test/Test001/masks.npy")
    assert masks.shape == (8, 16, 18)
    assert set(np.unique(masks)) == {0, 1}
    assert masks[2].mean() == pytest.approx(8 * 8 / (24 * 36), rel=0.3)
    assert manifest_of(folder)["source"]["frame_size"] == list(FRAME_SIZE)


def test_same_source_gives_the_same_bytes_on_any_number_of_workers(ped2: Path, tmp_path: Path) -> None:
    alone = prepare("ped2", ped2, tmp_path / "alone")
    together = prepare("ped2", ped2.parents[1], tmp_path / "together", workers=2)
    assert contents(alone) == contents(together)


def test_ped1_has_masks_where_the_source_has_them(ped1: Path, root: Path) -> None:
    folder = prepare("ped1", ped1, root)
    assert [path.parent.name for path in sorted(folder.rglob("masks.npy"))] == ["Test001"]
    assert manifest_of(folder)["totals"]["abnormal_frames"] == 9


def exact_clip(flow: float = 0.5) -> Clip:
    """A coloured clip of three frames with exact flow and tracks."""
    return Clip(
        "test",
        "08",
        3,
        partial(filled, 3, (20, 24, 3), 7),
        flow=partial(filled, 2, (20, 24, 2), flow),
        tracks=partial(np.full, (3, 20, 24), 300, np.int16),
    )


def filled(number: int, shape: tuple[int, ...], value: float) -> Iterator[np.ndarray]:
    yield from np.full((number, *shape), value, np.uint8 if isinstance(value, int) else np.float32)


SETTINGS = stored_as((20, 24), flow="exact", dataset="scene")


def test_exact_flow_and_tracks_are_stored_as_they_are(tmp_path: Path) -> None:
    record = ensure_clip(exact_clip(), tmp_path, SETTINGS)
    assert (np.load(tmp_path / "test/08/flow.npy") == 0.5).all()
    tracks = np.load(tmp_path / "test/08/tracks.npy")
    assert tracks.dtype == np.int16
    assert (tracks == 300).all()
    assert record.abnormal is None
    assert set(record.sha256) == {"frames", "flow", "tracks"}


def test_flow_is_resized_with_the_frames_and_its_vectors_scaled(tmp_path: Path) -> None:
    ensure_clip(exact_clip(), tmp_path, stored_as((10, 6), flow="exact"))
    flow = np.load(tmp_path / "test/08/flow.npy")
    assert flow.shape == (2, 10, 6, 2)
    assert (flow == [0.125, 0.25]).all()  # dx: 24 -> 6 pixels wide, dy: 20 -> 10 pixels high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_frames": 4}, "scene/test/08: 3 frames, expected 4 as announced"),
        ({"num_frames": 2}, "scene/test/08: 3 frames, expected 2 as announced"),
        ({"labels": partial(np.zeros, 2, np.uint8)}, "scene/test/08: 2 labels, expected 3 as announced"),
        ({"masks": partial(filled, 2, (20, 24), 1)}, "scene/test/08: 2 masks, expected 3 as announced"),
        (
            {"frames": partial(filled, 3, (20, 24, 1), 7)},
            r"frames of frame 1 has shape \(20, 24, 1\), expected",
        ),
        (
            {"flow": partial(filled, 1, (20, 24, 2), 0.5)},
            "scene/test/08: 1 flow, expected 2 as announced",
        ),
    ],
)
def test_clip_that_is_not_as_announced_leaves_nothing(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        ensure_clip(replace(exact_clip(), **change), tmp_path, SETTINGS)
    assert not contents(tmp_path)


# A second call


def test_finished_dataset_is_returned_without_reading_anything(
    ped2: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare("ped2", ped2, root)
    before = contents(root)
    shutil.rmtree(ped2)
    monkeypatch.setattr(prepare_module, "ensure_clips", None)
    for size in (None, FRAME_SIZE):
        assert prepare("ped2", ped2, root, size=size) == folder
    assert contents(root) == before


def test_other_settings_go_beside_and_the_first_stays(ped2: Path, root: Path) -> None:
    small = prepare("ped2", ped2, root, size=(16, 18))
    before = contents(small)
    assert prepare("ped2", ped2, root) == root / "ped2-24x36"
    assert prepare("ped2", ped2, root, flow="dis-fast") == root / "ped2-24x36-dis-fast"
    assert prepare("ped2", ped2, root, size=(16, 18)) == small
    assert contents(small) == before


def test_interrupted_preparation_keeps_finished_clips(ped2: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_test002(clip: Clip, **arguments: Any) -> dict[str, Any]:
        if clip.name == "Test002":
            raise KeyboardInterrupt
        return ensure_clip(clip, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(clip_files, "ensure_clip", until_test002)
        with pytest.raises(KeyboardInterrupt):
            prepare("ped2", ped2, root)
    finished = contents(root / "ped2")
    assert len([name for name in finished if name.endswith("clip.json")]) == 3
    assert "manifest.json" not in finished

    written = []
    write_clip = clip_files._write_clip
    monkeypatch.setattr(
        clip_files, "_write_clip", lambda clip, *rest: written.append(clip.name) or write_clip(clip, *rest)
    )
    folder = prepare("ped2", ped2, root)
    assert written == ["Test002"]
    assert finished.items() <= contents(folder).items()
    assert contents(folder) == contents(prepare("ped2", ped2, root.with_name("at-once")))


def test_damaged_clip_is_written_anew(ped2: Path, root: Path) -> None:
    """The remedy that `PreparedDataset` names for a damaged file."""
    folder = prepare("ped2", ped2, root)
    whole = contents(folder)
    (folder / "manifest.json").unlink()
    damaged = folder / "train/Train001/flow.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x7f")
    assert contents(prepare("ped2", ped2, root)) == whole


def test_half_prepared_with_other_settings_is_refused(ped2: Path, root: Path) -> None:
    folder = prepare("ped2", ped2, root)
    (folder / "manifest.json").unlink()
    before = contents(folder)
    with pytest.raises(PreparationError, match=r"ped2 is half prepared with another frame_size .*\[24, 36\]"):
        prepare("ped2", ped2, root, size=(16, 18))
    assert contents(folder) == before


def test_leftovers_of_a_killed_call_go(ped2: Path, root: Path) -> None:
    dead = aside_of(root / "ped2/train/Train001").name.replace(f".{os.getpid()}.", f".{2**22 + 1}.")
    for leftover in (dead, f"train/{dead}"):
        (root / "ped2" / leftover / "UCSDped2").mkdir(parents=True)
    folder = prepare("ped2", ped2, root)
    assert not list(folder.rglob(".*"))


# Incomplete sources


def test_incomplete_source_is_named_in_the_manifest(ped2: Path, root: Path) -> None:
    shutil.rmtree(ped2 / "Train/Train002")
    folder = prepare("ped2", ped2, root, allow_incomplete=True)
    manifest = manifest_of(folder)
    assert (manifest["complete"], manifest["missing"]) == (False, ["train/Train002"])
    assert prepare("ped2", ped2, root, allow_incomplete=True) == folder
    assert repr(PreparedDataset(folder)).endswith(", INCOMPLETE)")
    with pytest.raises(PreparationError, match=r"incomplete \(missing train/Train002\); .*--allow-incomplete"):
        prepare("ped2", ped2, root)


# Failures


def test_bad_source_leaves_earlier_results_and_no_litter(ped2: Path, root: Path) -> None:
    prepare("ped2", ped2, root, size=(16, 18))
    before = contents(root)
    (ped2 / "Test/Test002_gt/frame003.bmp").unlink()
    with pytest.raises(SourceError, match=r"frame003\.bmp is missing"):
        prepare("ped2", ped2, root)
    assert contents(root) == before
    assert [path.name for path in root.iterdir()] == ["ped2"]


def test_undecodable_frame_leaves_the_clips_before_it(ped2: Path, root: Path) -> None:
    (ped2 / "Test/Test001/005.tif").write_bytes(b"II*\x00")
    with pytest.raises(SourceError, match=r"Test001/005\.tif: cannot be decoded"):
        prepare("ped2", ped2, root)
    assert sorted(path.parent.name for path in root.rglob("clip.json")) == ["Train001", "Train002"]
    assert not list(root.rglob(".*"))


def test_error_in_a_worker_process_arrives_in_one_line(ped2: Path, root: Path) -> None:
    (ped2 / "Train/Train001/005.tif").write_bytes(b"II*\x00")
    with pytest.raises(SourceError, match=r"Train001/005\.tif: cannot be decoded") as caught:
        prepare("ped2", ped2, root, workers=2)
    assert "\n" not in str(caught.value)


def test_too_little_room_is_told_beforehand(ped2: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(prepare_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(PreparationError, match=r"ped2: needs 0\.00 GB, 0\.00 GB free on this disk; make room"):
        prepare("ped2", ped2, root)
    assert not contents(root)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "disk is full; make room .* finished clips are kept",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: Permission denied; choose"),
    ],
)
def test_failure_while_writing_keeps_finished_clips(
    error: Exception, message: str, ped2: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(clip: Clip, folder: Path, *arguments: Any) -> dict[str, Any]:
        if clip.name == "Test001":
            raise error
        return write_clip(clip, folder, *arguments)

    write_clip = clip_files._write_clip
    monkeypatch.setattr(clip_files, "_write_clip", failing)
    with pytest.raises(PreparationError, match=message):
        prepare("ped2", ped2, root)
    assert sorted(path.parent.name for path in root.rglob("clip.json")) == ["Train001", "Train002"]
    assert not list(root.rglob(".*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "ped3"}, "no dataset 'ped3'; there are synthetic, .*, ped1, ped2"),
        ({"flow": "raft"}, "no flow 'raft'; there are dis, "),
        ({"flow": "exact"}, "flow 'exact' is known for the generated scenes"),
        ({"size": (8, 360)}, "size 8x360: both sides must have at least 16"),
        ({"source": None}, "ped2 needs a source: --source PATH"),
        ({"dataset": "synthetic"}, "synthetic is drawn by the kit and reads nothing; leave out --source source"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str, root: Path) -> None:
    with pytest.raises(PreparationError, match=message):
        prepare(**{"dataset": "ped2", "source": Path("source"), "root": root} | arguments)
    assert not root.exists() or not list(root.iterdir())


@pytest.mark.data
def test_two_clips_of_the_real_ped2(real_data: Path, root: Path, tmp_path: Path) -> None:
    """The first and the last clip, unpacked from the real archive and prepared."""
    wanted = ("/Train001/", "/Test012/", "/Test012_gt/", "/UCSDped2.m")
    with tarfile.open(find_source(real_data, "ped2")) as archive:
        members = [member for member in archive if any(name in member.name for name in wanted)]
        archive.extractall(tmp_path, members, filter="data")
    folder = prepare("ped2", tmp_path, root, flow="dis-fast", allow_incomplete=True)
    manifest = manifest_of(folder)
    assert len(manifest["missing"]) == 26
    assert manifest["totals"] == {"train_frames": 120, "test_frames": 180, "abnormal_frames": 93}
    frames, flow = (np.load(folder / "test/Test012" / name) for name in ("frames.npy", "flow.npy"))
    assert frames.shape == (180, 240, 360, 1)
    masks = np.load(folder / "test/Test012/masks.npy").astype(bool)
    speed = np.linalg.norm(flow[100:150].astype(np.float32), axis=-1)
    assert speed[masks[100:150]].mean() > 3 * speed[~masks[100:150]].mean()  # what is marked moves


def test_a_scene_of_another_version_is_not_taken_for_this_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = SceneSettings(height=32, width=32, train_clips=1, test_clips=1, frames_per_clip=40)
    monkeypatch.setattr("data_prep.scenes.synthetic.SceneSettings", lambda: small)
    folder = prepare("synthetic", None, root, workers=1)
    assert prepare("synthetic", None, root, workers=1) == folder
    monkeypatch.setitem(SCENE_VERSIONS, "lane", 0)
    with pytest.raises(PreparationError, match="the generated scene of another version of the kit; delete the folder"):
        prepare("synthetic", None, root, workers=1)


@pytest.mark.parametrize("content", ["[]", "{", '{"dataset": "ped2"}', "null", "[" * 100_000])
def test_a_damaged_manifest_stops_no_other_dataset(
    content: str, ped2: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "avenue").mkdir(parents=True)
    (root / "avenue/manifest.json").write_text(content)
    assert prepare("ped2", ped2, root) == root / "ped2"
    assert f"maam: skipped: {root / 'avenue/manifest.json'}: " in capsys.readouterr().err
    (root / "ped2/manifest.json").write_text(content)
    with pytest.raises(DatasetError, match=r"ped2/manifest\.json: .*delete it and prepare again"):
        prepare("ped2", ped2, root)


def test_another_dataset_under_the_name_is_never_written_into(ped2: Path, root: Path) -> None:
    prepare("ped2", ped2, root)
    (root / "ped2-16x18").mkdir()
    other = manifest_of(root / "ped2") | {"dataset": "mine"}
    (root / "ped2-16x18/manifest.json").write_text(json.dumps(other))
    with pytest.raises(PreparationError, match="ped2-16x18 holds mine at 24x36 with flow dis under this name; rename"):
        prepare("ped2", ped2, root, size=(16, 18))


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127])
def test_the_longest_names_of_clips_have_room(name: str, tmp_path: Path) -> None:
    ensure_clip(replace(exact_clip(), name=name), tmp_path, SETTINGS)
    assert [path.name for path in (tmp_path / "test").iterdir()] == [name]


def test_litter_of_the_killed_goes_and_of_the_living_stays(ped2: Path, root: Path) -> None:
    folder = prepare("ped2", ped2, root)
    (folder / "manifest.json").unlink()
    mine = aside_of(folder / "train" / "a clip")
    dead = mine.with_name(mine.name.replace(f".{os.getpid()}.", f".{2**22 + 1}."))  # beyond the largest process number
    for litter in (mine, dead):
        litter.mkdir()
    prepare("ped2", ped2, root)
    assert list(folder.rglob(".*")) == [mine]


@pytest.mark.parametrize("record", ["[]", "{}", "null", '{"settings": [], "sha256": 1, "frames": 1, "abnormal": 1}'])
def test_a_damaged_record_of_a_clip_is_written_anew(record: str, ped2: Path, root: Path) -> None:
    folder = prepare("ped2", ped2, root)
    whole = contents(folder)
    (folder / "manifest.json").unlink()
    (folder / "train/Train001/clip.json").write_text(record)
    assert contents(prepare("ped2", ped2, root)) == whole


def test_loose_pictures_are_named_as_what_was_found(ped2: Path, root: Path) -> None:
    for path in (ped2 / "Train/Train001").glob("*.tif"):
        path.rename(ped2 / "Train" / path.name)
    for clip in ("Train001", "Train002"):
        shutil.rmtree(ped2 / "Train" / clip)
    with pytest.raises(
        SourceError, match=r"Train: expected folders Train001 .*, found 6 \.tif files, such as 006\.tif"
    ):
        prepare("ped2", ped2, root, allow_incomplete=True)


def test_frames_of_another_kind_are_named_as_what_was_found(ped2: Path, root: Path) -> None:
    for path in (ped2 / "Train/Train001").glob("*.tif"):
        path.rename(path.with_suffix(".webp"))
    with pytest.raises(SourceError, match=r"Train001: expected 001\.jpe?g and so on, found 6 \.webp files"):
        prepare("ped2", ped2, root)
