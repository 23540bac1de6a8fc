"""What all figures share: the colours, empty panels for pictures, a picture in a panel.

Abnormal is orange, the network's alarm blue: both tell apart for colour-blind readers and in gray print.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

ABNORMAL, ALARM, QUIET = "#E69F00", "#0072B2", "#5d6b7a"
BRANCH_COLOURS = {"appearance": "#009E73", "motion": "#CC79A7", "fused": ALARM}
HEAT = "inferno"


def canvas(rows: int, columns: int, shape: tuple[int, ...]) -> tuple[Figure, np.ndarray]:
    """Empty panels for pictures of a frame's shape, 11 inches wide at most."""
    width = min(11 / columns, 3.2)
    height = width * shape[0] / shape[1] + 0.28
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained"
    )
    return closed(figure), axes


def picture(axis: Axes, values: np.ndarray, title: str, cmap: str = "gray") -> None:
    """A frame or map in a panel, in its own pixels; uint8 keeps its gray levels, other maps use their own range."""
    h, w = values.shape[:2]
    single = values.ndim == 2 or values.shape[2] == 1
    bounds = {"vmin": 0, "vmax": 255} if values.dtype == np.uint8 else {}
    axis.imshow(
        values.reshape(h, w) if single else values,
        cmap=cmap,
        extent=(0, w, h, 0),
        **(bounds if single else {}),
    )
    axis.set_title(title, fontsize=8, parse_math=False)  # names of clips may hold dollars
    axis.set_xticks([])
    axis.set_yticks([])


def tint(axis: Axes, where: np.ndarray, colour: str) -> None:
    """Colour the marked pixels of a picture, see-through."""
    h, w = where.shape
    axis.imshow(
        np.where(where, 1.0, np.nan),
        cmap=ListedColormap([colour]),
        alpha=0.45,
        extent=(0, w, h, 0),
    )


def closed(figure: Figure) -> Figure:
    """Take the figure from pyplot's list, so that a notebook shows it once: where it is the cell's value."""
    plt.close(figure)
    return figure
