"""What is measured of a score table and of errors: every protocol and criterion of one run, by hand."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from maam_lib import baselines, pscd
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.localisation import localised
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.protocols import frame_protocols
from maam_lib.evaluation.scores import PatchErrors
from maam_lib.metrics import PROTOCOLS, measure, roc_auc
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


def test_one_clip_alone_has_no_interval() -> None:
    frames = {"clip": "Test001", "frame": range(4), "label": [0, 1, 0, 1], "fused": [0.1, 0.2, 0.3, 0.4]}
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
