"""The rows without learning by themselves: each number by hand, data without training clips, one clip, real samples."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter1d, median_filter

from data_prep.prepare import prepare
from data_prep.scenes import read_synthetic
from maam_lib import baselines
from maam_lib.config import load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.intervals import clip_interval
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.no_learning import NO_TRAINING, measure_no_learning, under_every_protocol
from maam_lib.evaluation.result import NoLearning
from maam_lib.evaluation.scores import EvaluationError, calibrate
from maam_lib.metrics import PROTOCOLS
from maam_lib.training.loop import dataset_for
from tests import reference
from tests.conftest import SMALL_SCENE, prepare_clips, tiny_recipe


@pytest.fixture(scope="module")
def found(scene: PreparedDataset) -> NoLearning:
    return measure_no_learning(tiny_recipe(), scene, device="cpu")[0]


@pytest.fixture(scope="module")
def one_test_clip(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The small scene's first test clip, and no training clip, as a sample of ShanghaiTech has."""
    [clip] = [clip for clip in read_synthetic(SMALL_SCENE) if (clip.split, clip.name) == ("test", "Test001")]
    return PreparedDataset(prepare_clips(tmp_path_factory.mktemp("one"), [clip]))


@pytest.fixture(scope="module")
def yardsticks(scene: PreparedDataset) -> pd.DataFrame:
    return Evaluator(tiny_recipe(), scene).no_learning_scores()


@pytest.mark.parametrize("name", baselines.ROWS)
def test_every_row_is_measured_as_its_scores_are(name: str, found: NoLearning, yardsticks: pd.DataFrame) -> None:
    row, labels, scores = found.rows[name], yardsticks["label"], yardsticks[name]
    assert list(row.protocols) == list(PROTOCOLS)
    assert row.micro.auc == pytest.approx(reference.roc_auc(labels.tolist(), scores.tolist()), abs=1e-9)
    assert row.micro.eer == pytest.approx(reference.equal_error_rate(labels.tolist(), scores.tolist(), 200), abs=0.01)
    for smoothing, smooth in (
        ("gaussian_3", lambda s: gaussian_filter1d(s.astype(np.float64), sigma=3)),
        ("median_17", lambda s: median_filter(s.astype(np.float64), size=17)),
    ):
        over_time = np.concatenate([smooth(of_clip.to_numpy()) for _, of_clip in scores.groupby(yardsticks["clip"])])
        expected = reference.roc_auc(labels.tolist(), over_time.tolist())
        assert row.smoothed[smoothing]["micro"].auc == pytest.approx(expected, abs=1e-9), smoothing


def test_the_interval_over_clips_is_that_of_the_scores(found: NoLearning, yardsticks: pd.DataFrame) -> None:
    labels, scores, clips = (yardsticks[column].to_numpy() for column in ("label", "zero_flow", "clip"))
    for protocol in PROTOCOLS:
        expected = clip_interval(labels, scores, clips, protocol, random=np.random.default_rng(0))
        assert found.rows["zero_flow"].protocols[protocol].auc_interval == expected, protocol


def test_rows_that_fuse_tell_the_psi_of_their_own_training_errors(found: NoLearning, scene: PreparedDataset) -> None:
    evaluator = Evaluator(tiny_recipe(), scene)
    answers = baselines.constant_answers(evaluator.dataset("train"))
    for name, (answer, column) in baselines.ROWS.items():
        psi = calibrate(evaluator.errors(answers[answer], "train"), evaluator.recipe.scoring).psi
        assert found.rows[name].psi == (psi if column == "fused" else None), name


def test_places_of_a_row_are_those_that_stand_beside_a_network(found: NoLearning, scene: PreparedDataset) -> None:
    evaluator = Evaluator(tiny_recipe(), scene)
    errors = evaluator.errors(baselines.constant_answers(evaluator.dataset("train"))["zero"], "test")
    for name in ("speed", "background_and_median_flow"):
        beside = evaluator.localisation(errors, 0.5, name)
        assert beside is not None
        expected = {key: value for key, value in beside["no_learning"].items() if key != "row"}
        assert found.rows[name].localisation is not None
        assert found.rows[name].localisation.model_dump() == pytest.approx(expected), name


def test_the_result_says_what_it_was_measured_on(found: NoLearning, scene: PreparedDataset) -> None:
    assert found.recipe == "synthetic-mini"
    data = {"name": "synthetic", "content_hash": scene.content_hash, "scored_frames": 78}
    assert found.data.model_dump() == data
    protocol = found.as_json()["protocol"]
    assert (protocol["complete"], protocol["label_source"]) == (True, "known exactly by the generator")
    assert "checkpoint" not in protocol, "there is no network"
    assert set(found.settings) == {"data", "scoring"}
    assert found.machine.processor
    assert list(found.rows) == list(baselines.ROWS)
    assert found.absent == {}


def test_without_training_clips_the_rows_of_motion_alone_are_the_same(
    one_test_clip: PreparedDataset, yardsticks: pd.DataFrame
) -> None:
    found, scores = measure_no_learning(tiny_recipe(), one_test_clip, device="cpu")
    assert list(scores) == ["clip", "frame", "label", "speed", "zero_flow"]
    assert list(found.rows) == ["speed", "zero_flow"]
    assert found.absent == dict.fromkeys(set(baselines.ROWS) - set(found.rows), NO_TRAINING)
    first = yardsticks[yardsticks["clip"] == "Test001"]
    for name, row in found.rows.items():
        expected = reference.roc_auc(first["label"].tolist(), first[name].tolist())
        assert row.micro.auc == pytest.approx(expected, abs=1e-9), name
        assert row.micro.auc_interval is None, "of one clip there is none"
        assert row.psi is None
        assert scores[name].to_numpy() == pytest.approx(first[name].to_numpy()), name
    assert NoLearning.model_validate_json(found.model_dump_json(exclude_unset=True)) == found


def test_labels_that_measure_nothing_are_refused(scene: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "labels", lambda clip: np.zeros(40, np.uint8))
    monkeypatch.setattr(Evaluator, "errors", lambda *_: pytest.fail("a frame was scored"))
    with pytest.raises(EvaluationError, match="every scored frame is normal"):
        measure_no_learning(tiny_recipe(), scene)


def test_clips_of_one_class_have_no_mean_of_their_aucs() -> None:
    table = pd.DataFrame({"clip": ["a", "a", "b", "b"], "frame": [0, 1, 0, 1], "label": [0, 0, 1, 1]})
    measured = under_every_protocol(table.assign(motion=[0.1, 0.4, 0.3, 0.9]), "motion")["protocols"]
    assert measured["micro"]["auc"] == 0.75
    assert (measured["macro"]["auc"], measured["macro"]["auc_interval"]) == (None, None)
    assert measured["macro"]["single_class_clips"] == 2


# Real data: samples, so no numbers of the datasets


@pytest.mark.data
def test_the_shanghaitech_sample_has_the_rows_of_motion_alone(real_data: Path, tmp_path: Path) -> None:
    size, source = (60, 107), real_data / "shanghaitech_sample"
    prepare("shanghaitech", source, tmp_path, flow="dis-ultrafast", size=size, allow_incomplete=True, workers=1)
    settings = ("data.height=60", "data.width=107", "data.flow=dis-ultrafast", "scoring.patch=[10, 7]")
    recipe = load_recipe("shanghaitech", *settings)
    found, _ = measure_no_learning(recipe, dataset_for(tmp_path, recipe), device="cpu")
    assert set(found.rows) == {"speed", "zero_flow"}
    assert not found.protocol.complete
    for row in found.rows.values():
        assert row.localisation is None, "the sample has no pixel masks"
        assert row.micro.auc is not None
        assert row.micro.auc > 0.8
        assert row.micro.auc_interval is None


@pytest.mark.data
def test_the_avenue_sample_has_every_row_and_its_places(real_data: Path, tmp_path: Path) -> None:
    size, source = (60, 107), real_data / "avenue_sample"
    prepare("avenue", source, tmp_path, flow="dis-ultrafast", size=size, allow_incomplete=True, workers=1)
    settings = ("data.height=60", "data.width=107", "data.flow=dis-ultrafast", "scoring.patch=[28, 13]")
    recipe = load_recipe("avenue", *settings)
    found, _ = measure_no_learning(recipe, dataset_for(tmp_path, recipe), device="cpu")
    assert set(found.rows) == set(baselines.ROWS)
    assert not found.protocol.complete
    for row in found.rows.values():
        assert row.localisation is not None
        assert row.localisation.pixel_auc is not None
        assert row.micro.auc_interval is not None
