"""What an actor of the generated scenes is made of: rigid parts that move, placed in body heights.

Lengths are in scene units: every scene is 96 units high, whatever the size of the frame. Each array has the
time first, so that one call poses an actor in all frames. Only +, -, *, / and sqrt act on floats here, which
IEEE 754 rounds the same way on every machine; the sine is a table of integers.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Colour = tuple[int, ...]  # RGB

SCENE_HEIGHT = 96.0
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
    event: str = ""  # the kind of its event; empty: normal life


def sine(turns: np.ndarray) -> np.ndarray:
    """Sine of an angle in turns, from the table."""
    return _SINE[np.floor(turns * _STEPS + 0.5).astype(np.int64) % _STEPS]


def shade(colour: Colour, factor: float) -> Colour:
    return tuple(int(level * factor) for level in colour)


def light(colour: Colour) -> Colour:
    return tuple(level + (255 - level) // 2 for level in colour)


@dataclass(frozen=True)
class Body:
    """Where an actor is and how large it is there.

    Its parts are placed in body heights: `forward` along the heading, `up` from the ground.
    """

    feet: np.ndarray  # (T, 2) the point on the ground (x, y) in scene units
    height: np.ndarray  # (T,) of a standing person at that depth, scene units
    heading: int  # +1 to the right, -1 to the left

    @property
    def size(self) -> np.ndarray:
        """(T, 1) the height."""
        return self.height[:, None]

    def at(self, forward: float | np.ndarray, up: float | np.ndarray) -> np.ndarray:
        """(T, 2) the point in scene units."""
        x = self.feet[:, 0] + forward * self.heading * self.height
        return np.stack([x, self.feet[:, 1] - up * self.height], axis=1)

    def shadow(self, half_length: float) -> np.ndarray:
        """(T, 2, K, 2): a soft oval on the ground, drawn out away from the sun."""
        outlines = []
        for spread in (1.0, 0.62):
            oval = _ROUND * np.array([half_length * spread, 0.075 * spread])
            oval[:, 0] += oval[:, 1] * 1.5 + 0.10 * spread
            outlines.append(self.feet[:, None] + oval * self.size[:, None])
        return np.stack(outlines, axis=1)

    def limb(self, a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float, colour: Colour) -> Part:
        """A tapered limb from a to b with round ends."""
        along = b - a
        along = along / np.sqrt((along * along).sum(axis=1, keepdims=True))
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        arc = _ROUND[:9]  # half a circle, as (across, along)
        offset = arc[:, :1] * across[:, None] + arc[:, 1:] * along[:, None]
        end_b = b[:, None] + offset * (radius_b * self.size[:, None])
        end_a = a[:, None] - offset * (radius_a * self.size[:, None])
        return Part(np.concatenate([end_b, end_a], axis=1), np.stack([a, b], axis=1), colour)

    def limbs(self, joints: tuple[np.ndarray, ...], radii: tuple[float, ...], colour: Colour) -> list[Part]:
        """Limbs from joint to joint."""
        pieces = zip(pairwise(joints), pairwise(radii), strict=True)
        return [self.limb(*ends, *widths, colour) for ends, widths in pieces]

    def disc(self, centre: np.ndarray, radius: float, colour: Colour, *, hole: float = 0.0) -> Part:
        """A disc, or a wheel that one can see through; it moves with its centre and does not turn."""
        rims = [centre[:, None] + _ROUND * (r * self.size[:, None]) for r in (radius, hole) if r]
        return Part(rims[0], np.stack([centre, centre + self.size * np.array([1.0, 0.0])], axis=1), colour, *rims[1:])

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
            *(self.disc(hub, 0.20, METAL, hole=0.145) for hub in hubs),
            *self.limbs((hubs[0], saddle, self.at(0.24, 0.48)), tubes, light(METAL)),
            *self.limbs((self.at(*BARS), hubs[1], self.at(*CRANK)), tubes, light(METAL)),
        ]

    def arm(self, neck: np.ndarray, swing: np.ndarray, colour: Colour) -> Part:
        """A swinging arm, carried a little ahead of the body."""
        return self.limb(neck, neck + self._swung(swing + 0.25, 0.33), 0.042, 0.034, colour)

    def leg(self, hip: np.ndarray, turns: np.ndarray, swing: float) -> tuple[np.ndarray, ...]:
        """Hip, knee and foot; the knee bends while the leg swings forward."""
        thigh = swing * sine(turns)
        shin = thigh - 1.3 * swing * np.maximum(sine(turns + 0.25), 0.0)
        knee = hip + self._swung(thigh, 0.26)
        return hip, knee, knee + self._swung(shin, 0.22)

    def pedalling(self, hip: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, ...]:
        """Hip, knee and foot of a leg that turns the crank of a bicycle."""
        reach = np.stack([self.heading * sine(turns), -sine(turns + 0.25)], axis=1)
        foot = self.at(*CRANK) + 0.09 * self.size * reach
        ahead = np.array([0.13 * self.heading, -0.05])
        return hip, (hip + foot) / 2 + ahead * self.size, foot

    def _swung(self, lean: np.ndarray, length: float) -> np.ndarray:
        """(T, 2) the way down a limb of `length` whose angle has the sine `lean` towards the heading."""
        lean = np.clip(lean, -0.97, 0.97)
        down = np.sqrt(1.0 - lean * lean)
        return np.stack([self.heading * lean, down], axis=1) * (length * self.size)
