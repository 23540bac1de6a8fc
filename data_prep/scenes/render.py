"""Draws the generated scene: shadows, actors, light and sensor noise, with exact masks, tracks and flow.

What makes the pixels the same on every machine: each pixel is cut into three by three cells; corners are
rounded to 1/16 of a cell before OpenCV fills the polygons in integer arithmetic; a pixel is the integer mean
of its cells, and light and noise are integers. The cell in the middle says which part is in sight.
"""

from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from data_prep.scenes.parts import SCENE_HEIGHT, Actor, Part, sine
from data_prep.scenes.stage import Difficulty

MIN_VISIBLE = 8  # pixels: an abnormal object with fewer in sight makes no frame abnormal
_CELLS = 3  # a pixel has as many by as many
_SHIFT = 4  # corners in 1/16 of a cell


@dataclass(frozen=True)
class Footage:
    """One rendered clip."""

    frames: np.ndarray  # uint8 (T, H, W, C)
    labels: np.ndarray  # uint8 (T,)
    masks: np.ndarray  # uint8 (T, H, W)
    flow: np.ndarray  # float32 (T-1, H, W, 2) pixels per frame, (dx, dy)
    tracks: np.ndarray  # int16 (T, H, W)


def luma(colours: np.ndarray) -> np.ndarray:
    """Gray levels (..., 1) of RGB levels (..., 3), in integers: (77 R + 150 G + 29 B) / 256."""
    return (colours.astype(np.int32) @ np.array([77, 150, 29], dtype=np.int32) >> 8)[..., None]


def render(actors: list[Actor], ground: np.ndarray, rng: np.random.Generator, difficulty: Difficulty) -> Footage:
    """Draw a clip.

    ground: (H, W, C) levels of the empty scene; rng: source of the light's drift and of the sensor noise;
    difficulty: sets the contrast and the noise.
    """
    num_frames, (height, width, _) = len(actors[0].depth), ground.shape
    light = _daylight(num_frames, rng)
    scene = _Palette(actors, ground)
    frames = np.empty((num_frames, *ground.shape), np.uint8)
    flow = np.zeros((num_frames - 1, height, width, 2), np.float32)
    tracks = np.empty((num_frames, height, width), np.int16)
    masks = np.empty((num_frames, height, width), np.uint8)
    for t in range(num_frames):
        cover = scene.cover(t)
        levels = _blend(cover, scene.colours, scene.shaded(t))
        frames[t] = _expose(levels, light[t], rng, difficulty)
        seen = cover[1::_CELLS, 1::_CELLS]
        tracks[t] = scene.owner[seen]
        masks[t] = scene.abnormal[t][seen]
        if t + 1 < num_frames:
            flow[t] = scene.flow(t, seen)
    labels = (masks.sum(axis=(1, 2), dtype=np.int64) >= MIN_VISIBLE).astype(np.uint8)
    return Footage(frames, labels, masks * labels[:, None, None], flow, tracks)


class _Palette:
    """The parts of all actors, numbered from 1 in a fixed order; 0 is the background."""

    def __init__(self, actors: list[Actor], ground: np.ndarray) -> None:
        height, width, channels = ground.shape
        self.actors, self.ground, self.canvas = actors, ground, (height * _CELLS, width * _CELLS)
        self.unit = height / SCENE_HEIGHT  # pixels per scene unit
        self.first = np.cumsum([1] + [len(actor.parts) for actor in actors])
        parts = [part for actor in actors for part in actor.parts]
        self.owner = np.array([0] + [actor.track for actor in actors for _ in actor.parts], dtype=np.int16)
        colours = np.array([(0, 0, 0)] + [part.colour for part in parts])
        self.colours = (luma(colours) if channels == 1 else colours).astype(np.uint16)
        outlines = [[part.outline] if part.hole is None else [part.outline, part.hole] for part in parts]
        self.contours = [[self._corners(outline) for outline in of_part] for of_part in outlines]
        self.shadows = [self._corners(actor.shadow) for actor in actors]
        self.motion = self._motion(parts)
        abnormal = [actor.abnormal for actor in actors for _ in actor.parts]
        self.abnormal = np.stack([np.zeros_like(abnormal[0]), *abnormal], axis=1).astype(np.uint8)

    def cover(self, t: int) -> np.ndarray:
        """uint16 (3 H, 3 W): the number of the part in sight, far actors painted first."""
        canvas = np.zeros(self.canvas, np.uint16)
        for k in sorted(range(len(self.actors)), key=lambda k: self.actors[k].depth[t]):
            for part in range(self.first[k], self.first[k + 1]):
                cv2.fillPoly(canvas, [contour[t] for contour in self.contours[part - 1]], part, shift=_SHIFT)
        return canvas

    def shaded(self, t: int) -> np.ndarray:
        """The ground (H, W, C) under the shadows of frame t."""
        canvas = np.zeros(self.canvas, np.uint8)
        for depth in range(2):
            for shadow in self.shadows:
                cv2.fillPoly(canvas, [shadow[t, depth]], depth + 1, shift=_SHIFT)
        strength = reduce(np.add, [cell.astype(np.int32) for cell in _cells(canvas)])  # 0..18
        return self.ground * (256 - 5 * strength)[..., None] >> 8

    def flow(self, t: int, seen: np.ndarray) -> np.ndarray:
        """(H, W, 2): the motion to t + 1 of the part in sight at each pixel."""
        (dx, dy), (p, q) = np.moveaxis(self.motion[seen, t], (2, 3), (0, 1))
        y, x = np.indices(seen.shape) + 0.5
        return np.stack([dx + p * x - q * y, dy + q * x + p * y], axis=-1)

    def _motion(self, parts: list[Part]) -> np.ndarray:
        """(1 + parts, T-1, 2, 2): s and k of flow(p) = s + k p in pixels; points are complex numbers."""
        axes = np.stack([part.axis for part in parts]) * self.unit  # (parts, T, 2, 2)
        start, along = axes[:, :, 0], axes[:, :, 1] - axes[:, :, 0]
        (u, v), (p, q) = np.moveaxis(along[:, :-1], -1, 0), np.moveaxis(along[:, 1:], -1, 0)
        length = u * u + v * v
        turn = np.stack([(p * u + q * v) / length - 1.0, (q * u - p * v) / length], axis=-1)
        x, y = np.moveaxis(start[:, :-1], -1, 0)
        turned = [turn[..., 0] * x - turn[..., 1] * y, turn[..., 1] * x + turn[..., 0] * y]
        motion = np.stack([np.diff(start, axis=1) - np.stack(turned, axis=-1), turn], axis=2)
        return np.concatenate([np.zeros_like(motion[:1]), motion])

    def _corners(self, outline: np.ndarray) -> np.ndarray:
        """Scene units to OpenCV's fixed-point canvas, where the middle of a cell has whole numbers."""
        scaled = (outline * (self.unit * _CELLS) - 0.5) * (1 << _SHIFT)
        return np.floor(scaled + 0.5).astype(np.int32)


def _daylight(num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """(T,) gain in 1/256: a slow drift of up to 5 %, as under thin clouds."""
    phase, period = int(rng.integers(256)) / 256, int(rng.integers(256, 512))
    return np.floor(256.5 + 12.0 * sine(phase + np.arange(num_frames) / period)).astype(np.int64)


def _cells(canvas: np.ndarray) -> list[np.ndarray]:
    """The nine (H, W) views of a (3 H, 3 W) canvas."""
    return [canvas[i::_CELLS, j::_CELLS] for i in range(_CELLS) for j in range(_CELLS)]


def _blend(cover: np.ndarray, colours: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Integer mean (H, W, C) of the nine cells of each pixel; ground shows where nothing covers it."""
    levels = reduce(np.add, [np.take(colours, cell, axis=0) for cell in _cells(cover)])
    bare = reduce(np.add, [(cell == 0).astype(np.int32) for cell in _cells(cover)])
    return (levels + bare[..., None] * ground) // _CELLS**2


def _expose(levels: np.ndarray, gain: int, rng: np.random.Generator, difficulty: Difficulty) -> np.ndarray:
    """Apply contrast, light and sensor noise (triangular; standard deviation about 2.4 levels by default)."""
    levels = 128 + ((levels - 128) * difficulty.contrast >> 8)
    grain = rng.integers(0, 256, levels.shape, dtype=np.uint8).astype(np.int32)
    grain = ((grain & 15) + (grain >> 4) - 15) * difficulty.noise >> 3
    return np.clip((levels * int(gain) >> 8) + grain, 0, 255).astype(np.uint8)
