"""The labels of a user's own footage: a file of intervals, and masks as pictures or arrays (see `videos`)."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from data_prep import frames
from data_prep.clip import Clip, SourceError
from data_prep.words import counted

LABEL_FILE, MASK_FOLDER = "labels.csv", "masks"
COLUMNS = ["clip", "first", "last"]
LOSSY = {".jpg", ".jpeg"}
LOSSLESS = frames.PICTURE_SUFFIXES - LOSSY
Intervals = tuple[tuple[int, int], ...]  # first and last abnormal frame, counted from 0, both included
Masks = partial[Iterator[np.ndarray]]  # each uint8 (H, W); takes `size`


def labelled(clips: list[Clip], source: Path, notes: list[str]) -> tuple[list[Clip], str]:
    """The clips with the labels and masks of the source, and where these are from, in words.

    The label file says which frames of a clip are abnormal; without it, the masks do. What looks like labels and is
    not read is noted. Raises SourceError: labels or masks of no test clip or that do not fit it, an unlabelled clip
    among labelled ones.
    """
    test = {clip.name: clip for clip in clips if clip.split == "test"}
    label_file, folder = named(source, LABEL_FILE), named(source, MASK_FOLDER)
    intervals, masks, sources = {}, {}, []
    if label_file:
        intervals = read_label_file(label_file, test)
        if test and not intervals:
            notes.append(f"{label_file.name} names no clip")
        elif label_file.name != LABEL_FILE:
            notes.append(f"labels are read from {label_file.name}")
        sources += [label_file.name] if intervals else []
    if folder:
        masks = _masks(folder, test, notes)
        sources += [f"{MASK_FOLDER}/"] if masks.keys() - intervals.keys() else []
    for name, read in masks.items():
        test[name] = replace(test[name], masks=read, labels=partial(frames.mask_labels, read))
    for name, own in intervals.items():
        labels = partial(frames.interval_labels, own, test[name].num_frames, counted_from=0)
        test[name] = replace(test[name], labels=labels)
    without = [name for name, clip in test.items() if clip.labels is None]
    if without and len(without) < len(test):
        raise SourceError(
            f"{source}: no labels for test clip {frames.listed(without)}, although others have labels; if "
            f"nothing in it is abnormal, add the line {without[0]},, to {LABEL_FILE}"
        )
    words = f"the user's own {' and '.join(sources)}" if sources else "none: the footage has no labels"
    return [test[clip.name] if clip.split == "test" else clip for clip in clips], words


def named(folder: Path, name: str) -> Path | None:
    """The file or folder of this name in either case, such as Labels.csv; SourceError where there are several."""
    found = [path for path in frames.visible_entries(folder) if path.name.casefold() == name]
    if len(found) > 1:
        raise SourceError(f"{folder}: {found[0].name} and {found[1].name}; which of the two counts? Remove the other")
    return found[0] if found else None


def clip_name(name: str) -> str:
    """A clip's name in one form of Unicode: file systems, editors and archives differ in how they store an accent."""
    return unicodedata.normalize("NFC", name)


def _frames_of(name: str, test: dict[str, Clip], where: Path) -> int:
    """The number of frames of a test clip; SourceError for an unknown one."""
    if name not in test:
        raise SourceError(f"{where}: no test clip {name!r}; there are {frames.listed(list(test)) or 'none'}")
    return test[name].num_frames


# Masks


def _masks(folder: Path, test: dict[str, Clip], notes: list[str]) -> dict[str, Masks]:
    masks: dict[str, Masks] = {}
    passed_over = []
    for path in frames.visible_entries(folder):
        name = clip_name(path.name if path.is_dir() else path.stem)
        if path.suffix.lower() in frames.PICTURE_SUFFIXES and path.is_file():
            raise SourceError(f"{path}: masks belong in a folder per clip: {folder / 'CLIP' / path.name}")
        if not path.is_dir() and path.suffix.lower() != ".npy":
            passed_over.append(path.name)
            continue
        num_frames = _frames_of(name, test, folder)
        if name in masks:
            raise SourceError(f"{folder}: masks of {name} as pictures and as an array; remove the one or the other")
        if path.is_dir():
            count, masks[name] = _picture_masks(path, notes)
        else:
            count, masks[name] = len(frames.mask_array(path)), partial(frames.array_masks, path)
            notes.append(f"{folder.name}/{path.name}: masks are read from this array")
        if count != num_frames:
            raise SourceError(
                f"{folder / name}: {counted(count, 'mask')} but {counted(num_frames, 'frame')}; "
                "expected one mask per frame"
            )
    if passed_over:
        notes.append(
            f"{folder.name}/: {frames.listed(passed_over)} skipped; masks are lossless pictures, one per frame, in "
            f"{folder.name}/CLIP/, or an array (T, H, W) in {folder.name}/CLIP.npy"
        )
    return masks


def _picture_masks(folder: Path, notes: list[str]) -> tuple[int, Masks]:
    """How many masks a folder of pictures holds, and these."""
    lossy = [path for path in frames.visible_entries(folder) if path.suffix.lower() in LOSSY]
    if lossy:
        raise SourceError(f"{lossy[0]}: JPEG smears a mask; store masks as {', '.join(sorted(LOSSLESS))}")
    pictures = frames.whole_folder(folder, LOSSLESS)
    said = list(pictures.notes)
    if pictures.with_alpha:
        said.append("alpha does not count: a transparent pixel is abnormal where its colour is not black")
    notes += [f"{MASK_FOLDER}/{folder.name}: {note}" for note in said]
    return sum(pictures.pages), partial(frames.mask_pictures, pictures.paths, pictures.pages)


# Intervals


def read_label_file(path: Path, test: dict[str, Clip]) -> dict[str, Intervals]:
    """The abnormal intervals of each clip that labels.csv names; SourceError that names the line where it is wrong.

    UTF-8, separated by commas, semicolons or tabs; blank lines, and spaces around a field, do not count.
    """
    intervals: dict[str, Intervals] = {}
    for where, (name, first, last) in _lines(path):
        num_frames = _frames_of(name, test, path)
        intervals.setdefault(name, ())
        if not first and not last:
            continue
        numbers = first.isdecimal() and last.isdecimal() and max(len(first), len(last)) < 10
        if not (numbers and int(first) <= int(last) < num_frames):
            raise SourceError(
                f"{where}: {first!r:.40} to {last!r:.40} is not an interval of {name}; expected frames 0 to "
                f"{num_frames - 1}, first and last included"
            )
        intervals[name] += ((int(first), int(last)),)
    return intervals


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    """Where each line is, and its three fields."""
    text = _text(path)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        fields = [(f"{path}, line {rows.line_num}", [field.strip() for field in row]) for row in rows]
    except csv.Error as error:
        raise SourceError(f"{path}, line {rows.line_num}: not readable as CSV ({error})") from error
    filled = [(where, row) for where, row in fields if any(row)]
    if not filled or [name.casefold() for name in filled[0][1]] != COLUMNS:
        columns = filled[0][1] if filled else None
        raise SourceError(f"{path}: columns {columns}, expected {','.join(COLUMNS)} in the first line")
    for where, row in filled[1:]:
        if len(row) > len(COLUMNS):
            raise SourceError(f"{where}: {len(row)} fields, expected {','.join(COLUMNS)}; one interval per line")
    return [(where, [clip_name(row[0]), *row[1:], "", ""][:3]) for where, row in filled[1:]]


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        if b"\0" not in content:
            return content.decode("utf-8-sig")
        kind = "looks like UTF-16"
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        kind = f"line {line} is not UTF-8 (byte 0x{content[error.start]:02x})"
    raise SourceError(f"{path}: {kind}; save it as UTF-8 (in Excel: CSV UTF-8)")
