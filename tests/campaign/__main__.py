"""Arguments, the budget of time, and the table of counts."""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.campaign import hostile, kills, names, pairs
from tests.campaign.commands import COMMANDS, Day, Undisturbed

PAIRED = ("prepare", "import-flow", "train", "sweep", "report", "report-anew")


@dataclass
class Group:
    """Cases of one kind, by number."""

    name: str  # "kills/prepare/torn"
    size: Callable[[], int]  # how many there are
    faults: Callable[[int], list[str]]  # of case 1, 2 ...: what does not hold
    only: int | None = None  # the one case that is asked for
    left: list[int] | None = None  # not tried yet, in random order
    tried: int = 0
    spent: float = 0.0
    broken: dict[int, list[str]] = field(default_factory=dict)

    def draw(self, seed: int) -> None:
        """Put the cases in their order."""
        self.left = list(range(1, self.size() + 1)) if self.only is None else [self.only]
        random.Random(f"{seed} {self.name}").shuffle(self.left)


def groups(day: Day, seed: int) -> Iterator[Group]:
    undisturbed = {command.name: Undisturbed(day, command) for command in COMMANDS}
    for name, one in undisturbed.items():
        for action in kills.ACTIONS:
            size = partial(_number, one, "writes" if action == "torn" else "changes")
            yield Group(f"kills/{name}/{action}", size, partial(kills.faults, one, action))
    for name in PAIRED:
        yield Group(
            f"pairs/{name}", partial(_number, undisturbed[name], "changes"), partial(pairs.faults, undisturbed[name])
        )
    for reading in hostile.READINGS:
        damaging = hostile.Damaging(day, reading, seed)
        yield Group(f"files/{reading.name}", damaging.size, damaging.faults)
    for place in names.PLACES:
        naming = names.Naming(day, place)
        yield Group(f"names/{place}", naming.size, naming.faults)


def _number(undisturbed: Undisturbed, what: str) -> int:
    return len(getattr(undisturbed, what))


def main(words: list[str] | None = None) -> int:
    """Try cases until the time is over; 1 where something did not hold."""
    options = _options(words)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="maam-campaign-"))
    if (folder / f"seed{options.seed}").exists():
        sys.exit(f"{folder}: has a campaign of seed {options.seed} already; name another --folder")
    until = time.monotonic() + 60 * options.minutes
    day = Day(folder.absolute() / f"seed{options.seed}")
    asked = [(group, number) for group in groups(day, options.seed) for number in _wanted(group.name, options.only)]
    chosen = [replace(group, only=number) for group, number in asked]
    try:
        _try(list(chosen), until, options)
    except KeyboardInterrupt:
        print("stopped")
    print(table(chosen))
    if options.folder is None:
        shutil.rmtree(folder)
    return 1 if any(group.broken for group in chosen) else 0


def _try(todo: list[Group], until: float, options: argparse.Namespace) -> None:
    """Try case after case; each kind gets its share of the time."""
    while todo and time.monotonic() < until:
        group = min(todo, key=lambda group: group.spent)
        if group.left is None:
            group.draw(options.seed)
        began = time.monotonic()
        if not group.left or group.tried == options.most:
            todo.remove(group)
            continue
        number = group.left.pop()
        if found := group.faults(number):
            group.broken[number] = found
            _tell(group.name, number, found, options)
        group.tried += 1
        group.spent += time.monotonic() - began


def table(tried: list[Group]) -> str:
    """Counts: of how many cases each kind has, how many were tried, and how many of those held."""
    lines = [f"{'kind':40}{'there are':>10}{'tried':>8}{'held':>8}"]
    rows = [(g.name, g.tried + len(g.left or []), g.tried, g.tried - len(g.broken)) for g in tried]
    rows.append(("all", *(sum(row[i] for row in rows) for i in (1, 2, 3))))
    return "\n".join(lines + [f"{name:40}{there:>10}{tried:>8}{held:>8}" for name, there, tried, held in rows])


def _tell(name: str, number: int, found: list[str], options: argparse.Namespace) -> None:
    print(f"FAULT {name}/{number}: python -m tests.campaign --seed {options.seed} --only {name}/{number} --folder DIR")
    for line in found[: options.lines]:
        print(f"      {line}")
    sys.stdout.flush()


def _wanted(name: str, only: list[str]) -> list[int | None]:
    """Whether a group is asked for (then [None]), or one case of it (then [its number])."""
    if not only:
        return [None]
    for wish in only:
        head, _, last = wish.rpartition("/")
        if last.isdigit() and head == name:
            return [int(last)]
        if f"{name}/".startswith(wish.rstrip("/") + "/"):
            return [None]
    return []


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=sys.modules["tests.campaign"].__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="stop after so long (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="decides the order of the cases, and all damage")
    parser.add_argument("--only", action="append", default=[], metavar="KIND", help="as kills/train, or one case of it")
    parser.add_argument("--most", type=int, default=-1, help="at most so many cases of each kind")
    parser.add_argument("--lines", type=int, default=4, help="lines that are printed of a fault")
    parser.add_argument("--folder", type=Path, help="work here and keep it; a temporary folder if left out")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
