"""The one pass from a predictor to error maps: what is scored, shown or measured of a network is taken from it.

Algorithm 1 begins with two error maps per frame, |I - I_hat|^2 and |F - F_hat|. `error_maps` makes them batch by
batch in constant memory; patch sums, scores, sliders and pictures come after it and run no network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maam_lib import pscd
from maam_lib.config import ScoringSettings
from maam_lib.data import FrameFlowDataset, to_model_input
from maam_lib.detector import Detector
from maam_lib.model import MAAMNet, MAAMOutput

# frames (B, C, H, W) -> frame_hat (B, C, H, W), flow_hat (B, 2, H, W), or the speed (B, 1, H, W)
Predict = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class ErrorMaps:
    """B frames with what a predictor made of them, and both error maps of Algorithm 1."""

    frames: Tensor  # (B, C, H, W) in [-1, 1]
    frame_hat: Tensor  # (B, C, H, W)
    flow: Tensor  # (B, 2, H, W), pixels per frame
    flow_hat: Tensor  # (B, 2, H, W), or the speed (B, 1, H, W)
    appearance: Tensor  # (B, H, W) |I - I_hat|^2, summed over channels
    motion: Tensor  # (B, H, W) |F - F_hat|, summed over dx and dy; of a speed, signed

    @classmethod
    def of(cls, predict: Predict, frames: Tensor, flow: Tensor) -> "ErrorMaps":
        """Of model input, as `to_model_input` makes it."""
        frame_hat, flow_hat = predict(frames)
        return cls(frames, frame_hat, flow, flow_hat, *pscd.error_maps(frames, frame_hat, flow, flow_hat))

    @classmethod
    def of_stored(cls, predict: Predict, frames: Tensor, flow: Tensor, channels: int) -> "ErrorMaps":
        """Of arrays as they are stored: uint8 (B, H, W, C) and float16 (B, H, W, 2)."""
        return cls.of(predict, *to_model_input(frames, flow, channels))

    def sums(self, scoring: ScoringSettings | Detector) -> tuple[Tensor, Tensor]:
        """Patch sums (B, ph, pw) of appearance and motion."""
        patch, stride, padding = scoring.patch, scoring.stride, scoring.padding
        return (
            pscd.patch_sums(self.appearance, patch, stride, padding),
            pscd.patch_sums(self.motion, patch, stride, padding),
        )

    def means(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of every frame (B,), over its pixels: the means of both maps, of |F - F_hat| and of |F|, F flow or speed."""
        target = pscd.motion_target(self.flow, self.flow_hat)
        flow_error, flow_size = (target - self.flow_hat).abs().mean(dim=(1, 2, 3)), target.abs().mean(dim=(1, 2, 3))
        return self.appearance.mean(dim=(1, 2)), self.motion.mean(dim=(1, 2)), flow_error, flow_size


def as_predictor(net: Callable[[Tensor], MAAMOutput]) -> Predict:
    """A network as a function of frames, as it is."""

    def predict(frames: Tensor) -> tuple[Tensor, Tensor]:
        output = net(frames)
        return output.frame_hat, output.flow_hat

    return predict


def network_predictor(net: MAAMNet) -> Predict:
    """A trained network as a function of frames, in evaluation mode and without gradients."""
    return torch.no_grad()(as_predictor(net.eval()))


def error_maps(
    predict: Predict,
    dataset: FrameFlowDataset,
    *,
    frames: Sequence[int] | np.ndarray | None = None,
    batch_size: int = 16,
    device: torch.device | str = "cpu",
) -> Iterator[ErrorMaps]:
    """The error maps of a dataset, or of its frames of the given numbers, a batch at a time."""
    numbers = np.arange(len(dataset)) if frames is None else np.asarray(frames)
    for start in range(0, len(numbers), batch_size):
        x, flow = (t.to(device) for t in dataset.__getitems__(numbers[start : start + batch_size].tolist()))
        yield ErrorMaps.of(predict, x, flow)
