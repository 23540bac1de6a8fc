"""Scores of footage while it comes: decoding, flow and network each on a thread of its own, joined by short queues.

So the slowest of them alone sets the pace, and memory does not grow with the length of the footage. Frame t is scored
when frame t+1 has come, since its flow is from t to t+1: one frame of delay. The last frame, and one before a gap, a
change of size or a lost stream, has no flow and is not scored.
"""

import atexit
import queue
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np

from data_prep.flow import estimate_flow
from data_prep.frames import resize_flow, resize_frame
from maam_lib.detector import Detector, Score
from maam_lib.video.events import Event
from maam_lib.video.footage import Footage
from maam_lib.video.trouble import GAP, Frame
from maam_lib.windows import Pair

BATCH = 4  # frames that go through the network together, where so many wait; on a CPU more are slower (measured)
AHEAD = 8  # pairs of frames that decoding may be ahead
LONGEST_STOP = 0.5  # seconds to wait for the threads where the scores are no longer wanted
LONGEST_END = 60.0  # seconds that the program's end waits for one that still computes; a dead stream may take ten
T = TypeVar("T")


@dataclass(frozen=True)
class FramePair:
    """A frame and the next one, at the source's size."""

    frame: Frame
    following: Frame


@dataclass(frozen=True)
class Flowing:
    """A frame with its flow, as prepared data are stored, and the picture of it that people see."""

    frame: Frame  # its pixels are those of `picture`
    until: float  # seconds: when the next frame comes
    source_size: Pair
    stored: np.ndarray  # uint8 (H, W, C) at the detector's size
    flow: np.ndarray  # float16 (H, W, 2), pixels per frame at that size


@dataclass(frozen=True)
class Scored:
    """One scored frame. Scores are sums before Eq. 11, as in `scores.csv` of a run."""

    number: int
    time: float  # seconds
    until: float  # seconds: when the next frame comes
    arrived: float  # seconds of the monotonic clock
    picture: np.ndarray  # uint8 (H, W, 3) RGB, the source's, no larger than asked for
    source_size: Pair
    fused_map: np.ndarray  # float32 (ph, pw)
    appearance: float
    motion: float
    fused: float


def score_online(
    detector: Detector,
    score: Score,
    footage: "Footage | Heard",
    *,
    picture_width: int = 640,
    stop: threading.Event | None = None,
) -> Generator[Scored | Event]:
    """The scored frames of some footage in order, and its events between them (ours).

    Scores are those that `maam evaluate` finds for the same frames: the same resizing, the same flow at the source's
    size, the same rounding. Where a live source is faster than this machine, pairs of frames are passed over whole, so
    that flow never spans more than one frame; an Event "behind" says how many, once per unbroken stretch.

    Leaving the iterator waits LONGEST_STOP seconds for the threads to end: one that reads a dead stream, or computes
    for longer, ends by itself, at the latest with the program. Raises what goes wrong in any of them.
    """
    stop = stop or threading.Event()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one core per thread of ours
    pairs = Ahead(frame_pairs(footage), AHEAD, stop, may_pass=footage.is_live)
    flowing = Ahead(with_flow(pairs, detector, picture_width), 2 * BATCH, stop)
    results = Ahead(scored(flowing, detector, score), 2 * BATCH, stop)
    try:
        yield from results
    finally:
        stop.set()
        _leave(pairs, flowing, results)
        cv2.setNumThreads(threads)


def _leave(*stages: "Ahead") -> None:
    """Wait a moment for the threads; for those that are still at it when the program ends, which must not cut them."""
    until = time.monotonic() + LONGEST_STOP
    for stage in stages:
        if not stage.join(max(0.0, until - time.monotonic())):
            atexit.register(stage.join, LONGEST_END)


def measured_on(detector: Detector, score: Score, footage: Footage) -> Detector:
    """The detector with scale and threshold of some normal footage that took no part in training (ours).

    Raises DetectionError where it has too few frames.
    """
    items = score_online(detector, score, footage, picture_width=1)
    scores = [item.fused for item in items if isinstance(item, Scored)]
    return detector.measured_on(np.array(scores), footage.name.rpartition("/")[2])


class Heard:
    """Footage that is listened to: it knows for how long a live source has been silent (ours)."""

    def __init__(self, footage: Footage):
        self.is_live = footage.is_live
        self._footage, self._last, self._over = footage, None, False
        self._longest_step = max(GAP, 5 / footage.frame_rate)

    def __iter__(self) -> Iterator[Frame | Event]:
        for item in self._footage:
            if isinstance(item, Frame):
                self._last = item
            yield item
        self._over = True

    def lost(self) -> Event | None:
        """The event of a live source that is silent now, while someone still waits for it; None where it is not."""
        if not self.is_live or self._over or self._last is None:
            return None
        silent, last = time.monotonic() - self._last.arrived, self._last
        if silent <= self._longest_step:
            return None
        note = "had not come back when it was stopped"
        return Event("lost", last.number + 1, last.number + 1, last.time, last.time + silent, note=note)


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
        first, second = (
            in_channels(pixels, detector.channels) for pixels in (pair.frame.pixels, pair.following.pixels)
        )
        flow = resize_flow(estimate_flow(detector.flow, first, second), detector.frame_size)
        stored = resize_frame(first, detector.frame_size)
        height, width = size = first.shape[:2]
        shown = pair.frame.pixels
        if width > picture_width:
            shown = resize_frame(shown, (max(1, round(height * picture_width / width)), picture_width))
        frame = Frame(pair.frame.number, pair.frame.time, shown, pair.frame.arrived)
        yield Flowing(frame, pair.following.time, size, stored, flow.astype(np.float16))


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
    return [_scored(item, sums, top) for item, sums, top in zip(batch, fused, tops, strict=True)]


def _scored(item: Flowing, fused_map: np.ndarray, tops: tuple[float, float, float]) -> Scored:
    frame = item.frame
    return Scored(frame.number, frame.time, item.until, frame.arrived, frame.pixels, item.source_size, fused_map, *tops)


def in_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """RGB (H, W, 3) as the detector's frames are stored: gray (H, W, 1), or as it is. Gray footage stays the same."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] if channels == 1 else pixels


class Ahead(Generic[T]):
    """The items of an iterable, made on a thread of its own and at most `capacity` ahead of who takes them.

    may_pass: where the queue is full, frame pairs are dropped instead of waited with, and counted in an event, which
    is taken with the next item or, where none comes, as soon as the queue is empty.
    """

    def __init__(self, items: Generator[T], capacity: int, stop: threading.Event, *, may_pass: bool = False):
        self._queue: queue.Queue = queue.Queue(capacity)
        self._stop, self._may_pass = stop, may_pass
        self._passed: Event | None = None
        self._passing = threading.Lock()  # held to decide whether a pair is dropped, and to take what was dropped
        self._end: _End | None = None
        self._thread = threading.Thread(target=self._fill, args=(items,), daemon=True)
        self._thread.start()

    def join(self, longest: float) -> bool:
        """Wait until the thread has ended what it was at, at most so many seconds; returns whether it has."""
        self._thread.join(timeout=longest)
        return not self._thread.is_alive()

    def __iter__(self) -> Iterator[T]:
        while taken := self.take(1):
            yield from taken

    def take(self, at_most: int) -> list[T]:
        """What is waiting, up to so many; waits for the first. Empty at the end. Raises what the thread raised."""
        taken: list[T] = []
        while self._end is None and len(taken) < at_most:
            try:
                item = self._queue.get_nowait() if taken else self._queue.get(timeout=0.1)
            except queue.Empty:
                if taken or self._stop.is_set():
                    break
                taken += self._passed_so_far()
                continue
            if isinstance(item, _End):
                self._end = item
            else:
                taken.append(item)
        if not taken and self._end is not None and self._end.error is not None:
            raise self._end.error
        return taken

    def _fill(self, items: Generator[T]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if self._may_pass and isinstance(item, FramePair) and self._passes(item.frame):
                    continue
                self._put_passed()
                self._put(item)
                if self._stop.is_set():
                    break
            self._put_passed()
        except BaseException as raised:  # of any kind: it is raised again where the items are taken
            error = raised
        finally:
            items.close()  # on the thread that reads: captures are released where they are used
            self._put(_End(error))

    def _passes(self, frame: Frame) -> bool:
        with self._passing:
            full = self._queue.full()
            if full:
                self._passed = _passed_over(self._passed, frame)
            return full

    def _put_passed(self) -> None:
        with self._passing:
            passed, self._passed = self._passed, None
        if passed is not None:
            self._put(passed)

    def _passed_so_far(self) -> list[Event]:
        """What was dropped after all that has been taken, where nothing else waits."""
        with self._passing:
            if self._passed is None or not self._queue.empty():
                return []
            passed, self._passed = self._passed, None
            return [passed]

    def _put(self, item: object) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def _passed_over(event: Event | None, frame: Frame) -> Event:
    event = event or Event("behind", frame.number, frame.number, frame.time, frame.time)
    event.last, event.end = frame.number, frame.time
    event.note = f"{event.last - event.first + 1} frames not scored: this machine is slower than the camera"
    return event
