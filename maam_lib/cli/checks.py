"""Commands about this machine: whether all that the kit needs is there, and how fast it is."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from data_prep.words import counted
from maam_lib import in_clone
from maam_lib.cli.options import DEFAULT_ROOT, Root, app

NEEDED_SPACE = 5e9  # bytes: a prepared Ped2 with its flow, a few runs and reports


@app.command()
def doctor(root: Root = DEFAULT_ROOT) -> None:
    """Check this machine. Prints one line per need: OK, or FAIL with what to do."""
    findings = examine(root)
    print(*findings, sep="\n")
    if any(finding.remedy for finding in findings):
        raise Exit(1)


@app.command()
def bench(
    group: Annotated[
        list[str] | None, Argument(help="Groups of cases (forward, training ...); all if left out.")
    ] = None,
    root: Root = DEFAULT_ROOT,
    threads: Annotated[int | None, Option(min=0, help="Number of threads; 0 means all cores, one if left out.")] = None,
    rounds: Annotated[int, Option(min=2, help="Rounds in which the cases take turns.")] = 7,
    device: Annotated[str | None, Option(help="cpu or cuda; the best available if left out.")] = None,
    out: Annotated[
        Path | None, Option(help="Folder for JSON files; benchmarks/results if left out.", file_okay=False)
    ] = None,
) -> None:
    """Measure speed. Gives ratios that hold on any machine, and says whether each required speed is met."""
    sys.path.insert(0, str(in_clone("benchmarks").parent))
    from benchmarks.groups import RESULTS, run

    run(group or [], root, threads=threads, rounds=rounds, device=device, out=out or RESULTS)


@dataclass(frozen=True)
class Finding:
    """One need, what was found, and what to do where it is not met."""

    need: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        state = "FAIL" if self.remedy else "OK"
        return f"{state:<5} {self.need:<18} {self.found}" + (f"\n      fix: {self.remedy}" if self.remedy else "")


def examine(root: Path) -> list[Finding]:
    """All findings, for prepared datasets under `root`; a check that breaks is itself a finding."""
    checks = (_python, _packages, _torch, _device, _kernel, _notebooks)
    return [*map(_guarded, checks), _guarded(_folder, root)]


def _guarded(check: Callable[..., Finding], *given: Path) -> Finding:
    try:
        return check(*given)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        name = check.__name__.strip("_")
        return Finding(name, f"{type(error).__name__}: {error}", "reinstall the environment: rm -rf .venv; make env")


def _python() -> Finding:
    found = sys.version.split()[0]
    remedy = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer, then make env PYTHON=python3.11"
    return Finding("Python >= 3.11", found, remedy)


def _packages() -> Finding:
    """Every dependency of the kit and its notebooks, at least at its lower bound."""
    from importlib import metadata

    from packaging.requirements import Requirement

    wrong = []
    requirements = [Requirement(r) for r in metadata.requires("maam-net-kit") or []]
    for requirement in (r for r in requirements if r.marker is None or r.marker.evaluate({"extra": "notebooks"})):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, needs {requirement.specifier}")
    remedy = "pip install -c constraints.txt -e '.[notebooks]'" if wrong else ""
    return Finding("packages", "; ".join(wrong) or f"{len(requirements)} requirements met", remedy)


def _torch() -> Finding:
    """A forward and a backward pass of a small network, finite."""
    import torch

    from maam_lib.model import MAAMNet

    net = MAAMNet(1, 10, base_channels=4)
    net(torch.zeros(1, 1, 32, 32)).frame_hat.square().mean().backward()
    finite = all(p.grad is None or bool(p.grad.isfinite().all()) for p in net.parameters())
    remedy = "" if finite else "reinstall PyTorch: pip install --force-reinstall -c constraints.txt torch"
    return Finding("PyTorch", torch.__version__, remedy)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("device", f"CUDA: {', '.join(names)}")
    return Finding("device", f"CPU, {counted(torch.get_num_threads(), 'thread')}; a GPU is optional")


def _kernel() -> Finding:
    """The kernel that JupyterLab and voila start for the notebooks; reports run in this Python in any case."""
    from jupyter_client.kernelspec import KernelSpecManager

    from maam_lib.report import foreign_program

    specs = KernelSpecManager()
    found = specs.find_kernel_specs().get("python3")
    if not found:
        remedy = f"{sys.executable} -m ipykernel install --sys-prefix"
        return Finding("Jupyter kernel", "no kernel named python3", remedy)
    if program := foreign_program(specs.get_kernel_spec("python3")):
        remedy = "remove that folder, or take it out of JUPYTER_PATH; `maam reproduce` works in either case"
        return Finding("Jupyter kernel", f"{found} starts {program}, not {sys.executable}", remedy)
    return Finding("Jupyter kernel", found)


def _notebooks() -> Finding:
    from maam_lib.report import NOTEBOOK_FOLDER, SEQUENCE

    missing = [name for name in SEQUENCE if not (NOTEBOOK_FOLDER / f"{name}.ipynb").is_file()]
    remedy = "use the kit from a clone: git clone ..., then make env" if missing else ""
    return Finding("notebooks", f"missing {', '.join(missing)}" if missing else str(NOTEBOOK_FOLDER), remedy)


def _folder(root: Path) -> Finding:
    """Room and write permission where prepared datasets go."""
    existing = next(p for p in (root.resolve(), *root.resolve().parents) if p.exists())
    free, probe = shutil.disk_usage(existing).free, existing / ".maam-doctor"
    found = f"{existing}: {free / 1e9:.0f} GB free"
    if free < NEEDED_SPACE:
        return Finding("disk", found, "free some space or point --root (or MAAM_ROOT) to another disk")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding("disk", f"{found}, but {error.strerror}", "point --root (or MAAM_ROOT) to a folder of yours")
    return Finding("disk", found)
