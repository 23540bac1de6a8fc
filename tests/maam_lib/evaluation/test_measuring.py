"""Evaluation and its yardsticks: no label before the metrics, scores joined by key, every number by hand."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from maam_lib import baselines, pscd
from maam_lib.config import ScoringSettings
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.evaluation.error_maps import Predict, error_maps, network_predictor
from maam_lib.evaluation.measuring import Evaluator, evaluate
from maam_lib.evaluation.one_frame import detection_row
from maam_lib.evaluation.protocols import no_learning_rows
from maam_lib.evaluation.reintegration import memory_facts
from maam_lib.evaluation.scores import (
    Calibration,
    EvaluationError,
    PatchErrors,
    calibrate,
    score_table,
)
from maam_lib.metrics import roc_auc
from maam_lib.model import MAAMNet
from maam_lib.training.loop import build_network, fit
from maam_lib.training.runs import RunFolder
from tests import reference
from tests.conftest import tiny_recipe

BRANCHES = ["appearance", "motion", "fused"]
PATCH, STRIDE = (12, 8), (3, 2)


@pytest.fixture(scope="module")
def evaluator(scene: PreparedDataset) -> Evaluator:
    return Evaluator(tiny_recipe(), scene)


@pytest.fixture(scope="module")
def result(finished_run: RunFolder) -> dict:
    """The metrics.json of the finished run, made with its curve over the epochs."""
    return json.loads((finished_run.folder / "metrics.json").read_text())


def some_errors(frames: int = 200) -> PatchErrors:
    """Made-up patch errors whose motion sums vary ten times as much as those of appearance."""
    random = np.random.default_rng(0)
    appearance, motion = random.random((2, frames, 3, 4)) * np.array([1, 10]).reshape(2, 1, 1, 1)
    size = random.random((4, frames))
    return PatchErrors([("Train001", t) for t in range(frames)], appearance, motion, *size)


# Calibration


def test_calibration_gives_both_branches_the_same_spread() -> None:
    errors = some_errors()
    psi = calibrate(errors, ScoringSettings()).psi
    scores = errors.scores(psi)
    assert psi * scores["appearance"].std() == pytest.approx((1 - psi) * scores["motion"].std())
    assert psi > 0.8, "the quieter branch weighs more"


def test_threshold_is_the_quantile_of_the_training_scores() -> None:
    errors = some_errors()
    found = calibrate(errors, ScoringSettings(alarm_quantile=0.9))
    assert (errors.scores(found.psi)["fused"] > found.threshold).mean() == pytest.approx(0.1, abs=0.01)


def test_a_given_psi_is_taken_as_it_is() -> None:
    found = calibrate(some_errors(), ScoringSettings(psi=0.25))
    assert found.psi == 0.25
    assert found.threshold == pytest.approx(np.quantile(some_errors().scores(0.25)["fused"], 0.99))


def test_errors_without_any_spread_calibrate_to_one_half() -> None:
    flat = np.ones((5, 2, 2))
    assert calibrate(PatchErrors([], flat, flat, flat, flat, flat, flat), ScoringSettings()).psi == 0.5


def test_a_branch_without_any_spread_does_not_silence_the_other() -> None:
    errors = some_errors()
    for branch in ("appearance", "motion"):
        flat = replace(errors, **{branch: np.full_like(errors.motion, -3.0)})
        assert calibrate(flat, ScoringSettings()).psi == 0.5  # no weight gives both the same spread


def test_calibration_reads_no_label_and_no_test_frame(
    evaluator: Evaluator, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = evaluator.prepared
    expected = calibrate(evaluator.errors(predict, "train"), evaluator.recipe.scoring)

    def forbidden(*_: object) -> None:
        raise AssertionError("labels were read")

    for truth in ("labels", "masks", "tracks"):
        monkeypatch.setattr(scene, truth, forbidden)
    frames = scene.frames
    monkeypatch.setattr(scene, "frames", lambda split, clip: frames(split, clip) if split == "train" else forbidden())
    assert calibrate(evaluator.errors(predict, "train"), evaluator.recipe.scoring) == expected


def test_fusing_comes_before_the_maximum() -> None:
    appearance, motion = np.array([[[4.0, 0.0]]]), np.array([[[0.0, 2.0]]])
    scores = PatchErrors([("a", 0)], appearance, motion, *np.ones((4, 1))).scores(0.5)
    assert [scores[branch][0] for branch in BRANCHES] == [4, 2, 2]


def test_a_whole_frame_scores_the_mean_of_its_error_maps(
    evaluator: Evaluator, predict: Predict, scene: PreparedDataset
) -> None:
    errors = evaluator.errors(predict, "test")
    x, flow = evaluator.dataset("test").__getitems__([0, 7])
    frame_hat, flow_hat = predict(x)
    appearance, motion = (m.mean(dim=(1, 2)).numpy() for m in pscd.error_maps(x, frame_hat, flow, flow_hat))
    scores = errors.of_whole_frames().scores(0.25)
    assert scores["appearance"][[0, 7]] == pytest.approx(appearance, rel=1e-4)
    assert scores["motion"][[0, 7]] == pytest.approx(motion, rel=1e-4)
    assert scores["fused"] == pytest.approx(0.25 * scores["appearance"] + 0.75 * scores["motion"])


def test_whole_frames_are_measured_with_a_psi_of_their_own(
    result: dict, evaluator: Evaluator, predict: Predict, finished_run: RunFolder
) -> None:
    train, test = (evaluator.errors(predict, split) for split in ("train", "test"))
    spread = {branch: s.std() for branch, s in train.of_whole_frames().scores(0.5).items()}
    psi = spread["motion"] / (spread["appearance"] + spread["motion"])
    labels = score_table(test, 0.5, evaluator.prepared)["label"].to_numpy()
    assert result["whole_frame"]["psi"] == pytest.approx(psi)
    assert result["whole_frame"]["auc"] == pytest.approx(roc_auc(labels, test.of_whole_frames().scores(psi)["fused"]))
    kept = pd.read_csv(finished_run.folder / "scores.csv")["whole_frame"]
    assert kept.to_numpy() == pytest.approx(test.of_whole_frames().scores(psi)["fused"])


def test_yardsticks_are_scored_once_for_the_same_data_and_scoring(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluator.no_learning_scores()
    monkeypatch.setattr(Evaluator, "errors", lambda *_: pytest.fail("scored again"))
    first.iloc[:, 3:] = 0  # a copy is the caller's own
    assert evaluator.no_learning_scores().iloc[:, 3:].to_numpy().any()
    other = Evaluator(tiny_recipe("scoring.padding=valid"), evaluator.prepared)
    with pytest.raises(pytest.fail.Exception, match="scored again"):
        other.no_learning_scores()


# Scores and labels


def test_one_row_per_key_with_its_label(finished_run: RunFolder, scene: PreparedDataset) -> None:
    table = pd.read_csv(finished_run.folder / "scores.csv")
    assert list(table.columns) == ["clip", "frame", "label", *BRANCHES, "whole_frame"]
    assert list(zip(table["clip"], table["frame"], strict=True)) == FrameFlowDataset(scene, "test").keys()
    expected = [scene.labels(clip)[frame] for clip, frame in zip(table["clip"], table["frame"], strict=True)]
    assert table["label"].tolist() == expected
    assert np.isfinite(table[BRANCHES].to_numpy()).all()


def test_labels_are_joined_by_key_and_not_by_position(scene: PreparedDataset) -> None:
    keys = [("Test002", 30), ("Test001", 0), ("Test002", 3), ("Test001", 25)]
    ones = np.ones((4, 1, 1))
    table = score_table(PatchErrors(keys, ones, ones, *np.ones((4, 4))), 0.5, scene)
    assert table["label"].tolist() == [scene.labels(clip)[frame] for clip, frame in keys]


def test_labels_that_are_too_few_name_the_clip_and_both_counts(
    evaluator: Evaluator, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, errors = evaluator.prepared, evaluator.errors(predict, "test")
    labels = scene.labels
    monkeypatch.setattr(scene, "labels", lambda clip: labels(clip)[: 38 if clip == "Test002" else 40])
    with pytest.raises(
        EvaluationError, match="synthetic/test/Test002: a score for frame 38 but 38 labels; were scores"
    ):
        score_table(errors, 0.5, scene)


# The result


def test_metrics_json_has_the_keys_of_the_contract(result: dict, scene: PreparedDataset) -> None:
    for name in ("auc", "eer", "auc_appearance", "auc_motion"):
        assert 0 <= result[name] <= 1
    assert set(result["no_learning"]) == set(baselines.ROWS)
    assert all(set(row) == {"auc", "eer"} for row in result["no_learning"].values())
    best = max(row["auc"] for row in result["no_learning"].values())
    assert result["no_learning"][result["best_no_learning"]]["auc"] == best
    assert result["learning_adds"] == pytest.approx(result["auc"] - best)
    assert (result["recipe_hash"], result["seed"], result["epoch"]) == (tiny_recipe().hash(), 0, 2)
    assert result["data"] == {"name": "synthetic", "content_hash": scene.content_hash, "scored_frames": 78}
    assert set(result["motion_error_to_zero_flow"]) == {"train", "test_normal"}
    assert result["protocol"]["psi"] == "calibrated on training errors"
    assert result["protocol"]["frames_dropped_per_clip"] == 1
    assert (result["protocol"]["patch"], result["protocol"]["stride"]) == (list(PATCH), list(STRIDE))
    assert result["protocol"]["complete"] is True
    assert result["settings"] == tiny_recipe().model_dump(mode="json")


def test_auc_and_eer_are_those_of_the_score_table(result: dict, finished_run: RunFolder) -> None:
    table = pd.read_csv(finished_run.folder / "scores.csv")
    labels = table["label"].tolist()
    for key, branch in (("auc", "fused"), ("auc_appearance", "appearance"), ("auc_motion", "motion")):
        assert result[key] == pytest.approx(reference.roc_auc(labels, table[branch].tolist()), abs=1e-9)
    assert result["eer"] == pytest.approx(reference.equal_error_rate(labels, table["fused"].tolist(), 200), abs=0.01)


def test_the_curve_ends_in_the_result_and_is_never_chosen_from(result: dict) -> None:
    assert [point["epoch"] for point in result["curve"]] == [1, 2]
    assert result["curve"][-1]["auc"] == result["auc"]
    assert result["protocol"]["checkpoint"] == "last epoch"


def test_best_on_test_is_a_mark_in_the_curve_and_nothing_else(
    result: dict, finished_run: RunFolder, scene: PreparedDataset, tmp_path: Path
) -> None:
    marked = [point["epoch"] for point in result["curve"] if point["best_on_test"]]
    assert marked == [max(result["curve"], key=lambda point: point["auc"])["epoch"]]
    plain = evaluate(RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "run")), scene)
    assert plain.as_json() == {key: value for key, value in result.items() if key != "curve"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r"synthetic/test/Test001 has no labels \(known exactly by the generator\), .*cannot be measured"),
        (np.zeros(40, np.uint8), "synthetic/test: every scored frame is normal"),
        (np.append(np.zeros(39, np.uint8), 1), "synthetic/test: every scored frame is normal"),  # the last is unscored
        (np.ones(40, np.uint8), "synthetic/test: every scored frame is abnormal"),
    ],
)
def test_labels_that_measure_nothing_are_refused_before_any_frame_is_scored(
    labels: np.ndarray | None,
    message: str,
    finished_run: RunFolder,
    scene: PreparedDataset,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    run = RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "run"))
    before = (run.folder / "metrics.json").read_bytes()
    monkeypatch.setitem(scene._arrays, ("test", "Test001", "labels"), labels)
    monkeypatch.setitem(scene._arrays, ("test", "Test002", "labels"), labels)
    monkeypatch.setattr(Evaluator, "errors", lambda *_: pytest.fail("a frame was scored"))
    with pytest.raises(EvaluationError, match=message):
        evaluate(run, scene)
    assert (run.folder / "metrics.json").read_bytes() == before


def test_evaluating_again_gives_the_same_files(finished_run: RunFolder, scene: PreparedDataset, tmp_path: Path) -> None:
    again = RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "run"))
    evaluate(again, scene, every_epoch=True)
    for name in ("scores.csv", "metrics.json"):
        assert (again.folder / name).read_bytes() == (finished_run.folder / name).read_bytes(), name


def test_motion_error_is_relative_to_predicting_no_motion(evaluator: Evaluator) -> None:
    _, measured = evaluator.score(baselines.constant_answers(evaluator.dataset("train"))["zero"])
    assert measured["motion_error_to_zero_flow"] == {"train": pytest.approx(1), "test_normal": pytest.approx(1)}


def test_without_memory_there_are_no_memory_facts(scene: PreparedDataset, tmp_path: Path) -> None:
    run = fit(tiny_recipe("model.use_memory=false", "training.epochs=1"), scene, tmp_path / "run")
    assert run.history["support_items"].tolist() == [0]
    assert evaluate(run, scene).memory is None


def test_memory_facts_count_items_and_queries(result: dict, net: MAAMNet, scene: PreparedDataset) -> None:
    facts = memory_facts(net, FrameFlowDataset(scene, "test"), "cpu")
    assert facts == result["memory"]
    assert facts["items"] == 8
    assert 1 <= facts["support_items"] <= facts["items_used"] <= 8


def test_settings_like_those_of_the_released_code_run_through(scene: PreparedDataset, tmp_path: Path) -> None:
    settings = (
        "model.similarity=released",
        "loss.sparse_form=released",
        "loss.latent_form=released",
        "scoring.psi=0.0909",
        "scoring.padding=valid",
        "scoring.stride=[8, 5]",
        "data.drop_last=2",
        "data.channels=3",
        "training.epochs=1",
    )
    result = evaluate(fit(tiny_recipe(*settings), scene, tmp_path / "run"), scene)
    protocol = result.as_json()["protocol"]
    assert (result.psi, protocol["psi"]) == (0.0909, "given by the recipe")
    assert (protocol["stride"], protocol["padding"], protocol["frames_dropped_per_clip"]) == ([8, 5], "valid", 2)
    table = pd.read_csv(tmp_path / "run" / "scores.csv")
    assert table.groupby("clip")["frame"].agg(["first", "last"]).to_numpy().tolist() == [[0, 37], [0, 37]]


# Yardsticks


def test_zero_flow_is_the_largest_patch_sum_of_the_flow(evaluator: Evaluator) -> None:
    scene = evaluator.prepared
    zero = baselines.constant_answers(evaluator.dataset("train"))["zero"]
    table = evaluator.score(zero)[0].set_index(["clip", "frame"])
    for key in (("Test001", 0), ("Test001", 25), ("Test002", 38)):
        size = np.abs(scene.flow("test", key[0])[key[1]].astype(np.float64)).sum(axis=2)
        expected = reference.patch_sums(size, PATCH, STRIDE, "same").max()
        assert table.loc[key, "motion"] == pytest.approx(expected, rel=1e-5)


def test_constant_answers_are_zeros_and_medians_of_the_training_set(scene: PreparedDataset) -> None:
    answers = baselines.constant_answers(FrameFlowDataset(scene, "train"))
    clips = scene.clips("train")
    frames = np.concatenate([scene.frames("train", clip)[:-1] for clip in clips]) / 127.5 - 1
    flow = np.concatenate([scene.flow("train", clip) for clip in clips]).astype(np.float64)
    for name, motion in (("zero", 0 * flow[0]), ("median", np.median(flow, axis=0))):
        frame_hat, flow_hat = answers[name](torch.zeros(2, 1, 48, 64))
        expected = np.median(frames, axis=0)
        for b in range(2):
            np.testing.assert_allclose(frame_hat[b].permute(1, 2, 0), expected, atol=1e-6)
            np.testing.assert_allclose(flow_hat[b].permute(1, 2, 0), motion, atol=1e-6)


def test_single_branch_rows_are_what_their_names_say(evaluator: Evaluator) -> None:
    train, test = (evaluator.dataset(split) for split in ("train", "test"))
    frames, flow = test.__getitems__(range(len(test)))
    background, median_flow = (torch.from_numpy(np.median(x, axis=0)) for x in train.__getitems__(range(len(train))))
    errors = {
        "zero_flow": flow.abs().sum(dim=1),
        "median_flow": (flow - median_flow).abs().sum(dim=1),
        "median_background": (frames - background).square().sum(dim=1),
    }
    labels = [evaluator.prepared.labels(clip)[frame] for clip, frame in test.keys()]  # noqa: SIM118
    rows = no_learning_rows(evaluator.no_learning_scores())
    for name, error in errors.items():
        scores = pscd.patch_sums(error, PATCH).amax(dim=(1, 2)).tolist()
        assert rows[name]["auc"] == pytest.approx(reference.roc_auc(labels, scores), abs=1e-3), name


def test_a_network_that_answers_no_speed_has_the_scores_of_the_row_speed(scene: PreparedDataset) -> None:
    """To the last bit, for the motion branch is the length of the flow then, summed over patches."""
    evaluator = Evaluator(tiny_recipe("loss.motion_target=speed"), scene)
    net = build_network(evaluator.recipe)
    net.motion_decoder.output.weight.data.zero_()
    table, measured = evaluator.score(network_predictor(net))
    rows = evaluator.no_learning_scores()
    assert measured["motion_error_to_zero_flow"] == {"train": 1, "test_normal": 1}
    assert table["motion"].tolist() == rows["speed"].tolist()
    speed = np.linalg.norm(scene.flow("test", "Test001")[25].astype(np.float64), axis=2)
    expected = reference.patch_sums(speed, PATCH, STRIDE, "same").max()
    assert table.set_index(["clip", "frame"]).loc[("Test001", 25), "motion"] == pytest.approx(expected, rel=1e-5)


def test_every_yardstick_has_its_own_calibrated_psi(evaluator: Evaluator) -> None:
    rows = no_learning_rows(evaluator.no_learning_scores())
    answers = baselines.constant_answers(evaluator.dataset("train"))
    for name, (answer, column) in baselines.ROWS.items():
        train = evaluator.errors(answers[answer], "train")
        psi = calibrate(train, evaluator.recipe.scoring).psi
        table = score_table(evaluator.errors(answers[answer], "test"), psi, evaluator.prepared)
        assert rows[name]["auc"] == pytest.approx(
            reference.roc_auc(table["label"].tolist(), table[column].tolist()), abs=1e-9
        )


@pytest.mark.parametrize(("total", "at_most"), [(1, 5), (5, 5), (100, 7), (1000, 64)])
def test_spread_evenly(total: int, at_most: int) -> None:
    chosen = baselines.spread_evenly(total, at_most)
    assert len(chosen) == min(total, at_most)
    assert (chosen[0], chosen[-1]) == (0, total - 1)
    assert np.ptp(np.diff(chosen)) <= 1 if len(chosen) > 1 else total == 1


# One frame in detail


def test_detection_row_agrees_with_the_score(
    net: MAAMNet, evaluator: Evaluator, predict: Predict, scene: PreparedDataset
) -> None:
    table, measured = evaluator.score(predict)
    calibration = Calibration(measured["psi"], float(table["fused"].median()))
    for line in (table.iloc[3], table.loc[table["fused"].idxmax()]):
        clip, frame = line["clip"], int(line["frame"])
        row = detection_row(net, scene, clip, frame, evaluator.recipe.scoring, calibration)
        for branch in BRANCHES:
            assert row[branch].shape == (48, 64)
            sums = pscd.patch_sums(torch.from_numpy(row[branch])[None], PATCH)
            assert float(sums.max()) == pytest.approx(line[branch], rel=1e-4)
        assert row["found"].any() == (line["fused"] >= calibration.threshold)
        assert row["fused_sums"].max() == pytest.approx(line["fused"], rel=1e-4)
        np.testing.assert_allclose(row["appearance_share"] + row["motion_share"], row["fused_sums"], rtol=1e-5)
        assert row["appearance_share"].max() == pytest.approx(calibration.psi * line["appearance"], rel=1e-4)
        assert row["threshold"] == calibration.threshold
        np.testing.assert_array_equal(row["frame"], scene.frames("test", clip)[frame])
        np.testing.assert_array_equal(row["mask"], scene.masks(clip)[frame] == 1)


def test_patch_errors_do_not_depend_on_the_batch_size(evaluator: Evaluator, predict: Predict) -> None:
    dataset, scoring = evaluator.dataset("test"), evaluator.recipe.scoring
    chosen = np.array([70, 3, 41])
    one, all_at_once = (
        [maps.sums(scoring) for maps in error_maps(predict, dataset, frames=chosen, batch_size=b)] for b in (1, 3)
    )
    assert [len(one), len(all_at_once)] == [3, 1]
    for branch, together in enumerate(all_at_once[0]):
        np.testing.assert_allclose(torch.cat([sums[branch] for sums in one]), together, rtol=1e-4)


def test_several_scorings_in_one_pass_are_each_as_if_alone(evaluator: Evaluator, predict: Predict) -> None:
    scoring = evaluator.recipe.scoring
    others = [scoring, scoring.model_copy(update={"stride": (1, 1)}), scoring.model_copy(update={"padding": "valid"})]
    together = evaluator.errors_under(others, predict, "test")
    for other, errors in zip(others, together, strict=True):
        [alone] = evaluator.errors_under([other], predict, "test")
        np.testing.assert_array_equal(errors.motion, alone.motion)
        np.testing.assert_array_equal(errors.appearance, alone.appearance)
    assert len({errors.motion.shape for errors in together}) == 3
