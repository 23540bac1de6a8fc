"""Which events a score finds, by what is abnormal in them (ours; the paper counts frames only).

What is in a clip is labelled by hand, object by object, and kept in a small file (reports/ped2_events.yaml). An event
is an unbroken span of frames with such an object. Scores are tables of clip, frame, label, and a column per score,
higher = more abnormal. Each score has its own threshold: the lowest at which at most FALSE_ALARMS of all normal frames
are found. It is set on test labels: it shows what scores find at equal false alarms, and nothing may be chosen by it.
"""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_prep.files import UnreadableError, in_form, read_text
from data_prep.layout import ClipName, Name
from maam_lib.recipes import PlainYamlError, parse

FALSE_ALARMS = 0.1  # share of the normal frames
KEYS = ["clip", "frame", "label"]
Kind = Literal["bicycle", "cart", "skater", "wheelchair"]
Frame = Annotated[int, Field(ge=0, le=10**9)]


class _Labelled(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AbnormalObject(_Labelled):
    """One abnormal object of a test clip: what it is, and the frames that it is in, from 0, both included."""

    clip: ClipName
    what: Kind
    first: Frame
    last: Frame

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "AbnormalObject":
        if self.last < self.first:
            raise ValueError(f"last is {self.last}, expected {self.first} or more")
        return self


class EventLabels(_Labelled):
    """All abnormal objects of a dataset's test clips, and who labelled them how."""

    dataset: Name
    labelled_by: str
    how: str
    objects: Annotated[list[AbnormalObject], Field(min_length=1)]

    def table(self) -> pd.DataFrame:
        """One row per object: clip, what, first, last."""
        return pd.DataFrame([thing.model_dump() for thing in self.objects])


def read_event_labels(path: Path) -> EventLabels:
    """A file of labelled objects; raises UnreadableError naming the file, the key and what is expected."""
    try:
        content = parse(read_text(path))
    except PlainYamlError as error:
        raise UnreadableError(f"{path}: not readable as YAML: {error}") from error
    return in_form(content, EventLabels, str(path))


def events_of(objects: pd.DataFrame) -> pd.DataFrame:
    """The unbroken spans of frames with at least one object, as rows of clip, what, first, last.

    objects: rows of the same columns. What is in a span is every kind of its objects, as "bicycle, skater".
    """
    ordered = objects.sort_values(["clip", "first", "last"], kind="stable")
    end = ordered.groupby("clip", sort=False)["last"].cummax().groupby(ordered["clip"], sort=False).shift()
    begins = end.isna() | (ordered["first"] > end + 1)
    grouped = ordered.groupby(begins.cumsum().to_numpy())
    spans = grouped.agg(clip=("clip", "first"), what=("what", _in_words), first=("first", "min"), last=("last", "max"))
    return spans.reset_index(drop=True)


def found_frames(scores: pd.DataFrame, false_alarms: float = FALSE_ALARMS) -> pd.DataFrame:
    """Which frames each score finds at its own threshold: the same table with true and false in place of scores.

    Raises ValueError for a share of false alarms outside [0, 1), and for a table without a normal frame.
    """
    if not 0 <= false_alarms < 1:
        raise ValueError(f"false_alarms is {false_alarms}; expected a share of the normal frames, from 0 to below 1")
    normal = (scores["label"] == 0).to_numpy()
    if not normal.any():
        raise ValueError("no normal frame, so there is no share of false alarms to set a threshold by")
    allowed = min(math.floor(round(false_alarms * normal.sum(), 6)), normal.sum() - 1)
    columns = {name: scores[name].to_numpy(np.float64) for name in _score_columns(scores)}
    return scores.assign(**{name: s > np.sort(s[normal])[-allowed - 1] for name, s in columns.items()})


def events_found(scores: pd.DataFrame, events: pd.DataFrame, false_alarms: float = FALSE_ALARMS) -> pd.DataFrame:
    """How much of each event each score finds, at the same share of false alarms.

    events: rows of clip, what, first, last, from `events_of`, or single objects. Returned with `frames`, how many are
    scored, and for every score a column of its name, the share of these frames that it finds, and one "... delay", the
    frames from the event's first scored frame to the first that is found; nan where none is. Raises ValueError for
    events that are not those of the labels.
    """
    found = found_frames(scores, false_alarms)
    rows, covered = [], np.zeros(len(found), bool)
    for event in events.to_dict("records"):
        inside = _inside(found, event)
        covered |= inside
        row: dict[str, Any] = {**event, "frames": int(inside.sum())}
        for name in _score_columns(scores):
            hits = found.loc[inside, name].to_numpy()
            row |= {name: float(hits.mean()), f"{name} delay": float(hits.argmax()) if hits.any() else math.nan}
        rows.append(row)
    _check_labels(found, covered)
    return pd.DataFrame(rows)


def kinds_found(scores: pd.DataFrame, objects: pd.DataFrame, false_alarms: float = FALSE_ALARMS) -> pd.DataFrame:
    """The share of the abnormal frames that each score finds, by what is in the frame: "bicycle", "bicycle, cart" ...

    One row per set of kinds that is ever seen together, with `frames`; the last row, "all", is of all abnormal frames.
    Raises ValueError for objects that are not those of the labels.
    """
    found = found_frames(scores, false_alarms)
    words = _what_is_in(found, objects)
    groups = {what: words == what for what in np.unique(words[words != ""]).tolist()} | {"all": words != ""}
    shares = {
        what: {"frames": int(inside.sum())} | {name: found.loc[inside, name].mean() for name in _score_columns(scores)}
        for what, inside in groups.items()
    }
    return pd.DataFrame.from_dict(shares, orient="index").astype({"frames": int})


def typical_frames(
    scores: pd.DataFrame, objects: pd.DataFrame, by: str, false_alarms: float = FALSE_ALARMS
) -> pd.DataFrame:
    """One frame each for every kind of object that is alone in a frame, found and missed by one score: that of the
    median score among such frames (the lower one of two). Columns what, found, clip, frame; a kind that is never
    missed, or never found, has one row. Errors as `kinds_found`.
    """
    found = found_frames(scores, false_alarms)
    table = scores.assign(what=_what_is_in(found, objects), found=found[by], score=scores[by])
    rows = []
    for kind, was_found in product(sorted(set(objects["what"])), (True, False)):
        chosen = table.loc[(table["what"] == kind) & (table["found"] == was_found)]
        if len(chosen):
            rows.append(chosen.sort_values("score", kind="stable").iloc[(len(chosen) - 1) // 2])
    return pd.DataFrame(rows, columns=["what", "found", "clip", "frame"]).reset_index(drop=True)


def _what_is_in(table: pd.DataFrame, objects: pd.DataFrame) -> np.ndarray:
    """Text (T,): the kinds of the objects in each frame, "" where there is none; checked against the labels."""
    seen: list[set[str]] = [set() for _ in range(len(table))]
    for thing in objects.to_dict("records"):
        for i in np.flatnonzero(_inside(table, thing)):
            seen[i].add(thing["what"])
    _check_labels(table, np.array([bool(kinds) for kinds in seen]))
    return np.array([_in_words(kinds) for kinds in seen])


def _score_columns(scores: pd.DataFrame) -> list[str]:
    return [name for name in scores.columns if name not in KEYS]


def _inside(table: pd.DataFrame, event: dict[Any, Any]) -> np.ndarray:
    """The rows of a table that lie in an event, bool (T,); ValueError where there is none."""
    inside = ((table["clip"] == event["clip"]) & table["frame"].between(event["first"], event["last"])).to_numpy()
    if not inside.any():
        frames = f"{event['clip']}, frames {event['first']} to {event['last']}"
        raise ValueError(f"{frames}: an event ({event['what']}), but no score; are the events of this dataset?")
    return inside


def _check_labels(table: pd.DataFrame, covered: np.ndarray) -> None:
    """Raises ValueError where abnormal frames and those of events differ."""
    wrong = np.flatnonzero(covered != (table["label"] == 1).to_numpy())
    if len(wrong):
        clip, frame, label = table[KEYS].iloc[wrong[0]]
        what = "is abnormal, but no event has it" if label == 1 else "is normal, but an event has it"
        raise ValueError(f"{clip}, frame {frame} {what} ({len(wrong)} such frames); are the events of this dataset?")


def _in_words(kinds: Sequence[str] | set[str] | pd.Series) -> str:
    return ", ".join(sorted(set(kinds)))
