"""Draws the pictures of docs/ped2.md and prints which events of UCSD Ped2 each score finds: python docs/make_ped2.py.

All of it is made from kept results: reports/ped2_events.yaml, of ped2-laptop in reports/reference `no_learning.csv` and
`scores.csv`, and every result of Ped2. `--run NAME=FOLDER` adds an evaluated run to the tables and the picture of
events, and `--out FILE` writes that elsewhere. `--frames FILE --root DATA` also draws frames of the dataset, with
speed and motion error; they are UCSD's, so that picture is for yourself and not for publication.
"""

import argparse
from pathlib import Path

import pandas as pd

from maam_lib import Evaluator, dataset_for, figures, network_predictor, pscd
from maam_lib.analysis import FALSE_ALARMS, events_found, events_of, found_frames, kinds_found, typical_frames
from maam_lib.analysis import read_event_labels as read_labels
from maam_lib.baselines import motionless_answers
from maam_lib.config import load_recipe
from maam_lib.evaluation import Predict, error_maps
from maam_lib.grid import BASE, REFERENCE, REPORTS, GridResults, read_result, reference_network, scores_side_by_side
from maam_lib.report import collect, motion_picture

DOCS = Path(__file__).parent
RECIPE = "ped2-laptop"


def motion_frames(root: Path, chosen: pd.DataFrame, out: Path) -> None:
    """Frames that speed finds and misses, with the speed and the kept network's motion error, and largest patches."""
    recipe, net = reference_network(RECIPE)
    prepared = dataset_for(root, recipe)
    dataset = Evaluator(recipe, prepared).dataset("test")
    numbers = [dataset.keys().index((clip, frame)) for clip, frame in zip(chosen["clip"], chosen["frame"], strict=True)]
    where = {"patch": recipe.scoring.patch, "stride": recipe.scoring.stride, "padding": recipe.scoring.padding}
    rows = [
        {"frame": prepared.frames("test", clip)[frame], "mask": prepared.masks(clip)[frame]}
        for clip, frame in dataset.keys(numbers)
    ]
    predictors: dict[str, Predict] = {"speed": motionless_answers(dataset)["still"], "error": network_predictor(net)}
    for name, predict in predictors.items():
        for row, number in zip(rows, numbers, strict=True):
            [maps] = error_maps(predict, dataset, frames=[number])
            sums = maps.sums(recipe.scoring)[1]
            row[name] = maps.motion[0].numpy()
            row[f"{name}_patch"] = pscd.localise(sums, float(sums.max()), prepared.frame_size, **where)[0].numpy()
    titles = [
        f"{what}, {'found' if found else 'missed'} by speed: {clip}, frame {frame}"
        for what, found, clip, frame in chosen[["what", "found", "clip", "frame"]].itertuples(index=False)
    ]
    figures.speed_against_error(rows, titles, "pixels per frame").savefig(out, dpi=90)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="append", default=[], metavar="NAME=FOLDER", help="an evaluated run")
    parser.add_argument("--out", type=Path, default=DOCS / "ped2_events.png", help="the picture of all clips")
    parser.add_argument("--frames", type=Path, help="a picture of frames, for yourself")
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of prepared datasets, for --frames")
    given = parser.parse_args()
    objects = read_labels(REPORTS / "ped2_events.yaml").table()
    runs = {name: Path(folder) for name, _, folder in (run.partition("=") for run in given.run)}
    scores = scores_side_by_side(RECIPE, runs)
    print(f"share of the frames found where {FALSE_ALARMS:.0%} of the normal frames are false alarms\n")
    for table in (events_found(scores, events_of(objects)), kinds_found(scores, objects)):
        print(table.to_string(float_format="{:.2f}".format), end="\n\n")
    figures.event_timelines(objects, found_frames(scores)).savefig(given.out, dpi=90)
    half = read_result(REFERENCE / "ped2-half" / "unfinished.json")
    grids = [grid for grid in collect().grids if grid.recipe.data.dataset == "ped2"]
    picture = motion_picture("ped2", [*grids, GridResults(load_recipe("ped2-half"), {BASE: [half]}, [])])
    assert picture is not None  # some kept runs were measured after each epoch
    picture.figure.savefig(given.out.with_name("ped2_motion.png"), dpi=90)
    if given.frames:
        motion_frames(given.root, typical_frames(scores, objects, "speed"), given.frames)
