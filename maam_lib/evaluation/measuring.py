"""From a trained network and a prepared dataset to a score table and metrics, under protocols that are named."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from data_prep.clip import Split
from data_prep.files import write_json, write_text, written_aside
from maam_lib import baselines, pscd
from maam_lib.baselines import spread_evenly
from maam_lib.config import Recipe, ScoringSettings
from maam_lib.data import DatasetError, FrameFlowDataset, PreparedDataset
from maam_lib.detector import DETECTOR, DetectionError
from maam_lib.evaluation.error_maps import Predict, error_maps_of_frame, network_predictor
from maam_lib.evaluation.protocols import (
    CRITERIA,
    frame_metrics,
    frame_protocols,
    localised,
    no_learning_rows,
    whole_frame,
)
from maam_lib.evaluation.reintegration import reintegration_auc
from maam_lib.evaluation.result import Result
from maam_lib.evaluation.scores import (
    Calibration,
    EvaluationError,
    PatchErrors,
    calibrate,
    calibrated_detector,
    patch_errors_under,
    score_table,
)
from maam_lib.fast import best_accelerator
from maam_lib.memory import cosine_spread, support_count
from maam_lib.model import MAAMNet
from maam_lib.training import SCORES, RunFolder, build_network

CALIBRATION_FRAMES = 1000  # training frames, evenly spread, that psi and the threshold come from
_no_learning: dict[tuple[str, ...], pd.DataFrame] = {}  # of this process: what -> scores of the yardsticks


@dataclass(frozen=True)
class Evaluator:
    """Scores predictors on one prepared dataset under one recipe's data and scoring settings."""

    recipe: Recipe
    prepared: PreparedDataset
    device: torch.device | str = "cpu"

    def dataset(self, split: Split) -> FrameFlowDataset:
        data = self.recipe.data
        return FrameFlowDataset(self.prepared, split, drop_last=data.drop_last, channels=data.channels)

    def errors(self, predict: Predict, split: Split) -> PatchErrors:
        """Patch errors on all test frames, or on the training frames that calibration uses."""
        return self.errors_under([self.recipe.scoring], predict, split)[0]

    def errors_under(self, scorings: Sequence[ScoringSettings], predict: Predict, split: Split) -> list[PatchErrors]:
        """The same under several scoring settings, from one pass of the network."""
        dataset = self.dataset(split)
        frames = spread_evenly(len(dataset), CALIBRATION_FRAMES) if split == "train" else None
        return patch_errors_under(scorings, predict, dataset, frames=frames, device=self.device)

    def score(self, predict: Predict) -> tuple[pd.DataFrame, dict[str, Any]]:
        """The score table of a predictor and everything measured of it."""
        return self.measure(self.errors(predict, "train"), self.errors(predict, "test"))

    def measure(self, train: PatchErrors, test: PatchErrors) -> tuple[pd.DataFrame, dict[str, Any]]:
        """The same from its patch errors."""
        calibration = calibrate(train, self.recipe.scoring)
        table = score_table(test, calibration.psi, self.prepared)
        normal = table["label"].to_numpy() == 0
        motion_error = {
            "train": float(train.flow_error.mean() / train.flow_size.mean()),
            "test_normal": float(test.flow_error[normal].mean() / test.flow_size[normal].mean()),
        }
        return table, frame_metrics(table) | asdict(calibration) | {"motion_error_to_zero_flow": motion_error}

    def no_learning_scores(self) -> pd.DataFrame:
        """One row per scored test frame: clip, frame, label and the score of every yardstick, with its own psi.

        They hang on data and scoring alone, so the cells of a sweep that share these share them.
        """
        settings = (self.recipe.data.model_dump_json(), self.recipe.scoring.model_dump_json())
        key = (str(self.prepared.folder), self.prepared.content_hash, *settings)
        if key not in _no_learning:
            _no_learning[key] = self._score_yardsticks()
        return _no_learning[key].copy()

    def _score_yardsticks(self) -> pd.DataFrame:
        answers = baselines.constant_answers(self.dataset("train"))
        tables = {name: self.score(answer)[0] for name, answer in answers.items()}
        columns = {name: tables[answer][column] for name, (answer, column) in baselines.ROWS.items()}
        return tables["zero"][["clip", "frame", "label"]].assign(**columns)

    def no_learning_rows(self) -> dict[str, dict[str, float]]:
        """AUC and EER of every yardstick, over the raw scores of all frames together."""
        return no_learning_rows(self.no_learning_scores())

    def check_labels(self) -> None:
        """Raises EvaluationError where the test frames cannot tell good scores from bad: before any is scored."""
        prepared, found = self.dataset("test").prepared, set()  # which refuses a dataset without test frames
        for clip in prepared.clips("test"):
            try:
                labels = prepared.labels(clip)
            except DatasetError as error:
                raise EvaluationError(
                    f"{error}, so its scores cannot be measured; prepare the dataset again with labels "
                    "(`maam prepare --help`)"
                ) from error
            found |= set(np.unique(labels[: -self.recipe.data.drop_last]).tolist())
        if found != {0, 1}:
            kind = "normal" if found == {0} else "abnormal"
            raise EvaluationError(
                f"{prepared.name}/test: every scored frame is {kind} ({prepared.manifest.label_source}); "
                "expected frames of both kinds, else no metric exists. Prepare it with other test clips or labels"
            )

    def localisation(self, test: PatchErrors, psi: float, yardstick: str) -> dict[str, Any] | None:
        """Pixel, region and track criteria of test errors, beside those of one no-learning row; None without masks."""
        measured = localised(test, psi, self.prepared, self.recipe.scoring)
        if measured is None:
            return None
        answer, column = baselines.ROWS[yardstick]
        predict = baselines.constant_answers(self.dataset("train"))[answer]
        errors = self.errors(predict, "test")
        psi = calibrate(self.errors(predict, "train"), self.recipe.scoring).psi if column == "fused" else 0.5
        beside = localised(errors, psi, self.prepared, self.recipe.scoring, column)
        found = {} if beside is None else {name: beside[name] for name in CRITERIA}
        return measured | {"no_learning": {"row": yardstick} | found}

    def protocol(self) -> dict[str, Any]:
        """The protocol that every number above was made under."""
        scoring, data = self.recipe.scoring, self.recipe.data
        return {
            "auc": "micro, raw scores of all test frames together",
            "frames_dropped_per_clip": data.drop_last,
            "checkpoint": "last epoch",
            "psi": "calibrated on training errors" if scoring.psi is None else "given by the recipe",
            "patch": list(scoring.patch),
            "stride": list(scoring.stride or pscd.default_stride(scoring.patch)),
            "padding": scoring.padding,
            "smoothing": "none",
            "label_source": self.prepared.manifest.label_source,
            "complete": self.prepared.manifest.complete,
        }


def detection_row(
    net: MAAMNet, prepared: PreparedDataset, clip: str, frame: int, scoring: ScoringSettings, calibration: Calibration
) -> dict[str, np.ndarray]:
    """One scored test frame as a row of Fig. 8: `frame` uint8 (H, W, C), error maps `appearance`, `motion` and
    `fused` float32 (H, W), and bool (H, W) `found` (patches over the threshold) and `mask` (the truth, if known)."""
    maps = error_maps_of_frame(net, prepared, clip, frame)
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding}
    fused = pscd.fuse(*maps.sums(scoring), calibration.psi)
    found = pscd.localise(fused, calibration.threshold, prepared.frame_size, **where)
    masks = prepared.masks(clip)
    appearance, motion = maps.appearance[0].numpy(), maps.motion[0].numpy()
    return {
        "frame": prepared.frames("test", clip)[frame],
        "appearance": appearance,
        "motion": motion,
        "fused": pscd.fuse(appearance, motion, calibration.psi),
        "found": found[0].numpy(),
        "mask": np.zeros(prepared.frame_size, bool) if masks is None else masks[frame] == 1,
    }


def evaluate(
    run: RunFolder,
    prepared: PreparedDataset,
    *,
    every_epoch: bool = False,
    device: torch.device | str | None = None,
) -> Result:
    """Score a run's last epoch, beside the no-learning rows; writes `scores.csv` and `metrics.json` into the run.

    And `detector.json`, so that `maam detect` needs no data, unless the flow cannot be estimated as a video plays.

    `every_epoch` adds the AUC of each kept epoch as a curve, for showing only: the result is always the last epoch.
    Raises RunError for a run without a finished epoch, or trained on other data, and EvaluationError, before anything
    is scored, for test clips without labels of both classes.
    """
    recipe = run.recipe
    device = device or best_accelerator()
    run.check_data(prepared.content_hash)
    evaluator = Evaluator(recipe, prepared, device)
    evaluator.check_labels()
    net = build_network(recipe).to(device)
    curve = []
    if every_epoch:
        for epoch in run.kept_epochs[:-1]:
            run.load_weights(net, epoch)
            curve.append({"epoch": epoch, **_curve_point(evaluator.score(network_predictor(net))[1])})
    epoch = run.load_weights(net)
    predict = network_predictor(net)
    test = evaluator.errors(predict, "test")
    train = evaluator.errors(predict, "train")
    table, measured = evaluator.measure(train, test)
    yardsticks = evaluator.no_learning_scores()
    rows = no_learning_rows(yardsticks)
    best = max(rows, key=lambda name: rows[name]["auc"])
    content = {
        "recipe": recipe.name,
        "recipe_hash": recipe.hash(),
        "seed": recipe.training.seed,
        "epoch": epoch,
        "weights_from": run.facts.get("weights_from", "this run's training"),
        "data": {"name": prepared.name, "content_hash": prepared.content_hash, "scored_frames": len(table)},
        **measured,
        "no_learning": rows,
        "best_no_learning": best,
        "learning_adds": measured["auc"] - rows[best]["auc"],
        "memory": memory_facts(net, evaluator.dataset("test"), device),
        "protocol": evaluator.protocol(),
        "protocols": frame_protocols(table, yardsticks),
        "whole_frame": whole_frame(train, test, table["label"].to_numpy(), recipe.scoring),
        "localisation": evaluator.localisation(test, measured["psi"], best),
        "settings": recipe.model_dump(mode="json"),
    }
    if every_epoch:
        content["curve"] = _marked([*curve, {"epoch": epoch, **_curve_point(measured)}])
    of_frames = test.whole_frame_scores(content["whole_frame"]["psi"])["fused"]
    with written_aside(run.folder / SCORES) as aside:
        table.assign(whole_frame=of_frames).to_csv(aside, index=False)
    result = Result.model_validate(content)
    write_json(run.folder / "metrics.json", result.as_json())
    with suppress(DetectionError):
        write_text(run.folder / DETECTOR, calibrated_detector(recipe, prepared, train, epoch).to_json())
    return result


def memory_facts(net: MAAMNet, dataset: FrameFlowDataset, device: torch.device | str) -> dict[str, Any] | None:
    """What the memory did with 64 test frames: support items per query, how much queries and read-outs differ, and
    `reintegration_auc`, how well its error tells abnormal places from normal moving ones; None without memory."""
    net.eval()
    with torch.no_grad():
        chosen = spread_evenly(len(dataset), 64).tolist()
        frames, _ = dataset.__getitems__(chosen)
        query, _ = net.encode(frames.to(device))
        read_out, weights = net.recall(query)
    if weights is None:
        return None
    return {
        "items": weights.shape[1],
        "support_items": float(support_count(weights).double().mean()),
        "items_used": int((weights > 0).any(dim=3).any(dim=2).any(dim=0).sum()),
        "query_spread": cosine_spread(query),
        "read_out_spread": cosine_spread(read_out),
        "reintegration_auc": reintegration_auc(dataset, [dataset.keys()[i] for i in chosen], query, read_out),
    }


def _marked(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points of a curve, the highest (the first of equals) marked: chosen on test labels, for showing only."""
    best = max(curve, key=lambda point: point["auc"])
    return [point | {"best_on_test": point is best} for point in curve]


def _curve_point(measured: dict[str, Any]) -> dict[str, Any]:
    return {k: measured[k] for k in ("auc", "auc_appearance", "auc_motion", "motion_error_to_zero_flow")}
