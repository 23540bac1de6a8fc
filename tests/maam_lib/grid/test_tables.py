"""Tables hold the numbers of result files beside the paper's as printed, and say what is missing."""

import json
from pathlib import Path

import pandas as pd
import pytest

from maam_lib.config import load_recipe
from maam_lib.evaluation.result import Cost, Result
from maam_lib.grid.experiments import OF_THE_PAPER, GridResults, every_part
from maam_lib.grid.numbers import ABSENT, as_text
from maam_lib.grid.results import BASE, paper_values
from maam_lib.grid.tables import (
    figure5,
    figure6,
    grid_tables,
    machine_of,
    memory_table,
    read_cost,
    summary,
    table2,
    table3,
    table4,
    table5,
    table5_more,
)
from tests.results import made_up_result

PRINTED = paper_values()


def made_up(auc: float, seed: int = 0, support: float | None = 20.0, **values: object) -> Result:
    """A result of four numbers that differ."""
    return made_up_result(
        auc,
        seed,
        auc_appearance=auc - 0.2,
        auc_motion=auc - 0.1,
        eer=1 - auc,
        learning_adds=auc - 0.75,
        no_learning={"zero_flow": {"auc": 0.75, "eer": 0.3}},
        memory=None if support is None else {"items": 50, "support_items": support},
        protocols={"micro": {"auc": auc, "auc_interval": [auc - 0.1, min(auc + 0.05, 1)]}},
        **values,
    )


def grid(recipe: str = "ped2-mini", **results: list[Result]) -> GridResults:
    return GridResults(load_recipe(recipe), {name.replace("_", "-"): seeds for name, seeds in results.items()}, [])


def test_table_2_has_ours_the_papers_and_the_yardstick():
    measured = grid(paper=[made_up(0.8), made_up(0.9, 1)], no_memory=[made_up(0.7, support=None)])
    table = as_text(table2(measured)).set_index("method")
    assert table.loc["this kit"].tolist() == [
        2,
        "0.850 ± 0.050",
        "[0.700, 0.850] (seed 0)",
        PRINTED["table2"]["rows"]["Ours"][0],
        f"{0.85 - float(PRINTED['table2']['rows']['Ours'][0]):+.3f}",
        "0.750 (zero flow)",
        "+0.100 ± 0.050",
        "",
    ]
    assert table.loc["this kit without memory", ["seeds", "AUC", "paper"]].tolist() == [
        1,
        "0.700",
        PRINTED["table2"]["rows"]["Ours (w/o memory)"][0],
    ]


def test_an_interval_over_clips_is_of_the_first_seed_that_has_one():
    older = made_up(0.8).model_copy(update={"protocols": {}})
    table = as_text(table2(grid(paper=[older, made_up(0.9, 1), made_up(0.7, 2)], no_memory=[older])))
    [measured, without] = table.set_index("method").loc[["this kit", "this kit without memory"], "95 % over clips"]
    assert (measured, without) == ("[0.800, 0.950] (seed 1)", "")


def test_the_memory_table_compares_the_same_seeds_only():
    without = made_up(0.95, 1, support=None)
    results = {BASE: [made_up(0.90), made_up(0.94, 1)], "no-memory": [without]}
    table = as_text(memory_table(results)).set_index("variant")
    column = "AUC minus AUC with memory, same seeds"
    assert table.loc["without memory", [column, "support items"]].tolist() == ["+0.010", "–"]
    assert table.loc["with memory", ["AUC", column]].tolist() == ["0.920 ± 0.020", ""]
    assert table.loc["released similarity", ["AUC", column, "support items"]].tolist() == [ABSENT] * 3


def test_table_3_is_in_percent():
    table = table3(grid(paper=[made_up(0.8)]))
    [row] = as_text(table).to_dict("records")
    printed = PRINTED["table3"]["rows"]["Ours"][0]
    assert row == {
        "method": "this kit",
        "seeds": 1,
        "EER [%]": "20.0",
        "paper": printed,
        "deviation": f"{20 - float(printed):+.1f}",
        "best no-learning": "30.0",
    }
    assert table["deviation"][0].distance == pytest.approx((20 - float(printed)) / 100), (
        "comparable with that of an AUC"
    )


def test_table_5_tells_a_branch_trained_alone_from_one_of_two():
    table = as_text(table5(grid(no_losses=[made_up(0.8)], no_losses_motion=[made_up(0.6)]))).set_index("losses")
    row = table.loc["neither loss"]
    assert row[["fused", "motion", "appearance"]].tolist() == ["0.800", "0.600", ABSENT]
    printed = PRINTED["table5"]["rows"]["none"]["ped2"]
    assert row[["paper, appearance", "paper, motion", "paper, fused"]].tolist() == printed
    assert row["deviation, fused"] == f"{0.8 - float(printed[2]):+.3f}"
    assert table.loc["both losses", ["seeds", "fused", "deviation, fused"]].tolist() == [0, ABSENT, "–"]
    more = as_text(table5_more(grid(no_losses=[made_up(0.8)], no_losses_motion=[made_up(0.6)]))).set_index("losses")
    assert more.loc["neither loss", ["appearance, both trained", "motion, both trained"]].tolist() == ["0.600", "0.700"]
    assert more.loc["both losses", ["seeds", "fused", "learning adds"]].tolist() == [0, ABSENT, ABSENT]


def test_figure_5_is_relative_to_neither_loss():
    table = as_text(figure5(grid(no_losses=[made_up(0.8, support=40.0)], latent_only=[made_up(0.8, support=30.0)])))
    table = table.set_index("losses")
    assert table.loc["latent loss", ["support items", "of", "change from neither loss"]].tolist() == [
        "30.0",
        50,
        "-25.0%",
    ]
    assert table.loc["sparse loss", "support items"] == ABSENT


def test_figure_5_compares_the_same_seeds_only():
    without = [made_up(0.8, support=40.0), made_up(0.8, 1, support=10.0)]
    table = as_text(figure5(grid(no_losses=without, latent_only=[made_up(0.8, support=30.0)]))).set_index("losses")
    assert table.loc["latent loss", "change from neither loss"] == "-25.0%"
    assert table.loc["latent loss", "paper, latent loss"] == f"-{PRINTED['figure5']['latent_fall_percent'][0]}%"


def test_rows_to_compare_are_of_the_same_seeds():
    """Seed 2, which one variant has alone, would lift it over the other."""
    both, alone = [made_up(0.8), made_up(0.6, 1)], made_up(1.0, 2)
    results = {BASE: [*both, alone], "beta_0.004": both, "no_losses": both}
    for table in (figure6(grid(**results)), table5(grid(**results)), table5_more(grid(**results))):
        cells = as_text(table).get("AUC", as_text(table).get("fused"))
        assert set(cells) == {"0.700 ± 0.100", ABSENT}
        assert set(table["seeds"]) == {2, 0}
    assert set(figure5(grid(**results))["seeds"]) == {2, 0}
    apart = as_text(figure6(grid(**{BASE: [alone], "beta_0.004": both}))).set_index(["knob", "value"])
    assert apart.loc[[("beta", "0.001"), ("beta", "0.004")], "AUC"].tolist() == ["1.000", "0.700 ± 0.100"]


def test_a_number_knows_the_results_it_was_made_of():
    results = [made_up(0.8, recipe_hash="a"), made_up(0.9, 1, recipe_hash="b")]
    assert table2(grid(paper=results))["AUC"].iloc[1].hashes == ("a", "b")
    assert summary([("x", results)])["AUC"].iloc[0].hashes == ("a", "b")


def as_pyarrow_keeps_it(table: pd.DataFrame) -> pd.DataFrame:
    """A table in which text is nothing but its characters: pandas makes it so where pyarrow is installed."""
    return table.map(lambda cell: "".join(cell) if isinstance(cell, str) else cell)


def test_numbers_keep_what_they_know_however_pandas_keeps_text():
    results = [made_up(0.8, recipe_hash="a"), made_up(0.9, 1, recipe_hash="b")]
    ours = as_pyarrow_keeps_it(table2(grid(paper=results))).iloc[1]
    assert ours["AUC"].hashes == ours["learning adds"].hashes == ("a", "b")
    assert ours["AUC"].values == (0.8, 0.9)
    assert ours["deviation"].distance == pytest.approx(float(PRINTED["table2"]["rows"]["Ours"][0]) - 0.85)
    assert as_pyarrow_keeps_it(figure5(grid(paper=results)))["support items"].iloc[3].hashes == ("a", "b")


def test_a_table_shows_the_same_text_in_a_notebook_in_csv_and_in_latex():
    table = table2(grid(paper=[made_up(0.8), made_up(0.9, 1)]))
    for shown in (
        table.style.hide().to_html(),
        table.to_csv(),
        as_text(table).to_latex(escape=True),
        str(table["AUC"]),
    ):
        assert "0.850 ± 0.050" in shown


def test_figure_6_has_the_papers_points_and_the_recipe_itself_among_them():
    table = as_text(figure6(grid(**{BASE: [made_up(0.8)], "beta_0.004": [made_up(0.7)]}))).set_index(["knob", "value"])
    assert table.loc[("beta", "0.004"), ["AUC", "paper"]].tolist() == ["0.700", PRINTED["figure6"]["beta"]["ped2"][4]]
    assert table.loc[("beta", "0.001"), "AUC"] == table.loc[("zeta", "0.1"), "AUC"] == "0.800"
    assert table.loc[("beta", "2"), ["AUC", "paper", "deviation"]].tolist() == [ABSENT, "–", "–"]


@pytest.mark.parametrize("recipe", ["synthetic-mini", "ped2-mini"])
def test_every_part_has_a_table_even_without_a_result(recipe: str, tmp_path: Path):
    made = grid_tables(grid(recipe), tmp_path, [*OF_THE_PAPER, "differences"])
    assert len(made) == len(every_part())
    for title, table in made.items():
        assert ABSENT in table.astype(str).to_numpy() or title.endswith("(Table 4)"), title


def test_the_generated_scene_has_no_number_of_the_paper():
    tables = [table2(grid("synthetic-mini")), table3(grid("synthetic-mini")), figure6(grid("synthetic-mini"))]
    assert {cell for table in tables for cell in table["paper"]} == {"–"}


def test_table_4_names_the_machine(tmp_path: Path):
    assert table4(read_cost("ped2-mini", tmp_path)).to_numpy().tolist() == [[ABSENT]]
    cost = {
        "device": "a processor",
        "threads": 2,
        "parameters": 8_447_875,
        "flow_estimator": "dis",
        "multiply_adds": {"network": 100_000_000_000, "memory": 1_200_000_000},
        "frames_per_second": {"network": 4.0, "with_pscd": 3.9, "end_to_end": 3.5},
    }
    (tmp_path / "ped2-mini").mkdir()
    (tmp_path / "ped2-mini" / "cost.json").write_text(json.dumps(cost))
    [row] = as_text(table4(read_cost("ped2-mini", tmp_path / "nowhere", tmp_path))).to_numpy().tolist()
    assert row == ["a processor, 2 threads", "8.45", "100.00", "1.2%", "4.0", "3.9", "3.5"]
    assert machine_of(Cost.model_validate(cost | {"threads": 1})) == "a processor, 1 thread"
