"""The commands of the campaign, in the order of a working day; each starts from what those before it made."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data_prep import expected
from maam_lib import released
from tests.campaign import warm
from tests.campaign.killer import Action, Strike
from tests.campaign.sources import write_sources
from tests.campaign.trees import Tree, tree
from tests.conftest import FAKE_COUNTS
from tests.golden.regenerate import make_mini_weights

ROOT = ("--root", "data")


@dataclass(frozen=True)
class Command:
    """One command of the campaign, and how it goes on after a kill."""

    name: str
    words: tuple[str, ...]
    again: tuple[str, ...] = ()  # after a kill; the same words if left out
    moved: tuple[str, str] | None = None  # `again` writes to another folder: (the first, the other)
    reader: tuple[str, ...] = ()  # a command that reads what a kill left, and must say no more than is true
    before: Callable[[], object] | None = None  # in its process, before it runs

    @property
    def next_words(self) -> tuple[str, ...]:
        return self.again or self.words


def fake_counts() -> None:
    """The official counts of UCSD's datasets become those of the small ones."""
    expected.OFFICIAL_COUNTS.update(FAKE_COUNTS)


COMMANDS = (
    Command("prepare", ("prepare", "videos", "--source", "lobby", *ROOT, "--workers", "1"), reader=("verify", *ROOT)),
    Command(
        "train",
        ("train", "tiny.yaml", "--run", "run", *ROOT),
        again=("train", "tiny.yaml", "--run", "run", *ROOT, "--resume"),
        reader=("detect", "run", "lobby/test/evening.avi", "--out", "seen", *ROOT),
    ),
    Command("resume", ("train", "tiny.yaml", "--run", "run", *ROOT, "--resume", "--set", "training.epochs=3")),
    Command("evaluate", ("evaluate", "--run", "run", *ROOT, "--every-epoch")),
    Command(
        "sweep",
        ("sweep", "tiny.yaml", *ROOT, "--out", "sweep", "--seeds", "1", "--variant", "paper", "--workers", "1"),
        reader=("status", "sweep"),
    ),
    Command("report", ("report", "--out", "report", "--sweep", "sweep", "--run", "run", *ROOT)),
    Command("report-anew", ("report", "--out", "report", "--sweep", "sweep", *ROOT)),
    Command(
        "prepare-archive",
        ("prepare", "ped2", "--source", "ped2.tar.gz", *ROOT, "--workers", "1"),
        reader=("verify", *ROOT),
        before=fake_counts,
    ),
    Command(
        "import-flow",
        ("import-flow", "videos", "--flow-dir", "flow", "--name", "other", *ROOT),
        reader=("verify", "videos", *ROOT),
    ),
    Command(
        "import-weights",  # the reader of TensorFlow's files apart, which needs a package of 1.5 GB
        ("import-weights", "model", "--out", "weights.safetensors", "--run", "imported", "--recipe", "imported.yaml"),
        before=lambda: setattr(released, "read_checkpoint", lambda _: make_mini_weights()),
    ),
    Command("export", ("export", "run", "--onnx", "run.onnx", *ROOT)),
    Command(
        "detect",
        ("detect", "run", "lobby/test/evening.avi", "--out", "seen", *ROOT),
        again=("detect", "run", "lobby/test/evening.avi", "--out", "seen-2", *ROOT),
        moved=("seen", "seen-2"),
    ),
    Command(
        "detect-onnx",
        ("detect", "--onnx", "run.onnx", "lobby/test/evening.avi", "--out", "seen-onnx"),
        again=("detect", "--onnx", "run.onnx", "lobby/test/evening.avi", "--out", "seen-2"),
        moved=("seen-onnx", "seen-2"),
    ),
)


class Day:
    """Every command once, undisturbed, in a folder that is copied before and after each."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.cache, reference = folder / "cache", folder / "reference"
        for each in (self.cache, reference):
            each.mkdir(parents=True)
        warm.warm_up(self.cache, reference)
        write_sources(folder / "0")
        self._made = 0

    def start(self, command: Command) -> Path:
        """The folder that a command starts from."""
        return self._after(COMMANDS.index(command))

    def end(self, command: Command) -> Path:
        """The folder that an undisturbed run of it leaves."""
        return self._after(COMMANDS.index(command) + 1)

    def copy_of(self, folder: Path, name: str) -> Path:
        """A fresh copy to work in, in the place of an earlier one."""
        scratch = self.folder / "work" / name
        if scratch.exists():
            shutil.rmtree(scratch)
        return Path(shutil.copytree(folder, scratch, symlinks=True))

    def strike(self, work: Path, *strike: object) -> Strike:
        return Strike(work, *strike, elsewhere=(self.cache, work.with_name(work.name + ".log")))

    def _after(self, number: int) -> Path:
        while self._made < number:
            command = COMMANDS[self._made]
            work = self.copy_of(self.folder / str(self._made), "day")
            answer = warm.maam(command.words, work, self.strike(work), command.before)
            if answer.status != 0:
                raise RuntimeError(f"{command.name} fails undisturbed: {answer.in_short}")
            self._made += 1
            work.rename(self.folder / str(self._made))
        return self.folder / str(number)


@dataclass(frozen=True)
class Undisturbed:
    """What one command does when nothing happens to it."""

    day: Day
    command: Command

    @cached_property
    def start(self) -> Tree:
        return tree(self.day.start(self.command))

    @cached_property
    def end(self) -> Tree:
        return tree(self.day.end(self.command))

    @cached_property
    def kept(self) -> Tree:
        """What was there before and that the command has no business to change."""
        return {path: held for path, held in self.start.items() if self.end.get(path) == held}

    @cached_property
    def changes(self) -> list[str]:
        """Its changes of the file system, in order."""
        return self._counted("count")

    @cached_property
    def writes(self) -> list[str]:
        """Its writes to files, for "torn"."""
        return self._counted("torn")

    def _counted(self, action: Action) -> list[str]:
        work = self.day.copy_of(self.day.start(self.command), "count")
        return warm.maam(self.command.words, work, self.day.strike(work, action), self.command.before).changes
