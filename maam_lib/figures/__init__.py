"""Figures: arrays in, a matplotlib Figure out, no computation."""

from maam_lib.figures.memory import item_gallery, items_in_a_plane, query_answers
from maam_lib.figures.panels import ABNORMAL, ALARM, HEAT, QUIET
from maam_lib.figures.plots import (
    abnormal_spans,
    bars_with_spread,
    curves,
    detection_rows,
    filmstrip,
    frame_and_flow,
    heat_over_frame,
    histograms,
    item_usage,
    maps_side_by_side,
    paired_differences,
    roc_curves,
    score_curves,
    training_curves,
)
from maam_lib.figures.pscd import frames_against_patches, heat_table, operating_points, slow_motion
from maam_lib.figures.tables import epoch_curves, knob_lines, support_bars
