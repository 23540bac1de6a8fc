"""The user's own footage: videos of any format that FFmpeg reads, or folders of pictures.

train/lobby.mp4, train/morning/0001.jpg ...    normal footage; a clip is named after its file or folder
test/evening.mkv, test/night/0001.jpg ...      footage to score
labels.csv                                     optional: clip,first,last of each abnormal interval of frames,
                                               counted from 0, both included; a clip without any: `night,,`
masks/evening/0001.png ...                     optional: one picture per frame, black where nothing is abnormal
masks/night.npy                                or an array (T, H, W), 0 where nothing is abnormal
"""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import get_args

from data_prep import frames
from data_prep.clip import Clip, Source, SourceError, Split
from data_prep.readers.own_labels import LABEL_FILE, MASK_FOLDER, clip_name, labelled, named

STRETCH = 0.01  # a change of the aspect ratio that is worth a note


def read_videos(source: Path, *, size: frames.Size | None = None, written: Path | None = None) -> Source:
    """The clips of a folder of footage (see the top of this file), training clips first, in order of their names.

    Frames are uint8 (H, W, 3) RGB. Every video is decoded once to its end, since what its header says of its length
    is an estimate in some formats; so are pictures of more than 8 bits, to find the scale of their clip. Labels: from
    labels.csv, else from the masks; either every test clip has some or none has. size: (H, W) that the frames will be
    stored at; clips of several sizes need one, and where it changes their aspect ratio a note says so. Notes also name
    everything that was passed over, but for the folder in which `written` lies, the prepared dataset's own, and say how
    pictures of more than 8 bits were brought to 8.

    Raises SourceError for what is no footage, damaged, missing or there twice, for labels or masks that do not fit, for
    an unlabelled clip among labelled ones, and for several sizes.
    """
    source = source.absolute()  # FFmpeg takes the relative name 12:30.avi for an address
    if not source.is_dir():
        raise SourceError(f"{source}: no such folder; --source is a folder that holds train/ and test/")
    notes = _unknown_entries(source, written)
    clips = [clip for split in get_args(Split) for clip in _clips(split, named(source, split), notes)]
    if not clips:
        raise SourceError(f"{source}: no footage; expected videos or folders of frames in train/ and test/")
    _check_names(clips)
    sizes = {f"{clip.split}/{clip.name}": next(clip.frames()).shape[:2] for clip in clips}
    notes += _size_notes(source, sizes, size)
    clips, label_source = labelled(clips, source, notes)
    clips = [frames.with_size(clip, sizes[f"{clip.split}/{clip.name}"]) for clip in clips]
    return Source(clips, source.resolve().name, label_source, notes)


def _unknown_entries(source: Path, written: Path | None) -> list[str]:
    known = {*get_args(Split), LABEL_FILE, MASK_FOLDER}
    others = [path.name for path in frames.visible_entries(source) if path.name.casefold() not in known]
    others = [name for name in others if not (written and written.is_relative_to(source / name))]
    expected = "train/, test/, labels.csv and masks/"
    return [f"skipped: {frames.listed(others, most=10)}; only {expected} are read"] if others else []


# Clips


def _clips(split: Split, folder: Path | None, notes: list[str]) -> Iterator[Clip]:
    passed_over, loose = [], []
    for path in frames.visible_entries(folder) if folder else []:
        name = clip_name(path.name if path.is_dir() else path.stem)
        if path.is_dir():
            pictures = frames.whole_folder(path)
            scale = frames.scale_of(chain.from_iterable(map(frames.decoded, pictures.paths, pictures.pages)))
            said = [*pictures.notes_on_frames, *([str(scale)] if scale else [])]
            notes += [f"{split}/{name}: {note}" for note in said]
            read = partial(frames.colour_pictures, pictures.paths, pictures.pages, scale)
            yield Clip(split, name, sum(pictures.pages), read)
        elif not path.is_file() or frames.lies_beside_videos(path):
            passed_over.append(path.name)
        elif path.suffix.lower() in frames.PICTURE_SUFFIXES:
            loose.append(path.name)
        else:
            facts = frames.survey_video(path)
            notes += [f"{split}/{name}: {note}" for note in facts.notes]
            yield Clip(split, name, facts.num_frames, partial(frames.video_frames, path, facts.num_frames))
    if loose:
        raise SourceError(
            f"{folder}: pictures belong in a folder per clip, such as {split}/CLIP/{loose[0]}; loose in {split}/: "
            f"{frames.listed(loose)}"
        )
    if passed_over:
        notes.append(f"{split}/: {frames.listed(passed_over)} skipped: not a video")


def _check_names(clips: list[Clip]) -> None:
    seen = set()
    for clip in clips:
        if (clip.split, clip.name) in seen:
            raise SourceError(
                f"{clip.split}/{clip.name} exists twice (as a file and a folder, or in two formats); remove one"
            )
        seen.add((clip.split, clip.name))
        if not clip.name.isprintable():
            raise SourceError(f"{clip.split}/{clip.name!r}: a name that cannot be written in UTF-8; rename it")
        if clip.num_frames < 2:
            raise SourceError(f"{clip.split}/{clip.name}: {clip.num_frames} frame, expected 2 or more; remove it")


def _size_notes(source: Path, sizes: dict[str, frames.Size], stored: frames.Size | None) -> list[str]:
    """A note for each clip that is stretched; SourceError where clips differ and no stored size was chosen."""
    if stored is None:
        first = next(iter(sizes))
        other = next((clip for clip in sizes if sizes[clip] != sizes[first]), None)
        if other is not None:
            raise SourceError(
                f"{source}: {first} is {frames.by(sizes[first])}, but {other} is {frames.by(sizes[other])}; choose one "
                "size to store all of them at: --size H W"
            )
        return []
    stretched = {clip: (stored[1] / stored[0]) / (size[1] / size[0]) for clip, size in sizes.items()}
    return [
        f"{clip}: {frames.by(sizes[clip])} is stored at {frames.by(stored)}, so everything looks "
        f"{factor:.2f} times as wide"
        for clip, factor in stretched.items()
        if abs(factor - 1) > STRETCH
    ]
