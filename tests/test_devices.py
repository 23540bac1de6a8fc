"""Two devices train as one does: the same losses, weights and statistics, up to rounding."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_recipe
from safetensors.torch import load_file

from maam_lib import training
from maam_lib.data import PreparedDataset
from maam_lib.devices import SharedBatchNorm, own_rows, shared_mean
from maam_lib.runs import RunFolder
from maam_lib.training import fit

PROJECT = Path(__file__).parents[1]
ON_TWO = """
import sys
from pathlib import Path
from maam_lib import training
from maam_lib.config import load_recipe
from maam_lib.data import PreparedDataset

recipe, prepared, run, precision = sys.argv[1:]
training._FABRIC_NAMES["float32"] = precision
training.fit(load_recipe(Path(recipe)), PreparedDataset(Path(prepared)), Path(run), accelerator="cpu", devices=2)
"""


def fit_on_two(recipe, prepared: PreparedDataset, folder: Path, precision: str) -> subprocess.CompletedProcess[str]:
    """As a user's script would: the second process is started by the first, and they talk through gloo."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    (folder / "two.py").write_text(ON_TWO)
    words = [folder / "two.py", folder / "recipe.yaml", prepared.folder, folder / "run", precision]
    env = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *map(str, words)], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("latent_form", ["paper", "released"])
def test_two_devices_train_as_one(
    latent_form: str, scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout, batch norm, and the released latent loss, whose mean goes through an absolute value.

    In float64: Adam divides by the size of the gradient, and so makes something of the rounding of float32.
    """
    recipe = tiny_recipe("training.epochs=2", "training.precision=float32", "model.dropout=0.3",
                         f"loss.latent_form={latent_form}", "loss.latent_weight=0.1", "loss.margin=0")  # fmt: skip
    monkeypatch.setitem(training._FABRIC_NAMES, "float32", "64-true")
    one = fit(recipe, scene, tmp_path / "one", accelerator="cpu", devices=1)
    answer = fit_on_two(recipe, scene, tmp_path / "two", "64-true")
    assert answer.returncode == 0, answer.stderr
    two = RunFolder.open(tmp_path / "two" / "run")
    assert two.facts["devices"] == 2
    losses = ["total", "appearance", "motion", "sparse", "latent", "support_items"]
    np.testing.assert_allclose(two.history[losses], one.history[losses], rtol=1e-6)  # kept in float32
    expected = load_file(one.weights_file())
    for name, found in load_file(two.weights_file()).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-6, atol=1e-9, msg=name)


def test_a_batch_that_does_not_divide_is_refused_before_anything_is_written(
    scene: PreparedDataset, tmp_path: Path
) -> None:
    answer = fit_on_two(tiny_recipe("training.batch_size=7"), scene, tmp_path / "two", "32-true")
    assert answer.returncode != 0
    assert "a batch of 7 frames does not divide among 2 devices" in answer.stderr
    assert not (tmp_path / "two" / "run").exists()


def test_on_one_device_nothing_is_shared() -> None:
    x = torch.randn(4, 3, 5, 7)
    assert shared_mean(x) is x
    assert own_rows(x) is x
    ours, pytorchs = SharedBatchNorm(3), torch.nn.BatchNorm2d(3)
    assert torch.equal(ours(x), pytorchs(x))
    assert ours.state_dict().keys() == pytorchs.state_dict().keys()
    assert torch.equal(ours.running_var, pytorchs.running_var)
