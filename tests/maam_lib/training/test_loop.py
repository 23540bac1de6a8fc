"""Training: it learns, its seed decides everything, and a run that was killed goes on as if it never was."""

import json
import math
import os
import shutil
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from data_prep.clip import Clip
from maam_lib.config import Recipe, TrainingSettings, load_recipe
from maam_lib.data import DatasetError, FrameFlowDataset, PreparedDataset
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.measuring import Evaluator, evaluate
from maam_lib.fast.hardware import compiler_trouble
from maam_lib.losses import total_loss
from maam_lib.training import files
from maam_lib.training import loop as training
from maam_lib.training.loop import TrainingError, batches, build_network, build_optimizer, dataset_for, epoch_seed, fit
from maam_lib.training.runs import RunFolder, epochs_to_keep
from tests import reference
from tests.conftest import SPEED, prepare_clips, tiny_recipe

OPTIMIZER = "optimizer.safetensors"
TIMES = ["seconds", "frames_per_second"]
STEPS = 78 // 8  # of one epoch: two clips of 40 frames without their last, batches of 8


class Killed(BaseException):
    """Stands for the end of the process: no `except Exception` tidies up after it."""


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return tiny_recipe("training.epochs=3", f"training.precision={request.param}")


@pytest.fixture(scope="module")
def unbroken(recipe: Recipe, scene: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Three epochs in one go. For reading only."""
    return fit(recipe, scene, tmp_path_factory.mktemp("unbroken") / "run")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """A made-up set: in training discs go right; halfway through each test clip a dark block comes left."""
    clips = [planted_clip("train", f"Train{i}", phase=7 * i) for i in range(3)]
    clips += [planted_clip("test", f"Test{i}", phase=5 * i, abnormal_from=20) for i in range(2)]
    return PreparedDataset(prepare_clips(tmp_path_factory.mktemp("planted"), clips, flow="exact"))


@pytest.fixture(scope="module")
def learned(planted: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A short run on the planted set. For reading only."""
    data = ("data.height=32", "data.width=48", "data.flow=exact")
    training = ("model.base_channels=8", "training.epochs=4", "training.batch_size=4", "training.learning_rate=3e-3")
    return fit(tiny_recipe(*data, *training), planted, tmp_path_factory.mktemp("learned") / "run")


def planted_clip(split: str, name: str, phase: int, abnormal_from: int = 40) -> Clip:
    """40 frames of 32x48: a disc that goes three pixels right per frame, and, where abnormal, a block four left."""
    frames, flow = np.full((40, 32, 48, 1), 110, np.uint8), np.zeros((39, 32, 48, 2), np.float32)
    labels = np.zeros(40, np.uint8)
    y, x = np.mgrid[:32, :48]
    for t in range(40):
        disc = (y - 9) ** 2 + ((x - phase - 3 * t) % 48 - 8) ** 2 <= 49
        block = (y >= 18) & (y < 30) & ((x + 4 * t) % 48 < 12) & (t >= abnormal_from)
        frames[t][disc], frames[t][block] = 230, 10
        labels[t] = block.any()
        if t < 39:
            flow[t][disc], flow[t][block] = (3, 0), (-4, 0)
    truth = {"labels": labels.copy} if split == "test" else {}
    return Clip(split, name, 40, frames=partial(iter, frames), flow=partial(iter, flow), **truth)


def assert_same_run(run: RunFolder, expected: RunFolder) -> None:
    """Equal to the last bit: weights of every epoch, optimiser state and, except for times, history."""
    names = sorted(path.name for path in expected.checkpoints.glob("*"))
    assert sorted(path.name for path in run.checkpoints.glob("[!.]*")) == names
    for name in names:
        ours, theirs = load_file(run.checkpoints / name), load_file(expected.checkpoints / name)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == [], name
    pd.testing.assert_frame_equal(
        run.history.drop(columns=TIMES), expected.history.drop(columns=TIMES), check_exact=True
    )


def stop_after(epoch: int) -> Callable[[dict[str, float]], bool]:
    return lambda row: row["epoch"] == epoch


# Learning


def test_a_short_run_lowers_the_loss(learned: RunFolder) -> None:
    first, last = learned.history.iloc[0], learned.history.iloc[-1]
    assert last["total"] < 0.9 * first["total"]
    assert last["appearance"] < 0.6 * first["appearance"]


def test_planted_anomalies_are_found_and_learning_adds_to_the_yardstick(
    learned: RunFolder, planted: PreparedDataset
) -> None:
    result = evaluate(learned, planted)
    assert result.auc > 0.95
    assert result.auc_appearance > result.no_learning["median_background"].auc + 0.3


def test_shuffled_labels_are_not_found(
    learned: RunFolder, planted: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were labels to leak into calibration or scores, these would be found too."""
    random = np.random.default_rng(0)
    net = build_network(learned.recipe)
    learned.load_weights(net)
    aucs = []
    for _ in range(10):
        shuffled = {clip: random.permutation(planted.labels(clip)) for clip in planted.clips("test")}
        with monkeypatch.context() as patch:
            patch.setattr(planted, "labels", shuffled.__getitem__)
            aucs.append(Evaluator(learned.recipe, planted).score(network_predictor(net))[1]["auc"])
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.08)


# Determinism and resuming


def test_same_seed_same_weights(unbroken: RunFolder, recipe: Recipe, scene: PreparedDataset, tmp_path: Path) -> None:
    torch.manual_seed(99)  # whatever happened before in this process must not matter
    assert_same_run(fit(recipe, scene, tmp_path / "run"), unbroken)


def test_another_seed_gives_other_weights(
    unbroken: RunFolder, recipe: Recipe, scene: PreparedDataset, tmp_path: Path
) -> None:
    other = fit(recipe.with_settings("training.seed=1", "training.epochs=1"), scene, tmp_path / "run")
    ours, theirs = load_file(other.weights_file(1)), load_file(unbroken.weights_file(1))
    assert not torch.equal(ours["items"], theirs["items"])


@pytest.mark.parametrize("epoch", [1, 2])
def test_stopped_and_resumed_equals_never_stopped(
    epoch: int, unbroken: RunFolder, recipe: Recipe, scene: PreparedDataset, tmp_path: Path
) -> None:
    stopped = fit(recipe, scene, tmp_path / "run", on_epoch=stop_after(epoch))
    assert stopped.epochs_done == epoch
    assert not stopped.is_finished
    resumed = fit(recipe, scene, tmp_path / "run", resume=True)
    assert resumed.is_finished
    assert_same_run(resumed, unbroken)


# Files are written in the order epoch 1, optimiser, epoch 2, optimiser, ...
@pytest.mark.parametrize(("write", "kept"), [(2, 0), (3, 1), (4, 1)])
def test_killed_in_the_middle_of_a_write_and_resumed_equals_never_killed(
    write: int,
    kept: int,
    unbroken: RunFolder,
    recipe: Recipe,
    scene: PreparedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writes = count(1)

    def die_half_way(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        save_file(tensors, path, metadata=metadata)
        if next(writes) == write:
            os.truncate(path, path.stat().st_size // 2)
            path.rename(path.with_suffix(".1"))  # the process that resumes has another number
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(files, "save_file", die_half_way)
        with pytest.raises(Killed):
            fit(recipe, scene, tmp_path / "run")
    killed = RunFolder.open(tmp_path / "run")
    assert killed.epochs_done == kept
    assert list(killed.checkpoints.glob(".*.1")), "the half-written file lies about"
    assert_same_run(fit(recipe, scene, tmp_path / "run", resume=True), unbroken)


def test_a_run_of_an_earlier_kit_goes_on(
    unbroken: RunFolder, recipe: Recipe, scene: PreparedDataset, tmp_path: Path
) -> None:
    """Its recipe has no `keep_epochs` and says `follow: false`; its weights have one checksum, that of the whole."""
    old = fit(recipe, scene, tmp_path / "run", on_epoch=stop_after(1))
    text = (old.folder / "recipe.yaml").read_text()
    assert "follow: []" in text
    text = text.replace("follow: []", "follow: false").replace("  keep_epochs: 20\n", "")
    (old.folder / "recipe.yaml").write_text(text)
    for path in old.checkpoints.glob("*.safetensors"):
        tensors, said = load_file(path), {"epoch": "1"}
        save_file(tensors, path, metadata=said | {files.CHECKSUM: files.checksum(tensors, said)})
    assert old.epochs_done == 1
    assert_same_run(fit(recipe, scene, tmp_path / "run", resume=True), unbroken)


# The weights that stay


@pytest.mark.parametrize(
    ("epochs", "keep", "expected"),
    [
        (3, 20, [1, 2, 3]),
        (20, 20, list(range(1, 21))),
        (5, 2, [2, 5]),
        (7, 1, [7]),
        (50, 20, [2, 5, 8, 10, 12, 15, 18, 20, 22, 25, 28, 30, 32, 35, 38, 40, 42, 45, 48, 50]),
    ],
)
def test_weights_of_so_many_epochs_stay_spread_evenly_up_to_the_last(
    epochs: int, keep: int, expected: list[int]
) -> None:
    kept = epochs_to_keep(TrainingSettings(epochs=epochs, keep_epochs=keep))
    assert sorted(kept - {0}) == expected


def test_a_run_holds_the_weights_that_stay_and_the_last(
    unbroken: RunFolder, recipe: Recipe, scene: PreparedDataset, tmp_path: Path
) -> None:
    few = recipe.with_settings("training.keep_epochs=1")
    stopped = fit(few, scene, tmp_path / "run", on_epoch=stop_after(2))
    assert stopped.kept_epochs == [2], "what goes on from here"
    shutil.copyfile(unbroken.weights_file(1), stopped.weights_file(1))  # as a kill just before it went leaves it
    resumed = fit(few, scene, tmp_path / "run", resume=True)
    assert resumed.kept_epochs == [3]
    assert sorted(path.name for path in resumed.checkpoints.iterdir()) == ["epoch_003.safetensors", OPTIMIZER]
    for name in ("epoch_003.safetensors", OPTIMIZER):
        ours, theirs = (load_file(run.checkpoints / name) for run in (resumed, unbroken))
        assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == []
    assert fit(recipe, scene, tmp_path / "run", resume=True).is_finished, "how many stay is no other setting"


def test_the_curve_over_epochs_is_of_the_weights_that_stay(scene: PreparedDataset, tmp_path: Path) -> None:
    run = fit(tiny_recipe("training.epochs=4", "training.keep_epochs=2"), scene, tmp_path / "run")
    evaluate(run, scene, every_epoch=True)
    measured = json.loads((run.folder / "metrics.json").read_text())
    assert [point["epoch"] for point in measured["curve"]] == [2, 4]


def test_more_epochs_continue_a_finished_run(
    unbroken: RunFolder, recipe: Recipe, scene: PreparedDataset, tmp_path: Path
) -> None:
    fit(recipe.with_settings("training.epochs=2"), scene, tmp_path / "run")
    assert_same_run(fit(recipe, scene, tmp_path / "run", resume=True), unbroken)


def test_resuming_a_finished_run_changes_nothing(unbroken: RunFolder, recipe: Recipe, scene: PreparedDataset) -> None:
    paths = [*unbroken.checkpoints.iterdir(), unbroken.folder / "history.csv", unbroken.folder / "run.json"]
    before = {path: path.read_bytes() for path in paths}
    fit(recipe, scene, unbroken.folder, resume=True)
    assert {path: path.read_bytes() for path in before} == before


def test_killed_after_its_last_epoch_and_resumed_a_run_tells_of_all_its_epochs(
    recipe: Recipe, scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, record = recipe.with_settings("training.epochs=1"), RunFolder.record

    def die_before_the_last(run: RunFolder, facts: dict[str, object]) -> None:
        if "epochs" in facts:
            raise Killed
        record(run, facts)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "record", die_before_the_last)
        with pytest.raises(Killed):
            fit(recipe, scene, tmp_path / "run")
    resumed = fit(recipe, scene, tmp_path / "run", resume=True)
    assert resumed.facts["epochs"] == 1
    assert resumed.facts["training_seconds"] == pytest.approx(resumed.history["seconds"].sum(), abs=0.06)


# What stops it


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_earlier_epochs(
    scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, total_loss = count(1), training.total_loss

    def poisoned(*given: object) -> object:
        losses = total_loss(*given)
        bad = losses._replace(total=losses.total * torch.inf, motion=losses.motion * torch.inf)
        return bad if next(steps) == STEPS + 3 else losses

    with monkeypatch.context() as patch:
        patch.setattr(training, "total_loss", poisoned)
        expected = (
            r"epoch 2, step 3: total inf, appearance \d.*, motion inf, sparse \d.*, latent \d.*; earlier epochs are"
        )
        with pytest.raises(TrainingError, match=expected):
            fit(tiny_recipe(), scene, tmp_path / "run")
    assert RunFolder.open(tmp_path / "run").epochs_done == 1
    assert fit(tiny_recipe(), scene, tmp_path / "run", resume=True).is_finished


def test_flow_that_is_not_finite_stops_the_run(
    scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = scene.flow
    monkeypatch.setattr(scene, "flow", lambda split, clip: np.full_like(flow(split, clip), np.inf))
    with pytest.raises(TrainingError, match=r"not finite at epoch 1, step 1: .*motion inf"):
        fit(tiny_recipe(), scene, tmp_path / "run")


def test_fewer_frames_than_one_batch(scene: PreparedDataset, tmp_path: Path) -> None:
    expected = r"78 training frames are fewer than one batch of 79; set training\.batch_size"
    with pytest.raises(TrainingError, match=expected):
        fit(tiny_recipe("training.batch_size=79"), scene, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_dataset_that_is_not_prepared_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"maam prepare synthetic --root {tmp_path} --size 48 64"):
        dataset_for(tmp_path, tiny_recipe())


# Order of the frames


@given(
    num_frames=st.integers(1, 60),
    per_device=st.integers(1, 6),
    world_size=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_are_the_same_on_one_device_and_on_many(
    num_frames: int, per_device: int, world_size: int, seed: int
) -> None:
    batch_size = per_device * world_size
    whole = [batch.tolist() for batch in batches(num_frames, batch_size, seed)]
    shares = [list(batches(num_frames, batch_size, seed, rank, world_size)) for rank in range(world_size)]
    together = [sorted(np.concatenate(share)) for share in zip(*shares, strict=True)]
    assert together == [sorted(batch) for batch in whole]
    assert {len(batch) for share in shares for batch in share} <= {per_device}
    seen = [frame for batch in whole for frame in batch]
    assert len(set(seen)) == len(seen) == num_frames // batch_size * batch_size
    assert set(seen) <= set(range(num_frames))


def test_every_epoch_of_every_seed_has_its_own_order(
    scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_batch, seen = FrameFlowDataset.stored_batch, []

    def remember(dataset: FrameFlowDataset, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(tuple(indices))
        return stored_batch(dataset, indices)

    monkeypatch.setattr(FrameFlowDataset, "stored_batch", remember)
    for seed in (0, 1):
        fit(tiny_recipe(f"training.seed={seed}"), scene, tmp_path / f"run{seed}")
    assert len(seen) == 4 * STEPS, "two epochs of each seed"
    assert len(set(seen)) == len(seen), "a batch came again"


def test_every_epoch_run_and_purpose_has_its_own_seed() -> None:
    places = [(seed, epoch, purpose) for seed in range(5) for epoch in range(5) for purpose in range(3)]
    assert len({epoch_seed(*place) for place in places}) == len(places)


# Number formats


def test_a_run_is_in_float32_unless_somebody_asks(
    scene: PreparedDataset, finished_run: RunFolder, tmp_path: Path
) -> None:
    """On any processor, also one with avx512_bf16 (bfloat16 took 10 to 26 % more time on one)."""
    assert finished_run.facts["precision"] == "float32"
    run = fit(tiny_recipe("training.epochs=1", "training.precision=bfloat16"), scene, tmp_path / "run")
    assert run.facts["precision"] == "bfloat16"


def test_on_gpus_convolutions_are_tf32_and_the_memory_is_float32() -> None:
    """PyTorch's own defaults, which nothing here changes: the threshold 1/N is too fine for TF32."""
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_run_begun_in_another_number_format_is_not_continued(scene: PreparedDataset, tmp_path: Path) -> None:
    """`training.precision=auto` of earlier kits took bfloat16 on some processors; the recipe now reads float32."""
    run = fit(tiny_recipe(), scene, tmp_path / "run", on_epoch=stop_after(1))
    run.record(run.facts | {"precision": "bfloat16"})
    with pytest.raises(
        TrainingError, match=r"was begun in bfloat16, .* it now is float32.* Train again in another folder"
    ):
        fit(tiny_recipe(), scene, tmp_path / "run", resume=True)
    assert run.epochs_done == 1


# The optimiser


@pytest.mark.parametrize("form", ["paper", "released"])
def test_adam_in_both_forms(form: str):
    """Gradients from far below the epsilon to far above it; equal to the loops."""
    gradients = np.random.default_rng(0).normal(size=(20, 15)) * 10.0 ** np.arange(-12, 3)
    recipe = tiny_recipe(f"training.adam_form={form}", "training.learning_rate=0.01")
    module = torch.nn.ParameterList([torch.ones(gradients.shape[1], dtype=torch.float64)])
    optimizer = build_optimizer(recipe, module)
    for gradient in gradients:
        module[0].grad = torch.from_numpy(gradient)
        optimizer.step()
    expected = [reference.adam(1.0, list(column), 0.01, form) for column in gradients.T]
    np.testing.assert_allclose(module[0].detach(), expected, rtol=1e-12)


def test_the_forms_of_adam_differ_at_the_first_step_by_their_epsilon():
    """lr * g / (|g| + 1e-8), against lr * g / (|g| + 3.16e-7)."""
    steps = {form: 1 - reference.adam(1.0, [1e-8], 1.0, form) for form in ("paper", "released")}
    assert steps["paper"] == pytest.approx(1 / 2, rel=1e-6)
    assert steps["released"] == pytest.approx(1 / (1 + 1e-8 / math.sqrt(1e-3) / 1e-8), rel=1e-6)


def test_the_released_adam_resumes_at_its_own_step(scene: PreparedDataset, tmp_path: Path):
    """Its epsilon depends on the number of steps, which a resumed run must not lose."""
    recipe = tiny_recipe("training.adam_form=released")
    whole = fit(recipe, scene, tmp_path / "whole")
    fit(recipe, scene, tmp_path / "halted", on_epoch=lambda row: True)
    resumed = fit(recipe, scene, tmp_path / "halted", resume=True)
    assert_same_run(resumed, whole)
    plain = fit(tiny_recipe(), scene, tmp_path / "plain")
    assert not torch.equal(*(load_file(run.weights_file(1))["items"] for run in (whole, plain)))


@pytest.mark.parametrize(("branches", "psi"), [("appearance", 1), ("motion", 0)])
def test_one_branch_is_trained_alone_and_resumes(branches: str, psi: int, scene: PreparedDataset, tmp_path: Path):
    recipe = tiny_recipe(f"loss.branches={branches}", f"scoring.psi={psi}")
    whole = fit(recipe, scene, tmp_path / "whole")
    fit(recipe, scene, tmp_path / "halves", on_epoch=stop_after(1))
    assert_same_run(fit(recipe, scene, tmp_path / "halves", resume=True), whole)
    torch.manual_seed(recipe.training.seed)
    before, after = build_network(recipe), build_network(recipe)
    whole.load_weights(after)
    moved = {name for name, value in after.named_parameters() if not torch.equal(value, before.get_parameter(name))}
    assert {name.split(".")[0] for name in moved} == {"encoder", "items", f"{branches}_decoder"}


# A target without direction (ours)


def test_a_speed_network_differs_from_one_of_flow_in_its_last_layer_alone() -> None:
    shapes = []
    for target in ("flow", "speed"):
        net = build_network(tiny_recipe(f"loss.motion_target={target}"))
        assert net(torch.zeros(1, 1, 48, 64)).flow_hat.shape == (1, {"flow": 2, "speed": 1}[target], 48, 64)
        shapes.append({name: tuple(value.shape) for name, value in net.state_dict().items()})
    differ = {name: (of_flow, shapes[1][name]) for name, of_flow in shapes[0].items() if of_flow != shapes[1][name]}
    of_output = {"weight": ((2, 4, 3, 3), (1, 4, 3, 3)), "bias": ((2,), (1,))}
    assert differ == {f"motion_decoder.output.{name}": pair for name, pair in of_output.items()}
    assert shapes[0].keys() == shapes[1].keys()


def test_the_history_compares_speed_with_predicting_none(scene: PreparedDataset, tmp_path: Path) -> None:
    """Mean length of the patches' mean flow, over the frames of an epoch's batches; nothing is augmented here."""
    recipe = tiny_recipe("loss.motion_target=speed", "loss.motion_form=patches", "training.epochs=1")
    run = fit(recipe, scene, tmp_path / "run")
    dataset = FrameFlowDataset(scene, "train")
    order = np.concatenate(list(batches(len(dataset), 8, epoch_seed(0, 1, 0))))
    _, flow = dataset.__getitems__(order.tolist())
    speeds = np.hypot(*flow.numpy().astype(np.float64).swapaxes(0, 1))
    means = [reference.patch_sums(speed, (12, 8), (3, 2), "valid").mean() / (12 * 8) for speed in speeds]
    assert run.history["zero_flow"].item() == pytest.approx(np.mean(means), rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        ("loss.branches=motion", "scoring.psi=0"),
        ("loss.branches=appearance", "scoring.psi=1"),
        ("model.similarity=released", "loss.latent_form=released", "training.adam_form=released"),
        ("model.use_memory=false", "training.precision=bfloat16"),
    ],
)
def test_speed_goes_with_every_other_choice(settings: tuple[str, ...], scene: PreparedDataset, tmp_path: Path) -> None:
    run = fit(tiny_recipe(*SPEED, "training.epochs=1", *settings), scene, tmp_path / "run")
    result = evaluate(run, scene)
    only = {"scoring.psi=0": result.auc_motion, "scoring.psi=1": result.auc_appearance}
    assert result.auc == only.get(settings[-1], result.auc)
    assert np.isfinite(pd.read_csv(run.folder / "scores.csv")["motion"]).all()


# Compiling


@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler, about itself
def test_a_compiled_training_leaves_a_run_that_an_uncompiled_one_continues(
    scene: PreparedDataset, finished_run: RunFolder, tmp_path: Path
):
    if trouble := compiler_trouble(torch.device("cpu")):
        pytest.skip(f"cannot compile here: {trouble}")
    run = fit(tiny_recipe(), scene, tmp_path / "run", compiled=True, on_epoch=stop_after(1))
    expected = finished_run.history.iloc[0]
    assert run.facts["compiled"]
    assert run.history.iloc[0]["total"] == pytest.approx(expected["total"], rel=0.02), (
        "up to what Adam makes of rounding"
    )
    weights = load_file(run.weights_file(1))
    assert weights.keys() == load_file(finished_run.weights_file(1)).keys()
    assert fit(tiny_recipe(), scene, tmp_path / "run", resume=True).is_finished


def test_where_nothing_compiles_training_says_why(
    scene: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object) -> object:
        raise RuntimeError("\nNo working C++ compiler found\nand more")

    monkeypatch.setattr(torch, "compile", lambda function: fails)
    with pytest.raises(
        TrainingError, match=r"cannot be compiled here \(No working C\+\+ compiler found\); train without"
    ):
        fit(tiny_recipe(), scene, tmp_path / "run", compiled=True)
    assert not (tmp_path / "run").exists()


# Full size


@pytest.mark.parametrize("name", ["ped2", "avenue", "shanghaitech", "ped2-released"])
def test_one_step_of_the_papers_recipes(name: str):
    recipe = load_recipe(name)
    data = recipe.data
    net = build_network(recipe).train()
    optimizer = build_optimizer(recipe, net)
    frames = torch.rand(1, data.channels, data.height, data.width) * 2 - 1
    losses = total_loss(net(frames), frames, torch.randn(1, 2, data.height, data.width), recipe.loss)
    before = {key: value.clone() for key, value in net.named_parameters()}
    losses.total.backward()
    optimizer.step()
    assert losses.total.isfinite()
    assert all(value.isfinite().all() for value in net.parameters())
    assert [key for key, value in net.named_parameters() if torch.equal(value, before[key])] == [], "all of it learns"
