"""From a trained run to a detector of any video: calibrated once on its training data, kept beside the run."""

import sys
from pathlib import Path

import numpy as np
import torch

from data_prep.files import read_text, write_text
from maam_lib.data import DatasetError
from maam_lib.detector import DETECTOR, DetectionError, Detector, Score
from maam_lib.evaluation import ErrorMaps, Evaluator, as_predictor, calibrated_detector, network_predictor
from maam_lib.fast import best_accelerator
from maam_lib.model import MAAMNet
from maam_lib.training import RunFolder, build_network, dataset_for
from maam_lib.video.inference import prepare_for_inference


def run_network(run: RunFolder, root: Path) -> tuple[Detector, MAAMNet]:
    """A run's network after its last epoch, and its detector: the kept `detector.json`, or calibrated and kept (ours).

    root: folder of prepared datasets, needed only where it is calibrated: on the same training frames, by the same
    rule and so with the same psi and threshold as `maam evaluate`. A detector of an earlier epoch is made anew. Where
    the run's folder cannot be written, a note on stderr says that it is not kept.
    Raises RunError where the run has no epoch, DetectionError where its data are needed and not there.
    """
    net = build_network(run.recipe)
    run.load_weights(net)
    path, epoch = run.folder / DETECTOR, run.last_epoch
    if path.is_file():
        kept = Detector.from_json(read_text(path), str(path))
        if kept.epoch == epoch:
            return kept, net
    try:
        prepared = dataset_for(root, run.recipe)
    except DatasetError as error:
        raise DetectionError(
            f"{run.folder} is not calibrated yet, which needs its training data once ({DETECTOR} is kept): {error}"
        ) from error
    run.check_data(prepared.content_hash)
    evaluator = Evaluator(run.recipe, prepared, best_accelerator())
    errors = evaluator.errors(network_predictor(net.to(evaluator.device)), "train")
    detector = calibrated_detector(run.recipe, prepared, errors, epoch)
    try:
        write_text(path, detector.to_json())
    except OSError as error:  # a run on a disk that is only read
        print(f"note: {path} cannot be kept ({error.strerror}); it is computed again each time", file=sys.stderr)
    return detector, net


def open_run(run: RunFolder, root: Path) -> tuple[Detector, Score]:
    """What `detect` needs of a run: its detector, and its network as a function to score with."""
    detector, net = run_network(run, root)
    return detector, score_with(net, detector)


def score_with(net: MAAMNet, detector: Detector, device: torch.device | str | None = None) -> Score:
    """A network as a function from stored arrays to patch sums, as `detect` takes it; in float32, as `evaluate`."""
    device = torch.device(device or best_accelerator())
    predict = as_predictor(prepare_for_inference(net.to(device)))

    def score(frames: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen, moved = (torch.from_numpy(array).to(device) for array in (frames, flow))
        appearance, motion = ErrorMaps.of_stored(predict, seen, moved, net.frame_channels).sums(detector)
        return appearance.cpu().numpy(), motion.cpu().numpy()

    return score
