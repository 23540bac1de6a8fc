"""The scene that mirrors UCSD Ped2: people of nearly one size on two walkways, cyclists in the lane between."""

import numpy as np

from data_prep.scenes import things
from data_prep.scenes.ground import FAR_WALK, LANE, NEAR_WALK, VIEW, draw_ground
from data_prep.scenes.parts import Colour, Path
from data_prep.scenes.stage import DARK, DRIVE, FLY, RIDE, RUN, WALK, Camera, Planned, Rows, Scene, Stage

KINDS = ("walkway cyclist", "wrong-way cyclist", "runner", "cart", "lane walker", "thrown ball")
_PLAN: list[list[Planned]] = [
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
_CART: Colour = (206, 208, 198)
_BALL: Colour = (34, 32, 44)


def _add_traffic(stage: Stage) -> None:
    """The lamp post, cyclists in the lane, and one to three pedestrians or pairs on each walkway."""
    post = stage.path(np.full(len(stage.time), 0.78 * stage.width), LANE[1] + 2.0, -1)
    stage.add_fixed(things.lamp_post(post), post)
    stage.add_lane_cyclists(LANE)
    for walk in (FAR_WALK, NEAR_WALK):
        stage.add_walkers(walk, crowd=int(stage.rng.integers(1, 4)))


def _add_event(stage: Stage, kind: str, first: int, heading: int, walk: Rows) -> None:
    """An abnormal event of one of KINDS, whose object comes to the frame's edge at frame `first`.

    `walk`: the rows it keeps to. A lane walker is in sight before and steps from the near walkway into the
    lane at `first`, whatever the rows.
    """
    row = stage.between(walk[0] + 5.0, walk[1] - 7.0)
    match kind:
        case "walkway cyclist" | "wrong-way cyclist":
            stage.add_cyclist(stage.entering(first, row, heading, stage.fast(RIDE)), kind)
        case "runner":
            stage.add_runner(stage.entering(first, row, heading, stage.fast(RUN)), kind)
        case "cart":
            path = stage.entering(first, row, heading, stage.fast(DRIVE), margin=18.0)
            stage.add(things.cart(path, stage.pick(DARK), _CART), path, shadow=0.7, event=kind)
        case "lane walker":
            _add_lane_walker(stage, first, heading, kind)
        case "thrown ball":
            _add_ball(stage, stage.entering(first, row, heading, stage.fast(FLY), margin=3.0), first, kind)


def _add_lane_walker(stage: Stage, first: int, heading: int, event: str) -> None:
    """A pedestrian with a bicycle steps from the near walkway into the lane, walks along it and steps back."""
    stay, slant, depth = 0.40 * len(stage.time), 0.6, 11.0  # frames, rows per frame, rows
    steps = (np.clip((stage.time - start) * slant, 0.0, depth) for start in (first, first + stay))
    row = LANE[1] + slant - next(steps) + next(steps)
    pace = WALK * float(VIEW.person_height(LANE[1] - depth))
    middle = stage.width * stage.between(0.4, 0.6)
    path = stage.path(middle + heading * pace * (stage.time - first - stay / 2), row, heading)
    parts = things.walked_bicycle(path, stage.look(), stage.between(0.0, 1.0))
    stage.add(parts, path, shadow=0.42, event=event, abnormal=row < LANE[1])


def _add_ball(stage: Stage, path: Path, first: int, event: str) -> None:
    """A ball thrown along a walkway that bounces every 18 frames, the first time after six."""
    beat = ((stage.time - first + 12) % 18) / 18.0
    parts = things.ball(path, 0.2 + 3.4 * beat * (1.0 - beat), _BALL)
    stage.add(parts, path, shadow=0.15, event=event)


SCENE = Scene(
    number=0,
    kinds=KINDS,
    cameras=(Camera(VIEW, draw_ground, _add_traffic, _add_event, _PLAN, starts=(0.08, 0.26)),),
    clip_name=lambda split, _, number: f"{split.capitalize()}{number:03d}",
)
