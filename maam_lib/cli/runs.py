"""Commands about trained networks: train, evaluate, the paper's grid, reports, the authors' weights."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from data_prep.words import counted
from maam_lib.cli.options import DEFAULT_ROOT, DEFAULT_SWEEP, Recipe, Root, Settings, app


@app.command()
def train(
    recipe: Recipe,
    run: Annotated[Path, Option(help="Folder for this run.", file_okay=False)],
    root: Root = DEFAULT_ROOT,
    settings: Settings = None,
    resume: Annotated[bool, Option(help="Continue the run in this folder; start one if there is none.")] = False,
    devices: Annotated[
        int | None,
        Option(help="Number of GPUs (or CPU processes) that share each batch; if left out, all GPUs that can.", min=1),
    ] = None,
    compiled: Annotated[bool, Option("--compile", help="Compile the network; for long trainings on a GPU.")] = False,
) -> None:
    """Train a recipe on its prepared dataset. Saves one checkpoint per epoch."""
    from maam_lib.config import load_recipe
    from maam_lib.training import RunFolder, dataset_for, fit, fit_recipe

    plan = load_recipe(recipe, *(settings or []))
    prepared = dataset_for(root, plan)
    resolved, chosen = fit_recipe(plan, prepared)
    if chosen:
        print(f"{recipe}: {chosen}", flush=True)
    is_first_process = os.environ.get("LOCAL_RANK", "0") == "0"  # of several devices' processes
    if resume and is_first_process and not RunFolder(run).epochs_done:
        print(f"{run}: no finished epoch to resume; training begins at epoch 1", flush=True)
    how = {"resume": resume, "devices": devices or "auto", "compiled": compiled}
    trained = fit(resolved, prepared, run, **how, on_epoch=_print_epoch)
    if is_first_process:
        done = counted(trained.epochs_done, "epoch")
        print(f"trained: {trained.folder}, {done}; next: maam evaluate --run {run} --root {root}")


@app.command()
def evaluate(
    run: Annotated[Path, Option(help="Folder of a run.", file_okay=False)],
    root: Root = DEFAULT_ROOT,
    every_epoch: Annotated[bool, Option(help="Also measure the AUC of each kept epoch (for showing only).")] = False,
) -> None:
    """Score a run next to scores without learning. Writes scores.csv and metrics.json into the run.

    The no-learning rows are the same scores without a network.
    """
    from maam_lib.evaluation import evaluate as evaluate_run
    from maam_lib.evaluation import in_words
    from maam_lib.grid import result_table
    from maam_lib.training import RunFolder, dataset_for

    opened = RunFolder.open(run)
    result = evaluate_run(opened, dataset_for(root, opened.recipe), every_epoch=every_epoch)
    print(result_table(result).to_string(float_format="{:.3f}".format, na_rep=""))
    if result.generalisation is not None:
        print(in_words(result.generalisation))
    if not opened.is_finished:
        done = f"epoch {result.epoch} of {opened.recipe.training.epochs}"
        print(f"note: {done}: this training is not finished, so reports name its numbers and compare them with nothing")
    if not result.protocol.complete:
        print("note: the prepared data are INCOMPLETE; these numbers are of the clips that there are")


@app.command()
def baselines(
    recipe: Recipe,
    root: Root = DEFAULT_ROOT,
    out: Annotated[
        Path | None, Option(help="File for all numbers (.json); the scores go next to it (.csv).", dir_okay=False)
    ] = None,
    settings: Settings = None,
) -> None:
    """Score a recipe's data without a network. These are the no-learning rows; nothing is trained."""
    from data_prep.files import write_json, write_text
    from maam_lib.config import SettingError, load_recipe
    from maam_lib.evaluation import measure_no_learning
    from maam_lib.grid import no_learning_table
    from maam_lib.training import dataset_for, fit_recipe

    if out is not None:
        if out.suffix != ".json":
            raise SettingError(f"--out {out}: expected a name that ends in .json; the scores go next to it, in .csv")
        out.parent.mkdir(parents=True, exist_ok=True)
    plan = load_recipe(recipe, *(settings or []))
    prepared = dataset_for(root, plan)
    resolved, chosen = fit_recipe(plan, prepared)
    if chosen:
        print(f"{recipe}: {chosen}", flush=True)
    found, scores = measure_no_learning(resolved, prepared)
    print(no_learning_table(found).to_string(float_format="{:.3f}".format, na_rep=""))
    for name, reason in found.absent.items():
        print(f"not measured: {name.replace('_', ' ')} ({reason})")
    if not found.protocol.complete:
        print("note: the prepared data are INCOMPLETE; these numbers are of the clips that there are")
    if out is not None:
        write_text(out.with_suffix(".csv"), scores.to_csv(index=False))
        write_json(out, found.as_json())
        print(f"written: {out}, {out.with_suffix('.csv')}")


@app.command()
def sweep(
    recipe: Recipe,
    root: Root = DEFAULT_ROOT,
    out: Annotated[
        Path, Option(help="Folder for the results; finished ones are kept.", file_okay=False)
    ] = DEFAULT_SWEEP,
    part: Annotated[
        list[str] | None,
        Option(
            help="table2 ... table5, figure5, figure6 or differences; may be repeated. All of the paper if left out."
        ),
    ] = None,
    variant: Annotated[list[str] | None, Option(help="Name of a variant; may be repeated.")] = None,
    seeds: Annotated[int, Option(min=1, help="Number of seeds (0, 1 ...) of each training.")] = 3,
    workers: Annotated[
        int | None,
        Option(min=1, help="Trainings at the same time; if left out, one per GPU, or as many as the machine can run."),
    ] = None,
    scheduler: Annotated[
        str | None, Option(metavar="tcp://HOST:PORT", help="Address of a Dask scheduler, or slurm.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Train all variants behind the paper's tables. Measures them too; what is finished is never repeated."""
    from maam_lib.config import load_recipe
    from maam_lib.grid import OF_THE_PAPER, grid_tables
    from maam_lib.grid import sweep as run_sweep
    from maam_lib.training import dataset_for

    resolved = load_recipe(recipe, *(settings or []))
    parts = part or ([] if variant else list(OF_THE_PAPER))
    grid = run_sweep(
        resolved,
        dataset_for(root, resolved),
        out,
        parts=parts,
        variants=variant or [],
        seeds=seeds,
        workers=workers,
        scheduler=scheduler,
        say=lambda line: print(line, flush=True),
    )
    for title, table in grid_tables(grid, out, parts).items():
        print(f"\n{title}\n{table.to_string(index=False)}")
    print(f"\nresults: {out / resolved.name}")


@app.command()
def status(folder: Annotated[Path, Argument(help="Folder of a sweep.")] = DEFAULT_SWEEP) -> None:
    """Show how far a sweep is. Lists cells done, running, and failed with the reason, and the time left."""
    from maam_lib.grid import sweep_states

    print(*sweep_states(folder), sep="\n")


@app.command()
def reproduce(
    recipe: Recipe = "synthetic-laptop",
    root: Root = DEFAULT_ROOT,
    out: Annotated[Path | None, Option(help="Folder for the report; reports/RECIPE if left out.")] = None,
    settings: Settings = None,
    parameter: Annotated[
        list[str] | None, Option(metavar="NAME=VALUE", help="Parameter of a notebook; may be repeated.")
    ] = None,
    cell_limit: Annotated[float | None, Option(min=1, help="Seconds that one cell may take.")] = None,
) -> None:
    """Run all lessons into a report folder. Needs no browser; trains the recipe on the way."""
    from maam_lib.report import reproduce as run_sequence

    folder, given = out or Path("reports") / Path(recipe).stem, _parameters(parameter or [])
    index = run_sequence(recipe, root, folder, settings=settings or [], parameters=given, cell_limit=cell_limit)
    print(f"report: {index}")


@app.command()
def report(
    out: Annotated[Path, Option(help="Folder for the report; an earlier report in it is replaced.")] = Path(
        "reports/paper"
    ),
    sweep: Annotated[
        list[Path] | None, Option(help="Folder of sweeps; may be repeated.", exists=True, file_okay=False)
    ] = None,
    run: Annotated[list[Path] | None, Option(help="Folder of a single evaluated run; may be repeated.")] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Compare all results with the paper. Shows its tables, figures and claims; trains nothing."""
    from maam_lib.report import build_report

    index = build_report(
        out,
        folders=sweep or [DEFAULT_SWEEP],
        runs=run or [],
        root=root,
        say=lambda line: print(f"note: {line}", file=sys.stderr),
    )
    print(f"report: {index}")


@app.command()
def slides(
    report: Annotated[Path, Argument(help="Folder of a report, as reports/synthetic-laptop.", file_okay=False)],
) -> None:
    """Make slides of a report's executed chapters: one file each, which needs no network and prints as a PDF."""
    from maam_lib.report import write_slides

    for path in write_slides(report):
        print(path)


@app.command()
def import_weights(
    prefix: Annotated[Path, Argument(help="Path of a TensorFlow checkpoint, without .index or .data-...")],
    out: Annotated[Path, Option(help="File for the weights (safetensors).", dir_okay=False)],
    run: Annotated[Path | None, Option(help="Also make this run folder, for `maam evaluate`.")] = None,
    recipe: Annotated[str | None, Option(help="Recipe of that run, as ped2-released.")] = None,
) -> None:
    """Import the authors' released weights. Needs the extra `import`."""
    from maam_lib.config import SettingError, load_recipe
    from maam_lib.training import import_weights as import_released

    if (run is None) != (recipe is None):
        raise SettingError("give --run and --recipe together: a run folder needs the settings that it is scored with")
    net = import_released(prefix, out, run=run, recipe=load_recipe(recipe) if recipe else None)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    items = 0 if net.items is None else len(net.items)
    holds = f"{parameters:,} parameters, {counted(net.frame_channels, 'channel')}, {counted(items, 'item')}"
    print(f"imported: {out}, {holds}")
    if run is not None:
        print(f"run: {run}; next: maam evaluate --run {run}")


def _parameters(pairs: list[str]) -> dict[str, Any]:
    """The parameters of notebooks by name; raises SettingError for what is no name=value."""
    from maam_lib.config import SettingError
    from maam_lib.recipes import PlainYamlError, parse

    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise SettingError(f"cannot read the parameter {wrong[0]!r}; write name=value")
    try:
        return {name: parse(value) for name, value in (pair.split("=", 1) for pair in pairs)}
    except PlainYamlError as error:
        raise SettingError(f"cannot read a --parameter: {error}") from error


def _print_epoch(row: dict[str, float]) -> None:
    """One line per epoch, in a terminal or not."""
    widths = [
        f"  {branch} width {row[key]:.2f} (held out: {row[f'{branch}_width_held_out']:.2f})"
        for branch in ("motion", "appearance")
        if (key := f"{branch}_width_train") in row
    ]
    print(
        f"epoch {row['epoch']:3.0f}  loss {row['total']:.4f}  appearance {row['appearance']:.4f}  "
        f"motion {row['motion']:.4f} (no motion: {row['zero_flow']:.4f})  support items {row['support_items']:.0f}  "
        f"{row['frames_per_second']:.0f} frames/s" + "".join(widths),
        flush=True,
    )
