"""Commands about any video: score it, and export what scores it."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from maam_lib.cli.options import DEFAULT_ROOT, Root, app

if TYPE_CHECKING:
    from maam_lib.detector import Detector, Score
    from maam_lib.model import MAAMNet


@app.command()
def detect(
    run: Annotated[
        str,
        Argument(metavar="RUN", help="Folder of a run, or name of kept weights (ped2-laptop); with --onnx, the video."),
    ],
    video: Annotated[
        str | None,
        Argument(metavar="VIDEO", help="Video file, folder of frames, camera number (0) or address (rtsp://...)."),
    ] = None,
    out: Annotated[Path, Option(help="New folder for video, scores, events and page.", file_okay=False)] = Path(
        "detected"
    ),
    onnx: Annotated[
        Path | None, Option(help="An exported file instead of a run: `maam detect --onnx FILE VIDEO`.")
    ] = None,
    root: Root = DEFAULT_ROOT,
    normal: Annotated[
        str | None,
        Option(
            help="Ordinary footage that took no part in training, or a folder of such videos; sets scale and threshold."
        ),
    ] = None,
    alarms_per_hour: Annotated[
        float | None,
        Option(help="Sets the threshold for at most this many alarms on normal footage; the run's own if left out."),
    ] = None,
    frame_rate: Annotated[
        float | None,
        Option(min=0.01, max=1000, help="Frames per second of a folder, or of a video whose header is wrong."),
    ] = None,
    patience: Annotated[float, Option(min=0, help="Seconds to keep trying after a stream is lost.")] = 600.0,
    picture_width: Annotated[
        int, Option(min=320, max=3840, help="Largest width of the annotated video, in pixels.")
    ] = 640,
    browser_video: Annotated[
        bool, Option(help="At the end, convert the annotated video so that browsers play it; otherwise it stays .mkv.")
    ] = True,
) -> None:
    """Score any video. Writes an annotated video, scores, events and one page; Ctrl-C leaves complete files."""
    from maam_lib.detector import DetectionError
    from maam_lib.video import check_free, footage_notes, open_footage, open_onnx, progress_line, untrusted
    from maam_lib.video import detect as detect_in

    if (onnx is None) == (video is None):
        raise DetectionError("expected RUN VIDEO, or --onnx FILE VIDEO")
    check_free(out)
    if normal is not None and _holds(normal, video or run):
        raise DetectionError(f"--normal {normal}: this is the footage to be scored; give other footage, of normal life")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its errors are told by ours
    if onnx is None:
        from maam_lib.video.scorer import score_with

        detector, net = _detector(run, root)
        score = score_with(net, detector)
    else:
        detector, score = open_onnx(onnx)
    if alarms_per_hour is not None:
        detector.threshold_for(alarms_per_hour)  # what cannot be asked for is told before normal footage is measured
    footage = open_footage(video or run, frame_rate=frame_rate, patience=patience)
    if normal is not None:
        detector = _measured_on(detector, score, normal, frame_rate)
    if warning := untrusted(detector, alarms_per_hour):
        print(f"note: {warning}", file=sys.stderr)
    wanted = {"alarms_per_hour": alarms_per_hour, "picture_width": picture_width}
    try:
        with _shown() as show:
            done = detect_in(
                detector, score, footage, out, **wanted, on_progress=lambda progress: show(progress_line(progress))
            )
        print(progress_line(replace(done, announced=None)))  # none are left, also where the file breaks off
        if browser_video:
            try:
                _write_for_browsers(out)
            except DetectionError as error:
                print(f"note: {error}")
    except KeyboardInterrupt as stop:
        stop.add_note(f"what was scored is in {out}" if out.is_dir() else "no frame was scored yet")
        raise
    for note in footage_notes(detector, footage):
        print(f"note: {note}")
    print(f"detected: {out / 'index.html'}")


@app.command()
def playable(
    folder: Annotated[Path, Argument(metavar="DIR", help="Folder that `maam detect` wrote.", file_okay=False)],
) -> None:
    """Convert an annotated video for browsers. For when `maam detect` was stopped before it did that."""
    _write_for_browsers(folder)
    print(f"plays: {folder / 'index.html'}")


@app.command()
def export(
    run: Annotated[str, Argument(metavar="RUN", help="Folder of a run, or name of kept weights (ped2-laptop).")],
    onnx: Annotated[Path, Option(help="File to write.", dir_okay=False)],
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write a run as one ONNX file. Holds network, memory and score, checked against PyTorch (extra `onnx`)."""
    from maam_lib.video.export import check_target, write_onnx

    check_target(onnx)
    detector, net = _detector(run, root)
    check = write_onnx(net, detector, onnx)
    print(f"exported: {onnx}; {check}; next: maam detect --onnx {onnx} VIDEO --out DIR")


def _holds(normal: str, video: str) -> bool:
    """Whether the video is the normal footage, or lies in its folder."""
    scored = Path(video)
    return scored.exists() and Path(normal).resolve() in (scored.resolve(), *scored.resolve().parents)


def _measured_on(detector: "Detector", score: "Score", normal: str, frame_rate: float | None) -> "Detector":
    """The detector with the threshold of normal footage, with a line of progress: hours of it take long too."""
    from data_prep.words import counted
    from maam_lib.video import measured_on, open_normal

    name = Path(normal).name or normal
    with _shown() as show:
        return measured_on(
            detector,
            score,
            open_normal(normal, frame_rate=frame_rate),
            name=name,
            on_frame=lambda frames: show(f"normal footage: {counted(frames, 'frame')} scored"),
        )


def _detector(run: str, root: Path) -> "tuple[Detector, MAAMNet]":
    """The detector and the network of a run, or of the kit's own weights by the name of their recipe."""
    from maam_lib.detector import DetectionError
    from maam_lib.grid import kept_weights, reference_detector, reference_network
    from maam_lib.training import RunFolder
    from maam_lib.video.scorer import run_network

    if not Path(run).exists():
        if run in kept_weights():
            return reference_detector(run), reference_network(run)[1]
        raise DetectionError(
            f"{run}: no run here; train one with `maam train RECIPE --run {run}`, or name weights that come with the "
            f"kit: {', '.join(kept_weights())}"
        )
    opened = RunFolder.open(Path(run))
    done, all_epochs = opened.last_epoch, opened.recipe.training.epochs
    if 0 < done < all_epochs:
        said = f"{run} was trained for {done} of {all_epochs} epochs; `maam train ... --resume` finishes it"
        print(f"note: {said}", file=sys.stderr)
    return run_network(opened, root)


def _write_for_browsers(folder: Path) -> None:
    """Raises DetectionError where it cannot be; annotated.mkv stays then."""
    from data_prep.words import counted
    from maam_lib.video import for_browsers

    began, written = time.monotonic(), 0
    with _shown() as show:

        def on_frame(frame: int, of: int) -> None:
            nonlocal written
            written, seconds = frame, time.monotonic() - began
            left = max(0, of - frame) * seconds / frame
            show(f"converting the video: {frame} of {of} frames  {frame / seconds:.0f} frames/s  {left:.0f} s left")

        made = for_browsers(folder, on_frame)
    print(f"{made}: {counted(written, 'frame')} converted for browsers in {time.monotonic() - began:.1f} s")


@contextmanager
def _shown() -> "Iterator[Callable[[str], None]]":
    """A line of progress on stderr: in a terminal one that is renewed, else one every half minute."""
    from tqdm import tqdm

    every, form = (0.5, "{desc}") if sys.stderr.isatty() else (30.0, "{desc}\n")
    with tqdm(bar_format=form, delay=every, mininterval=every, miniters=1) as line:

        def show(said: str) -> None:
            line.set_description_str(said, refresh=False)
            line.update()

        yield show
