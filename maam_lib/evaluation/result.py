"""What the kit's JSON files of results hold, checked whole where a file is read, before a table or page takes a number.

`Result` is a metrics.json or seed0.json, `NoLearning` a no_learning.json, `Machine` what run.json says, `Cost` a
cost.json, `Plan` and `Word` what a sweep leaves. Keys that are not named here are kept as they are.
"""

from typing import Annotated, Any

from pydantic import Field, JsonValue, model_validator

from data_prep.layout import Name
from maam_lib import metrics
from maam_lib.evaluation.protocols import Smoothing
from maam_lib.training import Amount, Hash, Machine, Part

Rate = Annotated[float, Field(ge=0, le=1)]  # AUC and its like
Gain = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Data(Part):
    name: str
    content_hash: Hash
    scored_frames: Count | None = None


class Row(Part):
    auc: Rate
    eer: Rate


class MotionError(Part):
    """Relative to predicting no motion; not a number where nothing moves."""

    train: float
    test_normal: float


class ByPart(Part):
    """The width of the largest errors on training frames and on held-out normal ones, in patch sums."""

    train: Amount
    held_out: Amount


class Widths(ByPart):
    """The same relative to no learning; `ratio` is held out over training."""

    ratio: Amount | None
    no_learning: ByPart


class Generalisation(Part):
    """What clips say that were held back from training (`training.hold_out`), without labels."""

    clips: list[str]
    frames: Count
    motion: Widths | None = None
    appearance: Widths | None = None
    above_threshold: Rate | None = None  # share of held-out frames; by the rule, 1 % of the training frames are


class Memory(Part):
    items: Count
    support_items: Amount
    reintegration_auc: Rate | None = None


class Protocol(Part):
    auc: str
    complete: bool


class UnderProtocol(Part):
    auc: Rate | None
    auc_appearance: Rate | None = None
    auc_motion: Rate | None = None
    eer: Rate | None = None
    average_precision: Rate | None = None
    auc_interval: tuple[Rate, Rate] | None = None
    learning_adds_interval: tuple[Gain, Gain] | None = None
    no_learning: dict[Name, Rate] = Field(default_factory=dict)
    clips: Count = 0
    single_class_clips: Count = 0


class WholeFrame(Part):
    auc: Rate


class Places(Part):
    pixel_auc: Rate | None = None
    pixel_auc_ucsd: Rate | None = None
    rbdc: Rate | None = None
    tbdc: Rate | None = None


class Localisation(Places):
    no_learning: Places


class Epoch(Part):
    """After one epoch, for showing only."""

    epoch: Count
    auc: Rate
    auc_appearance: Rate
    auc_motion: Rate
    motion_error_to_zero_flow: MotionError
    best_on_test: bool = False
    generalisation: Generalisation | None = None


class Scoring(Part):
    """The same network under other scoring settings; `number` is the place in docs/differences.md."""

    number: Count | None
    what: str
    auc: Rate
    eer: Rate
    best_no_learning: str = ""
    best_no_learning_auc: Rate


class Seconds(Part):
    training: Amount
    measuring: Amount
    cpu: Amount | None = None  # of the process, however busy the machine


class Result(Part):
    """What `evaluate` measured of one network, the settings it was trained with, and the machine if that was kept."""

    recipe: str
    recipe_hash: Hash
    seed: Seed
    data: Data
    auc: Rate
    eer: Rate
    auc_appearance: Rate
    auc_motion: Rate
    motion_error_to_zero_flow: MotionError
    no_learning: dict[Name, Row]
    best_no_learning: str
    learning_adds: Gain
    memory: Memory | None
    protocol: Protocol
    epoch: Count | None = None
    psi: Rate | None = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    protocols: dict[metrics.Protocol, UnderProtocol] = Field(default_factory=dict)
    smoothed: dict[Smoothing, dict[metrics.Protocol, UnderProtocol]] = Field(default_factory=dict)
    generalisation: Generalisation | None = None
    whole_frame: WholeFrame | None = None
    localisation: Localisation | None = None
    curve: list[Epoch] = Field(default_factory=list)
    scoring: dict[str, Scoring] = Field(default_factory=dict)
    seconds: Seconds | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)  # of the recipe, section by section
    machine: Machine = Machine()

    @model_validator(mode="after")
    def _names_its_rows(self) -> "Result":
        for name in (self.best_no_learning, *(["zero_flow"] if self.curve else [])):
            if name not in self.no_learning:
                raise ValueError(f"expected a no_learning row {name!r:.80}")
        if self.scoring and "as is" not in self.scoring:
            raise ValueError("expected a scoring row 'as is'")
        return self

    @property
    def best(self) -> Row:
        """The row without learning that has the highest AUC."""
        return self.no_learning[self.best_no_learning]

    def as_json(self) -> dict[str, Any]:
        """What its file holds."""
        return self.model_dump(mode="json", exclude_unset=True)

    def with_values(self, **values: Any) -> "Result":
        """The same with other or more values, checked."""
        return Result.model_validate(self.as_json() | values)


class NoLearningRow(Part):
    """What one row without learning gives; `psi` where it fuses, places where masks are known."""

    protocols: dict[metrics.Protocol, UnderProtocol]
    smoothed: dict[Smoothing, dict[metrics.Protocol, UnderProtocol]]
    psi: Rate | None = None
    localisation: Places | None = None

    @model_validator(mode="after")
    def _has_the_first_protocol(self) -> "NoLearningRow":
        if "micro" not in self.protocols or self.micro.auc is None or self.micro.eer is None:
            raise ValueError("expected the AUC and EER of the protocol micro")
        return self

    @property
    def micro(self) -> UnderProtocol:
        """Raw scores of all test frames together."""
        return self.protocols["micro"]


class NoLearning(Part):
    """The rows without learning of one prepared dataset under a recipe's data and scoring; no network, no training."""

    recipe: str
    data: Data
    protocol: Protocol
    rows: dict[Name, NoLearningRow]
    absent: dict[Name, str]  # rows that could not be measured, and why
    machine: Machine
    seconds: Amount
    settings: dict[str, JsonValue]  # of the recipe's sections data and scoring

    def as_json(self) -> dict[str, Any]:
        """What its file holds."""
        return self.model_dump(mode="json", exclude_unset=True)


class Work(Part):
    """Multiply-adds for one frame: of the whole network, and of the memory in it."""

    network: Annotated[int, Field(gt=0, le=10**15)]
    memory: Count


class Speed(Part):
    """Frames per second of wall time."""

    network: Amount
    with_pscd: Amount
    end_to_end: Amount


class Cost(Part):
    """Sizes and speeds of a recipe's network on one machine (Table 4)."""

    device: str
    threads: Count
    parameters: Count
    multiply_adds: Work
    frames_per_second: Speed
    flow_estimator: str


class PlannedCell(Part):
    variant: Name
    seed: Seed
    recipe_hash: Hash
    done: bool = False


class Plan(Part):
    """The cells of a sweep."""

    workers: Annotated[int, Field(ge=1, le=10**6)]
    content_hash: Hash
    cells: list[PlannedCell]


class Word(Part):
    """What a worker leaves of a cell that it works on: which process, since when (seconds since 1970), how far."""

    host: str
    pid: Annotated[int, Field(ge=0, lt=2**31)]
    process_began: Amount
    began: Amount
    seen: Amount
    epoch: Count
    epochs: Count
