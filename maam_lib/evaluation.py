"""From a trained network and a prepared dataset to a score table and metrics, under a named protocol.

psi and the threshold are calibrated on training errors, never on test labels; the same rule serves the no-learning
rows. Every score carries its (clip, frame) key, and labels are joined by that key.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from maam_lib import baselines, metrics, pscd
from maam_lib.baselines import spread_evenly
from maam_lib.config import Recipe, ScoringSettings
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.files import write_json, written_aside
from maam_lib.memory import cosine_spread, support_count
from maam_lib.model import MAAMNet
from maam_lib.runs import RunFolder
from maam_lib.training import best_accelerator, build_network

# frames (B, C, H, W) -> frame_hat (B, C, H, W), flow_hat (B, 2, H, W)
Predict = Callable[[Tensor], tuple[Tensor, Tensor]]
CALIBRATION_FRAMES = 1000  # training frames, evenly spread, that psi and the threshold come from
BRANCHES = ("appearance", "motion", "fused")


class EvaluationError(ValueError):
    """Scores and labels that do not belong together: names the clip and both counts."""


@dataclass(frozen=True)
class PatchErrors:
    """Everything that scores are made of, for T frames; any psi and threshold follow without running a network."""

    keys: list[tuple[str, int]]  # T times (clip, frame)
    appearance: np.ndarray  # (T, ph, pw) patch sums of squared frame errors
    motion: np.ndarray  # (T, ph, pw) patch sums of absolute flow errors
    flow_error: np.ndarray  # (T,) mean |F - F_hat|, pixels per frame
    flow_size: np.ndarray  # (T,) mean |F|: the flow error of predicting no motion

    def scores(self, psi: float) -> dict[str, np.ndarray]:
        """Anomaly scores (T,) before Eq. 11 of each branch alone and of the fusion (fuse first, then the maximum)."""
        maps = (self.appearance, self.motion, pscd.fuse(self.appearance, self.motion, psi))
        return {branch: m.max(axis=(1, 2)) for branch, m in zip(BRANCHES, maps, strict=True)}


@dataclass(frozen=True)
class Calibration:
    """What is fixed on training frames before any test frame is scored."""

    psi: float  # weight of appearance
    threshold: float  # tau of Eq. 12, on fused scores before Eq. 11


def network_predictor(net: MAAMNet) -> Predict:
    """A trained network as a function of frames, in evaluation mode and without gradients."""
    net.eval()

    @torch.no_grad()
    def predict(frames: Tensor) -> tuple[Tensor, Tensor]:
        output = net(frames)
        return output.frame_hat, output.flow_hat

    return predict


def patch_errors_under(
    scorings: Sequence[ScoringSettings],
    predict: Predict,
    dataset: FrameFlowDataset,
    *,
    frames: np.ndarray | None = None,
    batch_size: int = 16,
    device: torch.device | str = "cpu",
) -> list[PatchErrors]:
    """Patch errors of a predictor over a dataset, or over its frames of the given numbers: one for each setting of
    patch, stride and padding, all from one pass of the network."""
    frames = np.arange(len(dataset)) if frames is None else frames
    shared: dict[str, list[Tensor]] = {"flow_error": [], "flow_size": []}
    columns: list[dict[str, list[Tensor]]] = [{"appearance": [], "motion": []} for _ in scorings]
    for start in range(0, len(frames), batch_size):
        x, flow = (t.to(device) for t in dataset.__getitems__(frames[start : start + batch_size].tolist()))
        frame_hat, flow_hat = predict(x)
        errors = pscd.error_maps(x, frame_hat, flow, flow_hat)
        for scoring, column in zip(scorings, columns, strict=True):
            for name, error in zip(("appearance", "motion"), errors, strict=True):
                column[name].append(pscd.patch_sums(error, scoring.patch, scoring.stride, scoring.padding).cpu())
        shared["flow_error"].append((flow - flow_hat).abs().mean(dim=(1, 2, 3)).cpu())
        shared["flow_size"].append(flow.abs().mean(dim=(1, 2, 3)).cpu())
    every_key = dataset.keys()
    keys = [every_key[i] for i in frames]
    whole = [{name: torch.cat(batches).numpy() for name, batches in (c | shared).items()} for c in columns]
    return [PatchErrors(keys, **arrays) for arrays in whole]


def calibrate(train: PatchErrors, scoring: ScoringSettings) -> Calibration:
    """psi and threshold from the errors of normal training frames, without any label (ours; the paper prints neither).

    psi gives both branches' frame scores the same standard deviation over the training frames, so that neither
    drowns the other: psi = sd_motion / (sd_appearance + sd_motion). A psi in the recipe is taken as it is.
    The threshold is the quantile `alarm_quantile` of the fused training scores.
    """
    psi = scoring.psi
    if psi is None:
        scores = train.scores(0.5)
        spread = {branch: float(scores[branch].std()) for branch in ("appearance", "motion")}
        total = spread["appearance"] + spread["motion"]
        psi = spread["motion"] / total if total > 0 else 0.5
    return Calibration(psi, float(np.quantile(train.scores(psi)["fused"], scoring.alarm_quantile)))


def score_table(errors: PatchErrors, psi: float, prepared: PreparedDataset) -> pd.DataFrame:
    """One row per scored test frame: clip, frame, label, appearance, motion, fused.

    Labels are looked up by (clip, frame). Raises EvaluationError for a score whose clip has no such frame.
    """
    table = pd.DataFrame(errors.keys, columns=["clip", "frame"])
    table["label"] = 0
    for clip, rows in table.groupby("clip", sort=False).groups.items():
        labels, frames = prepared.labels(clip), table.loc[rows, "frame"].to_numpy()
        if frames.max() >= len(labels):
            raise EvaluationError(
                f"{prepared.name}/test/{clip}: a score for frame {frames.max()} but {len(labels)} labels; "
                "were scores and labels prepared from the same source?"
            )
        table.loc[rows, "label"] = labels[frames].astype(int)
    return table.assign(**errors.scores(psi))


def frame_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Micro AUC of each branch and of the fusion, and the fusion's EER, over the raw scores of all frames together."""
    labels = table["label"].to_numpy()
    auc = {branch: metrics.roc_auc(labels, table[branch].to_numpy()) for branch in BRANCHES}
    return {
        "auc": auc["fused"],
        "eer": metrics.equal_error_rate(labels, table["fused"].to_numpy()),
        "auc_appearance": auc["appearance"],
        "auc_motion": auc["motion"],
    }


@dataclass(frozen=True)
class Evaluator:
    """Scores predictors on one prepared dataset under one recipe's data and scoring settings."""

    recipe: Recipe
    prepared: PreparedDataset
    device: torch.device | str = "cpu"

    def dataset(self, split: str) -> FrameFlowDataset:
        data = self.recipe.data
        return FrameFlowDataset(self.prepared, split, drop_last=data.drop_last, channels=data.channels)

    def errors(self, predict: Predict, split: str) -> PatchErrors:
        """Patch errors on all test frames, or on the training frames that calibration uses."""
        return self.errors_under([self.recipe.scoring], predict, split)[0]

    def errors_under(self, scorings: Sequence[ScoringSettings], predict: Predict, split: str) -> list[PatchErrors]:
        """The same under several scoring settings, from one pass of the network."""
        dataset = self.dataset(split)
        frames = spread_evenly(len(dataset), CALIBRATION_FRAMES) if split == "train" else None
        return patch_errors_under(scorings, predict, dataset, frames=frames, device=self.device)

    def score(self, predict: Predict) -> tuple[pd.DataFrame, dict[str, Any]]:
        """The score table of a predictor and everything measured of it."""
        train, test = self.errors(predict, "train"), self.errors(predict, "test")
        calibration = calibrate(train, self.recipe.scoring)
        table = score_table(test, calibration.psi, self.prepared)
        normal = table["label"].to_numpy() == 0
        motion_error = {
            "train": float(train.flow_error.mean() / train.flow_size.mean()),
            "test_normal": float(test.flow_error[normal].mean() / test.flow_size[normal].mean()),
        }
        return table, frame_metrics(table) | asdict(calibration) | {"motion_error_to_zero_flow": motion_error}

    def no_learning_rows(self) -> dict[str, dict[str, float]]:
        """AUC and EER of every yardstick, with its own calibrated psi."""
        answers = baselines.constant_answers(self.dataset("train"))
        tables = {name: self.score(answer)[0] for name, answer in answers.items()}
        rows = {}
        for name, (answer, column) in baselines.ROWS.items():
            labels, scores = (tables[answer][c].to_numpy() for c in ("label", column))
            rows[name] = {
                "auc": metrics.roc_auc(labels, scores),
                "eer": metrics.equal_error_rate(labels, scores),
            }
        return rows

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
            "label_source": self.prepared.manifest["label_source"],
            "complete": self.prepared.manifest["complete"],
        }


def detection_row(
    net: MAAMNet, prepared: PreparedDataset, clip: str, frame: int, scoring: ScoringSettings, calibration: Calibration
) -> dict[str, np.ndarray]:
    """One scored test frame as a row of Fig. 8: `frame` uint8 (H, W, C), error maps `appearance`, `motion` and
    `fused` float32 (H, W), and bool (H, W) `found` (patches over the threshold) and `mask` (the truth, if known)."""
    dataset = FrameFlowDataset(prepared, "test", clips=[clip], channels=net.frame_channels)
    x, flow = dataset.__getitems__([dataset.keys().index((clip, frame))])
    frame_hat, flow_hat = network_predictor(net)(x)
    errors = pscd.error_maps(x, frame_hat, flow, flow_hat)
    where = {"patch": scoring.patch, "stride": scoring.stride, "padding": scoring.padding}
    sums = pscd.score_maps(x, frame_hat, flow, flow_hat, psi=calibration.psi, **where)
    found = pscd.localise(sums.fused, calibration.threshold, prepared.frame_size, **where)
    masks = prepared.masks(clip)
    appearance, motion = (error[0].numpy() for error in errors)
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
) -> dict[str, Any]:
    """Score a run's last epoch, beside the no-learning rows; writes `scores.csv` and `metrics.json` into the run.

    `every_epoch` adds the AUC of each kept epoch as a curve, for showing only: the result is always the last epoch.
    Raises RunError for a run without a finished epoch, or trained on other data.
    """
    recipe = run.recipe
    device = device or best_accelerator()
    run.check_data(prepared.content_hash)
    evaluator = Evaluator(recipe, prepared, device)
    net = build_network(recipe).to(device)
    curve = []
    if every_epoch:
        for epoch in range(1, run.epochs_done):
            run.load_weights(net, epoch)
            curve.append({"epoch": epoch, **_curve_point(evaluator.score(network_predictor(net))[1])})
    epoch = run.load_weights(net)
    table, measured = evaluator.score(network_predictor(net))
    rows = evaluator.no_learning_rows()
    best = max(rows, key=lambda name: rows[name]["auc"])
    result = {
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
    }
    if every_epoch:
        result["curve"] = [*curve, {"epoch": epoch, **_curve_point(measured)}]
    with written_aside(run.folder / "scores.csv") as aside:
        table.to_csv(aside, index=False)
    write_json(run.folder / "metrics.json", result)
    return result


def memory_facts(net: MAAMNet, dataset: FrameFlowDataset, device: torch.device | str) -> dict[str, float] | None:
    """Support items per query and how much queries and read-outs differ, over 64 test frames; None without memory."""
    if net.items is None:
        return None
    net.eval()
    with torch.no_grad():
        frames, _ = dataset.__getitems__(spread_evenly(len(dataset), 64).tolist())
        query, _ = net.encode(frames.to(device))
        read_out, weights = net.recall(query)
    return {
        "items": len(net.items),
        "support_items": float(support_count(weights).double().mean()),
        "items_used": int((weights > 0).any(dim=3).any(dim=2).any(dim=0).sum()),
        "query_spread": cosine_spread(query),
        "read_out_spread": cosine_spread(read_out),
    }


def _curve_point(measured: dict[str, Any]) -> dict[str, Any]:
    return {k: measured[k] for k in ("auc", "auc_appearance", "auc_motion", "motion_error_to_zero_flow")}
