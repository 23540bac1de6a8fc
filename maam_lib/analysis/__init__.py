"""What a trained network's memory and scores are made of: items, steps of Algorithm 1, alarms, events, sensitivity."""

from maam_lib.analysis.alarms import worst_false_alarms, worst_misses
from maam_lib.analysis.choices import misleading_pair
from maam_lib.analysis.events import (
    FALSE_ALARMS,
    events_found,
    events_of,
    found_frames,
    kinds_found,
    read_event_labels,
    typical_frames,
)
from maam_lib.analysis.flow_accuracy import compare_estimators
from maam_lib.analysis.items import QueryError, Recall, items_of
