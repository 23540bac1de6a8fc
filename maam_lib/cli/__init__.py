"""The command `maam`: thin; every command is one library call, imported when it is used."""

import os
import sys
import traceback

from maam_lib.cli import checks, course, data, runs, stopping, video
from maam_lib.cli.options import app


def main() -> None:
    """Entry point: exit status 0 only on success, errors as one line, the traceback behind --debug."""
    with stopping.listening():
        try:
            app()
        except Exception as error:
            if not stopping.asked:  # or it is what a library makes of the signal
                _tell(error)
            sys.exit(1)


def _tell(error: Exception) -> None:
    if os.environ.get("MAAM_DEBUG"):
        traceback.print_exception(error)
    kind = "" if isinstance(error, ValueError | RuntimeError | OSError) else f"{type(error).__name__}: "
    device = f" on device {rank}" if (rank := os.environ.get("LOCAL_RANK", "0")) != "0" else ""
    sys.stderr.write(f"maam: error{device}: {kind}{' '.join(str(error).split())}\n")  # at once: others write too
