"""The doctor: all is well here, and each need that is not met is told with its remedy."""

import builtins
import json
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from maam_lib import model
from maam_lib.cli import checks as doctor
from maam_lib.cli.checks import Finding, examine
from maam_lib.report import notebooks as reporting
from maam_lib.report.kernels import foreign_program

Break = Callable[[pytest.MonkeyPatch, Path], None]


def test_all_is_well_here(tmp_path: Path) -> None:
    findings = examine(tmp_path / "not" / "yet" / "there")
    assert [str(finding) for finding in findings if finding.remedy] == []
    needs = ["Python >= 3.11", "packages", "PyTorch", "device", "Jupyter kernel", "notebooks", "disk"]
    assert [finding.need for finding in findings] == needs
    assert str(findings[0]).startswith("OK    Python >= 3.11")
    assert list(tmp_path.iterdir()) == [], "an examination leaves nothing behind"


def old_python(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(doctor, "sys", SimpleNamespace(version="3.10.4 (main)", version_info=(3, 10, 4)))


def old_package(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(metadata, "requires", lambda _: ["numpy>=99", "no-such-package>=1", "pytest>=99; extra == 'test'"])


def nan_gradients(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(model, "_draw", lambda values: torch.nn.init.constant_(values, torch.nan))


def no_torch(patch: pytest.MonkeyPatch, _: Path) -> None:
    real_import = builtins.__import__

    def without_torch(name: str, *rest: object) -> object:
        if name == "torch":
            raise ImportError("libtorch.so: cannot open shared object file")
        return real_import(name, *rest)

    patch.setattr(builtins, "__import__", without_torch)


def no_kernel(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(KernelSpecManager, "find_kernel_specs", lambda _: {"ir": "/usr/share/jupyter/kernels/ir"})


def foreign_kernel(patch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "kernels" / "python3").mkdir(parents=True)
    spec = {"argv": ["/bin/false", "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (folder / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    patch.setenv("JUPYTER_PATH", str(folder))


def no_notebooks(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setattr("maam_lib.report.NOTEBOOK_FOLDER", folder)


def full_disk(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))


def foreign_folder(patch: pytest.MonkeyPatch, _: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    patch.setattr(Path, "touch", refuse)


def broken_disk(patch: pytest.MonkeyPatch, _: Path) -> None:
    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    patch.setattr(shutil, "disk_usage", fail)


@pytest.mark.parametrize(
    ("breaking", "need", "found", "remedy"),
    [
        (old_python, "Python >= 3.11", "3.10.4", "install Python 3.11 or newer"),
        (
            old_package,
            "packages",
            f"numpy is {metadata.version('numpy')}, needs >=99; no-such-package is missing",
            "pip",
        ),
        (nan_gradients, "PyTorch", torch.__version__, "reinstall PyTorch"),
        (no_torch, "torch", "libtorch.so: cannot open", "reinstall the environment"),
        (no_kernel, "Jupyter kernel", "no kernel named python3", f"{sys.executable} -m ipykernel install"),
        (
            foreign_kernel,
            "Jupyter kernel",
            f"starts /bin/false, not {sys.executable}",
            "remove that folder, or take it",
        ),
        (no_notebooks, "notebooks", f"missing {', '.join(reporting.SEQUENCE)}", "use the kit from a clone"),
        (full_disk, "disk", "1 GB free", "free some space or point --root"),
        (foreign_folder, "disk", "Permission denied", "point --root (or MAAM_ROOT) to a folder of yours"),
        (broken_disk, "folder", "Input/output error", "reinstall the environment"),
    ],
)
def test_what_is_broken_is_told_with_its_remedy(
    breaking: Break, need: str, found: str, remedy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        breaking(patch, tmp_path)
        broken = {finding.need: finding for finding in examine(tmp_path) if finding.remedy}
    assert need in broken, list(broken)
    assert found in broken[need].found
    assert broken[need].remedy.startswith(remedy)
    assert str(broken[need]).startswith("FAIL  ")
    assert "\n      fix: " in str(broken[need])


@pytest.mark.parametrize("version", ["", "3", f"3.{sys.version_info[1]}"])
def test_this_python_by_any_of_its_names_is_no_foreign_kernel(version: str) -> None:
    here = Path(sys.executable).parent
    for program in (f"python{version}", str(here / f"python{version}")):
        if "/" in program and not Path(program).exists():
            continue
        assert foreign_program(KernelSpec(argv=[program, "-m", "ipykernel_launcher"])) is None


def test_another_environment_of_the_same_python_is_a_foreign_kernel(tmp_path: Path) -> None:
    """Its Python is a link to the same file as ours."""
    (tmp_path / "bin").mkdir()
    other = tmp_path / "bin" / "python3"
    other.symlink_to(Path(sys.executable).resolve())
    assert foreign_program(KernelSpec(argv=[str(other)])) == str(other)


def test_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: f"card {i}")
    assert Finding("device", "CUDA: card 0, card 1") in examine(tmp_path)
