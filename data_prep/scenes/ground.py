"""The empty scene of `scene_lane`: facade, hedge, lawn, two walkways and a cycle lane, a little from the side."""

import numpy as np

from data_prep.scenes.view import SCENE_HEIGHT, View

VIEW = View(row=34.0, height=18.0, rise=10.0 / 56.0, slope=1 / 16)  # people are 18.4 to 28.4 units high
FAR_WALK = (34.0, 51.0)  # rows of the walkway behind the lane
LANE = (52.0, 68.0)  # rows of the cycle lane
NEAR_WALK = (69.0, 93.0)  # rows of the walkway in front of the lane
_VANISHING = -110.0  # row where the joints of the pavement meet

_BRICK, _MORTAR, _WINDOW, _FRAME = (142, 104, 88), (130, 94, 80), (74, 92, 108), (196, 190, 178)
_HEDGE, _HEDGE_FOOT, _LAWN = (58, 86, 50), (44, 62, 40), (104, 134, 74)
_PAVING, _JOINT, _KERB = (172, 166, 156), (146, 140, 132), (196, 192, 184)
_ASPHALT, _MARK = (128, 92, 84), (226, 222, 212)


def draw_ground(height: int, width: int, seed: int) -> np.ndarray:
    """uint8 (H, W, 3): the empty scene in RGB, the same for all clips of a seed."""
    unit = SCENE_HEIGHT / height
    y, x = np.meshgrid((np.arange(height) + 0.5) * unit, (np.arange(width) + 0.5) * unit, indexing="ij")
    aside = x - width * unit / 2
    row = y - VIEW.slope * aside
    along = aside * 180.0 / (row - _VANISHING)  # lines of equal `along` lead into the depth
    rng = np.random.Generator(np.random.PCG64([seed, 0]))
    coarse, fine = noise(rng, x, y, 9.0), noise(rng, x, y * 1.6, 2.2)
    levels = np.empty((height, width, 3), np.int32)
    levels[:] = _PAVING
    _pave(levels, row, along)
    _lay_lane(levels, row, along)
    _plant(levels, row, coarse)
    _build(levels, row, x)
    rough = np.where((row < 33.0) | (row > 93.5), 22, 7)
    grain = rng.integers(-4, 5, row.shape)
    texture = (coarse * 14 >> 8) + (fine * rough >> 8) + grain
    return np.clip(levels + texture[..., None], 0, 255).astype(np.uint8)


def _pave(levels: np.ndarray, row: np.ndarray, along: np.ndarray) -> None:
    """Joints of the paving slabs, and the kerbs."""
    courses = ((row - _VANISHING) * (row - _VANISHING) / 1500.0) % 1.0 < 0.16
    slabs = along % 13.0 < 0.9
    levels[(courses | slabs) & (row > FAR_WALK[0])] = _JOINT
    for kerb in (FAR_WALK[0] - 1.0, NEAR_WALK[1]):
        levels[(row >= kerb) & (row < kerb + 1.2)] = _KERB


def _lay_lane(levels: np.ndarray, row: np.ndarray, along: np.ndarray) -> None:
    """Red asphalt between two white lines, with arrows that show the only direction allowed: to the right."""
    inside = (row >= LANE[0] - 1.0) & (row < LANE[1] + 1.0)
    levels[inside] = _ASPHALT
    levels[inside & ((row < LANE[0]) | (row >= LANE[1]))] = _MARK
    off = np.abs(row - 60.0)
    place = (along + 17.0) % 62.0
    shaft = (place < 13.0) & (off < 0.8)
    head = (place >= 11.0) & (place + 2.4 * off < 21.0) & (off < 3.4)
    levels[inside & (shaft | head)] = _MARK


def _plant(levels: np.ndarray, row: np.ndarray, coarse: np.ndarray) -> None:
    """Lawn before the facade and at the lower edge, and a hedge with an uneven top."""
    levels[(row < FAR_WALK[0] - 1.0) | (row >= NEAR_WALK[1] + 1.2)] = _LAWN
    levels[row < 28.0] = _HEDGE
    levels[(row >= 26.8) & (row < 28.6)] = _HEDGE_FOOT
    levels[row < 18.0 + coarse * 2.0 / 256] = _BRICK


def _build(levels: np.ndarray, row: np.ndarray, x: np.ndarray) -> None:
    """Windows and courses of the brick facade."""
    wall = (levels == _BRICK).all(axis=-1)
    levels[wall & (row % 2.4 < 0.8)] = _MORTAR
    place = (x + 5.0) % 24.0
    levels[wall & (place < 14.0) & (row > 1.0) & (row < 14.5)] = _FRAME
    levels[wall & (place >= 1.2) & (place < 12.8) & (row > 2.0) & (row < 13.5)] = _WINDOW
    levels[wall & (place >= 6.4) & (place < 7.4) & (row > 1.0) & (row < 14.5)] = _FRAME


def noise(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, cell: float) -> np.ndarray:
    """int32 (H, W) in -256..256: random values on a grid of `cell` units, linear in between."""
    rows, columns = int(y.max() / cell) + 2, int(x.max() / cell) + 2
    grid = rng.integers(-256, 257, (rows, columns)).astype(np.int32)
    i, j = (y / cell).astype(np.int32), (x / cell).astype(np.int32)
    v, u = ((y / cell - i) * 64).astype(np.int32), ((x / cell - j) * 64).astype(np.int32)
    upper = grid[i, j] * (64 - u) + grid[i, j + 1] * u
    lower = grid[i + 1, j] * (64 - u) + grid[i + 1, j + 1] * u
    return upper * (64 - v) + lower * v >> 12
