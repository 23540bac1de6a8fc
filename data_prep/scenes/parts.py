"""What an actor of the generated scenes is made of: rigid parts that move, placed in body heights.

Lengths are in scene units: every scene is 96 units high, whatever the size of the frame. Each array has the
time first, so that one call poses an actor in all frames. Only +, -, *, / and sqrt act on floats here, which
IEEE 754 rounds the same way on every machine; the sine is a table of integers.
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
BARS, CRANK = (0.29, 0.60), (-0.02, 0.20)  # of a bicycle: (forward, up) in body heights


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
    """Where an actor is and how large it is there."""

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


def ground_shadow(path: Path, half_length: float) -> np.ndarray:
    """(T, 2, K, 2): a soft oval on the ground, drawn out away from the sun; lengths in body heights."""
    size = path.height[:, None, None]
    outlines = []
    for spread in (1.0, 0.62):
        oval = _ROUND * np.array([half_length * spread, 0.075 * spread])
        oval[:, 0] += oval[:, 1] * 1.5 + 0.10 * spread
        outlines.append(path.feet[:, None] + oval * size)
    return np.stack(outlines, axis=1)


class Body:
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
        return Part(outline, self.carried(centre), colour)

    def ring(self, centre: np.ndarray, radius: float, inner: float, colour: Colour) -> Part:
        """A wheel one can see through; it moves with its hub and does not turn."""
        rims = [centre[:, None] + _ROUND * (r * self.size[:, None]) for r in (radius, inner)]
        return Part(rims[0], self.carried(centre), colour, rims[1])

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
            *self.limbs((hubs[0], saddle, self.at(0.24, 0.48)), tubes, light(METAL)),
            *self.limbs((self.at(*BARS), hubs[1], self.at(*CRANK)), tubes, light(METAL)),
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

    def carried(self, centre: np.ndarray) -> np.ndarray:
        """An axis that follows `centre` and the actor's size."""
        return np.stack([centre, centre + self.size * np.array([1.0, 0.0])], axis=1)


def shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (int(level * factor) for level in colour)
    return red, green, blue


def light(colour: Colour) -> Colour:
    red, green, blue = (level + (255 - level) // 2 for level in colour)
    return red, green, blue
