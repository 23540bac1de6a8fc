"""What every reader promises: one class of tests that each reader's module takes over with its own clips."""

import pickle
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from data_prep.clip import Clip
from data_prep.clip_files import ensure_clip
from data_prep.layout import Head


def stored_as(size: tuple[int, int], channels: int = 3, flow: str = "dis-ultrafast", dataset: str = "contract") -> Head:
    """The head of a manifest, for clips that are stored without `prepare`."""
    source = {"name": "test", "sha256": "0" * 64, "frame_size": size}
    made = {"estimator": flow, "settings": {}, "units": ""}
    return Head.model_validate(
        {"format": 1, "dataset": dataset, "source": source, "frame_size": size}
        | {"channels": channels, "flow": made, "versions": {}}
    )


class ReaderContract:
    """Subclasses give a fixture `clips`: what the reader yields for a small fake source."""

    def test_frames_are_as_announced(self, clips: list[Clip]) -> None:
        for clip in clips:
            assert isinstance(clip.frames(), Iterator), "frames come one at a time"
            frames = list(clip.frames())
            assert len(frames) == clip.num_frames >= 2, clip.name
            assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}
            assert len({frame.shape for frame in frames}) == 1
            assert frames[0].ndim == 3
            assert frames[0].shape[2] in (1, 3)

    def test_training_comes_first_and_names_are_unique(self, clips: list[Clip]) -> None:
        splits = [clip.split for clip in clips]
        assert splits == sorted(splits, reverse=True)
        assert len({(clip.split, clip.name) for clip in clips}) == len(clips)
        assert all(Path(clip.name).name == clip.name and not clip.name.startswith(".") for clip in clips)

    def test_labels_are_one_per_frame(self, clips: list[Clip]) -> None:
        for clip in clips:
            if clip.labels is not None:
                labels = clip.labels()
                assert labels.dtype == np.uint8
                assert labels.shape == (clip.num_frames,)
                assert set(np.unique(labels)) <= {0, 1}

    def test_only_test_clips_have_labels_and_masks_never_come_alone(self, clips: list[Clip]) -> None:
        for clip in clips:
            assert clip.split == "test" or (clip.labels is None and clip.masks is None)
            assert clip.masks is None or clip.labels is not None

    def test_masks_agree_with_labels_and_frames(self, clips: list[Clip]) -> None:
        for clip in clips:
            if clip.masks is not None:
                masks = np.stack(list(clip.masks()))
                assert masks.dtype == np.uint8
                assert masks.shape == (clip.num_frames, *next(clip.frames()).shape[:2])
                assert set(np.unique(masks)) <= {0, 1}
                np.testing.assert_array_equal(masks.any(axis=(1, 2)), clip.labels())

    def test_reading_again_in_another_process_gives_the_same(self, clips: list[Clip]) -> None:
        for clip in clips:
            again = pickle.loads(pickle.dumps(clip))
            for first, second, third in zip(clip.frames(), clip.frames(), again.frames(), strict=True):
                np.testing.assert_array_equal(first, second)
                np.testing.assert_array_equal(first, third)
            assert len(list(islice(clip.frames(), 1))) == 1  # stopping early does no harm

    def test_every_clip_can_be_stored_at_another_size(self, clips: list[Clip], tmp_path: Path) -> None:
        for clip in clips:
            channels = next(clip.frames()).shape[2]
            record = ensure_clip(clip, tmp_path / "stored", stored_as((16, 24), channels))
            stored = tmp_path / "stored" / clip.split / clip.name
            assert np.load(stored / "frames.npy").shape == (clip.num_frames, 16, 24, channels)
            assert np.load(stored / "flow.npy").shape == (clip.num_frames - 1, 16, 24, 2)
            assert {"labels", "masks"} & set(record.sha256) == {
                name for name in ("labels", "masks") if getattr(clip, name) is not None
            }
