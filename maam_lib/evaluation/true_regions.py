"""Where the anomalies of a frame truly are, as regions: what RBDC and TBDC are measured against.

<root>/<dataset>/tracks/Test001_gt.txt ...     published boxes of tracks, which a user puts there: a file per test clip
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_prep.files import UnreadableError, read_text
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.scores import EvaluationError

Regions = dict[int, np.ndarray]  # of a frame: number -> its pixels, as places in the flat frame
Boxes = dict[tuple[str, int], dict[int, tuple[slice, slice]]]  # (clip, frame) -> track -> rows, columns of pixels
TRACKS = "tracks"  # folder of a prepared dataset
_WHOLE, _NUMBER = r"\d{1,9}", r"(-?\d{1,9}(?:\.\d{0,9})?)"


@dataclass(frozen=True)
class _Form:
    """One published form of a file of tracks; a line has a frame, a track and four numbers."""

    ending: str  # of the file's name, after that of the clip
    words: str
    line: re.Pattern[str]
    first: int  # number of the first frame
    middle: bool  # whether the numbers are X and Y of the middle, width, height; else left, top, right, bottom


_FORMS = (
    _Form(  # UCSD, Avenue and Street Scene (Ramachandra and Jones 2020)
        "_gt.txt",
        "001.tif TRACK X Y WIDTH HEIGHT (X, Y: the middle)",
        re.compile(rf"(?P<frame>{_WHOLE})\.\w+ +(?P<track>{_WHOLE}) +{' +'.join([_NUMBER] * 4)}"),
        first=1,
        middle=True,
    ),
    _Form(  # ShanghaiTech (Georgescu et al. 2021)
        ".txt",
        "TRACK,FRAME,LEFT,TOP,RIGHT,BOTTOM (frames from 0)",
        re.compile(rf"(?P<track>{_WHOLE}),(?P<frame>{_WHOLE}),{','.join([_NUMBER] * 4)}"),
        first=0,
        middle=False,
    ),
)


@dataclass(frozen=True)
class TrueRegions:
    """The true regions of the frames of a dataset."""

    what: str  # in words
    are_tracks: bool  # whether a number is that of an object, the same in every frame of its clip
    everywhere: bool  # whether they are known in every frame, or only where masks are
    of: Callable[[str, int], Regions]  # clip, frame -> its true regions


def true_regions(prepared: PreparedDataset) -> TrueRegions:
    """Published boxes where the dataset's folder holds them, else the objects' pixels inside the masks where all clips
    with masks have tracks, else the connected components of the masks. Errors as `published_boxes`."""
    if (boxes := published_boxes(prepared)) is not None:
        places = np.arange(np.prod(prepared.frame_size)).reshape(prepared.frame_size)

        def inside(clip: str, frame: int) -> Regions:
            return {track: places[box].ravel() for track, box in boxes.get((clip, frame), {}).items()}

        return TrueRegions("published boxes of tracks", True, True, inside)
    masks = {clip: found for clip in prepared.clips("test") if (found := prepared.masks(clip)) is not None}
    tracks = {clip: found for clip in masks if (found := prepared.tracks(clip)) is not None}
    if len(tracks) == len(masks):
        return TrueRegions(
            "objects", True, False, lambda clip, frame: numbered(tracks[clip][frame] * masks[clip][frame])
        )
    words = "connected components of the masks (no tracks, so no TBDC)"
    return TrueRegions(words, False, False, lambda clip, frame: numbered(components(masks[clip][frame])))


def numbered(objects: np.ndarray) -> Regions:
    """The regions of numbered pixels (H, W), 0 = none, k = region k."""
    return {number: np.flatnonzero(objects == number) for number in np.unique(objects[objects > 0]).tolist()}


def components(mask: np.ndarray) -> np.ndarray:
    """The connected components (8 neighbours) of a mask (H, W): int32 (H, W), 0 = none, k = component k."""
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]


# Published boxes


def published_boxes(prepared: PreparedDataset) -> Boxes | None:
    """The boxes of tracks in the folder `tracks` of a prepared dataset, at its size; None without such a folder.

    A test clip's file is named after it, as Test001_gt.txt (a name may begin with more) or 01_0014.txt, and holds
    numbers of the source's pixels. No network sees them: a dataset with and without them is the same. Raises
    EvaluationError for a test clip without a file, and for a line that is of another form, of a frame that the clip
    does not have, of a box that is not in the frame, or of a track's second box in one frame.
    """
    folder = prepared.folder / TRACKS
    if not folder.is_dir():
        return None
    boxes: Boxes = {}
    for clip in prepared.clips("test"):
        path, form = _file_of(folder, clip)
        for where, frame, track, box in _lines(path, form, prepared, prepared.num_frames("test", clip)):
            if track in boxes.setdefault((clip, frame), {}):
                raise EvaluationError(f"{where}: a second box of track {track} in this frame; expected one")
            boxes[clip, frame][track] = box
    return boxes


def _file_of(folder: Path, clip: str) -> tuple[Path, _Form]:
    for form in _FORMS:
        name = f"{clip}{form.ending}"
        found = [path for path in sorted(folder.iterdir()) if path.name.endswith(name)]
        if len(found) > 1:
            raise EvaluationError(
                f"{folder}: {found[0].name} and {found[1].name}; which is of {clip}? Remove the other"
            )
        if found:
            return found[0], form
    raise EvaluationError(
        f"{folder}: no {clip}_gt.txt and no {clip}.txt; expected the published tracks of every test clip. Add the "
        "file (empty for a clip without an anomaly), or delete the folder: then regions come from the masks"
    )


def _lines(
    path: Path, form: _Form, prepared: PreparedDataset, frames: int
) -> Iterator[tuple[str, int, int, tuple[slice, slice]]]:
    """Of every line: where it is, its frame (from 0), its track, and its box at the stored size, a pixel or more."""
    try:
        lines = read_text(path).splitlines()
    except UnreadableError as error:
        raise EvaluationError(f"{error}; copy the published file again") from error
    size = np.array(prepared.manifest.source.frame_size)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where, found = f"{path}, line {number}", form.line.fullmatch(line.strip())
        if found is None:
            raise EvaluationError(f"{where}: {line.strip()!r:.60}, expected {form.words}")
        frame, track = int(found["frame"]) - form.first, int(found["track"])
        if not 0 <= frame < frames:
            raise EvaluationError(
                f"{where}: frame {found['frame']}, but the clip has {frames}, counted from {form.first}; is the file "
                "that of another clip?"
            )
        x, y, right, bottom = (float(value) for value in found.groups()[2:])
        middle, extent = np.array([y, x]), np.array([bottom, right])
        low, high = (middle - extent / 2, middle + extent / 2) if form.middle else (middle, extent)
        if (high <= np.maximum(low, 0)).any() or (low >= size).any():
            raise EvaluationError(
                f"{where}: rows {low[0]:g} to {high[0]:g}, columns {low[1]:g} to {high[1]:g}, expected a box in a "
                f"frame of {size[0]}x{size[1]}"
            )
        yield where, frame, track, _pixels(low / size, high / size, prepared.frame_size)


def _pixels(low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """A box in shares of the frame, as rows and columns of its pixels: to the nearest whole one, one at least."""
    first = np.clip(np.round(low * size), 0, np.array(size) - 1).astype(int)
    end = np.clip(np.round(high * size), first + 1, size).astype(int)
    return slice(first[0], end[0]), slice(first[1], end[1])
