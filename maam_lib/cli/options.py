"""The command line's app, which each module of commands adds to, and the options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

app = Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
DEFAULT_ROOT, DEFAULT_SWEEP = Path("data"), Path("runs/sweep")

Root = Annotated[Path, Option(envvar="MAAM_ROOT", help="Folder of prepared datasets.", file_okay=False)]
Recipe = Annotated[str, Argument(help="Name of a recipe, or path of a .yaml file.")]
Settings = Annotated[
    list[str] | None, Option("--set", metavar="SECTION.KEY=VALUE", help="Changes a setting; may be repeated.")
]


@app.callback()
def options(debug: Annotated[bool, Option(help="Show the traceback of an error.")] = False) -> None:
    """MAAM-Net kit: prepare data, train, evaluate, run the lessons, and score any video."""
    if debug:
        os.environ["MAAM_DEBUG"] = "1"
