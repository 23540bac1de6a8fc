"""End-point error by hand, the no-learning AUC beside evaluation's own row, and the table of both."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from data_prep.flow import FLOW_ESTIMATORS, estimate_flow
from data_prep.scenes.synthetic import read_synthetic
from maam_lib.analysis.flow_accuracy import compare_estimators, end_point_error, largest_patch_auc
from maam_lib.data import DatasetError, PreparedDataset
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.protocols import no_learning_rows
from tests.conftest import PROJECT, SMALL_SCENE, prepare_clips, tiny_recipe


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The small scene with its exact flow."""
    root = tmp_path_factory.mktemp("exact")
    return PreparedDataset(prepare_clips(root, read_synthetic(SMALL_SCENE), flow="exact"))


def test_error_by_hand(scene: PreparedDataset, exact: PreparedDataset) -> None:
    lengths, moving = [], []
    for clip in [clip for clip in read_synthetic(SMALL_SCENE) if clip.split == "test"]:
        frames = list(clip.frames())
        for t, truth in enumerate(clip.flow()):
            error = estimate_flow("dis", frames[t], frames[t + 1]) - truth
            lengths.append(np.sqrt(error[..., 0] ** 2 + error[..., 1] ** 2))
            moving.append((truth != 0).any(axis=-1))
    lengths, moving = np.stack(lengths), np.stack(moving)
    found = end_point_error(scene, exact)
    assert found["all"] == pytest.approx(lengths.mean(), rel=2e-3)  # stored as float16
    assert found["moving"] == pytest.approx(lengths[moving].mean(), rel=2e-3)
    assert end_point_error(scene, exact, "train") != found


def test_the_truth_has_no_error(exact: PreparedDataset) -> None:
    assert end_point_error(exact, exact) == {"all": 0, "moving": 0}


def test_auc_is_the_row_of_evaluation(scene: PreparedDataset) -> None:
    rows = no_learning_rows(Evaluator(tiny_recipe(), scene).no_learning_scores())
    assert largest_patch_auc(tiny_recipe(), scene) == rows["zero_flow"]["auc"]


def test_table_has_a_row_per_flow(scene: PreparedDataset, exact: PreparedDataset) -> None:
    table = compare_estimators(tiny_recipe(), exact, [scene])
    assert list(table.index) == ["dis", "exact", "no flow"]
    assert table.loc["dis"].tolist() == [
        *end_point_error(scene, exact).values(),
        largest_patch_auc(tiny_recipe(), scene),
    ]
    assert table.loc["exact"].tolist()[:2] == [0, 0]
    speeds = np.concatenate(
        [np.linalg.norm(exact.flow("test", c).astype(np.float32), axis=-1).ravel() for c in exact.clips("test")]
    )
    assert table.loc["no flow"].tolist() == pytest.approx([speeds.mean(), speeds[speeds > 0].mean(), 0.5])


def test_other_frames_are_refused(prepared_folder: Path, exact: PreparedDataset) -> None:
    with pytest.raises(DatasetError, match="hold different frames; prepare both from one scene at one size"):
        end_point_error(PreparedDataset(prepared_folder), exact)


def test_the_benchmark_prints_and_writes_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare_small(dataset: str, source: None, root: Path, *, flow: str, size: tuple[int, int]) -> Path:
        assert (dataset, source, size) == ("synthetic", None, (48, 64))
        return prepare_clips(root / flow, read_synthetic(SMALL_SCENE), flow=flow)

    monkeypatch.setattr("data_prep.prepare.prepare", prepare_small)
    monkeypatch.setattr("data_prep.flow.FLOW_ESTIMATORS", {"dis-ultrafast": FLOW_ESTIMATORS["dis-ultrafast"]})
    (tmp_path / "tiny.yaml").write_text(tiny_recipe().to_yaml())
    words = ["--root", tmp_path, "--recipe", tmp_path / "tiny.yaml", "--json", tmp_path / "table.json"]
    monkeypatch.setattr("sys.argv", ["flow_estimators", *map(str, words)])
    runpy.run_path(str(PROJECT / "benchmarks" / "flow_estimators.py"), run_name="__main__")
    written = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert list(written) == ["dis-ultrafast", "exact", "no flow"]
    assert f"{written['dis-ultrafast']['error, moving pixels']:.3f}" in capsys.readouterr().out


def test_the_table_in_the_docs_is_the_kept_result() -> None:
    project = PROJECT
    kept = json.loads((project / "benchmarks/results/flow_estimators.json").read_text(encoding="utf-8"))["rows"]
    text = (project / "docs/data.md").read_text(encoding="utf-8")
    lines = [f"| {' | '.join([name, *(f'{value:.3f}' for value in row.values())])} |" for name, row in kept.items()]
    assert [line for line in lines if line not in text] == []
    assert set(kept) >= {*FLOW_ESTIMATORS, "exact", "no flow"}
