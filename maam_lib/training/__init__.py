"""Training (paper Sec. 4.3): recipes to run folders, with exact resume."""

from maam_lib.training.camera import fit_recipe, moving_things
from maam_lib.training.files import SCORES, RunError, load_weights, read_score_table, read_scores, write_weights
from maam_lib.training.held_out import HeldOut, width_10_90
from maam_lib.training.importing import import_weights
from maam_lib.training.loop import build_network, dataset_for, fit
from maam_lib.training.machine import Amount, Hash, Machine, Part, environment_facts, processor_name, usable_cores
from maam_lib.training.optimizer import ReleasedAdam
from maam_lib.training.runs import RunFolder, changed_settings
