"""Frames as the sources store them in numbered image files, read one at a time.

Sizes are (height, width); colour frames are RGB.
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from data_prep.clip import Clip, SourceError
from data_prep.files import what_is_in

AGAIN = "unpack or download the source again"
Size = tuple[int, int]


def of_one_size(clips: list[Clip]) -> list[Clip]:
    """The same clips, whose frames and masks must all have the size of the very first frame (ours).

    Their callables take `size`, and raise SourceError for a frame or mask of another one.
    """
    size = next(clips[0].frames()).shape[:2]
    return [with_size(clip, size) for clip in clips]


def with_size(clip: Clip, size: Size) -> Clip:
    """The same clip, whose frames and masks must all be of this size."""
    masks = partial(clip.masks, size=size) if clip.masks else None
    return replace(clip, frames=partial(clip.frames, size=size), masks=masks)


def by(size: Size) -> str:
    """A size in words: 240x360."""
    return f"{size[0]}x{size[1]}"


# Image files


def numbered_files(
    folder: Path, suffixes: set[str], num_files: int | None = None, *, first: int = 1
) -> tuple[Path, ...]:
    """Files 001, 002, ... (from `first`) of a folder in order; all else in it is passed over.

    SourceError for a gap, for a number that is there twice, and for more than `num_files`.
    """
    files = _files_by_number(folder, suffixes)
    if not files:
        raise SourceError(f"{folder}: expected {first:03d}{min(suffixes)} and so on, found {what_is_in(folder)}")
    count = num_files or max(files) - first + 1
    expected = range(first, first + count)
    missing = [number for number in expected if number not in files]
    if missing:
        template = next(iter(files.values())).name
        name = re.sub(r"\d+", f"{missing[0]:03d}", template)
        raise SourceError(f"{folder / name} is missing ({len(missing)} of {count} files); {AGAIN}")
    if len(files) > count:
        extra = next(files[number] for number in sorted(files) if number not in expected)
        raise SourceError(f"{extra}: expected {count} files, one per frame; {AGAIN}")
    return tuple(files[number] for number in expected)


def _files_by_number(folder: Path, suffixes: set[str]) -> dict[int, Path]:
    files: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        # Three mask folders of Ped2 (6, 9 and 12) call their files frame001.bmp.
        match = re.fullmatch(r"(?:frame)?([0-9]+)", path.stem)
        if match and path.suffix.lower() in suffixes:
            number = int(match[1])
            if number in files:
                raise SourceError(f"{path}: {files[number].name} is there too; remove one of the two")
            files[number] = path
    return files


def check_size(where: str, frame: np.ndarray, size: Size | None) -> None:
    """SourceError where a frame or mask (H, W, ...) is not of the size that the first frame has; None for any."""
    if size is not None and frame.shape[:2] != size:
        raise SourceError(
            f"{where}: {by(frame.shape[:2])} pixels, expected {by(size)} as in the first frame: all frames and "
            "masks of a clip have one size. Split the clip where it changes, or convert it"
        )
