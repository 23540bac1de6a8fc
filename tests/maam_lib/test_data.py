"""Prepared datasets: finding, checks on opening, items, batches."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from data_prep.prepare import prepare
from maam_lib.data import DatasetError, FrameFlowDataset, PreparedDataset, find_dataset, to_model_input
from tests.conftest import ABNORMAL, FRAME_SIZE, TEST, TRAIN


@pytest.fixture
def prepared(prepared_folder: Path) -> PreparedDataset:
    return PreparedDataset(prepared_folder)


@pytest.fixture
def copied(prepared_folder: Path, tmp_path: Path) -> Path:
    """A copy of the prepared dataset that a test may damage."""
    return Path(shutil.copytree(prepared_folder, tmp_path / "data" / "ped2"))


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


# One dataset


def test_arrays_are_memory_mapped_and_read_only(prepared: PreparedDataset) -> None:
    assert (prepared.name, prepared.frame_size, prepared.channels) == ("ped2", FRAME_SIZE, 1)
    assert prepared.clips("train") == list(TRAIN)
    assert prepared.num_frames("test", "Test001") == 8
    frames, flow = prepared.frames("test", "Test001"), prepared.flow("test", "Test001")
    assert (frames.dtype, frames.shape) == (np.uint8, (8, *FRAME_SIZE, 1))
    assert (flow.dtype, flow.shape) == (np.float16, (7, *FRAME_SIZE, 2))
    assert isinstance(frames.base, np.memmap)
    assert not frames.flags.writeable
    assert (np.flatnonzero(prepared.labels("Test001")) + 1).tolist() == ABNORMAL["Test001"]
    np.testing.assert_array_equal(prepared.masks("Test001").any(axis=(1, 2)), prepared.labels("Test001"))
    assert prepared.tracks("Test001") is None


def test_unknown_clip_is_named(prepared: PreparedDataset) -> None:
    with pytest.raises(DatasetError, match="ped2 has no clip test/Test009; there are: Test001, Test002"):
        prepared.labels("Test009")
    with pytest.raises(DatasetError, match="no clip train/Test001"):
        prepared.frames("train", "Test001")


def test_only_the_path_travels_to_another_process(prepared: PreparedDataset) -> None:
    sent = pickle.dumps(prepared)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent).frames("train", "Train001"), prepared.frames("train", "Train001"))


def test_content_hash_is_of_what_a_model_sees(copied: Path) -> None:
    before = PreparedDataset(copied).content_hash
    change_manifest(copied, lambda manifest: manifest["versions"].update(numpy="9"))
    change_manifest(copied, lambda manifest: manifest["source"].update(name="copy.tar.gz", sha256="0" * 64))
    assert PreparedDataset(copied).content_hash == before
    change_manifest(copied, lambda manifest: manifest["flow"]["settings"].update(patch_size=12))
    after_flow = PreparedDataset(copied).content_hash
    assert after_flow != before
    change_manifest(copied, lambda manifest: manifest["clips"]["train"]["Train001"]["sha256"].update(frames="0" * 64))
    assert PreparedDataset(copied).content_hash not in (before, after_flow)


# Damage


def test_labels_that_are_one_short(copied: Path) -> None:
    path = copied / "test/Test001/labels.npy"
    np.save(path, np.load(path)[:-1])
    with pytest.raises(
        DatasetError, match=r"ped2/test/Test001: 8 frames but 7 labels, expected 8; delete .*labels\.npy"
    ):
        PreparedDataset(copied)


def test_array_of_another_size_or_type(copied: Path) -> None:
    path = copied / "train/Train002/flow.npy"
    np.save(path, np.load(path).astype(np.float32))
    with pytest.raises(DatasetError, match=r"ped2/train/Train002: flow are float32 .*expected float16"):
        PreparedDataset(copied)


def test_cut_and_missing_arrays(copied: Path) -> None:
    path = copied / "train/Train002/frames.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DatasetError, match="ped2/train/Train002: frames cannot be opened"):
        PreparedDataset(copied)
    path.unlink()
    with pytest.raises(DatasetError, match=r"ped2/train/Train002: frames cannot be opened .*No such file"):
        PreparedDataset(copied)


def test_unreadable_or_newer_manifest(copied: Path) -> None:
    change_manifest(copied, lambda manifest: manifest.update(format=2))
    with pytest.raises(DatasetError, match="format 2, expected 1"):
        PreparedDataset(copied)
    (copied / "manifest.json").write_text("{")
    with pytest.raises(DatasetError, match=r"manifest\.json: not readable as JSON"):
        find_dataset(copied.parent, "ped2")


# Finding


def test_found_by_manifest_whatever_the_folder_is_called(copied: Path) -> None:
    renamed = copied.rename(copied.with_name("my first try"))
    found = find_dataset(renamed.parent, "ped2", FRAME_SIZE, "dis")
    assert found.folder == renamed


def test_not_there_names_the_command_and_what_is_there(copied: Path) -> None:
    root = copied.parent
    message = rf"no prepared ped2 at 120x180 in {root}; there is ped2: 24x36, flow dis\. Prepare it: "
    with pytest.raises(DatasetError, match=message + rf"maam prepare ped2 --source PATH --root {root} --size 120 180$"):
        find_dataset(root, "ped2", (120, 180))
    with pytest.raises(DatasetError, match=rf"with flow farneback .*--root {root} --flow farneback$"):
        find_dataset(root, "ped2", flow="farneback")
    with pytest.raises(
        DatasetError, match=rf"there is no synthetic\. Prepare it: maam prepare synthetic --root {root}$"
    ):
        find_dataset(root, "synthetic")


def test_unfinished_is_told_with_the_command_that_continues_it(copied: Path) -> None:
    (copied / "manifest.json").unlink()
    with pytest.raises(
        DatasetError, match=r"ped2 is unfinished .*continues it: maam prepare ped2 --source PATH --root"
    ):
        find_dataset(copied.parent, "ped2")
    with pytest.raises(DatasetError, match="ped2 is unfinished"):
        PreparedDataset(copied)


def test_several_that_fit_must_be_told_apart(ped2: Path, tmp_path: Path) -> None:
    for size in (None, (16, 18)):
        prepare("ped2", ped2, tmp_path / "data", size=size, workers=1)
    with pytest.raises(DatasetError, match=r"several prepared ped2 fit .*24x36.*16x18"):
        find_dataset(tmp_path / "data", "ped2")
    assert find_dataset(tmp_path / "data", "ped2", (16, 18)).folder.name == "ped2-16x18"


# Items and batches


def test_keys_leave_out_the_last_frame_of_each_clip(prepared: PreparedDataset) -> None:
    dataset = FrameFlowDataset(prepared, "test")
    assert dataset.keys() == [("Test001", t) for t in range(7)] + [("Test002", t) for t in range(5)]
    assert len(dataset) == 12
    shorter = FrameFlowDataset(prepared, "test", drop_last=2, clips=["Test002"])
    assert shorter.keys() == [("Test002", t) for t in range(4)]


def test_items_are_the_stored_arrays_in_model_units(prepared: PreparedDataset) -> None:
    dataset = FrameFlowDataset(prepared, "train")
    for index in (0, 5, len(dataset) - 1):
        clip, t = dataset.keys()[index]
        frame, flow = dataset[index]
        assert (frame.dtype, flow.dtype) == (torch.float32, torch.float32)
        expected = prepared.frames("train", clip)[t].astype(np.float32).transpose(2, 0, 1) / 127.5 - 1
        np.testing.assert_allclose(frame.numpy(), expected, atol=1e-6)
        np.testing.assert_array_equal(flow.numpy(), prepared.flow("train", clip)[t].transpose(2, 0, 1))


def test_black_and_white_are_minus_one_and_one() -> None:
    raw = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1)
    frames, flow = to_model_input(raw, torch.zeros(1, 1, 2, 2, dtype=torch.float16), 1)
    assert frames.flatten().tolist() == [-1, 1]
    assert flow.shape == (1, 2, 1, 2)


def test_batches_are_the_items_in_the_order_asked_for(prepared: PreparedDataset) -> None:
    dataset = FrameFlowDataset(prepared, "test")
    indices = [9, 0, 9, 4]
    frames, flow = dataset.__getitems__(indices)
    assert frames.is_contiguous()
    assert flow.is_contiguous()
    for position, index in enumerate(indices):
        assert torch.equal(frames[position], dataset[index][0])
        assert torch.equal(flow[position], dataset[index][1])
    raw_frames, raw_flow = dataset.stored_batch(indices)
    assert (raw_frames.dtype, raw_flow.dtype) == (torch.uint8, torch.float16)
    assert raw_frames.shape == (4, *FRAME_SIZE, 1)


def test_loader_takes_whole_batches(prepared: PreparedDataset) -> None:
    dataset = FrameFlowDataset(prepared, "train")
    batches = list(DataLoader(dataset, batch_size=4, collate_fn=lambda batch: batch))
    assert [len(frames) for frames, _ in batches] == [4, 4, 3]
    assert torch.equal(batches[1][0][2], dataset[6][0])


def test_gray_is_repeated_to_three_channels(prepared: PreparedDataset) -> None:
    frames, _ = FrameFlowDataset(prepared, "train", channels=3).__getitems__([2, 3])
    gray, _ = FrameFlowDataset(prepared, "train").__getitems__([2, 3])
    assert torch.equal(frames, gray.repeat(1, 3, 1, 1))


def test_wrong_choices_are_refused(prepared: PreparedDataset) -> None:
    with pytest.raises(DatasetError, match="drop_last is 0; expected 1 or more"):
        FrameFlowDataset(prepared, "train", drop_last=0)
    with pytest.raises(DatasetError, match="ped2 has 1 channel, 2 asked for"):
        FrameFlowDataset(prepared, "train", channels=2)
    with pytest.raises(DatasetError, match="no clip train/Train009"):
        FrameFlowDataset(prepared, "train", clips=["Train009"])
    with pytest.raises(DatasetError, match="no frames in the clips"):
        FrameFlowDataset(prepared, "train", drop_last=50)


def test_colour_is_not_turned_gray(prepared: PreparedDataset) -> None:
    prepared.channels = 3
    with pytest.raises(DatasetError, match="ped2 has 3 channels, 1 asked for"):
        FrameFlowDataset(prepared, "train", channels=1)


def test_totals_match_what_is_scored(prepared: PreparedDataset) -> None:
    scored = len(FrameFlowDataset(prepared, "test"))
    assert scored == prepared.manifest.totals.test_frames - len(TEST)
