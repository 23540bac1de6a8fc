"""Where a fixed camera sees the flat ground of a generated scene, and how large a person is there.

Lengths are in scene units: every scene is 96 units high, whatever the size of the frame. A `row` is the y
where a line on the ground crosses the middle of the frame.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

SCENE_HEIGHT = 96.0
Where = TypeVar("Where", float, np.ndarray)


@dataclass(frozen=True)
class View:
    """Height of people over the rows, and the camera's tilt."""

    row: float  # where a standing person is `height` units high
    height: float
    rise: float  # by so much higher from row to row
    slope: float = 0.0  # lines across the view fall by so much from left to right
    focal: float = 80.0  # focal length in scene units, for motion into the depth

    @property
    def horizon(self) -> float:
        """The row where people would have no height."""
        return self.row - self.height / self.rise

    def person_height(self, row: Where) -> Where:
        """Height of a standing person at a row, in scene units."""
        return self.height + (row - self.row) * self.rise

    def row_of(self, height: np.ndarray) -> np.ndarray:
        """The row where a standing person has this height."""
        return self.row + (height - self.height) / self.rise

    def height_after(self, height: float, way: np.ndarray, least: float) -> np.ndarray:
        """Height of a person who was `height` units high and walked `way` body heights into the depth.

        The distance is focal / height. They stop where they are `least` units high; those who would be behind the
        camera are held beside it, out of sight.
        """
        return 1.0 / np.clip(1.0 / height + way / self.focal, 1.0 / 500.0, 1.0 / least)
