"""The bodies of the generated scene: pedestrians, cyclists, a cart and a ball, as rigid parts that move.

Lengths are in scene units: the scene is 96 units high, whatever the size of the frame. Each array has the
time first, so that one call poses an actor in all frames. Only +, -, *, / and sqrt act on floats here, which
IEEE 754 rounds alike on every machine; the sine is a table of integers.
"""

import math
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

_STEPS = 1024  # of the sine's table to a turn
_SINE = np.array([round(65536 * math.sin(2 * math.pi * k / _STEPS)) for k in range(_STEPS)]) / 65536
_ROUND = np.stack([np.roll(_SINE, -_STEPS // 4), _SINE], axis=1)[:: _STEPS // 16]  # 16 points of a unit circle
SKIN: Colour = (214, 172, 142)
HAIR: Colour = (74, 58, 48)
METAL: Colour = (40, 42, 48)
GLASS: Colour = (150, 170, 182)
_BARS, _CRANK = (0.29, 0.60), (-0.02, 0.20)  # of a bicycle: (forward, up) in body heights


@dataclass(frozen=True)
class Part:
    """One rigid piece of an actor: a filled outline, and the axis that says how the piece moves.

    From frame to frame it undergoes the similarity transform that carries its axis along.
    """

    outline: np.ndarray  # (T, K, 2) corners (x, y) in scene units
    axis: np.ndarray  # (T, 2, 2) two points fixed to the piece
    colour: Colour
    hole: np.ndarray | None = None  # (T, K, 2) what is cut out of the outline


@dataclass(frozen=True)
class Path:
    """Where an actor stands and how large it is there."""

    feet: np.ndarray  # (T, 2) the point on the ground (x, y) in scene units
    height: np.ndarray  # (T,) of a standing person at that depth, scene units
    heading: int  # +1 to the right, -1 to the left


@dataclass(frozen=True)
class Look:
    """Clothes of a person."""

    top: Colour
    legs: Colour
    pack: Colour  # what is carried on the back: it tells the heading in a single frame


@dataclass(frozen=True)
class Actor:
    """All that the renderer needs to draw one actor, or a fixed thing that hides others."""

    parts: list[Part]  # painted in this order
    shadow: np.ndarray  # (T, 2, K, 2) outer and inner outline on the ground
    depth: np.ndarray  # (T,) y of the ground point: nearer actors are painted later
    abnormal: np.ndarray  # (T,) bool
    track: int  # its number in the tracks; 0: a fixed thing, part of the background


def sine(turns: np.ndarray) -> np.ndarray:
    """Sine of an angle in turns, from the table."""
    return _SINE[np.floor(turns * _STEPS + 0.5).astype(np.int64) % _STEPS]


def pedestrian(path: Path, look: Look, phase: float, stride: float = 0.85, swing: float = 0.42) -> list[Part]:
    """A walker seen from the side: pack on the back, light front and face ahead, legs and arms that swing.

    `phase` in turns; `stride`: the way of one turn of the legs, in body heights; `swing`: sine of the widest
    angle of the thigh.
    """
    body = _Body(path)
    turns = phase + np.abs(path.feet[:, 0] - path.feet[0, 0]) / (stride * path.height)
    lean = 0.10 if swing > 0.5 else 0.02
    hip, neck = body.at(0.0, 0.50), body.at(lean, 0.80)
    far, near = body.leg(hip, turns + 0.5, swing), body.leg(hip, turns, swing)
    return [
        body.arm(neck, sine(turns) * swing, _shade(look.top, 0.6)),
        *body.limbs(far, (0.062, 0.05, 0.036), _shade(look.legs, 0.6)),
        body.limb(body.at(lean - 0.13, 0.75), body.at(lean / 2 - 0.12, 0.57), 0.075, 0.07, look.pack),
        body.limb(neck, body.at(0.0, 0.52), 0.095, 0.085, look.top),
        body.limb(body.at(lean + 0.05, 0.79), body.at(0.04, 0.55), 0.045, 0.04, _light(look.top)),
        *body.limbs(near, (0.068, 0.054, 0.038), look.legs),
        body.disc(body.at(lean * 1.4, 0.925), 0.078, HAIR),
        body.disc(body.at(lean * 1.4 + 0.03, 0.915), 0.058, SKIN),
        body.arm(neck, -sine(turns) * swing, _shade(look.top, 0.8)),
    ]


def cyclist(path: Path, look: Look, phase: float) -> list[Part]:
    """A rider leaning over the bars; pedals turn once in 2.2 body heights."""
    body = _Body(path)
    turns = phase + np.abs(path.feet[:, 0] - path.feet[0, 0]) / (2.2 * path.height)
    hip, neck, hands = body.at(-0.16, 0.58), body.at(0.12, 0.84), body.at(*_BARS)
    crank = body.at(*_CRANK)
    return [
        *body.limbs(body.pedalling(hip, crank, turns + 0.5), (0.06, 0.05, 0.036), _shade(look.legs, 0.6)),
        *body.bicycle(),
        body.limb(body.at(-0.10, 0.84), body.at(-0.22, 0.68), 0.06, 0.06, look.pack),
        body.limb(neck, hip, 0.095, 0.085, look.top),
        body.disc(body.at(0.20, 0.965), 0.075, SKIN),
        body.limb(body.at(0.15, 1.005), body.at(0.21, 1.015), 0.055, 0.05, _light(look.top)),
        *body.limbs(body.pedalling(hip, crank, turns), (0.068, 0.055, 0.038), look.legs),
        *body.limbs((neck, body.at(0.17, 0.66), hands), (0.045, 0.038, 0.034), _light(look.top)),
    ]


def walked_bicycle(path: Path, look: Look, phase: float) -> list[Part]:
    """A pedestrian who walks beside a bicycle, a hand on its bars."""
    body = _Body(path)
    return [
        *pedestrian(path, look, phase),
        *body.bicycle(),
        body.limb(body.at(0.02, 0.78), body.at(*_BARS), 0.04, 0.034, _light(look.top)),
    ]


def cart(path: Path, driver: Colour, paint: Colour) -> list[Part]:
    """An open utility cart with a roof on posts and a driver at the wheel."""
    body = _Body(path)
    seat, neck = body.at(0.02, 0.48), body.at(0.06, 0.76)
    return [
        body.limb(body.at(-0.60, 0.45), body.at(-0.58, 1.10), 0.022, 0.022, METAL),
        body.limb(body.at(0.50, 0.45), body.at(0.36, 1.10), 0.022, 0.022, METAL),
        body.limb(neck, seat, 0.095, 0.09, driver),
        body.disc(body.at(0.08, 0.90), 0.078, SKIN),
        body.limb(neck, body.at(0.34, 0.60), 0.04, 0.035, _light(driver)),
        body.box((-0.78, 0.52), (0.20, 0.20), paint),
        body.box((0.16, 0.30), (0.50, 0.20), paint),
        body.box((0.46, 0.56), (0.68, 0.20), paint),
        body.limb(body.at(0.58, 0.46), body.at(0.42, 0.62), 0.05, 0.03, _light(paint)),
        body.box((-0.70, 1.16), (0.46, 1.09), _light(paint)),
        *(body.disc(body.at(x, 0.15), 0.15, METAL) for x in (-0.50, 0.42)),
        *(body.disc(body.at(x, 0.15), 0.07, GLASS) for x in (-0.50, 0.42)),
    ]


def ball(path: Path, bounce: np.ndarray, colour: Colour) -> list[Part]:
    """A ball `bounce` (T,) body heights above the ground."""
    body = _Body(path)
    centre = body.at(0.0, bounce + 0.21)
    return [body.disc(centre, 0.21, colour), body.disc(centre - 0.05 * body.size, 0.05, _light(colour))]


def lamp_post(path: Path) -> list[Part]:
    """A fixed lamp on a post that hides what passes behind it."""
    body = _Body(path)
    return [
        body.limb(body.at(0.0, 0.02), body.at(0.0, 2.35), 0.036, 0.026, METAL),
        body.limb(body.at(0.0, 2.33), body.at(0.32, 2.40), 0.024, 0.024, METAL),
        body.limb(body.at(0.24, 2.37), body.at(0.44, 2.40), 0.05, 0.04, GLASS),
        body.limb(body.at(0.0, 0.03), body.at(0.0, 0.20), 0.06, 0.05, METAL),
    ]


def ground_shadow(path: Path, half_length: float) -> np.ndarray:
    """(T, 2, K, 2): a soft oval on the ground, drawn out away from the sun; lengths in body heights."""
    size = path.height[:, None, None]
    outlines = []
    for spread in (1.0, 0.62):
        oval = _ROUND * np.array([half_length * spread, 0.075 * spread])
        oval[:, 0] += oval[:, 1] * 1.5 + 0.10 * spread
        outlines.append(path.feet[:, None] + oval * size)
    return np.stack(outlines, axis=1)


class _Body:
    """Places parts in body heights: `forward` along the heading, `up` from the ground."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.height[:, None]  # (T, 1)

    def at(self, forward: float | np.ndarray, up: float | np.ndarray) -> np.ndarray:
        """(T, 2) the point in scene units."""
        x = self.path.feet[:, 0] + forward * self.path.heading * self.path.height
        return np.stack([x, self.path.feet[:, 1] - up * self.path.height], axis=1)

    def limb(self, a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float, colour: Colour) -> Part:
        """A tapered limb from a to b with round ends."""
        along = b - a
        along = along / np.sqrt((along * along).sum(axis=1, keepdims=True))
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        arc = _ROUND[:9]  # half a circle, as (across, along)
        ends = []
        for centre, radius, sign in ((b, radius_b, 1.0), (a, radius_a, -1.0)):
            offset = arc[:, :1] * across[:, None] + arc[:, 1:] * along[:, None]
            ends.append(centre[:, None] + offset * (sign * radius * self.size[:, None]))
        return Part(np.concatenate(ends, axis=1), np.stack([a, b], axis=1), colour)

    def limbs(self, joints: tuple[np.ndarray, ...], radii: tuple[float, ...], colour: Colour) -> list[Part]:
        """Limbs from joint to joint."""
        count = len(joints) - 1
        return [self.limb(joints[i], joints[i + 1], radii[i], radii[i + 1], colour) for i in range(count)]

    def disc(self, centre: np.ndarray, radius: float, colour: Colour) -> Part:
        """A disc; it moves with its centre and does not turn."""
        outline = centre[:, None] + _ROUND * (radius * self.size[:, None])
        return Part(outline, self._carried(centre), colour)

    def ring(self, centre: np.ndarray, radius: float, inner: float, colour: Colour) -> Part:
        """A wheel one can see through; it moves with its hub and does not turn."""
        rims = [centre[:, None] + _ROUND * (r * self.size[:, None]) for r in (radius, inner)]
        return Part(rims[0], self._carried(centre), colour, rims[1])

    def box(self, one: tuple[float, float], other: tuple[float, float], colour: Colour) -> Part:
        """An upright rectangle between two opposite (forward, up) corners."""
        corners = [(one[0], one[1]), (other[0], one[1]), (other[0], other[1]), (one[0], other[1])]
        outline = np.stack([self.at(*corner) for corner in corners], axis=1)
        return Part(outline, outline[:, :2], colour)

    def bicycle(self) -> list[Part]:
        """Two wheels and a frame; they roll without spokes."""
        hubs = self.at(-0.33, 0.20), self.at(0.33, 0.20)
        saddle, tubes = self.at(-0.17, 0.52), (0.022, 0.022, 0.022)
        return [
            *(self.ring(hub, 0.20, 0.145, METAL) for hub in hubs),
            *self.limbs((hubs[0], saddle, self.at(0.24, 0.48)), tubes, _light(METAL)),
            *self.limbs((self.at(*_BARS), hubs[1], self.at(*_CRANK)), tubes, _light(METAL)),
        ]

    def arm(self, neck: np.ndarray, swing: np.ndarray, colour: Colour) -> Part:
        """A swinging arm, carried a little ahead of the body."""
        hand = neck + self._swung(swing + 0.25, 0.33)
        return self.limb(neck, hand, 0.042, 0.034, colour)

    def leg(self, hip: np.ndarray, turns: np.ndarray, swing: float) -> tuple[np.ndarray, ...]:
        """Hip, knee and foot; the knee bends while the leg swings forward."""
        thigh = swing * sine(turns)
        shin = thigh - 1.3 * swing * np.maximum(sine(turns + 0.25), 0.0)
        knee = hip + self._swung(thigh, 0.26)
        return hip, knee, knee + self._swung(shin, 0.22)

    def pedalling(self, hip: np.ndarray, crank: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, ...]:
        """Hip, knee and foot of a leg that turns the crank."""
        reach = np.stack([self.path.heading * sine(turns), -sine(turns + 0.25)], axis=1)
        foot = crank + 0.09 * self.size * reach
        ahead = np.array([0.13 * self.path.heading, -0.05])
        return hip, (hip + foot) / 2 + ahead * self.size, foot

    def _swung(self, lean: np.ndarray, length: float) -> np.ndarray:
        """(T, 2) the way down a limb of `length` whose angle has the sine `lean` towards the heading."""
        lean = np.clip(lean, -0.97, 0.97)
        down = np.sqrt(1.0 - lean * lean)
        return np.stack([self.path.heading * lean, down], axis=1) * (length * self.size)

    def _carried(self, centre: np.ndarray) -> np.ndarray:
        """An axis that follows `centre` and the actor's size."""
        return np.stack([centre, centre + self.size * np.array([1.0, 0.0])], axis=1)


def _shade(colour: Colour, factor: float) -> Colour:
    return tuple(int(level * factor) for level in colour)


def _light(colour: Colour) -> Colour:
    return tuple(level + (255 - level) // 2 for level in colour)
