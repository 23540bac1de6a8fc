"""Figures: arrays in, a matplotlib Figure out, no computation."""

from maam_lib.figures.calibration import reliability
from maam_lib.figures.differences import difference_intervals
from maam_lib.figures.events import event_timelines, speed_against_error
from maam_lib.figures.method import method
from maam_lib.figures.methods import Dots, method_dots
from maam_lib.figures.motion import auc_against_motion
from maam_lib.figures.napkin import napkin
from maam_lib.figures.panels import ABNORMAL, ALARM, HEAT, QUIET, SIGNED
from maam_lib.figures.pictures import (
    detection_rows,
    filmstrip,
    frame_and_flow,
    frames_against_patches,
    heat_over_frame,
    item_gallery,
    maps_side_by_side,
    query_answers,
    slow_motion,
)
from maam_lib.figures.plots import (
    abnormal_spans,
    curves,
    epoch_curves,
    heat_table,
    histograms,
    item_usage,
    items_in_a_plane,
    knob_lines,
    paired_differences,
    roc_curves,
    score_curves,
    support_bars,
    training_curves,
)
