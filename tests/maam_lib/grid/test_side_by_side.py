"""The scores of rows without a network, of the kept network and of runs, joined frame by frame."""

from pathlib import Path

import pandas as pd
import pytest

from data_prep.files import write_json
from maam_lib.grid import ResultError, results, scores_side_by_side
from tests.results import rows_without_learning

RECIPE = "ped2-laptop"
FRAMES = pd.DataFrame({"clip": ["001", "001", "002"], "frame": [0, 1, 0], "label": [0, 1, 0]})


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for reports/reference/ped2-laptop."""
    folder = tmp_path / RECIPE
    folder.mkdir()
    monkeypatch.setattr(results, "REFERENCE", tmp_path)
    write_json(folder / "no_learning.json", rows_without_learning().as_json())
    FRAMES.assign(speed=[1.0, 2.0, 3.0], zero_flow=[4.0, 5.0, 6.0]).to_csv(folder / "no_learning.csv", index=False)
    write_scores(folder, FRAMES)
    return folder


def write_scores(folder: Path, frames: pd.DataFrame, factor: float = 1.0) -> None:
    folder.mkdir(exist_ok=True)
    count = factor * pd.Series(range(1, len(frames) + 1), frames.index)
    frames.assign(appearance=count, motion=10 * count, fused=100 * count).to_csv(folder / "scores.csv", index=False)


def test_scores_of_rows_and_networks_are_joined_by_frame(kept: Path, tmp_path: Path) -> None:
    write_scores(tmp_path / "mine", FRAMES.iloc[::-1])
    table = scores_side_by_side(RECIPE, {"mine": tmp_path / "mine"})
    expected = {"speed": [1, 2, 3], "zero flow": [4, 5, 6], "network, motion": [10, 20, 30]}
    expected |= {"network, fused": [100, 200, 300], "mine, motion": [30, 20, 10], "mine, fused": [300, 200, 100]}
    assert table[["clip", "frame", "label"]].equals(FRAMES)
    assert table.drop(columns=["clip", "frame", "label"]).to_dict("list") == expected


@pytest.mark.parametrize("other", [FRAMES.iloc[:2], FRAMES.assign(label=1), FRAMES.assign(frame=[0, 2, 0])])
def test_a_run_of_other_frames_is_refused(other: pd.DataFrame, kept: Path, tmp_path: Path) -> None:
    write_scores(tmp_path / "mine", other)
    with pytest.raises(ResultError, match="mine: its scores are of other frames or labels"):
        scores_side_by_side(RECIPE, {"mine": tmp_path / "mine"})
