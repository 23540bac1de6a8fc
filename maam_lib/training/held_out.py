"""A warning without labels (ours): does what a network learns hold on normal clips that it was not trained on?

The score of a frame is its largest patch error, and what sets abnormal frames apart is how close those of normal frames
lie together. Where training draws them together on the frames that it sees, but they spread as before or further on
held-out normal frames, the network learns its clips by heart. Neither the loss nor the mean error tells that.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from maam_lib import pscd
from maam_lib.baselines import constant_answers, spread_evenly
from maam_lib.config import Recipe
from maam_lib.data import DatasetError, FrameFlowDataset, PreparedDataset, recipe_frames, training_clips
from maam_lib.model import MAAMNet

FRAMES = 200  # held-out frames at most, evenly spread, and as many training frames
BATCH = 16
LOW, HIGH = 0.1, 0.9  # quantiles that the width lies between
BRANCHES = {"both": ("appearance", "motion"), "appearance": ("appearance",), "motion": ("motion",)}


def width_10_90(largest: np.ndarray) -> float:
    """The distance from the 10 % to the 90 % quantile of the frames' largest patch errors (T,), in their unit."""
    low, high = np.quantile(largest, (LOW, HIGH))
    return float(high - low)


class HeldOut:
    """Measures a recipe's networks on held-out frames beside as many training frames, by the width of their maxima.

    Widths are relative to that of answering without learning (the median background; no flow or no speed) on the same
    frames, since clips differ: on Ped2 this width is 12 to 27 from one training clip to another. So 1 is what no
    learning gives, and held-out over training (the ratio) is 1 where what was learned holds in general.

    Attributes: clips, the names of those held back; frames, how many of each part are measured; no_learning, branch ->
    part ("train", "held_out") -> width in patch sums. Only branches that the recipe trains are measured.

    Raises DatasetError where no clip is left to train on, and where a width without learning is 0, as where nothing
    moves.
    """

    def __init__(self, recipe: Recipe, prepared: PreparedDataset, device: torch.device | str):
        self._recipe, self._device = recipe, device
        train, held_out = (recipe_frames(recipe, prepared, part) for part in ("train", "held_out"))
        chosen = spread_evenly(len(held_out), FRAMES)
        self.frames = len(chosen)
        self.clips = training_clips(prepared, recipe.training.hold_out)["held_out"]
        self._parts: dict[str, tuple[FrameFlowDataset, np.ndarray]] = {
            "train": (train, spread_evenly(len(train), self.frames)),
            "held_out": (held_out, chosen),
        }
        answer = constant_answers(train)["zero" if recipe.loss.motion_target == "flow" else "still"]
        self.no_learning = self._widths(answer)
        for branch, of_parts in self.no_learning.items():
            if not min(of_parts.values()) > 0:
                raise DatasetError(
                    f"{prepared.folder}: without learning, the largest {branch} errors have a 10-90 % width of "
                    f"{of_parts['train']:g} on training frames and {of_parts['held_out']:g} on the held-out clips "
                    f"({', '.join(self.clips)}); expected more than 0 on both. Does nothing move there? Set another "
                    "training.hold_out, or 0"
                )

    def widths(self, net: MAAMNet) -> dict[str, dict[str, float]]:
        """Branch -> part -> width relative to no learning, of a network in evaluation mode, uncompiled and in the
        number format of its weights; the network is left in the mode that it was in."""
        was_training, number_format = net.training, next(net.parameters()).dtype
        net.eval()

        def predict(frames: Tensor) -> tuple[Tensor, Tensor]:
            output = net.forward(frames.to(number_format))
            return output.frame_hat, output.flow_hat

        found = self._widths(predict)
        net.train(was_training)
        return {
            branch: {part: value / self.no_learning[branch][part] for part, value in of_parts.items()}
            for branch, of_parts in found.items()
        }

    def row(self, net: MAAMNet) -> dict[str, float]:
        """The same as columns of the history: motion_width_train, motion_width_held_out and so on."""
        found = self.widths(net)
        return {f"{branch}_width_{part}": value for branch in found for part, value in found[branch].items()}

    @torch.no_grad()
    def _widths(self, predict: Callable[[Tensor], tuple[Tensor, Tensor]]) -> dict[str, dict[str, float]]:
        """Branch -> part -> width in patch sums."""
        found: dict[str, dict[str, float]] = {branch: {} for branch in BRANCHES[self._recipe.loss.branches]}
        scoring = self._recipe.scoring
        for part, (dataset, numbers) in self._parts.items():
            largest: dict[str, list[np.ndarray]] = {branch: [] for branch in found}
            for start in range(0, len(numbers), BATCH):
                batch = dataset.__getitems__(numbers[start : start + BATCH].tolist())
                frames, flow = (x.to(self._device) for x in batch)
                frame_hat, flow_hat = predict(frames)
                maps = dict(zip(BRANCHES["both"], pscd.error_maps(frames, frame_hat, flow, flow_hat), strict=True))
                for branch, of_frames in largest.items():
                    sums = pscd.patch_sums(maps[branch], scoring.patch, scoring.stride, scoring.padding)
                    of_frames.append(sums.amax(dim=(1, 2)).cpu().numpy())
            for branch, of_frames in largest.items():
                found[branch][part] = width_10_90(np.concatenate(of_frames))
        return found
