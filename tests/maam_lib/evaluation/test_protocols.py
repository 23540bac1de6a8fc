"""What is measured of a score table and of errors: every protocol and criterion of one run, by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from maam_lib import baselines, pscd
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.localisation import localised
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.protocols import SMOOTH, every_convention, frame_protocols, smoothed
from maam_lib.evaluation.scores import BRANCHES, PatchErrors, calibrate
from maam_lib.metrics import PROTOCOLS, MetricError, measure, roc_auc
from maam_lib.training.loop import build_network
from maam_lib.training.runs import RunFolder
from tests.conftest import tiny_recipe


@pytest.fixture(scope="module")
def evaluator(scene: PreparedDataset) -> Evaluator:
    return Evaluator(tiny_recipe(), scene)


@pytest.fixture(scope="module")
def errors(finished_run: RunFolder, evaluator: Evaluator) -> PatchErrors:
    """The test errors of the finished run."""
    net = build_network(finished_run.recipe)
    finished_run.load_weights(net)
    return evaluator.errors(network_predictor(net), "test")


@pytest.fixture(scope="module")
def result(finished_run: RunFolder) -> dict:
    return json.loads((finished_run.folder / "metrics.json").read_text())


def test_every_protocol_is_measured_of_the_score_table(result: dict, finished_run: RunFolder) -> None:
    table = pd.read_csv(finished_run.folder / "scores.csv")
    labels, scores, clips = (table[column].to_numpy() for column in ("label", "fused", "clip"))
    assert list(result["protocols"]) == list(PROTOCOLS)
    for protocol, found in result["protocols"].items():
        for key, value in measure(labels, scores, clips, protocol).items():
            assert found[key] == pytest.approx(value, rel=1e-5), (protocol, key)
        best = max(found["no_learning"].values())
        assert found["no_learning"][found["best_no_learning"]] == best
        assert found["learning_adds"] == pytest.approx(found["auc"] - best)
        for name, middle in (("auc_interval", found["auc"]), ("learning_adds_interval", found["learning_adds"])):
            low, high = found[name]
            assert low <= middle <= high
    micro = result["protocols"]["micro"]
    assert (micro["auc"], micro["eer"]) == (result["auc"], result["eer"])
    assert micro["no_learning"] == {name: row["auc"] for name, row in result["no_learning"].items()}
    assert micro["learning_adds"] == result["learning_adds"]


# Smoothing


def table_of(*lengths: int, seed: int = 0) -> pd.DataFrame:
    """A score table of clips of these lengths, whose levels lie far apart."""
    random = np.random.default_rng(seed)
    tables = []
    for k, frames in enumerate(lengths):
        scores = {branch: random.normal(size=frames) + 100 * k for branch in BRANCHES}
        label = random.integers(0, 2, frames)
        tables.append(pd.DataFrame({"clip": f"Test{k:03}", "frame": range(frames), "label": label} | scores))
    return pd.concat(tables, ignore_index=True)


def gaussian_by_hand(scores: np.ndarray, sigma: float = 3.0) -> list[float]:
    """Each score as the mean of its neighbours up to 4 sigma, weighted by their distance; mirrored at the ends."""
    reach = int(4 * sigma + 0.5)
    weights = [np.exp(-(d**2) / (2 * sigma**2)) for d in range(-reach, reach + 1)]
    mirrored = [*scores, *scores[::-1]]  # and so on, without end
    around = [[mirrored[(t + d) % len(mirrored)] for d in range(-reach, reach + 1)] for t in range(len(scores))]
    return [float(np.dot(weights, near) / sum(weights)) for near in around]


def median_by_hand(scores: np.ndarray, width: int = 17) -> list[float]:
    mirrored, half = [*scores, *scores[::-1]], width // 2
    around = [[mirrored[(t + d) % len(mirrored)] for d in range(-half, half + 1)] for t in range(len(scores))]
    return [sorted(near)[half] for near in around]


@pytest.mark.parametrize(("smoothing", "by_hand"), [("gaussian_3", gaussian_by_hand), ("median_17", median_by_hand)])
@pytest.mark.parametrize("lengths", [(40, 25), (9, 30), (1, 3)])
def test_the_scores_of_each_clip_are_smoothed_by_themselves(smoothing: str, by_hand, lengths: tuple[int, int]) -> None:
    table = table_of(*lengths)
    found = smoothed(table, smoothing)
    assert list(found.columns) == list(table.columns)
    pd.testing.assert_frame_equal(found[["clip", "frame", "label"]], table[["clip", "frame", "label"]])
    for clip in ("Test000", "Test001"):
        rows = table["clip"] == clip
        for branch in BRANCHES:
            expected = by_hand(table.loc[rows, branch].to_numpy())
            np.testing.assert_allclose(found.loc[rows, branch], expected, atol=1e-9)


@pytest.mark.parametrize("smoothing", SMOOTH)
def test_the_rows_of_clips_may_be_mixed_but_not_those_of_a_clip(smoothing: str) -> None:
    table = table_of(20, 20)
    mixed = table.sort_values(["frame", "clip"], kind="stable")
    pd.testing.assert_frame_equal(smoothed(mixed, smoothing).sort_index(), smoothed(table, smoothing))
    with pytest.raises(MetricError, match="clip Test001: frame 7 does not follow the frame before it"):
        smoothed(table.drop(index=26), smoothing)
    with pytest.raises(MetricError, match="clip Test000: frame 18 does not follow the frame before it"):
        smoothed(table[::-1].sort_values("clip", kind="stable"), smoothing)
    assert smoothed(table.drop(index=26), "none") is not None  # raw scores need no order


def test_whole_numbers_are_smoothed_as_numbers() -> None:
    table = table_of(20, 20).assign(fused=np.arange(40) % 20)
    assert smoothed(table, "gaussian_3")["fused"].iloc[0] == pytest.approx(gaussian_by_hand(np.arange(20.0))[0])


def test_a_result_holds_learned_and_no_learning_rows_smoothed_alike(result: dict, finished_run: RunFolder) -> None:
    table = pd.read_csv(finished_run.folder / "scores.csv")
    assert list(result["smoothed"]) == list(SMOOTH)
    for smoothing, protocols in result["smoothed"].items():
        assert list(protocols) == list(PROTOCOLS)
        scores = smoothed(table, smoothing)
        for protocol, found in protocols.items():
            labels, clips = scores["label"].to_numpy(), scores["clip"].to_numpy()
            for branch, name in (("fused", "auc"), ("appearance", "auc_appearance"), ("motion", "auc_motion")):
                expected = measure(labels, scores[branch].to_numpy(), clips, protocol)["auc"]
                assert found[name] == pytest.approx(expected, abs=1e-9)
            assert set(found["no_learning"]) == set(baselines.ROWS)
        assert protocols["micro"]["no_learning"] != result["protocols"]["micro"]["no_learning"]


def test_yardsticks_are_smoothed_as_the_network_is() -> None:
    table = table_of(30, 30)
    yardsticks = table[["clip", "frame", "label"]].assign(**dict.fromkeys(baselines.ROWS, table["fused"]))
    found = frame_protocols(table, yardsticks, "median_17")["micro"]
    assert set(found["no_learning"].values()) == {found["auc"]}
    assert found["learning_adds"] == 0


def test_one_score_table_under_every_convention() -> None:
    table = table_of(30, 30, 30)
    found = every_convention(table, "motion")
    assert list(found.index) == list(PROTOCOLS)
    assert list(found.columns) == ["none", *SMOOTH]
    for smoothing in found.columns:
        scores = smoothed(table, smoothing)
        arrays = (scores[name].to_numpy() for name in ("label", "motion", "clip"))
        labels, motion, clips = arrays
        for protocol in PROTOCOLS:
            assert found.loc[protocol, smoothing] == measure(labels, motion, clips, protocol)["auc"]


def test_a_convention_that_has_no_auc_is_empty() -> None:
    table = table_of(20, 20).assign(label=np.repeat([0, 1], 20))
    found = every_convention(table)
    assert found.loc["macro"].isna().all()
    assert found.drop(index="macro").notna().all(axis=None)


# Scores of a predicted speed are signed


def test_the_speed_row_is_a_network_that_answers_no_speed(evaluator: Evaluator) -> None:
    answer = baselines.constant_answers(evaluator.dataset("train"))["still"]
    net = build_network(tiny_recipe("loss.motion_target=speed"))
    last = list(net.motion_decoder.parameters())[-2:]  # weight and bias of the output convolution
    with torch.no_grad():
        for parameter in last:
            parameter.zero_()
    of_net, of_row = (evaluator.errors(predict, "test") for predict in (network_predictor(net), answer))
    np.testing.assert_array_equal(of_net.motion, of_row.motion)
    row = evaluator.no_learning_scores()["speed"].to_numpy()
    np.testing.assert_array_equal(of_net.scores(0.5)["motion"], row)
    flow = np.concatenate([evaluator.prepared.flow("test", clip).astype(np.float32) for clip in ("Test001", "Test002")])
    speed = torch.from_numpy(np.hypot(flow[..., 0], flow[..., 1]))
    by_hand = pscd.patch_sums(speed, (12, 8)).amax(dim=(1, 2))
    np.testing.assert_allclose(row, by_hand, rtol=1e-5)


def test_errors_below_zero_are_scored_calibrated_and_placed(evaluator: Evaluator, errors: PatchErrors) -> None:
    signed = replace(errors, motion=errors.motion - 1000, motion_mean=errors.motion_mean - 5)
    assert (signed.scores(0.5)["motion"] < 0).all()
    np.testing.assert_allclose(signed.scores(0.5)["motion"], errors.scores(0.5)["motion"] - 1000, rtol=1e-6)
    whole = signed.of_whole_frames().scores(0)["fused"]
    np.testing.assert_allclose(whole, errors.motion_mean - 5, rtol=1e-6)
    scoring = evaluator.recipe.scoring
    plain, moved = calibrate(errors, scoring), calibrate(signed, scoring)
    assert moved.psi == pytest.approx(plain.psi, rel=1e-4)  # a spread, whatever the level
    assert moved.threshold == pytest.approx(plain.threshold - 1000 * (1 - plain.psi), rel=1e-4)
    found, expected = (localised(of, 0.0, evaluator.prepared, scoring) for of in (signed, errors))
    for name in ("pixel_auc", "pixel_auc_ucsd", "rbdc", "tbdc"):
        assert found[name] == pytest.approx(expected[name], abs=2e-3)


def test_one_clip_alone_has_no_interval() -> None:
    frames = {"clip": "Test001", "frame": range(4), "label": [0, 1, 0, 1], "fused": [0.1, 0.2, 0.3, 0.4]}
    frames |= {"appearance": frames["fused"], "motion": frames["fused"]}
    yardsticks = pd.DataFrame(frames).assign(**dict.fromkeys(baselines.ROWS, 0.0))
    found = frame_protocols(pd.DataFrame(frames), yardsticks)
    assert found["micro"]["auc"] == 0.75
    assert all(of["auc_interval"] is None and of["learning_adds_interval"] is None for of in found.values())


def test_where_the_anomaly_is_counts_by_pixels_regions_and_tracks(
    result: dict, errors: PatchErrors, evaluator: Evaluator
) -> None:
    scene, found = evaluator.prepared, result["localisation"]
    fused = torch.from_numpy(errors.maps(result["psi"])["fused"])
    pixels = pscd.pixel_scores(fused, (48, 64), patch=(12, 8))
    masks = np.stack([scene.masks(clip)[frame] for clip, frame in errors.keys])
    assert found["pixel_auc"] == pytest.approx(roc_auc(masks.ravel(), pixels.numpy().ravel()), abs=1e-9)
    assert {found["frames"] + found["frames_left_out"], found["frames"]} == {78}
    assert found["true_regions"] == "objects"
    assert all(0 < found[name] <= 1 for name in ("pixel_auc_ucsd", "rbdc", "tbdc"))
    assert found["no_learning"]["row"] == result["best_no_learning"]
    assert set(found["no_learning"]) == {"row", "pixel_auc", "pixel_auc_ucsd", "rbdc", "tbdc"}


def test_without_tracks_regions_come_from_the_masks_and_without_masks_there_are_none(
    evaluator: Evaluator, errors: PatchErrors, result: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, scoring = evaluator.prepared, evaluator.recipe.scoring
    monkeypatch.setattr(scene, "tracks", lambda clip: None)
    found = localised(errors, result["psi"], scene, scoring)
    assert found["tbdc"] is None
    assert found["true_regions"] == "connected components of the masks (no tracks, so no TBDC)"
    assert found["pixel_auc"] == result["localisation"]["pixel_auc"]
    masks = scene.masks
    monkeypatch.setattr(scene, "masks", lambda clip: masks(clip) if clip == "Test001" else None)
    only_one = localised(errors, result["psi"], scene, scoring)
    assert (only_one["frames"], only_one["frames_left_out"]) == (39, 39)
    monkeypatch.setattr(scene, "masks", lambda clip: None)
    assert localised(errors, result["psi"], scene, scoring) is None
    assert evaluator.localisation(errors, result["psi"], "zero_flow") is None


def test_abnormal_frames_whose_mask_vanished_are_left_out_and_counted(
    evaluator: Evaluator, errors: PatchErrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, masks = evaluator.prepared, {clip: evaluator.prepared.masks(clip).copy() for clip in ("Test001", "Test002")}
    vanished = int(np.flatnonzero(scene.labels("Test001"))[0])
    masks["Test001"][vanished] = 0
    monkeypatch.setattr(scene, "masks", masks.__getitem__)
    found = localised(errors, 0.5, scene, evaluator.recipe.scoring)
    assert (found["frames"], found["frames_left_out"]) == (77, 1)
