"""Timings that hold on any machine (ours): cases take turns, and only ratios inside a round are compared.

A busy machine slows all cases of a round alike, so the median of the rounds' ratios says more than any time does. The
yardstick is a matrix product of the same run: what processor and library reach at best in that number format.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from maam_lib.training import processor_name

ROUNDS = 7
LEAST_SECONDS = 0.15  # that a case is repeated for in a round
PRODUCT_SIDE = 1024  # of the matrices of the yardstick: 12 MB, as a layer's operands
MOST_LETTERS = 200  # of why a case failed
Work = Callable[[], object]


@dataclass(frozen=True)
class Timings:
    """Seconds per call of every case, one value a round; and of every case that failed, why."""

    seconds: dict[str, list[float]]
    failed: dict[str, str] = field(default_factory=dict)

    def median(self, case: str) -> float:
        return statistics.median(self.seconds[case])

    def spread(self, case: str) -> float:
        """Half the range between the quartiles, relative to the median."""
        low, _, high = statistics.quantiles(self.seconds[case], n=4) if len(self.seconds[case]) > 1 else (0, 0, 0)
        return (high - low) / 2 / self.median(case)

    def speedup(self, case: str, base: str) -> float:
        """How many times as fast a case is as the base: the median of the rounds' ratios; 0 where either failed."""
        if {case, base} & self.failed.keys():
            return 0.0
        return statistics.median(b / c for c, b in zip(self.seconds[case], self.seconds[base], strict=True))


@dataclass(frozen=True)
class Demand:
    """Something that a measurement must show, and whether it does."""

    what: str
    at_least: float
    found: float
    unit: str = "times"
    needs: str = ""  # what this machine lacks for it, where it lacks something

    @property
    def is_met(self) -> bool:
        return self.found >= self.at_least

    def __str__(self) -> str:
        verdict = "met" if self.is_met else "NOT met" + (f" (needs {self.needs})" if self.needs else "")
        return f"{self.what}: at least {self.at_least:g} {self.unit}, found {self.found:.3g}: {verdict}"


@dataclass
class Group:
    """What one group of cases found: rows for the table and for JSON, and the demands held against them."""

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """The cases that failed, and why."""
        return [f"{self.name}, {row['case']}: {row['failed']}" for row in self.rows if "failed" in row]

    def to_dict(self) -> dict[str, Any]:
        demands = [
            {"what": d.what, "at_least": d.at_least, "unit": d.unit, "found": round(d.found, 3), "met": d.is_met}
            | ({"needs": d.needs} if d.needs else {})
            for d in self.demands
        ]
        return {"group": self.name, "machine": machine(), "rows": self.rows, "demands": demands, "notes": self.notes}

    def __str__(self) -> str:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        cells = [columns, *([_shown(row.get(column)) for column in columns] for row in self.rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
        lines = ["  ".join(_aligned(line, widths)) for line in cells]
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([f"== {self.name}", *lines, *map(str, self.demands), *notes])


def interleaved(cases: Mapping[str, Work], *, rounds: int = ROUNDS, least_seconds: float = LEAST_SECONDS) -> Timings:
    """Time every case once a round, after one round that warms up; every other round in the opposite order.

    A case is repeated within a round until it has taken `least_seconds`. A case must return only when its work is done:
    on CUDA, wrap it in `waiting`. A case that raises an error is left out from then on, and the others go on.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    failed: dict[str, str] = {}
    repeats: dict[str, int] = {}

    def measure(name: str) -> None:
        if name not in repeats:
            repeats[name] = _repeats(cases[name], least_seconds)
            return
        began = time.perf_counter()
        for _ in range(repeats[name]):
            cases[name]()
        seconds[name].append((time.perf_counter() - began) / repeats[name])

    for turn in range(rounds + 1):  # the first warms up
        for name in [n for n in list(cases)[:: -1 if turn and turn % 2 == 0 else 1] if n not in failed]:
            try:
                measure(name)
            except Exception as error:  # whatever a case raises is its result
                failed[name] = in_one_line(error)
                del seconds[name]
    return Timings(seconds, failed)


def waiting(work: Work, device: torch.device) -> Work:
    """The same work, which returns when the device has done it."""
    if device.type != "cuda":
        return work

    def and_wait() -> None:
        work()
        torch.cuda.synchronize(device)

    return and_wait


def matrix_product(dtype: torch.dtype, device: torch.device) -> tuple[Work, float]:
    """The yardstick: a product of square matrices in a number format, and its GFLOP (1 multiply-add = 2)."""
    side = PRODUCT_SIDE if device.type == "cpu" else 8 * PRODUCT_SIDE
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(side, side, generator=generator).to(device, dtype) for _ in range(2))
    out = torch.empty_like(left)
    return waiting(lambda: torch.mm(left, right, out=out), device), 2 * side**3 / 1e9


def machine() -> dict[str, Any]:
    """What the numbers were made on; the load average says how busy it was with other work."""
    return {
        "processor": processor_name(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def rows_of(
    timings: Timings,
    base: str,
    *,
    limits: Mapping[str, str] | None = None,
    gflop: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """One row per case: median, spread, speed against the base, and share of the matrix-product limit.

    A case that failed has a row that says why; what is taken relative to it is 0.
    limits: which yardstick case a case is held against; gflop: work of every case, yardsticks included.
    """
    limits, gflop = limits or {}, gflop or {}
    rows = []
    for case in timings.seconds:
        row: dict[str, Any] = {"case": case, "ms": 1000 * timings.median(case), "spread": timings.spread(case)}
        row["speed"] = timings.speedup(case, base)
        if case in gflop:
            row["gflop_per_second"] = gflop[case] / timings.median(case)
        if case in limits:
            yardstick = limits[case]
            row["share_of_limit"] = timings.speedup(case, yardstick) * gflop[case] / gflop[yardstick]
        rows.append({key: value if isinstance(value, str) else float(f"{value:.4g}") for key, value in row.items()})
    return rows + [{"case": case, "failed": why} for case, why in timings.failed.items()]


def select(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """The groups asked for, all where none is named; raises ValueError for an unknown one."""
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no benchmark {unknown[0]!r}; there are {', '.join(known)}")
    return list(wanted) or list(known)


def _repeats(work: Work, least_seconds: float) -> int:
    """Calls that take `least_seconds`, from the second call: the first warms up, and is enough where it is slow."""
    for _ in range(2):
        began = time.perf_counter()
        work()
        seconds = max(time.perf_counter() - began, 1e-7)
        if seconds > 10 * least_seconds:
            return 1
    return max(1, round(least_seconds / seconds))


def in_one_line(error: Exception) -> str:
    """Why a case failed, short enough for a table."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:MOST_LETTERS]}{'...' if len(words) > MOST_LETTERS else ''}"


def _shown(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.4g}"


def _aligned(line: list[str], widths: list[int]) -> list[str]:
    """The first cell to the left, numbers to the right."""
    pairs = zip(line, widths, strict=True)
    return [cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(pairs)]
