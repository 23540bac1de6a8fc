"""Sliders over the method: plain views, and the ipywidgets around them (`explorers`)."""

from maam_lib.playground.background import as_command, training_words
from maam_lib.playground.comparison import compared, runs_under
from maam_lib.playground.explorers.app import app
from maam_lib.playground.explorers.bets import BetForm
from maam_lib.playground.explorers.comparison import RunComparison
from maam_lib.playground.explorers.memory import MemoryExplorer
from maam_lib.playground.explorers.napkin import NapkinExplorer
from maam_lib.playground.explorers.player import player
from maam_lib.playground.explorers.scores import ScoreExplorer
from maam_lib.playground.explorers.training import TrainingPanel
from maam_lib.playground.memory_view import Addressing, MemoryView
from maam_lib.playground.napkin import Napkin, as_vectors, napkin
from maam_lib.playground.rescoring import Rescorer, ScoreChoice, rescorer_for
from maam_lib.playground.score_view import ScoreView
from maam_lib.playground.settings_form import form_fields
