"""How far the scoring of some footage is."""

from dataclasses import dataclass

from data_prep.words import counted


@dataclass
class Progress:
    """How far it is, for whoever shows it."""

    frames: int = 0  # scored
    announced: int | None = None
    alarms: int = 0  # that have begun
    seconds: float = 0.0  # since the start
    footage_seconds: float = 0.0  # of the footage, up to the last scored frame
    lag: float = 0.0  # seconds behind real time: of a live source as it is, of a file as if it were one

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None where the length is not known."""
        if self.announced is None or not self.frames:
            return None
        return max(0, self.announced - 1 - self.frames) / self.frames_per_second


def progress_line(progress: Progress) -> str:
    """The state in one line."""
    left = progress.seconds_left
    return (
        f"{counted(progress.frames, 'frame')}  {progress.frames_per_second:.1f} frames/s  "
        f"{f'{left:.0f} s left  ' if left else ''}{progress.lag:.1f} s behind real time  "
        f"{counted(progress.alarms, 'alarm')}"
    )
