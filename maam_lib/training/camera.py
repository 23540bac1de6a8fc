"""A recipe for unknown footage: what the prepared data themselves tell, without labels (ours)."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maam_lib.baselines import spread_evenly
from maam_lib.config import Recipe, SettingError
from maam_lib.data import PreparedDataset, find_dataset

FLOWS = 300  # training flows, evenly spread, that moving things are measured in
OF_FASTEST = 0.25  # of the speed that 1 % of a frame's pixels typically exceed: from there a pixel counts as moving
SLOWEST = 0.2  # pixels per frame: below, it is the noise of the estimator
SMALLEST = 0.002  # of the frame's area: smaller moving parts are specks
FRAMES_SEEN = 50_000  # by the training, over all epochs: about 25 minutes on two cores at 120x180
MOST_EPOCHS = 40


@dataclass(frozen=True)
class MovingThings:
    """Parts of training frames that move together."""

    count: int
    height: int  # median, in stored pixels
    width: int


def fit_recipe(recipe: Recipe, root: Path, *settings: str) -> tuple[Recipe, str]:
    """A recipe that follows its data, fitted to the prepared dataset under `root`, and in words what was chosen.

    Size, channels and flow are those of the prepared data; the patch is the median size of what moves in them; epochs
    are as many as make about FRAMES_SEEN frames. What `settings` ("section.key=value") name is left as they say. A
    recipe that does not follow its data (data.follow is false) comes back as it is.
    Raises DatasetError where no or several prepared datasets fit, SettingError where nothing moves in them.
    """
    given = {setting.partition("=")[0].strip() for setting in settings}
    wanted = recipe.with_settings(*settings)
    if not wanted.data.follow:
        return wanted, ""
    size = (wanted.data.height, wanted.data.width) if {"data.height", "data.width"} <= given else None
    prepared = find_dataset(root, wanted.data.dataset, size, wanted.data.flow if "data.flow" in given else None)
    found, measured = _settings_from(prepared, measure="scoring.patch" not in given)
    fitted = wanted.with_settings(*found, "data.follow=false", *(s for s in settings if "data.follow" not in s))
    return fitted, _in_words(fitted) + measured


def _in_words(recipe: Recipe) -> str:
    data, patch = recipe.data, recipe.scoring.patch
    return (
        f"{data.height}x{data.width}, {data.channels} channel(s), flow {data.flow}, {recipe.training.epochs} epochs, "
        f"patch {patch[0]}x{patch[1]}"
    )


def _settings_from(prepared: PreparedDataset, *, measure: bool) -> tuple[list[str], str]:
    """Settings that the prepared data decide, and where the patch is from."""
    height, width = prepared.frame_size
    flow = prepared.manifest["flow"]["estimator"]
    frames = sum(prepared.num_frames("train", clip) - 1 for clip in prepared.clips("train"))
    epochs = min(MOST_EPOCHS, max(1, math.ceil(FRAMES_SEEN / max(1, frames))))
    found = [
        f"data.height={height}",
        f"data.width={width}",
        f"data.channels={prepared.channels}",
        f"data.flow={flow}",
        f"training.epochs={epochs}",
    ]
    if not measure:
        return found, ""
    things = moving_things(prepared)
    return [*found, f"scoring.patch=[{things.height}, {things.width}]"], f" (median of {things.count} moving parts)"


def moving_things(prepared: PreparedDataset) -> MovingThings:
    """The size of what moves in the training clips: connected parts of the flow that are faster than its surroundings.

    Flow is a little wider than the thing itself, and people who walk together are one part: an estimate, which stands
    in the fitted recipe to be looked at. Raises SettingError where nothing moves.
    """
    flows = [np.float32(flow) for flow in _some_flows(prepared)]
    speeds = [np.hypot(flow[..., 0], flow[..., 1]) for flow in flows]
    fastest = float(np.median([np.quantile(speed, 0.99) for speed in speeds])) if speeds else 0.0
    threshold, area = max(SLOWEST, OF_FASTEST * fastest), SMALLEST * math.prod(prepared.frame_size)
    sizes = [size for speed in speeds for size in _part_sizes(speed > threshold, area)]
    if not sizes:
        raise SettingError(
            f"{prepared.folder}: nothing moves in the training footage, so nothing tells how large things are; say it: "
            "--set scoring.patch=[HEIGHT,WIDTH], in pixels of the stored frames"
        )
    height, width = np.median(sizes, axis=0).round().astype(int).tolist()
    return MovingThings(len(sizes), height, width)


def _some_flows(prepared: PreparedDataset) -> list[np.ndarray]:
    places = [(clip, t) for clip in prepared.clips("train") for t in range(prepared.num_frames("train", clip) - 1)]
    return [prepared.flow("train", places[i][0])[places[i][1]] for i in spread_evenly(len(places), FLOWS)]


def _part_sizes(moving: np.ndarray, smallest_area: float) -> list[tuple[int, int]]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(moving.astype(np.uint8), connectivity=8)
    return [
        (int(part[cv2.CC_STAT_HEIGHT]), int(part[cv2.CC_STAT_WIDTH]))
        for part in stats[1:]
        if part[cv2.CC_STAT_AREA] >= smallest_area
    ]
