"""Sliders over the method: thin shells of ipywidgets around plain functions. Nothing else here imports ipywidgets."""

from maam_lib.playground.explorers.memory import MemoryExplorer
from maam_lib.playground.explorers.player import player
from maam_lib.playground.explorers.scores import ScoreExplorer
from maam_lib.playground.explorers.training import TrainingPanel
