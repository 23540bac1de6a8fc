"""A run folder: everything that one training leaves behind, and nothing that has to be unpickled.

recipe.yaml        the resolved recipe
run.json           seed, device, number format, determinism, versions, data, git revision, wall time
history.csv        one row per epoch; with `training.hold_out`, also the widths of held_out.py
checkpoints/       epoch_001.safetensors ... weights, as many as `training.keep_epochs` says and the last;
                   optimizer.safetensors for exact resume
scores.csv         from `maam evaluate`: clip, frame, label, appearance, motion, fused
metrics.json       from `maam evaluate`
detector.json      from `maam evaluate`, or the first `maam detect`: what scores any video with this run
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torch.nn import Module

from data_prep.files import UnreadableError, clear_asides, is_aside, read_checked, write_json, write_text
from maam_lib.config import Recipe, TrainingSettings, differences, load_recipe
from maam_lib.training.files import RunError, load_weights, read_metadata, read_numbers, read_weights, write_weights
from maam_lib.training.machine import Machine

HISTORY = ("epoch", "total", "motion", "zero_flow", "seconds")  # columns that are read again


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
        return read_numbers(path, HISTORY, "continue the training in another folder, or repair the row")

    @property
    def epochs_done(self) -> int:
        """The epoch after which a training goes on, as the optimiser state names it; 0 before the first.

        Raises RunError for a cut optimiser state, and for none beside the weights of a later epoch than the first.
        """
        path = self._path("optimizer")
        if not path.is_file():
            if max(self.kept_epochs, default=0) > 1:
                raise RunError(f"{path}: missing, so this run can be scored but not resumed; train in another folder")
            return 0
        epoch = read_metadata(path).get("epoch", "none")
        if not re.fullmatch(r"\d{1,6}", epoch):
            raise RunError(f"{path}: of epoch {epoch!r:.40}, expected a number; train again")
        return int(epoch)

    @property
    def last_epoch(self) -> int:
        """The last epoch that was trained, by the names of the weights and the history; 0 before the first."""
        epochs = self.kept_epochs
        with suppress(RunError):  # a damaged history stops a training alone
            epochs += self.history["epoch"].tolist()
        return max(epochs, default=0)

    @property
    def kept_epochs(self) -> list[int]:
        """The epochs whose weights are there, in their order."""
        names = (re.fullmatch(r"epoch_(\d+)", path.stem) for path in self.checkpoints.glob("*.safetensors"))
        return sorted(int(name[1]) for name in names if name)

    @property
    def is_finished(self) -> bool:
        """Whether the recipe's last epoch is there, with all that a longer training would go on from."""
        return self.epochs_done >= self.recipe.training.epochs

    @property
    def facts(self) -> dict[str, Any]:
        """What run.json says; empty before training began. Raises RunError for a damaged file."""
        try:
            return read_checked(self.folder / "run.json", Machine)
        except FileNotFoundError:
            return {}
        except UnreadableError as error:
            raise RunError(
                f"{error}; it says what the run was trained on: restore it, or delete {self.folder} and train again"
            ) from error

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
                "prepare the same data again, or train in another folder"
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
                raise RunError(f"{self.folder}: neither empty nor a run (found {strangers[0]}); name another folder")
            return
        if not resume and self._holds_something():
            raise RunError(f"{self.folder}: holds a run already; continue it with --resume or name another folder")
        if changed := changed_settings(self.recipe, recipe):
            raise RunError(f"{self.folder}: cannot resume with other settings ({changed}); name another folder")

    def _holds_something(self) -> bool:
        """Whether there is more than a kill in the first epoch, or in `adopt`, leaves."""
        files = (self._path("optimizer"), self.folder / "metrics.json")
        return any(path.is_file() for path in files) or len(self.kept_epochs) > 1

    def adopt(self, recipe: Recipe, net: Module, origin: str) -> None:
        """Make this new folder the finished run of weights that were trained elsewhere, so that it can be evaluated.

        They count as the recipe's last epoch; `origin` says in run.json, and in every result, where they come from.
        Done again, as after a kill, it writes the same anew, unless the run has been evaluated. Raises RunError as
        `claim` does.
        """
        is_the_same = self.facts.get("weights_from") == origin and not (self.folder / "metrics.json").is_file()
        self.claim(recipe, resume=is_the_same)
        try:
            self.record({"recipe": recipe.name, "recipe_hash": recipe.hash(), "weights_from": origin})
            self._save(_epoch_name(recipe.training.epochs), net.state_dict(), recipe.training.epochs)
            self._save("optimizer", {}, recipe.training.epochs)
        finally:
            self.release()

    def record(self, facts: Mapping[str, Any]) -> None:
        """Write run.json: what was run, on what, with which versions."""
        write_json(self.folder / "run.json", dict(facts))

    def save_epoch(self, net: Module, optimizer: torch.optim.Optimizer, row: Mapping[str, float]) -> None:
        """Keep one epoch: weights, then its history row, then the optimiser state that makes it count as done.

        Then the weights before it go, where they are none of those to keep; older ones were left by a kill just here.
        """
        epoch = int(row["epoch"])
        self._save(_epoch_name(epoch), net.state_dict(), epoch)
        history = self.history
        history = pd.concat([history[history["epoch"] < epoch], pd.DataFrame([row])], ignore_index=True)
        write_text(self.folder / "history.csv", history.to_csv(index=False))
        self._save("optimizer", _flat(optimizer.state_dict()["state"]), epoch)
        for earlier in {epoch - 1, epoch - 2} - epochs_to_keep(self.recipe.training):
            self.weights_file(earlier).unlink(missing_ok=True)

    def load_epoch(self, net: Module, optimizer: torch.optim.Optimizer) -> int:
        """Put network and optimiser where the last finished epoch left them; returns that epoch, 0 for none."""
        if epoch := self.epochs_done:
            self.load_weights(net, epoch)
            _ = self.history  # damaged, it stops the training now and not after an epoch
            state, groups = _nested(read_weights(self._path("optimizer"))[0]), optimizer.state_dict()["param_groups"]
            known = {number for group in groups for number in group["params"]}
            if not set(state) <= known:
                raise RunError(
                    f"{self._path('optimizer')}: the optimiser state of another network; train again in another folder"
                )
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        return epoch

    def load_weights(self, net: Module, epoch: int | None = None) -> int:
        """Load the weights of an epoch (None: the last finished) into the network; returns the epoch."""
        epoch = self.last_epoch if epoch is None else epoch
        path = self.weights_file(epoch)
        if not path.is_file():
            if not epoch:
                raise RunError(f"{self.folder}: no finished epoch; train first, or continue with --resume")
            raise RunError(f"{path}: the weights of epoch {epoch} are missing; train in another folder")
        load_weights(net, path)
        return epoch

    def weights_file(self, epoch: int | None = None) -> Path:
        """The weights of an epoch, by default the last finished."""
        return self._path(_epoch_name(self.last_epoch if epoch is None else epoch))

    def _path(self, name: str) -> Path:
        return self.checkpoints / f"{name}.safetensors"

    def _save(self, name: str, tensors: Mapping[str, Tensor], epoch: int) -> None:
        write_weights(self._path(name), tensors, {"epoch": str(epoch)})


def changed_settings(before: Recipe, after: Recipe) -> str:
    """The settings in which two recipes differ, as `key: before -> after`; "" for none.

    More epochs are no other setting, nor are more or fewer weights to keep.
    """
    changed = differences(before, after)
    changed.pop("training.keep_epochs", None)
    if after.training.epochs >= before.training.epochs:
        changed.pop("training.epochs", None)
    return ", ".join(f"{key}: {old} -> {new}" for key, (old, new) in changed.items())


def epochs_to_keep(settings: TrainingSettings) -> set[int]:
    """The epochs whose weights stay: all, or `keep_epochs` of them, evenly spread, the last one among them."""
    return {round(settings.epochs * part / settings.keep_epochs) for part in range(1, settings.keep_epochs + 1)}


def _epoch_name(epoch: int) -> str:
    return f"epoch_{epoch:03d}"


def _flat(state: Mapping[int, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Optimiser state by parameter number -> one flat mapping "number.name"."""
    return {f"{i}.{name}": torch.as_tensor(value) for i, entry in state.items() for name, value in entry.items()}


def _nested(flat: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number) if number.isdecimal() else -1, {})[name] = value
    return state
