"""The embedded benchmark: a generated surveillance scene with exact ground truth, so that all runs offline.

A fixed camera looks at two walkways and the cycle lane between them. Normal: pedestrians on the walkways in
both directions, alone and in pairs; cyclists in the lane, always to the right and about as fast as anything
abnormal, so speed alone is not abnormal. Every heading can be seen in a single frame. Abnormal: EVENT_KINDS.

Frames, masks and labels are the same bytes on every machine: random numbers are integers of PCG64, floats see
only operations that IEEE 754 rounds alike everywhere, and drawing is done in integers (`scene_render`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from data_prep.clip import Clip, SourceError, Split
from data_prep.scene_ground import FAR_WALK, LANE, NEAR_WALK, draw_ground
from data_prep.scene_render import MIN_VISIBLE, Footage, luma, render
from data_prep.scene_stage import EVENT_KINDS, Stage

__all__ = ["EVENT_KINDS", "Event", "SceneSettings", "events", "read_synthetic"]

_PLAN = [  # the events of test clips 1 to 10: kind, heading, walkway; more clips repeat it
    [("walkway cyclist", 1, NEAR_WALK)],
    [("wrong-way cyclist", -1, LANE)],
    [("runner", 1, FAR_WALK)],
    [("cart", -1, NEAR_WALK)],
    [("lane walker", 1, NEAR_WALK)],
    [("thrown ball", -1, NEAR_WALK)],
    [("walkway cyclist", -1, FAR_WALK)],
    [("runner", -1, NEAR_WALK), ("thrown ball", 1, NEAR_WALK)],
    [("wrong-way cyclist", -1, LANE)],
    [("cart", 1, FAR_WALK)],
]
SCENE_VERSION = 1  # raised whenever the same settings would draw other frames; the source's hash holds it
_LEAST = {"height": 32, "width": 32, "train_clips": 0, "test_clips": 0, "frames_per_clip": 40, "seed": 0}


@dataclass(frozen=True)
class SceneSettings:
    """Size and seed of the generated set.

    Gray by default, like UCSD Ped2: shape, place and motion are what is abnormal here, and colour would only
    make the first and the last convolution dearer. `colour=True` gives RGB frames of the same scene.

    Raises SourceError for a frame side under 32 pixels or fewer than 40 frames per clip: too small for an
    event with normal frames before it.
    """

    height: int = 96
    width: int = 144
    train_clips: int = 20
    test_clips: int = 10
    frames_per_clip: int = 100
    seed: int = 7
    colour: bool = False

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if (found := getattr(self, name)) < least:
                raise SourceError(f"generated scene: expected {name} of at least {least}, found {found}")


@dataclass(frozen=True)
class Event:
    """One abnormal event; from frame `first` to frame `last` its object is in sight or, rarely, hidden."""

    clip: str
    kind: str  # one of EVENT_KINDS
    first: int  # frames count from 0
    last: int
    track: int  # the object's number in the tracks


def read_synthetic(settings: SceneSettings | None = None) -> list[Clip]:
    """The clips of the generated set, training first (ours).

    Each clip is drawn from (seed, split, index) alone, when first asked for. All carry exact flow and tracks;
    test clips carry labels and masks as well.

    Labels: a frame is abnormal if at least MIN_VISIBLE pixels of abnormal objects are in sight. Masks hold
    those pixels, and none in other frames, so labels and masks agree. A pedestrian in the lane is abnormal
    while the feet are between its lines; every other object of an event is so all the time.
    Flow: T-1 fields in pixels per frame, the motion to t + 1 of the rigid body part in sight at the middle of
    the pixel: limbs swing and turn, wheels go with the bicycle without turning. Ground, shadows and light do
    not move. It is exact for these parts, also where they are hidden at t + 1.
    """
    settings = settings or SceneSettings()
    counts: list[tuple[Split, int]] = [("train", settings.train_clips), ("test", settings.test_clips)]
    return [_clip(settings, split, index) for split, count in counts for index in range(1, count + 1)]


def events(settings: SceneSettings | None = None) -> list[Event]:
    """Every abnormal event of the test clips, in order (ours). Draws the test clips: about 0.1 s each."""
    settings = settings or SceneSettings()
    return [event for index in range(1, settings.test_clips + 1) for event in _events(settings, index)]


def _events(settings: SceneSettings, index: int) -> Iterator[Event]:
    tracks = _footage(settings, "test", index).tracks
    for actor, kind in _stage(settings, "test", index).events:
        area = ((tracks == actor.track) & actor.abnormal[:, None, None]).sum(axis=(1, 2))
        seen = np.flatnonzero(area >= MIN_VISIBLE)
        if len(seen):
            yield Event(_name("test", index), kind, int(seen[0]), int(seen[-1]), actor.track)


def _clip(settings: SceneSettings, split: Split, index: int) -> Clip:
    place = (settings, split, index)
    is_test = split == "test"
    return Clip(
        split,
        _name(split, index),
        settings.frames_per_clip,
        frames=partial(_rows, *place, "frames"),
        labels=partial(_array, *place, "labels") if is_test else None,
        masks=partial(_rows, *place, "masks") if is_test else None,
        flow=partial(_rows, *place, "flow"),
        tracks=partial(_array, *place, "tracks"),
    )


def _name(split: Split, index: int) -> str:
    return f"{split.capitalize()}{index:03d}"


def _array(settings: SceneSettings, split: Split, index: int, name: str) -> np.ndarray:
    return getattr(_footage(settings, split, index), name).copy()


def _rows(settings: SceneSettings, split: Split, index: int, name: str) -> Iterator[np.ndarray]:
    return iter(_array(settings, split, index, name))


@lru_cache(maxsize=2)  # what a clip has is usually asked for one after the other
def _footage(settings: SceneSettings, split: Split, index: int) -> Footage:
    stage = _stage(settings, split, index)
    ground = draw_ground(settings.height, settings.width, settings.seed)
    return render(stage.actors, ground if settings.colour else luma(ground), stage.rng)


def _stage(settings: SceneSettings, split: Split, index: int) -> Stage:
    """The actors of one clip."""
    rng = np.random.Generator(np.random.PCG64([settings.seed, 1 + (split == "test"), index]))
    stage = Stage(settings.frames_per_clip, (settings.height, settings.width), rng)
    stage.add_normal_traffic()
    if split == "train":
        return stage
    plan = _PLAN[(index - 1) % len(_PLAN)]
    for place, (kind, heading, walk) in enumerate(plan):
        start = stage.between(0.08, 0.26) if len(plan) == 1 else 0.05 + 0.5 * place
        stage.add_event(kind, int(start * settings.frames_per_clip), heading, walk)
    return stage
