"""What saved error maps say: the same as the evaluator, under any patch, stride, padding and psi."""

from pathlib import Path

import numpy as np
import pytest

from maam_lib import metrics, pscd
from maam_lib.analysis import choices as sensitivity
from maam_lib.analysis.choices import SavedErrors
from maam_lib.config import ScoringSettings
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.error_maps import Predict
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.one_frame import score_steps
from maam_lib.evaluation.scores import calibrate, score_table
from maam_lib.model import MAAMNet
from maam_lib.training.runs import RunFolder


@pytest.fixture(scope="module")
def evaluator(finished_run: RunFolder, scene: PreparedDataset) -> Evaluator:
    return Evaluator(finished_run.recipe, scene)


@pytest.fixture(scope="module")
def saved(
    evaluator: Evaluator, predict: Predict, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SavedErrors, SavedErrors]:
    folder = tmp_path_factory.mktemp("errors")
    return tuple(sensitivity.save_errors(predict, evaluator.dataset(s), folder / s) for s in ("train", "test"))


VARIANTS = {
    "as is": {},
    "stride 1": {"stride": (1, 1)},
    "whole patches": {"padding": "valid", "patch": (7, 5)},
    "wide": {"patch": (5, 30), "stride": (4, 9)},
    "psi given": {"psi": 0.25},
}


def test_saved_maps_give_what_the_evaluator_gives(
    evaluator: Evaluator, predict: Predict, saved: tuple[SavedErrors, SavedErrors]
) -> None:
    train, test = saved
    scorings = {name: evaluator.recipe.scoring.model_copy(update=change) for name, change in VARIANTS.items()}
    labels = score_table(evaluator.errors(predict, "test"), 0.5, evaluator.prepared)["label"].to_numpy()
    table = sensitivity.sensitivity(train, test, labels, scorings)
    assert list(table.index) == list(VARIANTS)
    by_patch = sensitivity.sensitivity(train, test, labels, {(12, 8): evaluator.recipe.scoring})  # any name, as pairs
    assert list(by_patch.index) == [(12, 8)]
    for name, scoring in scorings.items():
        calibrated, tested = (evaluator.errors_under([scoring], predict, s)[0] for s in ("train", "test"))
        psi = calibrate(calibrated, scoring).psi
        scores = tested.scores(psi)
        assert table.loc[name, "psi"] == pytest.approx(psi, rel=1e-4)
        np.testing.assert_allclose(sensitivity.scores_under(test, [(scoring, [psi])])[0][0], scores["fused"], rtol=1e-4)
        for column, branch in (("auc", "fused"), ("auc_appearance", "appearance"), ("auc_motion", "motion")):
            assert table.loc[name, column] == pytest.approx(metrics.roc_auc(labels, scores[branch]), abs=2e-3)


def test_maps_are_kept_on_disk_for_the_frames_asked_for(
    evaluator: Evaluator, predict: Predict, tmp_path: Path, saved: tuple[SavedErrors, SavedErrors]
) -> None:
    dataset = evaluator.dataset("test")
    few = sensitivity.save_errors(predict, dataset, tmp_path / "few", frames=[3, 50, 9])
    assert few.keys == [dataset.keys()[i] for i in (3, 50, 9)]
    assert isinstance(few.motion, np.memmap)
    np.testing.assert_allclose(few.motion, saved[1].motion[[3, 50, 9]], rtol=1e-5)
    np.testing.assert_array_equal(np.load(tmp_path / "few" / "appearance.npy"), few.appearance)


def test_the_misleading_pair_is_the_one_a_full_search_finds() -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 40)
    means, maxima = random.random(40), random.random(40) + labels
    abnormal, normal = sensitivity.misleading_pair(means, maxima, labels)
    pairs = [(a, b) for a in range(40) for b in range(40) if labels[a] and not labels[b] and means[b] >= means[a]]
    assert (abnormal, normal) == max(pairs, key=lambda pair: maxima[pair[0]] / maxima[pair[1]])


def test_no_pair_misleads_where_the_means_tell_as_well() -> None:
    assert sensitivity.misleading_pair(np.array([1.0, 2]), np.array([1.0, 2]), np.array([0, 1])) is None


def test_slow_motion_ends_at_the_score_of_the_table(
    net: MAAMNet, evaluator: Evaluator, predict: Predict, scene: PreparedDataset
) -> None:
    scoring: ScoringSettings = evaluator.recipe.scoring
    table = score_table(evaluator.errors(predict, "test"), 0.4, scene)
    row = table.iloc[17]
    steps = score_steps(net, scene, row["clip"], int(row["frame"]), scoring, 0.4)
    assert steps.score == pytest.approx(row["fused"], rel=1e-4)
    assert steps.fused.max() == pytest.approx(steps.score)
    np.testing.assert_array_equal(steps.frame, scene.frames("test", row["clip"])[row["frame"]])
    places = np.argwhere(steps.worst)
    assert (np.ptp(places, axis=0) < scoring.patch).all(), "one patch, cut at the border"
    inside = pscd.fuse(steps.appearance[steps.worst].sum(), steps.motion[steps.worst].sum(), 0.4)
    assert inside == pytest.approx(steps.score, rel=1e-4)
