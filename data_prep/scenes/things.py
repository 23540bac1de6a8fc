"""Vehicles with their riders, thrown things, and fixed things that hide what passes behind them."""

import numpy as np

from data_prep.scenes.parts import BARS, CRANK, GLASS, METAL, SKIN, Body, Colour, Look, Part, Path, light, shade
from data_prep.scenes.people import pedestrian


def cyclist(path: Path, look: Look, phase: float) -> list[Part]:
    """A rider leaning over the bars; pedals turn once in 2.2 body heights."""
    body = Body(path)
    turns = phase + np.abs(path.feet[:, 0] - path.feet[0, 0]) / (2.2 * path.height)
    hip, neck, hands = body.at(-0.16, 0.58), body.at(0.12, 0.84), body.at(*BARS)
    crank = body.at(*CRANK)
    return [
        *body.limbs(body.pedalling(hip, crank, turns + 0.5), (0.06, 0.05, 0.036), shade(look.legs, 0.6)),
        *body.bicycle(),
        body.limb(body.at(-0.10, 0.84), body.at(-0.22, 0.68), 0.06, 0.06, look.pack),
        body.limb(neck, hip, 0.095, 0.085, look.top),
        body.disc(body.at(0.20, 0.965), 0.075, SKIN),
        body.limb(body.at(0.15, 1.005), body.at(0.21, 1.015), 0.055, 0.05, light(look.top)),
        *body.limbs(body.pedalling(hip, crank, turns), (0.068, 0.055, 0.038), look.legs),
        *body.limbs((neck, body.at(0.17, 0.66), hands), (0.045, 0.038, 0.034), light(look.top)),
    ]


def walked_bicycle(path: Path, look: Look, phase: float) -> list[Part]:
    """A pedestrian who walks beside a bicycle, a hand on its bars."""
    body = Body(path)
    return [
        *pedestrian(path, look, phase),
        *body.bicycle(),
        body.limb(body.at(0.02, 0.78), body.at(*BARS), 0.04, 0.034, light(look.top)),
    ]


def cart(path: Path, driver: Colour, paint: Colour) -> list[Part]:
    """An open utility cart with a roof on posts and a driver at the wheel."""
    body = Body(path)
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


def ball(path: Path, bounce: np.ndarray, colour: Colour) -> list[Part]:
    """A ball `bounce` (T,) body heights above the ground."""
    body = Body(path)
    centre = body.at(0.0, bounce + 0.21)
    return [body.disc(centre, 0.21, colour), body.disc(centre - 0.05 * body.size, 0.05, light(colour))]


def lamp_post(path: Path) -> list[Part]:
    """A fixed lamp on a post that hides what passes behind it."""
    body = Body(path)
    return [
        body.limb(body.at(0.0, 0.02), body.at(0.0, 2.35), 0.036, 0.026, METAL),
        body.limb(body.at(0.0, 2.33), body.at(0.32, 2.40), 0.024, 0.024, METAL),
        body.limb(body.at(0.24, 2.37), body.at(0.44, 2.40), 0.05, 0.04, GLASS),
        body.limb(body.at(0.0, 0.03), body.at(0.0, 0.20), 0.06, 0.05, METAL),
    ]


def bag(path: Path, up: np.ndarray, colour: Colour) -> list[Part]:
    """A bag with a handle, `up` (T,) body heights above the ground."""
    body = Body(path)
    return [
        body.ring(body.at(0.0, up + 0.46), 0.09, 0.05, METAL),
        body.limb(body.at(0.0, up + 0.31), body.at(0.0, up + 0.19), 0.15, 0.19, colour),
        body.limb(body.at(-0.10, up + 0.29), body.at(0.10, up + 0.29), 0.035, 0.035, light(colour)),
    ]


def pillar(path: Path, paint: Colour) -> list[Part]:
    """A round pillar that holds up a roof above the frame."""
    body = Body(path)
    return [
        body.limb(body.at(0.0, 0.02), body.at(0.0, 4.0), 0.13, 0.13, paint),
        body.limb(body.at(-0.06, 0.02), body.at(-0.06, 4.0), 0.03, 0.03, light(paint)),
        body.limb(body.at(-0.10, 0.03), body.at(0.10, 0.03), 0.08, 0.08, shade(paint, 0.6)),
    ]


def doorway(path: Path) -> list[Part]:
    """The dark inside of an open door: who walks in is gone."""
    body = Body(path)
    return [body.box((-0.75, 1.2), (0.75, 0.0), (38, 40, 46))]


def tree(path: Path, paint: Colour) -> list[Part]:
    """A young tree."""
    body = Body(path)
    return [
        body.limb(body.at(0.0, 0.0), body.at(0.0, 1.3), 0.07, 0.05, (92, 74, 58)),
        *(body.disc(body.at(x, y), r, shade(paint, 0.8)) for x, y, r in ((-0.34, 1.35, 0.36), (0.36, 1.4, 0.36))),
        body.disc(body.at(0.0, 1.7), 0.48, paint),
        body.disc(body.at(-0.14, 1.82), 0.2, light(paint)),
    ]


def bench(path: Path) -> list[Part]:
    """A bench of wood on metal feet, seen from the front."""
    body, wood = Body(path), (146, 108, 74)
    return [
        *(body.box((x, 0.30), (x + 0.06, 0.0), METAL) for x in (-0.62, 0.56)),
        body.box((-0.75, 0.56), (0.75, 0.40), wood),
        body.box((-0.75, 0.34), (0.75, 0.26), light(wood)),
    ]
