"""Official counts of the public datasets, per clip, and the check of what a reader found against them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from data_prep.clip import Clip, SourceError
from data_prep.words import counted


@dataclass(frozen=True)
class OfficialCounts:
    """What a complete source of one dataset holds."""

    train: dict[str, int | None]  # frames per training clip; None: known for all of them together only
    test: dict[str, int | None]  # frames per test clip; without any entry, the names of the clips are not known either
    mask_clips: int  # test clips that come with pixel masks
    abnormal_frames: int | None = None  # over all test clips; None: not known for certain, so not checked
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)  # split: clips, frames; where not given per clip

    def of_split(self, split: str) -> dict[str, int | None]:
        """Frames per clip of one split."""
        return self.train if split == "train" else self.test

    def num_clips(self, split: str) -> int:
        """Clips of one split."""
        return self.totals[split][0] if split in self.totals else len(self.of_split(split))


def _numbered(prefix: str, counts: Sequence[int | None], digits: int = 3) -> dict[str, int | None]:
    return {f"{prefix}{number:0{digits}d}": frames for number, frames in enumerate(counts, start=1)}


# UCSD Anomaly Dataset v1p2, http://www.svcl.ucsd.edu/projects/anomaly/. Ped2 was counted in the archive. Ped1
# is from its README (34 and 36 clips, 10 with masks) and its papers (200 frames each); two totals of its
# abnormal frames are in circulation (4005 and 4045), so that one is not checked.
# CUHK Avenue, http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/: frames per test clip as many public loaders
# list them, in agreement with the official total of 15,324; of the training clips only the total is known for certain.
# ShanghaiTech Campus, https://svip-lab.github.io/dataset/campus_dataset.html: totals (the 42,883 test frames of
# its paper's table are wrong).
_AVENUE_TEST = (1439, 1211, 923, 947, 1007, 1283, 605, 36, 1175, 841, 472, 1271, 549, 507, 1001, 740)  # 01 to 16
_AVENUE_TEST += (426, 294, 248, 273, 76)  # to 21
OFFICIAL_COUNTS = {
    "ped1": OfficialCounts(_numbered("Train", [200] * 34), _numbered("Test", [200] * 36), mask_clips=10),
    "ped2": OfficialCounts(
        _numbered("Train", [120, 150, 150, 180, 180, 150, 150, 120, 180, 180, 180, 180, 180, 150, 150, 150]),  # 2550
        _numbered("Test", [180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180]),  # 2010
        mask_clips=12,
        abnormal_frames=1648,
    ),
    "avenue": OfficialCounts(
        _numbered("", [None] * 16, digits=2),
        _numbered("", _AVENUE_TEST, digits=2),
        mask_clips=21,
        abnormal_frames=3712,
        totals={"train": (16, 15_328)},
    ),
    "shanghaitech": OfficialCounts(
        {},
        {},
        mask_clips=107,
        abnormal_frames=17_326,
        totals={"train": (330, 274_515), "test": (107, 40_791)},
    ),
}


def check_counts(
    dataset: str, clips: list[Clip], *, allow_incomplete: bool = False, official_labels: bool = True
) -> None:
    """Compare clips, frames, masks and abnormal frames with the official counts (ours).

    `allow_incomplete` lets whole clips be absent, never a cut one. official_labels=False (other labels were chosen)
    leaves out masks and abnormal frames. Raises SourceError that names the clip, what was expected and what
    was found: for a cut, an unknown or a missing clip and, in complete sets, for another number of frames, for
    missing masks and for another number of abnormal frames.
    """
    official = OFFICIAL_COUNTS[dataset]
    for clip in clips:
        where, counts = f"{dataset}/{clip.split}/{clip.name}", official.of_split(clip.split)
        if counts and clip.name not in counts:
            raise SourceError(f"{where}: no such clip in the official dataset; move it out of the source")
        expected = counts.get(clip.name)
        if expected not in (None, clip.num_frames):
            raise SourceError(
                f"{where}: {counted(clip.num_frames, 'frame')}, expected {expected} by the official count; unpack or "
                "download it again"
            )
    missing = missing_clips(dataset, clips)
    if missing and not allow_incomplete:
        expected = official.num_clips("train") + official.num_clips("test")
        raise SourceError(
            f"{dataset}: {counted(len(clips), 'clip')}, expected {expected}; missing: "
            f"{', '.join(missing)}. Download the source again, or accept it with --allow-incomplete"
        )
    for split in official.totals:
        _check_split(dataset, split, [clip for clip in clips if clip.split == split], *official.totals[split])
    if not missing and official_labels:
        _check_test_totals(dataset, [clip for clip in clips if clip.split == "test"], official)


def missing_clips(dataset: str, clips: list[Clip]) -> list[str]:
    """The official clips that are absent, such as "train/Train002"; where their names are not known, how many are."""
    missing = []
    for split in ("train", "test") if dataset in OFFICIAL_COUNTS else ():
        names, expected = OFFICIAL_COUNTS[dataset].of_split(split), OFFICIAL_COUNTS[dataset].num_clips(split)
        found = {clip.name for clip in clips if clip.split == split}
        missing += [f"{split}/{name}" for name in names if name not in found]
        if not names and len(found) < expected:
            missing.append(f"{expected - len(found)} of {expected} {split} clips")
    return missing


def _check_split(dataset: str, split: str, clips: list[Clip], num_clips: int, num_frames: int) -> None:
    frames = sum(clip.num_frames for clip in clips)
    if len(clips) > num_clips:
        raise SourceError(
            f"{dataset}/{split}: {counted(len(clips), 'clip')}, expected {num_clips}; is another dataset among them?"
        )
    if len(clips) == num_clips and frames != num_frames:
        raise SourceError(
            f"{dataset}/{split}: {counted(frames, 'frame')}, expected {num_frames} by the official count; was a clip "
            "cut or converted? Unpack or download it again"
        )


def _check_test_totals(dataset: str, clips: list[Clip], official: OfficialCounts) -> None:
    unmasked = [clip.name for clip in clips if clip.masks is None]
    if len(clips) - len(unmasked) != official.mask_clips:
        raise SourceError(
            f"{dataset}/test: {counted(len(clips) - len(unmasked), 'clip')} with pixel masks, expected "
            f"{official.mask_clips}; without: {', '.join(unmasked) or 'none'}; unpack or download them again"
        )
    abnormal = sum(int(clip.labels().sum()) for clip in clips if clip.labels is not None)
    if official.abnormal_frames is not None and abnormal != official.abnormal_frames:
        raise SourceError(
            f"{dataset}/test: {counted(abnormal, 'abnormal frame')}, expected {official.abnormal_frames} as in the "
            "official label file; was it changed?"
        )
