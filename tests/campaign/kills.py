"""A command that is killed, interrupted or starved at one change of the file system, and then run again."""

import shutil

from tests.campaign import warm
from tests.campaign.commands import Undisturbed
from tests.campaign.killer import Action
from tests.campaign.trees import Tree, differences, half_files, tree

ACTIONS: tuple[Action, ...] = ("kill", "torn", "interrupt", "full")


def faults(undisturbed: Undisturbed, action: Action, number: int) -> list[str]:
    """Strike at one change, look at what is left, run the command again; returns what did not hold.

    What must hold: files of earlier commands are as they were; no visible file is half a file; a command that reads
    the rest ends in 0 or in one line; the command run again ends in 0, with the files of an undisturbed run and no
    others.
    """
    day, command = undisturbed.day, undisturbed.command
    work = day.copy_of(day.start(command), "struck")
    struck = warm.maam(command.words, work, day.strike(work, action, number), command.before)
    found = _of_the_end(struck, action)
    left = tree(work)
    found += [f"earlier file {line}" for line in differences(left, undisturbed.kept) if "left behind" not in line]
    found += half_files(work, undisturbed.start)
    if command.reader and not found:
        copy = day.copy_of(work, "read")
        found += [f"`maam {command.reader[0]}` after it: {fault}" for fault in _reading(undisturbed, copy)]
    again = warm.maam(command.next_words, work, day.strike(work), command.before)
    if again.status != 0:
        return [*found, f"the command again: {again.in_short}"]
    if command.moved:
        first, other = (work / name for name in command.moved)
        shutil.rmtree(first, ignore_errors=True)
        other.rename(first)
    return found + [f"after the command again, {line}" for line in differences(tree(work), undisturbed.end)]


def one_line(answer: warm.Answer) -> list[str]:
    """Faults of a command that may end well, or in one line of its own with exit status 1."""
    found = [f"writes elsewhere: {change}" for change in answer.outside[:3]]
    if answer.status == 0:
        return found
    said = [line for line in answer.err.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("maam: error")]
    if answer.status != 1 or len(errors) != 1 or "Traceback" in answer.err:
        found.append(f"no error of one line: {answer.in_short}")
    return found


def _of_the_end(struck: warm.Answer, action: Action) -> list[str]:
    """Faults of how the struck command itself ended."""
    if action in ("kill", "torn"):
        return [] if struck.status == warm.KILLED else [f"before the kill: {struck.in_short}"]
    if action == "full":
        return one_line(struck)
    ended_well = struck.status == 0  # Ctrl-C after the last moment that mattered
    in_one_line = struck.status == 130 and "Traceback" not in struck.err and "maam: stopped" in struck.err
    return [] if ended_well or in_one_line else [f"Ctrl-C: {struck.in_short}"]


def _reading(undisturbed: Undisturbed, copy: object) -> list[str]:
    command, day = undisturbed.command, undisturbed.day
    answer = warm.maam(command.reader, copy, day.strike(copy), command.before)
    if command.reader[0] == "verify" and answer.status == 0:
        return _taken_for_whole(answer.out, tree(copy), undisturbed.end)
    if command.reader[0] == "verify" and "PROBLEM" in answer.out:
        return [f"a half dataset counts: {answer.in_short}"]
    return one_line(answer)


def _taken_for_whole(said: str, found: Tree, end: Tree) -> list[str]:
    """A dataset that verify calls whole must be the one of an undisturbed run."""
    named = [path for path in end if path.startswith("data/") and f"/{path.split('/')[1]}\n" in f"/{said}\n"]
    return differences({path: found.get(path, "nothing") for path in named}, {path: end[path] for path in named})
