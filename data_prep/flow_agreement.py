"""Flow of unknown origin held against DIS on the same frames: direction, order, units."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from data_prep.flow import estimate_flow

MOVING = 0.25  # pixels per frame; flows are compared where DIS finds at least so much,
CHANGED = 20  # gray levels, and the frame changes by at least so much: noise makes DIS see motion where nothing moves
ENOUGH_MOVING = 100  # pixels, over all compared pairs
AGREES = 0.5  # correlation from which two estimators are taken to see the same motion
STILL = 0.5  # of the speed of what moves; flow of so much on still ground is no flow
SCALE_RANGE = (0.75, 1.33)  # of the vectors' length to that of DIS, taken for the same units
READINGS = {  # of vectors (..., 2), should they not be (dx, dy) from t to t+1
    "as they are": lambda flow: flow,
    "(dy, dx)": lambda flow: flow[..., ::-1],
    "from t+1 to t": lambda flow: -flow,
    "(dy, dx) from t+1 to t": lambda flow: -flow[..., ::-1],
}


@dataclass(frozen=True)
class Agreement:
    """Flow beside DIS on the same frames, over the pixels that visibly move."""

    pairs: int  # of frames
    moving_pixels: int
    correlation: dict[str, float]  # of the vectors in each of READINGS, in [-1, 1]; empty where nothing moves
    scale: float | None  # median of their lengths to those of DIS; 1: the same units
    still: float | None  # their length where nothing moves to that where something does; 0: still ground is still

    def warnings(self, pixels_of: tuple[int, int]) -> list[str]:
        """What speaks against taking this flow, read in pixels of a frame of this size, as it is."""
        if self.scale is None or self.still is None:
            return ["hardly anything moves in the compared frames: units and direction could not be checked"]
        found = []
        best = max(self.correlation, key=lambda reading: self.correlation[reading])
        as_is = self.correlation["as they are"]
        if self.still >= STILL:
            found.append(f"on still ground the vectors are {self.still:.2f} times as long as where something moves")
        elif self.correlation[best] >= max(AGREES, as_is + 0.1):
            found.append(
                f"the vectors fit DIS better as {best} (correlation {self.correlation[best]:.2f}) than as (dx, dy) "
                f"from t to t+1 ({as_is:.2f}): write the files again in that form"
            )
        if max(self.correlation.values()) < AGREES:
            found.append(f"correlation with DIS only {as_is:.2f}: is it the flow of these frames?")
        if not SCALE_RANGE[0] <= self.scale <= SCALE_RANGE[1]:
            guess = [round(side * self.scale) for side in pixels_of]
            found.append(
                f"the vectors are {self.scale:.2f} times as long as those of DIS: pixels of another frame size? If "
                f"so, give it with --units H W (by this factor about {guess[0]} {guess[1]})"
            )
        return found


def compare_with_dis(triples: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Agreement:
    """Compare flow with DIS at its finest scale, where something visibly moves (ours).

    triples: two frames uint8 (H, W, C) and the flow between them, float32 (H, W, 2) in pixels per frame at the
    same size. The correlation is of the vectors, about zero: sum(f . d) / sqrt(sum |f|^2 sum |d|^2).

    Measured on real Ped2 (240x360, 120x180) and the generated scene (96x144, 48x64): right flow of five kinds
    correlates with 0.76 or more, at a scale of 0.92 to 1.19 and 0.00 to 0.21 on still ground (only "dis", which
    loses small people, has scale 0.4 at 48x64); networks with random weights have 0.99 and more on still ground.
    """
    found, by_dis, on_still_ground = [], [], []
    for first, second, flow in triples:
        dis = estimate_flow("dis-fine", first, second)
        change = np.abs(first.astype(np.int16) - second).max(axis=-1)
        fast = np.linalg.norm(dis, axis=-1) >= MOVING
        moving, still = fast & (change >= CHANGED), ~fast & (change < CHANGED)
        found.append(flow[moving])
        by_dis.append(dis[moving])
        if still.any():
            on_still_ground.append(np.median(np.linalg.norm(flow[still], axis=1)))
    flow, dis = (np.concatenate(vectors).astype(np.float64) for vectors in (found, by_dis))  # (n, 2)
    if len(dis) < ENOUGH_MOVING:
        return Agreement(len(by_dis), len(dis), {}, None, None)
    norm = np.sqrt((flow**2).sum() * (dis**2).sum())
    correlation = {name: float((read(flow) * dis).sum() / norm) if norm else 0.0 for name, read in READINGS.items()}
    lengths = np.linalg.norm(flow, axis=1)
    scale, speed = float(np.median(lengths / np.linalg.norm(dis, axis=1))), float(np.median(lengths))
    still = float(np.mean(on_still_ground)) / speed if on_still_ground and speed else 0.0
    return Agreement(len(by_dis), len(dis), correlation, scale, still)
