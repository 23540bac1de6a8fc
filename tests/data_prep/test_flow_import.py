"""Imported flow: written beside the dataset and never into it, in stated units, and held against DIS."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import clip_files, flow_import
from data_prep.clip_files import ensure_clip
from data_prep.files.writing import aside_of
from data_prep.flow_files import FlowFileError
from data_prep.flow_import import plan_import
from data_prep.prepare import PreparationError, prepare
from data_prep.scenes.synthetic import read_synthetic
from maam_lib import cli
from maam_lib.data import PreparedDataset, find_dataset
from tests.conftest import FRAME_SIZE, SMALL_SCENE, prepare_clips
from tests.data_prep.test_flow_files import write_flo


def write_import(plan: flow_import.FlowImport) -> Path:
    return flow_import.write_import(plan, progress=False)


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write_fields(folder: Path, source: Path, vector: tuple[float, float], size: tuple[int, int] = FRAME_SIZE) -> Path:
    """Constant flow for every clip of a prepared dataset, one .npy per clip."""
    for split, clips in json.loads((source / "manifest.json").read_text())["clips"].items():
        (folder / split).mkdir(parents=True)
        for clip, entry in clips.items():
            fields = np.broadcast_to(np.float32(vector), (entry["frames"] - 1, *size, 2))
            np.save(folder / split / f"{clip}.npy", fields)
    return folder


@pytest.fixture
def source(prepared_folder: Path, tmp_path: Path) -> Path:
    """The fake Ped2, whose frames all move by one pixel to the right."""
    return Path(shutil.copytree(prepared_folder, tmp_path / "data" / "ped2"))


@pytest.fixture
def flows(source: Path, tmp_path: Path) -> Path:
    """The right flow for it."""
    return write_fields(tmp_path / "flows", source, (1, 0))


# What is written


def test_a_new_dataset_beside_the_old_one(source: Path, flows: Path) -> None:
    before = contents(source), contents(flows)
    folder = write_import(plan_import(source, flows, name="flownet2"))
    assert folder == source.parent / "ped2-24x36-flownet2"
    assert (contents(source), contents(flows)) == before
    old, new = PreparedDataset(source), find_dataset(source.parent, "ped2", FRAME_SIZE, "flownet2")
    assert new.folder == folder
    for split in ("train", "test"):
        for clip in old.clips(split):
            np.testing.assert_array_equal(new.frames(split, clip), old.frames(split, clip))
            assert (new.flow(split, clip) == np.float16([1, 0])).all()
            kept, made = (dict(p.manifest.clips[split][clip]) for p in (old, new))
            assert kept.pop("sha256") | {"flow": ""} == made.pop("sha256") | {"flow": ""}
            assert kept == made
    assert new.content_hash != old.content_hash
    assert {key for key, value in old.manifest if value != getattr(new.manifest, key)} == {"flow", "clips"}


def test_the_manifest_says_where_it_is_from(source: Path, flows: Path) -> None:
    folder = write_import(plan_import(source, flows, name="flownet2"))
    text = (folder / "manifest.json").read_text()
    flow = json.loads(text)["flow"]
    assert flow["estimator"] == "flownet2"
    assert flow["units"] == "pixels per frame at the stored size, (dx, dy), from t to t+1"
    assert flow["settings"] == {
        "method": "imported",
        "made": "not recorded",
        "size": [24, 36],
        "vectors_in_pixels_of": [24, 36],
    }
    assert flow["imported"]["folder"] == "flows"
    assert flow["imported"]["beside_dis"]["scale"] == pytest.approx(1, abs=0.15)
    assert flow["imported"]["beside_dis"]["correlation"]["as they are"] > 0.9
    assert flow["imported"]["warnings"] == []
    assert str(source.parent) not in text


def test_another_size_scales_the_vectors_with_the_frame(source: Path, tmp_path: Path) -> None:
    flows = write_fields(tmp_path / "flows", source, (2, 3), size=(72, 72))
    new = PreparedDataset(write_import(plan_import(source, flows, name="large")))
    np.testing.assert_array_equal(new.flow("test", "Test001")[3, 5, 7], np.float16([1, 1]))


@pytest.mark.parametrize(
    ("vector", "units"), [((2, 6), (72, 72)), ((1 / 36, 2 / 24), (1, 1)), ((1, 2), None), ((1, 2), FRAME_SIZE)]
)
def test_units_are_the_frame_whose_pixels_the_vectors_count(
    vector: tuple[float, float], units: tuple[int, int] | None, source: Path, tmp_path: Path
) -> None:
    plan = plan_import(source, write_fields(tmp_path / "flows", source, vector), name="other", units=units)
    new = PreparedDataset(write_import(plan))
    np.testing.assert_allclose(new.flow("train", "Train002")[0, 0, 0], [1, 2], rtol=1e-3)
    assert new.manifest.flow.settings["vectors_in_pixels_of"] == list(units or FRAME_SIZE)


def test_what_learned_flow_notes_is_kept(source: Path, flows: Path) -> None:
    made = {"name": "raft", "weights": "things", "random_weights": False, "versions": {"ptlflow": "0.4"}}
    (flows / "flow.json").write_text(json.dumps(made))
    flow = plan_import(source, flows).manifest.flow.as_written()
    assert flow["estimator"] == "raft"
    assert flow["settings"]["made"] == {"name": "raft", "weights": "things", "random_weights": False}
    assert flow["imported"]["made_with"] == {"ptlflow": "0.4"}
    (flows / "flow.json").write_text(json.dumps(made | {"random_weights": True}))
    assert "WARNING: made with RANDOM WEIGHTS" in str(plan_import(source, flows))


def test_native_flow_imported_small_is_what_prepare_makes_of_it(ped2: Path, tmp_path: Path) -> None:
    """Flow of the full frames, exported and imported for small ones: as if it had been estimated when preparing."""
    native = prepare("ped2", ped2, tmp_path / "native", workers=1, progress=False)
    small = prepare("ped2", ped2, tmp_path / "data", size=(16, 18), workers=1, progress=False)
    for path in native.glob("*/*/flow.npy"):
        (tmp_path / "flows" / path.parts[-3]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "flows" / path.parts[-3] / f"{path.parts[-2]}.npy")
    new = PreparedDataset(write_import(plan_import(small, tmp_path / "flows", name="dis-elsewhere")))
    for split, clip in (("train", "Train001"), ("test", "Test002")):
        expected = PreparedDataset(small).flow(split, clip).astype(np.float32)
        np.testing.assert_allclose(new.flow(split, clip), expected, rtol=2e-3, atol=2e-3)


# Failures and second calls


def test_a_clip_of_another_size_is_refused(source: Path, flows: Path) -> None:
    np.save(flows / "test" / "Test002.npy", np.zeros((5, 12, 18, 2), np.float32))
    with pytest.raises(FlowFileError, match=r"flows: flow of 12x18 for test/Test002, but 24x36 for train/Train001"):
        plan_import(source, flows, name="flownet2")


def test_a_clip_without_flow_is_refused(source: Path, flows: Path) -> None:
    (flows / "test" / "Test002.npy").unlink()
    with pytest.raises(FlowFileError, match=r"test/Test002: expected .* found none"):
        plan_import(source, flows, name="flownet2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no name for this flow; .* --name flownet2"),
        ({"name": "dis"}, "--name dis is an estimator of the kit"),
        ({"name": "exact"}, "--name exact is an estimator of the kit"),
        ({"name": "../x"}, "expected small letters"),
        ({"name": "raft", "units": (0, 4)}, "--units 0 4: expected a frame size"),
        ({"name": "raft", "source": Path("nowhere")}, r"nowhere: no finished prepared dataset"),
        ({"name": "raft", "flow_folder": Path("nowhere")}, r"nowhere: no such folder"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str, source: Path, flows: Path) -> None:
    with pytest.raises(PreparationError, match=message):
        plan_import(**{"source": source, "flow_folder": flows} | arguments)


def nan_in(path: Path) -> None:
    fields = np.load(path)
    fields[-1, 0, 0, 0] = np.nan
    np.save(path, fields)


def test_a_vector_that_is_none_leaves_the_clips_before_it(
    source: Path, flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan_in(flows / "test" / "Test001.npy")
    monkeypatch.setattr(flow_import, "COMPARED_PAIRS", 2)  # so that it is not among the compared
    with pytest.raises(FlowFileError, match=r"Test001\.npy, field 6: a vector of NaN"):
        write_import(plan_import(source, flows, name="flownet2"))
    target = source.parent / "ped2-24x36-flownet2"
    assert sorted(path.name for path in target.glob("*/*")) == ["Train001", "Train002"]
    assert not (target / "manifest.json").exists()


def test_a_vector_that_is_none_in_the_first_clip_leaves_nothing(
    source: Path, flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan_in(flows / "train" / "Train001.npy")
    monkeypatch.setattr(flow_import, "COMPARED_PAIRS", 2)
    with pytest.raises(FlowFileError, match=r"Train001\.npy, field 4"):
        write_import(plan_import(source, flows, name="flownet2"))
    assert [path.name for path in source.parent.iterdir()] == ["ped2"]


def test_an_interrupted_import_goes_on(source: Path, flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_test001(clip: Any, *arguments: Any) -> dict[str, Any]:
        if clip.name == "Test001":
            raise KeyboardInterrupt
        return ensure_clip(clip, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(flow_import, "ensure_clip", until_test001)
        with pytest.raises(KeyboardInterrupt):
            write_import(plan_import(source, flows, name="flownet2"))
    left = aside_of(source.parent / "ped2-24x36-flownet2/test/Test001")
    left.with_name(left.name.replace(f".{os.getpid()}.", f".{2**22 + 1}.")).mkdir(parents=True)  # of a killed call
    written = []
    whole = clip_files._write_clip
    monkeypatch.setattr(clip_files, "_write_clip", lambda clip, *rest: written.append(clip.name) or whole(clip, *rest))
    folder = write_import(plan_import(source, flows, name="flownet2"))
    assert written == ["Test001", "Test002"]
    assert not list(folder.rglob(".*"))
    first = contents(folder)
    shutil.rmtree(folder)
    assert contents(write_import(plan_import(source, flows, name="flownet2"))) == first


def test_a_finished_import_is_returned_and_other_files_are_refused(source: Path, flows: Path) -> None:
    folder = write_import(plan_import(source, flows, name="flownet2"))
    before = contents(folder)
    assert write_import(plan_import(source, flows, name="flownet2")) == folder
    np.save(flows / "train" / "Train001.npy", np.zeros((5, *FRAME_SIZE, 2), np.float32))  # estimated again
    with pytest.raises(PreparationError, match="holds an import of other flow files; delete it or take another --name"):
        write_import(plan_import(source, flows, name="flownet2"))
    assert contents(folder) == before


def test_a_damaged_source_is_noticed(source: Path, flows: Path) -> None:
    path = source / "train" / "Train002" / "frames.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(PreparationError, match=r"Train002/frames\.npy does not match its manifest"):
        write_import(plan_import(source, flows, name="flownet2"))
    assert not (source.parent / "ped2-24x36-flownet2/manifest.json").exists()


def test_a_full_disk_is_told(source: Path, flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(flow_import, "ensure_clip", full)
    with pytest.raises(PreparationError, match=r"flownet2: the disk is full; .*finished clips are kept"):
        write_import(plan_import(source, flows, name="flownet2"))


def test_everything_that_the_source_has_comes_along(tmp_path: Path) -> None:
    """Tracks and masks too, from .flo files, which the scene's own exact flow fills."""
    scene = prepare_clips(tmp_path / "data", read_synthetic(SMALL_SCENE)[1:3], flow="exact")
    for clip in read_synthetic(SMALL_SCENE)[1:3]:
        write_flo(tmp_path / "flows" / clip.split / clip.name, np.stack(list(clip.flow())))
    old, new = (PreparedDataset(f) for f in (scene, write_import(plan_import(scene, tmp_path / "flows", name="mine"))))
    for array in ("masks", "tracks", "labels"):
        np.testing.assert_array_equal(getattr(new, array)("Test001"), getattr(old, array)("Test001"))
    np.testing.assert_array_equal(new.flow("test", "Test001"), old.flow("test", "Test001"))


def test_the_command(
    source: Path, flows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["maam", "import-flow", "ped2", "--root", source.parent, "--flow-dir", flows, "--name", "flownet2"]
    monkeypatch.setattr("sys.argv", [str(word) for word in [*words, "--units", 48, 36]])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().out.splitlines()
    assert end.value.code == 0
    assert said[0] == "flow flownet2: 23 fields of 24x36, vectors read in pixels of 48x36"
    assert said[1].startswith("compared with DIS, where something moves in 23 pairs of frames: correlation 1.0")
    assert said[-1] == f"prepared: {source.parent}/ped2-24x36-flownet2; use it with --set data.flow=flownet2"
