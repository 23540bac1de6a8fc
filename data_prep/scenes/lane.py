"""The scene that mirrors UCSD Ped2: people of nearly one size on two walkways, cyclists in the lane between.

Seen a little from the side. A facade, a hedge and a lawn are behind, a lawn in front.
"""

import numpy as np

from data_prep.scenes import actors
from data_prep.scenes.backdrop import Backdrop, View
from data_prep.scenes.stage import DRIVE, FLY, RIDE, RUN, WALK, Camera, Planned, Rows, Scene, Stage

VIEW = View(row=34.0, height=18.0, rise=10.0 / 56.0, slope=1 / 16)  # people are 18.4 to 28.4 units high
FAR_WALK, LANE, NEAR_WALK = (34.0, 51.0), (52.0, 68.0), (69.0, 93.0)  # rows of the walkways and the cycle lane
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
_CART = (206, 208, 198)
_BALL = (34, 32, 44)
_VANISHING = -110.0  # row where the joints of the pavement meet


def _paint(drop: Backdrop) -> None:
    """Brick facade, hedge, lawn, and slabs with a lane of red asphalt."""
    along = (drop.x - drop.width / 2) * 180.0 / (drop.row - _VANISHING)  # lines of equal `along` lead into the depth
    drop.levels[:] = (172, 166, 156)
    courses = ((drop.row - _VANISHING) * (drop.row - _VANISHING) / 1500.0) % 1.0 < 0.16
    drop.paint((courses | (along % 13.0 < 0.9)) & (drop.row > FAR_WALK[0]), (146, 140, 132))
    for kerb in (FAR_WALK[0] - 1.0, NEAR_WALK[1]):
        drop.paint(drop.band(kerb, kerb + 1.2), (196, 192, 184))
    _paint_lane(drop, along)
    drop.paint((drop.row < FAR_WALK[0] - 1.0) | (drop.row >= NEAR_WALK[1] + 1.2), (104, 134, 74))
    drop.paint(drop.row < 28.0, (58, 86, 50))
    drop.paint(drop.band(26.8, 28.6), (44, 62, 40))
    wall = drop.row < 18.0 + drop.coarse * 2.0 / 256  # with the uneven top of the hedge
    drop.paint(wall, (142, 104, 88))
    drop.paint(wall & (drop.row % 2.4 < 0.8), (130, 94, 80))
    place = (drop.x + 5.0) % 24.0
    pane = wall & (drop.row > 2.0) & (drop.row < 13.5)
    frame = wall & (drop.row > 1.0) & (drop.row < 14.5)
    drop.paint(frame & (place < 14.0), (196, 190, 178))
    drop.paint(pane & (place >= 1.2) & (place < 12.8), (74, 92, 108))
    drop.paint(frame & (place >= 6.4) & (place < 7.4), (196, 190, 178))
    drop.rough[:] = np.where((drop.row < 33.0) | (drop.row > 93.5), 22, 7)


def _paint_lane(drop: Backdrop, along: np.ndarray) -> None:
    """Red asphalt between two white lines, with arrows that show the only direction allowed: to the right."""
    inside, mark = drop.band(LANE[0] - 1.0, LANE[1] + 1.0), (226, 222, 212)
    drop.paint(inside, (128, 92, 84))
    drop.paint(inside & ~drop.band(*LANE), mark)
    off, place = np.abs(drop.row - 60.0), (along + 17.0) % 62.0
    shaft = (place < 13.0) & (off < 0.8)
    head = (place >= 11.0) & (place + 2.4 * off < 21.0) & (off < 3.4)
    drop.paint(inside & (shaft | head), mark)


def _add_traffic(stage: Stage) -> None:
    """The lamp post, cyclists in the lane, and pedestrians on each walkway."""
    stage.add_fixed(actors.lamp_post, 0.78, LANE[1] + 2.0, heading=-1)
    stage.add_lane_cyclists(LANE)
    stage.add_walkers(FAR_WALK)
    stage.add_walkers(NEAR_WALK)


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
            stage.add_cart(stage.entering(first, row, heading, stage.fast(DRIVE), margin=18.0), _CART, kind)
        case "lane walker":
            _add_lane_walker(stage, first, heading, kind)
        case "thrown ball":  # bounces every 18 frames, the first time after six
            body = stage.entering(first, row, heading, stage.fast(FLY), margin=3.0)
            beat = ((stage.time - first + 12) % 18) / 18.0
            stage.add(actors.ball(body, 0.2 + 3.4 * beat * (1.0 - beat), _BALL), body, shadow=0.15, event=kind)


def _add_lane_walker(stage: Stage, first: int, heading: int, event: str) -> None:
    """A pedestrian with a bicycle steps from the near walkway into the lane, walks along it and steps back."""
    stay, slant, depth = 0.40 * len(stage.time), 0.6, 11.0  # frames, rows per frame, rows
    steps = (np.clip((stage.time - start) * slant, 0.0, depth) for start in (first, first + stay))
    row = LANE[1] + slant - next(steps) + next(steps)
    pace = WALK * VIEW.person_height(LANE[1] - depth)
    middle = stage.width * stage.between(0.4, 0.6)
    body = stage.body(middle + heading * pace * (stage.time - first - stay / 2), row, heading)
    parts = actors.walked_bicycle(body, stage.look(), stage.between(0.0, 1.0))
    stage.add(parts, body, shadow=0.42, event=event, abnormal=row < LANE[1])


SCENE = Scene(
    seeds=(),
    cameras=(Camera(VIEW, _paint, _add_traffic, _PLAN),),
    add_event=_add_event,
    starts=(0.08, 0.26),
    clip_name=lambda split, _, number: f"{split.capitalize()}{number:03d}",
)
