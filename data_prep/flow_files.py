"""Flow that was estimated elsewhere: Middlebury `.flo` or `.npy` files for the clips of a prepared dataset.

<folder>/<split>/<clip>/*.flo or *.npy     one field per file, in the order of the numbers in their names, or
<folder>/<split>/<clip>.npy                all fields of the clip, (T-1, H, W, 2)
<folder>/flow.json                         how it was estimated, where `data_prep/learned_flow.py` wrote it

A field is (H, W, 2), (dx, dy), from frame t to t+1: one less per clip than frames.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.clip import SourceError
from data_prep.files import UnreadableError, open_npy
from data_prep.frames import by
from data_prep.words import counted

FLO_MARK = b"PIEH"  # the float 202021.25, little-endian
FLO_HEADER = 12  # bytes: mark, width, height
LARGEST = float(np.finfo(np.float16).max)  # pixels; beyond it a vector cannot be stored


class FlowFileError(SourceError):
    """Flow files that are damaged or do not fit the clip: one line that names the file and what to do."""


@dataclass(frozen=True)
class FlowFiles:
    """The flow of one clip on disk; sizes and number are checked, values only when they are read."""

    paths: tuple[Path, ...]  # one per field, or a single one with all fields
    num_fields: int  # T-1
    size: tuple[int, int]  # (H, W) of every field

    def fields(self) -> Iterator[np.ndarray]:
        """The fields in order: see `field`."""
        return map(self.field, range(self.num_fields))

    def field(self, t: int) -> np.ndarray:
        """The field from frame t to t+1, float32 (H, W, 2) as in the file; FlowFileError where a vector is none."""
        whole_clip = len(self.paths) < self.num_fields
        path = self.paths[0] if whole_clip else self.paths[t]
        if path.suffix == ".flo":
            field = np.fromfile(path, "<f4", offset=FLO_HEADER).reshape(*self.size, 2)
        else:
            stored = _open_npy(path)
            field = np.asarray(stored[t] if stored.ndim == 4 else stored, np.float32)
        if not (np.abs(field) <= LARGEST).all():
            where = f"{path}, field {t}" if whole_clip else str(path)
            worst = "NaN" if np.isnan(field).any() else f"{np.abs(field).max():.3g}"
            raise FlowFileError(
                f"{where}: a vector of {worst} (unknown flow?), expected pixels per frame; estimate it again, or "
                "set unknown vectors to 0"
            )
        return field


def find_flow(folder: Path, split: str, clip: str, num_frames: int) -> FlowFiles:
    """The flow files of a clip of T frames, checked by their headers without reading the values (ours).

    Raises FlowFileError: none there, or in two forms; another number than T-1; not of one size; a `.flo` without
    its mark or cut; a `.npy` that cannot be read or is not floats of shape (H, W, 2).
    """
    paths = _paths(folder / split / clip)
    shapes = [_flo_shape(path) if path.suffix == ".flo" else _npy_shape(path) for path in paths]
    whole_clip = len(paths) == 1 and len(shapes[0]) == 4
    found = shapes[0][0] if whole_clip else len(paths)
    sizes = [(shape[-3], shape[-2]) for shape in shapes]
    for path, shape, size in zip(paths, shapes, sizes, strict=True):
        if shape[-1] != 2 or len(shape) != (4 if whole_clip else 3):
            expected = "(H, W, 2) per field, or (T-1, H, W, 2) in one file per clip"
            raise FlowFileError(f"{path}: shape {shape}, expected {expected}; change the order of its axes")
        if size != sizes[0]:
            raise FlowFileError(
                f"{path}: flow of {by(size)}, but {paths[0].name} of the same clip has {by(sizes[0])}; expected "
                "one size. Is it of another video?"
            )
    if found != num_frames - 1:
        raise FlowFileError(
            f"{folder / split / clip}: {counted(found, 'flow field')} for {counted(num_frames, 'frame')}, expected "
            f"{num_frames - 1}: flow goes from each frame to the next, so the last frame has none. "
            "Is one missing, or one left over?"
        )
    return FlowFiles(tuple(paths), found, sizes[0])


def _paths(folder: Path) -> list[Path]:
    """The files of a clip in order; FlowFileError for none and for two forms at once."""
    in_folder = [p for p in folder.glob("*") if p.suffix in (".flo", ".npy") and not p.name.startswith(".")]
    alone = folder.with_name(f"{folder.name}.npy")
    forms = {path.suffix for path in in_folder} | ({f"{folder.name}.npy"} if alone.is_file() else set())
    if len(forms) != 1:
        found = " and ".join(sorted(forms)) or "none"
        raise FlowFileError(f"{folder}: expected .flo files, .npy files or {alone.name} beside it, found {found}")
    in_folder.sort(key=lambda path: ([int(digits) for digits in re.findall(r"\d+", path.stem)], path.name))  # 2, 10
    return in_folder or [alone]


def _flo_shape(path: Path) -> tuple[int, ...]:
    with path.open("rb") as file:
        header = file.read(FLO_HEADER)
    if header[:4] != FLO_MARK:
        raise FlowFileError(f"{path}: starts with {header[:4]!r}, expected {FLO_MARK!r}; it is no Middlebury .flo file")
    width, height = np.frombuffer(header.ljust(FLO_HEADER, b"\0"), "<i4", offset=4).tolist()
    expected = FLO_HEADER + 8 * height * width
    if path.stat().st_size != expected or min(height, width) < 1:
        raise FlowFileError(
            f"{path}: {path.stat().st_size} bytes, expected {expected} for {height}x{width}; was it cut? Write it again"
        )
    return height, width, 2


def _npy_shape(path: Path) -> tuple[int, ...]:
    stored = _open_npy(path)
    if stored.dtype.kind != "f" or stored.ndim not in (3, 4):
        raise FlowFileError(f"{path}: {stored.dtype} {stored.shape}, expected floats of shape (H, W, 2)")
    return stored.shape


def _open_npy(path: Path) -> np.ndarray:
    try:
        return open_npy(path)
    except UnreadableError as error:
        raise FlowFileError(f"{error}. Write it again") from error
