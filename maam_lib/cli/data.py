"""Commands about datasets: from what was downloaded to a prepared dataset."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from maam_lib.cli.options import DEFAULT_ROOT, Root, app

Difficulty = Annotated[
    str | None, Option(help="Of a generated scene: easy, standard or hard; a dataset of its own, as synthetic-hard.")
]


@app.command()
def download(
    dataset: Annotated[str, Argument(help="ped1, ped2, avenue or shanghaitech (which is by hand: the steps).")],
    to: Annotated[Path, Option(help="Folder for the archives.", file_okay=False)],
) -> None:
    """Fetch a dataset's official archives from its own page, resumed after a break and checked."""
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
        tuple[int, int] | None, Option(metavar="H W", help="Stored size; native if left out, of videos 120 high.")
    ] = None,
    labels: Annotated[
        Path | None, Option(help="avenue: frame intervals (avenue.mat) in place of the official masks.")
    ] = None,
    allow_incomplete: Annotated[bool, Option(help="Accept that whole clips are absent.")] = False,
    workers: Annotated[int | None, Option(min=1, help="Processes; all cores if left out.")] = None,
    scheduler: Annotated[
        str | None, Option(metavar="tcp://HOST:PORT", help="A Dask scheduler whose workers do the work.")
    ] = None,
    difficulty: Difficulty = None,
) -> None:
    """Turn a dataset as downloaded, or a folder of your own videos, into a prepared dataset."""
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
    name: Annotated[str | None, Option(help="The estimator's name; from flow.json if left out.")] = None,
    units: Annotated[
        tuple[int, int] | None,
        Option(metavar="H W", help="Vectors count pixels of this frame size; the files' own if left out."),
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
def verify(
    dataset: Annotated[str | None, Argument(help="Name of a dataset; all under the root if left out.")] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Read prepared datasets again and compare every array with all that is known of it."""
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
    """Tell what a generated scene contains: clips, people, speeds, and every event."""
    from data_prep.scenes import scene_card

    print(scene_card(_named(dataset, difficulty)))


def _named(dataset: str, difficulty: str | None) -> str:
    """The name of the dataset: a scene's with its difficulty, others as they are."""
    from data_prep.scenes import dataset_name

    return dataset if difficulty is None else dataset_name(dataset, difficulty)
