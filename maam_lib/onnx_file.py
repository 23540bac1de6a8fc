"""An exported network as `detect` takes it: one ONNX file that holds everything, run by onnxruntime without torch."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from maam_lib.detector import DetectionError, Detector, Score

METADATA_KEY = "maam_detector"
INPUTS = ("frames", "flow")  # uint8 (B, H, W, C) and float16 (B, H, W, 2), as prepared data are stored
OUTPUTS = ("appearance", "motion", "fused", "scores")  # three (B, ph, pw) and (B,)


def open_onnx(path: Path, *, threads: int | None = None) -> tuple[Detector, Score]:
    """The detector inside an exported file, and its graph as a function to score with.

    threads: of onnxruntime; one core less than there are where left out, since flow takes one.
    Raises DetectionError where onnxruntime is missing or the file is none of `maam export`.
    """
    session = _session(Path(path), threads or max(1, (os.cpu_count() or 2) - 1))
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise DetectionError(f"{path}: an ONNX file, but not one of `maam export`")
    detector = Detector.from_json(text, str(path))

    def score(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(session.run(OUTPUTS[:2], dict(zip(INPUTS, (frames, flow), strict=True))))

    return detector, score


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DetectionError("ONNX files need onnxruntime: pip install onnxruntime") from error
    if not path.is_file():
        raise DetectionError(f"{path}: no such file; make it with `maam export RUN --onnx {path}`")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
        raise DetectionError(f"{path}: not readable as ONNX ({error}); was it cut?") from error
    except onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf as error:
        raise DetectionError(f"{path}: not readable as ONNX ({error}); was it cut?") from error
