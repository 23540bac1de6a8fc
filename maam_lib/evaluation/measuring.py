"""From a trained network and a prepared dataset to a score table and metrics, under protocols that are named."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from data_prep.files import write_json, write_text, written_aside
from maam_lib import baselines, pscd
from maam_lib.baselines import spread_evenly
from maam_lib.config import Recipe, ScoringSettings
from maam_lib.data import DatasetError, FrameFlowDataset, Part, PreparedDataset, recipe_frames
from maam_lib.detector import DETECTOR, DetectionError
from maam_lib.evaluation.error_maps import Predict, error_maps, network_predictor
from maam_lib.evaluation.generalisation import generalisation, share_above
from maam_lib.evaluation.localisation import CRITERIA, localised
from maam_lib.evaluation.protocols import SMOOTH, frame_metrics, frame_protocols, no_learning_rows
from maam_lib.evaluation.reintegration import memory_facts
from maam_lib.evaluation.result import Result
from maam_lib.evaluation.scores import EvaluationError, PatchErrors, calibrate, calibrated_detector, score_table
from maam_lib.evaluation.true_regions import published_boxes
from maam_lib.fast import best_accelerator
from maam_lib.model import MAAMNet
from maam_lib.training import SCORES, HeldOut, RunFolder, build_network

CALIBRATION_FRAMES = 1000  # training frames, evenly spread, that psi and the threshold come from
ON_CURVE = ("auc", "auc_appearance", "auc_motion", "motion_error_to_zero_flow")  # what is shown of an epoch
_no_learning: dict[tuple[str, ...], pd.DataFrame] = {}  # of this process: what -> scores of the yardsticks


@dataclass(frozen=True)
class Evaluator:
    """Scores predictors on one prepared dataset under one recipe's data and scoring settings."""

    recipe: Recipe
    prepared: PreparedDataset
    device: torch.device | str = "cpu"

    def dataset(self, part: Part) -> FrameFlowDataset:
        return recipe_frames(self.recipe, self.prepared, part)

    def errors(self, predict: Predict, part: Part) -> PatchErrors:
        """Patch errors on all test frames, or on as many frames of another part as calibration uses."""
        return self.errors_under([self.recipe.scoring], predict, part)[0]

    def errors_under(self, scorings: Sequence[ScoringSettings], predict: Predict, part: Part) -> list[PatchErrors]:
        """The same under several scoring settings, from one pass of the network."""
        dataset = self.dataset(part)
        frames = None if part == "test" else spread_evenly(len(dataset), CALIBRATION_FRAMES)
        sums, means = [], []  # a list per batch
        for maps in error_maps(predict, dataset, frames=frames, device=self.device):
            sums.append([maps.sums(scoring) for scoring in scorings])
            means.append(maps.means())
        keys, of_frames = dataset.keys(frames), _joined(means)
        return [PatchErrors(keys, *_joined(of_scoring), *of_frames) for of_scoring in zip(*sums, strict=True)]

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

        They hang on data, the clips held out and scoring alone, so the cells of a sweep that share these share them.
        """
        settings = (self.recipe.data.model_dump_json(), self.recipe.scoring.model_dump_json())
        held_out = str(self.recipe.training.hold_out)
        key = (str(self.prepared.folder), self.prepared.content_hash, held_out, *settings)
        if key not in _no_learning:
            tables = {}
            for name, answer in baselines.constant_answers(self.dataset("train")).items():
                psi = self.psi_for(answer, [column for of, column in baselines.ROWS.values() if of == name])
                tables[name] = score_table(self.errors(answer, "test"), psi, self.prepared)
            rows = {name: tables[answer][column] for name, (answer, column) in baselines.ROWS.items()}
            _no_learning[key] = tables["zero"][["clip", "frame", "label"]].assign(**rows)
        return _no_learning[key].copy()

    def psi_for(self, answer: Predict, columns: Iterable[str]) -> float:
        """The psi that rows of one constant answer are scored with: calibrated where one of their columns is "fused",
        else 0.5, which plays no part, so that no training frame is scored for it."""
        return calibrate(self.errors(answer, "train"), self.recipe.scoring).psi if "fused" in columns else 0.5

    def check_labels(self) -> None:
        """Raises EvaluationError where the test frames cannot tell good scores from bad, or where their published boxes
        cannot be read: before any is scored."""
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
        published_boxes(prepared)

    def localisation(self, test: PatchErrors, psi: float, yardstick: str) -> dict[str, Any] | None:
        """Pixel, region and track criteria of test errors, beside those of one no-learning row; None without masks."""
        measured = localised(test, psi, self.prepared, self.recipe.scoring)
        if measured is None:
            return None
        answer, column = baselines.ROWS[yardstick]
        predict = baselines.constant_answers(self.dataset("train"))[answer]
        psi = self.psi_for(predict, [column])
        beside = localised(self.errors(predict, "test"), psi, self.prepared, self.recipe.scoring, column)
        assert beside is not None  # the truth is the same
        return measured | {"no_learning": {"row": yardstick} | {name: beside[name] for name in CRITERIA}}

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


def evaluate(
    run: RunFolder,
    prepared: PreparedDataset,
    *,
    every_epoch: bool = False,
    device: torch.device | str | None = None,
) -> Result:
    """Score a run's last epoch, beside the no-learning rows; writes `scores.csv` and `metrics.json` into the run.

    With clips held out of training, also what they say without labels: `generalisation`. psi and the threshold come
    from the frames that were trained on, as without them.

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
    held_out = HeldOut(recipe, prepared, device) if recipe.training.hold_out else None
    curve = []
    for epoch in run.kept_epochs[:-1] if every_epoch else ():
        run.load_weights(net, epoch)
        curve.append(_point(epoch, evaluator.score(network_predictor(net))[1], held_out, net))
    epoch = run.load_weights(net)
    predict = network_predictor(net)
    test = evaluator.errors(predict, "test")
    train = evaluator.errors(predict, "train")
    table, measured = evaluator.measure(train, test)
    of_whole_frames, without_patches = evaluator.measure(train.of_whole_frames(), test.of_whole_frames())
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
        "smoothed": {smoothing: frame_protocols(table, yardsticks, smoothing) for smoothing in SMOOTH},
        "whole_frame": {name: without_patches[name] for name in ("auc", "auc_appearance", "auc_motion", "psi")},
        "localisation": evaluator.localisation(test, measured["psi"], best),
        "settings": recipe.model_dump(mode="json"),
    }
    if held_out is not None:
        errors = evaluator.errors(predict, "held_out")
        above = share_above(errors, measured["psi"], measured["threshold"])
        content["generalisation"] = generalisation(held_out, net) | {"above_threshold": above}
    if every_epoch:
        curve.append(_point(epoch, measured, held_out, net))
        highest = max(curve, key=lambda point: point["auc"])  # the first of equals
        content["curve"] = [point | {"best_on_test": point is highest} for point in curve]
    with written_aside(run.folder / SCORES) as aside:
        table.assign(whole_frame=of_whole_frames["fused"]).to_csv(aside, index=False)
    result = Result.model_validate(content)
    write_json(run.folder / "metrics.json", result.as_json())
    with suppress(DetectionError):
        write_text(run.folder / DETECTOR, calibrated_detector(recipe, prepared, train, epoch).to_json())
    return result


def _point(epoch: int, measured: dict[str, Any], held_out: HeldOut | None, net: MAAMNet) -> dict[str, Any]:
    """An epoch of the curve."""
    point = {"epoch": epoch} | {key: measured[key] for key in ON_CURVE}
    return point if held_out is None else point | {"generalisation": generalisation(held_out, net)}


def _joined(batches: Sequence[Sequence[Tensor]]) -> list[np.ndarray]:
    """Quantities that every batch has, each of all batches in one array."""
    return [torch.cat(parts).cpu().numpy() for parts in zip(*batches, strict=True)]
