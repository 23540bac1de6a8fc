"""Which network a chapter shows: the run's, or where there is none the kit's, each with what was measured of it."""

import shutil
from pathlib import Path

import pytest
import torch

from maam_lib.data import PreparedDataset
from maam_lib.grid import BASE, REFERENCE, ResultError, read_result, recipe_file, reference_network, subject_of
from maam_lib.grid import subject as module
from maam_lib.training.runs import RunFolder

KEPT = "synthetic-laptop"


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch, scene: PreparedDataset) -> None:
    """The small scene counts as prepared at the frame size of the kept network."""
    monkeypatch.setattr(module, "dataset_for", lambda *_: scene)


def test_a_run_is_taken_where_there_is_one(finished_run: RunFolder, scene_root: Path, scene: PreparedDataset) -> None:
    own = subject_of(finished_run.folder, KEPT, scene_root)
    assert own.is_own
    assert own.prepared.content_hash == scene.content_hash
    assert recipe_file(finished_run.folder, KEPT) == finished_run.folder / "recipe.yaml"
    assert "your own run" in own.words
    assert str(finished_run.folder) in own.words


@pytest.mark.usefixtures("any_size")
def test_the_kept_network_is_taken_where_there_is_no_run(tmp_path: Path, scene_root: Path) -> None:
    kept = subject_of(tmp_path / "none", KEPT, scene_root)
    plan, net = reference_network(KEPT)
    assert not kept.is_own
    assert (kept.plan, kept.net.training) == (plan, False)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(kept.net.parameters(), net.parameters(), strict=True))
    assert kept.words == f"{KEPT}: the network that comes with the kit, since there is no run of your own"
    assert recipe_file(tmp_path, KEPT).parts[-3:] == ("reference", KEPT, "recipe.yaml")


@pytest.mark.usefixtures("any_size")
def test_a_run_that_was_stopped_before_its_first_epoch_is_none(
    finished_run: RunFolder, scene_root: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    for name in ("recipe.yaml", "run.json"):
        shutil.copy(finished_run.folder / name, begun / name)
    assert not subject_of(begun, KEPT, scene_root).is_own


@pytest.mark.usefixtures("any_size")
def test_what_was_measured_is_the_run_s_or_the_kit_s(finished_run: RunFolder, scene_root: Path, tmp_path: Path) -> None:
    kept = subject_of(tmp_path / "none", KEPT, scene_root)
    assert kept.result == read_result(REFERENCE / KEPT / BASE / "seed0.json")
    unmeasured = tmp_path / "run"
    shutil.copytree(finished_run.folder, unmeasured)
    (unmeasured / "metrics.json").unlink(missing_ok=True)
    with pytest.raises(ResultError, match="maam evaluate --run"):
        _ = subject_of(unmeasured, KEPT, scene_root).result


def test_a_subject_s_name_is_of_its_weights_and_settings(
    finished_run: RunFolder, scene_root: Path, tmp_path: Path
) -> None:
    first = subject_of(finished_run.folder, KEPT, scene_root)
    copied = tmp_path / "copied"
    shutil.copytree(finished_run.folder, copied)
    assert subject_of(copied, KEPT, scene_root).name == first.name
    recipe = finished_run.recipe.with_settings("model.temperature=0.5")
    (copied / "recipe.yaml").write_text(recipe.to_yaml())
    assert subject_of(copied, KEPT, scene_root).name != first.name
