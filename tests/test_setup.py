"""What is said of the kit outside its code agrees with it: environments, pins, the map from the paper to the code.

And what the kit sets before anything else: how the threads of torch wait.
"""

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from data_prep import SPIN_COUNT

PROJECT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch", "dask-core": "dask"}  # conda's name: pip's
CONDA_ONLY = {"python", "pip"}
BY_REQUEST = {"tensorflow", "tensorflow-cpu"}  # the extra `import`: no environment has it unasked
MAP_HEADING = "## Paper map"


def conda_name(line: str) -> str:
    name = re.split(r"[\s<>=]", line, maxsplit=1)[0]
    return canonicalize_name(CONDA_NAMES.get(name, name))


def bound(text: str) -> str:
    """The version part of a requirement, in one spelling: ">=4.10,<5" of "name >=4.10,<5"."""
    return ",".join(sorted(re.findall(r"[<>=]=?[\d.]+", text)))


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def asked(project: dict) -> dict[str, Requirement]:
    """Every direct dependency of pyproject.toml, extras included, by name."""
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    requirements = [Requirement(line) for line in [*project["dependencies"], *extras]]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


@pytest.fixture(scope="module")
def conda() -> dict[str, str]:
    """Every line of environment.yml, those for pip included, by pip's name; without the kit itself."""
    lines = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    [from_pip] = [line["pip"] for line in lines if isinstance(line, dict)]
    assert "-e ." in from_pip
    plain = [line for line in lines if isinstance(line, str)] + [line for line in from_pip if line != "-e ."]
    return {conda_name(line): line for line in plain}


@pytest.fixture(scope="module")
def paper_map() -> list[tuple[str, list[str]]]:
    """The rows under "## Paper map" in docs/paper_map.md: the row, and everything in backticks."""
    text = (PROJECT / "docs" / "paper_map.md").read_text(encoding="utf-8")
    assert MAP_HEADING in text, f"docs/paper_map.md has no heading {MAP_HEADING!r}"
    section = re.split(r"^## ", text.split(MAP_HEADING, 1)[1], flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|") and "`" in line]
    return [(row, re.findall(r"`([^`]+)`", row)) for row in rows]


# Environments


def test_conda_and_pip_install_the_same_things(conda: dict[str, str], asked: dict[str, Requirement]) -> None:
    assert set(conda) - CONDA_ONLY == set(asked) - BY_REQUEST


def test_conda_and_pip_ask_for_the_same_versions(conda: dict[str, str], asked: dict[str, Requirement]) -> None:
    differ = {
        name for name, line in conda.items() if name in asked and bound(line) != bound(str(asked[name].specifier))
    }
    assert differ == set()


def test_conda_and_pip_ask_for_the_same_python(conda: dict[str, str], project: dict) -> None:
    assert bound(conda["python"]) == bound(project["requires-python"])


def test_flow_environment_pins_the_torch_of_the_kit() -> None:
    """`make flow-env` reads its packages from the lines for pip, whose form it takes for granted."""
    [from_pip] = [
        line["pip"]
        for line in yaml.safe_load((PROJECT / "environment-flow.yml").read_text())["dependencies"]
        if isinstance(line, dict)
    ]
    pins = dict(re.fullmatch(r"([a-z]+) ==([\d.]+)", line).groups() for line in from_pip)
    assert list(pins) == ["torch", "torchvision", "ptlflow"]
    assert f"torch=={pins['torch']}" in (PROJECT / "constraints.txt").read_text().splitlines()


@pytest.mark.parametrize("name", ["environment.yml", "environment-flow.yml"])
def test_every_line_for_conda_says_what_it_is_for(name: str) -> None:
    text = (PROJECT / name).read_text().split("dependencies:\n")[1]
    bare = [line for line in text.splitlines() if line.strip() != "- pip:" and not re.search(r"\S  # \S", line)]
    assert bare == []


def test_every_direct_dependency_is_pinned_to_one_version_that_pyproject_accepts(asked: dict[str, Requirement]) -> None:
    lines = [line for line in (PROJECT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.+]+", line)] == []
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    assert len(pins) == len(lines), "a name is pinned twice"
    assert set(asked) - set(pins) == set(), "not pinned"
    wrong = {name for name, requirement in asked.items() if not requirement.specifier.contains(pins[name])}
    assert wrong == set()


def test_pyproject_has_bounds_and_no_pins(asked: dict[str, Requirement]) -> None:
    assert [name for name, r in asked.items() if not re.match(r"(<[\d.]+,)?>=", str(r.specifier))] == []


# Threads

COMMAND = "import sys; sys.argv = ['maam', 'evaluate', '--run', '/nowhere']; from maam_lib.cli import main; main()"
KERNEL = """
import asyncio
from maam_lib.report.kernels import OwnKernel
async def run() -> None:
    kernel = OwnKernel()
    kernel.kernel_spec.argv[1:] = ["-c", "import torch"]
    await kernel.start_kernel()
    await kernel.provisioner.wait()
asyncio.run(run())
"""
WORKERS = """
import importlib
from data_prep.cluster import unordered
if __name__ == "__main__":
    list(unordered(importlib.import_module, ["torch"], workers=2))
"""


def spin_counts(code: str, folder: Path, **env: str) -> set[str]:
    """What libgomp, by its own word, reads in a program and its children, each time that it is loaded."""
    script = folder / "program.py"
    script.write_text(code)
    unset = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    env = unset | {"PYTHONPATH": str(PROJECT), "OMP_DISPLAY_ENV": "verbose"} | env
    done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=120)
    said = re.findall(r"GOMP_SPINCOUNT = '(\w+)'", done.stderr)
    assert said, done.stderr
    return set(said)


needs_libgomp = pytest.mark.skipif(sys.platform != "linux", reason="torch has libgomp on Linux alone")


@needs_libgomp
@pytest.mark.parametrize(
    "code",
    [
        "import maam_lib, torch",
        "import data_prep, torch",
        "from maam_lib import fit\nfit",
        COMMAND,
        KERNEL,
        WORKERS,
    ],
    ids=["library", "data_prep", "a lazy name", "command", "kernel", "workers"],
)
def test_threads_do_not_spin_whichever_way_torch_is_loaded(code: str, tmp_path: Path) -> None:
    assert spin_counts(code, tmp_path) == {SPIN_COUNT}


@needs_libgomp
@pytest.mark.parametrize(("env", "found"), [({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")])
def test_what_the_user_says_of_threads_holds(env: dict[str, str], found: str, tmp_path: Path) -> None:
    assert spin_counts("import maam_lib, torch", tmp_path, **env) == {found}


# The paper's map


def test_the_map_covers_the_paper(paper_map: list[tuple[str, list[str]]]) -> None:
    said = " ".join(row.split("|")[1] for row, _ in paper_map)
    numbers = {int(n) for n in re.findall(r"Eq\. (\d+)", said)}
    for first, last in re.findall(r"Eq\. (\d+)\s*[-–]\s*(\d+)", said):
        numbers |= set(range(int(first), int(last) + 1))
    assert numbers >= set(range(1, 13)), "equations without a place"
    assert "Algorithm 1" in said
    assert "Table 1" in said


def test_everything_that_the_map_names_is_there(paper_map: list[tuple[str, list[str]]]) -> None:
    assert len(paper_map) >= 8
    absent = [f"{name} in: {row}" for row, names in paper_map for name in names if not _exists(name)]
    assert absent == []


def _exists(name: str) -> bool:
    """Whether a dotted name, a file or a notebook's stem exists."""
    if re.fullmatch(r"(maam_lib|data_prep)(\.\w+)+", name):
        return _is_attribute(name)
    if "/" in name or "." in name:
        return (PROJECT / name).exists()
    return (PROJECT / "notebooks" / f"{name}.ipynb").is_file()


def _is_attribute(name: str) -> bool:
    """Whether `package.module`, `package.module.thing` or `package.module.thing.part` can be reached."""
    package, module, *parts = name.split(".")
    try:
        found = import_module(f"{package}.{module}")
    except ModuleNotFoundError:
        return False
    for part in parts:
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("maam_lib.memory.address", True),
        ("maam_lib.memory.adress", False),
        ("maam_lib.config.Recipe.hash", True),
        ("maam_lib.nothing.at_all", False),
        ("04_memory_items", True),
        ("04_memory", False),
        ("tests/maam_lib/test_memory.py", True),
        ("tests/test_nothing.py", False),
    ],
)
def test_the_check_of_the_map_can_fail(name: str, there: bool) -> None:
    assert _exists(name) is there


# What a Binder-like service reads


def test_binder_builds_the_pinned_notebooks_of_this_project(project: dict) -> None:
    folder = PROJECT / ".binder"
    conda = yaml.safe_load((folder / "environment.yml").read_text())["dependencies"]
    [python] = [line.split("=")[1] for line in conda if line.startswith("python ")]
    assert SpecifierSet(project["requires-python"]).contains(f"{python}.0")
    build = (folder / "postBuild").read_text()
    [extras] = re.findall(r"pip install --no-cache-dir -c constraints.txt -e '\.\[(.+)\]'", build)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert "\nset -e\n" in build, "else repo2docker goes on after an error"
    for script in ("postBuild", "start"):
        assert os.access(folder / script, os.X_OK)
        subprocess.run(["bash", "-n", folder / script], check=True)
    started = subprocess.run(
        [folder / "start", "printenv", "OMP_NUM_THREADS"], capture_output=True, text=True, check=True
    )
    assert started.stdout == "1\n"
