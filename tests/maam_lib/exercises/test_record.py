"""A record holds each different answer once, in a student's copy only; trouble with it is told once, ends nothing."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch

from maam_lib.exercises import check, record
from maam_lib.exercises.answers import fingerprint
from maam_lib.exercises.checking import EXERCISES, expects
from maam_lib.exercises.record import RECORD, Entry, Owner, append, read, remember


@pytest.fixture(autouse=True)
def _exercise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXERCISES, "99.1", EXERCISES["02.2"])  # put back afterwards
    expects("99.1", hint="Add them.")(lambda *numbers: sum(numbers))


def outcomes(path: Path = Path(RECORD)) -> list[tuple[str, str]]:
    return [(entry.exercise, entry.outcome) for entry in read(path)[1]]


def a_new_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "SESSION", [])
    monkeypatch.setattr(record, "_told", set())


def test_where_there_is_no_record_none_is_made(tmp_path: Path) -> None:
    check("99.1", 5, 2, 3)
    check("99.1", 4, 2, 3, reveal=True)
    assert list(tmp_path.iterdir()) == []


def test_each_different_answer_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(RECORD).touch()
    for answer in (4, 4, 4.0, ..., 7, 5, 5, 4):
        check("99.1", answer, 2, 3)
    a_new_kernel(monkeypatch)
    check("99.1", 4, 2, 3)  # Run All of the next day
    check("99.1", ..., 2, 3, reveal=True)
    assert outcomes() == [("99.1", "wrong"), ("99.1", "wrong"), ("99.1", "right"), ("99.1", "revealed")]


def test_a_record_holds_neither_answers_nor_what_was_expected() -> None:
    Path(RECORD).touch()
    check("99.1", 271828, 141421, 173205)
    check("99.1", 271828, 141421, 173205, reveal=True)
    text = Path(RECORD).read_text()
    assert "271828" not in text
    assert str(141421 + 173205) not in text
    assert [sorted(json.loads(line)) for line in text.splitlines()] == [["answer", "exercise", "outcome", "time"]] * 2


def test_a_restart_does_not_forget_what_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(RECORD).touch()
    check("99.1", 4, 2, 3)
    a_new_kernel(monkeypatch)
    assert "Hint" not in check("99.1", 4, 2, 3).line
    a_new_kernel(monkeypatch)
    assert "Hint: Add them." in check("99.1", 7, 2, 3).line


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (0.5, np.float32(0.5), 0.6),
        (5, 5.0, 6),
        (1 / 3, 1 / 3 + 1e-12, 0.333),
        (torch.ones(2, 3), np.ones((2, 3)), torch.ones(3, 2)),
        (("a", 3), ["a", 3], ("a", 4)),
        ("a", "a", "b"),
        (float("nan"), float("nan"), 0.0),
        (object(), object(), {}),
    ],
)
def test_fingerprints_tell_different_answers_apart(one: object, same: object, other: object) -> None:
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


DAMAGE = {
    "cut": b'{"time": "2026", "exerc',
    "no JSON": b"Dear lecturer, I have solved all of them.",
    "other keys": b'{"hello": 1}',
    "no outcome": b'{"time": "", "exercise": "02.1", "outcome": "perfect", "answer": ""}',
    "a path": b'{"time": "", "exercise": "../../x", "outcome": "right", "answer": ""}',
    "a list": b"[[[]]]",
}


@pytest.mark.parametrize("line", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_line_is_told_once_and_the_others_count(line: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    good = Entry(time="", exercise="99.1", outcome="wrong", answer="an earlier one")
    append(Path(RECORD), good)
    with Path(RECORD).open("ab") as file:
        file.write(line)  # and no end of the line
    assert "Hint" in check("99.1", 4, 2, 3).line
    check("99.1", 5, 2, 3)
    assert (
        capsys.readouterr().out == "note: answers.jsonl: 1 of 2 lines cannot be read, first line 2; the others count\n"
    )
    assert outcomes() == [("99.1", "wrong"), ("99.1", "wrong"), ("99.1", "right")]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00" * 11_000_000], ids=["no text", "far too long"])
def test_a_damaged_record_is_told_and_ends_no_lesson(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path(RECORD).write_bytes(content)
    for answer in (4, 5, 4):
        check("99.1", answer, 2, 3)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1
    assert told[0].startswith("note: answers.jsonl: ")
    assert told[0].endswith("your answers count for this session only")
    assert Path(RECORD).read_bytes() == content, "left for its owner to look at"


def test_a_record_that_cannot_be_written_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(RECORD).touch()

    def no_space(path: Path, entry: Entry) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(record, "append", no_space)
    assert check("99.1", 4, 2, 3).line == "got 4; a little too small"
    assert "Hint" in check("99.1", 7, 2, 3).line, "this session counts"
    assert check("99.1", 5, 2, 3).passed
    [told] = capsys.readouterr().out.splitlines()
    assert told == (
        "note: answers.jsonl: cannot be written (No space left on device); your answers count for this session only"
    )


def test_a_folder_of_that_name_is_no_record(capsys: pytest.CaptureFixture[str]) -> None:
    Path(RECORD).mkdir()
    assert check("99.1", 5, 2, 3).passed
    assert capsys.readouterr().out == ""


def test_a_file_system_without_locks_is_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(lock: record.FileLock) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(record.FileLock, "acquire", no_locks)
    Path(RECORD).touch()
    assert check("99.1", 5, 2, 3).passed
    assert outcomes() == [("99.1", "right")]


def test_another_kernel_that_holds_the_record_for_long_ends_no_lesson(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LONGEST_WAIT", 0)
    Path(RECORD).touch()
    with record.FileLock(f".{RECORD}.lock", is_singleton=False):
        assert check("99.1", 5, 2, 3).passed
    assert capsys.readouterr().out.startswith("note: answers.jsonl: cannot be written (The file lock")


def many(path: str, who: int) -> None:
    for i in range(40):
        append(Path(path), Entry(time="", exercise="99.1", outcome="wrong", answer=f"{who}-{i}" + "x" * 30))


@pytest.mark.slow
def test_several_kernels_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / RECORD
    path.touch()
    context = multiprocessing.get_context("spawn")
    kernels = [context.Process(target=many, args=(str(path), who)) for who in range(3)]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join(120)
    _, entries, damaged = read(path)
    assert damaged == []
    assert len({entry.answer for entry in entries}) == len(entries) == 120


def test_the_first_line_tells_whose_it_is() -> None:
    Path(RECORD).write_text(Owner(student="Ada Lovelace", scene_seed=17).model_dump_json() + "\n")
    remember("02.a", "right", "x")
    owner, entries, damaged = read(Path(RECORD))
    assert owner == Owner(student="Ada Lovelace", scene_seed=17)
    assert [entry.exercise for entry in entries] == ["02.a"]
    assert damaged == []
