"""What a fixed camera sees of an empty scene: surfaces painted into the ground and the walls behind it, then roughened.

A `row` is the y where a line on the ground crosses the middle of the frame.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from data_prep.scenes.parts import SCENE_HEIGHT, Colour

Where = TypeVar("Where", float, np.ndarray)


@dataclass(frozen=True)
class View:
    """Height of people over the rows, and the camera's tilt."""

    row: float  # where a standing person is `height` units high
    height: float
    rise: float  # by so much higher from row to row
    slope: float = 0.0  # lines across the view fall by so much from left to right

    def person_height(self, row: Where) -> Where:
        """Height of a standing person at a row, in scene units."""
        return self.height + (row - self.row) * self.rise


class Backdrop:
    """The pixels of an empty scene and where they lie.

    Attributes, each (H, W): `x` in scene units; `row` of the ground; `aside`, body heights to the right of the
    middle of the view; `far`, distance over focal length times 100, both meant for the ground below the horizon.
    """

    def __init__(self, view: View, height: int, width: int, seeds: list[int]) -> None:
        unit = SCENE_HEIGHT / height
        y, self.x = np.meshgrid((np.arange(height) + 0.5) * unit, (np.arange(width) + 0.5) * unit, indexing="ij")
        self.width = width * unit
        self.row = y - view.slope * (self.x - self.width / 2)
        horizon = view.row - view.height / view.rise  # where people would have no height
        size = np.maximum(self.row - horizon, 2.0) * view.rise
        self.aside, self.far = (self.x - self.width / 2) / size, 100.0 / size
        self.rng = np.random.Generator(np.random.PCG64(seeds))
        self.coarse, self.fine = self._noise(y, 9.0), self._noise(y * 1.6, 2.2)
        self.levels = np.zeros((height, width, 3), np.int32)
        self.rough = np.full(self.row.shape, 7)

    def band(self, low: float, high: float) -> np.ndarray:
        """bool (H, W): between two rows."""
        return (self.row >= low) & (self.row < high)

    def paint(self, where: np.ndarray, colour: Colour, rough: int = 7) -> None:
        """One colour; `rough`: how uneven it is, in levels."""
        self.levels[where], self.rough[where] = colour, rough

    def pave(self, where: np.ndarray, slab: Colour, joint: Colour, size: tuple[float, float]) -> None:
        """Slabs of `size` (into the depth in units of `far`, across in body heights), every other course set off."""
        course = self.far / size[0]
        across = self.aside / size[1] + (np.floor(course) % 2.0) * 0.5
        self.paint(where, slab)
        self.paint(where & ((course % 1.0 < 0.14) | (across % 1.0 < 0.10)), joint)

    def windows(self, top: float, bottom: float, step: float, glass: Colour, frame: Colour, start: float = 0) -> None:
        """A row of windows with a bar in the middle, one every `step` units; the first begins `start` units earlier."""
        place = (self.x + start) % step
        self.paint(self.band(top, bottom) & (place < 0.62 * step), frame, 3)
        pane = self.band(top + 1.0, bottom - 1.0) & (place >= 1.0) & (place < 0.62 * step - 1.0)
        self.paint(pane & (np.abs(place - 0.31 * step) > 0.5), glass, 3)

    def finished(self) -> np.ndarray:
        """uint8 (H, W, 3) with texture and grain."""
        grain = self.rng.integers(-4, 5, self.row.shape)
        texture = (self.coarse * 14 >> 8) + (self.fine * self.rough >> 8) + grain
        return np.clip(self.levels + texture[..., None], 0, 255).astype(np.uint8)

    def _noise(self, y: np.ndarray, cell: float) -> np.ndarray:
        """int32 (H, W) in -256..256: random values on a grid of `cell` units, linear in between."""
        y, x = y / cell, self.x / cell
        i, j = y.astype(np.int32), x.astype(np.int32)
        grid = self.rng.integers(-256, 257, (i.max() + 2, j.max() + 2)).astype(np.int32)
        v, u = ((y - i) * 64).astype(np.int32), ((x - j) * 64).astype(np.int32)
        upper = grid[i, j] * (64 - u) + grid[i, j + 1] * u
        lower = grid[i + 1, j] * (64 - u) + grid[i + 1, j + 1] * u
        return upper * (64 - v) + lower * v >> 12
