"""Every reader on damaged and hostile files: a value of its form, or one short error that names the file."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.clip_files import read_record
from data_prep.files.reading import UnreadableError, open_npy, read_json, read_text
from data_prep.layout import DatasetError, checked_name, read_manifest
from data_prep.prepare import prepare
from data_prep.verify import verify
from maam_lib.analysis.events import events_of, read_event_labels
from maam_lib.config import SettingError, load_recipe
from maam_lib.data import PreparedDataset, find_dataset
from maam_lib.evaluation.result import Plan, Word
from maam_lib.grid.results import REFERENCE, ResultError, no_learning_table, read_no_learning, read_result
from maam_lib.grid.status import sweep_states
from maam_lib.grid.tables import read_cost
from maam_lib.recipes import plain_yaml
from maam_lib.recipes.plain_yaml import PlainYamlError
from maam_lib.report.build import build_report, variant_page
from maam_lib.report.collection import collect
from maam_lib.training.files import RunError, load_weights, read_scores
from maam_lib.training.loop import build_network
from maam_lib.training.runs import RunFolder
from tests.conftest import tiny_recipe
from tests.mutations import damaged_bytes, damaged_json, damaged_yaml, holds
from tests.results import rows_without_learning

fuzz = settings(
    max_examples=80,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
fewer = settings(fuzz, max_examples=30)
RESULT = REFERENCE / "ped2-mini" / "paper" / "seed0.json"
COST = REFERENCE / "synthetic-mini" / "cost.json"
PLAN = {
    "workers": 2,
    "content_hash": "c0",
    "cells": [{"variant": "paper", "seed": 0, "recipe_hash": "a1", "done": True}],
}
WORD = {"host": "here", "pid": 1, "process_began": 1.0, "began": 1.5, "seen": 2.0, "epoch": 1, "epochs": 2}


@pytest.fixture
def copied(prepared_folder: Path, tmp_path: Path) -> Path:
    """A copy of the prepared dataset that a test may damage."""
    return Path(shutil.copytree(prepared_folder, tmp_path / "data" / "ped2"))


@pytest.fixture
def run(finished_run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the finished run that a test may damage."""
    return RunFolder.open(shutil.copytree(finished_run.folder, tmp_path / "run"))


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


# Fuzzed, reader by reader


@fuzz
@given(st.data())
def test_a_damaged_manifest_is_read_or_named(copied: Path, data: st.DataObject) -> None:
    path = copied / "manifest.json"
    before = path.read_bytes()
    content = data.draw(damaged_json(json.loads(before)))
    try:
        holds(path, content, lambda: PreparedDataset(copied), DatasetError)
        verify(copied, progress=False)
    finally:
        path.write_bytes(before)


@fuzz
@given(st.data())
def test_a_damaged_array_is_opened_or_named(copied: Path, data: st.DataObject) -> None:
    path = copied / "test" / "Test001" / "labels.npy"
    whole = path.read_bytes()
    try:
        array = holds(path, data.draw(damaged_bytes(whole, most=140)), lambda: open_npy(path), UnreadableError)
        assert array is None or array.dtype.kind in "biuf"
    finally:
        path.write_bytes(whole)


@fewer
@given(st.data())
def test_verify_outlives_every_header(fake_counts: None, copied: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(("labels", "masks", "flow", "frames")))
    path = copied / "test" / "Test001" / f"{name}.npy"
    whole = path.read_bytes()
    damaged = data.draw(damaged_bytes(whole, most=140))
    try:
        path.write_bytes(damaged)
        assert verify(copied, progress=False).intact == (damaged == whole)
    finally:
        path.write_bytes(whole)


@fuzz
@given(st.data())
def test_a_damaged_record_is_none(copied: Path, data: st.DataObject) -> None:
    path = copied / "test" / "Test001" / "clip.json"
    whole = path.read_bytes()
    try:
        path.write_bytes(data.draw(damaged_json(json.loads(whole))))
        record = read_record(path.parent)
        assert record is None or isinstance(record.settings, dict)
    finally:
        path.write_bytes(whole)


@settings(fuzz, max_examples=200)
@given(damaged_json(json.loads(RESULT.read_text())))
def test_a_damaged_result_is_shown_or_named(folder: Path, content: bytes) -> None:
    path = folder / "seed0.json"
    result = holds(path, content, lambda: read_result(path), ResultError)
    if result is not None:
        page = variant_page("ped2-mini", "as it is", "", [result], ["seed0.json"])
        page.encode()
        assert "<img" not in page


@fewer
@given(damaged_json(rows_without_learning().as_json()))
def test_damaged_rows_without_learning_are_shown_or_named(folder: Path, content: bytes) -> None:
    path = folder / "no_learning.json"
    found = holds(path, content, lambda: read_no_learning(path), ResultError)
    if found is not None:
        assert str(no_learning_table(found))


@fuzz
@given(damaged_json(json.loads(COST.read_text())))
def test_damaged_costs_are_read_or_named(folder: Path, content: bytes) -> None:
    (folder / "mine").mkdir(exist_ok=True)
    holds(folder / "mine" / "cost.json", content, lambda: read_cost("mine", folder), UnreadableError)


@fewer
@given(damaged_json(PLAN), damaged_json(WORD))
def test_the_status_of_a_damaged_sweep_is_told_or_named(folder: Path, plan: bytes, word: bytes) -> None:
    home = folder / "synthetic-mini"
    (home / "paper").mkdir(parents=True, exist_ok=True)
    holds(home / "plan.json", plan, lambda: sweep_states(folder), ResultError)
    (home / "plan.json").write_text(json.dumps(PLAN))
    (home / "paper" / "seed0.running").write_bytes(word)
    assert str(sweep_states(folder)[0])


@fuzz
@given(st.data())
def test_a_damaged_run_json_is_read_or_named(run: RunFolder, data: st.DataObject) -> None:
    path = run.folder / "run.json"
    whole = path.read_bytes()
    facts = {key: value for key, value in json.loads(whole).items() if key != "packages"}
    try:
        found = holds(path, data.draw(damaged_json(facts)), lambda: run.machine, RunError)
        assert found is None or isinstance(found, dict)
    finally:
        path.write_bytes(whole)


@settings(fuzz, max_examples=200)
@given(damaged_yaml(tiny_recipe().to_yaml()))
def test_a_damaged_recipe_is_read_or_named(folder: Path, content: bytes) -> None:
    path = folder / "mine.yaml"
    recipe = holds(path, content, lambda: load_recipe(path), SettingError)
    assert recipe is None or load_recipe(written(folder, recipe.to_yaml())) == recipe


@fuzz
@given(damaged_yaml((REFERENCE.parent / "ped2_events.yaml").read_text()))
def test_damaged_labels_of_events_are_read_or_named(folder: Path, content: bytes) -> None:
    path = folder / "events.yaml"
    labels = holds(path, content, lambda: read_event_labels(path), UnreadableError)
    assert labels is None or len(events_of(labels.table()))


@fuzz
@given(st.data(), st.sampled_from(["history.csv", "scores.csv"]))
def test_a_damaged_table_is_read_or_named(run: RunFolder, data: st.DataObject, name: str) -> None:
    path = run.folder / name
    whole = path.read_bytes()
    read: Callable[[], Any] = (lambda: run.history) if name == "history.csv" else (lambda: read_scores(run.folder))
    try:
        table = holds(path, data.draw(damaged_bytes(whole)), read, RunError)
        assert table is None or not table.isna().any(axis=None)
    finally:
        path.write_bytes(whole)


@fuzz
@given(st.data())
def test_damaged_weights_are_named(run: RunFolder, data: st.DataObject) -> None:
    path = run.weights_file(2)
    whole = path.read_bytes()
    damaged = data.draw(damaged_bytes(whole, faults=1))
    try:
        loaded = holds(path, damaged, lambda: load_weights(build_network(run.recipe), path) or "loaded", RunError)
        assert loaded is None or damaged == whole or damaged[8:].lstrip(b" ") == whole[8:], "other weights, no error"
    finally:
        path.write_bytes(whole)


# What each is refused for


def written(folder: Path, text: str, name: str = "again.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        ("[" * 60 + "]" * 60, "more than 50 levels deep"),
        ("[" * 100_000, "more than 50 levels deep"),
        ('"\\ud800"', "surrogates not allowed"),
        ("9" * 5000, "Exceeds the limit"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError) as error:
        read_json(written(tmp_path, text, "a.json"))
    assert f"{tmp_path / 'a.json'}: not readable as JSON" in str(error.value)
    assert said in str(error.value)


def test_a_folder_a_pipe_and_other_characters_are_no_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    for path, said in (
        (tmp_path, "a folder, expected a file"),
        (tmp_path / "pipe", "not a plain file"),
        (tmp_path / "latin", "byte 0 is not UTF-8"),
    ):
        with pytest.raises(UnreadableError, match=said):
            read_text(path)
    with pytest.raises(UnreadableError, match="a folder or a pipe, expected"):
        open_npy(tmp_path / "pipe")
    with pytest.raises(UnreadableError, match=r"6 bytes, expected 3 at most"):
        read_text(written(tmp_path, "123456"), most=3)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 4, 4, 2), np.float16),
        np.arange(24, dtype="<i4").reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3.5),
        np.array([True, False]),
        np.arange(4, dtype=">u2"),
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.filterwarnings("ignore:Stored array in format")
def test_arrays_are_read_as_numpy_reads_them(array: np.ndarray, version: tuple[int, int], tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version)
    read = open_npy(tmp_path / "a.npy")
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(read, array)
    assert read.size == 0 or not read.flags.writeable


def test_arrays_that_are_no_plain_numbers_are_refused(tmp_path: Path) -> None:
    for number, array in enumerate((np.array([{}], object), np.array(["a"]), np.zeros(2, [("x", "f4")]))):
        np.save(tmp_path / f"{number}.npy", array)
        with pytest.raises(UnreadableError, match="not a complete NumPy array of numbers"):
            open_npy(tmp_path / f"{number}.npy")
    np.savez(tmp_path / "many.npz", np.zeros(2))
    with pytest.raises(UnreadableError, match=r"many\.npz: not a complete NumPy array"):
        open_npy(tmp_path / "many.npz")


def test_numbers_after_the_last_one_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3, np.uint8))
    with (tmp_path / "a.npy").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UnreadableError, match="135 bytes, expected 131 for uint8"):
        open_npy(tmp_path / "a.npy")


# YAML

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, r"references \(\*name\) are not allowed; write the value out \(line 2\)"),
        ("a: " + "[" * 5000, "more than 10 levels deep"),
        ("a: " + "{a: " * 5000, "more than 10 levels deep"),
        ("model: {num_items: 3}\nmodel: {num_items: 4}", r"the key 'model' occurs twice \(line 2\)"),
        ("? [a]\n: b", "a key must be a word"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: !!binary aGk=", "could not determine a constructor"),
        ("a:\n\t- b", "cannot start any token"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("x" * 100_001, "100,001 characters, expected 100,000 at most"),
        ("a: \x07", "special characters are not allowed"),
    ],
)
def test_yaml_that_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PlainYamlError, match=said):
        plain_yaml.parse(text)
    with pytest.raises(SettingError, match=r"again\.yaml: "):
        load_recipe(written(tmp_path, text))
    with pytest.raises(SettingError, match=r"cannot read the value of the setting 'scoring\.patch="):
        load_recipe("synthetic-mini", f"scoring.patch={text}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("2.0e-05", 2e-5),
        (".inf", float("inf")),
        ("7", 7),
        ("-12", -12),
        ("1_000", 1000),
        ("0x10", 16),
        ("010", "010"),
        ("12:30", "12:30"),
        ("2024-01-31", "2024-01-31"),
        ("true", True),
        ("yes", True),
        ("off", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("e5", "e5"),
        ("[3, 4]", [3, 4]),
        ("{a: 1e2}", {"a": 100.0}),
        ("<<", "<<"),
        ("=", "="),
        ("'1'", "1"),
        ("1: 2", {"1": 2}),
    ],
)
def test_yaml_values(text: str, value: Any) -> None:
    found = plain_yaml.parse(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "override",
    [
        "training.epochs=yes",
        "model.num_items=010",
        "model.dropout=true",
        "training.epochs='3'",
        "data.channels=true",
        "model.use_memory=1",
        "training.epochs=12:30",
    ],
)
def test_a_value_of_another_type_is_never_taken_for_a_number(override: str) -> None:
    key, _, _ = override.partition("=")
    with pytest.raises(SettingError, match=rf"{key} = "):
        load_recipe("synthetic-mini", override)
    assert load_recipe("synthetic-mini", "training.learning_rate=1e-3").training.learning_rate == 1e-3


@pytest.mark.parametrize(
    "make", [lambda p: p.mkdir(), lambda p: p.write_bytes(b"\xff\xfe"), lambda p: p.write_text("3")]
)
def test_a_recipe_that_is_no_recipe_is_named(make: Callable[[Path], Any], tmp_path: Path) -> None:
    make(tmp_path / "mine.yaml")
    with pytest.raises(SettingError, match=r"mine\.yaml: "):
        load_recipe(tmp_path / "mine.yaml")


# Names

HOSTILE_NAMES = (
    "../../x",
    "a/b",
    "",
    ".x",
    "-x",
    "<img src=x onerror=alert(1)>",
    "a b",
    "NUL",
    "com1.yaml",
    "a.",
    "x" * 81,
)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_no_path_and_no_html(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a name of at most 80 letters"):
        checked_name(name)
    for text in (f"name: {json.dumps(name)}", f"data: {{dataset: {json.dumps(name)}}}"):
        with pytest.raises(SettingError, match="expected a name of at most 80 letters"):
            load_recipe(written(tmp_path, text))


@pytest.mark.parametrize("word", ["1e5", "010", "yes", "12:30", "2024-01-31", "null", "1_0", "=", "- a", "*a", "é: b"])
def test_text_that_looks_otherwise_is_written_as_text(word: str, tmp_path: Path) -> None:
    recipe = tiny_recipe().model_copy(update={"about": word})
    assert load_recipe(written(tmp_path, recipe.to_yaml())) == recipe
    assert plain_yaml.parse(plain_yaml.written([word], in_one_line=True)) == [word]


def test_names_of_other_languages_are_names() -> None:
    assert checked_name("Küche_2.mini-α") == "Küche_2.mini-α"
    assert checked_name("Ku\u0308che") == "Küche"


# Whoever reads several


def test_a_damaged_manifest_stops_no_other_dataset(copied: Path) -> None:
    (copied.parent / "avenue").mkdir()
    for text in ("[]", "{", "null", '{"format": 9, "dataset": "avenue"}'):
        (copied.parent / "avenue" / "manifest.json").write_text(text)
        assert find_dataset(copied.parent, "ped2").folder == copied
        with pytest.raises(DatasetError, match=r"avenue/manifest\.json: .*prepare"):
            find_dataset(copied.parent, "avenue")


def test_a_damaged_manifest_stops_no_other_preparation(ped2: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "avenue").mkdir(parents=True)
    (root / "avenue" / "manifest.json").write_text("[]")
    folder = prepare("ped2", ped2, root, workers=1, progress=False)
    assert verify(folder, progress=False).intact
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"ped2/manifest\.json: list, expected the manifest .*; delete"):
        prepare("ped2", ped2, root, workers=1, progress=False)


@pytest.mark.parametrize("name", ["..", "../../x", "a/b", "/etc", "a\0b", ""])
def test_a_clip_of_a_manifest_stays_in_its_folder(name: str, copied: Path) -> None:
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["clips"]["test"][name] = manifest["clips"]["test"].pop("Test001")
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match="expected the name of a clip"):
        read_manifest(copied)


def test_keys_of_a_later_version_are_kept(copied: Path) -> None:
    manifest = json.loads((copied / "manifest.json").read_text())
    assert read_manifest(copied).as_written() == manifest
    manifest["colour"] = manifest["clips"]["test"]["Test001"]["scale"] = manifest["flow"]["more"] = {"new": [1.5]}
    (copied / "manifest.json").write_text(json.dumps(manifest))
    assert read_manifest(copied).as_written() == manifest


def test_a_report_names_what_is_damaged_and_goes_on(run: RunFolder, tmp_path: Path) -> None:
    sweep, whole = tmp_path / "sweep", json.loads(RESULT.read_text())
    hostile = "<img src=x onerror=alert(1)>"
    no_memory = REFERENCE / "ped2-mini" / "no-memory" / "seed0.json"
    files = {
        "ped2-mini/paper/seed0.json": json.dumps(whole | {"machine": None}),
        "ped2-mini/paper/seed1.json": "[" * 100_000,
        "ped2-mini/paper/seed2.json": json.dumps(whole | {"auc": float("nan")}),
        "ped2-mini/no-memory/seed0.json": json.dumps(
            json.loads(no_memory.read_text())
            | {"recipe": hostile, "protocol": whole["protocol"] | {"label_source": hostile}}
            | {"machine": {"processor": hostile, "precision": "float32", "platform": hostile}}
        ),
        "ped2-mini/cost.json": "[]",
        f"{hostile.replace('/', '')}/paper/seed0.json": "{}",
        "bomb/recipe.yaml": BOMB,
    }
    for name, text in files.items():
        (sweep / name).parent.mkdir(parents=True, exist_ok=True)
        (sweep / name).write_text(text)
    (run.folder / "run.json").write_text('{"training_seconds": null, "data": []}')
    (run.folder / "scores.csv").write_text("clip,frame\n")
    index = build_report(tmp_path / "out", folders=[sweep], runs=[run.folder], root=tmp_path)
    left_out = json.loads((index.parent / "results.json").read_text())["left_out"]
    for name in (
        "paper/seed0.json: machine is None",
        "seed1.json: not readable",
        "seed2.json: auc is nan",
        "cost.json",
        "expected a name of at most 80 letters",
        "bomb/recipe.yaml",
        "run.json: data is []",
    ):
        assert any(name in reason for reason in left_out), name
    for page in index.parent.rglob("*.html"):
        assert "<img src=x" not in page.read_text(encoding="utf-8"), page
    shown = (index.parent / "runs" / "ped2-mini" / "no-memory.html").read_text(encoding="utf-8")
    assert shown.count("&lt;img src=x onerror") >= 2


def test_damaged_scores_and_weights_of_a_run_leave_its_pictures_out(run: RunFolder) -> None:
    (run.folder / "scores.csv").write_text("clip,frame\n")
    found = collect(runs=[run.folder])
    assert any("scores.csv: not a complete table" in reason for reason in found.left_out)
    assert any(name.startswith("own-") for name in (grid.recipe.name for grid in found.grids))


def test_names_of_clips_are_text_in_scores(run: RunFolder) -> None:
    header = "clip,frame,label,appearance,motion,fused\n"
    rows = "".join(f"{clip},0,{i % 2},1,2,3\n" for i, clip in enumerate(("001", "NA", "nan", "null", "1e5", "")))
    (run.folder / "scores.csv").write_text(header + rows)
    assert read_scores(run.folder)["clip"].tolist() == ["001", "NA", "nan", "null", "1e5", ""]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,0,1,1,2", "motion|fused"),
        ("a,0,1,1,2,nan", "fused holds something other"),
        ("a,0,2,1,2,3", "label 0 or 1"),
        ("a,0,1,1,2,inf", "fused holds something other"),
        ("a,0,1,1,2,3\na,0,1,1,2,3", "every frame once"),
        ("a,0,1,1,2,True", "fused holds something other"),
    ],
)
def test_scores_that_are_none_are_refused(row: str, said: str, run: RunFolder) -> None:
    (run.folder / "scores.csv").write_text(f"clip,frame,label,appearance,motion,fused\n{row}\n")
    with pytest.raises(RunError, match=rf"scores\.csv: .*({said})"):
        read_scores(run.folder)


def test_the_forms_of_a_sweep_take_what_a_sweep_writes() -> None:
    assert Plan.model_validate(PLAN).cells[0].done
    assert Word.model_validate(WORD).epochs == 2
