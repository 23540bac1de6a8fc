"""An exported network as `detect` takes it: one ONNX file that holds everything, run by onnxruntime without torch."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from maam_lib.detector import DetectionError, Detector, Score

METADATA_KEY = "maam_detector"
CHECKSUM_KEY = b"maam_sha256"
INPUTS = ("frames", "flow")  # uint8 (B, H, W, C) and float16 (B, H, W, 2), as prepared data are stored
OUTPUTS = ("appearance", "motion", "fused", "scores")  # three (B, ph, pw) and (B,)


def open_onnx(path: Path, *, threads: int | None = None) -> tuple[Detector, Score]:
    """The detector inside an exported file, and its graph as a function to score with.

    threads: of onnxruntime; one core less than there are where left out, since flow takes one.
    Raises DetectionError where onnxruntime is missing, or where the file is not a complete one of `maam export`.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise DetectionError("ONNX files need onnxruntime: pip install onnxruntime") from error
    if not path.is_file():
        raise DetectionError(f"{path}: no such file; make it with `maam export RUN --onnx {path}`")
    model = path.read_bytes()
    if not is_sealed(model):
        raise DetectionError(
            f"{path}: not a complete file of `maam export`: its checksum is missing or does not match. Was it cut or "
            "changed, or exported by an earlier version of the kit? Export it again"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or max(1, (os.cpu_count() or 2) - 1)
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    detector = Detector.from_json(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, ""), str(path))

    def score(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(session.run(OUTPUTS[:2], dict(zip(INPUTS, (frames, flow), strict=True))))

    return detector, score


def sealed(model: bytes) -> bytes:
    """An ONNX model with one more entry of metadata at its end: the checksum of all bytes before it.

    Protobuf lets a repeated field be appended (field 14 of ModelProto, metadata_props), so the file stays plain ONNX.
    """
    checksum = hashlib.sha256(model).hexdigest().encode()
    entry = b"\x0a%c%s\x12%c%s" % (len(CHECKSUM_KEY), CHECKSUM_KEY, len(checksum), checksum)
    return model + b"\x72%c%s" % (len(entry), entry)


def is_sealed(model: bytes) -> bool:
    """Whether an ONNX file ends with the checksum of its other bytes."""
    return sealed(model[: -len(sealed(b""))]) == model
