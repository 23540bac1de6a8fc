"""Several devices train as one: in float64, all that one device finds, two processes find up to rounding."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from maam_lib.data import PreparedDataset
from maam_lib.fast import dropout
from maam_lib.fast.devices import Place, largest_divisor
from maam_lib.fast.dropout import DropoutReLU, drop
from maam_lib.model import MAAMNet
from maam_lib.training.loop import TrainingError, fit
from maam_lib.training.runs import RunFolder
from tests.conftest import PROJECT, tiny_recipe
from tests.several_devices import first_step, fit_in_float64, released_latent_loss

HERE = PROJECT / "tests"
RECIPES = {
    "paper": "",
    "released losses": "loss.latent_form=released loss.sparse_form=released loss.margin=0.001",
    "motion alone": "loss.branches=motion scoring.psi=0",
    "no memory": "model.use_memory=false",
    "speed of patches": "loss.motion_target=speed loss.motion_form=patches",
}
ROUNDING = 1e-11  # of the largest entry; float64 has 2e-16, some thousand sums add up, batch norm divides by small sds


def in_processes(*words: object) -> subprocess.CompletedProcess[str]:
    """Start several_devices.py, which starts itself once more per further device."""
    path = os.pathsep.join([str(HERE.parent), str(HERE)])
    command = [sys.executable, str(HERE / "several_devices.py"), *map(str, words)]
    env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def shared_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """First steps of all RECIPES by two devices."""
    out = tmp_path_factory.mktemp("steps")
    done = in_processes("step", out, 2, *RECIPES.values())
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("name", RECIPES)
def test_one_step_of_several_devices_is_that_of_one(name: str, shared_steps: Path):
    expected = first_step(tiny_recipe(*RECIPES[name].split()))
    found = load_file(shared_steps / str(list(RECIPES).index(name)))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        error = (found[key] - value).abs().max()
        assert error <= ROUNDING * value.abs().max(), key
    assert expected["loss latent"] > 0 or name == "no memory"


def test_a_loss_that_is_no_mean_over_frames_is_that_of_the_global_batch(shared_steps: Path):
    """The frames' values are 1 and -2: the loss is |-0.5| - 0.1, not the mean of 0.9 and 1.9."""
    loss, gradient = released_latent_loss()
    assert loss.item() == pytest.approx(0.4)
    found = load_file(shared_steps / "latent")
    torch.testing.assert_close(found, {"loss": loss, "gradient": gradient}, rtol=1e-14, atol=0)


@pytest.mark.parametrize("settings", [(), (*RECIPES["speed of patches"].split(), "training.augment=true")])
def test_a_whole_training_on_two_devices_is_that_on_one(settings: tuple[str, ...], scene_root: Path, tmp_path: Path):
    """Losses of every epoch to 1e-6: the network computes in float64, its losses come out in float32."""
    done = in_processes("fit", tmp_path / "two", 2, scene_root, *settings)
    assert done.returncode == 0, done.stderr
    runs = [fit_in_float64(scene_root, tmp_path / "one", 1, settings), RunFolder.open(tmp_path / "two")]
    one, two = (run.history.drop(columns=["seconds", "frames_per_second"]) for run in runs)
    pd.testing.assert_frame_equal(two, one, rtol=1e-6)
    assert [run.facts["devices"] for run in runs] == [1, 2]
    assert runs[1].is_finished
    one, two = (load_file(run.weights_file()) for run in runs)
    assert two.keys() == one.keys() == MAAMNet(1, 8, base_channels=4).state_dict().keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=0, atol=1e-5 * value.abs().max().item(), err_msg=name)


def test_held_out_clips_say_the_same_on_two_devices(scene_root: Path, tmp_path: Path):
    """One of them measures, in evaluation mode, while the other waits."""
    settings = ("training.hold_out=1", "training.epochs=2")
    done = in_processes("fit", tmp_path / "two", 2, scene_root, *settings)
    assert done.returncode == 0, done.stderr
    runs = [fit_in_float64(scene_root, tmp_path / "one", 1, settings), RunFolder.open(tmp_path / "two")]
    one, two = (run.history.drop(columns=["seconds", "frames_per_second"]) for run in runs)
    assert "motion_width_held_out" in one
    pd.testing.assert_frame_equal(two, one, rtol=1e-6)


def test_a_batch_that_the_devices_cannot_share(scene_root: Path, tmp_path: Path):
    done = in_processes("fit", tmp_path / "run", 2, scene_root, "training.batch_size=7")
    assert done.returncode != 0
    assert "training.batch_size is 7, which 2 devices cannot share equally; take 1 of them, or set it" in done.stderr
    assert not (tmp_path / "run").exists()


def test_more_devices_than_can_share_a_batch_are_refused_before_they_start(
    scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lightning_fabric.Fabric", None)  # nothing is started with it
    with pytest.raises(TrainingError, match="is 8, which 99 devices cannot share equally; take 8"):
        fit(tiny_recipe(), scene, tmp_path / "run", devices=99)


@pytest.mark.parametrize(("batch", "there", "taken"), [(15, 8, 5), (15, 2, 1), (30, 2, 2), (7, 4, 1), (8, 1, 1)])
def test_as_many_devices_as_share_a_batch(batch: int, there: int, taken: int):
    assert largest_divisor(batch, there) == taken


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_each_device_drops_its_rows_of_the_global_batch(
    count: int, memory_format: torch.memory_format, monkeypatch: pytest.MonkeyPatch
):
    """Both the CPU's dropout, with its gradient, and the one that GPUs use."""
    batch = torch.randn(6, 5, 3, 7).contiguous(memory_format=memory_format)
    drop_and_rectify = DropoutReLU(0.3)
    wholes = {drop_and_rectify: drop_and_rectify, partial(drop, share=0.3): partial(F.dropout, p=0.3)}
    for ours, whole in wholes.items():
        torch.manual_seed(4)
        expected = whole(batch.clone())
        for rank in range(count):
            share = batch[rank::count].contiguous(memory_format=memory_format).requires_grad_()
            with monkeypatch.context() as patch:
                patch.setattr(dropout, "place", lambda rank=rank: Place(rank, count))
                torch.manual_seed(4)
                found = ours(share * 1)
            torch.testing.assert_close(found, expected[rank::count])
            (gradient,) = torch.autograd.grad(found.sum(), share)
            assert torch.equal(gradient != 0, expected[rank::count] != 0)


def test_alone_dropout_is_pytorchs():
    x = torch.randn(4, 3, 5, 5)
    torch.manual_seed(5)
    expected = F.dropout(x, 0.4)
    torch.manual_seed(5)
    assert torch.equal(drop(x, 0.4), expected)
