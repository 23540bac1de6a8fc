"""Optical flow between two frames: several estimators behind one function."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

NO_FLOW = np.empty(0, np.float32)  # to begin with
FLOW_UNITS = "pixels per frame at the stored size, (dx, dy), from t to t+1"


@dataclass(frozen=True)
class FlowEstimator:
    """One way to estimate flow, and the settings that define it."""

    estimate: Callable[[np.ndarray, np.ndarray], np.ndarray]  # two uint8 (H, W) -> float32 (H, W, 2)
    settings: dict[str, int | float | str]


def _dis(preset_name: str, preset: int, finest_scale: int | None = None) -> FlowEstimator:
    def create() -> cv2.DISOpticalFlow:
        dis = cv2.DISOpticalFlow.create(preset)
        if finest_scale is not None:
            dis.setFinestScale(finest_scale)
        return dis

    values = create()
    settings = {
        "method": "OpenCV DISOpticalFlow",
        "preset": preset_name,
        "finest_scale": values.getFinestScale(),  # s: the flow is found at 1/2^s of the frame's size
        "patch_size": values.getPatchSize(),
        "patch_stride": values.getPatchStride(),
        "gradient_descent_iterations": values.getGradientDescentIterations(),
        "variational_refinement_iterations": values.getVariationalRefinementIterations(),
    }
    return FlowEstimator(lambda first, second: create().calc(first, second, NO_FLOW), settings)


def _farneback() -> FlowEstimator:
    sizes = {"levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "flags": 0}

    def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return cv2.calcOpticalFlowFarneback(first, second, NO_FLOW, pyr_scale=0.5, poly_sigma=1.2, **sizes)

    return FlowEstimator(estimate, {"method": "OpenCV Farneback", "pyr_scale": 0.5, "poly_sigma": 1.2, **sizes})


# The paper uses FlowNet2, whose weights and operators cannot be shipped; these need nothing but OpenCV.
FLOW_ESTIMATORS: dict[str, FlowEstimator] = {
    "dis": _dis("medium", cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
    # For sources so small that people have some ten pixels: there "dis", which stops at half the frame's size,
    # blurs them away. Four times as slow.
    "dis-fine": _dis("medium", cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, finest_scale=0),
    "dis-fast": _dis("fast", cv2.DISOPTICAL_FLOW_PRESET_FAST),
    "dis-ultrafast": _dis("ultrafast", cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST),
    "farneback": _farneback(),
}


def estimate_flow(name: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Flow from one frame to the next (Sec. 3.2.1; the paper takes FlowNet2, here one of FLOW_ESTIMATORS).

    first, second: uint8 (H, W, C) or (H, W), C = 1 gray or 3 RGB (turned gray first), H, W >= 16. Returns
    float32 (H, W, 2), (dx, dy) in pixels per frame at this size: the point at (x, y) in `first` is at
    (x + dx, y + dy) in `second`. One thread, so that the numbers do not depend on the number of cores.

    Raises ValueError for an unknown name and for frames of different sizes.
    """
    if name not in FLOW_ESTIMATORS:
        raise ValueError(f"no flow estimator {name!r}; there are {', '.join(FLOW_ESTIMATORS)}")
    if first.shape != second.shape:
        raise ValueError(f"flow needs two frames of one size, found {first.shape} and {second.shape}")
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return FLOW_ESTIMATORS[name].estimate(_gray(first), _gray(second))
    finally:
        cv2.setNumThreads(threads)


def flow_settings(name: str) -> dict[str, int | float | str]:
    """Everything that defines estimator `name` (for the manifest); "exact" is the clip's own flow."""
    if name == "exact":
        return {"method": "known exactly by the generator of the scene"}
    return dict(FLOW_ESTIMATORS[name].settings)


def _gray(frame: np.ndarray) -> np.ndarray:
    if frame.ndim == 3 and frame.shape[2] == 3:
        return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(frame.reshape(frame.shape[:2]))
