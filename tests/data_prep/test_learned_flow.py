"""The program that runs ptlflow, with a small fake of ptlflow in its place: pairs, colours, units, resuming, errors."""

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from data_prep import learned_flow
from data_prep.flow_import import plan_import

FAKE_PTLFLOW = '''
from pathlib import Path

import torch

__version__ = "0.fake"
calls = []


class Mean(torch.nn.Module):
    """Flow whose dx is the first channel of the first frame and dy the last channel of the second."""

    pretrained_checkpoints = {"things": "http://weights/mean-things.ckpt"}
    output_stride = 8

    def forward(self, inputs):
        first, second = inputs["images"][0]
        calls.append(inputs["images"].shape)
        if first.shape[-1] < 8:
            raise RuntimeError("Output size is too small")
        flow = torch.stack([first[0], second[2]]) * self.factor
        return {"flows": flow[None, None]}


def get_model_names():
    return ["mean"]


def get_model_reference(name):
    return Mean


def get_model(name, ckpt_path=None):
    if ckpt_path == "things":
        raise OSError("Name or service not known")
    model = Mean()
    model.factor = 1.0 if ckpt_path is None else float(Path(ckpt_path).read_text())
    return model
'''
FAKE_ADAPTER = '''
import numpy as np
import torch


class IOAdapter:
    """Enlarges by repeating pixels, and takes every n-th again with vectors made smaller."""

    def __init__(self, output_stride, input_size, target_scale_factor=1):
        assert output_stride == 8
        self.n = int(target_scale_factor)

    def prepare_inputs(self, images):
        large = [np.kron(image, np.ones((self.n, self.n, 1))) for image in images]
        return {"images": torch.tensor(np.stack(large)).permute(0, 3, 1, 2)[None]}

    def unscale(self, outputs):
        return {"flows": outputs["flows"][..., :: self.n, :: self.n] / self.n}
'''
BROKEN_TORCHVISION = 'raise RuntimeError("operator torchvision::nms does not exist")\n'
NEEDS_OPERATORS = "import torch\ntorch.ops.torchvision.nms, torch.ops.torchvision.qnms\n"
SIZE = (16, 24)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A prepared dataset of two clips of plain colours: frame t is (1, 2, 3) + 10 t in red, green, blue."""
    folder = tmp_path / "data" / "toy"
    clips: dict[str, dict[str, dict]] = {"train": {}, "test": {}}
    for split, clip, number in (("train", "01", 3), ("test", "07", 2)):
        (folder / split / clip).mkdir(parents=True)
        frames = np.zeros((number, *SIZE, 3), np.uint8)
        frames += np.arange(number, dtype=np.uint8)[:, None, None, None] * 10 + np.uint8([1, 2, 3])  # R, G, B
        np.save(folder / split / clip / "frames.npy", frames)
        sha256 = hashlib.sha256((folder / split / clip / "frames.npy").read_bytes()).hexdigest()
        clips[split][clip] = {"frames": number, "sha256": {"frames": sha256, "flow": "0" * 64}}
    manifest = {
        "format": 1,
        "dataset": "toy",
        "source": {"name": "toy", "sha256": "0" * 64, "frame_size": list(SIZE)},
        "frame_size": list(SIZE),
        "channels": 3,
        "flow": {"estimator": "dis", "settings": {}, "units": "pixels"},
        "versions": {},
        "label_source": "none",
        "complete": True,
        "missing": [],
        "clips": clips,
        "totals": {"train_frames": 3, "test_frames": 2, "abnormal_frames": 0},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a fake ptlflow, importable in this process for one test."""
    package = tmp_path / "site" / "ptlflow"
    (package / "utils").mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE_PTLFLOW)
    (package / "utils" / "__init__.py").write_text("")
    (package / "utils" / "io_adapter.py").write_text(FAKE_ADAPTER)
    monkeypatch.syspath_prepend(package.parent)
    yield package.parent
    for name in [name for name in sys.modules if name.partition(".")[0] == "ptlflow"]:
        del sys.modules[name]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of weights: the model's factor."""
    path = tmp_path / "mean.ckpt"
    path.write_text("2.0")
    return path


def run(*words: object) -> None:
    learned_flow.main([str(word) for word in (*words, "--model", "mean", "--device", "cpu")])


def the_error(*words: object) -> str:
    with pytest.raises(SystemExit) as end:
        run(*words)
    assert str(end.value).startswith("learned_flow: error: ")
    assert "\n" not in str(end.value)
    return str(end.value)


def test_it_imports_nothing_of_the_kit() -> None:
    tree = ast.parse(Path(learned_flow.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names == {"numpy", "torch"}


def test_each_pair_in_order_and_colours_as_ptlflow_takes_them(
    fake: Path, dataset: Path, tmp_path: Path, weights: Path
) -> None:
    out = tmp_path / "flows"
    run(dataset, out, "--checkpoint", weights)
    flow = np.load(out / "train" / "01.npy")
    assert (flow.dtype, flow.shape) == (np.float16, (2, *SIZE, 2))
    # ptlflow takes BGR: the first channel of the first frame is blue, the last of the second is red.
    assert (flow[0] == np.float16([2 * 3, 2 * 11])).all()
    assert (flow[1] == np.float16([2 * 13, 2 * 21])).all()
    assert np.load(out / "test" / "07.npy").shape == (1, *SIZE, 2)
    noted = json.loads((out / "flow.json").read_text())
    assert {key: noted[key] for key in ("name", "weights", "sha256", "random_weights", "scale", "frame_size")} == {
        "name": "mean",
        "weights": "mean.ckpt",
        "sha256": hashlib.sha256(b"2.0").hexdigest(),
        "random_weights": False,
        "scale": 1.0,
        "frame_size": list(SIZE),
    }
    assert noted["versions"]["ptlflow"] == "0.fake"
    assert sorted(path.name for path in out.rglob("*.*")) == ["01.npy", "07.npy", "flow.json"]


def test_what_the_model_sees_enlarged_comes_back_in_pixels_of_the_frames(
    fake: Path, dataset: Path, tmp_path: Path, weights: Path
) -> None:
    run(dataset, tmp_path / "flows", "--checkpoint", weights, "--scale", 2)
    import ptlflow

    assert {tuple(shape) for shape in ptlflow.calls} == {(1, 2, 3, 32, 48)}
    flow = np.load(tmp_path / "flows" / "train" / "01.npy")
    assert (flow[0] == np.float16([3, 11])).all()


def test_gray_frames_become_three_equal_channels(fake: Path, dataset: Path, tmp_path: Path) -> None:
    for path in dataset.rglob("frames.npy"):
        np.save(path, np.load(path)[..., :1])
    run(dataset, tmp_path / "flows", "--random-weights")
    assert (np.load(tmp_path / "flows" / "train" / "01.npy")[0] == np.float16([1, 11])).all()


def test_a_second_call_goes_on_and_other_settings_are_refused(
    fake: Path, dataset: Path, tmp_path: Path, weights: Path
) -> None:
    out = tmp_path / "flows"
    run(dataset, out, "--checkpoint", weights)
    whole = {path: path.read_bytes() for path in out.rglob("*.npy")}
    (out / "train" / "01.npy").write_bytes(b"there")  # a clip that is there is not made again
    (out / "test" / "07.npy").unlink()
    (out / ".partial").write_bytes(b"as a killed call leaves it")
    run(dataset, out, "--checkpoint", weights)
    assert (out / "train" / "01.npy").read_bytes() == b"there"
    assert (out / "test" / "07.npy").read_bytes() == whole[out / "test" / "07.npy"]
    assert not list(out.rglob("*.partial"))
    assert "holds flow with another scale; take another folder" in the_error(
        dataset, out, "--checkpoint", weights, "--scale", 2
    )
    assert "another name and weights and random_weights and sha256" in the_error(dataset, out, "--random-weights")
    manifest = json.loads((dataset / "manifest.json").read_text())
    manifest["clips"]["train"]["01"]["sha256"]["frames"] = "0"
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    assert "holds flow with another frames_sha256" in the_error(dataset, out, "--checkpoint", weights)


def test_a_folder_that_another_process_writes_is_refused(
    fake: Path, dataset: Path, tmp_path: Path, weights: Path
) -> None:
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "flows"
    out.mkdir()
    (out / ".partial").write_bytes(b"half of what the other one writes")
    other = os.open(out, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    assert "flows: another process writes flow there" in the_error(dataset, out, "--checkpoint", weights)
    assert [path.name for path in out.iterdir()] == [".partial"]
    os.close(other)
    run(dataset, out, "--checkpoint", weights)
    assert sorted(path.name for path in out.rglob("*.*")) == ["01.npy", "07.npy", "flow.json"]


def test_flow_that_is_none_leaves_no_clip(fake: Path, dataset: Path, tmp_path: Path, weights: Path) -> None:
    weights.write_text("nan")
    out = tmp_path / "flows"
    assert "01.npy, field 0: a vector of nan pixels" in the_error(dataset, out, "--checkpoint", weights)
    assert [path.name for path in out.rglob("*.*")] == ["flow.json"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--checkpoint", "chairs"], "no weights 'chairs' of mean; give a file or one of: things"),
        ([], "could not be downloaded from http://weights/mean-things.ckpt (Name or service not known); download them"),
        (["--model", "flownet2", "--random-weights"], "no model 'flownet2'; ptlflow has mean"),
        (["--random-weights", "--scale", "0"], "--scale 0.0: expected more than 0"),
    ],
)
def test_wrong_arguments(words: list[str], message: str, fake: Path, dataset: Path, tmp_path: Path) -> None:
    called = [str(dataset), str(tmp_path / "flows"), "--device", "cpu", "--model", "mean", *words]
    with pytest.raises(SystemExit) as end:
        learned_flow.main(called)
    assert message in str(end.value)
    assert not (tmp_path / "flows").exists()


def test_no_dataset_no_ptlflow_and_frames_too_small(
    dataset: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert "no finished prepared dataset" in the_error(tmp_path, tmp_path / "flows")
    assert "run `make flow-env` and call .venv-flow/bin/python" in the_error(dataset, tmp_path / "flows")
    request.getfixturevalue("fake")
    for path in dataset.rglob("frames.npy"):
        np.save(path, np.load(path)[:, :6, :6])
    assert "the model failed on frames of 16x24 at --scale 1.0 (Output size" in the_error(
        dataset, tmp_path / "flows", "--random-weights"
    )


def test_on_its_own_with_torchvision_without_operators(fake: Path, dataset: Path, tmp_path: Path) -> None:
    """As users run it, in a process of its own; random weights are said aloud and in what is imported."""
    (fake / "torchvision.py").write_text(BROKEN_TORCHVISION)
    init = fake / "ptlflow" / "__init__.py"
    init.write_text(NEEDS_OPERATORS + init.read_text())
    out = tmp_path / "flows"
    command = [sys.executable, learned_flow.__file__, dataset, out, "--model", "mean", "--random-weights"]
    environment = os.environ | {"PYTHONPATH": str(fake)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "train/01: 2 fields\ntest/07: 1 fields\n"
    assert "RANDOM WEIGHTS" in done.stderr
    plan = plan_import(dataset, out)
    assert plan.target.name == "toy-16x24-mean-random"
    assert plan.warnings[0].startswith("made with RANDOM WEIGHTS")
    assert plan.manifest.flow.settings["made"]["weights"] == "random"
