"""The report's pictures of one network: its curves (Fig. 7), and frames of video (Figs. 1, 4, 8, 9).

Frames are chosen by the scores of all test frames, so the network runs only on the few that are shown. Where the
generated scene is not prepared, pictures that come with the kit take its place; it keeps none with frames of a dataset.
"""

import io
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from maam_lib import figures
from maam_lib.analysis import misleading_pair, worst_false_alarms, worst_misses
from maam_lib.data import DatasetError, PreparedDataset
from maam_lib.evaluation import detection_row, score_steps
from maam_lib.grid import REFERENCE
from maam_lib.report.collection import Scored
from maam_lib.training import RunError, dataset_for

CURVES = 6  # clips of Fig. 7, those with the most change between normal and abnormal first
ROWS = 4  # clips of Fig. 8
COLUMNS = (
    "Left to right: frame; what appearance and motion add to the score, as patch sums; both fused; all in one scale of "
    "colours. Then the place: blue where the fused patch sum is above the threshold calibrated on training frames, "
    "orange for the truth."
)
SIGNED = "Motion errors are errors of speed, with their sign: orange is faster than predicted, purple slower."
DPI = 110
CAPTION = "Description"  # PNG's name for it


class Picture(NamedTuple):
    """A figure with what it shows."""

    figure: Figure
    caption: str

    @property
    def png(self) -> str:
        """As base64."""
        image = io.BytesIO()
        self.figure.savefig(image, format="png", dpi=DPI)
        return b64encode(image.getvalue()).decode("ascii")

    def keep(self, file: Path) -> None:
        """Write it as a PNG that holds its caption."""
        self.figure.savefig(file, dpi=DPI, metadata={CAPTION: self.caption}, pil_kwargs={"optimize": True})


class Kept(NamedTuple):
    """A picture that comes with the kit."""

    png: str  # as base64
    caption: str

    @classmethod
    def read(cls, file: Path) -> "Kept":
        """Of a file that `Picture.keep` wrote."""
        with Image.open(file) as image:
            return cls(b64encode(file.read_bytes()).decode("ascii"), str(image.info[CAPTION]))


class Chosen(NamedTuple):
    """Frames of a picture, chosen by their scores alone, and what the picture says of them."""

    frames: list[tuple[str, int]]  # clip and frame
    titles: list[str]
    caption: str


def of_network(name: str, scored: Scored, root: Path) -> Picture | Kept | str:
    """Figure 1, 4, 7, 8 or 9 of a network, whose video is prepared below `root`; or the kept one; or why not."""
    who = _who(scored)
    kept = scored.weights.parent / f"{name}.png"
    try:
        if name == "figure7":
            return score_curves(scored)
        chosen = FRAMES[name](scored)
        if chosen is None:
            needs = "the scores of whole frames, which `maam evaluate` keeps, and a pair of frames that disagree"
            return f"No picture of {who}: it needs {needs}."
        return Picture(_drawn(name, chosen, scored, _video(scored, root)), chosen.caption)
    except DatasetError as error:
        if REFERENCE in kept.parents and kept.is_file():
            return Kept.read(kept)
        said = re.sub(r"maam prepare .*", r"`\g<0>`", str(error))
        return f"No picture of {who}, because its prepared video is missing: {said}"
    except RunError as error:
        return f"No picture of {who}, because its scores or weights cannot be used: {error}"


def score_curves(scored: Scored) -> Picture:
    """Fig. 7: scores over time, abnormal spans shaded; needs no video."""
    clips = {str(clip): table for clip, table in scored.scores.groupby("clip", sort=False)}
    names = sorted(sorted(clips, key=lambda clip: clips[clip]["label"].nunique() < 2)[:CURVES])
    figure = figures.score_curves({clip: clips[clip] for clip in names}, threshold=scored.calibration.threshold)
    shaded = "abnormal spans are orange, the calibrated threshold is dashed"
    said = f"{_who(scored)}. Anomaly score over time, clips {', '.join(names)}; {shaded}."
    return Picture(figure, said)


# Which frames


def first_detections(scored: Scored) -> Chosen:
    """Fig. 1: the two clips with the loudest abnormal frames, and the loudest false alarm."""
    abnormal, normal = _loudest(scored.scores).head(2), worst_false_alarms(scored.scores, 1)
    return _rows(scored, {"abnormal": abnormal, "normal": normal})


def more_detections(scored: Scored) -> Chosen:
    """Fig. 8: the loudest abnormal frame of further clips."""
    loudest = _loudest(scored.scores)
    return _rows(scored, {"abnormal": (loudest.tail(-2) if len(loudest) > 2 else loudest).head(ROWS)})


def failures(scored: Scored) -> Chosen:
    """Fig. 9: the worst false alarms and the worst misses, found by their scores."""
    false_alarms, misses = worst_false_alarms(scored.scores, 2), worst_misses(scored.scores, 2)
    beats, beaten = (", ".join(map("{:.0%}".format, at)) for at in (false_alarms["beats"], misses["beaten by"]))
    said = f"The false alarms score above {beats} of the abnormal frames, the misses below {beaten} of the normal ones."
    return _rows(scored, {"false alarm": false_alarms, "miss": misses}, said)


def why_patches(scored: Scored) -> Chosen | None:
    """Fig. 4: an abnormal and a normal frame whose mean errors say the opposite of their worst patches; None where
    there is no such pair, or the scores of whole frames were not kept."""
    table = scored.scores
    if "whole_frame" not in table:
        return None
    means, maxima, labels = (table[column].to_numpy() for column in ("whole_frame", "fused", "label"))
    pair = misleading_pair(means, maxima, labels)
    if pair is None:
        return None
    frames = [tuple(table[["clip", "frame"]].iloc[at]) for at in pair]
    titles = [
        f"{kind}: {clip} {frame}, mean {means[at]:.4f}, patch {maxima[at]:.1f}"
        for kind, at, (clip, frame) in zip(("abnormal", "normal"), pair, frames, strict=True)
    ]
    caption = (
        "By the mean error of the whole frame, the normal frame is more abnormal; by the worst patch (blue), it is the "
        f"other. {titles[0]}; {titles[1]}. Of all pairs, this one favours patches most; one pair proves nothing."
    )
    return Chosen(frames, titles, f"{_who(scored)}. {caption}{_signed(scored)}")


FRAMES: dict[str, Callable[[Scored], Chosen | None]] = {
    "figure1": first_detections,
    "figure4": why_patches,
    "figure8": more_detections,
    "figure9": failures,
}


def _loudest(table: pd.DataFrame) -> pd.DataFrame:
    """The loudest abnormal frame of each clip, the loudest clip first."""
    abnormal = table.query("label == 1")
    return abnormal.sort_values("fused", ascending=False, kind="stable").drop_duplicates("clip")


def _rows(scored: Scored, chosen: dict[str, pd.DataFrame], said: str = "") -> Chosen:
    """Rows of frames, by what they are."""
    named = [(kind, clip, frame) for kind, of in chosen.items() for clip, frame in of[["clip", "frame"]].to_numpy()]
    titles = [f"{kind}: {clip}, frame {frame}" for kind, clip, frame in named]
    caption = f"{_who(scored)}. {'; '.join(titles)}. {COLUMNS}{' ' if said else ''}{said}{_signed(scored)}"
    return Chosen([(clip, frame) for _, clip, frame in named], titles, caption)


def _who(scored: Scored) -> str:
    return f"{scored.recipe.name}, seed {scored.result.seed}"


def _signed(scored: Scored) -> str:
    return f" {SIGNED}" if scored.recipe.loss.motion_target == "speed" else ""


# Drawn


def _video(scored: Scored, root: Path) -> PreparedDataset:
    """The prepared dataset that the scores were made of; DatasetError where there is none."""
    prepared = dataset_for(root, scored.recipe)
    if prepared.content_hash != scored.result.data.content_hash:
        raise DatasetError(
            f"{prepared.folder} holds other data than the scores were made from. Prepare the dataset as the recipe "
            "asks, or evaluate the run on it again."
        )
    return prepared


def _drawn(name: str, chosen: Chosen, scored: Scored, prepared: PreparedDataset) -> Figure:
    net, scoring, calibration = scored.network, scored.recipe.scoring, scored.calibration
    if name == "figure4":
        steps = [score_steps(net, prepared, *at, scoring, calibration.psi)._asdict() for at in chosen.frames]
        return figures.frames_against_patches(steps, chosen.titles)
    rows = [detection_row(net, prepared, *at, scoring, calibration) for at in chosen.frames]
    return figures.detection_rows(rows, chosen.titles)
