"""Scores of footage while it comes: decoding, flow and network each on a thread of its own, joined by short queues.

So the slowest of them alone sets the pace, and memory does not grow with the length of the footage. Frame t is scored
when frame t+1 has come, since its flow is from t to t+1: one frame of delay. The last frame, and one before a gap, a
change of size or a lost stream, has no flow and is not scored.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

import cv2
import numpy as np

from data_prep.flow import estimate_flow
from data_prep.frames import resize_flow, resize_frame
from data_prep.words import counted
from maam_lib.detector import Detector, Score
from maam_lib.video.events import Event
from maam_lib.video.trouble import Footage, Frame
from maam_lib.windows import Pair

BATCH = 4  # frames that go through the network together, where so many wait; on a CPU more are slower (measured)
AHEAD = 8  # pairs of frames that decoding may be ahead
LONGEST_STOP = 0.5  # seconds to wait for the threads where the scores are no longer wanted
LONGEST_END = 60.0  # seconds that the program's end waits for one that still computes; a dead stream may take ten
T = TypeVar("T")


class FramePair(NamedTuple):
    """A frame and the next one, at the source's size."""

    frame: Frame
    following: Frame


class Flowing(NamedTuple):
    """A frame with its flow, as prepared data are stored."""

    frame: Frame  # its pixels are the source's, no larger than asked for
    until: float  # seconds: when the next frame comes
    source_size: Pair
    stored: np.ndarray  # uint8 (H, W, C) at the detector's size
    flow: np.ndarray  # float16 (H, W, 2), pixels per frame at that size


class Scored(NamedTuple):
    """One scored frame. Scores are sums before Eq. 11, as in `scores.csv` of a run."""

    frame: Frame  # its pixels are the source's, no larger than asked for
    until: float  # seconds: when the next frame comes
    source_size: Pair
    fused_map: np.ndarray  # float32 (ph, pw)
    appearance: float
    motion: float
    fused: float


def score_online(
    detector: Detector, score: Score, footage: Footage, *, picture_width: int = 640
) -> Generator[Scored | Event]:
    """The scored frames of some footage in order, and its events between them (ours).

    Scores are those that `maam evaluate` finds for the same frames: the same resizing, the same flow at the source's
    size, the same rounding. Where a live source is faster than this machine, pairs of frames are passed over whole, so
    that flow never spans more than one frame; an Event "behind" says how many, once per unbroken stretch.

    Leaving the iterator waits LONGEST_STOP seconds for the threads to end: one that reads a dead stream, or computes
    for longer, ends by itself, at the latest with the program. Raises what goes wrong in any of them.
    """
    stop, threads = threading.Event(), cv2.getNumThreads()
    cv2.setNumThreads(1)  # one core per thread of ours
    pairs = Ahead(frame_pairs(footage), AHEAD, stop, may_pass=footage.is_live)
    flowing = Ahead(with_flow(pairs, detector, picture_width), 2 * BATCH, stop)
    results = Ahead(scored(flowing, detector, score), 2 * BATCH, stop)
    try:
        yield from results
    finally:
        stop.set()
        until = time.monotonic() + LONGEST_STOP
        for stage in (pairs, flowing, results):
            stage.thread.join(max(0.0, until - time.monotonic()))
            if stage.thread.is_alive():
                atexit.register(stage.thread.join, LONGEST_END)  # the program's end must not cut it
        cv2.setNumThreads(threads)


def measured_on(
    detector: Detector,
    score: Score,
    footage: Footage | Iterable[Footage],
    *,
    name: str | None = None,
    on_frame: Callable[[int], object] | None = None,
) -> Detector:
    """The detector with scale and threshold of some normal footage that took no part in training (ours).

    footage: of one clip, or of several, opened one after the other: no flow leads from one to the next.
    name: of all of them, for the messages; of one, its own if left out. on_frame: told how many are scored.

    Raises DetectionError where it has too few frames.
    """
    scores: list[float] = []
    names: list[str] = []
    for clip in [footage] if isinstance(footage, Footage) else footage:
        names.append(clip.name.rpartition("/")[2])
        for item in score_online(detector, score, clip, picture_width=1):
            if isinstance(item, Scored):
                scores.append(item.fused)
                if on_frame is not None:
                    on_frame(len(scores))
    where = names[0] if len(names) == 1 else f"{counted(len(names), 'clip')} in {name}"
    return detector.measured_on(np.array(scores), where)


def frame_pairs(frames: Iterable[Frame | Event]) -> Generator[FramePair | Event]:
    """Each frame with the one that follows it; events where they belong."""
    before: Frame | None = None
    for item in frames:
        if isinstance(item, Event):
            yield item
            continue
        if before is not None and item.follows:
            yield FramePair(before, item)
        before = item


def with_flow(pairs: Iterable[FramePair | Event], detector: Detector, picture_width: int) -> Generator[Flowing | Event]:
    """Flow at the source's size, then both resized: exactly what `maam prepare` stores (item 17)."""
    for pair in pairs:
        if isinstance(pair, Event):
            yield pair
            continue
        first, second = (in_channels(frame.pixels, detector.channels) for frame in pair)
        flow = resize_flow(estimate_flow(detector.flow, first, second), detector.frame_size)
        stored = resize_frame(first, detector.frame_size)
        height, width = size = first.shape[:2]
        shown = pair.frame.pixels
        if width > picture_width:
            shown = resize_frame(shown, (max(1, round(height * picture_width / width)), picture_width))
        yield Flowing(replace(pair.frame, pixels=shown), pair.following.time, size, stored, flow.astype(np.float16))


def scored(items: "Ahead[Flowing | Event]", detector: Detector, score: Score) -> Generator[Scored | Event]:
    """Runs the network over what is waiting, up to BATCH frames at a time."""
    while waiting := items.take(BATCH):
        batch = [item for item in waiting if isinstance(item, Flowing)]
        results = iter(_scores(batch, detector, score) if batch else [])
        for item in waiting:
            yield next(results) if isinstance(item, Flowing) else item


def _scores(batch: list[Flowing], detector: Detector, score: Score) -> list[Scored]:
    appearance, motion = score(np.stack([item.stored for item in batch]), np.stack([item.flow for item in batch]))
    fused = detector.fuse(appearance, motion)
    tops = zip(*(sums.max(axis=(1, 2)).tolist() for sums in (appearance, motion, fused)), strict=True)
    return [
        Scored(item.frame, item.until, item.source_size, fused_map, *top)
        for item, fused_map, top in zip(batch, fused, tops, strict=True)
    ]


def in_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """RGB (H, W, 3) as the detector's frames are stored: gray (H, W, 1), or as it is. Gray footage stays the same."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] if channels == 1 else pixels


class Ahead(Generic[T]):
    """The items of an iterable, made on a thread of its own and at most `capacity` ahead of who takes them.

    may_pass: where so many wait already, further frame pairs are dropped, and one event behind those counts them.
    """

    def __init__(self, items: Generator[T], capacity: int, stop: threading.Event, *, may_pass: bool = False):
        self._capacity, self._stop, self._may_pass = capacity, stop, may_pass
        self._waiting: deque[T | Event] = deque()
        self._changed = threading.Condition()  # held to look at what waits, or to change it
        self._ended, self._error = False, None
        self.thread = threading.Thread(target=self._fill, args=(items,), daemon=True)
        self.thread.start()

    def __iter__(self) -> Iterator[T | Event]:
        while taken := self.take(1):
            yield from taken

    def take(self, at_most: int) -> list[T | Event]:
        """What is waiting, up to so many; waits for the first. Empty at the end. Raises what the thread raised."""
        with self._changed:
            self._wait_while(lambda: not (self._waiting or self._ended))
            taken = [self._waiting.popleft() for _ in range(min(at_most, len(self._waiting)))]
            self._changed.notify()
        if not taken and self._error is not None:
            raise self._error
        return taken

    def _fill(self, items: Generator[T]) -> None:
        try:
            for item in items:
                self._put(item)
                if self._stop.is_set():
                    break
        except BaseException as error:  # of any kind: it is raised again where the items are taken
            self._error = error
        finally:
            items.close()  # on the thread that reads: captures are released where they are used
            with self._changed:
                self._ended = True
                self._changed.notify()

    def _put(self, item: T) -> None:
        with self._changed:
            if self._may_pass and isinstance(item, FramePair) and len(self._waiting) >= self._capacity:
                self._pass_over(item.frame)
                return
            self._wait_while(lambda: len(self._waiting) >= self._capacity)
            self._waiting.append(item)
            self._changed.notify()

    def _pass_over(self, frame: Frame) -> None:
        event = self._waiting[-1]
        if not (isinstance(event, Event) and event.kind == "behind"):
            event = Event("behind", frame.number, frame.number, frame.time, frame.time)
            self._waiting.append(event)
        event.last, event.end = frame.number, frame.time
        event.note = (
            f"{counted(event.last - event.first + 1, 'frame')} not scored: this machine is slower than the camera"
        )

    def _wait_while(self, busy: Callable[[], bool]) -> None:
        while busy() and not self._stop.is_set():
            self._changed.wait(timeout=0.1)
