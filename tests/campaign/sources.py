"""What the campaign starts from: footage, an archive, flow of another estimator, recipes."""

import shutil
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np

from data_prep.flow import estimate_flow
from tests.conftest import write_ucsd
from tests.fake_sources import moving, write_images, write_video

RECIPE = """name: tiny
data: {dataset: videos, height: 32, width: 48, channels: 3}
model: {num_items: 4, base_channels: 2}
training: {epochs: 2, batch_size: 4, precision: float32}
scoring: {patch: [8, 8]}
"""
IMPORTED = (
    RECIPE.replace("tiny", "imported").replace("items: 4", "items: 6").replace("channels: 2", "channels: 4")
).replace("base_channels: 4}", "base_channels: 4, similarity: released}")
CLIPS = {"train": ("morning", "noon"), "test": ("evening", "night")}


def write_sources(folder: Path) -> None:
    """Footage with labels, an archive in UCSD's layout, and recipes."""
    for name in ("morning", "noon"):
        write_video(folder / "lobby" / "train" / f"{name}.avi", moving(name, 12))
    write_video(folder / "lobby" / "test" / "evening.avi", moving("evening", 12))
    write_images(folder / "lobby" / "test" / "night", moving("night", 12), "frame_{:04d}.png", first=1)
    (folder / "lobby" / "labels.csv").write_text("clip,first,last\nevening,3,7\nnight,0,2\n", encoding="utf-8")
    _write_flow(folder / "flow")
    (folder / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "imported.yaml").write_text(IMPORTED, encoding="utf-8")
    release = write_ucsd(folder / "unpacked", "ped2").parent
    with tarfile.open(folder / "ped2.tar.gz", "w:gz") as archive:
        archive.add(release, arcname=release.name)
    shutil.rmtree(folder / "unpacked")


def _write_flow(folder: Path) -> None:
    """Flow of another estimator for that footage, one file per clip."""
    for split, names in CLIPS.items():
        (folder / split).mkdir(parents=True)
        for name in names:
            pairs = pairwise(moving(name, 12))
            np.save(folder / split / f"{name}.npy", np.stack([estimate_flow("farneback", *pair) for pair in pairs]))
