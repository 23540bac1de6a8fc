"""The embedded benchmark: generated surveillance scenes with exact ground truth, so that all runs offline.

Three scenes mirror the three benchmarks, each in three difficulties; SCENES names them, `scene_card` tells what
each holds. In all of them every heading can be seen in a single frame, and what is abnormal follows from the
training clips alone: it is there at another place, in another direction, of another shape or at another speed.

Frames, masks and labels are the same bytes on every machine: random numbers are integers of PCG64, floats see
only operations that IEEE 754 rounds the same way everywhere, and drawing is done in integers (`render`).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from data_prep.clip import Clip, SourceError, Split
from data_prep.files import UnreadableError, read_checked, write_json
from data_prep.scenes import campus, lane, plaza
from data_prep.scenes.backdrop import Backdrop
from data_prep.scenes.parts import SCENE_HEIGHT
from data_prep.scenes.render import MIN_VISIBLE, Footage, luma, render
from data_prep.scenes.stage import DIFFICULTIES, Scene, Stage

STANDARD = "standard"
# Raised whenever the same settings would draw other frames; the source's hash holds it.
SCENE_VERSIONS = {"lane": 1, "plaza": 1, "campus": 1}
_SCENES: dict[str, Scene] = {"lane": lane.SCENE, "plaza": plaza.SCENE, "campus": campus.SCENE}
_WIDE = {"height": 90, "width": 160, "colour": True}  # half the paper's 180x320
SCENES: dict[str, dict[str, Any]] = {  # name of the dataset -> how its settings differ from the defaults
    "synthetic": {},  # as UCSD Ped2
    "synthetic-avenue": {"scene": "plaza", **_WIDE, "train_clips": 16, "test_clips": 12, "frames_per_clip": 120},
    "synthetic-shanghai": {"scene": "campus", **_WIDE, "train_clips": 21, "test_clips": 12},
}
OWN_SCENE = "scene.json"  # in a folder of prepared datasets: {"test_seed": 1234567}, of the scenes prepared there
HIGHEST_SEED = 10**12
_LEAST = {"height": 32, "width": 32, "train_clips": 0, "test_clips": 0, "frames_per_clip": 40, "seed": 0}


@dataclass(frozen=True)
class SceneSettings:
    """Scene, difficulty, size and seed of a generated set.

    scene: "lane" as UCSD Ped2, "plaza" as CUHK Avenue, "campus" as ShanghaiTech. Gray by default, like Ped2:
    shape, place and motion are what is abnormal there, and colour would only make the first and the last
    convolution dearer. `colour=True` gives RGB frames of the same scene.

    test_seed: draws the test clips in place of `seed`: other people and events in the same empty scene, with the same
    training clips, so that a network trained on one fits the other. None is `seed`.

    Raises SourceError for an unknown scene or difficulty, for a frame side under 32 pixels and for fewer than 40
    frames per clip: too small for an event with normal frames before it.
    """

    height: int = 96
    width: int = 144
    train_clips: int = 20
    test_clips: int = 10
    frames_per_clip: int = 100
    seed: int = 7
    colour: bool = False
    scene: str = "lane"
    difficulty: str = STANDARD
    test_seed: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("scene", _SCENES), ("difficulty", DIFFICULTIES)):
            if (value := getattr(self, name)) not in known:
                raise SourceError(f"generated scene: no {name} {value!r}; there are {', '.join(known)}")
        for name, least in _LEAST.items():
            if (found := getattr(self, name)) < least:
                raise SourceError(f"generated scene: expected {name} of at least {least}, found {found}")


@dataclass(frozen=True)
class Event:
    """One abnormal event; from frame `first` to frame `last` its object is in sight or, rarely, hidden."""

    clip: str
    kind: str  # one of its scene's kinds
    first: int  # frames count from 0
    last: int
    track: int  # the object's number in the tracks


def dataset_names() -> list[str]:
    """Every generated dataset: each of SCENES, then each with the name of another difficulty behind it."""
    levels = sorted(DIFFICULTIES, key=lambda difficulty: difficulty != STANDARD)
    return [dataset_name(scene, difficulty) for difficulty in levels for scene in SCENES]


def dataset_name(scene: str, difficulty: str) -> str:
    """Name of the dataset of one of SCENES: "synthetic" and "hard" make "synthetic-hard"; standard adds nothing.

    Raises SourceError for another scene or difficulty.
    """
    if scene not in SCENES:
        raise SourceError(f"{scene} has no difficulty; the generated scenes have: {', '.join(SCENES)}")
    if difficulty not in DIFFICULTIES:
        raise SourceError(f"no difficulty {difficulty!r}; there are {', '.join(DIFFICULTIES)}")
    return scene if difficulty == STANDARD else f"{scene}-{difficulty}"


class _OwnScene(BaseModel):
    """What OWN_SCENE holds."""

    test_seed: int = Field(ge=0, le=HIGHEST_SEED)


def write_own_scene(root: Path, test_seed: int) -> None:
    """From now on generated scenes prepared under `root` have test clips of their own, drawn from a seed (ours)."""
    write_json(root / OWN_SCENE, _OwnScene(test_seed=test_seed).model_dump())


def own_test_seed(root: Path) -> int | None:
    """The seed of the test clips of generated scenes under `root`, where it has one. Raises SourceError."""
    try:
        return read_checked(root / OWN_SCENE, _OwnScene)["test_seed"]
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise SourceError(f'{error}; expected {{"test_seed": 1234567}}, or no such file') from error


def scene_settings(dataset: str = "synthetic", root: Path | None = None) -> SceneSettings:
    """The settings behind the name of a generated dataset, as it is prepared under `root`.

    Raises SourceError for a name not in `dataset_names`, and for a damaged OWN_SCENE in `root`.
    """
    test_seed = None if root is None else own_test_seed(root)
    for scene, changes in SCENES.items():
        for difficulty in DIFFICULTIES:
            if dataset == dataset_name(scene, difficulty):
                return replace(SceneSettings(), **changes, difficulty=difficulty, test_seed=test_seed)
    raise SourceError(f"no generated dataset {dataset!r}; there are {', '.join(dataset_names())}")


def scene_hash(settings: SceneSettings) -> str:
    """sha256 of all that decides what a generated set shows.

    `scene`, `difficulty` and `test_seed` came later and count only where they are not the default, so that the hash of
    the first scene stays what it was.
    """
    values = asdict(settings) | {"version": SCENE_VERSIONS[settings.scene]}
    for field in fields(settings):
        if field.name in ("scene", "difficulty", "test_seed") and values[field.name] == field.default:
            del values[field.name]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def scene_title(settings: SceneSettings) -> str:
    """What the manifest calls the source: the first scene keeps the name it had when it was the only one."""
    own = "" if settings.test_seed is None else f", test clips of seed {settings.test_seed}"
    if (settings.scene, settings.difficulty) == ("lane", STANDARD):
        return f"generated scene{own}"
    return f"generated scene {settings.scene}, difficulty {settings.difficulty}{own}"


def read_synthetic(settings: SceneSettings | None = None) -> list[Clip]:
    """The clips of the generated set, training first (ours).

    Each clip is drawn from (seed, split, index) alone, when first asked for. All carry exact flow and tracks;
    test clips carry labels and masks as well.

    Labels: a frame is abnormal if at least MIN_VISIBLE pixels of abnormal objects are in sight. Masks hold
    those pixels, and none in other frames, so labels and masks agree. A pedestrian in the lane is abnormal
    while the feet are between its lines, a bag while it flies; every other object of an event is so all the time.
    Flow: T-1 fields in pixels per frame, the motion to t + 1 of the rigid body part in sight at the middle of
    the pixel: limbs swing and turn, wheels go with the bicycle without turning. Ground, shadows and light do
    not move. It is exact for these parts, also where they are hidden at t + 1.
    """
    return [shot.clip() for shot in shots(settings or SceneSettings())]


def events(settings: SceneSettings | None = None) -> list[Event]:
    """Every abnormal event of the test clips, in order (ours). Draws the test clips: some tenths of a second each."""
    found = []
    for shot in shots(settings or SceneSettings()):
        for actor in shot.stage().actors:
            if actor.event:
                tracks = drawn(shot).tracks
                area = ((tracks == actor.track) & actor.abnormal[:, None, None]).sum(axis=(1, 2))
                seen = np.flatnonzero(area >= MIN_VISIBLE)
                if len(seen):
                    found.append(Event(shot.name, actor.event, int(seen[0]), int(seen[-1]), actor.track))
    return found


@dataclass(frozen=True)
class Shot:
    """One clip of a generated set, drawn when it is asked for. All numbers count from 1."""

    settings: SceneSettings
    split: Split
    index: int  # within its split
    camera: int
    number: int  # at this camera

    @property
    def scene(self) -> Scene:
        return _SCENES[self.settings.scene]

    @property
    def name(self) -> str:
        return self.scene.clip_name(self.split, self.camera, self.number)

    def array(self, name: str) -> np.ndarray:
        """One of the arrays of its Footage."""
        return getattr(drawn(self), name).copy()

    def rows(self, name: str) -> Iterator[np.ndarray]:
        """The same, row by row."""
        return iter(self.array(name))

    def clip(self) -> Clip:
        """What a reader yields."""
        arrays = {"frames": self.rows, "flow": self.rows, "tracks": self.array}
        if self.split == "test":
            arrays |= {"labels": self.array, "masks": self.rows}
        read = {name: partial(call, name) for name, call in arrays.items()}
        return Clip(self.split, self.name, self.settings.frames_per_clip, **read)

    def ground(self) -> np.ndarray:
        """uint8 (H, W, 3): the empty scene, the same for all clips of its camera."""
        camera, settings = self.scene.cameras[self.camera - 1], self.settings
        seeds = [settings.seed, 0, *self.scene.seeds, *[self.camera] * (len(self.scene.cameras) > 1)]
        backdrop = Backdrop(camera.view, settings.height, settings.width, seeds)
        camera.paint(backdrop)
        return backdrop.finished()

    def stage(self) -> Stage:
        """The actors."""
        camera, settings = self.scene.cameras[self.camera - 1], self.settings
        is_own = self.split == "test" and settings.test_seed is not None
        seed = settings.test_seed if is_own else settings.seed
        seeds = [seed, 1 + (self.split == "test"), self.index, *self.scene.seeds]
        stage = Stage(
            time=np.arange(settings.frames_per_clip),
            width=SCENE_HEIGHT * settings.width / settings.height,
            rng=np.random.Generator(np.random.PCG64(seeds)),
            view=camera.view,
            difficulty=DIFFICULTIES[settings.difficulty],
        )
        camera.add_traffic(stage)
        plan = camera.plan[(self.number - 1) % len(camera.plan)] if self.split == "test" else []
        for place, (kind, heading, rows) in enumerate(plan):
            start = stage.between(*self.scene.starts) if len(plan) == 1 else 0.05 + 0.5 * place
            self.scene.add_event(stage, kind, int(start * settings.frames_per_clip), heading, rows)
        return stage


def shots(settings: SceneSettings) -> list[Shot]:
    """All clips, training first, those of one camera after those of the other; clips go round the cameras."""
    counts: dict[Split, int] = {"train": settings.train_clips, "test": settings.test_clips}
    cameras = len(_SCENES[settings.scene].cameras)
    return [
        Shot(settings, split, index, camera, number)
        for split, count in counts.items()
        for camera in range(1, cameras + 1)
        for number, index in enumerate(range(camera, count + 1, cameras), start=1)
    ]


@lru_cache(maxsize=2)  # what a clip has is usually asked for one after the other
def drawn(shot: Shot) -> Footage:
    """What a clip shows. It is kept for the next caller: copy what you change."""
    stage, ground = shot.stage(), shot.ground()
    return render(stage.actors, ground if shot.settings.colour else luma(ground), stage.rng, stage.difficulty)
