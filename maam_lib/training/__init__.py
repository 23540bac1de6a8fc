"""Training (paper Sec. 4.3): recipes to run folders, with exact resume."""

from maam_lib.training.camera import fit_recipe
from maam_lib.training.importing import import_weights
from maam_lib.training.loop import ReleasedAdam, build_network, dataset_for, fit
from maam_lib.training.machine import Amount, Hash, Machine, Part
from maam_lib.training.runs import (
    SCORES,
    RunError,
    RunFolder,
    changed_settings,
    environment_facts,
    load_weights,
    processor_name,
    read_scores,
    usable_cores,
    write_weights,
)
