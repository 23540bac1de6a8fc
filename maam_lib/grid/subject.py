"""A trained network and the dataset that it is shown on: a run's, or the kit's where there is no run (ours).

So the chapters that look at a network, and the app, open at once on a machine where nothing was trained.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import file_sha256
from data_prep.prepare import prepare
from maam_lib.config import Recipe
from maam_lib.data import PreparedDataset
from maam_lib.evaluation import Evaluator, Result
from maam_lib.grid.results import BASE, REFERENCE, WEIGHTS, read_result, reference_network
from maam_lib.model import MAAMNet
from maam_lib.training import RunFolder, build_network, dataset_for


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode, its recipe, and the prepared dataset of that recipe."""

    plan: Recipe
    net: MAAMNet
    prepared: PreparedDataset
    is_own: bool  # trained here, and not the network that comes with the kit
    name: str  # sha256 of weights and settings
    folder: Path  # of the run, or of the kept weights

    @property
    def evaluator(self) -> Evaluator:
        """Scores predictors on the dataset under the recipe."""
        return Evaluator(self.plan, self.prepared)

    @property
    def words(self) -> str:
        """In one line, which network this is."""
        if self.is_own:
            return f"{self.plan.name}: your own run in {self.folder}"
        return f"{self.plan.name}: the network that comes with the kit, since there is no run of your own"

    @property
    def result(self) -> Result:
        """What `maam evaluate` measured of this network; raises ResultError, with the remedy, where it has not yet."""
        return read_result(self.folder / "metrics.json" if self.is_own else self.folder / BASE / "seed0.json")


def recipe_file(run: Path, weights: str) -> Path:
    """The recipe of a run, or of the kept weights of that name where there is no such run with a finished epoch."""
    own = Path(run) / "recipe.yaml"
    return own if own.is_file() and RunFolder(Path(run)).kept_epochs else REFERENCE / weights / "recipe.yaml"


def subject_of(run: Path, weights: str, root: Path) -> Subject:
    """The network of a run, or the kept weights of that name where there is none, and its dataset below `root`.

    The generated scene is made there if it is missing. Raises RunError, ResultError, DatasetError, SettingError.
    """
    is_own = recipe_file(run, weights).parent == Path(run)
    if is_own:
        done = RunFolder.open(run)
        plan, file = done.recipe, done.weights_file()
        net = build_network(plan).eval()
        done.load_weights(net)
    else:
        plan, net = reference_network(weights)
        file = REFERENCE / weights / WEIGHTS
    if plan.data.dataset == "synthetic" and not (Path(root) / "synthetic").is_dir():
        prepare("synthetic", None, Path(root), progress=False)
    name = hashlib.sha256(f"{file_sha256(file)} {plan.to_yaml()}".encode()).hexdigest()
    folder = Path(run) if is_own else REFERENCE / weights
    return Subject(plan, net, dataset_for(Path(root), plan), is_own, name, folder)
