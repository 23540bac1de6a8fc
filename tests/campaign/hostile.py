"""Files damaged at random, and the commands that read them."""

import random
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data_prep import expected
from tests.campaign import warm
from tests.campaign.commands import COMMANDS, ROOT, Day
from tests.campaign.damage import SCRIPT, damaged
from tests.campaign.kills import one_line
from tests.campaign.trees import tree
from tests.conftest import FAKE_COUNTS

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
        """What the command makes of whole files."""
        return tree(self._run(self._copy("whole"))[1])

    def size(self) -> int:
        """How many cases there are; whole files are read first."""
        return CASES if self.undamaged else 0

    def faults(self, number: int) -> list[str]:
        """Damage one file, run the command; returns what did not hold."""
        reading, draw = self.reading, random.Random(f"{self.seed} {self.reading.name} {number}")
        work = self._copy("damaged")
        path = draw.choice([path for pattern in reading.files for path in sorted(work.glob(pattern))])
        before = path.read_bytes()
        content, how = damaged(before, path.suffix, draw)
        path.write_bytes(content)
        answer, _ = self._run(work)
        found = self._wrong(answer, path, is_other=content != before)
        if reading.sealed and reading.makes and answer.status == 0:
            ours = {name: held for name, held in tree(work).items() if name == reading.makes}
            if any(self.undamaged[name] != held for name, held in ours.items()):
                found.append(f"{reading.makes} is another, and nothing was said")
        what = f"{path.relative_to(work)}: {how}"
        return [what, *found] if found else []

    def _wrong(self, answer: warm.Answer, path: Path, *, is_other: bool) -> list[str]:
        if self.reading.words[0] == "verify" and "PROBLEM" in answer.out and answer.status == 1:
            return (
                []
                if _names(answer.out, path) or path.suffix == ".json"
                else [f"does not name the file: {answer.in_short}"]
            )
        found = one_line(answer)
        if answer.status == 0:
            if self.reading.words[0] == "verify" and self.reading.sealed and is_other:
                found.append("verify calls it whole")
        elif not found:
            if match := _FOREIGN.search(answer.err):
                found.append(f"a foreign error, {match[0]}: {answer.in_short}")
            elif self.reading.never_fatal:
                found.append(f"one damaged file ends it: {answer.in_short}")
            elif not _names(answer.err, path):
                found.append(f"does not name the file: {answer.in_short}")
        return found + raw_html(self._work)

    @property
    def _work(self) -> Path:
        return self.day.folder / "work" / "damaged"

    def _copy(self, name: str) -> Path:
        return self.day.copy_of(self.start, name)

    def _run(self, work: Path) -> tuple[warm.Answer, Path]:
        before = None
        if "ped2" in self.reading.words:
            before = lambda: expected.OFFICIAL_COUNTS.update(FAKE_COUNTS)  # noqa: E731
        return warm.maam(self.reading.words, work, self.day.strike(work), before), work


def raw_html(folder: Path) -> list[str]:
    """Pages in which a hostile name has become markup."""
    pages = (path for path in sorted(folder.rglob("*.html")) if SCRIPT in path.read_text(encoding="utf-8"))
    return [f"a name has become markup: {path.relative_to(folder)}" for path in pages]


def _names(said: str, path: Path) -> bool:
    """Whether a message names a file, or its clip and what it holds of it, or a command of ours as the remedy."""
    remedy = "maam " in said.replace("maam: error", "")
    return path.name in said or (path.stem in said and path.parent.name in said) or remedy
