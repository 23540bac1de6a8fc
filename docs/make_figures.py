"""Draws the pictures of docs/ and of the report from the kept results and weights: docs/make_figures.py --root DATA."""

import argparse
from pathlib import Path

from maam_lib import Evaluator, dataset_for, figures, network_predictor
from maam_lib.evaluation import calibrate, detection_row, score_table
from maam_lib.grid import BASE, reference_grid, reference_network
from maam_lib.report import FRAMES, Picture, collect, epoch_picture, of_network

DOCS = Path(__file__).parent
SHOWN = {"Test001": 30, "Test006": 38, "Test004": 45}  # clip -> frame of the generated scene


def detections(root: Path) -> None:
    """detections.png: three events of the generated scene, from frame to alarm."""
    recipe, net = reference_network("synthetic-laptop")
    prepared = dataset_for(root, recipe)
    calibration = calibrate(Evaluator(recipe, prepared).errors(network_predictor(net), "train"), recipe.scoring)
    rows = [detection_row(net, prepared, clip, t, recipe.scoring, calibration) for clip, t in SHOWN.items()]
    titles = [f"{clip}, frame {t}" for clip, t in SHOWN.items()]
    figures.detection_rows(rows, titles).savefig(DOCS / "detections.png", dpi=110)


def ped2_scores(root: Path) -> None:
    """ped2_scores.png: the score of every clip of real Ped2 over time."""
    recipe, net = reference_network("ped2-laptop")
    prepared = dataset_for(root, recipe)
    evaluator, predict = Evaluator(recipe, prepared), network_predictor(net)
    calibration = calibrate(evaluator.errors(predict, "train"), recipe.scoring)
    table = score_table(evaluator.errors(predict, "test"), calibration.psi, prepared)
    clips = {str(clip): scores for clip, scores in table.groupby("clip")}
    figures.score_curves(clips, threshold=calibration.threshold, columns=3).savefig(DOCS / "ped2_scores.png", dpi=90)


def ped2_epochs(out: Path = DOCS) -> None:
    """ped2_epochs.png: AUC of each epoch of the kept seeds, for showing only, and what learning motion does to it."""
    picture = epoch_picture("ped2-laptop", reference_grid("ped2-laptop")[BASE])
    assert picture is not None  # the kept runs were measured after each epoch
    picture.figure.savefig(out / "ped2_epochs.png", dpi=90)


def of_the_scene(root: Path) -> None:
    """Beside the kept weights, figure1.png to figure9.png: what the report shows where the scene is not prepared."""
    scored = collect().scored["synthetic-laptop"]
    for name in FRAMES:
        picture = of_network(name, scored, root)
        assert isinstance(picture, Picture), picture
        picture.keep(scored.weights.with_name(f"{name}.png"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of prepared datasets")
    root = parser.parse_args().root
    detections(root)
    ped2_epochs()
    ped2_scores(root)
    of_the_scene(root)
