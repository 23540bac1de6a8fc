"""A card of what a generated scene contains: measured on its own masks, tracks and exact flow, not on its settings."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_prep.clip import Clip
from data_prep.scenes.difficulty import DIFFICULTIES
from data_prep.scenes.synthetic import SceneSettings, clip_cameras, events, read_synthetic, scene_settings, scene_title


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
    clips, cameras = read_synthetic(settings), clip_cameras(settings)
    seen = pd.concat([_sightings(clip).assign(camera=cameras[clip.split, clip.name]) for clip in clips])
    level = DIFFICULTIES[settings.difficulty]
    title = (
        f"{dataset}: {scene_title(settings)}; {settings.height}x{settings.width} "
        f"{'RGB' if settings.colour else 'gray'}, noise {0.8 * level.noise:.1f} levels, contrast "
        f"{level.contrast / 256:.2f}, crowd {level.crowd:.1f}, pace of fast events {level.pace:.1f}"
    )
    return SceneCard(title, _footage_table(clips, cameras, seen), _event_table(settings, seen))


def _sightings(clip: Clip) -> pd.DataFrame:
    """One row per object and frame (the last, which has no flow, left out): where, how large, how fast."""
    tracks, flow = clip.tracks()[:-1], np.stack(list(clip.flow()))
    masks = np.zeros_like(tracks) if clip.masks is None else np.stack(list(clip.masks()))[:-1]
    frame, y, x = np.nonzero(tracks)
    at = (frame, y, x)
    pixels = pd.DataFrame({"frame": frame, "track": tracks[at], "y": y, "x": x, "abnormal": masks[at] == 1})
    pixels["speed"] = np.hypot(flow[..., 0], flow[..., 1])[at]
    by_object = pixels.groupby(["frame", "track"])
    table = by_object.agg({"abnormal": "max", "speed": "mean"}).reset_index()
    (top, left), (bottom, right) = by_object[["y", "x"]].min().to_numpy().T, by_object[["y", "x"]].max().to_numpy().T
    inside = (top > 0) & (left > 0) & (bottom < tracks.shape[1] - 1) & (right < tracks.shape[2] - 1)
    return table.assign(height=np.where(inside, bottom - top + 1.0, np.nan), split=clip.split, clip=clip.name)


def _footage_table(clips: list[Clip], cameras: dict[tuple[str, str], int], seen: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (split, camera), group in seen.groupby(["split", "camera"], sort=False):
        own = [clip for clip in clips if clip.split == split and cameras[clip.split, clip.name] == camera]
        frames = sum(clip.num_frames for clip in own)
        normal = group[~group["abnormal"]]
        labels = [clip.labels().mean() for clip in own if clip.labels is not None]
        rows.append(
            {
                "split": split,
                "camera": camera,
                "clips": len(own),
                "frames": frames,
                "abnormal": f"{np.mean(labels):.0%}" if labels else None,
                "normal in sight": round(len(normal) / (frames - len(own)), 1),
                "heights": _range(normal["height"], "{:.0f}"),
                "speeds": _range(normal["speed"], "{:.1f}"),
            }
        )
    return pd.DataFrame(rows)


def _event_table(settings: SceneSettings, seen: pd.DataFrame) -> pd.DataFrame:
    rows = []
    abnormal = seen[seen["abnormal"]].groupby(["clip", "track"])
    for event in events(settings):
        group = abnormal.get_group((event.clip, event.track))
        rows.append(
            {
                "clip": event.clip,
                "kind": event.kind,
                "first": event.first,
                "last": event.last,
                "height": round(group["height"].median()) if group["height"].notna().any() else None,
                "speed": round(group["speed"].median(), 1),
            }
        )
    return pd.DataFrame(rows)


def _range(values: pd.Series, form: str) -> str:
    return " to ".join(form.format(value) for value in values.dropna().quantile([0.05, 0.95]))
