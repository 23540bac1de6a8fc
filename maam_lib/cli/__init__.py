"""The command `maam`: thin; every command is one library call, imported when it is used."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from maam_lib import CLONE
from maam_lib.cli import stopping

app = typer.Typer(
    help="MAAM-Net kit: prepare data, train, evaluate, and reproduce the paper's notebooks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Root = Annotated[
    Path,
    typer.Option(envvar="MAAM_ROOT", help="Folder of prepared datasets.", show_default=True, file_okay=False),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; may be repeated."),
]
Difficulty = Annotated[
    str | None,
    typer.Option(help="Of a generated scene: easy, standard or hard; a dataset of its own, as synthetic-hard."),
]
SweepFolder = Annotated[Path, typer.Option(help="Folder of results; finished ones are kept.", file_okay=False)]
DEFAULT_ROOT = Path("data")
DEFAULT_SWEEP = Path("runs/sweep")


@app.callback()
def options(debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False) -> None:
    """MAAM-Net kit: prepare data, train, evaluate, and reproduce the paper's notebooks."""
    if debug:
        os.environ["MAAM_DEBUG"] = "1"


@app.command()
def prepare(
    dataset: Annotated[
        str, typer.Argument(help="A generated scene (synthetic ...), ped1, ped2, avenue, shanghaitech or videos.")
    ],
    source: Annotated[
        Path | None, typer.Option(help="The official archive, or the folder that holds it, packed or unpacked.")
    ] = None,
    root: Root = DEFAULT_ROOT,
    flow: Annotated[str, typer.Option(help="Optical-flow estimator: dis, dis-fast, farneback, exact ...")] = "dis",
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="H W", help="Stored size; native if left out, of videos 120 high."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="avenue: frame intervals (avenue.mat) in place of the official masks.")
    ] = None,
    allow_incomplete: Annotated[bool, typer.Option(help="Accept that whole clips are absent.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if left out.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="A Dask scheduler whose workers do the work.")
    ] = None,
    difficulty: Difficulty = None,
) -> None:
    """Turn a dataset as downloaded, or a folder of your own videos, into a prepared dataset."""
    from data_prep.prepare import notes
    from data_prep.prepare import prepare as prepare_dataset
    from data_prep.scenes import dataset_name

    if difficulty is not None:
        dataset = dataset_name(dataset, difficulty)
    folder = prepare_dataset(
        dataset,
        source,
        root,
        flow=flow,
        size=size,
        labels=labels,
        allow_incomplete=allow_incomplete,
        workers=workers,
        scheduler=scheduler,
    )
    for note in notes(folder):
        print(f"note: {note}")
    print(f"prepared: {folder}")


@app.command()
def verify(
    dataset: Annotated[str | None, typer.Argument(help="Name of a dataset; all under the root if left out.")] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Read prepared datasets again and compare every array with all that is known of it."""
    from data_prep.verify import prepared_folders
    from data_prep.verify import verify as verify_dataset

    reports = [verify_dataset(folder) for folder in prepared_folders(root, dataset)]
    for report in reports:
        print(report)
    if not all(report.intact for report in reports):
        raise typer.Exit(1)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a .yaml file.")],
    run: Annotated[Path, typer.Option(help="Folder of this run.", file_okay=False)],
    root: Root = DEFAULT_ROOT,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option(help="Continue the run in this folder.")] = False,
    devices: Annotated[
        int | None,
        typer.Option(help="GPUs (or CPU processes) that share each batch; all GPUs that can, if left out.", min=1),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network first: for long trainings on a GPU.")
    ] = False,
) -> None:
    """Train a recipe on its prepared dataset; one checkpoint per epoch."""
    from maam_lib.config import load_recipe
    from maam_lib.training import dataset_for, fit, fit_recipe

    plan = load_recipe(recipe, *(settings or []))
    prepared = dataset_for(root, plan)
    resolved, chosen = fit_recipe(plan, prepared)
    if chosen:
        print(f"{recipe}: {chosen}", flush=True)
    how = {"resume": resume, "devices": devices or "auto", "compiled": compiled}
    trained = fit(resolved, prepared, run, **how, on_epoch=_print_epoch)
    if os.environ.get("LOCAL_RANK", "0") == "0":  # of several devices' processes the first
        print(f"trained: {trained.folder}, {trained.epochs_done} epochs; next: maam evaluate --run {run} --root {root}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Option(help="Folder of a run.", file_okay=False)],
    root: Root = DEFAULT_ROOT,
    every_epoch: Annotated[bool, typer.Option(help="Also the AUC of each kept epoch (for showing only).")] = False,
) -> None:
    """Score a run beside the no-learning rows; writes scores.csv and metrics.json into it."""
    from maam_lib.evaluation import evaluate as evaluate_run
    from maam_lib.grid import result_table
    from maam_lib.training import RunFolder, dataset_for

    opened = RunFolder.open(run)
    result = evaluate_run(opened, dataset_for(root, opened.recipe), every_epoch=every_epoch)
    print(result_table(result).to_string(float_format="{:.3f}".format, na_rep=""))
    if not result.protocol.complete:
        print("note: the prepared data are INCOMPLETE; these numbers are of the clips that there are")


@app.command()
def reproduce(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a .yaml file.")] = "synthetic-laptop",
    root: Root = DEFAULT_ROOT,
    out: Annotated[Path | None, typer.Option(help="Report folder; reports/RECIPE if left out.")] = None,
    settings: Settings = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A notebook's own parameter; may be repeated."),
    ] = None,
    cell_limit: Annotated[float | None, typer.Option(min=1, help="Seconds that one cell may take.")] = None,
) -> None:
    """Run the notebooks headlessly into a report folder."""
    from maam_lib.report import reproduce as run_sequence

    folder = out or Path("reports") / Path(recipe).stem
    index = run_sequence(
        recipe,
        root,
        folder,
        settings=settings or [],
        parameters=_parameters(parameter or []),
        cell_limit=cell_limit,
    )
    print(f"report: {index}")


@app.command()
def sweep(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a .yaml file.")],
    root: Root = DEFAULT_ROOT,
    out: SweepFolder = DEFAULT_SWEEP,
    part: Annotated[
        list[str] | None,
        typer.Option(help="Only table2 ... table5, figure5, figure6 or differences; all of the paper's if left out."),
    ] = None,
    variant: Annotated[list[str] | None, typer.Option(help="A single variant; may be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1 ... of each training.")] = 3,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trainings at once; one per GPU, or what the machine bears.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="A Dask scheduler; or slurm.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Train and measure the grid behind the paper's tables and figures; finished cells are never repeated."""
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
def report(
    out: Annotated[Path, typer.Option(help="Folder of the report; an earlier report there is replaced.")] = Path(
        "reports/paper"
    ),
    sweep: Annotated[list[Path] | None, typer.Option(help="Folder of sweeps; may be repeated.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="Folder of a single evaluated run; may be repeated.")] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Set the paper's tables, figures and claims beside all results there are; trains nothing."""
    from maam_lib.report import build_report

    index = build_report(out, folders=sweep or [DEFAULT_SWEEP], runs=run or [], root=root)
    print(f"report: {index}")


@app.command()
def status(folder: Annotated[Path, typer.Argument(help="Folder of a sweep.")] = DEFAULT_SWEEP) -> None:
    """Tell how far a sweep is: cells done, running, failed with the reason, and the time left."""
    from maam_lib.grid import sweep_states

    for state in sweep_states(folder):
        print(state)


@app.command()
def import_weights(
    prefix: Annotated[Path, typer.Argument(help="A TensorFlow checkpoint's path, without .index or .data-...")],
    out: Annotated[Path, typer.Option(help="File for the weights (safetensors).", dir_okay=False)],
    run: Annotated[Path | None, typer.Option(help="Also make this run folder, for `maam evaluate`.")] = None,
    recipe: Annotated[str | None, typer.Option(help="The run's recipe, as ped2-released.")] = None,
) -> None:
    """Bring the authors' released weights into the kit (needs the extra `import`)."""
    from maam_lib.config import SettingError, load_recipe
    from maam_lib.training import import_weights as import_released

    if (run is None) != (recipe is None):
        raise SettingError("--run and --recipe go together: a run folder needs the settings that it is scored with")
    net = import_released(prefix, out, run=run, recipe=load_recipe(recipe) if recipe else None)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    print(f"imported: {out}, {parameters:,} parameters, {net.frame_channels} channels, {len(net.items)} items")
    if run is not None:
        print(f"run: {run}; next: maam evaluate --run {run}")


@app.command()
def doctor(root: Root = DEFAULT_ROOT) -> None:
    """Check this machine: one line per need, OK or FAIL with the way to mend it."""
    from maam_lib.cli.checks import examine

    findings = examine(root)
    for finding in findings:
        print(finding)
    if any(finding.remedy for finding in findings):
        raise typer.Exit(1)


@app.command()
def download(
    dataset: Annotated[str, typer.Argument(help="ped1, ped2, avenue or shanghaitech (which is by hand: the steps).")],
    to: Annotated[Path, typer.Option(help="Folder for the archives.", file_okay=False)],
) -> None:
    """Fetch a dataset's official archives from its own page, resumed after a break and checked."""
    from data_prep.download import download as fetch
    from data_prep.download import terms

    print(terms(dataset), flush=True)
    for path in fetch(dataset, to):
        print(f"downloaded: {path}")
    print(f"next: maam prepare {dataset} --source {to}")


@app.command()
def import_flow(
    dataset: Annotated[Path, typer.Argument(help="Folder of a prepared dataset, or its name under --root.")],
    flow_dir: Annotated[Path, typer.Option(help="Flow as <split>/<clip>/*.flo or *.npy, or <split>/<clip>.npy.")],
    name: Annotated[str | None, typer.Option(help="The estimator's name; from flow.json if left out.")] = None,
    units: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="H W", help="Vectors count pixels of this frame size; the files' own if left out."),
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Take flow estimated elsewhere (FlowNet2 ...) into a new prepared dataset, held against DIS first."""
    from data_prep.flow_import import plan_import, write_import

    source = root / dataset if (root / dataset).is_dir() else dataset
    plan = plan_import(source, flow_dir, name=name, units=units)
    print(plan, flush=True)
    folder = write_import(plan)
    print(f"prepared: {folder}; use it with --set data.flow={plan.manifest.flow.estimator}")


@app.command()
def card(
    dataset: Annotated[str, typer.Argument(help="A generated scene: synthetic, synthetic-avenue ...")] = "synthetic",
    difficulty: Difficulty = None,
) -> None:
    """Tell what a generated scene contains: clips, people, speeds, and every event."""
    from data_prep.scenes import dataset_name, scene_card

    print(scene_card(dataset if difficulty is None else dataset_name(dataset, difficulty)))


@app.command()
def detect(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Folder of a run, or kept weights (ped2-laptop); with --onnx the video."),
    ],
    video: Annotated[
        str | None, typer.Argument(metavar="VIDEO", help="Video, folder of frames, camera (0) or address (rtsp://...).")
    ] = None,
    out: Annotated[Path, typer.Option(help="New folder for video, scores, events and page.", file_okay=False)] = Path(
        "detected"
    ),
    onnx: Annotated[
        Path | None, typer.Option(help="An exported file in place of a run: `maam detect --onnx FILE VIDEO`.")
    ] = None,
    root: Root = DEFAULT_ROOT,
    normal: Annotated[
        str | None, typer.Option(help="Ordinary footage that took no part in training, to find scale and threshold on.")
    ] = None,
    alarms_per_hour: Annotated[
        float | None, typer.Option(help="Threshold for at most so many on normal footage; else the run's own.")
    ] = None,
    frame_rate: Annotated[
        float | None, typer.Option(min=0.01, max=1000, help="Of a folder, or of a video that is wrong.")
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to try to get a lost stream back.")] = 600.0,
    picture_width: Annotated[int, typer.Option(min=320, max=3840, help="Of the annotated video, at most.")] = 640,
) -> None:
    """Score any video: annotated video, scores, events and one page; Ctrl-C ends it and leaves everything whole."""
    from maam_lib.detector import DetectionError
    from maam_lib.video import ProgressLine, check_free, footage_notes, measured_on, open_footage, progress_line
    from maam_lib.video import detect as detect_in

    if (onnx is None) == (video is None):
        raise DetectionError("expected RUN VIDEO, or --onnx FILE VIDEO")
    check_free(out)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its errors are told by ours
    if onnx is None:
        from maam_lib.video.scorer import score_with

        detector, net = _detector(run, root)
        score = score_with(net, detector)
    else:
        from maam_lib.video import open_onnx

        detector, score = open_onnx(onnx)
    if alarms_per_hour is not None:
        detector.threshold_for(alarms_per_hour)  # what cannot be asked for is told before normal footage is measured
    footage = open_footage(video or run, frame_rate=frame_rate, patience=patience)
    if normal is not None:
        detector = measured_on(detector, score, open_footage(normal, frame_rate=frame_rate))
    line = ProgressLine()
    try:
        done = detect_in(
            detector,
            score,
            footage,
            out,
            alarms_per_hour=alarms_per_hour,
            picture_width=picture_width,
            on_progress=line.show,
        )
    except KeyboardInterrupt as stop:
        stop.add_note(f"what was scored is in {out}" if out.is_dir() else "no frame was scored yet")
        raise
    finally:
        line.end()
    for note in footage_notes(detector, footage):
        print(f"note: {note}")
    print(f"{progress_line(done)}\ndetected: {out / 'index.html'}")


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a run, or kept weights (ped2-laptop).")],
    onnx: Annotated[Path, typer.Option(help="File to write.", dir_okay=False)],
    root: Root = DEFAULT_ROOT,
) -> None:
    """Write network, memory and PSCD as one ONNX file, checked against PyTorch (needs the extra `onnx`)."""
    from maam_lib.video.export import check_target, write_onnx

    check_target(onnx)
    detector, net = _detector(run, root)
    check = write_onnx(net, detector, onnx)
    print(f"exported: {onnx}; {check}; next: maam detect --onnx {onnx} VIDEO --out DIR")


@app.command()
def bench(
    group: Annotated[list[str] | None, typer.Argument(help="Groups of cases (forward, training ...); all.")] = None,
    root: Root = DEFAULT_ROOT,
    threads: Annotated[int | None, typer.Option(min=0, help="Threads; 0 is all cores, one if left out.")] = None,
    rounds: Annotated[int, typer.Option(min=2, help="Rounds in which the cases take turns.")] = 7,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; the best there is if left out.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for JSON; benchmarks/results if left out.", file_okay=False)
    ] = None,
) -> None:
    """Measure speed as ratios that hold on any machine; prints tables and whether each demand is met."""
    if not (CLONE / "benchmarks" / "groups.py").is_file():
        raise ValueError(f"the benchmarks are not part of an installed package; run from a clone (none at {CLONE})")
    sys.path.insert(0, str(CLONE))
    from benchmarks.groups import RESULTS, run

    run(group or [], root, threads=threads, rounds=rounds, device=device, out=out or RESULTS)


def main() -> None:
    """Entry point: exit status 0 only on success, errors as one line, the traceback behind --debug."""
    with stopping.listening():
        try:
            app()
        except Exception as error:
            if not stopping.was_asked():  # or it is what a library makes of the signal
                _tell(error)
            sys.exit(1)


def _tell(error: Exception) -> None:
    """An error as one line."""
    if os.environ.get("MAAM_DEBUG"):
        traceback.print_exception(error)
    kind = "" if isinstance(error, ValueError | RuntimeError | OSError) else f"{type(error).__name__}: "
    device = f" on device {rank}" if (rank := os.environ.get("LOCAL_RANK", "0")) != "0" else ""
    sys.stderr.write(f"maam: error{device}: {kind}{' '.join(str(error).split())}\n")  # at once: others write too


def _detector(run: str, root: Path) -> tuple[Any, Any]:
    """The detector and the network of a run, or of the kit's own weights by the name of their recipe."""
    from maam_lib.detector import DetectionError
    from maam_lib.grid import kept_weights, reference_detector, reference_network
    from maam_lib.training import RunFolder
    from maam_lib.video.scorer import run_network

    if not Path(run).exists():
        if run in kept_weights():
            return reference_detector(run), reference_network(run)[1]
        raise DetectionError(
            f"{run}: no run here; train one with `maam train RECIPE --run {run}`, or name weights that come with the "
            f"kit: {', '.join(kept_weights())}"
        )
    return run_network(RunFolder.open(Path(run)), root)


def _parameters(pairs: list[str]) -> dict[str, Any]:
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
    print(
        f"epoch {row['epoch']:3.0f}  loss {row['total']:.4f}  appearance {row['appearance']:.4f}  "
        f"motion {row['motion']:.4f} (no motion: {row['zero_flow']:.4f})  support items {row['support_items']:.0f}  "
        f"{row['frames_per_second']:.0f} frames/s",
        flush=True,
    )
