"""A run as one ONNX file: network, memory and PSCD in one graph, with all that scoring needs in its metadata.

ONNX and not torch.export's own format: the file is to run where torch is not installed.
"""

import logging
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data_prep.files import written_aside
from maam_lib import pscd
from maam_lib.detector import DetectionError, Detector
from maam_lib.evaluation import ErrorMaps, as_predictor
from maam_lib.model import MAAMNet
from maam_lib.video.onnx_file import INPUTS, METADATA_KEY, OUTPUTS, is_sealed, open_onnx, sealed
from maam_lib.video.scorer import score_with

TOLERANCE = 1e-4  # of patch sums, relative to the largest: both compute in float32, in different order
BATCHES = (1, 3)  # that the check runs


class ExportError(RuntimeError):
    """The exported graph does not compute what the network does."""


class ScoringGraph(nn.Module):
    """From stored frames and flow to patch maps and scores: what the ONNX file computes (Algorithm 1)."""

    def __init__(self, net: MAAMNet, detector: Detector):
        super().__init__()
        self.net, self.detector = net, detector
        self.eval()

    def forward(self, frames: Tensor, flow: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """uint8 (B, H, W, C) and float16 (B, H, W, 2) -> appearance, motion, fused (B, ph, pw) and scores (B,)."""
        maps = ErrorMaps.of_stored(as_predictor(self.net), frames, flow, self.net.frame_channels)
        appearance, motion = maps.sums(self.detector)
        fused = pscd.fuse(appearance, motion, self.detector.psi)
        return appearance, motion, fused, fused.amax(dim=(1, 2))


def check_target(path: Path) -> None:
    """Raises DetectionError unless `path` can become an ONNX file: it is new, or an earlier one of `maam export`."""
    if path.exists() and not (path.is_file() and is_sealed(path.read_bytes())):
        raise DetectionError(f"{path}: not a file of `maam export`; name another, so that nothing is lost")
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise DetectionError(f"{path}: cannot be written ({nearest} is not a folder that can be written); name another")


def write_onnx(net: MAAMNet, detector: Detector, path: Path) -> str:
    """Write a network and its detector as an ONNX file, and check it against PyTorch before it takes its name.

    The number of frames per call is free; height, width and channels are the detector's. Returns in words how well the
    two agree. Raises DetectionError where the extra `onnx` is missing, and ExportError where the graph differs from
    the network by more than TOLERANCE.
    """
    graph = ScoringGraph(net.cpu(), detector)
    any_number = {0: torch.export.Dim.DYNAMIC}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of every operator of torchvision that is absent
    try:
        program = torch.onnx.export(
            graph,
            tuple(map(torch.from_numpy, _example(detector, 2))),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=(any_number, any_number),
            dynamo=True,
            verbose=False,
        )
    except ImportError as error:
        raise DetectionError(f"exporting needs the extra onnx: pip install -e '.[onnx]' ({error})") from error
    assert program is not None  # with `dynamo` there always is one
    program.model.metadata_props[METADATA_KEY] = detector.to_json()
    for node in program.model.graph:
        node.metadata_props.clear()  # where in this machine's files each operator came from
    with written_aside(Path(path)) as aside:
        program.save(aside, external_data=False)
        aside.write_bytes(sealed(aside.read_bytes()))
        return _checked(net, detector, aside)


def _checked(net: MAAMNet, detector: Detector, path: Path) -> str:
    """How well the file's patch sums and the network's agree. Raises ExportError where they do not."""
    _, exported = open_onnx(path)
    own = score_with(net, detector, "cpu")
    largest = 0.0
    for number in BATCHES:
        inputs = _example(detector, number)
        for found, expected in zip(exported(*inputs), own(*inputs), strict=True):
            largest = max(largest, float(np.abs(found - expected).max() / np.abs(expected).max()))
    if not largest <= TOLERANCE:
        raise ExportError(
            f"onnxruntime differs from PyTorch by {largest:.1e} of the largest patch sum, allowed {TOLERANCE:g}; "
            "nothing was written. Is onnxruntime too old?"
        )
    return f"onnxruntime and PyTorch agree to {largest:.1e} of the largest patch sum (allowed {TOLERANCE:g})"


def _example(detector: Detector, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Random frames and flow as they are stored."""
    random = np.random.default_rng(number)
    height, width = detector.frame_size
    frames = random.integers(0, 256, (number, height, width, detector.channels), np.uint8)
    return frames, random.normal(0, 2, (number, height, width, 2)).astype(np.float16)
