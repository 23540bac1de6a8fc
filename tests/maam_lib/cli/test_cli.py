"""The command `maam`: every command tells what it does, and every error is one line with exit status 1."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from data_prep.files import write_text
from data_prep.scenes import synthetic
from data_prep.scenes.synthetic import read_synthetic
from maam_lib import cli
from maam_lib.baselines import ROWS
from maam_lib.cli.checks import Finding
from maam_lib.grid.results import read_no_learning, read_no_learning_scores, read_result
from maam_lib.metrics import roc_auc
from maam_lib.training.runs import RunFolder
from tests.conftest import SMALL_SCENE, TINY_SETTINGS
from tests.fake_sources import write_footage
from tests.golden import regenerate

COMMANDS = sorted(get_command(cli.app).commands)
SET = [word for setting in TINY_SETTINGS for word in ("--set", setting)]


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str


Maam = Callable[..., Answer]


@pytest.fixture
def maam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Maam:
    """Calls `maam` as its entry point does, in this process."""
    monkeypatch.setenv("MAAM_DEBUG", "")  # and so it is put back after a test that sets it

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["maam", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Answer(end.value.code, *capsys.readouterr())

    return call


def the_error(answer: Answer) -> str:
    """The one line that an error is."""
    assert answer.status == 1
    [line] = answer.err.splitlines()
    assert line.startswith("maam: error: ")
    return line


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_what_it_does_and_takes(command: str) -> None:
    answer = CliRunner().invoke(cli.app, [command, "--help"], terminal_width=200)
    assert answer.exit_code == 0
    definition = get_command(cli.app).commands[command]
    assert definition.help.splitlines()[0] in " ".join(answer.output.split())
    assert [parameter.name for parameter in definition.params if not parameter.help] == [], "a parameter without help"


def test_help_lists_every_command() -> None:
    answer = CliRunner().invoke(cli.app, ["--help"])
    assert {"prepare", "train", "evaluate", "reproduce", "doctor"} <= set(COMMANDS)
    assert [command for command in COMMANDS if not re.search(rf"^  {command} ", answer.output, re.MULTILINE)] == []


def test_help_comes_at_once_without_torch_or_matplotlib() -> None:
    code = (
        "import sys; from maam_lib.cli import app; app(['--help'], standalone_mode=False);"
        "print(*{'torch', 'matplotlib', 'pandas', 'cv2', 'papermill'} & set(sys.modules), sep=', ', file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "reproduce" in answer.stdout
    assert answer.stderr.strip() == ""


# Errors


def test_an_unknown_recipe_is_named_with_those_there_are(maam: Maam, tmp_path: Path) -> None:
    line = the_error(maam("train", "ped3", "--run", tmp_path / "run"))
    assert "no recipe 'ped3'; the kit has avenue" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("model.items=5", "unknown setting model.items; known: num_items, base_channels"),
        ("memory.items=5", "no section 'memory'; sections: data, model"),
        ("model.num_items", "write section.key=value"),
        ("model.num_items=0", "model.num_items = 0: input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, expected: str, maam: Maam, tmp_path: Path) -> None:
    assert expected in the_error(maam("train", "synthetic-mini", "--run", tmp_path / "run", "--set", setting))


def test_a_missing_dataset_gives_the_command_that_prepares_it(maam: Maam, tmp_path: Path) -> None:
    line = the_error(maam("train", "ped2-mini", "--run", tmp_path / "run", "--root", tmp_path))
    assert line.endswith(f"Prepare it: maam prepare ped2 --source PATH --root {tmp_path} --size 120 180")


def test_the_root_comes_from_the_environment(maam: Maam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAAM_ROOT", str(tmp_path / "elsewhere"))
    assert f"--root {tmp_path / 'elsewhere'}" in the_error(maam("train", "synthetic-mini", "--run", tmp_path / "run"))


def test_evaluating_what_is_no_run(maam: Maam, tmp_path: Path) -> None:
    line = the_error(maam("evaluate", "--run", tmp_path, "--root", tmp_path))
    assert f"{tmp_path}: no run here (no recipe.yaml); train one with `maam train RECIPE --run {tmp_path}`" in line


def test_a_run_that_was_not_trained_to_its_end_is_used_and_says_so(
    maam: Maam, finished_run: RunFolder, scene_root: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run.folder, run)
    write_text(run / "recipe.yaml", finished_run.recipe.with_settings("training.epochs=9").to_yaml())
    answer = maam("detect", run, tmp_path / "no.mp4", "--root", scene_root, "--out", tmp_path / "out")
    note, error = answer.err.splitlines()
    assert note == f"note: {run} was trained for 2 of 9 epochs; `maam train ... --resume` finishes it"
    assert "no.mp4" in error


def test_training_over_a_run(maam: Maam, finished_run: RunFolder, scene_root: Path) -> None:
    line = the_error(maam("train", "synthetic-mini", *SET, "--run", finished_run.folder, "--root", scene_root))
    assert "holds a run already; continue it with --resume or name another folder" in line


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("rowz=3", "no notebook declares the parameter rowz"),
        ("rows", "cannot read the parameter 'rows'; write name=value"),
    ],
)
def test_a_wrong_parameter_of_reproduce(parameter: str, expected: str, maam: Maam, tmp_path: Path) -> None:
    call = ("reproduce", "synthetic-mini", "--root", tmp_path, "--out", tmp_path / "out", "--parameter", parameter)
    assert expected in the_error(maam(*call))
    assert not (tmp_path / "out").exists()


def test_downloading_what_is_by_hand_tells_the_steps(maam: Maam, tmp_path: Path) -> None:
    answer = maam("download", "shanghaitech", "--to", tmp_path)
    assert "testing/test_frame_mask/<clip>.npy" in answer.out
    assert "shanghaitech must be downloaded by hand" in the_error(answer)


def test_preparing_something_unknown(maam: Maam, tmp_path: Path) -> None:
    assert "no dataset 'ped9'; there are synthetic" in the_error(maam("prepare", "ped9", "--root", tmp_path))


def test_what_the_command_line_itself_refuses_has_status_two(maam: Maam) -> None:
    assert maam("train").status == 2
    assert maam("no-such-command").status == 2


def test_debug_shows_the_traceback(maam: Maam, tmp_path: Path) -> None:
    answer = maam("--debug", "evaluate", "--run", tmp_path)
    assert answer.status == 1
    assert "Traceback (most recent call last)" in answer.err
    assert answer.err.splitlines()[-1].startswith(f"maam: error: {tmp_path}: no run here")


def test_an_error_of_ours_is_named_by_its_kind(maam: Maam, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> list[Finding]:
        raise KeyError("need")

    monkeypatch.setattr("maam_lib.cli.checks.examine", broken)
    assert the_error(maam("doctor")) == "maam: error: KeyError: 'need'"


def test_stopping_with_the_keyboard(maam: Maam, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: Path) -> list[Finding]:
        raise KeyboardInterrupt

    monkeypatch.setattr("maam_lib.cli.checks.examine", stopped)
    answer = maam("doctor")
    assert answer.status == 130
    assert "Traceback" not in answer.err


# Doing it


def test_doctor_fails_where_something_is_missing(maam: Maam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert maam("doctor", "--root", tmp_path).status == 0
    monkeypatch.setattr("maam_lib.cli.checks.examine", lambda _: [Finding("disk", "none", "buy one")])
    answer = maam("doctor", "--root", tmp_path)
    assert answer.status == 1
    assert answer.out == "FAIL  disk               none\n      fix: buy one\n"


def test_reproduce_hands_everything_on(maam: Maam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run_sequence(*given: object, **named: object) -> Path:
        calls.append((given, named))
        return tmp_path / "index.html"

    monkeypatch.setattr("maam_lib.report.reproduce", run_sequence)
    words = (
        "--set",
        "training.epochs=1",
        "--parameter",
        "num_rows=2",
        "--parameter",
        "clip=Test002",
        "--cell-limit",
        9,
    )
    answer = maam("reproduce", "ped2-mini", "--root", tmp_path, *words)
    assert (answer.status, answer.out) == (0, f"report: {tmp_path / 'index.html'}\n")
    [(given, named)] = calls
    assert given == ("ped2-mini", tmp_path, Path("reports/ped2-mini"))
    assert named["parameters"] == {"num_rows": 2, "clip": "Test002"}
    assert (named["settings"], named["cell_limit"]) == (["training.epochs=1"], 9)


def test_a_report_of_a_sweep_that_is_not_there_is_refused(maam: Maam, tmp_path: Path) -> None:
    answer = maam("report", "--sweep", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert answer.status != 0
    assert "nowhere" in answer.err
    assert not (tmp_path / "out").exists()


def test_prepare_train_resume_evaluate(maam: Maam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "SceneSettings", lambda: SMALL_SCENE)
    clips = read_synthetic(SMALL_SCENE)
    monkeypatch.setattr(synthetic, "read_synthetic", lambda _: clips)
    root, run = tmp_path / "data", tmp_path / "run"
    prepared = maam("prepare", "synthetic", "--root", root, "--workers", 1)
    assert (prepared.status, prepared.out) == (0, f"prepared: {root / 'synthetic'}\n")
    train = ["train", "synthetic-mini", *SET, "--root", root, "--run", run]
    trained = maam(*train, "--resume")
    assert trained.status == 0
    first, *epochs, last = trained.out.splitlines()
    assert first == f"{run}: no finished epoch to resume; training begins at epoch 1"
    assert [line.split("  loss")[0] for line in epochs] == ["epoch   1", "epoch   2"]
    assert last == f"trained: {run}, 2 epochs; next: maam evaluate --run {run} --root {root}"
    resumed = maam(*train, "--resume", "--set", "training.epochs=3")
    assert [line.split("  loss")[0] for line in resumed.out.splitlines()[:-1]] == ["epoch   3"]
    evaluated = maam("evaluate", "--run", run, "--root", root, "--every-epoch")
    assert evaluated.status == 0
    rows = {line[:40].strip(): line.split() for line in evaluated.out.splitlines()}
    result = read_result(run / "metrics.json")
    assert len(result.curve) == 3
    fused = next(line for name, line in rows.items() if name.startswith("fused"))
    assert fused[1:3] == [f"{result.auc:.3f}", f"{result.eer:.3f}"]
    assert sum(name.startswith("no learning") for name in rows) == len(result.no_learning)
    assert "not finished" not in evaluated.out
    planned = run / "recipe.yaml"
    planned.write_text(planned.read_text().replace("epochs: 3", "epochs: 4"))
    assert "note: epoch 3 of 4: this training is not finished" in maam("evaluate", "--run", run, "--root", root).out


def test_verify_prints_a_table_and_fails_on_any_mismatch(maam: Maam, tmp_path: Path) -> None:
    source, root = write_footage(tmp_path), tmp_path / "data"
    prepared = maam("prepare", "videos", "--source", source, "--root", root, "--size", 16, 20, "--workers", 1)
    assert prepared.out.splitlines()[0] == (
        "note: train/morning: 32x48 is stored at 16x20, so everything looks 0.83 times as wide"
    )
    whole = maam("verify", "--root", root)
    assert whole.status == 0
    assert [line.split()[-1] for line in whole.out.splitlines() if line.startswith("t")] == ["OK"] * 4
    (root / "videos/test/night/frames.npy").unlink()
    damaged = maam("verify", "videos", "--root", root)
    assert damaged.status == 1
    assert "PROBLEM: test/night: frames is missing" in damaged.out.splitlines()
    assert f"delete {root / 'videos' / 'manifest.json'} and prepare again" in damaged.out
    assert "no prepared avenue" in the_error(maam("verify", "avenue", "--root", root))


def test_card_and_difficulty_of_a_generated_scene(maam: Maam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no generated dataset 'ped2'; there are synthetic" in the_error(maam("card", "ped2"))
    assert "ped2 has no difficulty" in the_error(maam("prepare", "ped2", "--difficulty", "hard", "--root", tmp_path))
    monkeypatch.setattr(synthetic, "SceneSettings", lambda: SMALL_SCENE)
    told = maam("card", "synthetic", "--difficulty", "hard")
    assert told.status == 0
    assert told.out.startswith("synthetic-hard: generated scene lane, difficulty hard; 48x64 gray")
    assert "walkway cyclist" in told.out
    prepared = maam("prepare", "synthetic", "--difficulty", "hard", "--root", tmp_path, "--workers", 1)
    assert prepared.out == f"prepared: {tmp_path / 'synthetic-hard'}\n"


def test_the_command_is_installed() -> None:
    maam = shutil.which("maam", path=str(Path(sys.executable).parent))
    assert maam, "pip install -e ."
    answer = subprocess.run([maam, "train", "--run", "x", "no-recipe"], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith("maam: error: no recipe 'no-recipe'")


# The authors' weights, and the differences


def test_import_weights_asks_for_run_and_recipe_together(maam: Maam, tmp_path: Path) -> None:
    line = the_error(maam("import-weights", tmp_path / "model", "--out", tmp_path / "w", "--run", tmp_path / "run"))
    assert "give --run and --recipe together" in line


def test_import_weights_names_a_checkpoint_that_is_not_there(maam: Maam, tmp_path: Path) -> None:
    line = the_error(maam("import-weights", tmp_path / "model", "--out", tmp_path / "w"))
    assert "model.index: no such file" in line
    assert list(tmp_path.iterdir()) == []


def test_import_weights_says_what_it_made_and_what_comes_next(
    maam: Maam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = regenerate.make_mini_weights()
    monkeypatch.setattr("maam_lib.released.read_checkpoint", lambda prefix: made)
    answer = maam("import-weights", "model-50", "--out", tmp_path / "weights.safetensors")
    assert answer.status == 0
    assert f"imported: {tmp_path / 'weights.safetensors'}, 32,813 parameters, 3 channels, 6 items" in answer.out


def test_sweep_measures_a_variant_once_and_prints_the_tables(maam: Maam, scene_root: Path, tmp_path: Path) -> None:
    words = ["sweep", "synthetic-mini", "--root", scene_root, "--out", tmp_path, "--seeds", 1, *SET]
    words += ["--set", "training.epochs=1", "--part", "table2", "--variant", "sparse", "--workers", 1]
    first = maam(*words)
    assert first.status == 0, first.err
    assert "3/3 sparse seed 0: AUC" in first.out
    assert "Frame AUC on three benchmarks (Table 2)" in first.out
    results = {path: path.read_bytes() for path in (tmp_path / "synthetic-mini").glob("*/seed0.json")}
    assert sorted(path.parent.name for path in results) == ["no-memory", "paper", "sparse"]
    again = maam(*words)
    assert "3 cells, 3 done, 0 to do" in again.out
    assert "seed 0: AUC" not in again.out, "nothing is measured twice"
    assert {path: path.read_bytes() for path in results} == results
    told = maam("status", tmp_path)
    assert (told.status, told.out) == (0, f"{tmp_path / 'synthetic-mini'}: 3 cells: 3 done\n")
    assert "holds a sweep with other settings (model.num_items: 8 -> 9)" in the_error(
        maam(*words, "--set", "model.num_items=9")
    )
    assert "no variant colour; there are beta-0.00025" in the_error(maam(*words, "--variant", "colour"))
    assert "no part table9; there are table2" in the_error(maam(*words, "--part", "table9"))


def test_status_without_a_sweep(maam: Maam, tmp_path: Path) -> None:
    assert f"{tmp_path}: no sweep here" in the_error(maam("status", tmp_path))


def test_rows_without_learning_need_no_training(maam: Maam, scene_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept" / "no_learning.json"
    answer = maam("baselines", "synthetic-mini", *SET, "--root", scene_root, "--out", out)
    assert (answer.status, answer.out.splitlines()[-1]) == (0, f"written: {out}, {out.with_suffix('.csv')}")
    measured = read_no_learning(out)
    assert set(measured.rows) == set(ROWS)
    scores = read_no_learning_scores(out)
    assert list(scores) == ["clip", "frame", "label", *ROWS]
    for name, row in measured.rows.items():
        assert roc_auc(scores["label"].to_numpy(), scores[name].to_numpy()) == pytest.approx(row.micro.auc), name
        assert re.search(rf"^{name.replace('_', ' ')} +{row.micro.auc:.3f} +{row.micro.eer:.3f}", answer.out, re.M)
    shown = maam("baselines", "synthetic-mini", *SET, "--root", scene_root)
    assert shown.out.splitlines() == answer.out.splitlines()[:-1]
    followed = maam("baselines", "camera", "--set", "data.dataset=synthetic", "--root", scene_root)
    assert followed.status == 0
    assert followed.out.startswith("camera: 48x64"), "what the recipe takes from the data is told"
    beside = maam("baselines", "synthetic-mini", *SET, "--root", scene_root, "--out", tmp_path / "kept.csv")
    assert "expected a name that ends in .json" in the_error(beside), "the scores would take its place"
    absent = maam("baselines", "ped2-mini", "--root", scene_root)
    assert "Prepare it: maam prepare ped2" in the_error(absent)
