"""The first page of the report: summary, claims, tables and figures in the paper's order, what is missing."""

import html
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pandas as pd

from data_prep import __version__
from maam_lib.config import differences, load_recipe, recipe_names
from maam_lib.grid import (
    BASE,
    PARTS,
    GridResults,
    Results,
    State,
    Verdict,
    ending_of,
    is_full_size,
    is_generated,
    sizes_table,
    summary,
    tables,
)
from maam_lib.report import tables as paper_tables
from maam_lib.report.collection import ALWAYS
from maam_lib.report.figures import epoch_section, figure_section
from maam_lib.report.html import absent_html, card
from maam_lib.report.site import Site
from maam_lib.training import environment_facts

LAST = {
    "epochs": "Epochs: what learning motion does to the AUC",
    "complete": "What there is, what is missing",
    "protocol": "Protocol",
    "machines": "Seeds, machines, versions",
}
SIZES_SAY = "AUC less that of the recipe as it is, same seeds [95 %] (seeds)"
PACKAGES = (
    "torch",
    "lightning-fabric",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "scikit-learn",
)  # named on the page
NAMES = {  # in the paper's order
    "figure1": "Figure 1: detections", "figure4": "Figure 4: why patches", "table2": "Table 2: frame AUC",
    "table3": "Table 3: equal error rate", "table4": "Table 4: size and speed", "figure7": "Figure 7: scores over time",
    "figure8": "Figure 8: where it is", "table5": "Table 5: losses and branches", "figure9": "Figure 9: failures",
    "figure5": "Figure 5: support items", "figure6": "Figure 6: beta and zeta",
}  # fmt: skip


# The first page


def first_page(site: Site, verdicts: list[Verdict]) -> str:
    parts = [
        _head(site, verdicts),
        _contents(),
        _claims(site, verdicts),
        "<h2 id='paper'>The paper, in its own order</h2>",
    ]
    for name in NAMES:
        parts.append(f'<h2 id="{name}">{NAMES[name]}</h2>')
        if name.startswith("figure"):
            parts.append(figure_section(name, site.found, site.root))
        if name in _MAKERS:
            parts.append(_MAKERS[name](site))
    parts.append(f'<h2 id="epochs">{LAST["epochs"]}</h2>{epoch_section(site.found)}')
    return "".join([*parts, _what_there_is(site)])


def _head(site: Site, verdicts: list[Verdict]) -> str:
    counts = Counter(v.state for v in verdicts)
    sums = "".join(f"<li><strong>{counts[state]}</strong> {state}</li>" for state in State)
    measured = [grid for grid in site.found.grids if grid.results.get(BASE)]
    real = [grid for grid in measured if not is_generated(grid)]
    full = [grid.recipe.name for grid in real if is_full_size(grid)]
    smaller = ", ".join(grid.recipe.name for grid in real) or "nothing"
    said = (
        f"Measured at the paper's size: {', '.join(full)}."
        if full
        else "Nothing is measured at the paper's size yet: that needs a GPU. What is measured on the paper's data is "
        f"smaller, and says so: {smaller}."
    )
    rows = summary((grid.recipe.name, grid.results[BASE]) for grid in measured)
    return (
        "<h1>MAAM-Net: the paper's tables and claims, ours beside them</h1>"
        "<p>Wang, Tian, Zhou, Shi, Hua: <em>Memory-augmented appearance-motion network for video anomaly "
        "detection</em>, Pattern Recognition 138 (2023) 109335. Every number here comes from a result file, every "
        f"learned one stands beside what no learning gives, every quoted one is marked. {html.escape(said)}</p>"
        f"<p>Of {len(verdicts)} claims:</p><ul class='sums'>{sums}</ul>"
        + site.table("summary", rows, "Every recipe as it is: mean over seeds ± half their range")
        + "<p>For machines: <a href='results.json'>results.json</a>.</p>"
    )


def _contents() -> str:
    places = {"claims": "The claims, judged", **NAMES, **LAST}
    listed = "".join(f'<li><a href="#{place}">{words}</a></li>' for place, words in places.items())
    return f'<nav><ul class="contents">{listed}</ul></nav>'


def _claims(site: Site, verdicts: list[Verdict]) -> str:
    cards = "".join(card(v, site.page_of, lambda number: f"differences.html#no-{number}") for v in verdicts)
    return (
        '<h2 id="claims">The claims, judged</h2><p>Each rule was fixed before the results were read. A claim is judged '
        "on every recipe that has results; the paper's settings on the paper's datasets decide, and where they were "
        "not measured smaller recipes on the same datasets do, <em>at reduced size</em>. The generated scene stands "
        f'beside and never decides. Numbers in brackets are 95 % intervals.</p><div class="cards">{cards}</div>'
    )


# Tables


def _table2(site: Site) -> str:
    form = paper_tables.table2_as_printed(site.found.grids)
    intro = (
        "<p>Quoted rows were measured by others, most with each clip's scores brought to [0, 1] first "
        '(<a href="differences.html#no-22">no. 22</a>), and are no comparison under one protocol. "No learning" is the '
        "best row without any network, through the same scoring.</p>"
    )
    return intro + site.table("table2", form, "Table 2 in the paper's form") + _each(site, "table2", tables.table2)


def _table3(site: Site) -> str:
    form = paper_tables.table3_as_printed(site.found.grids)
    return site.table("table3", form, "Table 3 in the paper's form, percent") + _each(site, "table3", tables.table3)


def _table4(site: Site) -> str:
    form = paper_tables.table4_as_printed(site.found.grids, site.found.costs)
    note = (
        "<p>The paper divides by processor time summed over threads, and leaves out flow and decoding "
        '(<a href="differences.html#no-23">no. 23</a>); ours is wall time, one frame at a time.</p>'
    )
    details = [
        f"<h3>{html.escape(name)}</h3>" + site.table(f"table4-{name}", tables.table4(cost), f"{name}: size and speed")
        for name, cost in site.found.costs.items()
    ]
    missing = "" if details else absent_html("No speed is measured.", "maam sweep RECIPE --part table4")
    return note + site.table("table4", form, "Table 4 in the paper's form") + "".join(details) + missing


def _table5(site: Site) -> str:
    note = (
        "<p>A single branch is <em>trained alone</em>, as the authors' training file offers; <em>both trained</em> is "
        "one branch of the whole network, scored by itself. Ours: seeds that all cells have.</p>"
    )
    printed = site.table("table5", paper_tables.table5_as_printed(), "Table 5 as printed")
    return note + printed + _each(site, "table5", tables.table5, tables.table5_more)


def _each(site: Site, part: str, *makes: Callable[[GridResults], pd.DataFrame]) -> str:
    """The tables of every recipe that has a part, why it deviates, and the command for those that have not.

    A recipe has a part that is more than one cell when more than the recipe as it is was measured.
    """
    made, absent = [], []
    for grid in site.found.grids:
        name, variants = grid.recipe.name, set(PARTS[part])
        command = f"maam sweep {name} --part {part}"
        if variants & set(grid.results) > (set() if variants == {BASE} else {BASE}):
            missing = len(variants - set(grid.results))
            of_recipe = [
                site.table(f"{make.__name__}-{name}", _without_empty(make(grid)), f"{name}: {NAMES[part]}")
                for make in makes
            ]
            rest = absent_html(f"{missing} of {len(variants)} variants are not measured.", command) if missing else ""
            made.append(f"<h3>{html.escape(name)}</h3>{''.join(of_recipe)}{_why(grid)}{rest}")
        elif name in ALWAYS:
            absent.append(command)
    if absent:
        made.append(absent_html("Not measured at full size, which needs a GPU:", "; ".join(absent)))
    return "".join(made)


def _without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """Without the columns that hold dashes only: of the paper, where it has no number for a dataset."""
    return table.loc[:, (table != "–").any()]


def _why(grid: GridResults) -> str:
    """In words, what makes a recipe's numbers other than the paper's."""
    if is_generated(grid):
        return "<p>The generated scene is ours; the paper has no number for it.</p>"
    dataset = grid.recipe.data.dataset
    if dataset not in recipe_names():
        return ""
    turned = differences(load_recipe(dataset), grid.recipe)
    words = "; ".join(f"{key} {after} instead of {before}" for key, (before, after) in turned.items())
    if not words:
        return "<p>The paper's settings; flow is DIS in place of FlowNet2, psi is calibrated (nos. 17, 21).</p>"
    return (
        f"<p>Not the paper's settings, so a deviation is expected: {html.escape(words)}. Flow is DIS in place of "
        "FlowNet2.</p>"
    )


_MAKERS: dict[str, Callable[[Site], str]] = {
    "table2": _table2,
    "table3": _table3,
    "table4": _table4,
    "table5": _table5,
    "figure5": lambda site: _each(site, "figure5", tables.figure5),
    "figure6": lambda site: _each(site, "figure6", tables.figure6),
}


# What there is


def _what_there_is(site: Site) -> str:
    grids = [grid for grid in site.found.grids if grid.results]
    whole = pd.DataFrame([_completeness(grid) for grid in site.found.grids])
    left_out = "".join(f"<li>{html.escape(reason)}</li>" for reason in site.found.left_out)
    protocols = pd.DataFrame([_protocol(grid) for grid in grids if grid.results.get(BASE)])
    machines = pd.DataFrame([_machines(grid) for grid in grids])
    facts = environment_facts()
    versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items() if name in PACKAGES)
    return (
        '<h2 id="complete">What there is, what is missing</h2>'
        + site.table("complete", whole, "Measured cells of all cells of each part, over the seeds that were begun")
        + (f"<p>Left out:</p><ul>{left_out}</ul>" if left_out else "<p>No file was left out.</p>")
        + "".join(_sizes(site, grids))
        + '<h2 id="protocol">Protocol</h2>'
        + site.table("protocol", protocols, "How every number was made")
        + '<h2 id="machines">Seeds, machines, versions</h2>'
        + site.table("machines", machines, "Where the results come from")
        + f"<p>This report: maam {__version__}, revision {html.escape(str(facts['git_revision'] or 'unknown'))}, "
        f"Python {facts['python']}, {html.escape(facts['platform'])}; {html.escape(versions)}.</p>"
    )


def _sizes(site: Site, grids: list[GridResults]) -> Iterator[str]:
    """For each dataset that was measured in two sizes: whether they say the same of the variants."""
    of_dataset: dict[str, dict[str, Results]] = {}
    for grid in reversed(grids):  # the smaller first
        dataset = grid.recipe.name.removesuffix(ending_of(grid.recipe.name))
        of_dataset.setdefault(dataset, {})[grid.recipe.name] = grid.results
    for dataset, sizes in reversed(of_dataset.items()):
        if len(table := sizes_table(sizes)):
            yield site.table(f"sizes-{dataset}", table, f"{dataset}: do sizes order the variants alike? {SIZES_SAY}")


def _cells(grid: GridResults, variants: Iterable[str]) -> int:
    return sum(len(grid.results.get(variant, [])) for variant in variants)


def _completeness(grid: GridResults) -> dict[str, str]:
    seeds = {result["seed"] for results in grid.results.values() for result in results}
    row = {"recipe": grid.recipe.name, "seeds begun": str(len(seeds))}
    for part, variants in PARTS.items():
        if variants:
            row[part] = f"{_cells(grid, variants)} of {len(variants) * max(1, len(seeds))}"
    return row


def _protocol(grid: GridResults) -> dict[str, str]:
    protocol = grid.results[BASE][0]["protocol"]
    shown = {key.replace("_", " "): str(value) for key, value in protocol.items() if key != "complete"}
    return {"recipe": grid.recipe.name, "data": "complete" if protocol["complete"] else "INCOMPLETE"} | shown


def _machines(grid: GridResults) -> dict[str, str]:
    every = [result for results in grid.results.values() for result in results]
    machines = [result.get("machine", {}) for result in every]
    names = Counter(str(m.get("gpu") or m.get("processor") or m.get("platform") or "not kept") for m in machines)
    formats = Counter(str(m.get("precision", "not kept")) for m in machines)
    hours = sum(m.get("training_seconds") or 0 for m in machines) / 3600
    return {
        "recipe": grid.recipe.name,
        "trainings": str(len(every)),
        "seeds": ", ".join(str(seed) for seed in sorted({result["seed"] for result in every})),
        "machines (trainings)": ", ".join(f"{name} ({count})" for name, count in names.items()),
        "number formats": ", ".join(f"{name} ({count})" for name, count in formats.items()),
        "training, hours": f"{hours:.1f}",
    }
