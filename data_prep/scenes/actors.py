"""The parts of everything that moves or stands in the generated scenes: people, vehicles, thrown and fixed things."""

import numpy as np

from data_prep.scenes.parts import BARS, GLASS, HAIR, METAL, SKIN, Body, Colour, Look, Part, light, shade, sine


def pedestrian(body: Body, look: Look, phase: float, stride: float = 0.85, swing: float = 0.42) -> list[Part]:
    """A walker seen from the side: pack on the back, light front and face ahead, legs and arms that swing.

    `phase` in turns; `stride`: the way of one turn of the legs, in body heights; `swing`: sine of the widest
    angle of the thigh.
    """
    turns = phase + np.abs(body.feet[:, 0] - body.feet[0, 0]) / (stride * body.height)
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


def depth_walker(body: Body, look: Look, turns: np.ndarray, *, towards: bool) -> list[Part]:
    """A walker seen from the front (`towards` the camera: face and light front) or from the back (pack, hair).

    turns: (T,) of the legs. Feet lift in turn, arms sway against them; every part keeps its shape.
    """
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


def skater(body: Body, look: Look) -> list[Part]:
    """A pedestrian who stands on a skateboard and rolls along."""
    above = Body(body.feet - np.array([0.0, 0.10]) * body.height[:, None], body.height, body.heading)
    return [
        *(body.disc(body.at(x, 0.035), 0.035, METAL) for x in (-0.2, 0.2)),
        body.box((-0.34, 0.10), (0.34, 0.05), METAL),
        *pedestrian(above, look, 0.12, stride=1e9),
    ]


def cyclist(body: Body, look: Look, phase: float) -> list[Part]:
    """A rider leaning over the bars; pedals turn once in 2.2 body heights."""
    turns = phase + np.abs(body.feet[:, 0] - body.feet[0, 0]) / (2.2 * body.height)
    hip, neck, hands = body.at(-0.16, 0.58), body.at(0.12, 0.84), body.at(*BARS)
    return [
        *body.limbs(body.pedalling(hip, turns + 0.5), (0.06, 0.05, 0.036), shade(look.legs, 0.6)),
        *body.bicycle(),
        body.limb(body.at(-0.10, 0.84), body.at(-0.22, 0.68), 0.06, 0.06, look.pack),
        body.limb(neck, hip, 0.095, 0.085, look.top),
        body.disc(body.at(0.20, 0.965), 0.075, SKIN),
        body.limb(body.at(0.15, 1.005), body.at(0.21, 1.015), 0.055, 0.05, light(look.top)),
        *body.limbs(body.pedalling(hip, turns), (0.068, 0.055, 0.038), look.legs),
        *body.limbs((neck, body.at(0.17, 0.66), hands), (0.045, 0.038, 0.034), light(look.top)),
    ]


def walked_bicycle(body: Body, look: Look, phase: float) -> list[Part]:
    """A pedestrian who walks beside a bicycle, a hand on its bars."""
    return [
        *pedestrian(body, look, phase),
        *body.bicycle(),
        body.limb(body.at(0.02, 0.78), body.at(*BARS), 0.04, 0.034, light(look.top)),
    ]


def cart(body: Body, driver: Colour, paint: Colour) -> list[Part]:
    """An open utility cart with a roof on posts and a driver at the wheel."""
    seat, neck = body.at(0.02, 0.48), body.at(0.06, 0.76)
    return [
        body.limb(body.at(-0.60, 0.45), body.at(-0.58, 1.10), 0.022, 0.022, METAL),
        body.limb(body.at(0.50, 0.45), body.at(0.36, 1.10), 0.022, 0.022, METAL),
        body.limb(neck, seat, 0.095, 0.09, driver),
        body.disc(body.at(0.08, 0.90), 0.078, SKIN),
        body.limb(neck, body.at(0.34, 0.60), 0.04, 0.035, light(driver)),
        body.box((-0.78, 0.52), (0.20, 0.20), paint),
        body.box((0.16, 0.30), (0.50, 0.20), paint),
        body.box((0.46, 0.56), (0.68, 0.20), paint),
        body.limb(body.at(0.58, 0.46), body.at(0.42, 0.62), 0.05, 0.03, light(paint)),
        body.box((-0.70, 1.16), (0.46, 1.09), light(paint)),
        *(body.disc(body.at(x, 0.15), 0.15, METAL) for x in (-0.50, 0.42)),
        *(body.disc(body.at(x, 0.15), 0.07, GLASS) for x in (-0.50, 0.42)),
    ]


def ball(body: Body, bounce: np.ndarray, colour: Colour) -> list[Part]:
    """A ball `bounce` (T,) body heights above the ground."""
    centre = body.at(0.0, bounce + 0.21)
    return [body.disc(centre, 0.21, colour), body.disc(centre - 0.05 * body.size, 0.05, light(colour))]


def lamp_post(body: Body) -> list[Part]:
    """A fixed lamp on a post that hides what passes behind it."""
    return [
        body.limb(body.at(0.0, 0.02), body.at(0.0, 2.35), 0.036, 0.026, METAL),
        body.limb(body.at(0.0, 2.33), body.at(0.32, 2.40), 0.024, 0.024, METAL),
        body.limb(body.at(0.24, 2.37), body.at(0.44, 2.40), 0.05, 0.04, GLASS),
        body.limb(body.at(0.0, 0.03), body.at(0.0, 0.20), 0.06, 0.05, METAL),
    ]


def bag(body: Body, up: np.ndarray, colour: Colour) -> list[Part]:
    """A bag with a handle, `up` (T,) body heights above the ground."""
    return [
        body.disc(body.at(0.0, up + 0.46), 0.09, METAL, hole=0.05),
        body.limb(body.at(0.0, up + 0.31), body.at(0.0, up + 0.19), 0.15, 0.19, colour),
        body.limb(body.at(-0.10, up + 0.29), body.at(0.10, up + 0.29), 0.035, 0.035, light(colour)),
    ]


def pillar(body: Body, paint: Colour) -> list[Part]:
    """A round pillar that holds up a roof above the frame."""
    return [
        body.limb(body.at(0.0, 0.02), body.at(0.0, 4.0), 0.13, 0.13, paint),
        body.limb(body.at(-0.06, 0.02), body.at(-0.06, 4.0), 0.03, 0.03, light(paint)),
        body.limb(body.at(-0.10, 0.03), body.at(0.10, 0.03), 0.08, 0.08, shade(paint, 0.6)),
    ]


def doorway(body: Body) -> list[Part]:
    """The dark inside of an open door: who walks in is gone."""
    return [body.box((-0.75, 1.2), (0.75, 0.0), (38, 40, 46))]


def tree(body: Body, paint: Colour) -> list[Part]:
    """A young tree."""
    return [
        body.limb(body.at(0.0, 0.0), body.at(0.0, 1.3), 0.07, 0.05, (92, 74, 58)),
        *(body.disc(body.at(x, y), r, shade(paint, 0.8)) for x, y, r in ((-0.34, 1.35, 0.36), (0.36, 1.4, 0.36))),
        body.disc(body.at(0.0, 1.7), 0.48, paint),
        body.disc(body.at(-0.14, 1.82), 0.2, light(paint)),
    ]


def bench(body: Body) -> list[Part]:
    """A bench of wood on metal feet, seen from the front."""
    wood = (146, 108, 74)
    return [
        *(body.box((x, 0.30), (x + 0.06, 0.0), METAL) for x in (-0.62, 0.56)),
        body.box((-0.75, 0.56), (0.75, 0.40), wood),
        body.box((-0.75, 0.34), (0.75, 0.26), light(wood)),
    ]
