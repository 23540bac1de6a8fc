"""The authors' weights: every variable checked by name, in and out without loss, from real TensorFlow files."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from maam_lib.config import load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.measuring import evaluate
from maam_lib.fast.convolution import turned
from maam_lib.model import MAAMNet
from maam_lib.released import (
    VariableError,
    net_from_variables,
    read_checkpoint,
    variables_from_net,
)
from maam_lib.training import import_weights
from maam_lib.training.files import RunError, load_weights
from maam_lib.training.loop import build_network
from maam_lib.training.runs import RunFolder
from tests.conftest import PROJECT
from tests.golden import regenerate

MINI = PROJECT.parent / "shared" / "golden" / "mini.ckpt"
ENCODER = "generator-encoder/gen_h1/conv"


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    """All 83 variables with real names and small shapes; made-up values, variances made positive."""
    made = regenerate.make_mini_weights()
    return {name: np.abs(value) if "variance" in name else value for name, value in made.items()}


def answers(net: MAAMNet, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        output = net(frames)
    return output.frame_hat, output.flow_hat


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.rand(2, 3, 37, 53, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 2 - 1


# Variables


def test_all_83_variables_are_needed_and_known(weights: dict[str, np.ndarray]):
    assert len(weights) == 83
    for name in weights:
        with pytest.raises(VariableError, match=rf"{name} is missing"):
            net_from_variables({key: value for key, value in weights.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("generator-encoder/gen_h6/conv/w", np.zeros(3), "gen_h6/conv/w is unknown"),
        (
            "generator-decoder/gen_h3fr/deconv/w",
            np.zeros((3, 3, 2, 2)),
            r"is \(3, 3, 2, 2\), expected \(3, 3, 16, 16\)",
        ),
        (f"{ENCODER}/b", np.zeros(1), r"gen_h1/conv/b is \(1,\), expected \(4,\)"),
        (f"{ENCODER}/b", np.zeros(4, np.int32), "gen_h1/conv/b is of type int32, expected floating point"),
        (f"{ENCODER}/b", np.array([0, 0, np.nan, 0]), "gen_h1/conv/b holds values that are not finite"),
        ("mem", np.zeros(32), "mem is missing or of another shape"),
    ],
)
def test_a_wrong_variable_is_named(weights: dict[str, np.ndarray], name: str, value: np.ndarray, message: str):
    with pytest.raises(VariableError, match=message):
        net_from_variables(weights | {name: value})


def test_every_wrong_variable_is_named_at_once(weights: dict[str, np.ndarray]):
    rest = {key: value for key, value in weights.items() if not key.endswith("gen_h0fl/b")}
    with pytest.raises(VariableError, match=r"gen_h0fl/b is missing; more is unknown"):
        net_from_variables(rest | {"more": np.zeros(1)})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_out_and_in_again_is_the_same_network(weights: dict[str, np.ndarray], frames: torch.Tensor, dtype: torch.dtype):
    net = net_from_variables(weights, dtype)
    exported = variables_from_net(net)
    assert {name: value.shape for name, value in exported.items()} == {n: v.shape for n, v in weights.items()}
    again = net_from_variables(exported, dtype)
    for one, two in zip(answers(net, frames.to(dtype)), answers(again, frames.to(dtype)), strict=True):
        assert torch.equal(one, two)


def test_export_with_the_biases_gives_the_variables_back(weights: dict[str, np.ndarray]):
    exported = variables_from_net(net_from_variables(weights, torch.float64), weights)
    for name, value in weights.items():
        np.testing.assert_allclose(exported[name], value, rtol=0, atol=1e-15, err_msg=name)


def test_an_absorbed_bias_acts_as_it_did_before_the_norm(weights: dict[str, np.ndarray], frames: torch.Tensor):
    with_bias = net_from_variables(weights, torch.float64).encoder[0]
    plain = net_from_variables(weights | {f"{ENCODER}/b": np.zeros(4)}, torch.float64).encoder[0]
    convolved = torch.nn.functional.conv2d(frames, plain.conv.weight, padding=1)
    expected = plain.norm(convolved + torch.from_numpy(weights[f"{ENCODER}/b"].astype(float))[:, None, None]).relu()
    torch.testing.assert_close(turned(with_bias(turned(frames))), expected, rtol=0, atol=1e-13)
    assert (with_bias(frames) - plain(frames)).abs().max() > 1e-3


def test_rgb_takes_and_gives_the_channels_in_opposite_order(weights: dict[str, np.ndarray], frames: torch.Tensor):
    frame_hat, flow_hat = answers(net_from_variables(weights, torch.float64), frames)
    turned = net_from_variables(weights, torch.float64, rgb=True)
    frame_hat_rgb, flow_hat_rgb = answers(turned, frames.flip(1))
    torch.testing.assert_close(frame_hat_rgb.flip(1), frame_hat, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(flow_hat_rgb, flow_hat, rtol=1e-9, atol=1e-9)
    back = variables_from_net(turned, weights, rgb=True)
    np.testing.assert_array_equal(back[f"{ENCODER}/w"], weights[f"{ENCODER}/w"])


def test_a_network_that_predicts_speed_has_no_released_layout():
    with pytest.raises(VariableError, match="a network that predicts speed has no released layout"):
        variables_from_net(MAAMNet(1, 6, base_channels=4, motion_channels=1))


def test_a_network_without_memory_has_no_released_layout():
    with pytest.raises(VariableError, match="without memory"):
        variables_from_net(MAAMNet(3, 8, base_channels=4, use_memory=False))


# Checkpoint files


needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="the extra `import` is not installed")
needs_files = pytest.mark.skipif(not MINI.with_suffix(".ckpt.index").is_file(), reason=f"{MINI}.index is not there")


@needs_tensorflow
@needs_files
@pytest.mark.golden
def test_a_real_checkpoint_is_read_to_the_bit():
    made = regenerate.make_mini_weights()
    read = read_checkpoint(MINI)
    assert sorted(read) == sorted(made)
    for name, value in made.items():
        np.testing.assert_array_equal(read[name], value, err_msg=name)
    assert read_checkpoint(Path(f"{MINI}.index")).keys() == read.keys()


@needs_tensorflow
@needs_files
@pytest.mark.golden
def test_a_cut_checkpoint_is_named(tmp_path: Path):
    for path in MINI.parent.glob("mini.ckpt.*"):
        shutil.copy(path, tmp_path)
    data = next(tmp_path.glob("*.data-*"))
    data.chmod(0o644)
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(VariableError, match=r"mini.ckpt: not a complete TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "mini.ckpt")
    data.unlink()
    with pytest.raises(VariableError, match=r"mini.ckpt: not a complete TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "mini.ckpt")


def test_no_checkpoint_there(tmp_path: Path):
    with pytest.raises(VariableError, match=r"model.index: no such file; give the checkpoint's path without .index"):
        read_checkpoint(tmp_path / "model")


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="the extra `import` is installed")
def test_without_tensorflow_the_remedy_is_named(tmp_path: Path):
    (tmp_path / "model.index").touch()
    with pytest.raises(VariableError, match=r"needs the package tensorflow; install the extra: pip install"):
        read_checkpoint(tmp_path / "model")


# From a checkpoint to a scored run, the reading of the file apart


@pytest.fixture
def checkpoint(monkeypatch: pytest.MonkeyPatch, weights: dict[str, np.ndarray]) -> Path:
    """A path at which `weights` seem to stand; no TensorFlow needed."""
    monkeypatch.setattr("maam_lib.released.read_checkpoint", lambda prefix: weights)
    return Path("model-50")


SMALL = (
    "data.height=48",
    "data.width=64",
    "data.channels=3",
    "model.num_items=6",
    "model.base_channels=4",
    "scoring.patch=[12, 8]",
)


def test_imported_weights_are_evaluated_like_a_training(checkpoint: Path, tmp_path: Path, scene: PreparedDataset):
    recipe = load_recipe("synthetic", *SMALL, "model.similarity=released")
    net = import_weights(checkpoint, tmp_path / "weights.safetensors", run=tmp_path / "run", recipe=recipe)
    from_file = build_network(recipe)
    load_weights(from_file, tmp_path / "weights.safetensors")
    result = evaluate(RunFolder.open(tmp_path / "run"), scene)
    assert result.as_json()["weights_from"] == "imported from model-50"
    assert result.epoch == recipe.training.epochs
    evaluated = build_network(recipe)
    RunFolder.open(tmp_path / "run").load_weights(evaluated)
    for key, value in net.state_dict().items():
        assert torch.equal(value, from_file.state_dict()[key])
        assert torch.equal(value, evaluated.state_dict()[key])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.similarity=cosine", "model.similarity is cosine, the weights need released"),
        ("model.num_items=7", "model.num_items is 7, the weights need 6"),
        ("data.channels=1", "data.channels is 1, the weights need 3"),
        ("model.base_channels=8", "model.base_channels is 8, the weights need 4"),
        ("loss.motion_target=speed", "loss.motion_target is speed, the weights need flow"),
    ],
)
def test_weights_of_another_network_than_the_recipe_s(checkpoint: Path, tmp_path: Path, override: str, message: str):
    recipe = load_recipe("synthetic", *SMALL, "model.similarity=released", override)
    with pytest.raises(VariableError, match=message):
        import_weights(checkpoint, tmp_path / "weights.safetensors", run=tmp_path / "run", recipe=recipe)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_in_use_is_left_alone(checkpoint: Path, tmp_path: Path, finished_run: RunFolder):
    recipe = load_recipe("synthetic", *SMALL, "model.similarity=released")
    before = finished_run.weights_file().read_bytes()
    with pytest.raises(RunError, match="holds a run already"):
        import_weights(checkpoint, tmp_path / "weights.safetensors", run=finished_run.folder, recipe=recipe)
    assert finished_run.weights_file().read_bytes() == before
    assert not (tmp_path / "weights.safetensors").exists()
