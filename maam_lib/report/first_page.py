"""What this kit says of the paper: the overview, the claims with their verdicts, what learning adds, epoch by epoch."""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from data_prep.words import counted
from maam_lib.grid import (
    AT_THIS_SIZE,
    BASE,
    DATASETS,
    NONE,
    GridResults,
    State,
    Verdict,
    auc,
    deciders,
    every_variant,
    is_full_size,
    is_generated,
    learning_table,
    shown,
    summary,
    tables,
)
from maam_lib.report.collection import OWN, kit_name, settings_in_words
from maam_lib.report.figures import figures_of
from maam_lib.report.site import Site, Table

VERDICTS = (  # in words, in this order
    *(f"{state}{reach}" for reach in ("", f" {AT_THIS_SIZE}") for state in (State.HOLDS, State.FAILS)),
    str(State.OPEN),
)


def write_first_pages(site: Site, verdicts: list[Verdict]) -> None:
    """index, claims, learning and epochs."""
    found, root = site.found, site.root
    of_paper = [verdict for verdict in verdicts if not verdict.claim.ours]
    counts = Counter(verdict.words for verdict in of_paper)
    measured = [grid for grid in found.grids if grid.results.get(BASE)]
    real = [grid for grid in measured if not is_generated(grid)]
    rows = summary((grid.recipe.name, grid.results[BASE]) for grid in measured)
    rows = rows.drop(columns=["dataset", "protocol"], errors="ignore")  # without results it has no columns
    motion = figures_of("motion", found, root)
    site.write(
        "index",
        "overview",
        verdicts=of_paper,
        counts={words: counts[words] for words in VERDICTS if counts[words]},
        full_size=[grid.recipe.name for grid in real if is_full_size(grid)],
        at_reduced_size=[grid.recipe.name for grid in real if not is_full_size(grid)],
        glance=site.table("glance", _at_a_glance(measured), "Frame AUC: 0.5 is guessing, 1 is perfect"),
        own=_own_runs(site),
        methods=figures_of("methods", found, root),
        motion=motion[:1],
    )
    cards = [(verdict, deciders(verdict, found.grids)) for verdict in verdicts]
    site.write(
        "claims",
        "claims",
        cards=[card for card in cards if not card[0].claim.ours],
        questions=[card for card in cards if card[0].claim.ours],
        at_this_size=AT_THIS_SIZE,
        page_of=site.page_of,
    )
    of_recipes = site.table(
        "summary", rows, "Every recipe, unchanged: mean over seeds ± half their range; AUC is micro"
    )
    site.write("learning", "learning", motion=motion, learning=[of_recipes, *_learning(site)])
    site.write("epochs", "epochs", epochs=figures_of("epochs", found, root))


def _at_a_glance(measured: list[GridResults]) -> pd.DataFrame:
    """What the report comes to: of each dataset the largest network, between the paper's number and no network's."""
    rows: dict[str, dict[str, object]] = {}
    for grid in measured:  # of each dataset the larger first
        results, dataset = grid.results[BASE], grid.recipe.data.dataset
        row = {
            "data": DATASETS.get(dataset, f"generated scene {dataset}"),
            "MAAM-Net, as the paper prints it": tables.paper(dataset, "table2", "Ours"),
            "best score without a network": tables.yardstick(results),
            "this kit's MAAM-Net": shown(results, auc),
            "size": f"{grid.recipe.name}, {counted(len(results), 'seed')}",
            "what learning adds": tables.learning_adds(results),
        }
        rows.setdefault(dataset, row)
    return pd.DataFrame(rows.values())


def _own_runs(site: Site) -> Table | None:
    """The runs that the user named, each in a row, whether it can be compared or not; None without any.

    What learning adds is left out of a run that is not compared.
    """
    recipes = {grid.recipe.name: grid.recipe for grid in site.found.grids}
    rows = []
    for run in site.found.own:
        compared = f"not compared: {run.why}"
        if run.variant:
            compared = every_variant()[run.variant].what
            if run.recipe.startswith(OWN):
                compared += f", of settings of your own: {settings_in_words(recipes[run.recipe], BASE)}"
        rows.append(
            {
                "your run": str(run.folder),
                "recipe": kit_name(run.recipe),
                "seed": run.result.seed,
                "AUC": shown([run.result], auc),
                "best no-learning": tables.yardstick([run.result]) if run.variant else NONE,
                "learning adds": tables.learning_adds([run.result]) if run.variant else NONE,
                "compared as": compared,
            }
        )
    return site.table("own", pd.DataFrame(rows), "Your runs") if rows else None


def _learning(site: Site) -> Iterator[Table]:
    """What learning adds on each dataset of the paper that has rows without a network, or networks."""
    for dataset, name in DATASETS.items():
        grids = [grid for grid in site.found.grids if grid.recipe.data.dataset == dataset]
        if any(grid.results or grid.no_learning for grid in grids):
            caption = f"{name}: rows without a network first, then the paper's, then networks; frame AUC, micro"
            yield site.table(f"learning-{dataset}", learning_table(grids), caption)
