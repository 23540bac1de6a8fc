"""Who walks where in a clip of the generated scene: the normal traffic and the six kinds of abnormal events.

Random numbers are integers of PCG64 alone; all lengths are in scene units.
"""

import numpy as np

from data_prep import scene_actors as bodies
from data_prep.scene_actors import Actor, Colour, Look, Part, Path
from data_prep.scene_ground import FAR_WALK, LANE, NEAR_WALK, SCENE_HEIGHT, ground_y, person_height

EVENT_KINDS = ("walkway cyclist", "wrong-way cyclist", "runner", "cart", "lane walker", "thrown ball")

# Body heights per frame; for 1.7 m and 20 frames per second they are 5, 19, 18, 16 and 23 km/h.
WALK, RIDE, RUN, DRIVE, FLY = 0.042, 0.155, 0.150, 0.130, 0.190
_MARGIN = 14.0  # beyond the frame's edge nothing of a pedestrian is in sight
_TOPS: list[Colour] = [(218, 212, 200), (212, 190, 104), (182, 80, 64), (80, 122, 174), (92, 138, 92)]
_DARK: list[Colour] = [(62, 68, 100), (88, 62, 64), (56, 82, 74), (74, 74, 80), (94, 72, 56)]
_CART: Colour = (206, 208, 198)
_BALL: Colour = (34, 32, 44)


class Stage:
    """The actors of one clip, added one after the other, and the random numbers they are drawn from."""

    def __init__(self, num_frames: int, size: tuple[int, int], rng: np.random.Generator) -> None:
        """An empty stage for frames of `size` (H, W)."""
        self.rng = rng
        self.time = np.arange(num_frames)
        self.width = SCENE_HEIGHT * size[1] / size[0]
        self.actors: list[Actor] = []
        self.events: list[tuple[Actor, str]] = []  # the abnormal actors and their kind

    def between(self, low: float, high: float) -> float:
        """A random number in [low, high], in steps of 1/4096 of the range."""
        return low + (high - low) * int(self.rng.integers(4097)) / 4096

    def add_normal_traffic(self) -> None:
        """The lamp post, cyclists in the lane, and one to three pedestrians or pairs on each walkway."""
        post = self._path(np.full(len(self.time), 0.78 * self.width), LANE[1] + 2.0, -1)
        self._add(bodies.lamp_post(post), post)
        self._add_lane_cyclists()
        for walk in (FAR_WALK, NEAR_WALK):
            self._add_walkers(walk, crowd=int(self.rng.integers(1, 4)))

    def add_event(self, kind: str, first: int, heading: int, walk: tuple[float, float]) -> None:
        """An abnormal event of one of EVENT_KINDS, whose object comes to the frame's edge at frame `first`.

        `walk`: the rows it keeps to. A lane walker is in sight before and steps from the near walkway into the
        lane at `first`, whatever the rows.
        """
        row = self.between(walk[0] + 5.0, walk[1] - 7.0)
        match kind:
            case "walkway cyclist" | "wrong-way cyclist":
                self._add_cyclist(self._entering(first, row, heading, RIDE), kind)
            case "runner":
                path = self._entering(first, row, heading, RUN)
                self._add(bodies.pedestrian(path, self._look(), 0.0, stride=1.25, swing=0.62), path, event=kind)
            case "cart":
                path = self._entering(first, row, heading, DRIVE, margin=18.0)
                self._add(bodies.cart(path, self._pick(_DARK), _CART), path, shadow=0.7, event=kind)
            case "lane walker":
                self._add_lane_walker(first, heading, kind)
            case "thrown ball":
                self._add_ball(self._entering(first, row, heading, FLY, margin=3.0), first, kind)

    def _add_lane_cyclists(self) -> None:
        """One after the other, some in pairs, so that hardly a frame is without one in full sight."""
        reach = RIDE * float(person_height(LANE[1])) * len(self.time) + _MARGIN
        start = self.width - self.between(0.0, 50.0)
        while start > -reach:
            row, pace = self.between(LANE[0] + 5.0, LANE[1] - 2.0), RIDE * self.between(0.98, 1.02)
            self._add_cyclist(self._straight(start, row, 1, pace))
            start -= self.between(38.0, 80.0) if self.rng.integers(4) else self.between(20.0, 25.0)

    def _add_walkers(self, walk: tuple[float, float], crowd: int) -> None:
        """About `crowd` pedestrians or pairs in sight at any time, in both directions."""
        reach = WALK * float(person_height(sum(walk) / 2)) * len(self.time)
        span = self.width + 2 * _MARGIN
        for _ in range(round(crowd * (1.0 + reach / span) / 1.5)):
            heading = 1 if self.rng.integers(2) else -1
            start = self.between(-reach, span) - _MARGIN if heading > 0 else self.between(0.0, span + reach) - _MARGIN
            row, pace = self.between(walk[0] + 3.0, walk[1] - 4.0), WALK * self.between(0.94, 1.06)
            self._add_walker(self._straight(start, row, heading, pace))
            if self.rng.integers(2):
                beside = start + self.between(-4.0, 4.0)
                self._add_walker(self._straight(beside, min(row + 3.0, walk[1] - 1.0), heading, pace))

    def _add_walker(self, path: Path) -> None:
        self._add(bodies.pedestrian(path, self._look(), self.between(0.0, 1.0)), path)

    def _add_cyclist(self, path: Path, event: str | None = None) -> None:
        parts = bodies.cyclist(path, self._look(), self.between(0.0, 1.0))
        self._add(parts, path, shadow=0.42, event=event)

    def _add_lane_walker(self, first: int, heading: int, event: str) -> None:
        """A pedestrian with a bicycle steps from the near walkway into the lane, walks along it and steps back."""
        stay, slant, depth = 0.40 * len(self.time), 0.6, 11.0  # frames, rows per frame, rows
        steps = (np.clip((self.time - start) * slant, 0.0, depth) for start in (first, first + stay))
        row = LANE[1] + slant - next(steps) + next(steps)
        pace = WALK * float(person_height(LANE[1] - depth))
        middle = self.width * self.between(0.4, 0.6)
        path = self._path(middle + heading * pace * (self.time - first - stay / 2), row, heading)
        parts = bodies.walked_bicycle(path, self._look(), self.between(0.0, 1.0))
        self._add(parts, path, shadow=0.42, event=event, abnormal=row < LANE[1])

    def _add_ball(self, path: Path, first: int, event: str) -> None:
        """A ball thrown along a walkway that bounces every 18 frames, the first time after six."""
        beat = ((self.time - first + 12) % 18) / 18.0
        parts = bodies.ball(path, 0.2 + 3.4 * beat * (1.0 - beat), _BALL)
        self._add(parts, path, shadow=0.15, event=event)

    def _entering(self, first: int, row: float, heading: int, pace: float, margin: float = 9.0) -> Path:
        """A straight path that comes within `margin` of the frame's edge at frame `first`."""
        edge = -margin if heading > 0 else self.width + margin
        return self._straight(edge - heading * pace * float(person_height(row)) * first, row, heading, pace)

    def _straight(self, start: float, row: float, heading: int, pace: float) -> Path:
        """Along a row from x = start, at `pace` body heights per frame."""
        return self._path(start + heading * pace * float(person_height(row)) * self.time, row, heading)

    def _path(self, x: np.ndarray, row: float | np.ndarray, heading: int) -> Path:
        rows = np.broadcast_to(np.asarray(row, np.float64), x.shape)
        return Path(np.stack([x, ground_y(rows, x, self.width)], axis=1), person_height(rows), heading)

    def _pick(self, colours: list[Colour]) -> Colour:
        return colours[int(self.rng.integers(len(colours)))]

    def _look(self) -> Look:
        return Look(self._pick(_TOPS), self._pick(_DARK), self._pick(_DARK))

    def _add(
        self,
        parts: list[Part],
        path: Path,
        *,
        shadow: float = 0.22,
        event: str | None = None,
        abnormal: np.ndarray | None = None,
    ) -> None:
        """Number the actor and put it on the stage; the post comes first, so it gets track 0."""
        always = np.full(len(self.time), event is not None)
        outline = bodies.ground_shadow(path, shadow)
        flags = always if abnormal is None else abnormal
        actor = Actor(parts, outline, path.feet[:, 1], flags, track=len(self.actors))
        self.actors.append(actor)
        if event:
            self.events.append((actor, event))
