"""The grid behind the paper's tables: variants, sweep, results, tables, claims and their judging."""

from maam_lib.grid.cost import multiply_adds, work_of
from maam_lib.grid.differences import SWITCHES, effect_table, scoring_table, sizes_table
from maam_lib.grid.experiments import (
    LOSSES,
    OF_THE_PAPER,
    GridResults,
    base_recipe,
    cells_of,
    every_part,
    every_variant,
    figure6_variants,
    grid_results,
    reference_grid,
)
from maam_lib.grid.judging import (
    DATASETS,
    SIZES,
    State,
    Verdict,
    ending_of,
    is_full_size,
    is_generated,
    verdict,
    verdict_table,
)
from maam_lib.grid.numbers import ABSENT, NONE, Deviation, Number, TableCell, as_text, number, paired, same_seeds, shown
from maam_lib.grid.paper_claims import claims
from maam_lib.grid.results import (
    BASE,
    REFERENCE,
    WEIGHTS,
    ResultError,
    Results,
    kept_weights,
    paper_values,
    read_result,
    reference_detector,
    reference_network,
    result_table,
)
from maam_lib.grid.runner import sweep
from maam_lib.grid.status import clock, sweep_states
from maam_lib.grid.tables import grid_tables, learning_adds, machine_of, read_cost, summary, yardstick
