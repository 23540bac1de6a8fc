"""A block that no signal breaks: what it writes stays whole, and the signal is answered right after it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # that end a command


@contextmanager
def unbroken() -> Iterator[None]:
    """Ctrl-C and its like wait until the block has ended; then their handlers are called as they would have been.

    Only the main thread is ever broken off by a signal, so elsewhere nothing is done. Handlers that are not Python's
    (a signal that kills, or is ignored) stay.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple] = []
    handlers = {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
    try:
        for number in handlers:
            signal.signal(number, lambda *told: came.append(told))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in came[:1]:
            handlers[number](number, frame)
