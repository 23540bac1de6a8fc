"""The stage of a clip of a generated scene: actors put on paths, and the random numbers they are drawn from.

Random numbers are integers of PCG64 alone; all lengths are in scene units.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from data_prep.scenes import actors
from data_prep.scenes.backdrop import Backdrop, View
from data_prep.scenes.parts import Actor, Body, Colour, Look, Part

# Body heights per frame; for 1.7 m and 20 frames per second they are 5, 19, 18, 16 and 23 km/h.
WALK, RIDE, RUN, DRIVE, FLY = 0.042, 0.155, 0.150, 0.130, 0.190
MARGIN = 14.0  # beyond the frame's edge nothing of a pedestrian is in sight
_TOPS: list[Colour] = [(218, 212, 200), (212, 190, 104), (182, 80, 64), (80, 122, 174), (92, 138, 92)]
DARK: list[Colour] = [(62, 68, 100), (88, 62, 64), (56, 82, 74), (74, 74, 80), (94, 72, 56)]

Rows = tuple[float, float]
Draw = Callable[..., list[Part]]  # takes a Body, and colours
Planned = tuple[str, int, Rows]  # an event: kind, heading, the rows it keeps to


@dataclass(frozen=True)
class Difficulty:
    """How hard events are to see; no kind of event comes or goes with it."""

    noise: int  # the sensor noise has a standard deviation of about 0.8 levels for each
    contrast: int  # of the frames, in 1/256
    crowd: float  # normal walkers, as a multiple of the standard
    pace: float  # of runners, riders, carts and thrown things in events, as a multiple of the standard


DIFFICULTIES = {
    "easy": Difficulty(noise=1, contrast=288, crowd=0.5, pace=1.3),
    "standard": Difficulty(noise=3, contrast=256, crowd=1.0, pace=1.0),
    "hard": Difficulty(noise=6, contrast=160, crowd=1.6, pace=0.7),
}


@dataclass
class Stage:
    """The actors of one clip, added one after the other, and the random numbers they are drawn from."""

    time: np.ndarray  # (T,) the numbers of the frames
    width: float  # of the frame
    rng: np.random.Generator
    view: View
    difficulty: Difficulty
    actors: list[Actor] = field(default_factory=list)

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

    def body(self, x: np.ndarray, row: float | np.ndarray, heading: int) -> Body:
        """Through the points x (T,) on a row, or on rows (T,)."""
        rows = np.broadcast_to(np.asarray(row, np.float64), x.shape)
        feet = np.stack([x, rows + self.view.slope * (x - self.width / 2)], axis=1)
        return Body(feet, self.view.person_height(rows), heading)

    def straight(self, start: float, row: float, heading: int, pace: float) -> Body:
        """Along a row from x = start, at `pace` body heights per frame."""
        return self.body(start + heading * pace * self.view.person_height(row) * self.time, row, heading)

    def entering(self, first: int, row: float, heading: int, pace: float, margin: float = 9.0) -> Body:
        """A straight path that comes within `margin` of the frame's edge at frame `first`."""
        edge = -margin if heading > 0 else self.width + margin
        return self.straight(edge - heading * pace * self.view.person_height(row) * first, row, heading, pace)

    # Actors

    def add(
        self, parts: list[Part], body: Body, shadow: float = 0.22, event: str = "", abnormal: bool | np.ndarray = True
    ) -> None:
        """Number the actor and put it on the stage; `abnormal` (T,) where an event is so for some frames only."""
        track = 1 + max((actor.track for actor in self.actors), default=0)
        flags = np.full(len(self.time), event != "") & abnormal
        self.actors.append(Actor(parts, body.shadow(shadow), body.feet[:, 1], flags, track, event))

    def add_fixed(
        self, draw: Draw, x: float, row: float, *paint: Colour, heading: int = 1, shadow: float = 0.22
    ) -> None:
        """Put a fixed thing at a share x of the width; it hides what passes behind it and counts as background."""
        body = self.body(np.full(len(self.time), x * self.width), row, heading)
        never = np.zeros(len(self.time), bool)
        self.actors.append(Actor(draw(body, *paint), body.shadow(shadow), body.feet[:, 1], never, track=0))

    def add_walker(self, body: Body) -> None:
        self.add(actors.pedestrian(body, self.look(), self.between(0.0, 1.0)), body)

    def add_cyclist(self, body: Body, event: str = "") -> None:
        self.add(actors.cyclist(body, self.look(), self.between(0.0, 1.0)), body, shadow=0.42, event=event)

    def add_cart(self, body: Body, paint: Colour, event: str) -> None:
        self.add(actors.cart(body, self.pick(DARK), paint), body, shadow=0.7, event=event)

    def add_runner(self, body: Body, event: str) -> None:
        self.add(actors.pedestrian(body, self.look(), 0.0, stride=1.25, swing=0.62), body, event=event)

    def add_walkers(self, rows: Rows, most: int = 3, one_way: int | None = None) -> None:
        """One to `most` pedestrians or pairs in sight at any time, times the difficulty's crowd.

        They walk in both directions unless `one_way` is a heading.
        """
        crowd = self.difficulty.crowd * int(self.rng.integers(1, most + 1))
        reach = WALK * self.view.person_height(sum(rows) / 2) * len(self.time)
        span = self.width + 2 * MARGIN
        for _ in range(round(crowd * (1.0 + reach / span) / 1.5)):
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
    paint: Callable[[Backdrop], None]  # the empty scene
    add_traffic: Callable[[Stage], None]  # fixed things and normal life
    plan: list[list[Planned]]  # of its test clips, first to last; more clips repeat it


@dataclass(frozen=True)
class Scene:
    """A generated scene: its cameras, its events, and how its clips are called."""

    seeds: tuple[int, ...]  # join the settings' seed, so that no two scenes share their random numbers
    cameras: tuple[Camera, ...]
    add_event: Callable[[Stage, str, int, int, Rows], None]  # kind, first frame, heading, rows
    starts: tuple[float, float]  # when a clip's only event begins, as a share of the clip
    clip_name: Callable[[str, int, int], str]  # split, camera, number of the clip at this camera; both from 1
