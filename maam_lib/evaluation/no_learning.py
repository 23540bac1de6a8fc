"""The no-learning rows of a prepared dataset by themselves: every protocol, smoothing and place, and no network (ours;
docs/differences.md, item 26).
"""

import time
from typing import Any

import numpy as np
import pandas as pd
import torch

from maam_lib import metrics
from maam_lib.baselines import ROWS, constant_answers, motionless_answers
from maam_lib.config import Recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation.intervals import clip_interval
from maam_lib.evaluation.localisation import CRITERIA, localised
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.protocols import CLIP_DRAWS_SEED, SMOOTH, smoothed
from maam_lib.evaluation.result import NoLearning
from maam_lib.evaluation.scores import score_table
from maam_lib.fast import best_accelerator
from maam_lib.metrics import PROTOCOLS, Protocol
from maam_lib.training import environment_facts

NO_TRAINING = "needs training frames, and the prepared data have no training clip"


def measure_no_learning(
    recipe: Recipe, prepared: PreparedDataset, *, device: torch.device | str | None = None
) -> tuple[NoLearning, pd.DataFrame]:
    """Every row of `baselines.ROWS` on the test frames, under a recipe's data and scoring settings; and their scores.

    The score table has one row per scored test frame: clip, frame, label, and a column per row.

    One pass over the test frames per constant answer, and one over the training frames that psi comes from where a row
    fuses. Without training clips only the rows of motion alone that need none are measured; the others are named in
    `absent`. Raises EvaluationError for test frames without labels of both classes.
    """
    began = time.perf_counter()
    evaluator = Evaluator(recipe, prepared, device or best_accelerator())
    evaluator.check_labels()
    has_training = bool(prepared.clips("train"))
    split = "train" if has_training else "test"
    answers = (constant_answers if has_training else motionless_answers)(evaluator.dataset(split))
    measurable = {
        name: (answer, column)
        for name, (answer, column) in ROWS.items()
        if has_training or (answer in answers and column == "motion")
    }
    rows, scores = dict[str, Any](), dict[str, np.ndarray]()
    for answer, predict in answers.items():
        columns = {name: column for name, (of, column) in measurable.items() if of == answer}
        psi = evaluator.psi_for(predict, columns.values())
        errors = evaluator.errors(predict, "test")
        table = score_table(errors, psi, prepared)
        for name, column in columns.items():
            scores[name] = table[column].to_numpy()
            rows[name] = under_every_protocol(table, column) | ({"psi": psi} if column == "fused" else {})
            if (places := localised(errors, psi, prepared, recipe.scoring, column)) is not None:
                rows[name]["localisation"] = {criterion: places[criterion] for criterion in CRITERIA}
    facts = {key: value for key, value in environment_facts().items() if key != "packages"}
    content = {
        "recipe": recipe.name,
        "data": {"name": prepared.name, "content_hash": prepared.content_hash, "scored_frames": len(table)},
        "protocol": {key: value for key, value in evaluator.protocol().items() if key != "checkpoint"},
        "rows": {name: rows[name] for name in measurable},
        "absent": {name: NO_TRAINING for name in ROWS if name not in measurable},
        "machine": facts | {"precision": "float32"},
        "seconds": time.perf_counter() - began,
        "settings": recipe.model_dump(mode="json", include={"data", "scoring"}),
    }
    of_rows = table.loc[:, ["clip", "frame", "label"]].assign(**{name: scores[name] for name in measurable})
    return NoLearning.model_validate(content), of_rows


def under_every_protocol(table: pd.DataFrame, column: str) -> dict[str, Any]:
    """One column of a score table (clip, frame, label ...) under every protocol, raw and after every smoothing.

    `auc_interval` is a 95 % bootstrap interval over the test clips; None with one clip only.
    """
    labels, clips = table["label"].to_numpy(), table["clip"].to_numpy()

    def measured(scores: np.ndarray) -> dict[Protocol, dict[str, Any]]:
        return {protocol: _under(protocol, labels, scores, clips) for protocol in PROTOCOLS}

    of_column = table.loc[:, ["clip", "frame", "label", column]]
    return {
        "protocols": measured(table[column].to_numpy()),
        "smoothed": {name: measured(smoothed(of_column, name)[column].to_numpy()) for name in SMOOTH},
    }


def _under(protocol: Protocol, labels: np.ndarray, scores: np.ndarray, clips: np.ndarray) -> dict[str, Any]:
    measured: dict[str, Any] = {"what": PROTOCOLS[protocol], **metrics.measure(labels, scores, clips, protocol)}
    if measured["auc"] is not None and len(np.unique(clips)) > 1:
        random = np.random.default_rng(CLIP_DRAWS_SEED)
        return measured | {"auc_interval": clip_interval(labels, scores, clips, protocol, random=random)}
    return measured | {"auc_interval": None}
