"""A card of what a generated scene contains: measured on its own masks, tracks and exact flow, not on its settings."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from data_prep.clip import Split
from data_prep.scenes.difficulty import DIFFICULTIES
from data_prep.scenes.render import Footage
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
    rows = []
    for split in get_args(Split):
        of_split = clips.query("split == @split")
        for camera in sorted(set(of_split["camera"])):
            own = of_split.query("camera == @camera")
            normal = seen.query("split == @split and camera == @camera and not abnormal")
            frames = sum(own["frames"])
            rows.append(
                {
                    "split": split,
                    "camera": camera,
                    "clips": len(own),
                    "frames": frames,
                    "abnormal": f"{own['abnormal'].mean():.0%}" if split == "test" else None,
                    "normal in sight": round(len(normal) / (frames - len(own)), 1),
                    "heights": _range(normal["height"].to_numpy(), "{:.0f}"),
                    "speeds": _range(normal["speed"].to_numpy(), "{:.1f}"),
                }
            )
    return pd.DataFrame(rows)


def _event_table(found: list[Event], seen: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for event in found:
        own = seen.query("clip == @event.clip and track == @event.track and abnormal")
        heights = own["height"].dropna().to_numpy()
        rows.append(
            {
                "clip": event.clip,
                "kind": event.kind,
                "first": event.first,
                "last": event.last,
                "height": round(float(np.median(heights))) if len(heights) else None,
                "speed": round(float(np.median(own["speed"].to_numpy())), 1),
            }
        )
    return pd.DataFrame(rows)


def _range(values: np.ndarray, form: str) -> str:
    return " to ".join(form.format(value) for value in np.nanquantile(values, [0.05, 0.95]))
