"""The scene that mirrors ShanghaiTech: several cameras on one campus, each with its own view, in colour.

Normal: pedestrians on the walkways; where a camera sees a cycle lane, cyclists in it, always in its direction.
Abnormal, at every camera: KINDS, on the walkways.
"""

from data_prep.scenes import actors
from data_prep.scenes.backdrop import Backdrop, View
from data_prep.scenes.stage import DRIVE, RIDE, RUN, Camera, Planned, Rows, Scene, Stage

KINDS = ("walkway cyclist", "cart", "chase", "skater")
SKATE = 0.110  # body heights per frame
_CHASE_GAP = 1.7  # body heights between the two
_CART = (222, 206, 120)

_STREET = View(row=40.0, height=15.0, rise=0.24, slope=1 / 14)
_STREET_FAR, _STREET_LANE, _STREET_NEAR = (37.0, 55.0), (56.0, 72.0), (73.0, 94.0)
_PARK = View(row=30.0, height=15.0, rise=0.09, slope=-1 / 6)
_PARK_FAR, _PARK_NEAR = (34.0, 58.0), (56.0, 82.0)
_HALL = View(row=44.0, height=16.0, rise=0.42)
_HALL_LANE, _HALL_FAR, _HALL_NEAR = (42.0, 56.0), (58.0, 73.0), (74.0, 95.0)


def _plan(far: Rows, near: Rows, heading: int) -> list[list[Planned]]:
    """One test clip of each kind, on the far and the near walkway in turn and in both directions."""
    return [
        [("walkway cyclist", heading, near)],
        [("cart", -heading, far)],
        [("chase", -heading, near)],
        [("skater", heading, far)],
    ]


def _paint_street(drop: Backdrop) -> None:
    """A yellow house with a hedge, red pavers, an asphalt lane with white dashes."""
    drop.paint(drop.band(-99, 24), (206, 184, 132), 5)
    drop.windows(-6, 15, 19.0, (84, 104, 122), (232, 226, 210))
    drop.paint(drop.band(18, 20), (176, 152, 106), 5)
    drop.paint(drop.band(24, 35), (62, 96, 56), 22)
    drop.paint(drop.band(33.5, 35), (44, 62, 40), 14)
    drop.pave(drop.band(35, 95), (170, 138, 120), (146, 116, 102), (0.5, 0.7))
    lane = drop.band(_STREET_LANE[0] - 1, _STREET_LANE[1] + 1)
    drop.paint(lane, (88, 92, 98), 10)
    drop.paint(lane & ~drop.band(*_STREET_LANE), (224, 222, 214))
    drop.paint(lane & drop.band(63.5, 64.8) & (drop.x % 22.0 < 11.0), (224, 222, 214))
    drop.paint(drop.band(95, 999), (104, 134, 74), 22)


def _paint_park(drop: Backdrop) -> None:
    """Lawns with a broad path of pale slabs across them, from above."""
    drop.paint(drop.band(-99, 999), (96, 132, 66), 24)
    drop.paint(drop.band(8, 13), (186, 176, 150), 10)
    drop.paint(drop.band(-99, -4), (60, 92, 54), 30)
    drop.pave(drop.band(33, 83), (190, 186, 176), (164, 160, 152), (0.42, 0.75))
    for edge in (32, 83):
        drop.paint(drop.band(edge, edge + 1.4), (140, 136, 128))
    for x, row in ((46.0, 48.0), (118.0, 68.0)):
        cover = ((drop.x - x) / 5.0) * ((drop.x - x) / 5.0) + ((drop.row - row) / 2.4) * ((drop.row - row) / 2.4)
        drop.paint(cover < 1.0, (134, 128, 122))
        drop.paint((cover < 0.6) & (drop.x % 2.0 < 1.0), (112, 108, 104))


def _paint_hall(drop: Backdrop) -> None:
    """A hall of glass behind a blue cycle lane, and gray slabs up to the camera."""
    drop.paint(drop.band(-99, 36), (126, 160, 172), 5)
    drop.paint(drop.band(-99, 36) & (drop.coarse > 60), (148, 180, 188), 5)
    drop.paint(drop.band(-99, 36) & ((drop.x + 3.0) % 14.0 < 1.3), (74, 82, 88), 3)
    drop.paint(drop.band(10, 11.4) | drop.band(22, 23.4), (74, 82, 88), 3)
    drop.paint(drop.band(34, 38), (126, 124, 120), 4)
    drop.paint(drop.band(38, 41), (84, 118, 66), 22)
    drop.paint(drop.band(41, 57), (86, 108, 142), 8)
    drop.paint(drop.band(41, 42) | drop.band(56, 57.2), (226, 226, 220))
    drop.pave(drop.band(57.2, 999), (158, 158, 158), (134, 134, 136), (0.3, 0.8))


def _street_traffic(stage: Stage) -> None:
    stage.add_fixed(actors.lamp_post, 0.24, _STREET_LANE[1] + 1.5)
    stage.add_lane_cyclists(_STREET_LANE, heading=-1)
    stage.add_walkers(_STREET_FAR)
    stage.add_walkers(_STREET_NEAR)


def _park_traffic(stage: Stage) -> None:
    for x, row, paint in ((0.16, 90.0, (70, 116, 58)), (0.66, 88.0, (84, 122, 54)), (0.9, 24.0, (66, 104, 60))):
        stage.add_fixed(actors.tree, x, row, paint, shadow=0.5)
    for walk in (_PARK_FAR, _PARK_NEAR, _PARK_FAR, _PARK_NEAR):
        stage.add_walkers(walk)


def _hall_traffic(stage: Stage) -> None:
    stage.add_fixed(actors.bench, 0.3, 57.5, shadow=0.6)
    stage.add_lane_cyclists(_HALL_LANE)
    stage.add_walkers(_HALL_FAR)
    stage.add_walkers(_HALL_NEAR)


def _add_event(stage: Stage, kind: str, first: int, heading: int, rows: Rows) -> None:
    """An abnormal event of one of KINDS that comes to the frame's edge at frame `first`; a chase has two people."""
    row = stage.between(rows[0] + 4.0, rows[1] - 6.0)
    match kind:
        case "walkway cyclist":
            stage.add_cyclist(stage.entering(first, row, heading, stage.fast(RIDE)), kind)
        case "cart":
            stage.add_cart(stage.entering(first, row, heading, stage.fast(DRIVE), margin=18.0), _CART, kind)
        case "chase":
            pace = stage.fast(RUN)
            for behind, aside in ((0.0, 0.0), (_CHASE_GAP, 1.5)):
                stage.add_runner(stage.entering(first + round(behind / pace), row + aside, heading, pace), kind)
        case "skater":
            body = stage.entering(first, row, heading, stage.fast(SKATE))
            stage.add(actors.skater(body, stage.look()), body, event=kind)


SCENE = Scene(
    seeds=(2,),
    cameras=(
        Camera(_STREET, _paint_street, _street_traffic, _plan(_STREET_FAR, _STREET_NEAR, 1)),
        Camera(_PARK, _paint_park, _park_traffic, _plan(_PARK_FAR, _PARK_NEAR, -1)),
        Camera(_HALL, _paint_hall, _hall_traffic, _plan(_HALL_FAR, _HALL_NEAR, 1)),
    ),
    add_event=_add_event,
    starts=(0.30, 0.50),
    clip_name=lambda split, camera, number: f"{camera:02d}_{number:0{3 if split == 'train' else 4}d}",
)
