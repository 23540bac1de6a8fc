"""ShanghaiTech Campus in its official layout, from the archive or the unpacked folder.

training/videos/01_001.avi ...                      330 clips of 13 scenes (the first number of the name), colour,
training/frames/01_001/000.jpg ...                  or the same as frames, as MNAD, HF2-VAD and others keep them
testing/frames/01_0014/000.jpg ...                  107 clips, 480x856
testing/test_frame_mask/01_0014.npy                 (T,) 1 = abnormal
testing/test_pixel_mask/01_0014.npy                 (T, H, W) 1 = abnormal
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from data_prep import frames
from data_prep.clip import Clip, SourceError
from data_prep.expected import check_counts
from data_prep.files import UnreadableError, archive_or_tree, clips_in, open_npy, unpacked, what_is_in
from data_prep.words import counted

_CLIP_NAME = r"(0[1-9]|1[0-3])_\d{3,4}"  # scene (camera) and number


def read_shanghaitech(source: Path, scratch: Path, *, allow_incomplete: bool = False) -> list[Clip]:
    """The clips of ShanghaiTech, training clips first, each in order of its name.

    source: the archive, the folder that holds it, or the unpacked folder (that of `training` and `testing`, or the one
    above); an archive is unpacked into `scratch`, which the caller deletes once the clips have been read. Frames are
    uint8 (H, W, 3) RGB. Labels come from test_frame_mask; only a source that may be incomplete may lack pixel masks.

    Raises SourceError for what is missing, cut, of another form or against the official counts; for frames and masks
    that are damaged or of another size when these are read.
    """
    tree = unpacked(find_shanghaitech(source), scratch, ("training", "testing"))
    clips = _training_clips(tree / "training")
    clips += [_test_clip(folder, tree / "testing") for folder in _entries(tree / "testing" / "frames", folders=True)]
    if not clips:
        raise SourceError(
            f"{tree}: no clips; expected training/videos/01_001.avi, testing/frames/01_0014/000.jpg and so on, found "
            f"{what_is_in(tree)}"
        )
    check_counts("shanghaitech", clips, allow_incomplete=allow_incomplete)
    return frames.of_one_size(clips)


def find_shanghaitech(source: Path) -> Path:
    """The archive, or the folder of `training` and `testing`, that `source` means; SourceError if there is none."""
    parts = ("testing/frames", "training/videos", "training/frames")
    below = sorted(path for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
    return archive_or_tree(
        source,
        (folder for folder in (source, *below) if any((folder / part).is_dir() for part in parts)),
        ("shanghaitech*.tar.gz", "shanghaitech*.tar", "shanghaitech*.zip"),
        "training/videos and testing/frames, or one shanghaitech archive, in this folder",
    )


# Clips


def _training_clips(training: Path) -> list[Clip]:
    videos = _entries(training / "videos", folders=False)
    folders = _entries(training / "frames", folders=True)
    if videos and folders:
        raise SourceError(
            f"{training}: {counted(len(videos), 'clip')} as videos/*.avi and {len(folders)} as folders in frames/; "
            "expected one of the two, with all clips; move the other away"
        )
    clips = []
    for path in videos:
        num_frames = frames.count_frames(path)
        clips.append(Clip("train", path.stem, num_frames, frames=partial(frames.video_frames, path, num_frames)))
    first = 0 if any((folder / "000.jpg").is_file() for folder in folders) else 1  # some tools count from 1
    for folder in folders:
        paths = frames.numbered_files(folder, {".jpg"}, first=first)
        clips.append(Clip("train", folder.name, len(paths), frames=partial(frames.colour_pictures, paths)))
    return clips


def _entries(folder: Path, *, folders: bool) -> list[Path]:
    """The clips of a folder, either folders of frames or .avi files, in order of their names."""
    expected = "folders of frames, such as 01_0014/000.jpg" if folders else "videos, such as 01_001.avi"
    clips = clips_in(folder, ".*" if folders else r".*\.(?i:avi)", expected, folders=folders)
    for path in clips:
        if not re.fullmatch(_CLIP_NAME, path.stem):
            raise SourceError(f"shanghaitech/{path.stem}: expected a name such as 01_0014, its scene 01 to 13 first")
    return clips


def _test_clip(folder: Path, testing: Path) -> Clip:
    paths = frames.numbered_files(folder, {".jpg"}, first=0)
    clip = Clip("test", folder.name, len(paths), frames=partial(frames.colour_pictures, paths))
    label_file = testing / "test_frame_mask" / f"{clip.name}.npy"
    labels = _open(label_file, clip, "labels", dimensions=1)
    if not np.isin(labels, (0, 1)).all():
        raise SourceError(f"{label_file}: values {np.unique(labels).tolist()}, expected 0 and 1; {frames.AGAIN}")
    clip = replace(clip, labels=partial(_labels, label_file))
    mask_file = testing / "test_pixel_mask" / f"{clip.name}.npy"
    if not mask_file.is_file():
        return clip
    _open(mask_file, clip, "masks", dimensions=3)
    return replace(clip, masks=partial(frames.array_masks, mask_file))


def _open(path: Path, clip: Clip, name: str, dimensions: int) -> np.ndarray:
    """An array of the source, memory-mapped, with one entry per frame of the clip."""
    if not path.is_file():
        raise SourceError(f"{path} is missing: the {name} of test clip {clip.name}; {frames.AGAIN}")
    try:
        array = open_npy(path)
    except UnreadableError as error:
        raise SourceError(f"{error} {frames.AGAIN[0].upper()}{frames.AGAIN[1:]}") from error
    if array.ndim != dimensions or array.dtype.kind not in "buif":
        axes = "(T,)" if dimensions == 1 else "(T, H, W)"
        raise SourceError(f"{path}: {array.dtype} {array.shape}, expected numbers {axes}; {frames.AGAIN}")
    if len(array) != clip.num_frames:
        raise SourceError(
            f"shanghaitech/test/{clip.name}: {clip.num_frames} frames but {len(array)} {name}; expected one per frame. "
            f"Was it cut? File: {path}"
        )
    return array


def _labels(path: Path) -> np.ndarray:
    return open_npy(path).astype(np.uint8)
