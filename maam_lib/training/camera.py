"""Recipes that follow their data: what prepared footage itself tells, without labels (ours)."""

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from data_prep.words import counted
from maam_lib.baselines import spread_evenly
from maam_lib.config import Recipe, SettingError
from maam_lib.data import PreparedDataset, training_clips

FLOWS = 300  # training flows, evenly spread, that moving things are measured in
OF_FASTEST = 0.25  # of the speed that 1 % of a frame's pixels typically exceed: from there a pixel counts as moving
SLOWEST = 0.2  # pixels per frame: below, it is the noise of the estimator
SMALLEST = 0.002  # of the frame's area: smaller moving parts are specks
FRAMES_SEEN = 50_000  # by the training, over all epochs: about 25 minutes on two cores at 120x180
MOST_EPOCHS = 40


class MovingThings(NamedTuple):
    """Parts of training frames that move together."""

    count: int
    height: int  # median, in stored pixels
    width: int


def fit_recipe(recipe: Recipe, prepared: PreparedDataset) -> tuple[Recipe, str]:
    """A recipe with what it follows (`data.follow`) taken from the prepared data, and in words what was chosen.

    Size, channels and flow are those of the prepared data; the patch is the median size of what moves in them; epochs
    are as many as make about FRAMES_SEEN frames. The result follows nothing more; a recipe that follows nothing comes
    back as it is. Raises SettingError where nothing moves, and for data of another size than the recipe states.
    """
    follow = recipe.data.follow
    if not follow:
        return recipe, ""
    height, width = prepared.frame_size
    clips = training_clips(prepared, recipe.training.hold_out)["train"]
    frames = sum(prepared.num_frames("train", clip) - 1 for clip in clips)
    found: dict[str, object] = {
        "data.height": height,
        "data.width": width,
        "data.channels": prepared.channels,
        "data.flow": prepared.manifest.flow.estimator,
        "training.epochs": min(MOST_EPOCHS, max(1, math.ceil(FRAMES_SEEN / max(1, frames)))),
    }
    measured = ""
    if "scoring.patch" in follow:
        things = moving_things(prepared, clips)
        found["scoring.patch"] = [things.height, things.width]
        measured = f" (median of {things.count} moving parts)"
    fitted = recipe.with_settings(*(f"{key}={json.dumps(found[key])}" for key in follow), "data.follow=[]")
    if (fitted.data.height, fitted.data.width) != prepared.frame_size:
        raise SettingError(
            f"recipe {recipe.name}: states {fitted.data.height}x{fitted.data.width}, the frames in {prepared.folder} "
            f"are {height}x{width}; state data.height and data.width both, or neither"
        )
    data, patch = fitted.data, fitted.scoring.patch
    return fitted, (
        f"{data.height}x{data.width}, {counted(data.channels, 'channel')}, flow {data.flow}, "
        f"{counted(fitted.training.epochs, 'epoch')}, "
        f"patch {patch[0]}x{patch[1]}{measured}"
    )


def moving_things(prepared: PreparedDataset, clips: Sequence[str] | None = None) -> MovingThings:
    """The size of what moves in the training clips, or in some of them: connected parts of the flow, faster
    than their surroundings.

    Flow is a little wider than the thing itself, and people who walk together are one part: an estimate, which stands
    in the fitted recipe to be looked at. Raises SettingError where nothing moves.
    """
    clips = prepared.clips("train") if clips is None else clips
    places = [(clip, t) for clip in clips for t in range(prepared.num_frames("train", clip) - 1)]
    chosen = (places[i] for i in spread_evenly(len(places), FLOWS))
    flows = (prepared.flow("train", clip)[t].astype(np.float32) for clip, t in chosen)
    speeds = [np.hypot(flow[..., 0], flow[..., 1]) for flow in flows]
    fastest = float(np.median([np.quantile(speed, 0.99) for speed in speeds])) if speeds else 0.0
    threshold, area = max(SLOWEST, OF_FASTEST * fastest), SMALLEST * math.prod(prepared.frame_size)
    sizes = [size for speed in speeds for size in _part_sizes(speed > threshold, area)]
    if not sizes:
        raise SettingError(
            f"{prepared.folder}: nothing moves in the training footage, so the size of things is not known; "
            "set it: --set scoring.patch=[HEIGHT,WIDTH], in pixels of the stored frames"
        )
    height, width = np.median(sizes, axis=0).round().astype(int).tolist()
    return MovingThings(len(sizes), height, width)


def _part_sizes(moving: np.ndarray, smallest_area: float) -> list[tuple[int, int]]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(moving.astype(np.uint8), connectivity=8)
    return [(height, width) for _, _, width, height, area in stats[1:].tolist() if area >= smallest_area]
