"""People on foot in the generated scenes, seen from the side, from the front and from the back."""

import numpy as np

from data_prep.scenes.parts import HAIR, METAL, SKIN, Body, Look, Part, Path, light, shade, sine


def pedestrian(path: Path, look: Look, phase: float, stride: float = 0.85, swing: float = 0.42) -> list[Part]:
    """A walker seen from the side: pack on the back, light front and face ahead, legs and arms that swing.

    `phase` in turns; `stride`: the way of one turn of the legs, in body heights; `swing`: sine of the widest
    angle of the thigh.
    """
    body = Body(path)
    turns = phase + np.abs(path.feet[:, 0] - path.feet[0, 0]) / (stride * path.height)
    lean = 0.10 if swing > 0.5 else 0.02
    hip, neck = body.at(0.0, 0.50), body.at(lean, 0.80)
    far, near = body.leg(hip, turns + 0.5, swing), body.leg(hip, turns, swing)
    return [
        body.arm(neck, sine(turns) * swing, shade(look.top, 0.6)),
        *body.limbs(far, (0.062, 0.05, 0.036), shade(look.legs, 0.6)),
        body.limb(body.at(lean - 0.13, 0.75), body.at(lean / 2 - 0.12, 0.57), 0.075, 0.07, look.pack),
        body.limb(neck, body.at(0.0, 0.52), 0.095, 0.085, look.top),
        body.limb(body.at(lean + 0.05, 0.79), body.at(0.04, 0.55), 0.045, 0.04, light(look.top)),
        *body.limbs(near, (0.068, 0.054, 0.038), look.legs),
        body.disc(body.at(lean * 1.4, 0.925), 0.078, HAIR),
        body.disc(body.at(lean * 1.4 + 0.03, 0.915), 0.058, SKIN),
        body.arm(neck, -sine(turns) * swing, shade(look.top, 0.8)),
    ]


def depth_walker(path: Path, look: Look, turns: np.ndarray, *, towards: bool) -> list[Part]:
    """A walker seen from the front (`towards` the camera: face and light front) or from the back (pack, hair).

    turns: (T,) of the legs. Feet lift in turn, arms sway against them; every part keeps its shape.
    """
    body = Body(path)
    shins, rest = [], []
    for side, beat in ((-1, sine(turns)), (1, -sine(turns))):
        lift, sway = 0.10 * np.maximum(beat, 0.0), 0.05 * beat
        hip, knee, foot = body.at(side * 0.055, 0.51), body.at(side * 0.06, 0.29), body.at(side * 0.065, 0.04 + lift)
        shoulder, hand = body.at(side * 0.125, 0.78 - sway), body.at(side * 0.16, 0.48 - sway)
        shins.append(body.limb(body.at(side * 0.06, 0.29 + lift), foot, 0.052, 0.04, look.legs))
        rest.append(body.limb(hip, knee, 0.07, 0.058, shade(look.legs, 0.9)))
        rest.append(body.limb(shoulder, hand, 0.042, 0.034, shade(look.top, 0.75)))
    pack = body.limb(body.at(0.0, 0.755), body.at(0.0, 0.60), 0.095, 0.095, look.pack)
    front = body.limb(body.at(0.0, 0.79), body.at(0.0, 0.55), 0.055, 0.05, light(look.top))
    return [
        *shins,
        *rest,
        body.limb(body.at(0.0, 0.775), body.at(0.0, 0.55), 0.118, 0.098, look.top),
        front if towards else pack,
        body.disc(body.at(0.0, 0.93), 0.08, HAIR),
        *([body.disc(body.at(0.0, 0.91), 0.066, SKIN)] if towards else []),
    ]


def skater(path: Path, look: Look) -> list[Part]:
    """A pedestrian who stands on a skateboard and rolls along."""
    board = Body(path)
    above = Path(path.feet - np.array([0.0, 0.10]) * path.height[:, None], path.height, path.heading)
    return [
        *(board.disc(board.at(x, 0.035), 0.035, METAL) for x in (-0.2, 0.2)),
        board.box((-0.34, 0.10), (0.34, 0.05), METAL),
        *pedestrian(above, look, 0.12, stride=1e9),
    ]
