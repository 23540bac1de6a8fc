"""The line of `maam reproduce` tells chapter, cell, epoch and an estimate that is drawn from what was measured."""

import json
from io import StringIO
from pathlib import Path

import pytest

from data_prep.files.writing import write_text
from maam_lib.report.live_line import SAMPLE, TRAINING, LiveLine, earlier_seconds
from maam_lib.report.notebooks import SEQUENCE
from tests.conftest import tiny_recipe

BEFORE = {"a": 10.0, TRAINING: 60.0, "c": 20.0}


@pytest.fixture
def line(tmp_path: Path) -> LiveLine:
    return LiveLine(list(BEFORE), tiny_recipe("training.epochs=4"), tmp_path / "run", BEFORE)


def test_time_left_is_what_it_took_before_at_the_pace_of_now(line: LiveLine) -> None:
    assert line.seconds_left(spent=4) == 6 + 60 + 20
    assert line.seconds_left(spent=30) == 60 + 20, "a chapter that is late counts no more"
    line.end_chapter(20)
    assert line.seconds_left(spent=10) == (120 - 10) + 40, "twice as slow as before"


def test_a_training_tells_its_own_time(line: LiveLine, tmp_path: Path) -> None:
    line.end_chapter(10)
    write_text(tmp_path / "run" / "history.csv", "epoch,total,motion,zero_flow,seconds\n1,1,1,1,100\n2,1,1,1,300\n")
    assert line.seconds_left(spent=400) == 2 * 200 + 20
    assert line.text(7, 17) == ("03_train (2 of 3), cell 7 of 17, epochs done: 2 of 4; about 7 min 00 s left")
    write_text(tmp_path / "run" / "history.csv", "")
    assert "epochs done: 0 of 4" in line.text(7, 17), "a damaged file ends no report"


def test_nothing_is_told_of_what_is_not_known(tmp_path: Path) -> None:
    line = LiveLine(["a", "c"], tiny_recipe(), tmp_path, {"a": 10.0})
    assert line.seconds_left(spent=1) is None
    assert line.text(0, 3) == "a (1 of 2), cell 0 of 3"


def test_earlier_times_are_of_the_same_recipe(tmp_path: Path) -> None:
    kept = json.loads(SAMPLE.read_text())
    of_kit = {name: chapter["seconds"] for name, chapter in kept["notebooks"].items()}
    assert set(of_kit) == set(SEQUENCE)
    plan = tiny_recipe()
    other = {name: seconds for name, seconds in of_kit.items() if name != TRAINING}
    assert earlier_seconds(tmp_path, plan.model_copy(update={"name": kept["recipe"]})) == of_kit
    assert earlier_seconds(tmp_path, plan) == other, "another recipe's training says nothing"
    notebooks = {name: {"seconds": 5} for name in BEFORE}
    write_text(tmp_path / "results.json", json.dumps({"recipe": plan.name, "notebooks": notebooks}))
    assert earlier_seconds(tmp_path, plan) == dict.fromkeys(BEFORE, 5.0)
    write_text(tmp_path / "results.json", "[]")
    assert earlier_seconds(tmp_path, plan) == other


def test_the_line_fits_into_a_terminal(tmp_path: Path) -> None:
    times = dict.fromkeys(SEQUENCE, 400.0)
    line = LiveLine(SEQUENCE, tiny_recipe("training.epochs=100"), tmp_path, times)
    for _ in SEQUENCE:
        assert len(line.text(48, 49)) <= 80
        line.end_chapter(400)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_renewed_and_a_pipe_a_line_every_half_minute(
    line: LiveLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line.show(1, 9)
    assert capsys.readouterr().err == "", "not at once"
    monkeypatch.setattr(line, "_next", 0.0)
    line.show(2, 9)
    line.show(3, 9)
    assert capsys.readouterr().err == "a (1 of 3), cell 2 of 9; about 1 min 30 s left\n"
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    there = LiveLine(line.chapters, line.plan, line.run.folder, BEFORE)
    there.show(2, 9)
    there.show(3, 9)
    said = terminal.getvalue()
    assert "\n" not in said
    assert [text.strip() for text in said.split("\r") if "cell" in text][-2:] == [
        f"a (1 of 3), cell {cell} of 9; about 1 min 30 s left" for cell in (2, 3)
    ]
    there.close()
