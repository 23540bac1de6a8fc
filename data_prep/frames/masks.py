"""Masks of any form, and the labels that follow from masks and from intervals of frames.

A pixel is abnormal where any of its colours is not zero, at any depth. A palette counts by its colours, not by its
numbers. Alpha does not count: a transparent pixel is abnormal where its colour is not black. Negative numbers are not
zero.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from data_prep.clip import SourceError
from data_prep.files import UnreadableError, open_npy
from data_prep.frames.pictures import BROKEN, decoded
from data_prep.frames.sizes import Size, check_size

BITS = 258  # the TIFF tag of the bits per colour


def abnormal_pixels(mask: np.ndarray, where: str, size: Size | None = None) -> np.ndarray:
    """uint8 (H, W), 1 where a mask (H, W) or (H, W, C) of numbers is not zero.

    Raises SourceError for what is no number, and for another size.
    """
    check_size(where, mask, size)
    if mask.dtype.kind == "f" and np.isnan(mask).any():
        raise SourceError(f"{where}: {int(np.isnan(mask).sum())} values are no numbers (NaN), expected 0 where normal")
    is_abnormal = mask != 0
    return (is_abnormal if mask.ndim == 2 else is_abnormal.any(axis=2)).astype(np.uint8)


def mask_pictures(
    paths: tuple[Path, ...], pages: tuple[int, ...] | None = None, size: Size | None = None
) -> Iterator[np.ndarray]:
    """Every picture of the files as a mask, uint8 (H, W); pages: pictures in each file, None for one in each."""
    for path, count in zip(paths, pages or (1,) * len(paths), strict=True):
        for mask in _masks_of(path, count):
            yield abnormal_pixels(mask, str(path), size)


def array_masks(path: Path, size: Size | None = None) -> Iterator[np.ndarray]:
    """Every mask of an array of numbers (T, H, W) in an .npy file, uint8 (H, W)."""
    for number, mask in enumerate(mask_array(path), start=1):
        yield abnormal_pixels(mask, f"{path}, mask {number}", size)


def mask_array(path: Path) -> np.ndarray:
    """An array of masks, numbers (T, H, W), memory-mapped; SourceError for any other file."""
    try:
        array = open_npy(path)
    except UnreadableError as error:
        raise SourceError(f"{error} Store it again: numpy.save") from error
    if array.ndim != 3:
        raise SourceError(f"{path}: {array.dtype} {array.shape}, expected numbers (T, H, W), one mask per frame")
    return array


def interval_labels(intervals: Iterable[Sequence[int]], num_frames: int, *, counted_from: int) -> np.ndarray:
    """uint8 (T,): 1 in each interval of frames, its first and its last one included."""
    labels = np.zeros(num_frames, np.uint8)
    for first, last in intervals:
        labels[first - counted_from : last - counted_from + 1] = 1
    return labels


def mask_labels(masks: Callable[[], Iterable[np.ndarray]]) -> np.ndarray:
    """uint8 (T,): 1 where the mask of a frame is not empty."""
    return np.array([mask.any() for mask in masks()], np.uint8)


def _masks_of(path: Path, count: int) -> Iterator[np.ndarray]:
    """The pictures of a file; by Pillow where OpenCV loses what counts: colours under alpha, palette numbers."""
    by_pillow = []
    try:
        with Image.open(path) as file:
            for page in range(count):
                file.seek(page)
                if file.mode == "P":
                    by_pillow.append(_of_palette(file, path))
                elif isinstance(file, TiffImageFile) and file.mode == "RGBA" and max(file.tag_v2.get(BITS, (8,))) == 8:
                    by_pillow.append(np.asarray(file)[..., :3])
                else:
                    break
    except SourceError:
        raise
    except BROKEN:  # also a kind that only OpenCV knows: it has the last word
        pass
    if len(by_pillow) == count:
        yield from by_pillow
    elif by_pillow:
        raise SourceError(
            f"{path}: pages of several kinds (with alpha or a palette, and without); store all of them the same way"
        )
    else:
        yield from decoded(path, count)


def _of_palette(picture: Image.Image, path: Path) -> np.ndarray:
    """bool (H, W): where the colour of the palette is not black; SourceError where two numbers in use are black."""
    numbers = np.asarray(picture)
    is_coloured = np.zeros(256, bool)
    colours = np.reshape(picture.getpalette("RGB") or [], (-1, 3))
    is_coloured[: len(colours)] = colours.any(axis=1)
    black = [number for number in np.unique(numbers).tolist() if not is_coloured[number]]
    if len(black) > 1:
        raise SourceError(
            f"{path}: its palette has no colour for number {black[1]}, which then is black like number {black[0]}; "
            "store the numbers as gray"
        )
    return is_coloured[numbers]
