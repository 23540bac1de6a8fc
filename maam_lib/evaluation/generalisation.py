"""What `evaluate` says of clips that were held back from training: no label takes part (ours)."""

from typing import Any

import numpy as np
import pandas as pd

from data_prep.words import counted
from maam_lib.evaluation.result import Generalisation, Result
from maam_lib.evaluation.scores import PatchErrors
from maam_lib.model import MAAMNet
from maam_lib.training import HeldOut


def generalisation(held_out: HeldOut, net: MAAMNet) -> dict[str, Any]:
    """The clips, how many of their frames, and as many training frames, were measured, and each branch's widths.

    Widths and their ratio, held out over training, are relative to no learning: see `HeldOut`.
    """
    branches = {
        branch: relative | {"ratio": _ratio(**relative), "no_learning": held_out.no_learning[branch]}
        for branch, relative in held_out.widths(net).items()
    }
    return {"clips": held_out.clips, "frames": held_out.frames, **branches}


def share_above(errors: PatchErrors, psi: float, threshold: float) -> float:
    """The share of held-out frames whose fused score reaches the threshold that was found on training frames."""
    return float(np.mean(errors.scores(psi)["fused"] >= threshold))


def width_history(result: Result) -> pd.DataFrame:
    """The widths of each epoch of a result's curve, under the names that the history of its run gives them."""
    rows = []
    for point in result.curve:
        row: dict[str, float] = {"epoch": point.epoch}
        for name in ("appearance", "motion"):
            if point.generalisation and (widths := getattr(point.generalisation, name)):
                row |= {f"{name}_width_train": widths.train, f"{name}_width_held_out": widths.held_out}
        rows.append(row)
    return pd.DataFrame(rows)


def in_words(found: Generalisation) -> str:
    """One line per branch that was measured, and one of alarms."""
    clips = f"{', '.join(found.clips[:3])}{' ...' * (len(found.clips) > 3)}"
    lines = [f"held out: {clips} ({counted(found.frames, 'frame')}, compared with as many training frames)"]
    for name in ("motion", "appearance"):
        if (widths := getattr(found, name)) is not None:
            ratio = "" if widths.ratio is None else f", ratio {widths.ratio:.2f}"
            lines.append(
                f"  width of the largest {name} errors, divided by that without learning: training {widths.train:.2f}, "
                f"held out {widths.held_out:.2f}{ratio}"
            )
    if found.above_threshold is not None:
        lines.append(f"  held-out frames that reach the threshold of the training frames: {found.above_threshold:.1%}")
    return "\n".join(lines)


def _ratio(train: float, held_out: float) -> float | None:
    """None where all training frames have the same largest error."""
    return held_out / train if train > 0 else None
