"""The report's figures: of results alone (Figs. 5 and 6), of kept scores (7), of weights and videos (1, 4, 8, 9)."""

from pathlib import Path

from maam_lib.collection import Collection, Scored
from maam_lib.data import DatasetError
from maam_lib.experiments import LOSSES, figure6_variants
from maam_lib.figures_tables import knob_lines, support_bars
from maam_lib.paper_pages import absent_html, figure_html
from maam_lib.pictures import PICTURES, Picture, score_curves
from maam_lib.results import paper_values
from maam_lib.training import dataset_for


def figure_section(name: str, found: Collection, root: Path) -> str:
    """One figure of the paper, for every recipe that it can be drawn of; says what is missing and how to get it."""
    if name == "figure5":
        return _support_items(found)
    if name == "figure6":
        return _knobs(found)
    drawn = [_of_network(name, scored, root) for scored in _largest(found)]
    return "".join(drawn) or absent_html("No network with its scores is kept.", "maam sweep RECIPE --part table3")


def _largest(found: Collection) -> list[Scored]:
    """Of each dataset the first recipe that has a scored network: the largest, since grids are in that order."""
    of_dataset: dict[str, Scored] = {}
    for grid in found.grids:
        if (scored := found.scored.get(grid.recipe.name)) is not None:
            of_dataset.setdefault(grid.recipe.data.dataset, scored)
    return list(of_dataset.values())


def _of_network(name: str, scored: Scored, root: Path) -> str:
    recipe, who = scored.recipe, f"{scored.recipe.name}, seed {scored.result['seed']}"
    if name == "figure7":
        return _picture(score_curves(scored), who, "Anomaly score over time, one panel per clip")
    try:
        prepared = dataset_for(root, recipe)
    except DatasetError as error:
        return absent_html(f"{who}: the video is not prepared under {root}.", str(error))
    if prepared.content_hash != scored.result["data"]["content_hash"]:
        return absent_html(
            f"{who}: {prepared.folder} holds other data than the scores were made of.",
            "Prepare the dataset as the recipe asks, or evaluate the run on it again.",
        )
    picture = PICTURES[name](scored, prepared)
    if picture is None:
        remedy = "It needs the scores of whole frames, which `maam evaluate` keeps, and a pair of frames that disagree."
        return absent_html(f"{who}: nothing to show.", remedy)
    return _picture(picture, who, f"Frames of {recipe.data.dataset} with error maps")


def _picture(picture: Picture, who: str, alt: str) -> str:
    return figure_html(picture.figure, f"{who}. {picture.caption}", f"{alt}: {picture.caption}")


def _support_items(found: Collection) -> str:
    panels = {}
    for grid in found.grids:
        results = {LOSSES[name].what: grid.results[name] for name in LOSSES if grid.results.get(name)}
        bars = {
            words: [r["memory"]["support_items"] for r in of_losses if r["memory"]]
            for words, of_losses in results.items()
        }
        bars = {words: values for words, values in bars.items() if values}
        if len(bars) > 1:
            panels[grid.recipe.name] = (
                bars,
                grid.results[next(n for n in LOSSES if n in grid.results)][0]["memory"]["items"],
            )
    if not panels:
        return absent_html("Not measured.", "maam sweep RECIPE --part figure5")
    said = "; ".join(f"{name}: " + ", ".join(f"{w} {sum(v) / len(v):.1f}" for w, v in bars.items())
                     for name, (bars, _) in panels.items())  # fmt: skip
    return figure_html(support_bars(panels), f"Mean over seeds (dots), of the items in the memory (dashed). {said}.",
                       f"Support items per query by losses. {said}")  # fmt: skip


def _knobs(found: Collection) -> str:
    drawn = []
    for knob, words in (("beta", "weight beta of the latent loss"), ("zeta", "margin zeta of the latent loss")):
        lines = {}
        for grid in found.grids:
            measured = {v: grid.results[name] for v, name in figure6_variants(knob).items() if name in grid.results}
            if len(measured) > 1:
                seeds = set.intersection(*({r["seed"] for r in results} for results in measured.values()))
                lines[grid.recipe.name] = {
                    value: [r["auc"] for r in results if r["seed"] in seeds] for value, results in measured.items()
                }
        plotted = paper_values()["figure6"][knob]
        printed = {
            f"paper, {dataset}": dict(zip(plotted["values"], ([float(v)] for v in plotted[dataset]), strict=True))
            for dataset in ("ped2", "avenue")
        }
        missing = "" if lines else absent_html("Ours is not measured.", "maam sweep RECIPE --part figure6")
        caption = (
            f"Frame AUC against the {words}. Dashed: the paper's points. Each point of ours is a training per seed."
        )
        drawn.append(figure_html(knob_lines(lines, printed, words), caption, caption) + missing)
    return "".join(drawn)
