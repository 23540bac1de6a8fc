"""The user's own footage: videos of any format that FFmpeg reads, or folders of frames.

train/lobby.mp4, train/morning/0001.jpg ...    normal footage; a clip is named after its file or folder
test/evening.mkv, test/night/0001.jpg ...      footage to score
labels.csv                                     optional: clip,first,last of each abnormal interval of frames,
                                               counted from 0, both included; a clip without any: `night,,`
masks/evening/0001.png ...                     optional: one image per frame, black where nothing is abnormal
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np

from data_prep.archives import is_junk
from data_prep.clip import Clip, SourceError, Split
from data_prep.frames import (
    IMAGE_SUFFIXES,
    Size,
    colour_images,
    mask_images,
    with_size,
)
from data_prep.video_files import survey_video, video_frames

LABEL_FILE, MASK_FOLDER = "labels.csv", "masks"
COLUMNS = ["clip", "first", "last"]
LOSSLESS = IMAGE_SUFFIXES - {".jpg", ".jpeg"}
STRETCH = 0.01  # a change of the aspect ratio that is worth a note
Intervals = tuple[tuple[int, int], ...]  # first and last abnormal frame, counted from 0, both included


@dataclass(frozen=True)
class Footage:
    """What was found: clips, where their labels are from, and what the user should know of it."""

    clips: list[Clip]
    label_source: str
    notes: list[str]


def read_videos(source: Path, *, size: Size | None = None) -> Footage:
    """The clips of a folder of footage (see the top of this file), training clips first, in order of their names.

    Frames are uint8 (H, W, 3) RGB. Every video is decoded once to its end, since what its header says of its length
    is an estimate in some formats. Labels: from labels.csv, else from the masks; either every test clip has some
    or none has. size: (H, W) that the frames will be stored at; clips of several sizes need one, and where it
    changes their aspect ratio a note says so, as for a varying frame rate.

    Raises SourceError: no such folder, no clips, a file that is no video or ends early, a frame missing, a clip
    there twice, an unlabelled clip among labelled ones, labels or masks that do not fit their clip, several sizes.
    """
    if not source.is_dir():
        raise SourceError(f"{source}: no such folder; --source is a folder that holds train/ and test/")
    notes: list[str] = []
    clips = [_clip(split, path, notes) for split in get_args(Split) for path in _entries(source / split)]
    if not clips:
        raise SourceError(f"{source}: no footage; expected videos or folders of frames in train/ and test/")
    _check_names(clips)
    sizes = {f"{clip.split}/{clip.name}": next(clip.frames()).shape[:2] for clip in clips}
    notes += _size_notes(source, sizes, size)
    clips = _labelled(clips, source)
    clips = [with_size(clip, sizes[f"{clip.split}/{clip.name}"]) for clip in clips]
    return Footage(clips, _label_source(clips), notes)


# Clips


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not is_junk(path.name))


def _clip(split: Split, path: Path, notes: list[str]) -> Clip:
    if path.is_dir():
        paths = frame_files(path, IMAGE_SUFFIXES)
        return Clip(split, path.name, len(paths), frames=partial(colour_images, paths))
    facts = survey_video(path)
    notes += [f"{split}/{path.stem}: {note}" for note in facts.notes]
    return Clip(split, path.stem, facts.num_frames, frames=partial(video_frames, path, facts.num_frames))


def frame_files(folder: Path, suffixes: set[str]) -> tuple[Path, ...]:
    """The image files of a folder in order of the last number in their names, which must go up in even steps.

    SourceError: no images, an image without a number, a number there twice, an uneven step (a frame is missing).
    """
    numbered = numbered_images(folder, suffixes)
    steps = np.diff([number for number, _ in numbered])
    uneven = np.flatnonzero(steps != (steps.min() if len(steps) else 0))
    if len(uneven):
        before, after = numbered[uneven[0]][1], numbered[uneven[0] + 1][1]
        raise SourceError(
            f"{folder}: a frame is missing between {before.name} and {after.name}; add it, or number the frames "
            "anew, 1, 2, 3 ..., if nothing is missing"
        )
    return tuple(path for _, path in numbered)


def numbered_images(folder: Path, suffixes: set[str]) -> list[tuple[int, Path]]:
    """The image files of a folder with the last number in their names, in its order.

    SourceError: no images, an image without a number, a number there twice.
    """
    paths = [path for path in _entries(folder) if path.suffix.lower() in suffixes]
    if not paths:
        raise SourceError(f"{folder}: no images in this folder; expected {', '.join(sorted(suffixes))} files")
    numbered = sorted((_last_number(path), path) for path in paths)
    for (number, path), (following, other) in pairwise(numbered):
        if number == following:
            raise SourceError(f"{other}: {path.name} has the same number; remove one of them")
    return numbered


def _last_number(path: Path) -> int:
    match = re.search(r"(\d+)\D*$", path.stem)
    if not match:
        raise SourceError(f"{path}: no number in its name; expected names such as 0001{path.suffix}")
    return int(match[1])


def _check_names(clips: list[Clip]) -> None:
    seen = set()
    for clip in clips:
        if (clip.split, clip.name) in seen:
            raise SourceError(
                f"{clip.split}/{clip.name} is there twice (as a file and a folder, or in two formats); remove one"
            )
        seen.add((clip.split, clip.name))
        if clip.num_frames < 2:
            raise SourceError(f"{clip.split}/{clip.name}: {clip.num_frames} frame, expected 2 or more; remove it")


def _size_notes(source: Path, sizes: dict[str, Size], stored: Size | None) -> list[str]:
    """A note for each clip that is stretched; SourceError where clips differ and no stored size was chosen."""
    if stored is None:
        first = next(iter(sizes))
        other = next((clip for clip in sizes if sizes[clip] != sizes[first]), None)
        if other is not None:
            raise SourceError(
                f"{source}: {first} is {_words(sizes[first])}, but {other} is {_words(sizes[other])}; choose one size "
                "to store all of them at: --size H W"
            )
        return []
    stretched = {clip: (stored[1] / stored[0]) / (size[1] / size[0]) for clip, size in sizes.items()}
    return [
        f"{clip}: {_words(sizes[clip])} is stored at {_words(stored)}, {factor:.2f} times as wide for its height"
        for clip, factor in stretched.items()
        if abs(factor - 1) > STRETCH
    ]


def _words(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


# Labels


def _labelled(clips: list[Clip], source: Path) -> list[Clip]:
    label_file, mask_folder = source / LABEL_FILE, source / MASK_FOLDER
    test = {clip.name: clip for clip in clips if clip.split == "test"}
    intervals = read_label_file(label_file, test) if label_file.is_file() else {}
    masks = {path.name: frame_files(path, LOSSLESS) for path in _entries(mask_folder) if path.is_dir()}
    _check_known(mask_folder, masks, test)
    labelled = {name: _with_labels(clip, intervals.get(name), masks.get(name), source) for name, clip in test.items()}
    without = [name for name, clip in labelled.items() if clip.labels is None]
    if without and len(without) < len(labelled):
        raise SourceError(
            f"{source}: no labels of test clip {', '.join(without)}, but of others; if nothing in it is abnormal, add "
            f"the line {without[0]},, to {LABEL_FILE}"
        )
    return [labelled[clip.name] if clip.split == "test" else clip for clip in clips]


def _with_labels(clip: Clip, intervals: Intervals | None, masks: tuple[Path, ...] | None, source: Path) -> Clip:
    if masks is not None:
        if len(masks) != clip.num_frames:
            raise SourceError(
                f"{source / MASK_FOLDER / clip.name}: {len(masks)} masks but {clip.num_frames} frames; expected one "
                "mask per frame"
            )
        clip = replace(clip, masks=partial(mask_images, masks), labels=partial(_mask_labels, masks))
    if intervals is not None:
        clip = replace(clip, labels=partial(_interval_labels, intervals, clip.num_frames))
    return clip


def read_label_file(path: Path, test: dict[str, Clip]) -> dict[str, Intervals]:
    """The abnormal intervals of each clip that labels.csv names; SourceError that names the line where it is wrong."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        if rows.fieldnames != COLUMNS:
            raise SourceError(f"{path}: columns {rows.fieldnames}, expected {','.join(COLUMNS)} in the first line")
        lines = [(f"{path}, line {rows.line_num}", row) for row in rows]
    _check_known(path, [row["clip"] for _, row in lines], test)
    intervals: dict[str, Intervals] = {}
    for where, row in lines:
        interval = _interval(where, row, test[row["clip"]].num_frames)
        intervals[row["clip"]] = intervals.get(row["clip"], ()) + interval
    return intervals


def _interval(where: str, row: dict[str, str], num_frames: int) -> Intervals:
    first, last = (row["first"] or "").strip(), (row["last"] or "").strip()
    if not first and not last:
        return ()
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < num_frames):
        raise SourceError(
            f"{where}: {first!r} to {last!r} is no interval of {row['clip']}; expected frames 0 to {num_frames - 1}, "
            "first and last included"
        )
    return ((int(first), int(last)),)


def _check_known(where: Path, names: Iterable[str], test: dict[str, Clip]) -> None:
    for name in names:
        if name not in test:
            raise SourceError(f"{where}: no test clip {name!r}; there are {', '.join(test) or 'none'}")


def _interval_labels(intervals: Intervals, num_frames: int) -> np.ndarray:
    labels = np.zeros(num_frames, np.uint8)
    for first, last in intervals:
        labels[first : last + 1] = 1
    return labels


def _mask_labels(masks: tuple[Path, ...]) -> np.ndarray:
    return np.array([mask.any() for mask in mask_images(masks)], np.uint8)


def _label_source(clips: list[Clip]) -> str:
    test = [clip for clip in clips if clip.split == "test"]
    if not any(clip.labels for clip in test):
        return "none: the footage has no labels"
    from_masks = any(clip.labels.func is _mask_labels for clip in test)
    from_file = any(clip.labels.func is _interval_labels for clip in test)
    sources = [LABEL_FILE] * from_file + [f"{MASK_FOLDER}/"] * from_masks
    return f"the user's own {' and '.join(sources)}"
