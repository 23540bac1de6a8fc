"""Frames per second of `maam detect`, stage by stage and as a whole, and its memory over hours of footage.

    python -m benchmarks.detect speed --json FILE      each stage alone on one core, then all of them overlapped
    python -m benchmarks.detect hours --json FILE      looped footage through the whole of `detect`
    python -m benchmarks.detect alarms RUN ... --json FILE   how often normal test frames reach a threshold
    python -m benchmarks.detect held-out RECIPE ... --json FILE   of kept weights, with held-out thresholds

For the first two the network has random weights, on which speed does not depend; the footage is the generated scene,
enlarged.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from benchmarks.timing import machine
from data_prep.flow import estimate_flow
from data_prep.frames import resize_flow, resize_frame
from data_prep.scenes import read_synthetic, scene_settings
from maam_lib import pscd
from maam_lib.config import Recipe, load_recipe
from maam_lib.data import to_model_input
from maam_lib.detector import LEAST_NORMAL, Detector, TrainingScores
from maam_lib.grid import REFERENCE, reference_detector
from maam_lib.model import MAAMNet
from maam_lib.training import RunFolder, build_network, read_scores
from maam_lib.video import (
    BATCH,
    AnnotatedVideo,
    Annotator,
    Footage,
    Frame,
    detect,
    in_channels,
    open_footage,
    open_onnx,
    picture_size,
)
from maam_lib.video.export import write_onnx
from maam_lib.video.scorer import run_network, score_with
from maam_lib.windows import default_stride

SOURCE_SIZE = (240, 360)  # that of Ped2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("--recipes", nargs="+", default=["ped2-laptop", "ped2"])
    speed.add_argument("--rounds", type=int, default=3)
    hours = commands.add_parser("hours")
    hours.add_argument("--frames", type=int, default=180_000)
    hours.add_argument("--frame-rate", type=float, default=5.0)
    alarms = commands.add_parser("alarms")
    alarms.add_argument("runs", nargs="+", type=Path, help="evaluated runs, which are calibrated where they are not")
    alarms.add_argument("--root", type=Path, default=Path("data"))
    held_out = commands.add_parser("held-out")
    held_out.add_argument("recipes", nargs="+", help="recipes whose weights and scores come with the kit")
    for command in (speed, hours, alarms, held_out):
        command.add_argument("--json", type=Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    if asked.what == "speed":
        measured = {name: speed_of(load_recipe(name), asked.rounds) for name in asked.recipes}
    elif asked.what == "hours":
        measured = memory_over_hours(asked.frames, asked.frame_rate)
    elif asked.what == "held-out":
        measured = [held_out_thresholds(name) for name in asked.recipes]
    else:
        measured = [share_of_normal_frames(RunFolder.open(run), asked.root) for run in asked.runs]
    result = {"machine": machine() | {"opencv": cv2.__version__}, asked.what: measured}
    print(json.dumps(result, indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=2) + "\n")


# Speed


def speed_of(recipe: Recipe, rounds: int) -> dict[str, object]:
    """Frames per second of each stage alone, and of the whole; stages take turns, and the best round counts."""
    torch.manual_seed(0)
    net, detector = build_network(recipe).eval(), random_detector(recipe)
    with tempfile.TemporaryDirectory() as scratch:
        footage = write_scene(Path(scratch) / "scene.mkv", 100)
        write_onnx(net, detector, Path(scratch) / "net.onnx")
        _, exported = open_onnx(Path(scratch) / "net.onnx", threads=1)
        few = 16 if recipe.model.base_channels > 32 else 64
        stages = stages_of(net, detector, exported, footage, few)
        whole = {
            "whole, PyTorch": lambda: run_whole(detector, score_with(net, detector, "cpu"), footage, few),
            "whole, onnxruntime": lambda: run_whole(detector, exported, footage, few),
        }
        best: dict[str, float] = {}
        for _ in range(rounds):
            for name, work in (stages | whole).items():
                began = time.perf_counter()
                frames = work()
                best[name] = max(best.get(name, 0.0), frames / (time.perf_counter() - began))
    return report_speed(best)


def report_speed(best: dict[str, float]) -> dict[str, object]:
    """The rates, rounded, and what the slowest thread would allow alone."""

    def together(*names: str) -> float:
        return 1 / sum(1 / best[name] for name in names)

    threads = {
        "decode": together("decode"),
        "flow and resize": together("flow", "resize"),
        "draw and write": together("draw", "write"),
    }
    slowest = {
        "PyTorch": min(*threads.values(), together("network, PyTorch", "PSCD")),
        "onnxruntime": min(*threads.values(), best["network and PSCD, onnxruntime"]),
    }
    return {
        "frames_per_second": {name: round(rate, 1) for name, rate in best.items()},
        "slowest_thread_alone": {name: round(rate, 1) for name, rate in slowest.items()},
        "one_after_the_other": round(together(*(n for n in best if "whole" not in n and "onnx" not in n)), 1),
        "onnxruntime_over_pytorch": round(
            best["network and PSCD, onnxruntime"] / together("network, PyTorch", "PSCD"), 2
        ),
    }


def stages_of(
    net: MAAMNet, detector: Detector, exported: Callable, video: Path, few: int
) -> dict[str, Callable[[], int]]:
    """Each stage as a function that does some frames of it and returns how many."""
    frames = [item.pixels for item in open_footage(video) if isinstance(item, Frame)]
    gray = [in_channels(frame, detector.channels) for frame in frames]
    flows = [estimate_flow(detector.flow, a, b) for a, b in pairwise(gray[:21])]
    stored = np.stack([resize_frame(frame, detector.frame_size) for frame in gray[:BATCH]])
    flow = np.stack([resize_flow(f, detector.frame_size) for f in flows[:BATCH]]).astype(np.float16)
    x, f = to_model_input(torch.from_numpy(stored), torch.from_numpy(flow), net.frame_channels)
    with torch.no_grad():
        output = net(x)
    annotator = Annotator(picture_size(SOURCE_SIZE, 640), 0.5)
    found = np.zeros(detector.frame_size, bool)
    found[10:40, 10:30] = True
    pictures = [annotator.draw(frame, found, 0.4, True, "12.3 s   score 0.40   threshold 0.50") for frame in frames]

    def network() -> int:
        with torch.no_grad():
            for _ in range(few // BATCH):
                net(x)
        return few

    def sums() -> int:
        where = {"patch": detector.patch, "stride": detector.stride, "psi": detector.psi}
        for _ in range(4):
            pscd.score_maps(x, output.frame_hat, f, output.flow_hat, **where)
        return 4 * BATCH

    def run_exported() -> int:
        for _ in range(few // BATCH):
            exported(stored, flow)
        return few

    def resize() -> int:
        for i in range(20):
            resize_frame(gray[i], detector.frame_size)
            resize_flow(flows[i], detector.frame_size)
        return 20

    def write() -> int:
        file = AnnotatedVideo(video.with_name("written.mkv"), 25, pictures[0].shape[:2])
        for number, picture in enumerate(pictures):
            file.write(picture, number / 25)
        file.close()
        return len(pictures)

    return {
        "decode": lambda: sum(isinstance(item, Frame) for item in open_footage(video)),
        "flow": lambda: len([estimate_flow(detector.flow, a, b) for a, b in pairwise(gray[:21])]),
        "resize": resize,
        "network, PyTorch": network,
        "PSCD": sums,
        "network and PSCD, onnxruntime": run_exported,
        "draw": lambda: len([annotator.draw(frame, found, 0.4, True, "12.3 s") for frame in frames]),
        "write": write,
    }


def run_whole(detector: Detector, score: Callable, video: Path, few: int) -> int:
    """`detect` into a new folder; a slow network gets fewer frames."""
    with tempfile.TemporaryDirectory() as out:
        footage = open_footage(video)
        if few < 64:
            footage = looped(video, 2 * few, footage.frame_rate)
        return detect(detector, score, footage, Path(out) / "out").frames


def random_detector(recipe: Recipe) -> Detector:
    """Settings of a recipe, with made-up training scores: for speed alone."""
    data, scoring = recipe.data, recipe.scoring
    return Detector(
        recipe=recipe.name,
        epoch=0,
        trained_on="nothing",
        frame_size=(data.height, data.width),
        channels=1,
        flow=data.flow,
        patch=scoring.patch,
        stride=scoring.stride or default_stride(scoring.patch),
        padding=scoring.padding,
        psi=0.9,
        threshold=1e6,
        training=TrainingScores(1000, 0.0, 100.0, 50.0, 5.0),
    )


def write_scene(path: Path, frames: int) -> Path:
    """The first test clip of the generated scene at SOURCE_SIZE, as a video."""
    clip = next(clip for clip in read_synthetic(scene_settings("synthetic")) if clip.split == "test")
    video = AnnotatedVideo(path, 25, SOURCE_SIZE)
    for number, frame in zip(range(frames), clip.frames(), strict=False):
        video.write(cv2.resize(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), SOURCE_SIZE[::-1]), number / 25)
    video.close()
    return path


# Alarms


def share_of_normal_frames(run: RunFolder, root: Path) -> dict[str, object]:
    """The share of normal test frames that reach the threshold at which a share of training frames may."""
    detector = run_network(run, root)[0]
    table = read_scores(run.folder)
    normal = table[table["label"] == 0]["fused"]
    shares = {share: float((normal >= detector.training.exceeded_by(share)).mean()) for share in (0.1, 0.01, 0.001)}
    return {"recipe": detector.recipe, "normal_test_frames": len(normal), "asked_and_found": shares}


def held_out_thresholds(recipe: str, halvings: int = 50) -> dict[str, object]:
    """Shares of test frames that reach the run's own threshold, and one of normal frames of other clips.

    The second as `maam detect --normal` finds it, from a random half of the clips, counted on the other half; halves
    with too few normal frames to find it, or none to count, are drawn again.
    """
    detector, table = reference_detector(recipe), read_scores(REFERENCE / recipe)
    clips, draw, found = table["clip"].unique(), np.random.default_rng(0), []
    while len(found) < halvings:
        half = table["clip"].isin(draw.permutation(clips)[: len(clips) // 2])
        normal = table[half & (table["label"] == 0)]["fused"].to_numpy()
        if len(normal) >= LEAST_NORMAL and (table[~half]["label"] == 0).any():
            found.append(shares_at(detector.measured_on(normal, "half").threshold, table[~half]))
    quantiles = pd.DataFrame(found).quantile([0.1, 0.5, 0.9]).round(4)
    return {
        "recipe": recipe,
        "threshold_of_the_run": shares_at(detector.threshold, table),
        "thresholds_of_held_out_clips": {"halvings": halvings, "quantiles": quantiles.to_dict()},
    }


def shares_at(threshold: float, table: pd.DataFrame) -> dict[str, float]:
    """The shares of normal and of abnormal frames whose fused score reaches a threshold."""
    reached = table["fused"] >= threshold
    return {kind: float(reached[table["label"] == label].mean()) for kind, label in (("normal", 0), ("abnormal", 1))}


# Hours


def memory_over_hours(frames: int, frame_rate: float) -> dict[str, object]:
    """Resident memory and time per frame while looped footage goes through the whole of `detect`."""
    recipe = load_recipe(
        "synthetic-mini",
        "model.base_channels=4",
        "data.height=48",
        "data.width=72",
        "scoring.patch=[12, 6]",
        "data.flow=dis-ultrafast",
    )
    torch.manual_seed(0)
    net, detector = build_network(recipe).eval(), random_detector(recipe)
    samples: list[dict[str, float]] = []
    every = max(1, frames // 60)
    began = time.perf_counter()

    def sample(progress: object) -> None:
        if progress.frames % every == 0:
            now = {"frame": progress.frames, "seconds": round(time.perf_counter() - began, 1), "mb": resident_mb()}
            samples.append(now)

    with tempfile.TemporaryDirectory() as scratch:
        video = write_scene(Path(scratch) / "scene.mkv", 100)
        footage = looped(video, frames, frame_rate)
        done = detect(detector, score_with(net, detector, "cpu"), footage, Path(scratch) / "out", on_progress=sample)
        written = {path.name: path.stat().st_size for path in (Path(scratch) / "out").iterdir()}
    settled = samples[len(samples) // 20 + 1 :]
    steps = np.diff([s["seconds"] for s in settled]) * 1000 / every
    return {
        "footage": f"{frames / frame_rate / 3600:.1f} hours at {frame_rate:g} frames/s, {frames} frames",
        "network": f"{detector.frame_size}, 4 base channels, flow {detector.flow}, source {SOURCE_SIZE}",
        "frames": done.frames,
        "resident_mb": {
            "after_5_percent": settled[0]["mb"],
            "at_the_end": settled[-1]["mb"],
            "range": round(max(s["mb"] for s in settled) - min(s["mb"] for s in settled), 1),
        },
        "ms_per_frame": {
            "first_third": round(float(np.median(steps[: len(steps) // 3])), 2),
            "last_third": round(float(np.median(steps[-len(steps) // 3 :])), 2),
        },
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        "bytes_written": written,
        "samples": samples,
    }


def looped(video: Path, frames: int, frame_rate: float) -> Footage:
    """A video again and again, decoded anew each time, as one footage of so many frames."""

    def all_frames() -> Iterator[Frame]:
        number = 0
        while number < frames:
            for item in open_footage(video):
                if number < frames:
                    yield Frame(number, number / frame_rate, item.pixels, time.monotonic())
                number += 1

    once = open_footage(video)
    return Footage("looped scene", False, frame_rate, frames, once.size, [], all_frames())


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


if __name__ == "__main__":
    main()
