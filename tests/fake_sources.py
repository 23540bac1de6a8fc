"""Small fake sources in the official on-disk formats of Avenue and ShanghaiTech, and footage of a user's own."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from data_prep.expected import OfficialCounts

SIZE = (32, 48)
AVENUE_TRAIN = {"01": 5, "02": 6}
AVENUE_TEST = {"01": 7, "02": 6}
AVENUE_ABNORMAL = {"01": [2, 3, 4], "02": [0, 5]}  # frames, counted from 0
SHANGHAI_TRAIN = {"01_001": 5, "13_002": 6}
SHANGHAI_TEST = {"01_0014": 7, "03_0031": 6}
SHANGHAI_ABNORMAL = {"01_0014": [2, 3, 4], "03_0031": [0, 5]}
FAKE_COUNTS = {
    "avenue": OfficialCounts(
        dict.fromkeys(AVENUE_TRAIN), AVENUE_TEST, mask_clips=2, abnormal_frames=5, totals={"train": (2, 11)}
    ),
    "shanghaitech": OfficialCounts({}, {}, mask_clips=2, abnormal_frames=5, totals={"train": (2, 11), "test": (2, 13)}),
}


def moving(name: str, num_frames: int, size: tuple[int, int] = SIZE) -> Iterator[np.ndarray]:
    """uint8 (H, W, 3) RGB: a smooth coloured texture that moves two pixels to the right per frame."""
    random = np.random.default_rng(sum(name.encode()))
    height, width = size
    texture = random.integers(0, 256, (height, width + 2 * num_frames, 3), np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(texture, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    for t in range(num_frames):
        yield np.ascontiguousarray(texture[:, 2 * (num_frames - t) :][:, :width])


def masks(num_frames: int, abnormal: list[int], size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (T, H, W): a rectangle of ones in the abnormal frames, one pixel further right in each."""
    stack = np.zeros((num_frames, *size), np.uint8)
    for t in abnormal:
        stack[t, 8:20, 4 + t : 16 + t] = 1
    return stack


def write_video(path: Path, frames: Iterator[np.ndarray], codec: str = "FMP4", rate: float = 25) -> None:
    """Write RGB frames as a video; its suffix says the container."""
    frames = list(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    size = frames[0].shape[1::-1]
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), rate, size)
    assert video.isOpened()
    for frame in frames:
        video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    video.release()


def write_images(folder: Path, frames: Iterator[np.ndarray], template: str = "{:03d}.jpg", first: int = 0) -> None:
    """Write frames (RGB, or masks) as numbered images."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=first):
        bgr = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / template.format(number)), bgr)


def cut(path: Path, kept: float) -> None:
    """Leave only the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])


def zipped(folder: Path, archive: Path) -> Path:
    """Pack a folder as the official archives are packed, with what macOS adds to them."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for path in sorted(folder.rglob("*")):
            members.write(path, Path(folder.name) / path.relative_to(folder))
        members.writestr(f"__MACOSX/{folder.name}/training_videos/._01.avi", b"\x00\x05\x16\x07")
    return archive


# Avenue


def write_avenue(parent: Path) -> Path:
    """Both unpacked folders of Avenue, side by side in `parent`."""
    for split, clips in (("training", AVENUE_TRAIN), ("testing", AVENUE_TEST)):
        for name, num_frames in clips.items():
            frames = moving(split + name, num_frames)
            write_video(parent / "Avenue Dataset" / f"{split}_videos" / f"{name}.avi", frames)
        volumes = parent / "Avenue Dataset" / f"{split}_vol"  # the official archive has gray volumes too
        volumes.mkdir()
        (volumes / "vol01.mat").write_bytes(b"not read")
    for name, num_frames in AVENUE_TEST.items():
        write_masks(parent, name, masks(num_frames, AVENUE_ABNORMAL[name]))
    return parent


def mask_file(parent: Path, name: str) -> Path:
    return parent / "ground_truth_demo" / "testing_label_mask" / f"{int(name)}_label.mat"


def write_masks(parent: Path, name: str, stack: np.ndarray) -> None:
    """The masks of a test clip as the official MATLAB file has them: volLabel, a 1xT cell of uint8 (H, W)."""
    cells = np.empty((1, len(stack)), object)
    for t, mask in enumerate(stack):
        cells[0, t] = mask
    path = mask_file(parent, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"volLabel": cells}, do_compression=True)


def write_intervals(path: Path, intervals: list[list[tuple[int, int]]]) -> Path:
    """The other label set: gt, a 1xN cell of [first; last] frames, counted from 1."""
    cells = np.empty((1, len(intervals)), object)
    for number, pairs in enumerate(intervals):
        cells[0, number] = np.array(pairs, float).reshape(-1, 2).T
    scipy.io.savemat(path, {"gt": cells})
    return path


# ShanghaiTech


def write_shanghaitech(parent: Path) -> Path:
    """The unpacked tree of ShanghaiTech; returns the folder of `training` and `testing`."""
    tree = parent / "shanghaitech"
    for name, num_frames in SHANGHAI_TRAIN.items():
        write_video(tree / "training" / "videos" / f"{name}.avi", moving(name, num_frames))
    testing = tree / "testing"
    for kind in ("test_frame_mask", "test_pixel_mask"):
        (testing / kind).mkdir(parents=True)
    for name, num_frames in SHANGHAI_TEST.items():
        write_images(testing / "frames" / name, moving(name, num_frames))
        stack = masks(num_frames, SHANGHAI_ABNORMAL[name])
        np.save(testing / "test_pixel_mask" / f"{name}.npy", stack)
        np.save(testing / "test_frame_mask" / f"{name}.npy", stack.any(axis=(1, 2)).astype(np.uint8))
    (testing / "frames" / ".DS_Store").write_bytes(b"\x00")
    return tree


# A user's own footage


def write_footage(parent: Path) -> Path:
    """train/: a video and a folder of frames; test/: two videos; no labels."""
    source = parent / "lobby"
    write_video(source / "train" / "morning.avi", moving("morning", 6))
    write_images(source / "train" / "noon", moving("noon", 5), "frame_{:04d}.png", first=1)
    write_video(source / "test" / "evening.mkv", moving("evening", 7), "mp4v")
    write_video(source / "test" / "night.mp4", moving("night", 6), "mp4v")
    return source
