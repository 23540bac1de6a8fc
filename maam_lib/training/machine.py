"""Where and how a network was trained: what run.json says, part of which results carry with them."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hash = Annotated[str, Field(max_length=128, pattern="^[0-9A-Za-z]+$")]


class Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Machine(Part):
    """Where and how a network was trained."""

    processor: str | None = None
    gpu: str | None = None
    platform: str | None = None
    precision: str | None = None
    threads: int | None = None
    training_seconds: Amount | None = None
    weights_from: str = ""
    data: "_TrainedOn | None" = None


class _TrainedOn(Part):
    content_hash: Hash


def environment_facts() -> dict[str, Any]:
    """Versions, machine and git revision, for run.json."""
    packages = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    return {
        "git_revision": _git_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def processor_name() -> str:
    """The processor's own name, as far as the system tells it, and how many cores this process may use."""
    cpuinfo = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    return f"{named[1].strip() if named else platform.processor() or platform.machine()}, {usable_cores()} cores"


def usable_cores() -> int:
    """Cores that this process may use: those of its affinity, where the system has one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git_revision() -> str | None:
    """The kit's revision, with "-dirty" where files differ from it; None outside a clone or without git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run([*command, "--exclude=*"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
