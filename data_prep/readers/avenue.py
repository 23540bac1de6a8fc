"""CUHK Avenue in its official layout, from the two archives or the unpacked folders, side by side.

Avenue Dataset/training_videos/01.avi ...                   16 clips, 640x360, colour   Avenue_Dataset.zip
Avenue Dataset/testing_videos/01.avi ...                    21 clips
ground_truth_demo/testing_label_mask/1_label.mat ...        volLabel: one cell per       ground_truth_demo.zip
                                                            frame, a pixel mask
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from data_prep import frames
from data_prep.clip import Clip, SourceError, Split
from data_prep.expected import OFFICIAL_COUNTS, check_counts
from data_prep.files import clips_in, unpacked, what_is_in
from data_prep.readers.matlab_files import cell_arrays, variables
from data_prep.words import counted

VIDEOS, MASKS = "Avenue_Dataset.zip", "ground_truth_demo.zip"
_SPLIT_FOLDERS: dict[Split, str] = {"train": "training_videos", "test": "testing_videos"}
_MASK_FOLDER = "testing_label_mask"
Shape = tuple[int, ...]
FRAMES = "one label per frame (as in frame_labels_avenue.npy) does not say where a clip ends, and is not read"


def read_avenue(
    source: Path, scratch: Path, *, labels: Path | None = None, allow_incomplete: bool = False
) -> list[Clip]:
    """The clips of Avenue, training clips first, each in order of its number.

    source: the folder that holds both archives or both unpacked folders (or one of each), or Avenue_Dataset.zip itself;
    archives are unpacked into `scratch`, which the caller deletes once the clips have been read. Frames are uint8
    (H, W, 3) RGB. Labels and masks are the official pixel masks, read one at a time: a frame is abnormal where its mask
    is not empty. `labels`: a MATLAB file of intervals (see `read_intervals`) in their place; then there are no masks,
    since the two label sets differ.

    Raises SourceError for what is missing, cut, of another form or against the official counts; for a video that stops
    early, and for a mask of another size than the frames, when these are read.
    """
    videos, masks = find_avenue(source, needs_masks=labels is None)
    folder = unpacked(videos, scratch, tuple(_SPLIT_FOLDERS.values()), ("avi",))
    clips = []
    for split, name in _SPLIT_FOLDERS.items():
        for path in clips_in(folder / name, r"\d{2}\.avi", "01.avi, 02.avi and so on", folders=False):
            num_frames = frames.count_frames(path)
            clips.append(Clip(split, path.stem, num_frames, partial(frames.video_frames, path, num_frames)))
    if not clips:
        raise SourceError(f"{videos}: no clips; expected training_videos/01.avi and so on, found {what_is_in(folder)}")
    if masks is not None:
        mask_folder = unpacked(masks, scratch, (_MASK_FOLDER,), ("mat",)) / _MASK_FOLDER
        clips = [_with_masks(clip, mask_folder) if clip.split == "test" else clip for clip in clips]
    if labels is not None:
        intervals = read_intervals(labels, len(OFFICIAL_COUNTS["avenue"].test))
        clips = [_with_intervals(clip, intervals, labels) if clip.split == "test" else clip for clip in clips]
    check_counts("avenue", clips, allow_incomplete=allow_incomplete, official_labels=labels is None)
    return frames.of_one_size(clips)


def find_avenue(source: Path, *, needs_masks: bool = True) -> tuple[Path, Path | None]:
    """The videos and the masks that `source` means: each an archive, or the folder above the official folders."""
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder; --source is the folder of {VIDEOS} and {MASKS}")
    videos = source if source.is_file() else _part([source], VIDEOS, tuple(_SPLIT_FOLDERS.values()))
    if not needs_masks:
        return videos, None
    beside = [source.parent] if source.is_file() else [source, source.parent] if videos == source else [source]
    return videos, _part(beside, MASKS, (_MASK_FOLDER,))


def _part(places: list[Path], archive: str, folders: tuple[str, ...]) -> Path:
    """The archive, or the folder above one of `folders`, in a place or in a folder directly in it."""
    for place in places:
        for candidate in (place, *sorted(path for path in place.iterdir() if path.is_dir())):
            if any((candidate / folder).is_dir() for folder in folders):
                return candidate
        if (place / archive).is_file():
            return place / archive
    raise SourceError(
        f"{places[0]}: expected {archive}, or a folder with {' and '.join(folders)}; found neither. --source is the "
        f"folder that holds {VIDEOS} and {MASKS}, or what was unpacked from them, side by side"
    )


# The official masks


def _with_masks(clip: Clip, mask_folder: Path) -> Clip:
    path = mask_folder / f"{int(clip.name)}_label.mat"
    if not path.is_file():
        raise SourceError(f"{path} is missing: the masks of test clip {clip.name}; {frames.AGAIN}")
    official = f"is it one of the official files in {MASKS}?"
    _, num_masks = _cell_shape(path, "volLabel", lambda shape: shape[:-1] == (1,), "a 1xT cell of masks", official)
    if num_masks != clip.num_frames:
        raise SourceError(
            f"avenue/test/{clip.name}: {counted(clip.num_frames, 'frame')} but {counted(num_masks, 'mask')}; "
            f"expected one mask per frame. Was the video or the mask file cut? Masks: {path}"
        )
    masks = partial(_masks, path)
    return replace(clip, labels=partial(frames.mask_labels, masks), masks=masks)


def _cell_shape(path: Path, name: str, fits: Callable[[Shape], bool], expected: str, remedy: str) -> Shape:
    """The shape of the cell `name` of a MATLAB file, from its headers alone; SourceError where none is that `fits`."""
    found = variables(path)
    if name in found and found[name].kind == "cell" and fits(found[name].shape):
        return found[name].shape
    words = ", ".join(f"{other}: {variable}" for other, variable in found.items()) or "nothing"
    raise SourceError(f"{path}: expected {name}, {expected}, found {words}; {remedy}")


def _masks(path: Path, size: frames.Size | None = None) -> Iterator[np.ndarray]:
    """One mask per frame, uint8 (H, W)."""
    for number, mask in enumerate(cell_arrays(path, "volLabel"), start=1):
        if mask.ndim != 2 or mask.dtype.kind not in "buif":
            raise SourceError(
                f"{path}: mask {number} is {mask.dtype} {mask.shape}, expected numbers (H, W); is it one of the "
                f"official files in {MASKS}?"
            )
        yield frames.abnormal_pixels(mask, f"{path}, mask {number}", size)


# The other label set: intervals of frames


def read_intervals(path: Path, num_clips: int) -> list[np.ndarray]:
    """Abnormal intervals of each test clip, each int (2, n): first and last frames, counted from 1, both included.

    path: a MATLAB file whose `gt` is a cell with one such array per clip (as released with "Future Frame
    Prediction for Anomaly Detection", Liu et al. 2018). Raises SourceError for another structure.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file; --labels is a MATLAB file of frame intervals, such as avenue.mat")
    if path.suffix.lower() in (".npy", ".npz"):
        raise SourceError(f"{path}: expected a MATLAB file of frame intervals, such as avenue.mat; {FRAMES}")
    expected = f"a cell with the intervals of {num_clips} test clips"
    _cell_shape(path, "gt", lambda shape: prod(shape) == num_clips, expected, FRAMES)
    return [_intervals(cell, f"{path}, clip {number}") for number, cell in enumerate(cell_arrays(path, "gt"), start=1)]


def _intervals(cell: np.ndarray, where: str) -> np.ndarray:
    intervals = np.asarray(cell)
    if intervals.size == 0:
        return np.zeros((2, 0), int)
    is_pairs = intervals.ndim == 2 and intervals.shape[0] == 2 and intervals.dtype.kind in "uif"
    if not is_pairs or (intervals < 1).any() or (intervals[0] > intervals[1]).any():
        raise SourceError(f"{where}: expected [first; last] frames counted from 1, found {intervals.tolist()}")
    return intervals.astype(int)


def _with_intervals(clip: Clip, intervals: list[np.ndarray], path: Path) -> Clip:
    own = intervals[int(clip.name) - 1]
    if own.size and own.max() > clip.num_frames:
        raise SourceError(
            f"avenue/test/{clip.name}: labels run to frame {own.max()}, but it has {clip.num_frames} frames; was the "
            f"video cut? Labels: {path}"
        )
    return replace(clip, labels=partial(frames.interval_labels, own.T, clip.num_frames, counted_from=1))
