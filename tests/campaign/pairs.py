"""Two of the same command at once in one place: the first halts at one change while the second runs to its end."""

from tests.campaign import warm
from tests.campaign.commands import Undisturbed
from tests.campaign.kills import one_line
from tests.campaign.trees import differences, tree

PATIENCE = 8.0  # seconds that the first halts at most: the second may wait for it


def faults(undisturbed: Undisturbed, number: int) -> list[str]:
    """What did not hold: one does the work, the other waits or is refused in one line; the outcome is whole."""
    day, command = undisturbed.day, undisturbed.command
    work = day.copy_of(day.start(command), "pair")
    first = warm.Running(command.words, work, day.strike(work, "stop", number), command.before)
    halted = first.listen(until=b"STOPPED")
    second = warm.Running(command.words, work, day.strike(work), command.before)
    second.listen(PATIENCE)
    if halted:
        first.go_on()
    answers = first.finish(), second.finish()
    found = [
        f"the {which}: {fault}"
        for which, answer in zip(("first", "second"), answers, strict=True)
        for fault in one_line(answer)
    ]
    if all(answer.status for answer in answers):
        found.append(f"neither did it: {answers[0].in_short} - {answers[1].in_short}")
    return found + differences(tree(work), undisturbed.end)
