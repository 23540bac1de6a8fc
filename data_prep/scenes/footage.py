"""The generated scene as a camera would deliver it: a folder of video files, where a user has no footage at hand."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from data_prep.clip import Clip, Split
from data_prep.readers import COLUMNS, LABEL_FILE
from data_prep.scenes.synthetic import read_synthetic, scene_settings

RATE = 25.0  # frames per second
ENLARGED = 2  # times the scene's own size, as cameras have more pixels than the network sees


def write_scene_footage(folder: Path, *, train_clips: int, test_clips: int) -> Path:
    """Write `train/*.mkv`, `test/*.mkv` and labels.csv of the generated scene, as `maam prepare videos` reads (ours).

    In colour, lossless, at ENLARGED times the scene's size. Files that are there are kept.
    """
    wanted = {"train": train_clips, "test": test_clips}
    clips = read_synthetic(replace(scene_settings("synthetic"), colour=True))
    chosen = [clip for split in get_args(Split) for clip in [c for c in clips if c.split == split][: wanted[split]]]
    lines = [",".join(COLUMNS)]
    for clip in chosen:
        path = folder / clip.split / f"{clip.name}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            _write(path, clip)
        if clip.split == "test":
            lines += _label_lines(clip.name, clip.labels() if clip.labels else np.zeros(0, np.uint8))
    (folder / LABEL_FILE).write_text("\n".join(lines) + "\n")
    return folder


def _write(path: Path, clip: Clip) -> None:
    aside = path.with_name(f".{path.name}")  # hidden files are no footage
    height, width, _ = next(clip.frames()).shape
    size = (ENLARGED * width, ENLARGED * height)
    video = cv2.VideoWriter(str(aside), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), RATE, size)
    for frame in clip.frames():
        large = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        video.write(cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
    video.release()
    aside.rename(path)


def _label_lines(name: str, labels: np.ndarray) -> list[str]:
    """The abnormal intervals of a clip, as lines of labels.csv; one without an interval where there are none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]]).astype(int)))
    pairs = edges.reshape(-1, 2).tolist()
    return [f"{name},{first},{end - 1}" for first, end in pairs] or [f"{name},,"]
