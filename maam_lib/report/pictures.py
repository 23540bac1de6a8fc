"""What the paper's pictures show, of a network of ours: Figs. 1, 4, 7, 8, 9, each with a caption that names its frames.

Frames are chosen by the scores of all test frames, so the network runs on the few that are shown.
"""

import io
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from maam_lib import figures
from maam_lib.analysis import misleading_pair, worst_false_alarms, worst_misses
from maam_lib.data import PreparedDataset
from maam_lib.evaluation import detection_row, score_steps
from maam_lib.report.collection import Scored

CURVES = 6  # clips of Fig. 7, those with the most change between normal and abnormal first
ROWS = 4  # clips of Fig. 8
COLUMNS = (
    "Left to right: frame, appearance error, motion error, both fused, and the place: blue where the fused patch sum "
    "passes the threshold calibrated on training frames, orange the truth."
)


class Picture(NamedTuple):
    """A figure with what it shows."""

    figure: Figure
    caption: str

    @property
    def png(self) -> str:
        """As base64."""
        image = io.BytesIO()
        self.figure.savefig(image, format="png", dpi=110)
        return b64encode(image.getvalue()).decode("ascii")


def score_curves(scored: Scored) -> Picture:
    """Fig. 7: scores over time, abnormal spans shaded; needs no video."""
    clips = {str(clip): table for clip, table in scored.scores.groupby("clip", sort=False)}
    changing = sorted(clips, key=lambda clip: clips[clip]["label"].nunique() < 2)[:CURVES]
    names = sorted(changing)
    figure = figures.score_curves({clip: clips[clip] for clip in names}, threshold=scored.calibration.threshold)
    shaded = "abnormal spans orange, dashed the calibrated threshold"
    return Picture(figure, f"Anomaly score over time, clips {', '.join(names)}; {shaded}.")


def first_detections(scored: Scored, prepared: PreparedDataset) -> Picture:
    """Fig. 1: the two clips with the loudest abnormal frames, and the loudest false alarm."""
    abnormal, normal = _loudest(scored.scores).head(2), worst_false_alarms(scored.scores, 1)
    return _rows(scored, prepared, {"abnormal": abnormal, "normal": normal})


def more_detections(scored: Scored, prepared: PreparedDataset) -> Picture:
    """Fig. 8: the loudest abnormal frame of further clips."""
    loudest = _loudest(scored.scores)
    return _rows(scored, prepared, {"abnormal": (loudest.tail(-2) if len(loudest) > 2 else loudest).head(ROWS)})


def failures(scored: Scored, prepared: PreparedDataset) -> Picture:
    """Fig. 9: the worst false alarms and the worst misses, found by their scores."""
    false_alarms, misses = worst_false_alarms(scored.scores, 2), worst_misses(scored.scores, 2)
    picture = _rows(scored, prepared, {"false alarm": false_alarms, "miss": misses})
    beats = ", ".join(f"{share:.0%}" for share in false_alarms["beats"])
    beaten = ", ".join(f"{share:.0%}" for share in misses["beaten by"])
    said = f"The false alarms score above {beats} of the abnormal frames, the misses below {beaten} of the normal ones."
    return picture._replace(caption=f"{picture.caption} {said}")


def why_patches(scored: Scored, prepared: PreparedDataset) -> Picture | None:
    """Fig. 4: an abnormal and a normal frame whose mean errors say the opposite of their worst patches; None where
    there is no such pair, or the scores of whole frames were not kept."""
    table = scored.scores
    if "whole_frame" not in table:
        return None
    means, maxima, labels = (table[column].to_numpy() for column in ("whole_frame", "fused", "label"))
    pair = misleading_pair(means, maxima, labels)
    if pair is None:
        return None
    net, psi, rows, titles = scored.network, scored.calibration.psi, [], []
    for kind, at in zip(("abnormal", "normal"), pair, strict=True):
        clip, frame = _keys(table)[at]
        rows.append(score_steps(net, prepared, clip, frame, scored.recipe.scoring, psi)._asdict())
        titles.append(f"{kind}: {clip} {frame}, mean {means[at]:.4f}, patch {maxima[at]:.1f}")
    caption = (
        "The mean error of the whole frame says that the normal one is the more abnormal; the worst patch (blue) says "
        f"the opposite. {titles[0]}; {titles[1]}. The pair that speaks loudest for patches: one pair proves nothing."
    )
    return Picture(figures.frames_against_patches(rows, titles), caption)


PICTURES: dict[str, Callable[[Scored, PreparedDataset], Picture | None]] = {
    "figure1": first_detections,
    "figure4": why_patches,
    "figure8": more_detections,
    "figure9": failures,
}


def _loudest(table: pd.DataFrame) -> pd.DataFrame:
    """The loudest abnormal frame of each clip, the loudest clip first."""
    abnormal = table.query("label == 1")
    return abnormal.sort_values("fused", ascending=False, kind="stable").drop_duplicates("clip")


def _keys(table: pd.DataFrame) -> list[tuple[str, int]]:
    """Clip and frame of each row."""
    return list(zip(table["clip"].tolist(), table["frame"].tolist(), strict=True))


def _rows(scored: Scored, prepared: PreparedDataset, chosen: dict[str, pd.DataFrame]) -> Picture:
    """Rows of frames, by what they are."""
    named = [(kind, *key) for kind, table in chosen.items() for key in _keys(table)]
    net, scoring, calibration = scored.network, scored.recipe.scoring, scored.calibration
    rows = [detection_row(net, prepared, clip, frame, scoring, calibration) for _, clip, frame in named]
    titles = [f"{kind}: {clip}, frame {frame}" for kind, clip, frame in named]
    return Picture(figures.detection_rows(rows, titles), f"{'; '.join(titles)}. {COLUMNS}")
