"""Sliders over the method: thin shells of ipywidgets around plain functions. Nothing else here imports ipywidgets."""

from maam_lib.explorers.memory import MemoryExplorer
from maam_lib.explorers.player import player
from maam_lib.explorers.scores import ScoreExplorer
from maam_lib.explorers.training import TrainingPanel

__all__ = ["MemoryExplorer", "ScoreExplorer", "TrainingPanel", "player"]
