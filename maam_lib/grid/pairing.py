"""Which results of two variants, or more, may be compared: those of the same seeds."""

from collections.abc import Callable, Collection, Iterable

from maam_lib.evaluation import Result
from maam_lib.grid.results import BASE, Results

Measure = Callable[[Result], float | None]  # None where a result does not know it


def auc(result: Result) -> float:
    return result.auc


def auc_motion(result: Result) -> float:
    return result.auc_motion


def paired(results: Results, name: str, measure: Measure = auc, *, beside: str = BASE) -> list[float]:
    """A measure of one variant minus that of another, for each seed that has both."""
    others = {result.seed: measure(result) for result in results.get(beside, [])}
    both = [(measure(result), others.get(result.seed)) for result in results.get(name, [])]
    return [a - b for a, b in both if a is not None and b is not None]


def shared_seeds(results: Results, names: Iterable[str]) -> set[int]:
    """The seeds that all of the named variants have; variants that are not measured do not count."""
    seeds = [{r.seed for r in results[name]} for name in names if results.get(name)]
    return set.intersection(*seeds) if seeds else set()


def same_seeds(results: Results, names: Collection[str]) -> Results:
    """Of the variants named and measured, the seeds that all of them have, for rows to compare; all if they share none.

    Seeds move the AUC as much as variants do: a mean over three next to one over two would show the third seed.
    """
    shared = shared_seeds(results, names)
    found = {name: results[name] for name in names if results.get(name)}
    return {name: [r for r in seeds if r.seed in shared] or seeds for name, seeds in found.items()}
