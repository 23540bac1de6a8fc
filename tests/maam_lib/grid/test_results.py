"""Result files and the paper's numbers: read or refused by name; no number of the paper typed anywhere else."""

import json
import re
import runpy
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import torch

from data_prep.files import write_json
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.grid import results
from maam_lib.grid.numbers import ABSENT, as_text, difference, number
from maam_lib.grid.results import (
    BASE,
    ResultError,
    keep_reference,
    kept_weights,
    no_learning_table,
    paper_values,
    read_no_learning,
    read_no_learning_scores,
    read_result,
    reference_detector,
    reference_network,
    result_table,
)
from maam_lib.grid.tables import summary
from maam_lib.training.files import RunError, read_scores
from maam_lib.training.loop import build_network
from maam_lib.training.runs import RunFolder
from tests.conftest import PROJECT
from tests.results import made_up_result, rows_without_learning

HEADLINE = {"ped2": "0.977", "avenue": "0.909", "shanghaitech": "0.713"}  # of the abstract


@pytest.fixture
def reference_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty stand-in for reports/reference."""
    monkeypatch.setattr(results, "REFERENCE", tmp_path / "reference")
    return tmp_path / "reference"


# Result files


def test_a_missing_result_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=rf"metrics\.json: no such result; .*`maam evaluate --run {tmp_path}`"):
        read_result(tmp_path / "metrics.json")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"auc": 0.', r"metrics\.json: not readable as JSON .*was it cut\?"),
        ("[1, 2]", r"metrics\.json: not a metrics\.json of this kit"),
        (
            '{"auc": 0.5, "recipe": "a"}',
            r"metrics\.json: not a metrics\.json of this kit \(no auc_appearance, .*seed\)",
        ),
        (json.dumps(made_up_result().as_json() | {"auc": "high"}), r"metrics\.json: auc is 'high', expected a number"),
    ],
)
def test_a_damaged_or_foreign_result_is_named(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(ResultError, match=expected):
        read_result(tmp_path / "metrics.json")


def test_keeping_a_run_and_reading_it_back(
    finished_run: RunFolder, scene: PreparedDataset, reference_folder: Path
) -> None:
    measured = read_result(finished_run.folder / "metrics.json")
    assert keep_reference(finished_run, weights=True) == reference_folder / "synthetic-mini"
    kept = read_result(reference_folder / "synthetic-mini" / BASE / "seed0.json")
    assert kept == measured.with_values(machine=kept.machine.model_dump(mode="json", exclude_unset=True))
    assert kept.machine.precision == "float32"
    assert "packages" not in kept.as_json()["machine"]
    recipe, net = reference_network("synthetic-mini")
    assert recipe == finished_run.recipe
    pd.testing.assert_frame_equal(read_scores(reference_folder / "synthetic-mini"), read_scores(finished_run.folder))
    detector = reference_detector("synthetic-mini")
    assert (detector.psi, detector.threshold) == (measured.psi, measured.threshold)
    assert not net.training
    original = build_network(recipe).eval()
    finished_run.load_weights(original)
    frames, _ = FrameFlowDataset(scene, "test").__getitems__([5])
    with torch.no_grad():
        assert torch.equal(net(frames).frame_hat, original(frames).frame_hat)


def test_seeds_gather_in_one_folder(finished_run: RunFolder, reference_folder: Path, tmp_path: Path) -> None:
    keep_reference(finished_run)
    keep_reference(finished_run, "sparse")
    second = RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "second"))
    metrics = json.loads((second.folder / "metrics.json").read_text())
    (second.folder / "metrics.json").write_text(json.dumps(metrics | {"seed": 1}))
    keep_reference(second)
    files = results.result_files(reference_folder / "synthetic-mini")
    assert [file.relative_to(reference_folder / "synthetic-mini").as_posix() for file in files] == [
        "paper/seed0.json",
        "paper/seed1.json",
        "sparse/seed0.json",
    ]
    with pytest.raises(ResultError, match="no kept weights of 'synthetic-mini'; there are: none"):
        reference_network("synthetic-mini")


def test_a_run_that_was_not_evaluated_is_not_kept(
    finished_run: RunFolder, reference_folder: Path, tmp_path: Path
) -> None:
    run = RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "run"))
    (run.folder / "metrics.json").unlink()
    with pytest.raises(ResultError, match="maam evaluate"):
        keep_reference(run)
    assert not reference_folder.exists()


def test_kept_weights_that_do_not_fit_their_recipe(finished_run: RunFolder, reference_folder: Path) -> None:
    folder = keep_reference(finished_run, weights=True)
    text = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(text.replace("num_items: 8", "num_items: 9"))
    with pytest.raises(RunError, match=r"items is \(8, 32\), expected \(9, 32\)"):
        reference_network("synthetic-mini")


@pytest.mark.parametrize("name", kept_weights())
def test_kept_weights_and_results_are_of_one_training(name: str) -> None:
    (recipe, _), detector = reference_network(name), reference_detector(name)
    result = read_result(results.REFERENCE / name / BASE / "seed0.json")
    assert result.recipe_hash == recipe.hash(), f"{name}: weights and seed0.json are of other recipes"
    assert detector.psi == pytest.approx(result.psi, rel=1e-6)
    assert detector.threshold == pytest.approx(result.threshold, rel=1e-6)


# Tables


def test_numbers_are_shown_with_their_spread() -> None:
    assert str(number([0.5])) == "0.500"
    assert str(number([0.5, 0.75])) == "0.625 ± 0.125"
    assert str(number([0.25], "+.3f")) == "+0.250"
    assert str(number([-0.25, -0.5], "+.3f")) == "-0.375 ± 0.125"
    assert str(difference([0.02, 0.02], " (2)")) == "+0.020 [+0.020, +0.020] (2)"
    assert number([]) == difference([]) == ABSENT


def test_summary_says_where_the_data_were_incomplete() -> None:
    part = made_up_result(protocol={"auc": "micro", "complete": False})
    table = summary([("whole", [made_up_result()]), ("part", [part])])
    assert ["INCOMPLETE" in words for words in table["protocol"]] == [False, True]


def test_summary_has_one_row_per_group() -> None:
    table = summary([("one", [made_up_result(0.75)]), ("two", [made_up_result(0.75), made_up_result(1.0, 1)])])
    table = as_text(table).set_index("result")
    assert list(table.index) == ["one", "two"]
    assert table.loc["two", ["seeds", "AUC", "learning adds"]].tolist() == [2, "0.875 ± 0.125", "+0.225 ± 0.125"]
    assert table.loc["one", "best no-learning"] == "0.650 (zero flow)"
    assert table.loc["one", "protocol"] == "micro"
    assert table.loc["one", "motion error, train / normal test"] == "0.50 / 0.75"
    assert table.loc["one", "paper, full size"] == "–"  # the paper has no such dataset


def test_the_readme_picture_of_the_epochs_is_drawn_from_what_is_kept(tmp_path: Path) -> None:
    runpy.run_path(str(PROJECT / "docs" / "make_figures.py"))["ped2_epochs"](tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ped2_epochs.png"]


ROWS = {"zero_flow": {"auc": 0.5, "eer": 0.5}, "median_flow": {"auc": 0.65, "eer": 0.4}}


def test_result_table_shows_learned_rows_before_yardsticks() -> None:
    table = result_table(made_up_result(0.75, no_learning=ROWS))
    yardsticks = ["no learning: zero flow", "no learning: median flow"]
    assert list(table.index) == ["fused", "appearance alone", "motion alone", *yardsticks]
    assert table["AUC"].tolist() == [0.75, 0.6, 0.7, 0.5, 0.65]
    assert pd.isna(table.loc["motion alone", "EER"])


def test_result_table_shows_every_protocol_and_the_yardstick_under_it() -> None:
    micro = {
        "auc": 0.75,
        "average_precision": 0.8,
        "eer": 0.25,
        "auc_interval": [0.7, 0.85],
        "no_learning": {"zero_flow": 0.5, "median_flow": 0.65},
    }
    macro = {"auc": 0.9, "clips": 8, "single_class_clips": 4, "auc_interval": None, "no_learning": {"zero_flow": 0.6}}
    localisation = {
        "pixel_auc": 0.95,
        "pixel_auc_ucsd": 0.85,
        "rbdc": 0.4,
        "tbdc": None,
        "no_learning": {"pixel_auc": 0.9, "pixel_auc_ucsd": 0.8, "rbdc": 0.3, "tbdc": None},
    }
    protocols = {"micro": micro, "micro_per_clip": micro | {"auc": 0.7}, "macro": macro}
    table = result_table(made_up_result(0.75, protocols=protocols, localisation=localisation))
    assert list(table.columns) == ["AUC", "EER", "AP", "AUC from", "to", "best no-learning"]
    assert table.loc["fused"].tolist() == [0.75, 0.25, 0.8, 0.7, 0.85, 0.65]
    assert table.loc["fused, each clip to [0, 1]", "AUC"] == 0.7
    assert table.loc["fused, mean of 8 clips (4 of one class left out)"].dropna().tolist() == [0.9, 0.6]
    assert table.loc["pixels, 40 % of a frame's (UCSD)"].dropna().tolist() == [0.85, 0.8]
    assert table.loc["regions (RBDC)", "AUC"] == 0.4
    assert "tracks (TBDC)" not in table.index
    assert result_table(made_up_result(localisation=None)).equals(result_table(made_up_result()))


def test_result_table_shows_smoothed_scores_after_raw_ones() -> None:
    def under(auc: float) -> dict:
        rows = {"auc_appearance": 0.6, "auc_motion": auc - 0.02, "no_learning": {"zero_flow": 0.7, "speed": 0.72}}
        return {"auc": auc, "eer": 0.2, "average_precision": 0.9, "auc_interval": [0.7, 0.9]} | rows

    padded = under(0.93) | {"clips": 12, "eer": None, "average_precision": None}
    raw = {"micro": under(0.75), "macro_padded": padded}
    smoothed = {"median_17": {"micro": under(0.82), "macro": padded}, "gaussian_3": {"micro": under(0.8)}}
    table = result_table(made_up_result(0.75, protocols=raw, smoothed=smoothed))
    assert list(table.index) == [
        "fused",
        "appearance alone",
        "motion alone",
        "fused, mean of 12 padded clips (AI-VAD)",
        "fused, Gaussian over time, sigma 3",
        "appearance alone, Gaussian over time, sigma 3",
        "motion alone, Gaussian over time, sigma 3",
        "fused, median over time, 17 frames",
        "appearance alone, median over time, 17 frames",
        "motion alone, median over time, 17 frames",
        "no learning: zero flow",
    ]
    row = table.loc["fused, median over time, 17 frames"]
    assert row[["AUC", "EER", "AUC from", "to", "best no-learning"]].tolist() == [0.82, 0.2, 0.7, 0.9, 0.72]
    assert table.loc["motion alone, Gaussian over time, sigma 3", "AUC"] == pytest.approx(0.78)
    assert max(len(line) for line in table.to_string(na_rep="").splitlines()) <= 110  # fits into a terminal


# The paper's numbers


def test_every_row_of_the_paper_has_a_value_per_column() -> None:
    paper = paper_values()
    assert list(paper) == ["table2", "table3", "table4", "table5", "figure5", "figure6"]
    rows = [(t, name, values) for t in ("table2", "table3", "table4") for name, values in paper[t]["rows"].items()]
    rows += [
        ("table5", f"{losses}, {dataset}", values)
        for losses, by_dataset in paper["table5"]["rows"].items()
        for dataset, values in by_dataset.items()
    ]
    assert len(rows) == 18 + 5 + 4 + 12
    for table, name, values in rows:
        assert len(values) == len(paper[table]["columns"]), f"{table}: {name}"
        assert all(isinstance(value, str) for value in values), f"{table}: {name}: numbers stand as printed, in quotes"
    assert len(paper["figure5"]["latent_fall_percent"]) == len(paper["figure5"]["columns"])
    for knob in ("beta", "zeta"):
        assert len({len(values) for values in paper["figure6"][knob].values()}) == 1


def test_the_tables_agree_with_the_abstract_and_with_each_other() -> None:
    paper = paper_values()
    for column, (dataset, printed) in enumerate(HEADLINE.items()):
        assert paper["table2"]["columns"][column] == dataset
        assert paper["table2"]["rows"]["Ours"][column] == printed
        assert paper["table5"]["rows"]["sparse and latent"][dataset][2] == printed
    for knob, default in (("beta", "0.001"), ("zeta", "0.1")):
        place = paper["figure6"][knob]["values"].index(default)
        assert [paper["figure6"][knob][name][place] for name in ("ped2", "avenue")] == list(HEADLINE.values())[:2]


def test_no_code_or_notebook_types_a_number_of_the_paper() -> None:
    """This file alone may: the three of the abstract, above."""
    paper = paper_values()
    tables = [values for t in ("table2", "table3") for name, values in paper[t]["rows"].items() if "Ours" in name]
    tables += [values for by_dataset in paper["table5"]["rows"].values() for values in by_dataset.values()]
    numbers = "|".join(re.escape(number) for number in sorted({number for values in tables for number in values}))
    typed = re.compile(rf"(?<![\w.])({numbers})(?![\w.])")
    folders = [PROJECT / name for name in ("maam_lib", "data_prep", "notebooks", "benchmarks", "tests")]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in (".py", ".ipynb")]
    paths = [path for path in paths if ".ipynb_checkpoints" not in path.parts]
    assert len(paths) > 40
    strays = [
        f"{path.relative_to(PROJECT)} types {found}"
        for path in paths
        if path != Path(__file__)
        for found in typed.findall(_written(path))
    ]
    assert strays == [], "take them from maam_lib.grid.results.paper_values"


def _written(path: Path) -> str:
    """What a person typed: the whole of a module, the cells of a notebook without ids and outputs."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


# Rows without learning


def test_rows_without_learning_are_read_as_they_were_written(tmp_path: Path) -> None:
    path, written = tmp_path / "no_learning.json", rows_without_learning()
    write_json(path, written.as_json())
    assert read_no_learning(path) == written


def test_scores_without_learning_are_read_beside_their_rows(tmp_path: Path) -> None:
    path, scores = tmp_path / "no_learning.json", pd.DataFrame({"clip": ["001"], "frame": [0], "label": [1]})
    write_json(path, rows_without_learning().as_json())
    scores.assign(zero_flow=0.5).to_csv(path.with_suffix(".csv"), index=False)
    pd.testing.assert_frame_equal(read_no_learning_scores(path), scores.assign(zero_flow=0.5))
    for damaged in (scores.assign(speed=0.5), scores.assign(zero_flow="a"), scores.assign(label=2, zero_flow=0.5)):
        damaged.to_csv(path.with_suffix(".csv"), index=False)
        with pytest.raises(RunError, match=r"no_learning\.csv: .*maam baselines RECIPE --out .*json"):
            read_no_learning_scores(path)


def test_missing_rows_without_learning_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"no_learning\.json: no such result; .*`maam baselines RECIPE --out .*json`"):
        read_no_learning(tmp_path / "no_learning.json")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rows": 3}, "rows is 3"),
        ({"recipe": None}, "recipe is None"),
        ({"rows": {"zero_flow": {"protocols": {}, "smoothed": {}}}}, "the AUC and EER of the protocol micro"),
        ({"rows": {"zero_flow": {"protocols": {"micro": {"auc": 1.5}}, "smoothed": {}}}}, r"micro\.auc is 1\.5"),
        ({"rows": {"../up": {"protocols": {}, "smoothed": {}}}}, "expected a name"),
    ],
)
def test_damaged_rows_without_learning_are_named(change: dict, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "no_learning.json"
    write_json(path, rows_without_learning().as_json() | change)
    with pytest.raises(ResultError, match=rf"no_learning\.json: .*{expected}.*; make it again with `maam baselines"):
        read_no_learning(path)
    path.write_text(json.dumps(rows_without_learning().as_json())[:-20])
    with pytest.raises(ResultError, match="not readable as JSON"):
        read_no_learning(path)


def test_the_table_of_rows_without_learning_leaves_out_what_nobody_measured() -> None:
    table = no_learning_table(rows_without_learning())
    expected = {"AUC": 0.75, "EER": 0.25, "AUC from": 0.5, "to": 1.0, "gaussian_3": 0.875, "pixels": 0.625}
    expected |= {"pixels, 40 % of a frame's (UCSD)": 0.5, "regions (RBDC)": 0.125}
    assert table.loc["zero flow"].to_dict() == expected
