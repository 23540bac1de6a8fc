"""Run folders: what they hold, who may write to them, and what damage says of itself."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import copy
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from data_prep.files.writing import is_aside, write_text
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.measuring import evaluate
from maam_lib.training import files
from maam_lib.training.files import RunError, load_weights
from maam_lib.training.loop import build_network, fit
from maam_lib.training.runs import RunFolder
from tests.conftest import TINY_SETTINGS, tiny_recipe

HOLD = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); input()"


@pytest.fixture
def run(finished_run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the finished run that a test may damage."""
    return RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "run"))


@pytest.fixture
def other_writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes to `tmp_path / "busy"`."""
    (tmp_path / "busy").mkdir()
    command = [sys.executable, "-c", HOLD, str(tmp_path / "busy" / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


# What a run leaves


def test_a_run_leaves_the_files_of_the_contract(finished_run: RunFolder) -> None:
    visible = {path.relative_to(finished_run.folder).as_posix() for path in finished_run.folder.rglob("[!.]*")}
    kept = {"epoch_001", "epoch_002", "optimizer"}
    text = {"recipe.yaml", "run.json", "history.csv", "scores.csv", "metrics.json", "detector.json", "checkpoints"}
    assert visible == text | {f"checkpoints/{name}.safetensors" for name in kept}
    for path in finished_run.checkpoints.iterdir():
        assert load_file(path), "readable without unpickling"


def test_run_json_tells_how_the_weights_came_about(finished_run: RunFolder, scene: PreparedDataset) -> None:
    facts = json.loads((finished_run.folder / "run.json").read_text())
    recipe = finished_run.recipe
    assert (facts["recipe"], facts["recipe_hash"], facts["seed"]) == (recipe.name, recipe.hash(), 0)
    assert facts["data"] == {"name": "synthetic", "content_hash": scene.content_hash, "frames": 78}
    assert (facts["device"], facts["devices"], facts["precision"], facts["epochs"]) == ("cpu", 1, "float32", 2)
    assert facts["deterministic"] is True
    assert facts["packages"]["torch"] == metadata.version("torch")
    assert facts["training_seconds"] == pytest.approx(finished_run.history["seconds"].sum(), abs=0.06)
    assert {"git_revision", "python", "platform", "threads"} <= set(facts)


def test_the_recipe_is_kept_resolved(finished_run: RunFolder) -> None:
    assert finished_run.recipe == tiny_recipe()
    assert "extends" not in (finished_run.folder / "recipe.yaml").read_text()


def test_history_has_one_row_per_epoch_and_the_parts_add_up(finished_run: RunFolder) -> None:
    history, loss = finished_run.history, finished_run.recipe.loss
    assert history["epoch"].tolist() == [1, 2]
    generative = history["appearance"] + loss.motion_weight * history["motion"]
    memory = loss.sparse_weight * history["sparse"] + loss.latent_weight * history["latent"]
    assert history["total"].tolist() == pytest.approx((generative + memory).tolist(), rel=1e-4)
    assert history["support_items"].between(1, 8).all()


# Who may write


def test_no_run_here(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none: no run here .*train one with `maam train RECIPE --run"):
        RunFolder.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_folder_that_another_process_writes_to_is_refused(
    other_writer: subprocess.Popen[str], scene: PreparedDataset, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="busy: another process is writing this run; wait for it or name another"):
        fit(tiny_recipe(), scene, tmp_path / "busy")
    assert [path.name for path in (tmp_path / "busy").iterdir()] == [".lock"]
    other_writer.kill()
    other_writer.wait()
    free_again = RunFolder(tmp_path / "busy")
    free_again.claim(tiny_recipe(), resume=False)
    free_again.release()


def test_a_run_is_not_overwritten_unasked(run: RunFolder) -> None:
    before = run.weights_file().read_bytes()
    with pytest.raises(RunError, match="holds a run already; continue it with --resume or name another folder"):
        run.claim(run.recipe, resume=False)
    assert run.weights_file().read_bytes() == before


def test_other_settings_are_named_on_resume_and_nothing_changes(run: RunFolder) -> None:
    other = run.recipe.with_settings("model.num_items=9", "training.learning_rate=0.5")
    expected = r"other settings \(model\.num_items: 8 -> 9, training\.learning_rate: 0\.001 -> 0\.5\)"
    with pytest.raises(RunError, match=expected):
        run.claim(other, resume=True)
    assert run.recipe == tiny_recipe()
    second = RunFolder(run.folder)
    second.claim(run.recipe, resume=True)  # the refused claim gave the lock back
    second.release()


def test_fewer_epochs_are_another_setting_and_more_are_not(run: RunFolder) -> None:
    with pytest.raises(RunError, match=r"training\.epochs: 2 -> 1"):
        run.claim(run.recipe.with_settings("training.epochs=1"), resume=True)
    run.claim(run.recipe.with_settings("training.epochs=5"), resume=True)
    run.release()
    assert run.recipe.training.epochs == 5
    assert not run.is_finished


def test_a_strangers_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match=r"neither empty nor a run \(found thesis\.tex\); name another folder"):
        RunFolder(tmp_path).claim(tiny_recipe(), resume=True)
    assert not (tmp_path / "recipe.yaml").exists()


# Kills

KILLED = """
import os, signal, sys
from pathlib import Path
from data_prep.files import writing as files
from maam_lib.config import load_recipe
from maam_lib.training.runs import RunFolder

replace, number = os.replace, 0

def killed(source, to):
    global number
    number += 1
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(source, to)

files.os.replace = killed
from maam_lib.training.loop import build_network
recipe = load_recipe("synthetic-mini", *sys.argv[3:])
RunFolder(Path(sys.argv[1])).adopt(recipe, build_network(recipe), "elsewhere")
"""


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_run_that_was_killed_before_it_held_anything_goes_on_with_the_same_command(at: int, tmp_path: Path) -> None:
    """Before recipe, facts, weights and optimiser state take their places."""
    recipe, run = tiny_recipe(), RunFolder(tmp_path / "run")
    command = [sys.executable, "-c", KILLED, str(run.folder), str(at), *TINY_SETTINGS]
    assert subprocess.run(command, check=False).returncode == -9
    assert any(is_aside(path.name) for path in run.folder.rglob(".*"))
    run.adopt(recipe, build_network(recipe), "elsewhere")
    assert run.is_finished
    assert not any(is_aside(path.name) for path in run.folder.rglob(".*"))
    run.adopt(recipe, build_network(recipe), "elsewhere")  # killed after its last file, it is given again
    with pytest.raises(RunError, match="holds a run already"):
        run.adopt(recipe, build_network(recipe), "another place")
    write_text(run.folder / "metrics.json", "{}")
    with pytest.raises(RunError, match="holds a run already"):
        run.adopt(recipe, build_network(recipe), "elsewhere")


@pytest.mark.parametrize("kept", ["metrics.json", "optimizer", "epoch_002"])
def test_a_run_that_holds_something_is_never_taken_for_one_that_was_just_begun(kept: str, run: RunFolder) -> None:
    for name in {"metrics.json", "optimizer", "epoch_002"} - {kept}:
        (run.folder / name if name == "metrics.json" else run.checkpoints / f"{name}.safetensors").unlink()
    with pytest.raises(RunError, match="holds a run already"):
        run.claim(run.recipe, resume=False)


def test_weights_ahead_of_the_optimiser_change_nothing(scene: PreparedDataset, tmp_path: Path) -> None:
    """A kill after the weights and the row of an epoch, before its optimiser state: that epoch is trained again."""
    recipe = tiny_recipe("training.epochs=3")
    whole = fit(recipe, scene, tmp_path / "whole")
    killed = fit(recipe, scene, tmp_path / "killed", on_epoch=lambda row: row["epoch"] == 2)
    ahead = load_file(killed.weights_file(2))
    save_file({name: tensor * 0 for name, tensor in ahead.items()}, killed.weights_file(3), metadata={"epoch": "3"})
    row = killed.history.iloc[[-1]].assign(epoch=3, total=9.0)
    pd.concat([killed.history, row]).to_csv(killed.folder / "history.csv", index=False)
    assert killed.epochs_done == 2
    resumed = fit(recipe, scene, tmp_path / "killed", resume=True)
    assert resumed.history["total"].tolist() == whole.history["total"].tolist()
    expected, found = (load_file(of.weights_file(3)) for of in (whole, resumed))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


# Damage


@pytest.mark.parametrize("name", ["epoch_002", "optimizer"])
def test_a_cut_checkpoint_is_named(name: str, run: RunFolder, scene: PreparedDataset) -> None:
    path = run.checkpoints / f"{name}.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    expected = rf"{name}\.safetensors: not a complete safetensors file .*was it cut or copied in part\?"
    with pytest.raises(RunError, match=expected):
        fit(run.recipe.with_settings("training.epochs=3"), scene, run.folder, resume=True)


@pytest.mark.parametrize("name", ["epoch_002", "optimizer"])
def test_a_flipped_bit_in_a_checkpoint_is_noticed(name: str, run: RunFolder, scene: PreparedDataset) -> None:
    path = run.checkpoints / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match=rf"{name}\.safetensors: its numbers are not those that were written"):
        fit(run.recipe.with_settings("training.epochs=3"), scene, run.folder, resume=True)


def test_another_epoch_in_a_checkpoint_is_noticed(run: RunFolder, scene: PreparedDataset) -> None:
    path = run.checkpoints / "optimizer.safetensors"
    path.write_bytes(path.read_bytes().replace(b'"epoch":"2"', b'"epoch":"1"'))
    with pytest.raises(RunError, match="its numbers are not those that were written"):
        fit(run.recipe.with_settings("training.epochs=3"), scene, run.folder, resume=True)
    assert run.last_epoch == 2


def damage_optimizer(run: RunFolder, how: str) -> None:
    path = run.checkpoints / "optimizer.safetensors"
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_run_is_scored_without_its_optimiser_state(how: str, run: RunFolder, scene: PreparedDataset) -> None:
    kept = (run.folder / "metrics.json").read_bytes()
    damage_optimizer(run, how)
    assert (run.last_epoch, run.kept_epochs) == (2, [1, 2])
    evaluate(run, scene, every_epoch=True)
    assert (run.folder / "metrics.json").read_bytes() == kept
    run.weights_file(2).unlink()
    with pytest.raises(RunError, match="the weights of epoch 2 are missing"):
        evaluate(run, scene)


@pytest.mark.parametrize(
    ("how", "said"),
    [("cut", "not a complete safetensors file"), ("gone", "missing, so this run can be scored but not resumed")],
)
def test_a_run_does_not_go_on_without_its_optimiser_state(
    how: str, said: str, run: RunFolder, scene: PreparedDataset
) -> None:
    """Trained again from the start, its finished epochs would be lost."""
    damage_optimizer(run, how)
    before = {path.name: path.read_bytes() for path in run.checkpoints.iterdir()}
    with pytest.raises(RunError, match=rf"optimizer\.safetensors: {said}"):
        fit(run.recipe.with_settings("training.epochs=3"), scene, run.folder, resume=True)
    assert {path.name: path.read_bytes() for path in run.checkpoints.iterdir()} == before


def test_the_last_epoch_is_known_from_a_header(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "load_file", None)
    assert (run.epochs_done, run.kept_epochs, run.is_finished) == (2, [1, 2], True)


def test_weights_without_a_checksum_load_as_before(run: RunFolder, tmp_path: Path) -> None:
    tensors = load_file(run.weights_file())
    save_file(tensors, tmp_path / "old.safetensors")
    net = build_network(run.recipe)
    load_weights(net, tmp_path / "old.safetensors")
    assert all(torch.equal(value, tensors[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda items: items * float("nan"), "items holds NaN or infinite weights; take an earlier epoch"),
        (lambda items: items.half(), r"items is torch\.float16, expected torch\.float32"),
    ],
)
def test_weights_that_are_no_weights_are_named(change: Callable, said: str, run: RunFolder, tmp_path: Path) -> None:
    tensors = load_file(run.weights_file())
    save_file(tensors | {"items": change(tensors["items"])}, tmp_path / "other.safetensors")
    with pytest.raises(RunError, match=said):
        load_weights(build_network(run.recipe), tmp_path / "other.safetensors")


def test_a_damaged_history_stops_a_training_before_its_first_epoch(run: RunFolder, scene: PreparedDataset) -> None:
    path = run.folder / "history.csv"
    path.write_text(path.read_text()[:-30])
    with pytest.raises(RunError, match=r"history\.csv: not a complete table .* was it cut\?"):
        fit(run.recipe.with_settings("training.epochs=3"), scene, run.folder, resume=True)
    assert not run.weights_file(3).exists()


def test_weights_that_are_gone_are_named(run: RunFolder) -> None:
    run.weights_file(2).unlink()
    with pytest.raises(RunError, match="the weights of epoch 2 are missing; train in another folder"):
        run.load_weights(build_network(run.recipe))
    assert run.load_weights(build_network(run.recipe), 1) == 1


def test_no_epoch_is_finished_yet(run: RunFolder) -> None:
    shutil.rmtree(run.checkpoints)
    assert run.epochs_done == 0
    with pytest.raises(RunError, match="train in another folder"):
        run.load_weights(build_network(run.recipe))


def test_weights_of_another_shape_are_named(run: RunFolder) -> None:
    net = build_network(run.recipe.with_settings("model.num_items=9"))
    with pytest.raises(RunError, match=r"items is \(8, 32\), expected \(9, 32\)\. Was the recipe changed\?"):
        run.load_weights(net)
    with pytest.raises(RunError, match=r"of another network: .*; .*; .* and \d+ more\. Was"):
        run.load_weights(build_network(run.recipe.with_settings("model.base_channels=2")))


def test_missing_and_unknown_tensors_are_named(run: RunFolder, tmp_path: Path) -> None:
    tensors = load_file(run.weights_file())
    tensors["memory"] = tensors.pop("items")
    save_file(tensors, tmp_path / "renamed.safetensors")
    with pytest.raises(RunError, match="another network: items is missing; memory is unknown"):
        load_weights(build_network(run.recipe), tmp_path / "renamed.safetensors")


def test_a_run_goes_with_the_data_that_it_was_trained_on(finished_run: RunFolder, scene: PreparedDataset) -> None:
    other = copy(scene)
    other.content_hash = "0" * 64
    with pytest.raises(RunError, match=r"was trained on other data .* now 000000000000"):
        evaluate(finished_run, other)
    with pytest.raises(RunError, match="was trained on other data"):
        fit(finished_run.recipe, other, finished_run.folder, resume=True)
