"""Files damaged at random, and the commands that read them."""

import random
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.campaign import warm
from tests.campaign.commands import COMMANDS, ROOT, Day, fake_counts
from tests.campaign.damage import SCRIPT, damaged
from tests.campaign.kills import one_line
from tests.campaign.trees import tree

CASES = 400  # of each pair of command and kind of file
_VIDEO = "lobby/test/evening.avi"
_FOREIGN = re.compile(r"maam: error: (?!OSError|ValueError|RuntimeError)[A-Za-z.]*(Error|Exception|Warning)\b")


@dataclass(frozen=True)
class Reading:
    """A command that reads files, and what is promised of it where they are damaged."""

    name: str
    words: tuple[str, ...]
    files: tuple[str, ...]  # patterns below the folder
    makes: str = ""  # a file or folder that it writes; where `sealed`, damage must leave it equal
    sealed: bool = False  # a checksum is promised: damage is told, or changes nothing
    never_fatal: bool = False  # the damaged file is named and left out


READINGS = (
    Reading("verify-arrays", ("verify", "videos", *ROOT), ("data/videos/t*/*/*.npy",), sealed=True),
    Reading("verify-manifest", ("verify", "videos", *ROOT), ("data/videos/manifest.json",)),
    Reading(
        "prepare-again",
        ("prepare", "videos", "--source", "lobby", *ROOT),
        ("data/videos/manifest.json", "data/videos/t*/*/clip.json"),
    ),
    Reading(
        "prepare-beside",  # a damaged dataset is no reason not to prepare another
        ("prepare", "videos", "--source", "lobby", *ROOT, "--size", "16", "24", "--workers", "1"),
        ("data/ped2/manifest.json",),
        never_fatal=True,
    ),
    Reading(
        "prepare-videos",
        ("prepare", "videos", "--source", "lobby", "--root", "new", "--workers", "1"),
        ("lobby/labels.csv", "lobby/train/noon.avi", _VIDEO, "lobby/test/night/frame_0007.png"),
    ),
    Reading(
        "prepare-archive",
        ("prepare", "ped2", "--source", "ped2.tar.gz", "--root", "new", "--workers", "1"),
        ("ped2.tar.gz",),
    ),
    Reading("import-flow", ("import-flow", "videos", "--flow-dir", "flow", "--name", "new", *ROOT), ("flow/t*/*.npy",)),
    Reading(
        "train",
        ("train", "tiny.yaml", "--run", "new", *ROOT),
        ("tiny.yaml", "data/videos/manifest.json", "data/videos/train/*/frames.npy"),
    ),
    Reading(
        "resume",
        ("train", "tiny.yaml", "--run", "run", *ROOT, "--resume", "--set", "training.epochs=4"),
        ("run/recipe.yaml", "run/run.json", "run/history.csv", "run/checkpoints/*"),
    ),
    Reading("evaluate", ("evaluate", "--run", "run", *ROOT), ("run/recipe.yaml", "run/run.json", "run/history.csv")),
    Reading(
        "detect-weights",
        ("detect", "run", _VIDEO, "--out", "new", *ROOT),
        ("run/checkpoints/epoch_003.safetensors",),
        makes="new/scores.csv",
        sealed=True,
    ),
    Reading("detect-run", ("detect", "run", _VIDEO, "--out", "new", *ROOT), ("run/recipe.yaml", "run/detector.json")),
    Reading(
        "detect-onnx",
        ("detect", "--onnx", "run.onnx", _VIDEO, "--out", "new"),
        ("run.onnx",),
        makes="new/scores.csv",
        sealed=True,
    ),
    Reading("detect-video", ("detect", "run", _VIDEO, "--out", "new", *ROOT), (_VIDEO,)),
    Reading(
        "sweep",
        ("sweep", "tiny.yaml", *ROOT, "--out", "sweep", "--seeds", "1", "--variant", "paper", "--workers", "1"),
        ("sweep/tiny/recipe.yaml", "sweep/tiny/plan.json", "sweep/tiny/paper/seed0.json"),
    ),
    Reading(
        "status", ("status", "sweep"), ("sweep/tiny/plan.json", "sweep/tiny/recipe.yaml", "sweep/tiny/paper/seed0.json")
    ),
    Reading(
        "report",
        ("report", "--out", "new", "--sweep", "sweep", "--run", "run", *ROOT),
        ("sweep/tiny/paper/seed0.json", "sweep/tiny/recipe.yaml", "run/metrics.json", "run/run.json", "run/scores.csv"),
        never_fatal=True,
    ),
)


@dataclass(frozen=True)
class Damaging:
    """A reading with a seed: every case is a file of its patterns, damaged in one way."""

    day: Day
    reading: Reading
    seed: int

    @cached_property
    def start(self) -> Path:
        return self.day.end(COMMANDS[-1])

    @cached_property
    def undamaged(self) -> dict[str, str]:
        """What is there after the command has read whole files."""
        work = self.day.copy_of(self.start, "whole")
        self._read(work)
        return tree(work)

    def size(self) -> int:
        """How many cases there are; whole files are read first."""
        return CASES if self.undamaged else 0

    def faults(self, number: int) -> list[str]:
        """Damage one file, run the command; returns what did not hold."""
        draw = random.Random(f"{self.seed} {self.reading.name} {number}")
        work = self.day.copy_of(self.start, "damaged")
        path = draw.choice([path for pattern in self.reading.files for path in sorted(work.glob(pattern))])
        before = path.read_bytes()
        content, how = damaged(before, path.suffix, draw)
        path.write_bytes(content)
        answer = self._read(work)
        found = self._after_zero(work) if answer.status == 0 and content != before else []
        found += [*self._of_the_end(answer, path), *raw_html(work)]
        return [f"{path.relative_to(work)}: {how}", *found] if found else []

    def _read(self, work: Path) -> warm.Answer:
        return warm.maam(self.reading.words, work, self.day.strike(work), fake_counts)

    def _after_zero(self, work: Path) -> list[str]:
        """Faults of a command that took a damaged file for whole."""
        reading = self.reading
        if not reading.sealed:
            return []
        if reading.words[0] == "verify":
            return ["verify calls it whole"]
        same = tree(work).get(reading.makes) == self.undamaged[reading.makes]
        return [] if same else [f"{reading.makes} is another, and nothing was said"]

    def _of_the_end(self, answer: warm.Answer, path: Path) -> list[str]:
        found = one_line(answer)
        told = self.reading.words[0] == "verify" and answer.status == 1 and "PROBLEM" in answer.out
        if told:  # in a table, not in one line
            return (
                [] if _names(answer.out, path) or path.suffix == ".json" else [f"does not name it: {answer.in_short}"]
            )
        if answer.status == 0 or found:
            return found
        if match := _FOREIGN.search(answer.err):
            return [f"a foreign error, {match[0]}: {answer.in_short}"]
        if self.reading.never_fatal:
            return [f"one damaged file ends it: {answer.in_short}"]
        return [] if _names(answer.err, path) else [f"does not name the file: {answer.in_short}"]


def raw_html(folder: Path) -> list[str]:
    """Pages in which a hostile name has become markup."""
    pages = (path for path in sorted(folder.rglob("*.html")) if SCRIPT in path.read_text(encoding="utf-8"))
    return [f"a name has become markup: {path.relative_to(folder)}" for path in pages]


def _names(said: str, path: Path) -> bool:
    """Whether a message names a file, or its folder and the fault, or a command of ours as the remedy."""
    remedy = "maam " in said.replace("maam: error", "")
    in_folder = f"{path.parent.name}:" in said or (path.stem in said and path.parent.name in said)
    return path.name in said or in_folder or remedy
