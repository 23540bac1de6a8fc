"""The grid behind the paper's tables: variants, sweep, results, tables, claims and their judging."""

from maam_lib.grid.bets import (
    NO_IDEA,
    Bet,
    BetError,
    Review,
    Sheet,
    always,
    brier,
    class_calibration,
    class_table,
    read_sheet,
    read_sheets,
    review_of,
)
from maam_lib.grid.cards import Card, deck, minutes_of
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
    AT_THIS_SIZE,
    DATASETS,
    SIZES,
    State,
    Verdict,
    ending_of,
    gain,
    is_full_size,
    is_generated,
    verdict,
    verdict_table,
)
from maam_lib.grid.learning import COMPARED, learning_table, of_rows, trainings_table
from maam_lib.grid.motion import motion_learned
from maam_lib.grid.numbers import (
    ABSENT,
    NONE,
    Deviation,
    Number,
    TableCell,
    as_text,
    auc,
    number,
    paired,
    same_seeds,
    shown,
)
from maam_lib.grid.paper_claims import claims, questions
from maam_lib.grid.power import Decider, deciders, deciders_table
from maam_lib.grid.results import (
    BASE,
    REFERENCE,
    REPORTS,
    WEIGHTS,
    ResultError,
    Results,
    kept_weights,
    no_learning_table,
    paper_values,
    read_no_learning,
    read_no_learning_scores,
    read_result,
    reference_detector,
    reference_network,
    result_table,
    scores_side_by_side,
)
from maam_lib.grid.runner import sweep
from maam_lib.grid.seed_pairs import YOURS, pairs_table
from maam_lib.grid.status import clock, sweep_states
from maam_lib.grid.subject import Subject, recipe_file, subject_of
from maam_lib.grid.tables import grid_tables, learning_adds, machine_of, read_cost, summary, yardstick
