"""The campaign itself stays alive: a handful of its kills hold, its strikes strike, and it sees what they leave."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign.trees import differences, half_files, tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the campaign forks")
WRITES_TWICE = """
import sys
from pathlib import Path
from tests.campaign.killer import Strike, arm

folder = Path(sys.argv[1])
arm(Strike(folder, sys.argv[2], int(sys.argv[3])), 1)
with (folder / "a.json").open("w") as file:
    file.write("[0, 1]")
    file.write("more of it")
(folder / "a.json").rename(folder / "b.json")
"""


def python(*words: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[1]
    return subprocess.run([sys.executable, *words], cwd=root, capture_output=True, text=True, check=False)


def test_a_few_kills_of_prepare_and_train_hold(tmp_path: Path) -> None:
    kinds = ["prepare/kill", "prepare/torn", "train/kill", "train/torn"]
    only = [word for kind in kinds for word in ("--only", f"kills/{kind}")]
    answer = python("-m", "tests.campaign", "--most", "1", *only, "--folder", str(tmp_path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    *_, last = answer.stdout.splitlines()
    assert last.split()[2:] == ["4", "4"], "tried and held"


@pytest.mark.parametrize(
    ("action", "number", "status", "left"),
    [
        ("count", 0, 0, {"b.json": "[0, 1]more of it"}),
        ("kill", 1, -9, {}),
        ("kill", 2, -9, {"a.json": "[0, 1]more of it"}),
        ("torn", 1, -9, {"a.json": "[0,"}),
        ("torn", 2, -9, {"a.json": "[0, 1]more "}),
        ("interrupt", 2, -2, {"a.json": "[0, 1]more of it"}),
        ("full", 1, 1, {}),
    ],
)
def test_a_strike_meets_one_change(action: str, number: int, status: int, left: dict[str, str], tmp_path: Path) -> None:
    answer = python("-c", WRITES_TWICE, str(tmp_path), action, str(number))
    assert answer.returncode == status, answer.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == left


def test_what_a_kill_leaves_is_named(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text('{"auc": 0.5, "seconds": 1}')
    before = tree(tmp_path)
    (tmp_path / "kept.json").write_text('{"auc": 0.5, "seconds": 2}')
    assert differences(tree(tmp_path), before) == [], "times may differ"
    (tmp_path / "kept.json").write_text('{"auc": 0.6, "seconds": 1}')
    (tmp_path / "half.json").write_text('{"auc":')
    (tmp_path / ".hidden").touch()
    assert differences(tree(tmp_path), before) == [
        "left behind: .hidden",
        "left behind: half.json",
        "differs: kept.json",
    ]
    assert [line.split(" (")[0] for line in half_files(tmp_path, before)] == ["half a file: half.json"]
