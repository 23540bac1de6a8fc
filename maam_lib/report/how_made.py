"""How the report's numbers were made: protocols and machines; what is complete, what is missing, what was left out."""

from collections import Counter
from collections.abc import Iterable, Iterator

import pandas as pd

from data_prep import __version__
from maam_lib.grid import BASE, GridResults, Results, ending_of, every_part, sizes_table
from maam_lib.report.site import Site, Table
from maam_lib.training import environment_facts

SIZES_SAY = "AUC minus that of the unchanged recipe, same seeds [95 %] (seeds)"


def write_how_made(site: Site) -> None:
    """protocol and notes."""
    grids = [grid for grid in site.found.grids if grid.results]
    protocols = pd.DataFrame({grid.recipe.name: _protocol(grid) for grid in grids if grid.results.get(BASE)})
    machines = pd.DataFrame(map(_machines, grids))
    site.write(
        "protocol",
        "protocol",
        protocol=site.table("protocol", protocols.rename_axis("setting").reset_index(), "How every number was made"),
        machines=site.table("machines", machines, "Where the results come from"),
        sizes=list(_sizes(site, grids)),
        kit_version=__version__,
        environment=environment_facts(),
    )
    complete = pd.DataFrame(map(_completeness, site.found.grids))
    site.write(
        "notes",
        "notes",
        complete=site.table("complete", complete, "Measured cells, of all cells of each part and seed started"),
        left_out=site.found.left_out,
    )


def _sizes(site: Site, grids: list[GridResults]) -> Iterator[Table]:
    """For each dataset that was measured in two sizes: whether they say the same of the variants."""
    of_dataset: dict[str, dict[str, Results]] = {}
    for grid in reversed(grids):  # the smaller first
        dataset = grid.recipe.name.removesuffix(ending_of(grid.recipe.name))
        of_dataset.setdefault(dataset, {})[grid.recipe.name] = grid.results
    for dataset, sizes in reversed(of_dataset.items()):
        if len(table := sizes_table(sizes)):
            caption = f"{dataset}: do both sizes rank the variants in the same order? {SIZES_SAY}"
            yield site.table(f"sizes-{dataset}", table, caption)


def _completeness(grid: GridResults) -> dict[str, str]:
    seeds = {result.seed for results in grid.results.values() for result in results}
    row = {"recipe": grid.recipe.name, "seeds started": str(len(seeds))}
    for part, variants in every_part().items():
        measured = sum(len(grid.results.get(variant, [])) for variant in variants)
        if variants:
            row[part] = f"{measured} of {len(variants) * max(1, len(seeds))}"
    return row


def _protocol(grid: GridResults) -> dict[str, str]:
    protocol = grid.results[BASE][0].protocol
    shown = {key.replace("_", " "): str(value) for key, value in protocol.model_dump(exclude={"complete"}).items()}
    return {"data": "complete" if protocol.complete else "INCOMPLETE"} | shown


def _machines(grid: GridResults) -> dict[str, str]:
    every = [result for results in grid.results.values() for result in results]
    machines = [result.machine for result in every]
    hours = sum(m.training_seconds or 0 for m in machines) / 3600
    return {
        "recipe": grid.recipe.name,
        "trainings": str(len(every)),
        "seeds": ", ".join(str(seed) for seed in sorted({result.seed for result in every})),
        "machines (trainings)": _counted(m.gpu or m.processor or m.platform for m in machines),
        "number formats": _counted(m.precision for m in machines),
        "training, hours": f"{hours:.1f}",
    }


def _counted(names: Iterable[str | None]) -> str:
    return ", ".join(f"{name or 'not kept'} ({count})" for name, count in Counter(names).items())
