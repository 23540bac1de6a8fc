"""The scene that mirrors CUHK Avenue: a plaza before a station, seen from eye level, in colour.

People are 23 to 47 units high, as far or near as they are, and larger where they leave the frame below; on Avenue,
too, they are up to half as high as the frame. Normal: they keep to one side, walking across to the left farther away
and to the right near the camera, and go away from it on the dark strip that leads into the door, which is for
entering only. Abnormal: KINDS.
"""

import numpy as np

from data_prep.scenes import actors
from data_prep.scenes.backdrop import Backdrop, View
from data_prep.scenes.stage import RUN, WALK, Camera, Planned, Rows, Scene, Stage

KINDS = ("runner", "thrown bag", "wrong-way walker", "walked bicycle")
_VIEW = View(row=36.0, height=23.0, rise=0.45)
_FOCAL = 100.0  # focal length in scene units, for motion into the depth
_DOOR = 37.0  # row
_INSIDE = 22.1  # units: so high are people who have come to a stand behind the door
_FAR, _MIDDLE, _NEAR = (37.0, 49.0), (50.0, 66.0), (68.0, 90.0)
_PLAN: list[list[Planned]] = [  # all but the wrong-way walkers, who keep to the strip, go as people do in these rows
    [("runner", -1, _MIDDLE)],
    [("thrown bag", 1, _NEAR)],
    [("wrong-way walker", 1, _FAR)],
    [("walked bicycle", -1, _MIDDLE)],
    [("runner", 1, _NEAR)],
    [("thrown bag", -1, _MIDDLE)],
    [("wrong-way walker", 1, _FAR)],
    [("walked bicycle", 1, _NEAR)],
    [("runner", 1, _NEAR), ("runner", -1, _MIDDLE)],
    [("thrown bag", -1, _MIDDLE)],
    [("wrong-way walker", 1, _FAR)],
    [("walked bicycle", 1, _NEAR)],
]
_THROW = 20  # frames from hand to hand
_BAG = (196, 72, 52)
_WHITE = (206, 210, 210)


def _paint(drop: Backdrop) -> None:
    """Station front with stairs, gates and roof; paving with the strip to the door; a lawn."""
    middle = drop.width / 2
    drop.paint(drop.band(-99, 37), (96, 116, 134), 4)
    drop.paint(drop.band(9, 37) & (np.abs(drop.x - middle) < 34), (66, 74, 84), 4)
    drop.windows(13, 32, 16.0, (120, 144, 150), (176, 178, 172), start=6.0)
    stairs = drop.band(9, 37) & (drop.x < 36)
    drop.paint(stairs, (150, 142, 126), 4)
    drop.paint(stairs & ((drop.row + 0.45 * drop.x) % 4.0 < 1.4), (112, 106, 98), 4)
    drop.paint(drop.band(9, 37) & (np.abs(drop.x - middle) < 15), (168, 166, 156), 3)
    drop.paint(drop.band(-99, 7), (196, 196, 190), 4)
    drop.paint(drop.band(2, 3.6) & (drop.x % 40.0 < 22.0), (244, 242, 226), 2)
    drop.paint(drop.band(7, 9), (128, 130, 130), 4)
    ground = drop.band(36.5, 999)
    drop.pave(ground, (178, 170, 156), (158, 150, 138), (0.42, 0.55))
    strip = ground & (np.abs(drop.aside) < 1.05)
    drop.pave(strip, (138, 118, 106), (124, 106, 96), (0.42, 0.7))
    arrow = strip & (np.abs(drop.aside) < 0.42) & ((drop.far + 0.9 * np.abs(drop.aside)) % 1.3 < 0.22)
    drop.paint(arrow, (206, 196, 180))
    drop.paint(drop.row > 90.0 + 0.10 * drop.x, (104, 130, 72), 22)


def _add_traffic(stage: Stage) -> None:
    """Two pillars and the door, people across at three distances, and every few seconds one who walks into the door."""
    for x in (0.22, 0.80):
        stage.add_fixed(actors.pillar, x, 48.0, _WHITE)
    stage.add_fixed(actors.doorway, 0.5, _DOOR, shadow=0.1)
    for rows, heading in ((_FAR, -1), (_MIDDLE, -1), (_NEAR, 1)):
        stage.add_walkers(rows, most=2, one_way=heading)
    first = -100.0 + stage.between(0.0, 40.0)
    while first < len(stage.time):
        pace = WALK * stage.between(0.94, 1.06)
        _add_depth_walker(stage, stage.between(-0.55, 0.55), 60.0, int(first), pace)
        first += stage.between(30.0, 70.0) / stage.difficulty.crowd


def _add_depth_walker(stage: Stage, aside: float, height: float, first: int, pace: float, event: str = "") -> None:
    """Straight away from the camera until the height is _INSIDE, or towards it with a pace below 0.

    aside: body heights to the right of the middle of the view; height: at frame `first`. Those who would be behind the
    camera are held beside it, out of sight.
    """
    farness = 1.0 / height + pace * (stage.time - first) / _FOCAL  # distance over focal length: 1 / height
    heights = 1.0 / np.clip(farness, 1.0 / 500.0, 1.0 / _INSIDE)
    rows = _VIEW.row + (heights - _VIEW.height) / _VIEW.rise
    body = stage.body(stage.width / 2 + aside * heights, rows, 1)
    turns = stage.between(0.0, 1.0) + stage.time * (abs(pace) / 0.85)
    stage.add(actors.depth_walker(body, stage.look(), turns, towards=pace < 0), body, event=event)


def _add_event(stage: Stage, kind: str, first: int, heading: int, rows: Rows) -> None:
    """An abnormal event of one of KINDS that begins at about frame `first`.

    Runners come from the frame's edge; a bag flies to and fro between two walkers who are in sight before; a
    wrong-way walker comes out of the door; a bicycle is walked across.
    """
    row = stage.between(rows[0] + 4.0, rows[1] - 5.0)
    match kind:
        case "runner":
            stage.add_runner(stage.entering(first, row, heading, stage.fast(RUN)), kind)
        case "thrown bag":
            _add_throwers(stage, first, heading, row, kind)
        case "wrong-way walker":
            aside = stage.between(-0.5, 0.5)
            _add_depth_walker(stage, aside, _VIEW.person_height(_DOOR), first, -WALK, kind)
        case "walked bicycle":
            body = stage.entering(first, row, heading, WALK)
            parts = actors.walked_bicycle(body, stage.look(), stage.between(0.0, 1.0))
            stage.add(parts, body, shadow=0.42, event=kind)


def _add_throwers(stage: Stage, first: int, heading: int, row: float, event: str) -> None:
    """Two walkers, one behind the other, and a bag that flies from hand to hand three times; else it is carried."""
    size, gap = _VIEW.person_height(row), 2.6
    start = stage.width * stage.between(0.4, 0.6) - heading * WALK * size * (first + 1.5 * _THROW)
    behind = stage.straight(start - heading * gap / 2 * size, row, heading, WALK)
    ahead = stage.straight(start + heading * gap / 2 * size, row, heading, WALK)
    stage.add_walker(behind)
    stage.add_walker(ahead)
    flown = np.clip((stage.time - first) / _THROW * stage.difficulty.pace, 0.0, 3.0)
    share = np.abs((flown + 1.0) % 2.0 - 1.0)  # from 0, behind, to 1, ahead, and back
    hand = 0.18 * heading * size
    body = stage.body(behind.feet[:, 0] + hand + share * (gap * size - 2 * abs(hand)) * heading, row + 0.5, heading)
    parts = actors.bag(body, 0.28 + 3.2 * share * (1.0 - share), _BAG)
    stage.add(parts, body, shadow=0.15, event=event, abnormal=(flown > 0.0) & (flown < 3.0))


SCENE = Scene(
    seeds=(1,),
    cameras=(Camera(_VIEW, _paint, _add_traffic, _PLAN),),
    add_event=_add_event,
    starts=(0.35, 0.55),
    clip_name=lambda _split, _camera, number: f"{number:02d}",
)
