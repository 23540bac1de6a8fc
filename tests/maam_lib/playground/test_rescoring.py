from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from maam_lib import pscd
from maam_lib.config import load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.grid.results import read_result
from maam_lib.metrics import normalise_per_clip, roc_auc
from maam_lib.playground.integral_maps import IntegralMaps, KeptErrors
from maam_lib.playground.rescoring import Rescorer, ScoreChoice, rescorer_for
from maam_lib.playground.score_view import ScoreView
from maam_lib.training.loop import build_network
from maam_lib.training.runs import RunFolder


@pytest.fixture(scope="module")
def rescorer(scene: PreparedDataset, finished_run: RunFolder) -> Rescorer:
    return rescorer_for(Evaluator(finished_run.recipe, scene), predictor(finished_run))


@pytest.fixture
def start(finished_run: RunFolder) -> ScoreChoice:
    return ScoreChoice.of(finished_run.recipe.scoring)


def predictor(run: RunFolder):
    net = build_network(run.recipe)
    run.load_weights(net)
    return network_predictor(net)


def test_under_the_recipes_choice_the_numbers_are_those_of_maam_evaluate(
    rescorer: Rescorer, start: ScoreChoice, finished_run: RunFolder
):
    expected, found = read_result(finished_run.folder / "metrics.json"), rescorer.under(start)
    assert found.psi == pytest.approx(expected.psi, rel=1e-5)
    assert found.threshold == pytest.approx(expected.threshold, rel=1e-5)
    assert found.measured["auc"] == pytest.approx(expected.auc, abs=1e-6)
    assert found.measured["eer"] == pytest.approx(expected.eer, abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        ["scoring.patch=[7, 20]"],
        ["scoring.patch=[12, 8]", "scoring.stride=[1, 5]", "scoring.psi=0.3"],
        ["scoring.patch=[9, 9]", "scoring.padding=valid"],
    ],
)
def test_any_choice_gives_the_scores_that_a_pass_of_the_network_gives(
    settings: list[str], rescorer: Rescorer, scene: PreparedDataset, finished_run: RunFolder
):
    recipe = finished_run.recipe.with_settings(*settings)
    errors = Evaluator(recipe, scene).errors(predictor(finished_run), "test")
    found = rescorer.under(ScoreChoice.of(recipe.scoring))
    np.testing.assert_allclose(found.scores, errors.scores(found.psi)["fused"], rtol=1e-5)
    fused = torch.from_numpy(errors.maps(found.psi)["fused"][20:21])
    patch, stride, padding = found.choice.windows
    places = pscd.pixel_scores(fused, scene.frame_size, patch=patch, stride=stride, padding=padding)[0]
    np.testing.assert_allclose(rescorer.places(found, 20)[0], places, rtol=1e-4)


def test_changes_one_after_another_give_what_each_gives_alone(rescorer: Rescorer, start: ScoreChoice):
    """psi alone keeps the patch sums, a threshold alone the scores: nothing stale may stay."""
    rescorer.under(start)
    for choice in (
        start._replace(psi=0.2),
        start._replace(psi=0.2, threshold=3.0),
        start._replace(patch=(20, 6), psi=0.2),
        start._replace(stride=(2, 2)),
        start,
    ):
        found = rescorer.under(choice)
        alone = Rescorer(rescorer.train, rescorer.test, rescorer.labels, 0.99).under(choice)
        np.testing.assert_array_equal(found.scores, alone.scores)
        assert (found.psi, found.threshold, found.measured) == (alone.psi, alone.threshold, alone.measured)


def test_protocols_read_the_same_scores_differently(rescorer: Rescorer, start: ScoreChoice):
    raw, per_clip, macro = (rescorer.under(start._replace(protocol=p)) for p in ("micro", "micro_per_clip", "macro"))
    np.testing.assert_array_equal(raw.scores, per_clip.scores)
    np.testing.assert_allclose(per_clip.shown, normalise_per_clip(raw.scores, rescorer.clips))
    assert per_clip.measured["auc"] == pytest.approx(roc_auc(rescorer.labels, per_clip.shown))
    assert macro.measured["clips"] + macro.measured["single_class_clips"] == 2


def test_places_are_found_where_patches_reach_the_threshold(rescorer: Rescorer, start: ScoreChoice):
    found = rescorer.under(start)
    frame = int(found.scores.argmax())
    found = rescorer.under(start._replace(threshold=float(found.scores[frame]) * 0.9))
    places, alarm = rescorer.places(found, frame)
    assert places.max() == pytest.approx(found.scores[frame])
    assert 0 < alarm.sum() < alarm.size
    assert (alarm == (places >= found.threshold)).all()


def test_a_patch_that_does_not_fit_is_refused_and_the_next_choice_works(rescorer: Rescorer, start: ScoreChoice):
    with pytest.raises(ValueError, match="does not fit"):
        rescorer.under(start._replace(patch=(90, 90), padding="valid"))
    assert rescorer.under(start).measured["auc"] > 0


def test_without_labels_there_are_scores_and_a_reason(rescorer: Rescorer, start: ScoreChoice):
    unlabelled = Rescorer(rescorer.train, rescorer.test, None, 0.99).under(start)
    np.testing.assert_array_equal(unlabelled.scores, rescorer.under(start).scores)
    assert (unlabelled.measured, unlabelled.why_not) == ({}, "no labels: nothing can be measured")


def test_labels_of_one_class_are_no_error_but_a_reason(rescorer: Rescorer, start: ScoreChoice):
    ones = np.ones_like(rescorer.labels)
    assert "both classes" in Rescorer(rescorer.train, rescorer.test, ones, 0.99).under(start).why_not


def test_chosen_clips_alone_are_scored(scene: PreparedDataset, finished_run: RunFolder, rescorer: Rescorer):
    clip = scene.clips("test")[1]
    chosen = rescorer_for(Evaluator(finished_run.recipe, scene), predictor(finished_run), [clip])
    start = ScoreChoice.of(finished_run.recipe.scoring)
    whole = rescorer.under(start).scores[rescorer.test.frames_of(clip)]
    np.testing.assert_allclose(chosen.under(start).scores, whole, rtol=1e-5)


def test_the_finest_stride_keeps_every_change_affordable():
    """Ped2 at half resolution, 1,998 frames: a stride of 1 would be 43 million sums."""
    few = np.zeros((1, 2, 2), np.float32)
    empty = IntegralMaps.empty((1, 1), 1)
    empty.keep(0, few[:, :1, :1])
    maps = KeptErrors([("a", 0)], (1, 1), empty, empty)
    rescorer = Rescorer(maps, maps, None, 0.99)
    rescorer.test = KeptErrors([("a", t) for t in range(1998)], (120, 180), empty, empty)
    assert rescorer.finest_stride() == 2


# What is shown of it


@pytest.fixture
def view(rescorer: Rescorer, scene: PreparedDataset, start: ScoreChoice) -> ScoreView:
    return ScoreView(rescorer, scene, start)


def test_the_picture_follows_choice_frame_and_clip(view: ScoreView, start: ScoreChoice):
    pictures = [view.figure.png()]
    for act in (
        lambda: view.show_frame(view.clip, 7),
        lambda: view.choose(start._replace(psi=0.01)),
        lambda: view.choose(start._replace(patch=(30, 30))),
        lambda: view.show_frame(list(view.clips)[1], 3),
        lambda: view.choose(start._replace(protocol="micro_per_clip")),
    ):
        act()
        pictures.append(view.figure.png())
    assert len(set(pictures)) == len(pictures)
    view.choose(start)
    view.show_frame(next(iter(view.clips)), 0)
    view.choose(start)
    assert view.figure.png().startswith(b"\x89PNG")


def test_a_view_keeps_its_choice_when_someone_else_asks_for_another(view: ScoreView, start: ScoreChoice):
    view.show_frame(view.clip, 7)
    before = view.figure.png()
    view.rescorer.under(start._replace(patch=(30, 30)))
    view.show_frame(view.clip, 3)
    view.show_frame(view.clip, 7)
    assert view.figure.png() == before


def test_the_facts_are_those_of_the_whole_set(view: ScoreView, start: ScoreChoice):
    facts = view.facts()
    assert facts["AUC, whole set"] == f"{view.found.measured['auc']:.3f}"
    assert facts["frames"] == "78"
    view.choose(start._replace(protocol="macro"))
    assert view.facts()["EER, whole set"] == "not defined here"


def test_the_plain_figure_holds_what_moves(view: ScoreView):
    figure = view.figure.plain()
    assert all(not artist.get_animated() for axis in figure.axes for artist in (*axis.images, *axis.lines))
    assert [axis.images[0].get_array().shape[:2] for axis in figure.axes if axis.images] == [(48, 64)] * 4


# Of a network that predicts speed


@pytest.fixture(scope="module")
def speed_rescorer(scene: PreparedDataset, speed_run: RunFolder) -> Rescorer:
    return rescorer_for(Evaluator(speed_run.recipe, scene), predictor(speed_run))


def test_speeds_are_rescored_as_maam_evaluate_scores_them(speed_rescorer: Rescorer, speed_run: RunFolder):
    start, expected = ScoreChoice.of(speed_run.recipe.scoring), read_result(speed_run.folder / "metrics.json")
    found = speed_rescorer.under(start)
    assert (found.psi, found.threshold) == pytest.approx((expected.psi, expected.threshold), rel=1e-5)
    assert found.measured["auc"] == pytest.approx(expected.auc, abs=1e-6)
    scores, motion = pd.read_csv(speed_run.folder / "scores.csv"), speed_rescorer.under(start._replace(psi=0)).scores
    np.testing.assert_allclose(found.scores, scores["fused"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(motion, scores["motion"], rtol=1e-4, atol=1e-4)


def test_scores_below_zero_are_on_the_axis(speed_rescorer: Rescorer, scene: PreparedDataset, speed_run: RunFolder):
    """Where a network predicts far too much speed, every score is below 0."""
    maps = [
        replace(errors, motion=IntegralMaps.empty(errors.size, len(errors.keys)))
        for errors in (speed_rescorer.train, speed_rescorer.test)
    ]
    for errors in maps:
        errors.motion.keep(0, np.full((len(errors.keys), *errors.size), -1, np.float32))
        errors.motion.unit[:20] *= 3
    rescorer = Rescorer(*maps, speed_rescorer.labels, 0.99)
    view = ScoreView(rescorer, scene, ScoreChoice.of(speed_run.recipe.scoring)._replace(psi=0))
    view.show_frame(view.clip, 5)
    view.figure.png()
    motion, curve = view.figure.figure.axes[2], view.figure.figure.axes[4]
    assert motion.get_title() == "faster (orange), slower (purple)"
    assert motion.images[0].norm.vmin == -motion.images[0].norm.vmax == pytest.approx(-3, rel=1e-5)
    line = curve.lines[0].get_ydata()
    assert line.max() < 0
    assert curve.get_ylim()[0] < line.min()


def test_psi_of_a_recipe_is_taken_as_it_is():
    assert ScoreChoice.of(load_recipe("ped2-released").scoring).psi == pytest.approx(10 / 11)
    assert ScoreChoice.of(load_recipe("ped2-released").scoring).windows == ((30, 20), (8, 5), "same")
    assert pscd.default_stride((24, 12)) == ScoreChoice.of(load_recipe("synthetic").scoring).windows[1]
