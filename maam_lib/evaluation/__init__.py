"""From a trained network and a prepared dataset to scores, metrics and places, under named protocols (Sec. 4.2)."""

from maam_lib.evaluation.error_maps import ErrorMaps, Predict, error_maps, error_maps_of_frame, network_predictor
from maam_lib.evaluation.intervals import LEVEL, seed_interval, seed_spread
from maam_lib.evaluation.measuring import CALIBRATION_FRAMES, Evaluator, detection_row, evaluate
from maam_lib.evaluation.protocols import frame_metrics
from maam_lib.evaluation.reintegration import CELL
from maam_lib.evaluation.result import (
    Cost,
    Epoch,
    Localisation,
    Plan,
    PlannedCell,
    Result,
    Row,
    Scoring,
    UnderProtocol,
    Word,
    Work,
)
from maam_lib.evaluation.scores import (
    BRANCHES,
    Calibration,
    PatchErrors,
    balanced_psi,
    calibrate,
    calibrated_detector,
    score_table,
)
