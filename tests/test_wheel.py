"""An installed wheel, away from the clone: it holds all that it needs, and says so where something needs the clone."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import PROJECT, TINY_SETTINGS

pytestmark = pytest.mark.slow
SET = [word for setting in TINY_SETTINGS for word in ("--set", setting)]
MAAM = "from maam_lib.cli import main; main()"
IMPORT_ALL = """
import pkgutil, importlib, data_prep, maam_lib
for package in (data_prep, maam_lib):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(maam_lib.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the kit, unpacked as pip does it. It is built from a copy, since a build leaves its own folder."""
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("wheel")
    for package in ("maam_lib", "data_prep"):
        shutil.copytree(PROJECT / package, folder / "source" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, folder / "source")
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([sys.executable, *build, folder / "source"], check=True, timeout=300)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, cwd: Path, code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Python with the unpacked wheel before everything else, in a folder of its own."""
    env = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)


def test_a_wheel_holds_every_file_of_the_packages(installed: Path) -> None:
    for package in ("maam_lib", "data_prep"):
        files = {path.relative_to(PROJECT) for path in (PROJECT / package).rglob("*") if path.is_file()}
        wanted = {path for path in files if "__pycache__" not in path.parts}
        assert sorted(path for path in wanted if not (installed / path).is_file()) == []


def test_everything_can_be_imported_from_it(installed: Path, tmp_path: Path) -> None:
    answer = run(installed, tmp_path, IMPORT_ALL)
    assert (answer.returncode, answer.stdout.strip()) == (0, str(installed / "maam_lib" / "__init__.py")), answer.stderr


def test_prepare_train_evaluate_detect_work_from_it(installed: Path, scene_root: Path, tmp_path: Path) -> None:
    assert "import-weights" in run(installed, tmp_path, MAAM, "--help").stdout
    shutil.copytree(scene_root, tmp_path / "data")
    write = "import cv2, numpy\nfor i in range(9): cv2.imwrite(f'in/{i}.png', numpy.full((48, 64), 20 * i, 'uint8'))"
    (tmp_path / "in").mkdir()
    assert run(installed, tmp_path, write).returncode == 0
    for words in (
        ("train", "synthetic-mini", "--run", "run", *SET),
        ("evaluate", "--run", "run"),
        ("detect", "run", "in", "--out", "out"),
    ):
        answer = run(installed, tmp_path, MAAM, *words)
        assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("bench", "pscd"), "benchmarks"),
        (("reproduce", "synthetic-mini"), "notebooks"),
        (("report", "--out", "out"), "reports/paper_values.yaml"),
        (("sweep", "synthetic-mini", *SET), "reports/paper_values.yaml"),
    ],
)
def test_what_needs_the_clone_says_so(
    words: tuple[str, ...], missing: str, installed: Path, scene_root: Path, tmp_path: Path
) -> None:
    shutil.copytree(scene_root, tmp_path / "data")
    answer = run(installed, tmp_path, MAAM, *words)
    assert answer.returncode == 1
    [line] = answer.stderr.splitlines()
    assert line.startswith(f"maam: error: {missing} is not part of an installed package; run from a clone")
