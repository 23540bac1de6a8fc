"""Pairs of equal seeds in one table, with one's own run marked, or the reason why it has no partner."""

import pytest

from maam_lib.config import load_recipe
from maam_lib.evaluation.result import Result
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.seed_pairs import YOURS, pairs_table
from tests.results import made_up_result

COMPARED = {"both losses": "paper", "neither loss": "no-losses"}


def result(auc: float, seed: int, recipe_hash: str) -> Result:
    return made_up_result(auc, seed, recipe="synthetic-mini", recipe_hash=f"{recipe_hash}{seed}")


@pytest.fixture
def grids() -> list[GridResults]:
    results = {
        "paper": [result(0.9, seed, "both") for seed in (0, 1, 2)],
        "no-losses": [result(0.8 + 0.05 * seed, seed, "neither") for seed in (0, 1, 3)],
        "adam": [result(0.7, 0, "adam")],
    }
    return [GridResults(load_recipe("synthetic-mini"), results, [])]


def test_a_row_for_each_seed_that_both_have(grids: list[GridResults]) -> None:
    table = pairs_table(grids, COMPARED)
    assert table["seed"].tolist() == [0, 1]
    assert table["both losses"].tolist() == ["0.900", "0.900"]
    assert table["neither loss"].tolist() == ["0.800", "0.850"]
    assert table["difference"].tolist() == ["+0.100", "+0.050"]
    assert table[""].tolist() == ["", ""]


@pytest.mark.parametrize("which", ["both", "neither"])
def test_one_s_own_run_is_marked_where_it_has_a_partner(grids: list[GridResults], which: str) -> None:
    table = pairs_table(grids, COMPARED, result(0.9, 1, which))
    assert table[""].tolist() == ["", YOURS]


@pytest.mark.parametrize(
    ("own", "row"),
    [
        (
            ("both", 2),
            ["0.900", "not measured", "not compared: no training with neither loss and seed 2 of synthetic-mini"],
        ),
        (
            ("neither", 3),
            ["not measured", "0.900", "not compared: no training with both losses and seed 3 of synthetic-mini"],
        ),
        (("adam", 0), ["–", "–", "AUC 0.900, not compared: it is another variant, adam"]),
        (("mine", 0), ["–", "–", "AUC 0.900, not compared: its settings are those of no kept training"]),
    ],
)
def test_without_a_partner_the_reason_stands_beside_it(
    grids: list[GridResults], own: tuple[str, int], row: list[str]
) -> None:
    last = pairs_table(grids, COMPARED, result(0.9, own[1], own[0])).iloc[-1]
    assert [last["both losses"], last["neither loss"]] == row[:2]
    assert last[""] == f"{YOURS}, {row[2]}"
    assert (last["recipe"], last["seed"], last["difference"]) == ("synthetic-mini", own[1], "–")
