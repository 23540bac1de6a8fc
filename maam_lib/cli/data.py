"""Commands about datasets: from what was downloaded to a prepared dataset."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from maam_lib.cli.options import DEFAULT_ROOT, Root, app

Difficulty = Annotated[
    str | None,
    Option(help="Generated scenes only: easy, standard or hard. Each is a separate dataset, as synthetic-hard."),
]


@app.command()
def download(
    dataset: Annotated[str, Argument(help="ped1, ped2 or avenue; for shanghaitech, the steps to do by hand.")],
    to: Annotated[Path, Option(help="Folder for the archives.", file_okay=False)],
) -> None:
    """Download a dataset's official archives. An interrupted download resumes; every archive is checked."""
    from data_prep.download import download as fetch
    from data_prep.download import terms

    print(terms(dataset), flush=True)
    for path in fetch(dataset, to):
        print(f"downloaded: {path}")
    print(f"next: maam prepare {dataset} --source {to}")


@app.command()
def prepare(
    dataset: Annotated[
        str, Argument(help="A generated scene (synthetic ...), ped1, ped2, avenue, shanghaitech or videos.")
    ],
    source: Annotated[Path | None, Option(help="The official archive, or its folder, packed or unpacked.")] = None,
    root: Root = DEFAULT_ROOT,
    flow: Annotated[str, Option(help="Optical-flow estimator: dis, dis-fast, farneback, exact ...")] = "dis",
    size: Annotated[
        tuple[int, int] | None,
        Option(metavar="H W", help="Stored size; if left out, the source's (your videos: shorter side 120)."),
    ] = None,
    labels: Annotated[
        Path | None, Option(help="avenue only: frame intervals (avenue.mat) instead of the official masks.")
    ] = None,
    allow_incomplete: Annotated[bool, Option(help="Accept that whole clips are missing.")] = False,
    workers: Annotated[int | None, Option(min=1, help="Number of processes; one per core if left out.")] = None,
    scheduler: Annotated[
        str | None, Option(metavar="tcp://HOST:PORT", help="Dask scheduler whose workers to use.")
    ] = None,
    difficulty: Difficulty = None,
) -> None:
    """Turn a download into a prepared dataset. Also prepares folders of your own videos, and generated scenes."""
    from data_prep.prepare import notes
    from data_prep.prepare import prepare as prepare_dataset

    folder = prepare_dataset(
        _named(dataset, difficulty),
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
def import_flow(
    dataset: Annotated[Path, Argument(help="Folder of a prepared dataset, or its name under --root.")],
    flow_dir: Annotated[Path, Option(help="Flow as <split>/<clip>/*.flo or *.npy, or <split>/<clip>.npy.")],
    name: Annotated[str | None, Option(help="Name of the flow estimator; from flow.json if left out.")] = None,
    units: Annotated[
        tuple[int, int] | None,
        Option(metavar="H W", help="Frame size whose pixels the vectors count; that of the files if left out."),
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Import flow estimated elsewhere (FlowNet2 ...). Compares it with DIS, then makes a new prepared dataset."""
    from data_prep.flow_import import plan_import, write_import

    source = root / dataset if (root / dataset).is_dir() else dataset
    plan = plan_import(source, flow_dir, name=name, units=units)
    print(plan, flush=True)
    folder = write_import(plan)
    print(f"prepared: {folder}; use it with --set data.flow={plan.manifest.flow.estimator}")


@app.command()
def verify(
    dataset: Annotated[str | None, Argument(help="Name of a dataset; all under --root if left out.")] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Check prepared datasets. Reads every array again and compares it with all that is known of it."""
    from data_prep.layout import MANIFEST, REPAIR
    from data_prep.verify import prepared_folders
    from data_prep.verify import verify as verify_dataset

    folders = prepared_folders(root, dataset)
    reports = [verify_dataset(folder) for folder in folders]
    print(*reports, sep="\n")
    broken = [folder for folder, report in zip(folders, reports, strict=True) if not report.intact]
    if broken:
        print(*(f"{folder}: {REPAIR.format(folder / MANIFEST)}" for folder in broken), sep="\n")
        raise Exit(1)


@app.command()
def card(
    dataset: Annotated[str, Argument(help="A generated scene: synthetic, synthetic-avenue ...")] = "synthetic",
    difficulty: Difficulty = None,
) -> None:
    """Show what a generated scene contains. Lists clips, people, speeds, and every event."""
    from data_prep.scenes import scene_card

    print(scene_card(_named(dataset, difficulty)))


def _named(dataset: str, difficulty: str | None) -> str:
    """The name of the dataset: a scene's with its difficulty, others as they are."""
    from data_prep.scenes import dataset_name

    return dataset if difficulty is None else dataset_name(dataset, difficulty)
