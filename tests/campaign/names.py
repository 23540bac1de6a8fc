"""Names that are paths, HTML or no names at all, in every place where a user may write one."""

import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.campaign import warm
from tests.campaign.commands import COMMANDS, ROOT, Day, fake_counts
from tests.campaign.damage import NAMES
from tests.campaign.hostile import raw_html
from tests.campaign.kills import one_line

Words = tuple[str, ...]
_PREPARE = ("prepare", "videos", "--source", "lobby", "--root", "new", "--workers", "1")
_SWEEP = ("--out", "swept", "--seeds", "1", "--variant", "paper", "--workers", "1")


def _recipe(work: Path, name: str) -> list[Words]:
    text = (work / "tiny.yaml").read_text(encoding="utf-8").split("\n", 1)[1]
    quoted = name.replace('"', '\\"').replace("\n", "\\n")
    (work / "own.yaml").write_text(f'name: "{quoted}"\n{text}', encoding="utf-8")
    train = ("train", "own.yaml", "--run", "trained", *ROOT)
    report = ("report", "--out", "new", "--sweep", "swept", "--run", "trained", *ROOT)
    return [("sweep", "own.yaml", *ROOT, *_SWEEP), train, ("evaluate", "--run", "trained", *ROOT), report]


def _video(work: Path, name: str) -> list[Words]:
    path = work / "lobby" / "test" / f"{name}.avi"
    (work / "lobby" / "test" / "evening.avi").rename(path)
    (work / "lobby" / "labels.csv").unlink()
    return [
        _PREPARE,
        ("verify", "--root", "new"),
        ("detect", "run", str(path.relative_to(work)), "--out", "out", *ROOT),
    ]


def _frames(work: Path, name: str) -> list[Words]:
    (work / "lobby" / "test" / "night").rename(work / "lobby" / "test" / name)
    (work / "lobby" / "labels.csv").unlink()
    return [_PREPARE, ("verify", "--root", "new"), ("detect", "run", f"lobby/test/{name}", "--out", "out", *ROOT)]


def _labels(work: Path, name: str) -> list[Words]:
    (work / "lobby" / "labels.csv").write_text(f'clip,first,last\nnight,,\n"{name}",1,2\n', encoding="utf-8")
    return [_PREPARE]


def _manifest(work: Path, name: str) -> list[Words]:
    path = work / "data" / "videos" / "manifest.json"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    path.write_text(path.read_text(encoding="utf-8").replace('"evening"', f'"{quoted}"'), encoding="utf-8")
    return [("verify", *ROOT), ("evaluate", "--run", "run", *ROOT), ("report", "--out", "new", "--run", "run", *ROOT)]


def _run(work: Path, name: str) -> list[Words]:
    (work / "run").rename(work / name)
    seen = ("detect", f"./{name}", "lobby/test/evening.avi", "--out", "out", *ROOT)
    return [("evaluate", f"--run={name}", *ROOT), ("report", "--out", "new", f"--run={name}", *ROOT), seen]


def _out(work: Path, name: str) -> list[Words]:
    shutil.rmtree(work / "report")
    return [("detect", "run", "lobby/test/evening.avi", f"--out={name}", *ROOT), ("report", f"--out={name}-2", *ROOT)]


def _member(work: Path, name: str) -> list[Words]:
    """A member of an archive that unpacks to somewhere else, or to something else."""
    archive = work / "ped2.tar.gz"
    with tarfile.open(archive) as old:
        members = [(member, old.extractfile(member).read() if member.isfile() else b"") for member in old]
    with tarfile.open(archive, "w:gz") as new:
        for member, content in [*members, (tarfile.TarInfo(name), b"strange")]:
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return [("prepare", "ped2", "--source", "ped2.tar.gz", "--root", "new", "--workers", "1")]


PLACES: dict[str, Callable[[Path, str], list[Words]]] = {
    "recipe": _recipe,
    "video": _video,
    "frames": _frames,
    "labels": _labels,
    "manifest": _manifest,
    "run": _run,
    "out": _out,
    "member": _member,
}
_FILE_NAMES = tuple(name for name in NAMES if "/" not in name and name not in ("", "..") and len(name) < 240)
_OF_FILES = ("video", "frames", "run", "out")


@dataclass(frozen=True)
class Naming:
    """One place; each case is one name."""

    day: Day
    place: str

    @property
    def names(self) -> tuple[str, ...]:
        return _FILE_NAMES if self.place in _OF_FILES else NAMES

    def size(self) -> int:
        """How many cases there are; the folder that they start from is made first."""
        return len(self.names) if self.day.end(COMMANDS[-1]) else 0

    def faults(self, number: int) -> list[str]:
        """Every command ends well or in one line, writes where it may, and pages show the name as text."""
        name = self.names[number - 1]
        work = self.day.copy_of(self.day.end(COMMANDS[-1]), "named")
        commands, found = PLACES[self.place](work, name), []
        for words in commands:
            answer = warm.maam(words, work, self.day.strike(work), fake_counts)
            found += [f"maam {words[0]}: {fault}" for fault in one_line(answer) if not _is_report_of(answer)]
        found += raw_html(work)
        return [f"{name!r:.60}", *found] if found else []


def _is_report_of(answer: warm.Answer) -> bool:
    """Whether verify tells of problems, in a table rather than in one line."""
    return answer.status == 1 and "PROBLEM" in answer.out and not answer.outside
