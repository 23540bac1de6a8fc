"""A run folder: everything that one training leaves behind, and nothing that has to be unpickled.

recipe.yaml        the resolved recipe
run.json           seed, device, number format, determinism, versions, data, git revision, wall time
history.csv        one row per epoch
checkpoints/       epoch_001.safetensors ... weights; optimizer.safetensors for exact resume
scores.csv         from `maam evaluate`: clip, frame, label, appearance, motion, fused
metrics.json       from `maam evaluate`
detector.json      from `maam evaluate`, or the first `maam detect`: what scores any video with this run
"""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from data_prep.files import UnreadableError, clear_asides, is_aside, read_checked, write_json, write_text, written_aside
from maam_lib.config import Recipe, differences, load_recipe
from maam_lib.model import MAAMNet
from maam_lib.training.machine import Machine

SCORES = "scores.csv"
CHECKSUM = "sha256"  # in the metadata of a weights file: of its epoch and of all its numbers
HISTORY = ("epoch", "total", "motion", "zero_flow", "seconds")  # columns that are read again


class RunError(RuntimeError):
    """A run folder that cannot be used as asked: names the folder, the reason and the remedy."""


class RunFolder:
    """One run folder. Reading needs no lock; `claim` is for the one process that writes."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.checkpoints = self.folder / "checkpoints"
        self._lock = FileLock(self.folder / ".lock", timeout=0)

    @classmethod
    def open(cls, folder: Path) -> "RunFolder":
        """An existing run; raises RunError where there is none."""
        run = cls(folder)
        if not (run.folder / "recipe.yaml").is_file():
            raise RunError(f"{folder}: no run here (no recipe.yaml); train one with `maam train RECIPE --run {folder}`")
        return run

    @property
    def recipe(self) -> Recipe:
        return load_recipe(self.folder / "recipe.yaml")

    @property
    def history(self) -> pd.DataFrame:
        """One row per finished epoch; empty before the first. Raises RunError for a damaged file."""
        path = self.folder / "history.csv"
        if not path.exists():
            return pd.DataFrame({"epoch": []})
        return _read_numbers(path, HISTORY, "continue the training in another folder, or repair the row")

    @property
    def epochs_done(self) -> int:
        """The last epoch whose weights and optimiser state are both whole; 0 before the first."""
        if not self._path("optimizer").is_file():
            return 0
        epoch = self._read("optimizer")[1].get("epoch", "none")
        if not re.fullmatch(r"\d{1,6}", epoch):
            raise RunError(f"{self._path('optimizer')}: of epoch {epoch!r:.40}, expected a number; train anew")
        return int(epoch)

    @property
    def is_finished(self) -> bool:
        """Whether the recipe's last epoch is there."""
        return self.epochs_done >= self.recipe.training.epochs

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says; empty before training began. Raises RunError for a damaged file."""
        try:
            return read_checked(self.folder / "run.json", Machine)
        except FileNotFoundError:
            return {}
        except UnreadableError as error:
            raise RunError(f"{error}; it says what the run was trained on: bring it back, or train anew") from error

    @property
    def machine(self) -> dict[str, Any]:
        """What run.json says, less the long list of packages: what a kept result tells of its training."""
        return {key: value for key, value in self.facts.items() if key != "packages"}

    def check_data(self, content_hash: str) -> None:
        """Raise RunError when this run was trained on other data than those of the given content hash."""
        trained_on = (self.facts.get("data") or {}).get("content_hash", content_hash)
        if trained_on != content_hash:
            raise RunError(
                f"{self.folder}: was trained on other data (content {trained_on[:12]}, now {content_hash[:12]}); "
                "prepare the same again, or train anew in another folder"
            )

    def claim(self, recipe: Recipe, *, resume: bool) -> None:
        """Take the folder for writing; `release` gives it back (so does the end of the process).

        Raises RunError when another process writes there, when it holds a run and `resume` is not asked for, or
        when the run there has other settings. More epochs than before are no other setting. A run that was killed
        before its first epoch holds nothing, so it goes on unasked; temporary files of killed processes are cleared.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise RunError(f"{self.folder}: another process is writing this run; wait for it or name another") from None
        clear_asides(self.folder)
        clear_asides(self.checkpoints)
        try:
            self._check_free_or_same(recipe, resume)
        except RunError:
            self._lock.release()
            raise
        write_text(self.folder / "recipe.yaml", recipe.to_yaml())

    def release(self) -> None:
        self._lock.release()

    def _check_free_or_same(self, recipe: Recipe, resume: bool) -> None:
        if not (self.folder / "recipe.yaml").is_file():
            if strangers := [p.name for p in self.folder.iterdir() if p.name != ".lock" and not is_aside(p.name)]:
                raise RunError(f"{self.folder}: not empty and no run (found {strangers[0]}); name another folder")
            return
        if not resume and self._holds_something():
            raise RunError(f"{self.folder}: holds a run already; continue it with --resume or name another folder")
        if changed := changed_settings(self.recipe, recipe):
            raise RunError(f"{self.folder}: cannot resume with other settings ({changed}); name another folder")

    def _holds_something(self) -> bool:
        """Whether there is more than a kill in the first epoch, or in `adopt`, leaves."""
        weights = list(self.checkpoints.glob("epoch_*.safetensors"))
        return self._path("optimizer").is_file() or (self.folder / "metrics.json").is_file() or len(weights) > 1

    def adopt(self, recipe: Recipe, net: MAAMNet, origin: str) -> None:
        """Make this new folder the finished run of weights that were trained elsewhere, so that it can be evaluated.

        They count as the recipe's last epoch; `origin` says in run.json, and in every result, where they come from.
        Done again, as after a kill, it writes the same anew, unless the run has been evaluated. Raises RunError as
        `claim` does.
        """
        is_the_same = self.facts.get("weights_from") == origin and not (self.folder / "metrics.json").is_file()
        self.claim(recipe, resume=is_the_same)
        try:
            self._save(_epoch_name(recipe.training.epochs), net.state_dict(), recipe.training.epochs)
            self.record({"recipe": recipe.name, "recipe_hash": recipe.hash(), "weights_from": origin})
            self._save("optimizer", {}, recipe.training.epochs)
        finally:
            self.release()

    def record(self, facts: Mapping[str, Any]) -> None:
        """Write run.json: what was run, on what, with which versions."""
        write_json(self.folder / "run.json", dict(facts))

    def save_epoch(self, net: MAAMNet, optimizer: torch.optim.Optimizer, row: Mapping[str, float]) -> None:
        """Keep one epoch: weights, then its history row, then the optimiser state that makes it count as done."""
        epoch = int(row["epoch"])
        self._save(_epoch_name(epoch), net.state_dict(), epoch)
        history = self.history
        history = pd.concat([history[history["epoch"] < epoch], pd.DataFrame([row])], ignore_index=True)
        write_text(self.folder / "history.csv", history.to_csv(index=False))
        self._save("optimizer", _flat(optimizer.state_dict()["state"]), epoch)

    def load_epoch(self, net: MAAMNet, optimizer: torch.optim.Optimizer) -> int:
        """Put network and optimiser where the last finished epoch left them; returns that epoch, 0 for none."""
        if epoch := self.epochs_done:
            self.load_weights(net, epoch)
            _ = self.history  # damaged, it stops the training now and not after an epoch
            state, groups = _nested(self._read("optimizer")[0]), optimizer.state_dict()["param_groups"]
            known = {number for group in groups for number in group["params"]}
            if not set(state) <= known:
                raise RunError(f"{self._path('optimizer')}: the state of another network; train anew in another folder")
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        return epoch

    def load_weights(self, net: MAAMNet, epoch: int | None = None) -> int:
        """Load the weights of an epoch (None: the last finished) into the network; returns the epoch."""
        epoch = self.epochs_done if epoch is None else epoch
        path = self.weights_file(epoch)
        if not path.is_file():
            raise RunError(f"{self.folder}: no finished epoch {epoch or ''}; train first, or continue with --resume")
        load_weights(net, path)
        return epoch

    def weights_file(self, epoch: int | None = None) -> Path:
        """The weights of an epoch, by default the last finished."""
        return self._path(_epoch_name(self.epochs_done if epoch is None else epoch))

    def _path(self, name: str) -> Path:
        return self.checkpoints / f"{name}.safetensors"

    def _save(self, name: str, tensors: Mapping[str, Tensor], epoch: int) -> None:
        write_weights(self._path(name), tensors, {"epoch": str(epoch)})

    def _read(self, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
        return _load(self._path(name))


def load_weights(net: MAAMNet, path: Path) -> None:
    """Load a weights file into a network; raises RunError naming every tensor that does not fit."""
    tensors, _ = _load(path)
    own = net.state_dict()
    misfits = [f"{k} is missing" for k in own if k not in tensors] + [
        f"{k} is unknown" for k in tensors if k not in own
    ]
    misfits += [
        f"{k} is {tuple(tensors[k].shape)}, expected {tuple(own[k].shape)}"
        for k in own
        if k in tensors and tensors[k].shape != own[k].shape
    ]
    misfits += [
        f"{k} is {tensors[k].dtype}, expected {own[k].dtype}"
        for k in own
        if k in tensors and tensors[k].dtype != own[k].dtype
    ]
    if misfits:
        more = f" and {len(misfits) - 3} more" if len(misfits) > 3 else ""
        raise RunError(f"{path}: weights of another network: {'; '.join(misfits[:3])}{more}. Was the recipe changed?")
    if endless := [k for k, v in tensors.items() if not torch.isfinite(v).all()]:
        raise RunError(
            f"{path}: {endless[0]} holds NaN or infinite weights; take an earlier epoch, or train with a lower "
            "training.learning_rate"
        )
    net.load_state_dict(tensors)


def write_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a weights file, aside first, with the checksum by which a later damage is noticed."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with written_aside(path) as aside:
        save_file(whole, aside, metadata={**metadata, CHECKSUM: checksum(whole, metadata)})


def checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """sha256 of a weights file's numbers and what its metadata say, but for this checksum itself (ours)."""
    digest = hashlib.sha256(repr(sorted((k, v) for k, v in metadata.items() if k != CHECKSUM)).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def read_scores(folder: Path) -> pd.DataFrame:
    """The `scores.csv` of a run, or of kept weights: clip, frame, label, appearance, motion, fused, whole_frame.

    The names of clips are text, 001 and NA among them. Raises RunError for a damaged file.
    """
    path, columns = folder / SCORES, ("frame", "label", "appearance", "motion", "fused")
    scores = _read_numbers(path, columns, "make it again: maam evaluate", text=("clip",))
    if not (scores["label"].isin((0, 1)) & (scores["frame"] >= 0)).all() or scores.duplicated(["clip", "frame"]).any():
        raise RunError(f"{path}: expected every frame once, with label 0 or 1; make it again: maam evaluate")
    return scores


def _read_numbers(path: Path, columns: Sequence[str], remedy: str, text: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV file of finite numbers, and of `text` columns taken as they are; RunError where it is not whole.

    `columns` must be there; others may be, of numbers too.
    """
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, encoding="utf-8")
        if missing := [name for name in (*text, *columns) if name not in table]:
            raise ValueError(f"no column {missing[0]}")
        for name in table.columns.difference(text):
            if not is_numeric_dtype(table[name]) or is_bool_dtype(table[name]) or not np.isfinite(table[name]).all():
                raise ValueError(f"{name} holds other things than finite numbers")
        for name in table.columns.intersection(("epoch", "frame", "label")):
            table[name] = table[name].astype("int64")
    except (OSError, ValueError, OverflowError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path}: not a whole table ({reason:.200}); was it cut? {remedy}") from error
    return table


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
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
        "--exclude=*",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def changed_settings(before: Recipe, after: Recipe) -> str:
    """The settings in which two recipes differ, except for more epochs, as `key: before -> after`; "" for none."""
    changed = differences(before, after)
    if after.training.epochs >= before.training.epochs:
        changed.pop("training.epochs", None)
    return ", ".join(f"{key}: {old} -> {new}" for key, (old, new) in changed.items())


def _epoch_name(epoch: int) -> str:
    return f"epoch_{epoch:03d}"


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        reason = f"{' '.join(str(error).split()):.200}"
        raise RunError(f"{path}: not a whole safetensors file ({reason}); was it cut or copied in part?") from error
    said = metadata.get(CHECKSUM, next((value for value in metadata.values() if len(value) == 64), None))
    if said not in (None, checksum(tensors, metadata)):  # None: written before there was one
        raise RunError(f"{path}: its numbers are not those that were written (another checksum); copy it again")
    return tensors, metadata


def _flat(state: Mapping[int, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Optimiser state by parameter number -> one flat mapping "number.name"."""
    return {f"{i}.{name}": torch.as_tensor(value) for i, entry in state.items() for name, value in entry.items()}


def _nested(flat: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number) if number.isdecimal() else -1, {})[name] = value
    return state
