import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from maam_lib.config import SettingError
from maam_lib.grid.results import ResultError
from maam_lib.playground.background import BackgroundTraining, as_command, training_words
from maam_lib.playground.comparison import compared, history_figure, runs_under
from maam_lib.training.runs import RunFolder
from tests.conftest import TINY_SETTINGS

PATIENCE = 240  # seconds: the machine may be busy


def wait_for_epochs(training: BackgroundTraining, number: int) -> None:
    """Wait until so many epochs are finished, or the training has ended, however it did."""
    while len(training.run.history) < number and training.is_running:
        with suppress(subprocess.TimeoutExpired):
            training.wait(0.05)


def test_a_stopped_training_keeps_its_epochs_and_goes_on(scene_root: Path, tmp_path: Path) -> None:
    settings = [*TINY_SETTINGS, "training.epochs=2000"]
    first = BackgroundTraining("synthetic-mini", settings, scene_root, tmp_path / "run")
    wait_for_epochs(first, 1)
    first.stop()
    assert first.wait(PATIENCE) == "stopped", first.error
    kept = len(first.run.history)
    assert 1 <= kept < 2000
    assert f"stopped: epoch {kept} of 2000 finished, kept in" in first.in_words()
    assert RunFolder.open(tmp_path / "run").epochs_done in (kept, kept - 1)  # whole: weights, row and optimiser
    assert [path.name for path in (tmp_path / "run").rglob(".*.*")] == [], "nothing half written stays"
    again = BackgroundTraining("synthetic-mini", settings, scene_root, tmp_path / "run")
    assert again.words[-1] == "--resume"
    wait_for_epochs(again, kept + 1)
    again.stop()
    assert again.wait(PATIENCE) == "stopped", again.error


def test_a_training_that_cannot_be_says_why(tmp_path: Path) -> None:
    training = BackgroundTraining("synthetic-mini", [], tmp_path / "nowhere", tmp_path / "run")
    assert training.wait(PATIENCE) == "failed"
    assert training.in_words().startswith("failed: ")
    assert "no prepared synthetic" in training.error
    assert "maam prepare synthetic" in training.error


def test_a_setting_that_is_not_allowed_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"model\.num_items"):
        BackgroundTraining("synthetic-mini", ["model.num_items=0"], tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_command_is_one_to_type(tmp_path: Path) -> None:
    words = training_words("ped2", ["scoring.patch=[12, 8]"], Path("data"), tmp_path / "run")
    assert as_command(words) == f"maam train ped2 --run {tmp_path}/run --root data --set 'scoring.patch=[12, 8]'"


# Finished runs


def test_runs_are_found_by_their_path(finished_run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "not a run").mkdir()
    assert runs_under(tmp_path) == {}
    assert runs_under(tmp_path / "absent") == {}
    assert list(runs_under(finished_run.folder.parent)) == ["finished"]


def test_compared_runs_show_results_and_what_differs(finished_run: RunFolder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    changed = finished_run.recipe.with_settings("model.dropout=0.5", "training.seed=3")
    (other / "recipe.yaml").write_text(changed.to_yaml())
    (other / "history.csv").write_text((finished_run.folder / "history.csv").read_text())
    table = compared({"mine": finished_run, "other": RunFolder(other)})
    assert table.loc["mine", "AUC"] > 0
    assert table.loc["other"].isna()["AUC"], "not measured"
    assert table["model.dropout"].tolist() == [0.3, 0.5]
    assert table["training.seed"].tolist() == [0, 3]
    assert not {"model.num_items", "training.epochs"} & set(table.columns), "the same in both"
    drawn = history_figure({"mine": finished_run}).axes[0].lines[0]
    assert [len(values) for values in drawn.get_data()] == [2, 2]


def test_a_damaged_result_is_named(finished_run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(finished_run.recipe.to_yaml())
    (tmp_path / "history.csv").write_text((finished_run.folder / "history.csv").read_text())
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(ResultError, match=r"metrics\.json: not readable"):
        compared({"damaged": RunFolder(tmp_path)})
