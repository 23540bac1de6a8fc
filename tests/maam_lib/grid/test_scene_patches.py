"""One patch for all scenes against one for each: sizes come from training clips, scores are means over the patch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.clip import Clip
from data_prep.scenes.synthetic import read_synthetic
from maam_lib.baselines import constant_answers
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.grid import scene_patches as module
from maam_lib.grid.differences import scoring_effects
from maam_lib.grid.scene_patches import ONE_PATCH, PER_SCENE, scene_patch_tables
from maam_lib.training.camera import moving_things
from maam_lib.training.loop import dataset_for
from tests.conftest import SMALL_SCENE, prepare_clips, tiny_recipe


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The small scene, and as a second one the middle of it, twice as large."""
    clips = []
    for scene in ("01", "02"):
        for number, clip in enumerate(read_synthetic(SMALL_SCENE)):
            named = replace(clip, name=f"{scene}_{number:03d}", masks=None, flow=None, tracks=None)
            clips.append(named if scene == "01" else enlarged(named))
    root = tmp_path_factory.mktemp("scenes")
    prepare_clips(root, clips)
    return dataset_for(root, tiny_recipe())


def enlarged(clip: Clip) -> Clip:
    def middle(frame: np.ndarray) -> np.ndarray:
        h, w = frame.shape[:2]
        return frame[h // 4 : h // 4 + h // 2, w // 4 : w // 4 + w // 2].repeat(2, axis=0).repeat(2, axis=1)

    frames = clip.frames
    return replace(clip, frames=lambda **options: map(middle, frames(**options)))


@pytest.fixture
def evaluator(two_scenes: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    monkeypatch.setattr(module, "NAME_THEIR_SCENE", ("synthetic",))
    return Evaluator(tiny_recipe("scoring.psi=0.25"), two_scenes)


def test_each_frame_is_scored_with_the_patch_of_its_scene_and_by_means(evaluator: Evaluator):
    prepared, scoring = evaluator.prepared, evaluator.recipe.scoring
    predict = constant_answers(evaluator.dataset("train"))["zero"]
    tables = scene_patch_tables(evaluator, predict)
    assert list(tables) == [ONE_PATCH, PER_SCENE]
    train = prepared.clips("train")
    clips = {scene: [clip for clip in train if clip.startswith(scene)] for scene in ("01", "02")}
    sizes = {scene: moving_things(prepared, of) for scene, of in clips.items()} | {"": moving_things(prepared)}
    assert sizes["02"].height > sizes["01"].height, "what moves is larger in the second"
    for table, scenes in ((tables[ONE_PATCH], [""]), (tables[PER_SCENE], ["01", "02"])):
        assert sorted(zip(table["clip"], table["frame"], strict=True)) == sorted(evaluator.dataset("test").keys())
        for scene in scenes:
            patch = (sizes[scene].height, sizes[scene].width)
            [sums] = evaluator.errors_under([scoring.model_copy(update={"patch": patch})], predict, "test")
            expected = (0.25 * sums.appearance + 0.75 * sums.motion).max(axis=(1, 2)) / np.prod(patch)
            of_scene = [clip.startswith(scene) for clip, _ in sums.keys]
            found = table.loc[[clip.startswith(scene) for clip in table["clip"]], "fused"]
            np.testing.assert_allclose(found, expected[of_scene], rtol=1e-5)


def test_psi_is_calibrated_on_the_training_frames_of_all_scenes(evaluator: Evaluator):
    predict = constant_answers(evaluator.dataset("train"))["zero"]
    found = scene_patch_tables(Evaluator(tiny_recipe(), evaluator.prepared), predict)[PER_SCENE]
    prepared, scores = evaluator.prepared, []
    for scene in ("01", "02"):
        of = moving_things(prepared, [clip for clip in prepared.clips("train") if clip.startswith(scene)])
        scoring = evaluator.recipe.scoring.model_copy(update={"patch": (of.height, of.width)})
        [sums] = evaluator.errors_under([scoring], predict, "train")
        chosen = [clip.startswith(scene) for clip, _ in sums.keys]
        scores.append([sums.scores(0.5)[name][chosen] / (of.height * of.width) for name in ("appearance", "motion")])
    appearance, motion = np.concatenate(scores, axis=1).std(axis=1)
    given = Evaluator(tiny_recipe(f"scoring.psi={motion / (appearance + motion)}"), prepared)
    np.testing.assert_allclose(found["fused"], scene_patch_tables(given, predict)[PER_SCENE]["fused"], rtol=1e-5)


def test_scoring_tells_of_both_where_clips_name_their_scene_and_of_neither_elsewhere(
    evaluator: Evaluator, scene: PreparedDataset
):
    predict = constant_answers(evaluator.dataset("train"))["zero"]
    effects = scoring_effects(evaluator, predict)
    assert list(effects)[-2:] == [ONE_PATCH, PER_SCENE]
    assert effects[PER_SCENE].number == 19
    assert effects[PER_SCENE].best_no_learning_auc >= effects[PER_SCENE].auc, "one of the rows is this very answer"
    assert scene_patch_tables(Evaluator(tiny_recipe(), scene), predict) == {}, "one scene"


def test_other_datasets_are_left_alone(two_scenes: PreparedDataset, tmp_path: Path):
    evaluator = Evaluator(tiny_recipe(), two_scenes)
    assert scene_patch_tables(evaluator, constant_answers(evaluator.dataset("train"))["zero"]) == {}
