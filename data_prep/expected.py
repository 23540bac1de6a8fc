"""Official counts of the public datasets, per clip, and the check of what a reader found against them."""

from collections.abc import Sequence
from dataclasses import dataclass

from data_prep.clip import Clip, SourceError


@dataclass(frozen=True)
class OfficialCounts:
    """What a complete source of one dataset holds."""

    train: dict[str, int]  # frames per training clip
    test: dict[str, int]  # frames per test clip
    mask_clips: int  # test clips that come with pixel masks
    abnormal_frames: int | None = None  # over all test clips; None: not known for certain, so not checked


def _numbered(prefix: str, counts: Sequence[int]) -> dict[str, int]:
    return {f"{prefix}{number:03d}": frames for number, frames in enumerate(counts, start=1)}


# UCSD Anomaly Dataset v1p2, http://www.svcl.ucsd.edu/projects/anomaly/. Ped2 was counted in the archive. Ped1
# is from its README (34 and 36 clips, 10 with masks) and its papers (200 frames each); two totals of its
# abnormal frames are in circulation (4005 and 4045), so that one is not checked.
OFFICIAL_COUNTS = {
    "ped1": OfficialCounts(_numbered("Train", [200] * 34), _numbered("Test", [200] * 36), mask_clips=10),
    "ped2": OfficialCounts(
        _numbered("Train", [120, 150, 150, 180, 180, 150, 150, 120, 180, 180, 180, 180, 180, 150, 150, 150]),  # 2550
        _numbered("Test", [180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180]),  # 2010
        mask_clips=12,
        abnormal_frames=1648,
    ),
}


def check_counts(dataset: str, clips: list[Clip], *, allow_incomplete: bool = False) -> None:
    """Compare clips, frames per clip, masks and abnormal frames with the official counts (ours).

    `allow_incomplete` lets whole clips be absent, never a cut one. Raises SourceError that names the clip,
    what was expected and what was found: for a cut, an unknown or a missing clip and, in complete sets, for
    missing masks and another number of abnormal frames.
    """
    official = OFFICIAL_COUNTS[dataset]
    for clip in clips:
        counts = official.train if clip.split == "train" else official.test
        _check_clip(f"{dataset}/{clip.split}/{clip.name}", clip.num_frames, counts.get(clip.name))
    missing = missing_clips(dataset, clips)
    if missing and not allow_incomplete:
        raise SourceError(
            f"{dataset}: {len(clips)} clips, expected {len(clips) + len(missing)}; missing: "
            f"{', '.join(missing)}. Download the source again, or accept it with --allow-incomplete"
        )
    if not missing:
        _check_test_totals(dataset, [clip for clip in clips if clip.split == "test"], official)


def missing_clips(dataset: str, clips: list[Clip]) -> list[str]:
    """The official clips not among `clips`, as "train/Train003"; none for datasets without counts."""
    if dataset not in OFFICIAL_COUNTS:
        return []
    official = OFFICIAL_COUNTS[dataset]
    names = [f"train/{name}" for name in official.train] + [f"test/{name}" for name in official.test]
    found = {f"{clip.split}/{clip.name}" for clip in clips}
    return [name for name in names if name not in found]


def _check_clip(where: str, found: int, expected: int | None) -> None:
    if expected is None:
        raise SourceError(f"{where}: no such clip in the official dataset; move it out of the source")
    if found != expected:
        raise SourceError(
            f"{where}: {found} frames, expected {expected} by the official count; unpack or download it again"
        )


def _check_test_totals(dataset: str, clips: list[Clip], official: OfficialCounts) -> None:
    unmasked = [clip.name for clip in clips if clip.masks is None]
    if len(clips) - len(unmasked) != official.mask_clips:
        raise SourceError(
            f"{dataset}/test: {len(clips) - len(unmasked)} clips with pixel masks, expected "
            f"{official.mask_clips}; without: {', '.join(unmasked) or 'none'}. Unpack the source again"
        )
    abnormal = sum(int(clip.labels().sum()) for clip in clips if clip.labels is not None)
    if official.abnormal_frames is not None and abnormal != official.abnormal_frames:
        raise SourceError(
            f"{dataset}/test: {abnormal} abnormal frames, expected {official.abnormal_frames} as in the "
            "official label file; was it changed?"
        )
