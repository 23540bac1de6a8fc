"""The register of readers: every dataset is there, says what it was made from, and keeps to the contract."""

from pathlib import Path

import pytest

from data_prep.clip import Clip
from data_prep.expected import OFFICIAL_COUNTS
from data_prep.scenes.synthetic import SceneSettings, read_synthetic
from data_prep.sources import READERS, Request
from tests.fake_sources import FAKE_COUNTS, write_avenue, write_footage, write_shanghaitech
from tests.reader_contract import ReaderContract


class TestContract(ReaderContract):
    @pytest.fixture
    def clips(self) -> list[Clip]:
        return read_synthetic(SceneSettings(height=32, width=48, train_clips=1, test_clips=1, frames_per_clip=40))


@pytest.fixture
def sources(ped1: Path, ped2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A fake source of every dataset that needs one."""
    for dataset, counts in FAKE_COUNTS.items():
        monkeypatch.setitem(OFFICIAL_COUNTS, dataset, counts)
    return {
        "ped1": ped1,
        "ped2": ped2,
        "avenue": write_avenue(tmp_path / "avenue"),
        "shanghaitech": write_shanghaitech(tmp_path),
        "videos": write_footage(tmp_path),
    }


def test_every_reader_says_what_it_read(sources: dict[str, Path], tmp_path: Path) -> None:
    assert set(sources) == {name for name, reader in READERS.items() if not reader.generated}
    for dataset, source in sources.items():
        request = Request(dataset, source, tmp_path / "data")
        read = READERS[dataset].read(request, tmp_path / "scratch")
        assert len(read.clips) == 4
        assert read.name
        assert read.label_source
        parts = READERS[dataset].parts(request)
        assert sum(len(part.files()) for part in parts) >= 4
        assert read.notes == []


@pytest.mark.parametrize(
    ("dataset", "clips", "frames"),
    [
        ("ped1", (34, 36), (6800, 7200)),
        ("ped2", (16, 12), (2550, 2010)),
        ("avenue", (16, 21), (15_328, 15_324)),
        ("shanghaitech", (330, 107), (274_515, 40_791)),
    ],
)
def test_official_totals(dataset: str, clips: tuple[int, int], frames: tuple[int, int]) -> None:
    official = OFFICIAL_COUNTS[dataset]
    assert (official.num_clips("train"), official.num_clips("test")) == clips
    totals = [
        official.totals.get(split, (0, sum(filter(None, official.of_split(split).values()))))
        for split in ("train", "test")
    ]
    assert tuple(total for _, total in totals) == frames


def test_ped1_has_masks_for_ten_clips_and_no_total_that_is_not_certain() -> None:
    assert (OFFICIAL_COUNTS["ped1"].mask_clips, OFFICIAL_COUNTS["ped1"].abnormal_frames) == (10, None)
