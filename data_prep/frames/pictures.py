"""Folders of pictures as clips: files of one or more frames each, of 8 bits or more, in the order of their names."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from data_prep.clip import SourceError
from data_prep.files import is_junk
from data_prep.frames.deep_pictures import Scale, as_bytes
from data_prep.frames.picture_order import AGAIN, Order, in_order
from data_prep.frames.sizes import Size, check_size

PICTURE_SUFFIXES = {".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff"}
TIFF = {".tif", ".tiff"}
STACKS = TIFF | {".png"}  # may hold several pictures
AS_STORED = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR  # without alpha, turned as EXIF says
AT_ONCE = 16  # pictures of a stack in memory
# What Pillow raises on damaged files.
BROKEN = (OSError, SyntaxError, TypeError, ValueError, EOFError, KeyError, IndexError, OverflowError, struct.error)


@dataclass(frozen=True)
class Pictures(Order):
    """The pictures of a folder in their order, and what a user should know of them."""

    pages: tuple[int, ...]  # frames in each file; 0 where it cannot be decoded
    with_alpha: Path | None  # the first file with an alpha channel

    @property
    def notes_on_frames(self) -> list[str]:
        """The notes, and one on alpha, which OpenCV leaves out, or multiplies in where a TIFF of 8 bits has it."""
        if self.with_alpha is None:
            return self.notes
        done = "multiplied into the colours" if self.with_alpha.suffix.lower() in TIFF else "left out"
        return [*self.notes, f"{self.with_alpha.name} has an alpha channel, which is {done}"]


def picture_folder(folder: Path, suffixes: set[str] = PICTURE_SUFFIXES) -> Pictures:
    """The pictures of a folder; what else is in it is passed over and named in a note.

    Only the heads of the files are read. Raises SourceError: no pictures, a link to nothing, and see `in_order`.
    """
    entries = visible_entries(folder)
    paths = [path for path in entries if path.suffix.lower() in suffixes and path.is_file()]
    others = sorted({path.name for path in entries} - {path.name for path in paths})
    if not paths:
        there = f"; there are {listed(others)}" if others else ""
        raise SourceError(f"{folder}: no images in this folder; expected {', '.join(sorted(suffixes))} files{there}")
    order = in_order(paths)
    pages, alphas = zip(*map(_head, order.paths), strict=True)
    notes = [*order.notes, *([f"skipped: {listed(others)}"] if others else [])]
    if max(pages) > 1:
        stack = order.paths[int(np.argmax(pages))].name
        notes.append(f"{stack} holds {max(pages)} pictures: every picture of a file is a frame, {sum(pages)} in all")
    with_alpha = next(compress(order.paths, alphas), None)
    return Pictures(order.paths, order.counter, notes, pages, with_alpha)


def whole_folder(folder: Path, suffixes: set[str] = PICTURE_SUFFIXES) -> Pictures:
    """As `picture_folder`, and SourceError where a frame is missing or the head of a file cannot be decoded."""
    pictures = picture_folder(folder, suffixes)
    if 0 in pictures.pages:
        raise _undecodable(pictures.paths[pictures.pages.index(0)])
    if pictures.gap:
        before, after = pictures.gap
        raise SourceError(
            f"{folder}: a frame is missing between {before.name} and {after.name}; add it, or number the frames "
            "again, 1, 2, 3 ..., if nothing is missing (a counter that began again at 0)"
        )
    return pictures


def visible_entries(folder: Path) -> list[Path]:
    """What is in a folder, by name, without hidden files; SourceError for a link to nothing, none for no folder."""
    if not folder.is_dir():
        return []
    entries = sorted(path for path in folder.iterdir() if not is_junk(path.name))
    for path in entries:
        if path.is_symlink() and not path.exists():
            raise SourceError(
                f"{path}: a link to {path.readlink()}, which does not exist; restore it or remove the link"
            )
    return entries


def listed(names: list[str], most: int = 5) -> str:
    """Names for a message: the first ones, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _head(path: Path) -> tuple[int, bool]:
    """How many pictures a file holds (0: it cannot be decoded), and whether they have an alpha channel."""
    is_stack = path.suffix.lower() in STACKS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of tags that say something odd
            with Image.open(path) as picture:
                count = getattr(picture, "n_frames", 1) if is_stack else 1
                if picture.info.get("default_image") and count > 1:  # an animated PNG's stand-in, which is not played
                    count -= 1
                return count, picture.has_transparency_data
    except UnidentifiedImageError:  # OpenCV knows more kinds of TIFF
        with quiet_opencv():
            return cv2.imcount(str(path)), False
    except (*BROKEN, Image.DecompressionBombError):
        return 0, False


# Decoding


def colour_pictures(
    paths: tuple[Path, ...], pages: tuple[int, ...] | None = None, scale: Scale | None = None, size: Size | None = None
) -> Iterator[np.ndarray]:
    """Every picture of the files as a frame, uint8 (H, W, 3) RGB; gray becomes three equal channels.

    pages: pictures in each file, None for one in each. scale: of pictures of more than 8 bits, see
    `data_prep.frames.deep_pictures`. Raises SourceError for what cannot be decoded or has another depth or size.
    """
    for path, count in zip(paths, pages or (1,) * len(paths), strict=True):
        for picture in decoded(path, count):
            check_size(str(path), picture, size)
            shown = as_bytes(picture, scale, str(path))
            yield cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB if shown.ndim == 2 else cv2.COLOR_BGR2RGB)


def gray_pictures(paths: tuple[Path, ...], size: Size | None = None) -> Iterator[np.ndarray]:
    """Each file as a frame, uint8 (H, W, 1)."""
    for path in paths:
        picture = decode_file(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        check_size(str(path), picture, size)
        yield as_bytes(picture, None, str(path))[..., None]


def decoded(path: Path, count: int = 1) -> Iterator[np.ndarray]:
    """The pictures of a file as they are stored, (H, W) or (H, W, 3) BGR, of any depth and without alpha."""
    if count == 1:
        yield decode_file(path, AS_STORED)
    elif count == 0:
        raise _undecodable(path)
    at_once = AT_ONCE if path.suffix.lower() in TIFF else count  # OpenCV reads an animation from its beginning only
    for first in range(0, count if count > 1 else 0, at_once):
        expected = min(at_once, count - first)
        with quiet_opencv():
            whole, pictures = cv2.imreadmulti(str(path), first, expected, flags=AS_STORED)
        yield from pictures
        if not whole or len(pictures) < expected:
            raise SourceError(f"{path}: picture {first + len(pictures) + 1} of {count} cannot be decoded; {AGAIN}")


def decode_file(path: Path, flags: int) -> np.ndarray:
    """A file's first picture by OpenCV; SourceError where it cannot be decoded."""
    encoded = np.fromfile(path, np.uint8)
    with quiet_opencv():
        picture = cv2.imdecode(encoded, flags) if encoded.size else None
    if picture is None:
        raise _undecodable(path)
    return picture


def _undecodable(path: Path) -> SourceError:
    return SourceError(f"{path}: cannot be decoded ({path.stat().st_size} bytes); {AGAIN}")


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV's own complaints are left out: the error that follows says it in one line."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
