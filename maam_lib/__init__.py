"""MAAM-Net as code: one module per noun of the paper. The names below are what the notebooks import."""

from importlib import import_module
from pathlib import Path
from typing import Any

from data_prep import __version__  # before torch: it sets how torch's threads wait

CLONE = Path(__file__).parents[1]  # the folder of the clone; of an installed package, site-packages


def in_clone(*parts: str) -> Path:
    """A file or folder of the clone that no package has; raises RuntimeError where the kit was installed without it."""
    if not (path := CLONE.joinpath(*parts)).exists():
        raise RuntimeError(f"{'/'.join(parts)} is not part of an installed package; run from a clone (none at {CLONE})")
    return path


# Loaded when first used, so that `import maam_lib` costs nothing and the command line starts at once.
_HOME = {
    "Evaluator": "evaluation",
    "FrameFlowDataset": "data",
    "MAAMNet": "model",
    "PreparedDataset": "data",
    "Recipe": "config",
    "RunFolder": "training",
    "build_network": "training",
    "dataset_for": "training",
    "evaluate": "evaluation",
    "explain": "notebook",
    "find_dataset": "data",
    "fit": "training",
    "load_recipe": "config",
    "network_predictor": "evaluation",
    "recipe_names": "config",
    "record": "notebook",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
