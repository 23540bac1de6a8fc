"""MAAM-Net as code: one module per noun of the paper. The names below are what the notebooks import."""

from importlib import import_module
from typing import Any

import data_prep  # noqa: F401  before torch: it sets how torch's threads wait
from maam_lib.version import __version__

# Loaded when first used, so that `import maam_lib` costs nothing and the command line starts at once.
_HOME = {
    "Evaluator": "evaluation",
    "FrameFlowDataset": "data",
    "MAAMNet": "model",
    "PreparedDataset": "data",
    "Recipe": "config",
    "RunFolder": "runs",
    "build_network": "training",
    "dataset_for": "training",
    "evaluate": "evaluation",
    "find_dataset": "data",
    "fit": "training",
    "load_recipe": "config",
    "network_predictor": "evaluation",
    "recipe_names": "config",
    "record": "reporting",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
