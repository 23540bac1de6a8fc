"""Prints how fast every slider of the explorers answers on Ped2 at 120x180: python -m benchmarks.explorers.

A move counts from the slider's new value to the PNG that the browser gets, everything in between included; what the
browser does with it is not. Also how exact the sums are, held against pscd on every frame.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import machine
from data_prep.files import write_json
from maam_lib import Evaluator, dataset_for, network_predictor, pscd
from maam_lib.data import FrameFlowDataset
from maam_lib.grid import reference_network
from maam_lib.playground import (
    MemoryExplorer,
    MemoryView,
    Rescorer,
    ScoreChoice,
    ScoreExplorer,
    ScoreView,
    rescorer_for,
)

RESULTS = Path(__file__).parent / "results" / "explorers.json"
DEMAND = 0.2  # seconds, at the 95th percentile
Moves = dict[str, tuple[Any, list[Any]]]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of prepared datasets, with ped2")
    parser.add_argument("--weights", default="ped2-laptop", help="which kept network answers")
    parser.add_argument("--moves", type=int, default=60, help="moves of each slider")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file for the numbers")
    asked = parser.parse_args()
    recipe, net = reference_network(asked.weights)
    evaluator = Evaluator(recipe, dataset_for(asked.root, recipe))
    began = time.perf_counter()
    rescorer = rescorer_for(evaluator, network_predictor(net))
    ready = time.perf_counter() - began
    scores = ScoreExplorer(ScoreView(rescorer, evaluator.prepared, ScoreChoice.of(recipe.scoring)))
    queries = MemoryExplorer(MemoryView(net, evaluator.dataset("test")))
    rows = {f"scores: {name}": latency(scores.reset, *move, asked.moves) for name, move in score_moves(scores).items()}
    rows |= {f"memory: {name}": latency(queries.reset, *m, asked.moves) for name, m in memory_moves(queries).items()}
    print(f"{'milliseconds':<30}  median     95 %  median of processor time")
    for name, row in rows.items():
        print(f"{name:<30}{row['median_ms']:8.1f} {row['p95_ms']:8.1f} {row['median_cpu_ms']:8.1f}")
    slow = [name for name, row in rows.items() if row["p95_ms"] > 1000 * DEMAND]
    print(f"slower than {DEMAND} s at the 95th percentile: {', '.join(slow) or 'none'}")
    exact = largest_difference(rescorer, evaluator, recipe)
    print(f"largest relative difference of a score to pscd's: {exact:.1e}; ready after {ready:.0f} s")
    facts = {"weights": asked.weights, "frames": len(rescorer.clips), "size": list(rescorer.test.size)}
    measured = {"demand_ms": 1000 * DEMAND, "ready_seconds": round(ready, 1), "largest_relative_difference": exact}
    write_json(asked.json, facts | {"machine": machine()} | measured | {"moves": asked.moves, "rows": rows})


def score_moves(explorer: ScoreExplorer) -> Moves:
    """Every control of the score explorer, with the values that it is moved through."""
    own = explorer.start
    height, width = explorer.patch_height, explorer.patch_width
    return {
        "frame": (explorer.scrubber.frame, list(range(1, 119, 7))),
        "clip": (explorer.scrubber.clip, list(explorer.scrubber.clip.options)[::-1]),
        "psi": (explorer.psi, [k / 256 for k in range(0, 257, 8)]),
        "threshold": (explorer.threshold, list(np.linspace(1, 30, 23))),
        "patch height": (height, list(range(height.min, height.max + 1, 3))),
        "patch width": (width, list(range(width.min, width.max + 1, 3))),
        "stride down": (explorer.stride_down, [*range(explorer.stride_down.min, 12)]),
        "stride across": (explorer.stride_across, [*range(explorer.stride_across.min, 12)]),
        "finest stride, patch": (_Finest(explorer), list(range(own.patch[0], own.patch[0] + 20))),
        "protocol": (explorer.protocol, ["micro_per_clip", "macro", "micro"]),
        "back to the recipe": (_Back(explorer), [0, 1]),
    }


def memory_moves(explorer: MemoryExplorer) -> Moves:
    """Every control of the memory explorer."""
    rows, columns = explorer.view.grid
    return {
        "frame": (explorer.scrubber.frame, list(range(1, 119, 7))),
        "clip": (explorer.scrubber.clip, list(explorer.scrubber.clip.options)[::-1]),
        "row": (explorer.row, list(range(rows))),
        "column": (explorer.column, list(range(columns))),
        "temperature": (explorer.temperature, list(np.logspace(-2, 1, 25))),
        "lambda": (explorer.threshold, list(np.linspace(0, 10, 41))),
        "similarity": (explorer.similarity, ["released", "cosine"]),
        "items shown": (explorer.count, list(range(1, 13))),
    }


class _Finest:
    """The patch height moved while both strides stand at their finest: the most work that a slider can ask for."""

    def __init__(self, explorer: ScoreExplorer) -> None:
        self.explorer = explorer

    @property
    def value(self) -> int:
        return self.explorer.patch_height.value

    @value.setter
    def value(self, height: int) -> None:
        with self.explorer.quietly():
            self.explorer.quarter.value = False
            self.explorer.stride_down.value = self.explorer.stride_down.min
            self.explorer.stride_across.value = self.explorer.stride_across.min
        self.explorer.patch_height.value = height


class _Back:
    """The button, with a patch moved before it so that there is something to bring back."""

    def __init__(self, explorer: ScoreExplorer) -> None:
        self.explorer = explorer

    @property
    def value(self) -> None:
        return None

    @value.setter
    def value(self, _: int) -> None:
        with self.explorer.quietly():
            self.explorer.patch_height.value += 1
        self.explorer.back.click()


def latency(reset: Callable[[], None], control: Any, values: list[Any], moves: int) -> dict[str, float]:
    """Of so many moves of a control, in milliseconds: median and 95th percentile of the time that passes, and the
    median of the processor time, all threads together, which tells more on a busy machine. Two moves warm up."""
    reset()
    wall, cpu = [], []
    for value in itertools.islice(itertools.cycle(values), moves + 2):
        if value == control.value:
            continue  # nothing would move
        began, busy = time.perf_counter(), time.process_time()
        control.value = value
        wall.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - busy))
    reset()
    percentile = float(np.percentile(wall[2:], 95))
    found = {
        "median_ms": statistics.median(wall[2:]),
        "p95_ms": percentile,
        "median_cpu_ms": statistics.median(cpu[2:]),
    }
    return {name: round(value, 1) for name, value in found.items()}


def largest_difference(rescorer: Rescorer, evaluator: Evaluator, recipe: Any) -> float:
    """The largest |score / pscd's score - 1| over all frames, from the same errors."""
    choice = ScoreChoice.of(recipe.scoring)
    found, test, worst = rescorer.under(choice), rescorer.test, 0.0
    dataset = FrameFlowDataset(evaluator.prepared, "test", channels=recipe.data.channels)
    assert dataset.keys() == test.keys
    for index in range(len(test.keys)):
        errors = (torch.from_numpy(branch.error(index))[None] for branch in (test.appearance, test.motion))
        sums = (pscd.patch_sums(error, *choice.windows) for error in errors)
        worst = max(worst, abs(float(pscd.fuse(*sums, found.psi).max()) / float(found.scores[index]) - 1))
    return worst


if __name__ == "__main__":
    main()
