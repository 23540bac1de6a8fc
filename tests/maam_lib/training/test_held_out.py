"""Clips held out of training: never trained or calibrated on, and what the spread of their largest errors says."""

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from data_prep.clip import Clip
from data_prep.scenes import SceneSettings, read_synthetic
from maam_lib.cli import runs
from maam_lib.config import Recipe
from maam_lib.data import DatasetError, PreparedDataset, recipe_frames, training_clips
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.generalisation import in_words, width_history
from maam_lib.evaluation.measuring import Evaluator, evaluate
from maam_lib.evaluation.result import Result
from maam_lib.grid.experiments import HELD_OUT, Cell, every_variant, measure_cell
from maam_lib.model import MAAMNet
from maam_lib.training import held_out as module
from maam_lib.training.camera import moving_things
from maam_lib.training.files import RunError
from maam_lib.training.held_out import HeldOut, width_10_90
from maam_lib.training.loop import TrainingError, build_network, dataset_for, fit
from maam_lib.training.runs import RunFolder
from tests.conftest import prepare_clips, tiny_recipe

TIMES = ["seconds", "frames_per_second"]
WIDTHS = [f"{branch}_width_{part}" for branch in ("appearance", "motion") for part in ("train", "held_out")]
SPEED = ("loss.motion_target=speed", "loss.motion_form=patches")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The small scene with three training clips of 40 frames. For reading only."""
    settings = SceneSettings(height=48, width=64, train_clips=3, test_clips=2, frames_per_clip=40)
    root = tmp_path_factory.mktemp("three")
    prepare_clips(root, read_synthetic(settings))
    return dataset_for(root, tiny_recipe())


@pytest.fixture(scope="module")
def first_two(three: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The same without its last training clip, which then nobody can read."""
    settings = SceneSettings(height=48, width=64, train_clips=3, test_clips=2, frames_per_clip=40)
    root = tmp_path_factory.mktemp("first_two")
    last = three.clips("train")[-1]
    clips = [clip for clip in read_synthetic(settings) if (clip.split, clip.name) != ("train", last)]
    prepare_clips(root, clips)
    return dataset_for(root, tiny_recipe())


@pytest.fixture(scope="module", params=[(), SPEED], ids=["flow", "speed"])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return tiny_recipe("training.hold_out=1", "training.epochs=3", *request.param)


@pytest.fixture(scope="module")
def run(recipe: Recipe, three: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Three epochs with the last clip held out, evaluated at every epoch."""
    run = fit(recipe, three, tmp_path_factory.mktemp("held_out") / "run")
    evaluate(run, three, every_epoch=True)
    return run


def trained(run: RunFolder) -> MAAMNet:
    net = build_network(run.recipe)
    run.load_weights(net)
    return net


# Which clips


def test_the_last_clips_by_name_are_held_out(three: PreparedDataset) -> None:
    clips = three.clips("train")
    assert clips == sorted(clips)
    assert training_clips(three, 0) == {"train": clips, "held_out": []}
    assert training_clips(three, 2) == {"train": clips[:1], "held_out": clips[1:]}


def test_by_name_and_not_by_the_sources_order(three: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(three, "clips", lambda split: ["c", "a", "b"])
    assert training_clips(three, 1) == {"train": ["a", "b"], "held_out": ["c"]}
    assert training_clips(three, 2) == {"train": ["a"], "held_out": ["b", "c"]}


@pytest.mark.parametrize("number", [3, 4, 10_000])
def test_one_clip_at_least_is_left_to_train_on(number: int, three: PreparedDataset, tmp_path: Path) -> None:
    recipe = tiny_recipe(f"training.hold_out={number}")
    with pytest.raises(DatasetError, match=f"hold_out = {number} leaves none of its 3 training clips .* 2 at most"):
        fit(recipe, three, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_frame_is_in_two_parts(recipe: Recipe, three: PreparedDataset) -> None:
    last = three.clips("train")[-1]
    train, held_out = (recipe_frames(recipe, three, part).keys() for part in ("train", "held_out"))
    assert {clip for clip, _ in held_out} == {last}
    assert last not in {clip for clip, _ in train}
    assert len(train) == 2 * 39
    assert len(held_out) == 39


# What is trained and calibrated on


def test_held_out_frames_are_never_trained_on(run: RunFolder, first_two: PreparedDataset, tmp_path: Path) -> None:
    """Equal to the last bit to a training on data that do not have the clip."""
    alone = fit(run.recipe.with_settings("training.hold_out=0"), first_two, tmp_path / "run")
    names = sorted(path.name for path in alone.checkpoints.iterdir())
    assert sorted(path.name for path in run.checkpoints.iterdir()) == names
    for name in names:
        ours, theirs = load_file(run.checkpoints / name), load_file(alone.checkpoints / name)
        assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == [], name
    assert not set(alone.history) & set(WIDTHS)
    pd.testing.assert_frame_equal(
        run.history.drop(columns=[*TIMES, *WIDTHS]), alone.history.drop(columns=TIMES), check_exact=True
    )


def test_nothing_is_calibrated_on_held_out_frames_nor_a_yardstick_made_of_them(
    run: RunFolder, three: PreparedDataset, first_two: PreparedDataset, tmp_path: Path
) -> None:
    """All that is said of the test frames is what data without the clip give; so is what `maam detect` scores with."""
    alone = fit(run.recipe.with_settings("training.hold_out=0"), first_two, tmp_path / "run")
    without, with_it = evaluate(alone, first_two), json.loads((run.folder / "metrics.json").read_text())
    for key in ("auc", "psi", "threshold", "no_learning", "protocols", "motion_error_to_zero_flow", "localisation"):
        assert with_it[key] == without.as_json()[key], key
    assert without.generalisation is None
    assert (run.folder / "detector.json").read_text() == (alone.folder / "detector.json").read_text()


def test_yardsticks_are_made_anew_when_other_clips_are_held_out(three: PreparedDataset) -> None:
    """They are kept in a process by what they hang on."""
    scores = [Evaluator(tiny_recipe(f"training.hold_out={n}"), three).no_learning_scores() for n in (0, 1)]
    assert not np.array_equal(scores[0]["median_background"], scores[1]["median_background"])


def test_a_patch_that_follows_the_data_is_not_measured_on_held_out_clips(
    three: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    flow = PreparedDataset.flow
    monkeypatch.setattr(
        PreparedDataset, "flow", lambda self, split, clip: (read.append(clip), flow(self, split, clip))[1]
    )
    moving_things(three, training_clips(three, 1)["train"])
    assert set(read) == set(three.clips("train")[:2])


# Widths


def test_width_is_from_the_10_to_the_90_percent_quantile() -> None:
    assert width_10_90(np.arange(11.0)) == pytest.approx(8)
    assert width_10_90(np.array([-3.0])) == 0
    assert width_10_90(np.arange(-10.0, 1.0)) == pytest.approx(8), "signed errors too"


def by_hand(run: RunFolder, data: PreparedDataset, part: str, answer: str = "network") -> dict[str, float]:
    """Widths of all frames of a part, one frame and one patch at a time, in float64."""
    clips = {"train": data.clips("train")[:-1], "held_out": data.clips("train")[-1:]}
    (height, across), speed = run.recipe.scoring.patch, run.recipe.loss.motion_target == "speed"
    step = [max(1, math.floor(side / 4 + 0.5)) for side in (height, across)]
    median = np.median([data.frames("train", c)[t] / 127.5 - 1 for c in clips["train"] for t in range(39)], axis=0)
    net, largest = trained(run).eval(), {"appearance": [], "motion": []}
    for clip in clips[part]:
        for t in range(39):
            frame = data.frames("train", clip)[t].astype(np.float64) / 127.5 - 1
            flow = data.flow("train", clip)[t].astype(np.float64)
            target = np.hypot(flow[..., 0], flow[..., 1])[..., None] if speed else flow
            if answer == "network":
                with torch.no_grad():
                    output = net(torch.from_numpy(frame).float().permute(2, 0, 1)[None])
                frame_hat, flow_hat = (x[0].permute(1, 2, 0).double().numpy() for x in output[:2])
            else:
                frame_hat, flow_hat = median, np.zeros_like(target)
            error = target - flow_hat
            maps = {"appearance": ((frame - frame_hat) ** 2).sum(2), "motion": (error if speed else abs(error)).sum(2)}
            for branch, error in maps.items():
                largest[branch].append(largest_patch(error, (height, across), step))
    return {branch: np.quantile(of, 0.9) - np.quantile(of, 0.1) for branch, of in largest.items()}


def largest_patch(error: np.ndarray, patch: tuple[int, int], step: list[int]) -> float:
    """SAME padding as TensorFlow counts it: the smaller half before."""
    sides = []
    for size, length, stride in zip(error.shape, patch, step, strict=True):
        over = max((math.ceil(size / stride) - 1) * stride + length - size, 0)
        sides.append(
            [(max(0, at), at + length) for at in range(-(over // 2), size, stride)][: math.ceil(size / stride)]
        )
    return max(error[a:b, c:d].sum() for a, b in sides[0] for c, d in sides[1])


def test_widths_are_those_of_numpy_relative_to_no_learning(run: RunFolder, three: PreparedDataset) -> None:
    """39 held-out frames are all measured; of 78 training frames, as many, evenly spread."""
    measured = HeldOut(run.recipe, three, "cpu")
    expected, without = by_hand(run, three, "held_out"), by_hand(run, three, "held_out", "no learning")
    found = measured.widths(trained(run))
    assert measured.frames == 39
    for branch in ("appearance", "motion"):
        assert measured.no_learning[branch]["held_out"] == pytest.approx(without[branch], rel=1e-4)
        assert found[branch]["held_out"] == pytest.approx(expected[branch] / without[branch], rel=1e-3)


def test_as_many_training_frames_are_measured_as_held_out_ones(
    run: RunFolder, three: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, list[tuple[str, int]]] = {"train": [], "held_out": []}
    measured = HeldOut(run.recipe, three, "cpu")
    for part, (dataset, _) in measured._parts.items():
        read = dataset.__getitems__

        def keep(numbers: list[int], part: str = part, dataset: Any = dataset, read: Any = read) -> Any:
            asked[part] += dataset.keys(numbers)
            return read(numbers)

        monkeypatch.setattr(dataset, "__getitems__", keep)
    measured.widths(trained(run))
    first, second, last = three.clips("train")
    assert asked["held_out"] == [(last, t) for t in range(39)]
    assert len(asked["train"]) == len(set(asked["train"])) == 39
    assert (asked["train"][0], asked["train"][-1]) == ((first, 0), (second, 38))


def test_at_most_so_many_frames_are_measured(
    recipe: Recipe, three: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRAMES", 3)
    measured = HeldOut(recipe, three, "cpu")
    assert measured.frames == 3
    assert [numbers.tolist() for _, numbers in measured._parts.values()] == [[0, 38, 77], [0, 19, 38]]


def test_a_network_that_answers_as_no_learning_does_has_widths_of_1(recipe: Recipe, three: PreparedDataset) -> None:
    measured = HeldOut(recipe, three, "cpu")
    assert measured.no_learning["motion"] == pytest.approx(
        {part: width_10_90(largest_motion(recipe, three, part)) for part in ("train", "held_out")}, rel=1e-5
    )
    net = build_network(recipe)
    torch.nn.init.zeros_(net.motion_decoder.output.weight)
    assert measured.widths(net)["motion"] == pytest.approx({"train": 1, "held_out": 1}, rel=1e-6)


def largest_motion(recipe: Recipe, data: PreparedDataset, part: str) -> np.ndarray:
    """Of the frames that are measured: the largest patch sum of the flow's L1 norms, or of speeds."""
    clips = data.clips("train")
    keys = [(clips[-1], t) for t in range(39)]
    if part == "train":
        every = [(clip, t) for clip in clips[:2] for t in range(39)]
        keys = [every[i] for i in np.linspace(0, 77, 39).round().astype(int)]
    flows = [data.flow("train", clip)[t].astype(np.float64) for clip, t in keys]
    sizes = [np.hypot(*f.transpose(2, 0, 1)) if recipe.loss.motion_target == "speed" else abs(f).sum(2) for f in flows]
    (height, across) = recipe.scoring.patch
    step = [math.floor(side / 4 + 0.5) for side in (height, across)]
    return np.array([largest_patch(size, (height, across), step) for size in sizes])


# The history


def test_every_row_of_the_history_has_the_widths_of_its_weights(run: RunFolder, three: PreparedDataset) -> None:
    measured, net = HeldOut(run.recipe, three, "cpu"), build_network(run.recipe)
    for epoch in (1, 2, 3):
        run.load_weights(net, epoch)
        row = run.history.set_index("epoch").loc[epoch]
        assert measured.row(net) == pytest.approx(dict(row[WIDTHS]), rel=1e-3), "up to the order of memory"


def test_measuring_leaves_no_trace(recipe: Recipe, three: PreparedDataset) -> None:
    """The network's mode, its statistics and the random state are as before."""
    net = build_network(recipe).train()
    before, state = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    HeldOut(recipe, three, "cpu").row(net)
    assert net.training
    assert all(module.training for module in net.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert [name for name, value in net.state_dict().items() if not torch.equal(value, before[name])] == []


@pytest.mark.parametrize("epoch", [1, 2])
def test_stopped_and_resumed_equals_never_stopped(
    epoch: int, run: RunFolder, three: PreparedDataset, tmp_path: Path
) -> None:
    fit(run.recipe, three, tmp_path / "run", on_epoch=lambda row: row["epoch"] == epoch)
    resumed = fit(run.recipe, three, tmp_path / "run", resume=True)
    assert resumed.is_finished
    pd.testing.assert_frame_equal(
        resumed.history.drop(columns=TIMES), run.history.drop(columns=TIMES), check_exact=True
    )
    for name in sorted(path.name for path in run.checkpoints.iterdir()):
        ours, theirs = load_file(resumed.checkpoints / name), load_file(run.checkpoints / name)
        assert [key for key in theirs if not torch.equal(ours[key], theirs[key])] == [], name


def test_a_run_goes_on_with_the_clips_that_it_began_with(run: RunFolder, three: PreparedDataset) -> None:
    other = run.recipe.with_settings("training.hold_out=2", "training.epochs=4")
    with pytest.raises(RunError, match=r"cannot resume with other settings \(training.hold_out: 1 -> 2\)"):
        fit(other, three, run.folder, resume=True)


def test_run_json_names_the_clips(run: RunFolder, three: PreparedDataset) -> None:
    assert run.facts["held_out"] == three.clips("train")[-1:]
    assert run.facts["data"]["frames"] == 2 * 39


def test_widths_that_are_not_finite_stop_the_run_and_keep_earlier_epochs(
    recipe: Recipe, three: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: Iterator[float] = iter([0.5, math.nan])
    monkeypatch.setattr(HeldOut, "row", lambda *_: {"motion_width_train": next(rows)})
    with pytest.raises(TrainingError, match=r"after epoch 2 are not finite.*earlier epochs are kept"):
        fit(recipe, three, tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    assert run.epochs_done == 1
    assert run.history["motion_width_train"].tolist() == [0.5]


def test_one_branch_trained_is_the_one_that_is_measured(three: PreparedDataset) -> None:
    recipe = tiny_recipe("training.hold_out=1", "loss.branches=motion", "scoring.psi=0")
    assert list(HeldOut(recipe, three, "cpu").row(build_network(recipe))) == WIDTHS[2:]


def still_clip(name: str) -> Clip:
    frames, flow = np.full((40, 48, 64, 1), 90, np.uint8), np.zeros((39, 48, 64, 2), np.float32)
    return Clip("train", name, 40, frames=partial(iter, frames), flow=partial(iter, flow))


def test_clips_in_which_nothing_moves_say_nothing(tmp_path: Path) -> None:
    settings = SceneSettings(height=48, width=64, train_clips=2, test_clips=2, frames_per_clip=40)
    prepare_clips(tmp_path / "data", [*read_synthetic(settings), still_clip("zzz")])
    recipe = tiny_recipe("training.hold_out=1")
    with pytest.raises(DatasetError, match=r"10-90 % width of .* 0 on the held-out clips \(zzz\).*Does nothing move"):
        fit(recipe, dataset_for(tmp_path / "data", recipe), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# evaluate


def test_evaluate_says_the_same_as_the_last_row_of_the_history(run: RunFolder, three: PreparedDataset) -> None:
    result = Result.model_validate_json((run.folder / "metrics.json").read_text())
    found, last = result.generalisation, run.history.iloc[-1]
    assert found is not None
    assert found.clips == three.clips("train")[-1:]
    assert found.frames == 39
    for branch in ("appearance", "motion"):
        widths = getattr(found, branch)
        assert widths.train == pytest.approx(last[f"{branch}_width_train"], rel=1e-3)
        assert widths.held_out == pytest.approx(last[f"{branch}_width_held_out"], rel=1e-3)
        assert widths.ratio == pytest.approx(widths.held_out / widths.train)


def test_every_point_of_the_curve_has_the_widths_of_its_epoch(run: RunFolder) -> None:
    result = Result.model_validate_json((run.folder / "metrics.json").read_text())
    widths = [point.generalisation.motion.held_out for point in result.curve]
    assert widths == pytest.approx(run.history["motion_width_held_out"].tolist(), rel=1e-3)
    pd.testing.assert_frame_equal(width_history(result), run.history[["epoch", *WIDTHS]], rtol=1e-3)
    assert result.curve[-1].generalisation == result.generalisation.model_copy(update={"above_threshold": None})


def test_the_share_of_held_out_frames_above_the_threshold(run: RunFolder, three: PreparedDataset) -> None:
    result = Result.model_validate_json((run.folder / "metrics.json").read_text())
    detector = json.loads((run.folder / "detector.json").read_text())
    errors = Evaluator(run.recipe, three).errors(network_predictor(trained(run)), "held_out")
    assert [clip for clip, _ in errors.keys] == 39 * three.clips("train")[-1:]
    fused = result.psi * errors.appearance + (1 - result.psi) * errors.motion
    share = np.mean([frame.max() >= detector["threshold"] for frame in fused])
    assert result.generalisation.above_threshold == pytest.approx(share)


def test_in_words(run: RunFolder) -> None:
    found = Result.model_validate_json((run.folder / "metrics.json").read_text()).generalisation
    lines = in_words(found).splitlines()
    assert lines[0] == f"held out: {found.clips[0]} (39 frames, compared with as many training frames)"
    motion = found.motion
    assert f"training {motion.train:.2f}, held out {motion.held_out:.2f}, ratio {motion.ratio:.2f}" in lines[1]
    assert "appearance" in lines[2]
    assert lines[3].endswith(f"{found.above_threshold:.1%}")


def test_the_variant_held_out_is_measured_at_every_epoch(run: RunFolder, three: PreparedDataset) -> None:
    """But not under every scoring variant."""
    result = measure_cell(run, Cell(HELD_OUT, run.recipe), three)
    assert [point.epoch for point in result.curve] == [1, 2, 3]
    assert all(point.generalisation.motion.ratio > 0 for point in result.curve)
    assert not result.scoring
    assert every_variant()[HELD_OUT].settings == ("training.hold_out=3",)


def test_the_command_evaluate_tells_it_below_its_table(
    run: RunFolder, three: PreparedDataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maam_lib.grid.result_table", lambda result: pd.DataFrame({"AUC": [result.auc]}))
    runs.evaluate(run.folder, three.folder.parent)
    found = Result.model_validate_json((run.folder / "metrics.json").read_text()).generalisation
    assert capsys.readouterr().out.endswith(f"{in_words(found)}\n")


def test_the_line_of_an_epoch_tells_the_widths(
    run: RunFolder, finished_run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"motion_width_train": 0.5, "motion_width_held_out": 1.25} | run.history.iloc[0][:10].to_dict()
    for history in (row, finished_run.history.iloc[0].to_dict()):
        runs._print_epoch(history)
    with_them, without = capsys.readouterr().out.splitlines()
    assert with_them.endswith("frames/s  motion width 0.50 (held out: 1.25)")
    assert without.endswith("frames/s")


def test_without_held_out_clips_nothing_is_said(finished_run: RunFolder) -> None:
    assert "generalisation" not in json.loads((finished_run.folder / "metrics.json").read_text())
    assert not [name for name in finished_run.history if "width" in name]
    assert "held_out" not in finished_run.facts
