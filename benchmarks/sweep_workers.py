"""Prints how much faster two workers of a sweep are than one: python -m benchmarks.sweep_workers, on an idle machine.

Each round sweeps the same cells with one worker and with two, each into an empty folder; the ratio is of wall time.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from maam_lib import dataset_for, load_recipe
from maam_lib.grid import sweep
from maam_lib.training import processor_name

CELLS = ["no-memory", "no-losses", "sparse-only", "latent-only", "zeta-0.05", "zeta-0.2", "beta-0.0005", "beta-2"]


def main() -> None:
    """Sweep in turn, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of prepared datasets")
    parser.add_argument("--recipe", default="synthetic-mini")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(asked.rounds):
        for workers, spent in seconds.items():
            spent.append(seconds_of_a_sweep(asked.recipe, asked.root, workers))
            print(f"{len(CELLS)} cells, {workers} worker(s): {spent[-1]:.0f} s", flush=True)
    ratio = statistics.median(one / two for one, two in zip(*seconds.values(), strict=True))
    print(f"two workers are {ratio:.2f} times as fast as one on {processor_name()}")
    if asked.json:
        found = {"recipe": asked.recipe, "cells": len(CELLS), "machine": processor_name(), "ratio": round(ratio, 2)}
        found["seconds"] = {str(workers): [round(s, 1) for s in spent] for workers, spent in seconds.items()}
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


def seconds_of_a_sweep(name: str, root: Path, workers: int) -> float:
    """Wall time of all cells, with results of nobody else, starting the workers included."""
    recipe = load_recipe(name, "training.epochs=1")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        sweep(
            recipe,
            dataset_for(root, recipe),
            Path(folder),
            parts=(),
            variants=CELLS,
            seeds=1,
            workers=workers,
            say=lambda line: None,
        )
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
