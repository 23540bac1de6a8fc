"""A sweep does every cell once, side by side or not, and loses nothing: not by a kill, a failure or a full disk."""

import errno
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from data_prep.files.writing import DiskFullError, _this_machine
from maam_lib.config import load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.grid import runner as module
from maam_lib.grid import status
from maam_lib.grid.cost import memory_needed
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.results import BASE, ResultError
from maam_lib.grid.runner import SweepError, default_workers, sweep
from maam_lib.grid.status import SweepState, sweep_state, sweep_states
from tests.cluster_tasks import cell_killed_after_an_epoch
from tests.conftest import tiny_recipe

VARIANTS = (BASE, "no-memory")
ON_MACHINE = ("seconds", "machine")  # what differs from one time to the next


@pytest.fixture
def run_sweep(scene: PreparedDataset, tmp_path: Path) -> Callable[..., GridResults]:
    """Sweeps two variants of the tiny recipe, one epoch and one seed, in this process."""

    def run(folder: Path = tmp_path, *settings: str, **given: object) -> GridResults:
        asked = {"parts": (), "variants": VARIANTS, "seeds": 1, "workers": 1, "say": lambda line: None} | given
        return sweep(tiny_recipe("training.epochs=1", *settings), scene, folder, **asked)

    return run


def state(folder: Path) -> SweepState:
    return sweep_state(folder / "synthetic-mini")


def numbers(grid: GridResults) -> dict:
    return {
        (name, result.seed): {key: value for key, value in result.as_json().items() if key not in ON_MACHINE}
        for name, seeds in grid.results.items()
        for result in seeds
    }


def test_every_cell_once_seed_by_seed(run_sweep: Callable[..., GridResults], tmp_path: Path) -> None:
    said: list[str] = []
    grid = run_sweep(say=said.append, seeds=2)
    assert [line.split(":")[0] for line in said[1:]] == [
        "1/4 paper seed 0",
        "2/4 no-memory seed 0",
        "3/4 paper seed 1",
        "4/4 no-memory seed 1",
    ]
    assert set(numbers(grid)) == {(name, seed) for name in VARIANTS for seed in (0, 1)}
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed*.json")}
    said.clear()
    assert numbers(run_sweep(say=said.append, seeds=2)) == numbers(grid)
    assert said == [f"synthetic-mini: 4 cells, 4 done, 0 to do in {tmp_path / 'synthetic-mini'}"]
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_results_of_the_kit_are_read_like_its_own(
    run_sweep: Callable[..., GridResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = run_sweep(tmp_path / "first")
    monkeypatch.setattr(module, "REFERENCE", tmp_path / "first")
    said: list[str] = []
    assert numbers(run_sweep(tmp_path / "second", say=said.append)) == numbers(measured)
    assert "2 cells, 2 done, 0 to do" in said[0]
    assert not list((tmp_path / "second").rglob("seed*.json"))
    assert len(state(tmp_path / "first").of("done")) == 2


def test_results_of_the_kit_in_another_number_format_are_measured_anew(
    run_sweep: Callable[..., GridResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = run_sweep(tmp_path / "first", variants=VARIANTS[:1])
    [path] = (tmp_path / "first").rglob("seed0.json")
    result = json.loads(path.read_text())
    path.write_text(json.dumps(result | {"machine": result["machine"] | {"precision": "float8"}}))
    monkeypatch.setattr(module, "REFERENCE", tmp_path / "first")
    monkeypatch.setattr(status, "REFERENCE", tmp_path / "first")
    said: list[str] = []
    states: list[SweepState] = []

    def look(line: str) -> None:
        said.append(line)
        states.append(state(tmp_path / "second"))

    grid = run_sweep(tmp_path / "second", variants=VARIANTS[:1], say=look)
    assert "1 cell, 0 done, 1 to do" in said[0]
    assert [len(seen.of("waiting")) for seen in states] == [1, 0], "the kit's result is none of this sweep"
    assert numbers(grid) == numbers(measured), "the same numbers, of this machine's own format"
    assert grid.left_out == [
        f"{path}: trained in float8, not compared with results in {result['machine']['precision']}"
    ]


def test_ones_own_result_in_another_number_format_is_named_and_stays(
    run_sweep: Callable[..., GridResults], tmp_path: Path
) -> None:
    run_sweep(tmp_path, variants=VARIANTS[:1])
    [path] = tmp_path.rglob("seed0.json")
    result = json.loads(path.read_text())
    before = json.dumps(result | {"machine": result["machine"] | {"precision": "bfloat16"}})
    path.write_text(before)
    with pytest.raises(ResultError, match=r"seed0\.json: a result of another number format \(bfloat16\); move it away"):
        run_sweep(tmp_path, variants=VARIANTS[:1])
    assert path.read_text() == before


def test_a_worker_killed_in_the_middle_changes_no_number(
    run_sweep: Callable[..., GridResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = numbers(run_sweep(tmp_path / "whole"))
    monkeypatch.setattr(module, "run_cell", cell_killed_after_an_epoch)
    grid = run_sweep(tmp_path / "killed", workers=2)
    assert (tmp_path / "killed" / "synthetic-mini" / "killed").exists()
    assert numbers(grid) == expected
    assert not list((tmp_path / "killed").rglob("*.running"))


def test_a_failed_cell_is_named_and_the_others_are_kept(run_sweep: Callable[..., GridResults], tmp_path: Path) -> None:
    stranger = tmp_path / "synthetic-mini" / "no-memory" / "seed0" / "holiday.jpg"
    stranger.parent.mkdir(parents=True)
    stranger.touch()
    with pytest.raises(
        SweepError, match=r"^1 of 2 cells failed, the others are kept: no-memory seed 0: .*neither empty"
    ):
        run_sweep(variants=VARIANTS[::-1])
    told = state(tmp_path)
    assert [cell.variant for cell in told.of("done")] == [BASE]
    assert "found holiday.jpg" in told.of("failed")[0].detail
    assert "1 done, 1 failed" in str(told)
    assert stranger.exists()
    shutil.rmtree(stranger.parent)
    run_sweep()
    assert str(state(tmp_path)) == f"{tmp_path / 'synthetic-mini'}: 2 cells: 2 done"


def test_a_full_disk_stops_it_at_once(
    run_sweep: Callable[..., GridResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise DiskFullError(errno.ENOSPC, "the disk is full")

    run_sweep(variants=[BASE])
    before = (tmp_path / "synthetic-mini" / BASE / "seed0.json").read_bytes()
    monkeypatch.setattr(module, "measure_cell", full)
    said: list[str] = []
    with pytest.raises(DiskFullError):
        run_sweep(variants=[BASE, "no-memory", "sparse"], say=said.append)
    assert len(said) == 1
    assert (tmp_path / "synthetic-mini" / BASE / "seed0.json").read_bytes() == before
    monkeypatch.undo()
    run_sweep(variants=[BASE, "no-memory", "sparse"])
    assert len(state(tmp_path).of("done")) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ("model.num_items=9",),
            r"a sweep with other settings \(model\.num_items: 8 -> 9\); name another folder",
        ),
        (("training.epochs=2",), r"paper/seed0\.json: a result of other settings; move it away"),
    ],
)
def test_a_recipe_changed_in_the_middle_is_refused(
    settings: tuple[str, ...], message: str, run_sweep: Callable[..., GridResults], tmp_path: Path
) -> None:
    run_sweep(variants=[BASE])
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    with pytest.raises((SweepError, ResultError), match=message):
        run_sweep(tmp_path, *settings)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == files


def test_a_result_of_other_data_or_a_damaged_one_stops_it_before_any_training(
    run_sweep: Callable[..., GridResults], tmp_path: Path
) -> None:
    run_sweep(variants=[BASE])
    path = tmp_path / "synthetic-mini" / BASE / "seed0.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | {"data": whole["data"] | {"content_hash": "other"}}))
    with pytest.raises(ResultError, match="a result of other data; move it away, or sweep into another folder"):
        run_sweep()
    path.write_text('{"auc": 0.')
    with pytest.raises(ResultError, match=r"seed0\.json: not readable as JSON"):
        run_sweep()
    assert not (tmp_path / "synthetic-mini" / "no-memory").exists()
    assert "not readable as JSON" in str(state(tmp_path))


def test_two_sweeps_in_one_folder(run_sweep: Callable[..., GridResults], tmp_path: Path) -> None:
    (tmp_path / "synthetic-mini").mkdir()
    with (
        FileLock(tmp_path / "synthetic-mini" / ".lock"),
        pytest.raises(SweepError, match="synthetic-mini: another sweep is running in it; wait for it"),
    ):
        run_sweep()


# Status


def test_status_tells_running_interrupted_and_waiting_cells(
    run_sweep: Callable[..., GridResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[SweepState] = []

    def look(*given: object, **more: object) -> object:
        seen.append(state(tmp_path))
        return fit(*given, **more)

    fit = module.fit
    run_sweep(variants=[BASE])
    monkeypatch.setattr(module, "fit", look)
    run_sweep(variants=[BASE, "no-memory", "sparse"])
    first = seen[0]
    assert [cell.state for cell in first.cells] == ["done", "running", "waiting"]
    assert first.of("running")[0].detail.startswith("epoch 0 of 1 done, for 0 min 0")
    assert first.seconds_left > 0
    home = tmp_path / "synthetic-mini"
    (home / "sparse" / "seed0.json").unlink()
    process = {"host": platform.node(), "pid": 1, "process_began": 0.0}
    word = process | {"began": 0.0, "seen": 0.0, "epoch": 1, "epochs": 1}
    (home / "sparse" / "seed0.running").write_text(json.dumps(word))
    [told] = sweep_states(tmp_path)
    assert told.of("interrupted")[0].detail == "epoch 1 of 1 done; the next sweep continues it"
    (home / "sparse" / "seed0.running").write_text(json.dumps(word | {"host": "another"}))
    assert state(tmp_path).of("running")[0].detail.endswith("on another")


def test_the_time_left_is_told_from_epochs_before_any_cell_is_done(
    run_sweep: Callable[..., GridResults], tmp_path: Path
) -> None:
    run_sweep(variants=[BASE])
    run = tmp_path / "synthetic-mini" / BASE / "seed0"
    run.with_suffix(".json").unlink()
    history = pd.read_csv(run / "history.csv").assign(seconds=40.0)
    history.to_csv(run / "history.csv", index=False)
    assert state(tmp_path).seconds_left == 40 * 1, "one cell of one epoch, one worker"
    shutil.rmtree(run)
    assert state(tmp_path).seconds_left is None


def test_a_damaged_sweep_hides_no_other(run_sweep: Callable[..., GridResults], tmp_path: Path) -> None:
    run_sweep(variants=[BASE])
    for name, text in {"a": "{", "b": "[]", "c": "{}"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(text)
    damaged, whole = sweep_states(tmp_path)[:3], sweep_states(tmp_path)[3]
    assert len(whole.of("done")) == 1
    assert all("run the same `maam sweep` again" in str(told) for told in damaged)


# Kills


def test_what_killed_sweeps_leave_stops_no_cell_and_is_cleared(
    run_sweep: Callable[..., GridResults], tmp_path: Path
) -> None:
    home, litter = tmp_path / "synthetic-mini", f".recipe.yaml.{_this_machine()}.{2**22 + 1}.aside"
    run_sweep(variants=[BASE])
    (home / BASE / "seed0.running").write_text("{}")
    for folder in (home, home / BASE, home / "no-memory" / "seed0"):  # the last: killed while it claimed its folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / litter).write_text("half")
    run_sweep()
    assert str(state(tmp_path)) == f"{home}: 2 cells: 2 done"
    assert not list(tmp_path.rglob("*.running"))
    assert not list(tmp_path.rglob("*.aside"))


# How many


def test_workers_are_as_many_as_cores_and_memory_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("synthetic-mini")
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(module, "usable_cores", lambda: 8)
    need = memory_needed(recipe)
    for available, expected in ((100 * need, 8), (3.5 * need, 3), (0.5 * need, 1)):
        monkeypatch.setattr(module.psutil, "virtual_memory", lambda a=available: type("Memory", (), {"available": a}))
        assert default_workers(recipe) == expected
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: 4)
    assert default_workers(recipe) == 4
