"""Score any footage into a folder: annotated video, scores, events, one page. Runs without torch for an ONNX file.

annotated.mkv   one picture per row of scores.csv: abnormal regions marked, the score of the last seconds under it;
                `browser_video` writes it anew as annotated.mp4, which the page plays
scores.csv      frame, time, appearance, motion, fused, normalised, alarm
events.csv      alarms and trouble with the footage, one line each, written when it has ended
index.html      what was found and how far to trust it, curve, video, events, worst moments; renewed every minute
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from av.error import FFmpegError

from data_prep import __version__
from data_prep.files import write_text
from data_prep.frames import by
from data_prep.signals import unbroken
from data_prep.words import counted
from maam_lib.detector import SHORTEST, DetectionError, Detector, Score
from maam_lib.pages import page
from maam_lib.video.annotation import STRIP, AnnotatedVideo, Annotator, boxes, jpeg, picture_size
from maam_lib.video.browser_video import VIDEO, browser_files
from maam_lib.video.detection_page import Envelope, WorstMoments, clock, drawn, lasting, listed
from maam_lib.video.events import Alarms, Box, Event, EventFile
from maam_lib.video.online import BATCH, Scored, score_online
from maam_lib.video.progress import Progress
from maam_lib.video.result_folder import check_free, check_room, claimed
from maam_lib.video.trouble import Footage
from maam_lib.video.trust import percent, threshold_told

PAGE_SECONDS = 60.0  # between two renewals of the page
STRETCH = 0.01  # a change of the aspect ratio that is worth a note
MOTION_ERROR = {
    "flow": "absolute difference of flow and predicted flow",
    "speed": "speed minus predicted speed: above 0 where things are faster, below 0 where they are slower",
}
SCORE_COLUMNS = "frame,time,appearance,motion,fused,normalised,alarm"


def detect(
    detector: Detector,
    score: Score,
    footage: Footage,
    out: Path,
    *,
    alarms_per_hour: float | None = None,
    picture_width: int = 640,
    on_progress: Callable[[Progress], object] | None = None,
) -> Progress:
    """Score footage into the folder `out`, which must be empty or new (ours).

    alarms_per_hour: a threshold for at most so many on normal footage (see `Detector.threshold_for`); None takes the
    detector's own. Everything is on the disk within a second and whole at any end: of the footage, by Ctrl-C, by an
    error; a kill loses the last moments, since nothing has to be finished. The folder is made when the first frame is
    scored, and vanishes again where that one cannot be written.

    Raises DetectionError for a folder in use, DiskFullError before the disk is full, and whatever stops the scoring.
    """
    check_free(out)
    report = _Report(detector, footage, out, alarms_per_hour, picture_width)
    early: list[Event] = []  # before the first frame is scored
    with ExitStack() as finishing:
        items = finishing.enter_context(closing(score_online(detector, score, footage, picture_width=picture_width)))
        for item in items:
            if report.progress.frames:
                with unbroken():
                    report.add(item)
            elif isinstance(item, Event):
                early.append(item)
                continue
            else:
                with unbroken(), claimed(out):
                    report.begin([*early, item])
                    finishing.callback(lambda: report.finish(footage.lost()))
            if isinstance(item, Scored) and on_progress is not None:
                on_progress(report.progress)
    if not report.progress.frames:
        found = "; ".join(event.note for event in early) or "none came"
        raise DetectionError(f"{footage.name}: no two frames follow each other, so none was scored ({found})")
    return report.progress


class _Report:
    """The files of one scored video: begun with its first scored frame, whole whenever they are finished."""

    def __init__(
        self, detector: Detector, footage: Footage, out: Path, alarms_per_hour: float | None, picture_width: int
    ):
        self.detector, self.footage, self.out = detector, footage, out
        self.threshold = detector.threshold if alarms_per_hour is None else detector.threshold_for(alarms_per_hour)
        self.level = float(detector.training.normalise(self.threshold))
        self.progress = Progress(announced=footage.announced)
        self._began = time.monotonic()
        self._page_at = self._began + PAGE_SECONDS
        self._alarms = Alarms(self.threshold)
        self._annotator = Annotator(picture_size(footage.size, picture_width), self.level)
        self._video: AnnotatedVideo | None = None
        length = None if footage.announced is None else footage.announced / footage.frame_rate
        self._envelope, self._moments = Envelope(), WorstMoments(length)
        self._told = threshold_told(detector, alarms_per_hour)
        self._lowest, self._highest = math.inf, -math.inf  # fused scores so far
        self._ended = False

    def begin(self, items: list[Event | Scored]) -> None:
        """Open the files and write the first events and the first frame; nothing stays open where that fails."""
        with ExitStack() as files:
            self._scores = files.enter_context((self.out / "scores.csv").open("w", encoding="utf-8", newline="\n"))
            self._scores.write(SCORE_COLUMNS + "\n")
            self._events = files.enter_context(closing(EventFile(self.out / "events.csv")))
            with self._encoding():
                height, width = self._annotator.size
                self._video = AnnotatedVideo(self.out / VIDEO, self.footage.frame_rate, (height + STRIP, width))
            files.callback(self._close_video)
            for item in items:
                self.add(item)
            self._scores.flush()
            self._files = files.pop_all()

    def add(self, item: Event | Scored) -> None:
        if isinstance(item, Event):
            self._trouble(item)
            return
        self._frame(item)
        if self.progress.frames % BATCH == 0:  # what is written goes to the disk, while there is room for more
            self._scores.flush()
            check_room(self.out, f"stopped after {counted(self.progress.frames, 'frame')}; what is written is complete")
            if time.monotonic() > self._page_at:
                self._write_page()
                self._page_at = time.monotonic() + PAGE_SECONDS

    def _frame(self, scored: Scored) -> None:
        frame, progress = scored.frame, self.progress
        found = self.detector.reached(scored.fused_map, self.threshold)

        def largest_box() -> Box | None:
            return next(iter(boxes(found, scored.source_size)), None)

        was_on = self._alarms.on
        self._write_event(self._alarms.add(frame.number, frame.time, scored.until, scored.fused, largest_box))
        on = self._alarms.on
        progress.alarms += on and not was_on
        normalised = float(self.detector.training.normalise(scored.fused))
        row = f"{scored.appearance:.9g},{scored.motion:.9g},{scored.fused:.9g},{normalised:.5g}"
        self._scores.write(f"{frame.number},{frame.time:.3f},{row},{int(on)}\n")
        caption = f"{clock(frame.time)}   score {normalised:.2f}   threshold {self.level:.2f}"
        picture = self._annotator.draw(frame.pixels, found, normalised, on, caption)
        with self._encoding():
            if self._video is not None:
                self._video.write(picture, frame.time)
        self._lowest, self._highest = min(self._lowest, scored.fused), max(self._highest, scored.fused)
        self._envelope.add(normalised, frame.time)
        self._moments.add(normalised, frame.number, frame.time, lambda: jpeg(picture))
        progress.frames += 1
        now = time.monotonic()
        progress.seconds, progress.footage_seconds = now - self._began, frame.time
        progress.lag = max(0.0, now - frame.arrived if self.footage.is_live else progress.seconds - frame.time)

    def _close_video(self) -> None:
        with self._encoding():
            if self._video is not None:
                self._video.close()

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        """Where the video cannot be encoded any more, the scores go on without it."""
        try:
            yield
        except FFmpegError as error:
            if isinstance(error, OSError):  # of the disk
                raise
            written, video, self._video = self.progress.frames, self._video, None
            if video is not None:
                with suppress(FFmpegError):
                    video.close()
            if not written:
                (self.out / VIDEO).unlink(missing_ok=True)
            self.footage.notes.append(
                f"{VIDEO} holds {counted(written, 'frame')}: FFmpeg cannot encode more ({error.strerror})"
            )

    def _trouble(self, event: Event) -> None:
        """Frames do not follow each other here: an alarm that is on ends."""
        if event.kind in ("gap", "resized", "lost"):
            self._write_event(self._alarms.finish())
        self._events.write(event)

    def _write_event(self, event: Event | None) -> None:
        if event is not None:
            self._events.write(event)

    def _write_page(self) -> None:
        curve = drawn(self._envelope.values, self._envelope.times, self.progress.footage_seconds, self.level)
        events = listed(
            self.out / "events.csv", self.detector.training, curve.start, curve.end, still_on=self._alarms.current
        )
        moments = self._moments.sorted()
        height, width = self._annotator.size
        shown = page(
            "video/templates/detection.html",
            name=self.footage.name.rpartition("/")[2],
            recipe=self.detector.recipe,
            ended=self._ended,
            of_speed=self.detector.motion_target == "speed",
            alarms=self.progress.alarms,
            shortest=SHORTEST,
            highest=moments[0],
            threshold=self._told,
            notes=footage_notes(self.detector, self.footage),
            curve=curve,
            events=events,
            moments=moments,
            videos=browser_files(),
            shape=width / (height + STRIP),
            clock=clock,
            lasting=lasting,
            percent=percent,
            facts=self._facts(),
        )
        write_text(self.out / "index.html", shown)

    def _facts(self) -> dict[str, str]:
        detector, progress, training = self.detector, self.progress, self.detector.training
        return {
            "footage": self.footage.name,
            "frames scored": f"{progress.frames}, at {progress.frames_per_second:.1f} per second",
            "weights": f"{detector.recipe}, epoch {detector.epoch}, trained on {detector.trained_on}",
            "threshold": f"{self.level:.2f}, which is a fused score of {self.threshold:.5g}",
            "threshold from": self._told.origin,
            "scores on this page": f"(fused - {training.low:.6g}) / {training.high - training.low or 1:.6g}",
            "Eq. 11 over this footage": f"(fused - {self._lowest:.6g}) / {self._highest - self._lowest:.6g}",
            "frames resized to": f"{by(detector.frame_size)}, {'gray' if detector.channels == 1 else 'colour'}",
            "flow": f"{detector.flow}, at the footage's size {by(self.footage.size)}",
            "motion error": MOTION_ERROR[detector.motion_target],
            "patch, stride, padding": f"{by(detector.patch)}, {by(detector.stride)}, {detector.padding}",
            "psi": f"{detector.psi:.5g}",
            "kit": __version__,
        }

    def finish(self, lost: Event | None) -> None:
        """End what is on, and close the files. lost: of a stream that is silent at this end."""
        self._ended = True
        with unbroken(), ExitStack() as last:  # the last one named is done first, and one that fails stops no other
            last.callback(self._write_page)
            last.push(self._files)
            last.callback(lambda: self._write_event(self._alarms.finish()))
            if lost is not None:
                last.callback(self._trouble, lost)


def footage_notes(detector: Detector, footage: Footage) -> list[str]:
    """What a user should know: no or a varying frame rate, a picture that is stretched."""
    height, width = footage.size
    stretch = (detector.frame_size[1] / detector.frame_size[0]) / (width / height)
    if abs(stretch - 1) <= STRETCH:
        return footage.notes
    seen = f"{detector.frame_size[0]}x{detector.frame_size[1]}"
    return [*footage.notes, f"{height}x{width} is resized to {seen}, so everything looks {stretch:.2f} times as wide"]
