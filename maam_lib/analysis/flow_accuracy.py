"""Flow estimators where the truth is known: their end-point error, and the AUC that each leads to without learning.

The truth is a generated scene prepared with `--flow exact`; any other flow of the same frames can stand beside it,
also imported flow (`maam import-flow`).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from maam_lib import baselines, metrics
from maam_lib.config import Recipe
from maam_lib.data import DatasetError, PreparedDataset, Split
from maam_lib.evaluation import Evaluator, score_table


def end_point_error(prepared: PreparedDataset, exact: PreparedDataset, split: Split = "test") -> dict[str, float]:
    """Mean length of flow - exact flow over a split, in pixels per frame at the stored size (ours).

    Returns "all" (over every pixel) and "moving" (where the exact flow is not zero). Both are of the stored
    float16 fields. Raises DatasetError where the two were not prepared from the same frames.
    """
    clips, own = (
        {split: {name: clip.sha256["frames"] for name, clip in of.items()} for split, of in one.manifest.clips.items()}
        for one in (prepared, exact)
    )
    if clips != own:
        raise DatasetError(
            f"{prepared.folder} and {exact.folder} hold different frames; prepare both from one scene at one size"
        )
    return _mean_lengths(
        (flow.astype(np.float32) - truth.astype(np.float32), truth.any(axis=-1))
        for clip in exact.clips(split)
        for flow, truth in zip(prepared.flow(split, clip), exact.flow(split, clip), strict=True)
    )


def largest_patch_auc(recipe: Recipe, prepared: PreparedDataset) -> float:
    """Frame AUC of the largest patch sum of |flow|: the no-learning row `zero_flow` (ours; item 26)."""
    evaluator = Evaluator(recipe, prepared)
    zero_flow = baselines.constant_answers(evaluator.dataset("train"))["zero"]
    table = score_table(evaluator.errors(zero_flow, "test"), 0.5, prepared)  # psi plays no part in the motion column
    return metrics.roc_auc(table["label"].to_numpy(), table["motion"].to_numpy())


def compare_estimators(recipe: Recipe, exact: PreparedDataset, others: Sequence[PreparedDataset]) -> pd.DataFrame:
    """One row per flow of the same test frames: end-point error (all, moving) and the AUC without learning (ours).

    recipe: its patch and drop rule are used for the AUC. The last rows are the truth and, for scale, no flow at
    all, whose error is the speed itself. Raises DatasetError for other frames than those of `exact`.
    """
    rows = {}
    for prepared in (*others, exact):
        error = end_point_error(prepared, exact)
        rows[prepared.manifest.flow.estimator] = error | {"auc": largest_patch_auc(recipe, prepared)}
    fields = (field.astype(np.float32) for clip in exact.clips("test") for field in exact.flow("test", clip))
    rows["no flow"] = _mean_lengths((field, field.any(axis=-1)) for field in fields) | {"auc": 0.5}
    return pd.DataFrame(rows).T.rename(columns={"all": "error, all pixels", "moving": "error, moving pixels"})


def _mean_lengths(fields: Iterator[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Of vectors (H, W, 2): the mean length over all pixels, and over those of a mask (H, W)."""
    sums, counts = np.zeros(2), np.zeros(2)
    for vectors, mask in fields:
        lengths = np.linalg.norm(vectors, axis=-1)
        sums += lengths.sum(dtype=np.float64), lengths[mask].sum(dtype=np.float64)
        counts += lengths.size, mask.sum()
    return dict(zip(("all", "moving"), (sums / np.maximum(counts, 1)).tolist(), strict=True))
