"""From a trained network and a prepared dataset to scores, metrics and places, under named protocols (Sec. 4.2)."""

from maam_lib.evaluation.error_maps import ErrorMaps, Predict, as_predictor, error_maps, network_predictor
from maam_lib.evaluation.generalisation import in_words, width_history
from maam_lib.evaluation.intervals import LEVEL, seed_interval, seed_spread
from maam_lib.evaluation.measuring import CALIBRATION_FRAMES, Evaluator, evaluate
from maam_lib.evaluation.no_learning import measure_no_learning
from maam_lib.evaluation.one_frame import detection_row, score_steps
from maam_lib.evaluation.protocols import SMOOTH, Smoothing, every_convention, frame_metrics, smoothed
from maam_lib.evaluation.reintegration import CELL
from maam_lib.evaluation.result import (
    Cost,
    Epoch,
    Generalisation,
    Localisation,
    NoLearning,
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
    calibrate,
    calibrated_detector,
    calibrated_psi,
    score_table,
)
