"""The claims of the paper: their texts from claims.yaml, the paper's numbers, and what judges each (rules are ours).

Printed numbers come from `reports/paper_values.yaml`, measured ones from results.
"""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import yaml

from maam_lib.evaluation import Result, seed_spread
from maam_lib.grid.cost import multiply_adds
from maam_lib.grid.experiments import FAR_BETA, GridResults, figure6_variants
from maam_lib.grid.judging import (
    LEAST_SEEDS,
    WORTH_NOTING,
    Claim,
    Finding,
    Judge,
    State,
    all_of,
    gain,
    is_full_size,
    said,
    steady,
)
from maam_lib.grid.numbers import Measure, interval, number, paired, shared_seeds
from maam_lib.grid.power import gain_outlook, joint_outlook, steady_outlook
from maam_lib.grid.printed import printed_auc, printed_numbers
from maam_lib.grid.results import BASE, REPORTS, paper_values
from maam_lib.grid.scene_patches import ONE_PATCH, PER_SCENE
from maam_lib.grid.tables import support_changes
from maam_lib.training import build_network

PEERS = REPORTS.parent / "benchmarks" / "results" / "bench_peers.json"  # `maam bench peers`
AS_PRINTED = 0.01  # AUC: a reproduced number may differ from the printed one by so much
STEADY = 0.01  # AUC: over a knob that the paper calls insensitive
COUNTED_ON = (32, 48)  # pixels of the frame that the memory's work is counted on
HALF_THE_FALL = 0.5  # of the smallest printed fall of support items
FILLED_IN = {  # into claims.yaml
    "least": str(LEAST_SEEDS),
    "gain": f"differences of the same seeds, {LEAST_SEEDS} or more: holds if their 95 % interval over seeds lies above "
    f"0, does not hold if it ends below {WORTH_NOTING}",
    "more_seeds": "the paper's size on a GPU, with more seeds (docs/full_size.md)",
    "worth": str(WORTH_NOTING),
    "as_printed": str(AS_PRINTED),
    "steady": str(STEADY),
    "half": str(HALF_THE_FALL),
}


def claims() -> list[Claim]:
    """All claims of the paper, in its order."""
    return [claim for claim in _every_claim() if not claim.ours]


def questions() -> list[Claim]:
    """What the kit asks beside them: no claims of the paper, judged by rules of the same kind."""
    return [claim for claim in _every_claim() if claim.ours]


def _every_claim() -> list[Claim]:
    texts = yaml.safe_load(Path(__file__).with_name("claims.yaml").read_text(encoding="utf-8"))
    judges, numbers, made = _judges(), printed_numbers(), []
    for text in texts:
        filled = {key: text[key].format_map(FILLED_IN) for key in ("rule", "decide")}
        made.append(Claim(**text | filled, judge=judges[text["name"]], paper=numbers.get(text["name"], "")))
    return made


def _judges() -> dict[str, Judge]:
    falls = paper_values()["figure5"]["latent_fall_percent"]
    neither = "no-losses"
    return {
        "reintegration": partial(_single, _above_chance, "AUC of places minus 0.5"),
        "pscd": partial(_single, _patch_gain, "AUC gained by patches"),
        "auc": _as_printed,
        "best": _nobody,
        "eer": _printed_eer,
        "memory": partial(_pairs, {"with memory minus without": (BASE, "no-memory")}),
        "fusion": partial(_pairs, {f"fused minus {one}": (BASE, f"{BASE}-{one}") for one in ("appearance", "motion")}),
        "motion": partial(_pairs, {"motion minus appearance": (f"{BASE}-motion", f"{BASE}-appearance")}),
        "losses": partial(
            _pairs,
            {"sparse": ("sparse-only", neither), "latent": ("latent-only", neither), "both": (BASE, neither)}
            | {f"both minus {one}": (BASE, f"{one}-only") for one in ("sparse", "latent")},
        ),
        "beta": partial(_steady, "beta"),
        "zeta": partial(_steady, "zeta"),
        "latent-items": partial(_fall, "latent-only", neither, HALF_THE_FALL * min(map(float, falls)) / 100),
        "sparse-items": partial(_fall, BASE, "latent-only", 0.01),
        "items-speed": _dense,
        "speed": _speed,
        "places": _places,
        "patch-size": partial(_single, _patch_per_scene, "AUC with a patch for each scene minus with one for all"),
        "learning": partial(_learning, BASE),
        "learning-speed": partial(_learning, "speed"),
    }


# Judges


def _pairs(comparisons: dict[str, tuple[str, str]], grid: GridResults) -> Finding | None:
    """Gains of some variants over others, words -> (variant, other); all must hold."""
    gaps = {words: paired(grid.results, first, beside=second) for words, (first, second) in comparisons.items()}
    measured = {words: values for words, values in gaps.items() if values}
    if not measured:
        return None
    states = [gain(values) for values in gaps.values()]
    variants = tuple(dict.fromkeys(name for pair in comparisons.values() for name in pair if name in grid.results))
    outlook = joint_outlook([gain_outlook(gaps[words], pair) for words, pair in comparisons.items()])
    return Finding(all_of(states), "; ".join(f"{words} {said(v)}" for words, v in measured.items()), variants, outlook)


def _single(measure: Measure, words: str, grid: GridResults) -> Finding | None:
    """A gain that each result of the recipe as it is holds by itself."""
    values = [value for result in grid.results.get(BASE, []) if (value := measure(result)) is not None]
    if not values:
        return None
    return Finding(gain(values), f"{words}: {said(values)}", (BASE,), gain_outlook(values, (BASE,)))


def _places(grid: GridResults) -> Finding | None:
    """How well the patch sums tell abnormal pixels from normal ones, against chance; no learning is named beside it."""
    places = [places for result in grid.results.get(BASE, []) if (places := result.localisation) is not None]
    above_chance = [of.pixel_auc - 0.5 for of in places if of.pixel_auc is not None]
    if not above_chance:
        return None
    words = f"AUC over pixels minus 0.5: {said(above_chance, most=0.5)}"
    others = []
    for what, measure in {"pixels": "pixel_auc", "40 % criterion": "pixel_auc_ucsd", "RBDC": "rbdc"}.items():
        both = [(getattr(of, measure), getattr(of.no_learning, measure)) for of in places]
        if known := [pair for pair in both if None not in pair]:
            ours, without = np.mean(known, axis=0)
            others.append(f"{what} {ours:.3f} ({without:.3f})")
    words += f"; in brackets the row without learning that is best by frame: {', '.join(others)}" if others else ""
    return Finding(gain(above_chance), words, (BASE,), gain_outlook(above_chance, (BASE,)))


def _steady(knob: str, grid: GridResults) -> Finding | None:
    """How much the mean AUC moves over the plotted values of a knob of Fig. 6."""
    variants = [name for value, name in figure6_variants(knob).items() if value != FAR_BETA]
    seeds = shared_seeds(grid.results, variants)
    if not all(grid.results.get(name) for name in variants) or not seeds:
        return None
    aucs = np.array([[r.auc for r in grid.results[name] if r.seed in seeds] for name in variants])
    means = [seed_spread(of_value)[0] for of_value in aucs.tolist()]
    own = [r.auc for r in grid.results[BASE]]
    spread = 2 * seed_spread(own)[1] if len(own) > 1 else math.inf
    of, known = "one seed" if len(seeds) < 2 else f"{len(seeds)} seeds", f"{spread:.3f}" if len(own) > 1 else "unknown"
    words = f"mean AUC {min(means):.3f} to {max(means):.3f} ({of}); spread over seeds {known}"
    state, outlook = steady(means, spread, STEADY, len(seeds)), steady_outlook(aucs, tuple(variants), STEADY)
    return Finding(state, words, tuple(variants), outlook)


def _fall(name: str, beside: str, least: float, grid: GridResults) -> Finding | None:
    """The relative fall of support items from one variant to another."""
    falls = [-change for change in support_changes(grid.results, name, beside)]
    if not falls:
        return None
    words = f"falls by {said([100 * fall for fall in falls], digits=1, unit=' %')}"
    state, outlook = gain(falls, least, least), gain_outlook(falls, (name, beside), least, least)
    return Finding(state, words, (name, beside), outlook)


def _as_printed(grid: GridResults) -> Finding | None:
    results, printed = grid.results.get(BASE, []), printed_auc(grid)
    if not results or printed is None:
        return None
    aucs = [result.auc for result in results]
    words = f"{number(aucs)} (seeds: {len(aucs)}), printed {printed:.3f}; {_yardstick(grid, results[0])}"
    if not is_full_size(grid):
        return Finding(State.OPEN, f"{words}; not the paper's size", (BASE,))
    if len(aucs) < LEAST_SEEDS:
        return Finding(State.OPEN, words, (BASE,))
    return Finding(State.HOLDS if abs(np.mean(aucs) - printed) <= AS_PRINTED else State.FAILS, words, (BASE,))


def _yardstick(grid: GridResults, result: Result) -> str:
    """The best row without learning, its interval over the test clips, and whether the printed AUC lies in it."""
    printed = printed_auc(grid)
    if grid.no_learning is None:
        return f"no learning reaches {max(row.auc for row in result.no_learning.values()):.3f}"
    name, row = max(grid.no_learning.rows.items(), key=lambda item: item[1].micro.auc or 0)
    reached = f"no learning ({name.replace('_', ' ')}) reaches {row.micro.auc:.3f}"
    if row.micro.auc_interval is None:
        return reached
    low, high = row.micro.auc_interval
    clips = f"{row.protocols['macro_padded'].clips} test clips" if "macro_padded" in row.protocols else "test clips"
    reached += f" {interval((low, high))} over the {clips}"
    if printed is None or not low <= printed <= high:
        return reached
    return f"{reached}, so these clips cannot tell it from the printed {printed:.3f}"


def _learning(variant: str, grid: GridResults) -> Finding | None:
    """Whether the AUC minus that of the best row without learning excludes 0 over the test clips, seed by seed."""
    micro = {result.seed: result.protocols.get("micro") for result in grid.results.get(variant, [])}
    gains = {seed: of.learning_adds_interval for seed, of in micro.items() if of and of.learning_adds_interval}
    if not gains:
        return None
    words = ", ".join(f"seed {seed} {interval(bounds, '+.3f')}" for seed, bounds in gains.items())
    states = [
        State.HOLDS if low > 0 else State.FAILS if high < WORTH_NOTING else State.OPEN for low, high in gains.values()
    ]
    row = _yardstick(grid, grid.results[variant][0])
    state = all_of(states) if len(states) >= LEAST_SEEDS else State.OPEN
    return Finding(state, f"AUC minus no learning's over the test clips: {words}; {row}", (variant,))


def _printed_eer(grid: GridResults) -> Finding | None:
    """Judged once, on the paper's numbers, whatever was measured."""
    if grid.recipe.name != "ped2":
        return None
    rows = paper_values()["table3"]["rows"]
    ours, other = float(rows["Ours"][0]), float(rows["NM-GAN [16]"][0])
    words = f"{ours} % minus {other} % is {ours - other:+.1f} points"
    return Finding(State.HOLDS if ours < other else State.FAILS, words)


def _dense(grid: GridResults) -> Finding | None:
    """Counted anew in the paper's networks, on a small frame: the memory's work with many and with few answers."""
    if not is_full_size(grid):
        return None
    net = build_network(grid.recipe).eval()
    net.temperature = 1.0
    many = multiply_adds(net, COUNTED_ON).memory
    net.temperature = 0.1
    few = multiply_adds(net, COUNTED_ON).memory
    height, width = COUNTED_ON
    words = f"{many:,} multiply-adds of the memory on {height}x{width} pixels with many support items, {few:,} with few"
    return Finding(State.HOLDS if few < many else State.FAILS, words)


def _speed(grid: GridResults) -> Finding | None:
    """From the benchmark kept with the kit; of the paper's rivals it lacks AMMC-Net, so it can refute, not confirm."""
    if grid.recipe.name != "ped2" or not PEERS.is_file():
        return None
    measured = json.loads(PEERS.read_text(encoding="utf-8"))
    milliseconds: dict[str, float] = {}
    for row in measured["rows"]:
        name = row["case"].split(",")[0]
        milliseconds[name] = min(row["ms"], milliseconds.get(name, math.inf))  # each at its faster memory format
    ours = milliseconds.pop("ours")
    times = {name: spent / ours for name, spent in milliseconds.items()}
    words = ", ".join(f"{name} takes {factor:.1f} times as long" for name, factor in times.items())
    state = State.OPEN if min(times.values()) > 1 else State.FAILS
    return Finding(state, f"{words}; {measured['machine']['processor']}, float32, one thread; AMMC-Net not measured")


def _nobody(grid: GridResults) -> None:
    """A claim that no result of a recipe bears on."""


# What judges read


def _above_chance(result: Result) -> float | None:
    found = result.memory and result.memory.reintegration_auc
    return None if found is None else found - 0.5


def _patch_gain(result: Result) -> float | None:
    return result.auc - result.whole_frame.auc if result.whole_frame else None


def _patch_per_scene(result: Result) -> float | None:
    one, each = (result.scoring.get(name) for name in (ONE_PATCH, PER_SCENE))
    return each.auc - one.auc if one and each else None
