"""UCSD Ped1 and Ped2 in their official layout, from the archive or the unpacked folder.

UCSDped2/Train/Train001/001.tif ...            frames, gray
UCSDped2/Test/Test001/001.tif ...
UCSDped2/Test/Test001_gt/001.bmp ...           pixel masks (Ped1: for ten clips only)
UCSDped2/Test/UCSDped2.m                       frame ranges of the abnormal events, one entry per test clip
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from data_prep.clip import Clip, SourceError, Split
from data_prep.expected import OFFICIAL_COUNTS, check_counts
from data_prep.files import archive_or_tree, clips_in, unpacked, what_is_in
from data_prep.frames import gray_pictures, interval_labels, mask_pictures, numbered_files, of_one_size
from data_prep.words import counted

Ranges = tuple[tuple[int, int], ...]  # first and last abnormal frame, counted from 1, both included

RELEASE = "UCSD_Anomaly_Dataset.v1p2"
FRAME_SUFFIXES = {".tif", ".tiff", ".jpg", ".jpeg", ".png"}
MASK_SUFFIXES = {".bmp", ".png"}


def read_ucsd(source: Path, subset: str, scratch: Path, *, allow_incomplete: bool = False) -> list[Clip]:
    """The clips of UCSD Ped1 or Ped2, training clips first, each in order of its number.

    subset: "ped1" or "ped2". source: the archive, the folder that holds it, or a folder of the unpacked tree (the one
    above `UCSD_Anomaly_Dataset.v1p2`, that one, or `UCSDped2` itself). An archive is unpacked into `scratch`, which the
    caller deletes once the clips have been read. Frames are uint8 (H, W, 1); labels come from the `.m` file; they must
    agree with the masks when a clip is written. `allow_incomplete` lets whole clips be absent, never a cut clip.

    Raises SourceError for what is missing, cut, of another form or against the official counts; for frames and masks
    that are damaged or of another size when these are read.
    """
    tree = find_source(source, subset)
    if tree.is_file():
        tree = unpacked(tree, scratch, (f"UCSD{subset}",)) / f"UCSD{subset}"
    folders = clips_in(tree / "Train", r"Train\d{3}", "folders Train001 and so on, one per clip", folders=True)
    clips = [_clip("train", folder) for folder in folders]
    clips += _test_clips(tree, OFFICIAL_COUNTS[subset].test)
    if not clips:
        raise SourceError(f"{tree}: no clips; expected Train/Train001/001.tif and so on, found {what_is_in(tree)}")
    check_counts(subset, clips, allow_incomplete=allow_incomplete)
    return of_one_size(clips)


def find_source(source: Path, subset: str) -> Path:
    """The archive or the `UCSDped1` / `UCSDped2` folder that `source` means; SourceError if there is none."""
    name = f"UCSD{subset}"
    trees = [source / RELEASE / name, source / name, source]
    return archive_or_tree(
        source,
        (tree for tree in trees if (tree.name == name and tree.is_dir()) or (tree / "Test" / f"{name}.m").is_file()),
        ("UCSD*.tar.gz",),
        f"{name}/, {RELEASE}/{name}/ or one UCSD*.tar.gz in this folder",
    )


# Clips


def _test_clips(tree: Path, official: dict[str, int | None]) -> list[Clip]:
    folders = clips_in(tree / "Test", r"Test\d{3}", "folders Test001 and so on, one per clip", folders=True)
    if not folders:
        return []
    label_file = tree / "Test" / f"{tree.name}.m"
    entries = dict(zip(official, parse_label_file(label_file, len(official)), strict=True))
    return [_test_clip(folder, entries.get(folder.name, ()), label_file) for folder in folders]


def _test_clip(folder: Path, ranges: Ranges, label_file: Path) -> Clip:
    clip = _clip("test", folder)
    last = max((last for _, last in ranges), default=0)
    if last > clip.num_frames:
        raise SourceError(
            f"{label_file}: labels of {folder.name} run to frame {last}, but it has {clip.num_frames}; "
            "is the label file from another release, or the clip cut?"
        )
    clip = replace(clip, labels=partial(interval_labels, ranges, clip.num_frames, counted_from=1))
    mask_folder = folder.with_name(f"{folder.name}_gt")
    if not mask_folder.is_dir():
        return clip
    masks = numbered_files(mask_folder, MASK_SUFFIXES, clip.num_frames)
    return replace(clip, masks=partial(mask_pictures, masks))


def _clip(split: Split, folder: Path) -> Clip:
    paths = numbered_files(folder, FRAME_SUFFIXES)
    return Clip(split, folder.name, len(paths), frames=partial(gray_pictures, paths))


# Labels


def parse_label_file(label_file: Path, num_clips: int) -> list[Ranges]:
    """The abnormal ranges of each test clip, from `TestVideoFile{end+1}.gt_frame = [60:152, 160:180];` lines.

    Raises SourceError: no such file, not one entry per test clip, or an entry that is no list of frames.
    """
    if not label_file.is_file():
        raise SourceError(f"{label_file} is missing: the frame labels of all test clips; unpack the source again")
    text = re.sub(r"%.*", "", label_file.read_text(encoding="utf-8", errors="replace"))  # % starts a comment
    entries = re.findall(r"gt_frame\s*=\s*\[([^\]]*)\]", text)
    if len(entries) != num_clips:
        raise SourceError(
            f"{label_file}: labels of {counted(len(entries), 'clip')}, expected one entry for each of {num_clips} test "
            "clips; was the file cut?"
        )
    return [_parse_ranges(entry, label_file) for entry in entries]


def _parse_ranges(entry: str, label_file: Path) -> Ranges:
    ranges = []
    for part in re.sub(r"\s*:\s*", ":", entry).replace(",", " ").replace(";", " ").split():
        match = re.fullmatch(r"(\d+)(?::(\d+))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise SourceError(f"{label_file}: {part!r} in [{entry}] is not a range of frames, such as 60:152")
        ranges.append((first, last))
    return tuple(ranges)
