"""The generated scene as a camera would deliver it: a folder of video files, where a user has no footage at hand."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from data_prep.clip import Clip
from data_prep.readers import COLUMNS, LABEL_FILE
from data_prep.scenes.synthetic import read_synthetic, scene_settings

RATE = 25.0  # frames per second
ENLARGED = 2  # times the scene's own size, as cameras have more pixels than the network sees


def write_scene_footage(folder: Path, *, train_clips: int, test_clips: int) -> Path:
    """Write `train/*.mkv`, `test/*.mkv` and labels.csv of the generated scene, as `maam prepare videos` reads (ours).

    In colour, lossless, at ENLARGED times the scene's size. Files that are there are kept.
    """
    settings = scene_settings("synthetic")
    lines = [",".join(COLUMNS)]
    for clip in read_synthetic(replace(settings, colour=True, train_clips=train_clips, test_clips=test_clips)):
        path = folder / clip.split / f"{clip.name}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            _write(path, clip)
        if clip.labels is not None:
            edges = np.flatnonzero(np.diff(clip.labels().astype(int), prepend=0, append=0))
            intervals = [f"{clip.name},{first},{end - 1}" for first, end in edges.reshape(-1, 2)]
            lines += intervals or [f"{clip.name},,"]
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
