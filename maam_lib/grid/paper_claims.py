"""The claims of the paper, each with its place, the rule it is judged by, and what would decide it (rules are ours).

Printed numbers come from `reports/paper_values.yaml`, measured ones from results.
"""

import json
import math

import numpy as np

from maam_lib.evaluation import Result, seed_interval, seed_spread
from maam_lib.grid.cost import multiply_adds
from maam_lib.grid.experiments import FAR_BETA, GridResults, figure6_variants
from maam_lib.grid.judging import WORTH_NOTING, Claim, Finding, Judge, State, all_of, gain, is_full_size, said, steady
from maam_lib.grid.numbers import number
from maam_lib.grid.pairing import Measure, paired, shared_seeds
from maam_lib.grid.results import BASE, REPORTS, paper_values
from maam_lib.grid.tables import support_changes
from maam_lib.training import build_network

PEERS = REPORTS.parent / "benchmarks" / "results" / "bench_peers.json"  # `maam bench peers`
AS_PRINTED = 0.01  # AUC: a reproduced number may differ from the printed one by so much
STEADY = 0.01  # AUC: over a knob that the paper calls insensitive
COUNTED_ON = (32, 48)  # pixels of the frame that the memory's work is counted on
HALF_THE_FALL = 0.5  # of the smallest printed fall of support items
DATASETS = tuple(paper_values()["table2"]["columns"])
GAIN_RULE = (
    "differences of the same seeds: holds where their 95 % interval over seeds lies above 0, does not hold where it "
    f"leaves no room for a gain of {WORTH_NOTING} AUC"
)
FULL_SIZE = "`maam sweep {recipe}` for ped2, avenue and shanghaitech on a GPU, three seeds or more"
MORE_SEEDS = "more seeds: `maam sweep RECIPE --seeds 5`; at full size on a GPU"


def claims() -> list[Claim]:
    """All claims, in the order of the paper."""
    return [*_of_the_idea(), *_of_the_results(), *_of_the_ablations(), *_of_the_cost(), *_of_the_places()]


# The parts of the paper


def _of_the_idea() -> list[Claim]:
    return [
        Claim(
            "reintegration", "The memory puts normal events together again and destroys abnormal ones: their "
            "reintegration error is higher.", "Sec. 1, end of Sec. 3.2.2",
            "how well the angle between query and read-out tells abnormal places from normal ones where something "
            "moves, as an AUC less 0.5: holds where its 95 % interval over seeds lies above 0, does not where it "
            f"leaves no room for {WORTH_NOTING}",
            MORE_SEEDS, _single(_above_chance, "AUC of places less 0.5"),
            differences=(11,),
        ),
        Claim(
            "pscd", "The worst patch of a frame tells abnormal frames better than the error of the whole frame.",
            "Sec. 3.4, Fig. 4",
            f"PSCD's AUC less that of the mean error of the frame, psi calibrated alike; {GAIN_RULE}", MORE_SEEDS,
            _single(_patch_gain, "AUC gained by patches"),
            differences=(19, 20, 22),
        ),
    ]  # fmt: skip


def _of_the_results() -> list[Claim]:
    table2, table3 = paper_values()["table2"]["rows"], paper_values()["table3"]["rows"]
    ours, without = table2["Ours"], table2["Ours (w/o memory)"]
    gains = [f"{float(a) - float(b):.3f}" for a, b in zip(ours, without, strict=True)]
    return [
        Claim(
            "auc", "Frame AUC on the three benchmarks.", "Table 2",
            f"mean over seeds of the full-size recipe within {AS_PRINTED} of the printed number; smaller recipes "
            "cannot decide it", FULL_SIZE.format(recipe="RECIPE --part table2"), _as_printed, paper=_in_words(ours),
            differences=(12, 17, 21, 22, 26),
        ),
        Claim(
            "best", "Best of all methods on Ped2 and Avenue.", "Sec. 4.4, Table 2",
            "cannot be judged: quoted rows were measured under other protocols (most bring each clip to [0, 1] first), "
            "with other psi, on single runs",
            "all methods run under one protocol", _nobody, paper=_against_others(), differences=(22, 25),
        ),
        Claim(
            "eer", "The equal error rate on Ped2 is 0.3 % lower than that of NM-GAN.", "Sec. 4.4.1",
            "arithmetic on the printed numbers", "nothing more is needed", _printed_eer,
            paper=f"ours {table3['Ours'][0]}, NM-GAN {table3['NM-GAN [16]'][0]}; lower is better", differences=(23, 25),
        ),
        Claim(
            "memory", "The memory raises the AUC.", "Table 2", f"with memory less without; {GAIN_RULE}", MORE_SEEDS,
            _pairs([("with less without memory", BASE, "no-memory")]), paper=_in_words(gains, sign="+"),
            differences=(1, 11, 12),
        ),
    ]  # fmt: skip


def _of_the_ablations() -> list[Claim]:
    table5, sixth = paper_values()["table5"]["rows"], paper_values()["figure6"]
    fused = {losses: [row[dataset][2] for dataset in DATASETS] for losses, row in table5.items()}
    by_loss = {losses: [float(a) - float(b) for a, b in zip(row, fused["none"], strict=True)] for losses, row in
               fused.items()}  # fmt: skip
    swings = "; ".join(
        f"{dataset} {np.ptp([float(v) for v in sixth[knob][dataset]]):.3f} over {knob}"
        for knob in ("zeta", "beta") for dataset in ("ped2", "avenue")
    )  # fmt: skip
    return [
        Claim(
            "fusion", "Both branches together are better than either.", "Sec. 4.6.1, Table 5",
            f"the fused AUC less that of each branch trained alone; both must hold; {GAIN_RULE}", MORE_SEEDS,
            _pairs([("fused less appearance", BASE, f"{BASE}-appearance"),
                    ("fused less motion", BASE, f"{BASE}-motion")]),
            paper="; ".join(f"{d} {' / '.join(table5['sparse and latent'][d])}" for d in DATASETS)
            + " (appearance / motion / fused)",
        ),
        Claim(
            "motion", "Motion matters more than appearance.", "Sec. 4.6.1, Table 5",
            f"motion trained alone less appearance trained alone; {GAIN_RULE}", MORE_SEEDS,
            _pairs([("motion less appearance", f"{BASE}-motion", f"{BASE}-appearance")]),
        ),
        Claim(
            "losses", "Each loss of the memory helps, and both together help most.", "Sec. 4.6.2, Table 5",
            f"AUC with the sparse loss, with the latent loss and with both, less that with neither; all must hold; "
            f"{GAIN_RULE}", MORE_SEEDS,
            _pairs([("sparse", "sparse-only", "no-losses"), ("latent", "latent-only", "no-losses"),
                    ("both", BASE, "no-losses")]),
            paper="; ".join(f"{losses} {_in_words([f'{x:+.3f}' for x in row])}"
                            for losses, row in by_loss.items() if losses != "none")
            + ": the paper's own table does not hold on every dataset", differences=(9, 10, 11, 12),
        ),
        Claim(
            "beta", "The AUC hardly depends on the weight of the latent loss, below 1.", "Sec. 4.6.4, Fig. 6(a)",
            f"mean AUCs over the plotted values of beta differ by {STEADY} at most; does not hold where they differ by "
            "more than that and the spread over seeds together", MORE_SEEDS, _steady("beta"), paper=swings,
            differences=(11, 12),
        ),
        Claim(
            "zeta", "The AUC hardly depends on the margin of the latent loss.", "Sec. 4.6.4, Fig. 6(b)",
            f"as for beta, over the plotted values of zeta, {STEADY}", MORE_SEEDS, _steady("zeta"), paper=swings,
            differences=(10, 11),
        ),
    ]  # fmt: skip


def _of_the_cost() -> list[Claim]:
    falls = paper_values()["figure5"]["latent_fall_percent"]
    fps = {name: row[1:] for name, row in paper_values()["table4"]["rows"].items()}
    return [
        Claim(
            "latent-items", "The latent loss lowers the number of support items.", "Sec. 4.6.3, Fig. 5",
            f"relative fall against neither loss, same seeds: holds where its 95 % interval lies above "
            f"{HALF_THE_FALL:g} of the smallest printed fall, does not where it lies below", MORE_SEEDS,
            _fall("latent-only", "no-losses", HALF_THE_FALL * min(map(float, falls)) / 100),
            paper=_in_words([f"{fall} %" for fall in falls]), differences=(1, 10, 11),
        ),
        Claim(
            "sparse-items", "With the sparse loss beside it, the support items fall further.", "Sec. 4.6.3, Fig. 5",
            "relative fall of both losses against the latent loss alone, same seeds: holds where its 95 % interval "
            "lies above 1 %, does not where it lies below", MORE_SEEDS, _fall(BASE, "latent-only", 0.01),
            differences=(1, 9),
        ),
        Claim(
            "items-speed", "Fewer support items make inference faster.", "Sec. 3.3.2, 4.5, 4.6.3",
            "multiply-adds of the memory, counted with few and with many support items: holds where few cost less",
            "nothing more is needed: the products with the memory are dense", _dense, differences=(3,),
        ),
        Claim(
            "speed", "Faster than Liu et al., MemAE and AMMC-Net.", "Sec. 4.5, Table 4",
            "frames per second of wall time (clips of MemAE), networks alone, on one machine in one number format: "
            "holds where ours is ahead of each", "AMMC-Net on the same machine: `maam bench peers` has the other two",
            _speed, paper="; ".join(f"{name} {' / '.join(row)}" for name, row in fps.items()) + " frames/s",
            differences=(23,),
        ),
    ]  # fmt: skip


def _of_the_places() -> list[Claim]:
    return [
        Claim(
            "places", "Abnormal regions are located without bounding boxes.", "Sec. 4.7.2, Fig. 8",
            f"AUC over pixels less that of the best no-learning row; {GAIN_RULE}", MORE_SEEDS,
            _single(_pixel_gain, "pixel AUC less the best no-learning one"), differences=(24,),
        ),
        Claim(
            "patch-size", "One patch size costs AUC where people's size varies, as in ShanghaiTech's scenes.",
            "Sec. 4.4.3", "AUC with a patch for each scene less that with one patch for all; " + GAIN_RULE,
            "the official ShanghaiTech videos, a training of `shanghaitech`, and patches measured per scene", _nobody,
            differences=(19,),
        ),
    ]  # fmt: skip


# Judges


def _pairs(comparisons: list[tuple[str, str, str]]) -> Judge:
    """Gains of some variants over others; all must hold."""

    def judge(grid: GridResults) -> Finding | None:
        gaps = {words: paired(grid.results, first, beside=second) for words, first, second in comparisons}
        measured = {words: values for words, values in gaps.items() if values}
        if not measured:
            return None
        states = [gain(values) for values in gaps.values()]
        variants = tuple(dict.fromkeys(name for _, *names in comparisons for name in names if name in grid.results))
        return Finding(all_of(states), "; ".join(f"{words} {said(v)}" for words, v in measured.items()), variants)

    return judge


def _single(measure: Measure, words: str) -> Judge:
    """A gain that each result of the recipe as it is holds by itself."""

    def judge(grid: GridResults) -> Finding | None:
        values = [value for result in grid.results.get(BASE, []) if (value := measure(result)) is not None]
        return Finding(gain(values), f"{words}: {said(values)}", (BASE,)) if values else None

    return judge


def _steady(knob: str) -> Judge:
    """How much the mean AUC moves over the plotted values of a knob of Fig. 6."""

    def judge(grid: GridResults) -> Finding | None:
        variants = [name for value, name in figure6_variants(knob).items() if value != FAR_BETA]
        if not all(grid.results.get(name) for name in variants):
            return None
        seeds = shared_seeds(grid.results, variants)
        if not seeds:
            return None
        means = [seed_spread([r.auc for r in grid.results[name] if r.seed in seeds])[0] for name in variants]
        spread = 2 * seed_spread([r.auc for r in grid.results[BASE]])[1]
        if len(grid.results[BASE]) < 2:
            spread = float("inf")
        words = f"mean AUC {min(means):.3f} to {max(means):.3f} ({len(seeds)} seeds); spread over seeds {spread:.3f}"
        return Finding(steady(means, spread, STEADY), words, tuple(variants))

    return judge


def _fall(name: str, beside: str, least: float) -> Judge:
    """The relative fall of support items from one variant to another."""

    def judge(grid: GridResults) -> Finding | None:
        falls = [-change for change in support_changes(grid.results, name, beside)]
        if not falls:
            return None
        words = f"falls by {said([100 * fall for fall in falls], digits=1, unit=' %')}"
        if len(falls) < 2:
            return Finding(State.OPEN, words, (name, beside))
        low, high = seed_interval(falls)
        state = State.HOLDS if low > least else State.FAILS if high < least else State.OPEN
        return Finding(state, words, (name, beside))

    return judge


def _as_printed(grid: GridResults) -> Finding | None:
    results, table = grid.results.get(BASE, []), paper_values()["table2"]
    if not results or grid.recipe.data.dataset not in table["columns"]:
        return None
    printed = float(table["rows"]["Ours"][table["columns"].index(grid.recipe.data.dataset)])
    aucs = [result.auc for result in results]
    best = max(row.auc for row in results[0].no_learning.values())
    words = f"{number(aucs)} (seeds: {len(aucs)}), printed {printed:.3f}; no learning reaches {best:.3f}"
    if not is_full_size(grid):
        return Finding(State.OPEN, f"{words}; another size than the paper's", (BASE,))
    return Finding(State.HOLDS if abs(np.mean(aucs) - printed) <= AS_PRINTED else State.FAILS, words, (BASE,))


def _printed_eer(grid: GridResults) -> Finding | None:
    """Judged once, on the paper's numbers, whatever was measured."""
    if grid.recipe.name != "ped2":
        return None
    rows = paper_values()["table3"]["rows"]
    ours, other = float(rows["Ours"][0]), float(rows["NM-GAN [16]"][0])
    words = f"{ours} % is {ours - other:+.1f} points against {other} %"
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


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _above_chance(result: Result) -> float | None:
    return _less(result.memory.reintegration_auc, 0.5) if result.memory else None


def _patch_gain(result: Result) -> float | None:
    return result.auc - result.whole_frame.auc if result.whole_frame else None


def _pixel_gain(result: Result) -> float | None:
    places = result.localisation
    return _less(places.pixel_auc, places.no_learning.pixel_auc) if places else None


def _in_words(values: list[str], sign: str = "") -> str:
    return ", ".join(f"{dataset} {sign}{value}" for dataset, value in zip(DATASETS, values, strict=True))


def _against_others() -> str:
    """The printed rank of the paper's row per dataset."""
    rows, said = paper_values()["table2"]["rows"], []
    for column, dataset in enumerate(DATASETS):
        values = {name: float(row[column]) for name, row in rows.items() if row[column] != "–"}
        rank = sorted(values, key=values.__getitem__, reverse=True).index("Ours") + 1
        said.append(f"{dataset} {rank}. of {len(values)}")
    return "printed: " + ", ".join(said)
