"""Flow that was estimated elsewhere into a new prepared dataset beside the old one, which is only read.

<root>/<dataset>-<H>x<W>-<name>/     the same frames, labels, masks and tracks, other flow

The units of such flow are the field's silent trap: flow estimated on enlarged frames, or resized without its
vectors, is off by a factor that shifts the balance of both losses and of psi. So it is held against DIS first.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.clip import Clip, Split
from data_prep.clip_files import clear_litter, ensure_clip
from data_prep.files import UnreadableError, in_form, in_turn, open_npy, read_json, write_json
from data_prep.flow import FLOW_ESTIMATORS, FLOW_UNITS
from data_prep.flow_agreement import Agreement, compare_with_dis
from data_prep.flow_files import FlowFileError, FlowFiles, find_flow
from data_prep.frames import by, resize_flow
from data_prep.layout import MANIFEST, Array, ClipEntry, FlowEntry, Head, HowMade, Manifest, read_manifest
from data_prep.prepare import PreparationError, clear_errors, versions

COMPARED_PAIRS = 32  # of frames, evenly spread over all clips
Files = dict[tuple[Split, str], FlowFiles]


@dataclass(frozen=True)
class FlowImport:
    """Flow files that fit a prepared dataset, checked and compared; nothing is written yet."""

    source: Path  # the prepared dataset, only read
    target: Path  # the new one
    manifest: Manifest  # of the source, with the flow of the target
    pixels_of: tuple[int, int]  # the frame size whose pixels the vectors count
    files: Files
    agreement: Agreement
    warnings: list[str]

    def __str__(self) -> str:
        size = next(iter(self.files.values())).size
        number = sum(files.num_fields for files in self.files.values())
        name, beside = self.manifest.flow.estimator, self.agreement
        lines = [f"flow {name}: {number} fields of {by(size)}, vectors read in pixels of {by(self.pixels_of)}"]
        if beside.scale is not None:
            lines.append(
                f"compared with DIS, where something moves in {beside.pairs} pairs of frames: correlation "
                f"{beside.correlation['as they are']:.2f}, scale {beside.scale:.2f} (1: the same units), on still "
                f"ground {beside.still:.2f} of that speed"
            )
        return "\n".join(lines + [f"WARNING: {warning}" for warning in self.warnings])


def plan_import(
    source: Path, flow_folder: Path, *, name: str | None = None, units: tuple[int, int] | None = None
) -> FlowImport:
    """Check flow files against a prepared dataset and compare them with DIS, writing nothing (ours; item 17).

    source: folder of the prepared dataset. flow_folder: see `data_prep.flow_files`. name: of the estimator,
    None for the one in its flow.json. units: the frame size (H, W) whose pixels the vectors count, None for the
    files' own size; (1, 1) for fractions of the frame. Resizing to the stored frames scales vectors with it.

    Raises DatasetError for a damaged dataset; FlowFileError for files that do not fit; PreparationError: no prepared
    dataset, no name or one of the kit's own, units that are no size.
    """
    source, flow_folder = Path(source), Path(flow_folder)
    if not (source / MANIFEST).exists():
        raise PreparationError(f"{source}: no finished prepared dataset (no {MANIFEST}); run `maam prepare`")
    manifest, made = read_manifest(source), _how_made(flow_folder)
    _check_name(name := name or made.name or "")
    if units is not None and min(units) < 1:
        raise PreparationError(f"--units {units[0]} {units[1]}: expected a frame size, height and width of 1 or more")
    files: Files = {
        (split, clip): find_flow(flow_folder, split, clip, entry.frames) for split, clip, entry in manifest.entries()
    }
    (first, size), *others = [(f"{split}/{clip}", found.size) for (split, clip), found in files.items()]
    for clip, other in others:
        if other != size:
            raise FlowFileError(
                f"{flow_folder}: flow of {by(other)} for {clip}, but {by(size)} for {first}; expected one size for all "
                "clips. Estimate them again"
            )
    pixels_of = units or size
    agreement = _compare(source, files, pixels_of, manifest.frame_size)
    warnings = agreement.warnings(pixels_of)
    if made.random_weights:
        warnings = ["made with RANDOM WEIGHTS: noise that only tests the process, never a result", *warnings]
    flow = {
        "estimator": name,
        "settings": {
            "method": "imported",
            "made": made.model_dump(exclude={"versions"}, exclude_unset=True) or "not recorded",
            "size": list(size),
            "vectors_in_pixels_of": list(pixels_of),
        },
        "units": FLOW_UNITS,
        "imported": {
            "folder": flow_folder.resolve().name,
            "listing_sha256": _listing_hash(files, flow_folder),
            "beside_dis": asdict(agreement),
            "warnings": warnings,
            "made_with": made.versions,
        },
    }
    changes = {"flow": FlowEntry.model_validate(flow), "versions": versions()}
    target = source.parent / f"{manifest.dataset}-{by(manifest.frame_size)}-{name}"
    manifest = manifest.model_copy(update=changes)
    return FlowImport(source, target, manifest, pixels_of, files, agreement, warnings)


def write_import(plan: FlowImport, *, progress: bool = True) -> Path:
    """Write the new prepared dataset and return its folder (ours).

    The same call goes on after an interruption, and a finished import of the same files is returned at once. While
    another process writes the folder this call waits, and says so. progress: a bar on stderr, in a terminal only.

    Raises FlowFileError for a vector that is none; PreparationError: the source damaged, another import under this
    name, full disk. Finished clips stay, and the source is never touched.
    """
    with in_turn(plan.target, "written"):
        if not (plan.target / MANIFEST).exists():
            clear_litter(plan.target)
            try:
                with clear_errors(plan.target):
                    clips = _write_clips(plan, progress)
                    write_json(plan.target / MANIFEST, plan.manifest.model_copy(update={"clips": clips}).as_written())
            finally:
                clear_litter(plan.target)
        elif read_manifest(plan.target).flow.as_written() != plan.manifest.flow.as_written():
            raise PreparationError(
                f"{plan.target} holds an import of other flow files; delete it or take another --name"
            )
    return plan.target


def _write_clips(plan: FlowImport, progress: bool) -> dict[Split, dict[str, ClipEntry]]:
    head = Head.model_validate({key: getattr(plan.manifest, key) for key in Head.model_fields})
    clips: dict[Split, dict[str, ClipEntry]] = {"train": {}, "test": {}}
    entries = list(plan.manifest.entries())
    for split, name, entry in tqdm(entries, unit="clip", desc=plan.target.name, disable=None if progress else True):
        record = ensure_clip(_clip(plan, split, name, entry), plan.target, head)
        for array in entry.sha256.keys() - {"flow"}:
            if record.sha256[array] != entry.sha256[array]:
                path = plan.source / split / name / f"{array}.npy"
                raise PreparationError(f"{path} does not match its manifest; prepare the dataset again")
        clips[split][name] = entry.model_copy(update={"sha256": record.sha256})
    return clips


def _how_made(flow_folder: Path) -> HowMade:
    """What `learned_flow.py` says of its flow; nothing for flow of any other origin."""
    if not flow_folder.is_dir():
        raise PreparationError(f"{flow_folder}: no such folder; expected <split>/<clip>/ with flow files in it")
    path = flow_folder / "flow.json"
    try:
        return in_form(read_json(path), HowMade, str(path))
    except FileNotFoundError:
        return HowMade()
    except UnreadableError as error:
        raise PreparationError(f"{error}; delete it and give a --name") from error


def _check_name(name: str) -> None:
    if not name:
        raise PreparationError("no name for this flow; say which estimator made it, for example --name flownet2")
    if name in FLOW_ESTIMATORS or name == "exact":
        raise PreparationError(f"--name {name} is an estimator of the kit (`maam prepare --flow`); take another name")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,79}", name):
        raise PreparationError(
            f"--name {name!r}: expected small letters, digits, '-', '_' and '.', 80 at most, as in flownet2"
        )


def _listing_hash(files: Files, flow_folder: Path) -> str:
    """sha256 over names, sizes and times of the files: tells flow that was estimated again from the first."""
    digest = hashlib.sha256()
    for path in (path for found in files.values() for path in found.paths):
        stat = path.stat()
        digest.update(f"{path.relative_to(flow_folder).as_posix()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


# Comparing and writing


def _compare(source: Path, files: Files, pixels_of: tuple[int, int], size: tuple[int, int]) -> Agreement:
    places = [(key, t) for key, found in files.items() for t in range(found.num_fields)]
    chosen = np.unique(np.linspace(0, len(places) - 1, COMPARED_PAIRS).round().astype(int))

    def triples() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for (split, clip), t in (places[index] for index in chosen):
            frames = _stored(source, split, clip, "frames")
            flow = _in_own_pixels(files[split, clip].field(t), pixels_of)
            yield frames[t], frames[t + 1], resize_flow(flow, size)

    return compare_with_dis(triples())


def _in_own_pixels(field: np.ndarray, pixels_of: tuple[int, int]) -> np.ndarray:
    """float32 (H, W, 2) whose vectors count pixels of a frame of size `pixels_of`, to pixels at its own size."""
    height, width = field.shape[:2]
    return field * np.array([width / pixels_of[1], height / pixels_of[0]], np.float32)


def _clip(plan: FlowImport, split: Split, name: str, entry: ClipEntry) -> Clip:
    """A clip of the source with the imported flow in place of its own."""
    stored = {array: partial(_stored, plan.source, split, name, array) for array in entry.sha256}
    fields = plan.files[split, name].fields
    return Clip(
        split,
        name,
        entry.frames,
        frames=lambda: iter(stored["frames"]()),
        flow=lambda: (_in_own_pixels(field, plan.pixels_of) for field in fields()),
        labels=stored.get("labels"),
        masks=stored.get("masks"),
        tracks=stored.get("tracks"),
    )


def _stored(source: Path, split: Split, clip: str, array: Array) -> np.ndarray:
    path = source / split / clip / f"{array}.npy"
    try:
        return open_npy(path)
    except UnreadableError as error:
        raise PreparationError(f"{error}; prepare the dataset again") from error
