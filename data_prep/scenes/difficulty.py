"""How hard a generated scene is: noise, contrast, crowd, and how far fast events outrun normal life."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difficulty:
    """One setting of everything that makes events easy or hard to see; no kind of event comes or goes with it."""

    noise: int  # the sensor noise has a standard deviation of about 0.8 levels for each
    contrast: int  # of the frames, in 1/256
    crowd: float  # normal walkers, as a multiple of the standard
    pace: float  # of runners, riders, carts and thrown things in events, as a multiple of the standard


DIFFICULTIES = {
    "easy": Difficulty(noise=1, contrast=288, crowd=0.5, pace=1.3),
    "standard": Difficulty(noise=3, contrast=256, crowd=1.0, pace=1.0),
    "hard": Difficulty(noise=6, contrast=160, crowd=1.6, pace=0.7),
}
