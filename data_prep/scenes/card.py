"""A card of what a generated scene contains: measured on its own masks, tracks and exact flow, not on its settings."""

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import pandas as pd

from data_prep.scenes.render import Footage
from data_prep.scenes.stage import DIFFICULTIES
from data_prep.scenes.synthetic import Event, SceneSettings, drawn, events, scene_settings, scene_title, shots


@dataclass(frozen=True)
class SceneCard:
    """What a generated dataset contains; print it, or show its tables in a notebook."""

    title: str
    footage: pd.DataFrame  # per split and camera: clips, frames, share abnormal, and normal life
    events: pd.DataFrame  # one row per abnormal object

    def __str__(self) -> str:
        shown = (table.to_string(index=False, na_rep="-") for table in (self.footage, self.events))
        return "\n\n".join([self.title, *shown])


@cache
def scene_card(dataset: str = "synthetic", settings: SceneSettings | None = None) -> SceneCard:
    """The card of a generated dataset, or of the one with these `settings` (ours).

    Sizes are heights in pixels of objects wholly inside the frame, speeds the mean |flow| over an object in
    pixels per frame; ranges go from the 5th to the 95th percentile. Draws every clip: some 20 seconds.

    Raises SourceError for a name that is no generated dataset.
    """
    settings = settings or scene_settings(dataset)
    clips, sightings = [], []
    for shot in shots(settings):
        where, footage = {"split": shot.split, "camera": shot.camera, "clip": shot.name}, drawn(shot)
        clips.append({**where, "frames": len(footage.frames), "abnormal": footage.labels.mean()})
        sightings.append(_sightings(footage).assign(**where))
    seen, level = pd.concat(sightings), DIFFICULTIES[settings.difficulty]
    title = (
        f"{dataset}: {scene_title(settings)}; {settings.height}x{settings.width} "
        f"{'RGB' if settings.colour else 'gray'}, noise {0.8 * level.noise:.1f} levels, contrast "
        f"{level.contrast / 256:.2f}, crowd {level.crowd:.1f}, pace of fast events {level.pace:.1f}"
    )
    return SceneCard(title, _footage_table(pd.DataFrame(clips), seen), _event_table(events(settings), seen))


def _sightings(footage: Footage) -> pd.DataFrame:
    """One row per object and frame (the last, which has no flow, left out): where, how large, how fast."""
    tracks = footage.tracks[:-1]
    frame, y, x = at = np.nonzero(tracks)
    pixels = pd.DataFrame({"frame": frame, "track": tracks[at], "y": y, "x": x, "abnormal": footage.masks[at] == 1})
    pixels["speed"] = np.hypot(footage.flow[..., 0], footage.flow[..., 1])[at]
    sides = {"top": ("y", "min"), "left": ("x", "min"), "bottom": ("y", "max"), "right": ("x", "max")}
    what = {"abnormal": ("abnormal", "max"), "speed": ("speed", "mean"), **sides}
    table = pixels.groupby(["frame", "track"]).agg(**what).reset_index()
    height, width = tracks.shape[1:]
    whole = f"top > 0 and left > 0 and bottom < {height - 1} and right < {width - 1}"
    table["height"] = (table["bottom"] - table["top"] + 1.0).where(table.eval(whole))
    return table.drop(columns=list(sides))


def _footage_table(clips: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    what = {"clips": ("clip", "size"), "frames": ("frames", "sum"), "abnormal": ("abnormal", "mean")}
    table = clips.groupby(["split", "camera"], sort=False).agg(**what)
    normal = seen[~seen["abnormal"]].groupby(["split", "camera"])
    table["normal in sight"] = (normal.size() / (table["frames"] - table["clips"])).round(1)
    for name, form in (("height", "{:.0f} to {:.0f}"), ("speed", "{:.1f} to {:.1f}")):
        table[f"{name}s"] = normal[name].agg(lambda values, form=form: form.format(*values.quantile([0.05, 0.95])))
    table = table.reset_index()
    table["abnormal"] = table["abnormal"].map("{:.0%}".format).where(table["split"] == "test")
    return table


def _event_table(found: list[Event], seen: pd.DataFrame) -> pd.DataFrame:
    middle = seen[seen["abnormal"]].groupby(["clip", "track"])[["height", "speed"]].median()
    table = pd.DataFrame(found, columns=[column.name for column in fields(Event)])
    table = table.join(middle, on=["clip", "track"]).drop(columns="track")
    return table.round({"height": 0, "speed": 1}).astype({"height": "Int64"})
