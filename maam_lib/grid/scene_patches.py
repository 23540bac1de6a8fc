"""One patch size for all scenes against one for each, on the same errors: what Sec. 4.4.3 says costs AUC (ours)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from maam_lib.evaluation import BRANCHES, Evaluator, PatchErrors, Predict, calibrated_psi, score_table
from maam_lib.training import moving_things

NAME_THEIR_SCENE = ("shanghaitech", "synthetic-shanghai")  # datasets whose clips do: 01_0014 is of scene 01
ONE_PATCH, PER_SCENE = "one patch, measured", "patch per scene"


def scene_patch_tables(evaluator: Evaluator, predict: Predict) -> dict[str, pd.DataFrame]:
    """The score table of a predictor with one patch for all scenes, and with a patch for each; none where clips do not
    name their scene.

    A patch is the median size of what moves in the training clips (of the scene). Scores are means over the patch,
    since sums would grow with it; psi is calibrated on those of all training frames.
    """
    dataset, clips = evaluator.recipe.data.dataset, evaluator.prepared.clips("train")
    scenes = sorted({clip.partition("_")[0] for clip in clips if "_" in clip})
    if not dataset.startswith(NAME_THEIR_SCENE) or len(scenes) < 2:
        return {}
    return {
        ONE_PATCH: _table(evaluator, predict, {"": clips}),
        PER_SCENE: _table(
            evaluator, predict, {f"{scene}_": [c for c in clips if c.startswith(f"{scene}_")] for scene in scenes}
        ),
    }


def _table(evaluator: Evaluator, predict: Predict, scenes: Mapping[str, list[str]]) -> pd.DataFrame:
    """Scores with the patch of each scene: beginning of its clips' names -> its training clips."""
    prepared, scoring = evaluator.prepared, evaluator.recipe.scoring
    sizes = [moving_things(prepared, clips) for clips in scenes.values()]
    scorings = [scoring.model_copy(update={"patch": (of.height, of.width), "stride": None}) for of in sizes]
    areas = [of.height * of.width for of in sizes]
    train, test = (
        [
            _of_scene(errors, scene, area)
            for errors, scene, area in zip(evaluator.errors_under(scorings, predict, split), scenes, areas, strict=True)
        ]
        for split in ("train", "test")
    )
    alone = [of_scene.scores(0.5) for of_scene in train]
    appearance, motion = (np.concatenate([scores[branch] for scores in alone]) for branch in BRANCHES[:2])
    psi = calibrated_psi(scoring.psi, appearance, motion)
    return pd.concat([score_table(of_scene, psi, prepared) for of_scene in test if of_scene.keys], ignore_index=True)


def _of_scene(errors: PatchErrors, scene: str, area: int) -> PatchErrors:
    """The frames of one scene, with means over the patch in place of sums."""
    chosen = np.array([clip.startswith(scene) for clip, _ in errors.keys])
    return PatchErrors(
        keys=[key for key, is_of_scene in zip(errors.keys, chosen, strict=True) if is_of_scene],
        appearance=errors.appearance[chosen] / area,
        motion=errors.motion[chosen] / area,
        appearance_mean=errors.appearance_mean[chosen],
        motion_mean=errors.motion_mean[chosen],
        flow_error=errors.flow_error[chosen],
        flow_size=errors.flow_size[chosen],
    )
