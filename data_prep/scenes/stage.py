"""The stage of a clip of a generated scene: actors put on paths, and the random numbers they are drawn from.

Random numbers are integers of PCG64 alone; all lengths are in scene units.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_prep.scenes import people, things
from data_prep.scenes.difficulty import DIFFICULTIES, Difficulty
from data_prep.scenes.parts import Actor, Colour, Look, Part, Path, ground_shadow
from data_prep.scenes.view import SCENE_HEIGHT, View

# Body heights per frame; for 1.7 m and 20 frames per second they are 5, 19, 18, 16 and 23 km/h.
WALK, RIDE, RUN, DRIVE, FLY = 0.042, 0.155, 0.150, 0.130, 0.190
MARGIN = 14.0  # beyond the frame's edge nothing of a pedestrian is in sight
_TOPS: list[Colour] = [(218, 212, 200), (212, 190, 104), (182, 80, 64), (80, 122, 174), (92, 138, 92)]
DARK: list[Colour] = [(62, 68, 100), (88, 62, 64), (56, 82, 74), (74, 74, 80), (94, 72, 56)]

Rows = tuple[float, float]
Planned = tuple[str, int, Rows]  # an event: kind, heading, the rows it keeps to


class Stage:
    """The actors of one clip, added one after the other, and the random numbers they are drawn from."""

    def __init__(
        self,
        num_frames: int,
        size: tuple[int, int],
        rng: np.random.Generator,
        view: View,
        difficulty: Difficulty = DIFFICULTIES["standard"],
    ) -> None:
        """An empty stage for frames of `size` (H, W)."""
        self.rng, self.view, self.difficulty = rng, view, difficulty
        self.time = np.arange(num_frames)
        self.width = SCENE_HEIGHT * size[1] / size[0]
        self.actors: list[Actor] = []
        self.events: list[tuple[Actor, str]] = []  # the abnormal actors and their kind

    def between(self, low: float, high: float) -> float:
        """A random number in [low, high], in steps of 1/4096 of the range."""
        return low + (high - low) * int(self.rng.integers(4097)) / 4096

    def pick(self, colours: list[Colour]) -> Colour:
        return colours[int(self.rng.integers(len(colours)))]

    def look(self) -> Look:
        return Look(self.pick(_TOPS), self.pick(DARK), self.pick(DARK))

    def fast(self, pace: float) -> float:
        """The pace of a fast event under this difficulty."""
        return pace * self.difficulty.pace

    # Paths

    def path(self, x: np.ndarray, row: float | np.ndarray, heading: int) -> Path:
        """Through the points x (T,) on a row, or on rows (T,)."""
        rows = np.broadcast_to(np.asarray(row, np.float64), x.shape)
        feet = np.stack([x, rows + self.view.slope * (x - self.width / 2)], axis=1)
        return Path(feet, self.view.person_height(rows), heading)

    def straight(self, start: float, row: float, heading: int, pace: float) -> Path:
        """Along a row from x = start, at `pace` body heights per frame."""
        return self.path(start + heading * pace * self.view.person_height(row) * self.time, row, heading)

    def entering(self, first: int, row: float, heading: int, pace: float, margin: float = 9.0) -> Path:
        """A straight path that comes within `margin` of the frame's edge at frame `first`."""
        edge = -margin if heading > 0 else self.width + margin
        return self.straight(edge - heading * pace * self.view.person_height(row) * first, row, heading, pace)

    def into_depth(self, aside: float, height: float, first: int, pace: float, least: float) -> Path:
        """Straight away from the camera until the size is `least`, or towards it, with a pace below 0.

        aside: body heights to the right of the middle of the view; height: the size at frame `first`.
        """
        heights = self.view.height_after(height, pace * (self.time - first), least)
        return self.path(self.width / 2 + aside * heights, self.view.row_of(heights), 1)

    def standing(self, x: float, row: float) -> Path:
        """One place for the whole clip; x as a share of the width."""
        return self.path(np.full(len(self.time), x * self.width), row, 1)

    # Actors

    def add(
        self,
        parts: list[Part],
        path: Path,
        *,
        shadow: float = 0.22,
        event: str | None = None,
        abnormal: np.ndarray | None = None,
    ) -> None:
        """Number the actor and put it on the stage; `abnormal` (T,) where an event is so for some frames only."""
        flags = np.full(len(self.time), event is not None) if abnormal is None else abnormal
        track = 1 + sum(actor.track > 0 for actor in self.actors)
        actor = Actor(parts, ground_shadow(path, shadow), path.feet[:, 1], flags, track)
        self.actors.append(actor)
        if event:
            self.events.append((actor, event))

    def add_fixed(self, parts: list[Part], path: Path, shadow: float = 0.22) -> None:
        """Put a fixed thing on the stage; it hides what passes behind it and counts as background."""
        never = np.zeros(len(self.time), bool)
        self.actors.append(Actor(parts, ground_shadow(path, shadow), path.feet[:, 1], never, track=0))

    def add_walker(self, path: Path) -> None:
        self.add(people.pedestrian(path, self.look(), self.between(0.0, 1.0)), path)

    def add_cyclist(self, path: Path, event: str | None = None) -> None:
        self.add(things.cyclist(path, self.look(), self.between(0.0, 1.0)), path, shadow=0.42, event=event)

    def add_cart(self, path: Path, paint: Colour, event: str) -> None:
        self.add(things.cart(path, self.pick(DARK), paint), path, shadow=0.7, event=event)

    def add_runner(self, path: Path, event: str) -> None:
        self.add(people.pedestrian(path, self.look(), 0.0, stride=1.25, swing=0.62), path, event=event)

    def add_walkers(self, rows: Rows, crowd: int, one_way: int | None = None) -> None:
        """About `crowd` pedestrians or pairs in sight at any time, in both directions unless `one_way` is a heading.

        The difficulty multiplies the crowd.
        """
        reach = WALK * self.view.person_height(sum(rows) / 2) * len(self.time)
        span = self.width + 2 * MARGIN
        for _ in range(round(self.difficulty.crowd * crowd * (1.0 + reach / span) / 1.5)):
            heading = one_way or (1 if self.rng.integers(2) else -1)
            start = self.between(-reach, span) - MARGIN if heading > 0 else self.between(0.0, span + reach) - MARGIN
            row, pace = self.between(rows[0] + 3.0, rows[1] - 4.0), WALK * self.between(0.94, 1.06)
            self.add_walker(self.straight(start, row, heading, pace))
            if self.rng.integers(2):
                beside = start + self.between(-4.0, 4.0)
                self.add_walker(self.straight(beside, min(row + 3.0, rows[1] - 1.0), heading, pace))

    def add_lane_cyclists(self, lane: Rows, heading: int = 1) -> None:
        """One after the other, some in pairs, so that hardly a frame is without one in full sight."""
        reach = RIDE * self.view.person_height(lane[1]) * len(self.time) + MARGIN
        start = self.width - self.between(0.0, 50.0)
        while start > -reach:
            row, pace = self.between(lane[0] + 5.0, lane[1] - 2.0), RIDE * self.between(0.98, 1.02)
            self.add_cyclist(self.straight(start if heading > 0 else self.width - start, row, heading, pace))
            start -= self.between(38.0, 80.0) if self.rng.integers(4) else self.between(20.0, 25.0)


@dataclass(frozen=True)
class Camera:
    """One place of a scene: what the camera sees there, who is there, and what happens in its test clips."""

    view: View
    draw_ground: Callable[[int, int, int], np.ndarray]  # height, width, seed -> uint8 (H, W, 3)
    add_traffic: Callable[[Stage], None]  # fixed things and normal life
    add_event: Callable[[Stage, str, int, int, Rows], None]  # kind, first frame, heading, rows
    plan: list[list[Planned]]  # of its test clips, first to last; more clips repeat it
    starts: tuple[float, float]  # when a clip's only event begins, as a share of the clip


@dataclass(frozen=True)
class Scene:
    """A generated scene: its kinds of events, its cameras, and how its clips are called."""

    number: int  # joins the seed, so that no two scenes share their random numbers
    kinds: tuple[str, ...]
    cameras: tuple[Camera, ...]
    clip_name: Callable[[str, int, int], str]  # split, camera, number of the clip at this camera; both from 1
