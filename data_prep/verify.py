"""Re-reads a prepared dataset and says of every clip whether it is what its manifest and the official counts say."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from data_prep.clip import Clip, SourceError, Split
from data_prep.expected import OFFICIAL_COUNTS, check_counts
from data_prep.files import UnreadableError, file_sha256, open_npy
from data_prep.layout import MANIFEST, ClipEntry, DatasetError, Manifest, manifests, read_manifest, stored_form
from data_prep.prepare import notes
from data_prep.words import counted


class VerificationError(ValueError):
    """There is nothing to verify: one line that says where and what to do."""


@dataclass(frozen=True)
class ClipReport:
    """What one prepared clip turned out to be."""

    clip: str  # "test/Test001"
    frames: int  # as the manifest says, and so do the arrays, or there is a problem
    expected: int | None  # by the official count; None where there is none
    abnormal: int | None  # frames; None without labels
    vanished: int  # abnormal frames whose mask has no pixel left at the stored size
    speed: float  # mean length of the flow's vectors, pixels per frame
    fastest: float  # the longest one
    problems: list[str]


@dataclass(frozen=True)
class DatasetReport:
    """The reports of all clips, and what concerns the dataset as a whole."""

    folder: Path
    clips: list[ClipReport]
    problems: list[str]
    notes: list[str]  # of the manifest: incomplete, stretched, label source

    @property
    def intact(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.problems and not any(clip.problems for clip in self.clips)

    def table(self) -> pd.DataFrame:
        """One row per clip; empty where the manifest itself is damaged."""
        rows = [
            {
                "clip": clip.clip,
                "frames": clip.frames,
                "expected": "-" if clip.expected is None else clip.expected,
                "abnormal": "-" if clip.abnormal is None else clip.abnormal,
                "mean |flow|": f"{clip.speed:.3f}",
                "largest": f"{clip.fastest:.1f}",
                "state": "FAIL" if clip.problems else "OK",
            }
            for clip in self.clips
        ]
        return pd.DataFrame(rows).set_index("clip") if rows else pd.DataFrame()

    def __str__(self) -> str:
        vanished = [
            f"{clip.clip}: {counted(clip.vanished, 'mask')} {'is' if clip.vanished == 1 else 'are'} empty at this size"
            for clip in self.clips
            if clip.vanished
        ]
        table = [self.table().to_string()] if self.clips else []
        lines = [str(self.folder), *table, *(f"note: {note}" for note in self.notes + vanished)]
        problems = self.problems + [f"{clip.clip}: {problem}" for clip in self.clips for problem in clip.problems]
        return "\n".join(lines + [f"PROBLEM: {problem}" for problem in problems])


def prepared_folders(root: Path, dataset: str | None = None) -> list[Path]:
    """Folders of prepared datasets under `root`, all or those of one dataset; VerificationError for none.

    One with a damaged manifest is among them where it may be meant: all are, or its folder is named as the dataset.
    """
    whole, damaged = manifests(root)
    folders = [folder for folder, manifest in whole.items() if dataset in (None, manifest.dataset)]
    folders += [folder for folder in damaged if dataset is None or folder.name.startswith(dataset)]
    if not folders:
        raise VerificationError(f"{root}: no prepared {dataset or 'dataset'}; prepare it: maam prepare --help")
    return sorted(folders)


def verify(folder: Path, *, progress: bool = True) -> DatasetReport:
    """Read every array of a prepared dataset and compare it with all that is known of it (ours).

    Checked: the sha256, shape and type of every array; labels and masks, their values and that they agree (a mask
    may vanish when it is made smaller); flow that is zero although the frames change, not finite, or longer than
    the frame's diagonal; frames per clip, clips, masks and abnormal frames against the official counts. Memory is
    that of a few frames. A damaged manifest is a problem of the whole dataset. Raises VerificationError without one.
    """
    folder = Path(folder)
    try:
        manifest = read_manifest(folder)
    except DatasetError as error:
        if not (folder / MANIFEST).exists():
            raise VerificationError(str(error)) from error
        return DatasetReport(folder, [], [str(error)], [])
    bar = tqdm(list(manifest.entries()), desc=folder.name, unit="clip", disable=None if progress else True)
    reports = [_report(folder, manifest, split, name, entry) for split, name, entry in bar]
    return DatasetReport(
        folder,
        reports,
        list(_problems_of_all(folder, manifest)),
        [f"labels: {manifest.label_source}", *notes(folder)],
    )


# One clip


def _report(folder: Path, manifest: Manifest, split: Split, name: str, entry: ClipEntry) -> ClipReport:
    problems: list[str] = []
    arrays: dict[str, np.ndarray] = {}
    for array, sha256 in entry.sha256.items():
        stored = _open(folder / split / name, array, sha256, problems)
        shape, dtype = stored_form(array, entry.frames, manifest.frame_size, manifest.channels)
        if stored is not None and (stored.shape, stored.dtype) == (shape, dtype):
            arrays[array] = stored
        elif stored is not None:
            problems.append(f"{array} are {stored.dtype} {stored.shape}, expected {np.dtype(dtype)} {shape}")
    is_smaller = manifest.frame_size != manifest.source.frame_size
    vanished = _check_labels(arrays, entry, is_smaller, problems)
    speed, fastest = _check_flow(arrays, problems)
    official = OFFICIAL_COUNTS.get(manifest.dataset)
    expected = official and official.of_split(split).get(name)
    return ClipReport(f"{split}/{name}", entry.frames, expected, entry.abnormal, vanished, speed, fastest, problems)


def _open(folder: Path, array: str, sha256: str, problems: list[str]) -> np.ndarray | None:
    path = folder / f"{array}.npy"
    if not path.is_file():
        problems.append(f"{array} is missing")
        return None
    if file_sha256(path) != sha256:
        problems.append(f"{array} has another checksum than when it was written")
    try:
        return open_npy(path)
    except UnreadableError as error:
        problems.append(f"{array} cannot be read ({error})")
        return None


def _check_labels(arrays: dict[str, np.ndarray], entry: ClipEntry, is_smaller: bool, problems: list[str]) -> int:
    """Labels against masks and the manifest; returns how many masks have vanished."""
    labels, masks = arrays.get("labels"), arrays.get("masks")
    if labels is not None:
        if not np.isin(labels, (0, 1)).all():
            problems.append("labels hold other values than 0 and 1")
        if int((labels == 1).sum()) != entry.abnormal:
            problems.append(f"{int((labels == 1).sum())} abnormal frames, {entry.abnormal} in the manifest")
    if masks is None:
        return 0
    if any(mask.max() > 1 for mask in masks):
        problems.append("masks hold other values than 0 and 1")
    if labels is None:
        return 0
    shown = np.array([mask.any() for mask in masks])
    vanished = np.flatnonzero((labels == 1) & ~shown)
    unlabelled = np.flatnonzero((labels == 0) & shown)
    if len(unlabelled):
        problems.append(f"frame {unlabelled[0]} is normal, but its mask is not empty ({len(unlabelled)} such frames)")
    if len(vanished) and not is_smaller:
        problems.append(f"frame {vanished[0]} is abnormal, but its mask is empty ({len(vanished)} such frames)")
    return len(vanished)


def _check_flow(arrays: dict[str, np.ndarray], problems: list[str]) -> tuple[float, float]:
    """Mean and largest length of the flow's vectors."""
    frames, flow = arrays.get("frames"), arrays.get("flow")
    if flow is None or not len(flow):
        return float("nan"), float("nan")
    speeds = (np.linalg.norm(step.astype(np.float32), axis=-1) for step in flow)
    mean, fastest = np.array([(speed.mean(), speed.max()) for speed in speeds]).T
    diagonal = float(np.hypot(*flow.shape[1:3]))
    if not np.isfinite(fastest).all():
        problems.append(f"flow {np.flatnonzero(~np.isfinite(fastest))[0]} is not finite")
    elif fastest.max() > diagonal:
        problems.append(f"flow {fastest.argmax()} has vectors of {fastest.max():.0f} pixels, longer than the frame")
    if not fastest.any() and frames is not None and any((frame != frames[0]).any() for frame in frames):
        problems.append("flow is zero everywhere, although the frames change")
    return float(mean.mean()), float(fastest.max())


# The dataset as a whole


def _problems_of_all(folder: Path, manifest: Manifest) -> Iterator[str]:
    if manifest.dataset in OFFICIAL_COUNTS:
        incomplete, official_labels = not manifest.complete, manifest.source.labels_sha256 is None
        clips = [_recorded(split, name, entry) for split, name, entry in manifest.entries()]
        try:
            check_counts(manifest.dataset, clips, allow_incomplete=incomplete, official_labels=official_labels)
        except SourceError as error:
            yield str(error)
    known = {(split, name) for split, name, _ in manifest.entries()}
    for path in sorted(folder.glob("t*/*/")):
        if (path.parent.name, path.name) not in known:
            yield f"{path} is not in the manifest; delete it"


def _recorded(split: Split, name: str, entry: ClipEntry) -> Clip:
    """A clip as the check of the counts takes it, by the manifest, with which its arrays are compared."""
    labels = None if entry.abnormal is None else partial(np.ones, entry.abnormal)
    masks = partial(iter, ()) if "masks" in entry.sha256 else None
    return Clip(split, name, entry.frames, frames=partial(iter, ()), labels=labels, masks=masks)
