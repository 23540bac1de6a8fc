"""The forms of the files that results are read from, checked whole before any table, claim or page takes a number.

`Result` is a metrics.json or seed0.json, `Machine` what run.json says, `Cost` a cost.json, `Plan` and `Word` what a
sweep leaves. Keys that are not named here are kept as they are.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from data_prep.layout import Name
from maam_lib.training import Amount, Hash, Machine, Part

Rate = Annotated[float, Field(ge=0, le=1)]  # AUC and its like
Gain = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class _Data(Part):
    name: str
    content_hash: Hash
    scored_frames: Count | None = None


class _Row(Part):
    auc: Rate
    eer: Rate


class _MotionError(Part):
    """Relative to predicting no motion; not a number where nothing moves."""

    train: float
    test_normal: float


class _Memory(Part):
    items: Count
    support_items: Amount
    reintegration_auc: Rate | None = None


class _Protocol(Part):
    auc: str
    complete: bool


class _UnderProtocol(Part):
    auc: Rate | None
    eer: Rate | None = None
    average_precision: Rate | None = None
    auc_interval: tuple[Rate, Rate] | None = None
    learning_adds_interval: tuple[Gain, Gain] | None = None
    no_learning: dict[Name, Rate] = Field(default_factory=dict)
    clips: Count = 0
    single_class_clips: Count = 0


class _WholeFrame(Part):
    auc: Rate


class _Places(Part):
    pixel_auc: Rate | None = None
    pixel_auc_ucsd: Rate | None = None
    rbdc: Rate | None = None
    tbdc: Rate | None = None


class _Localisation(_Places):
    no_learning: _Places


class _Epoch(Part):
    epoch: Count
    auc: Rate
    auc_appearance: Rate
    auc_motion: Rate
    motion_error_to_zero_flow: _MotionError


class _Scoring(Part):
    number: Count | None
    what: str
    auc: Rate
    eer: Rate
    best_no_learning_auc: Rate


class _Seconds(Part):
    training: Amount
    measuring: Amount


class Result(Part):
    """What `evaluate` measured of one network."""

    recipe: str
    recipe_hash: Hash
    seed: Seed
    data: _Data
    auc: Rate
    eer: Rate
    auc_appearance: Rate
    auc_motion: Rate
    motion_error_to_zero_flow: _MotionError
    no_learning: dict[Name, _Row]
    best_no_learning: str
    learning_adds: Gain
    memory: _Memory | None
    protocol: _Protocol
    epoch: Count | None = None
    psi: Rate | None = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    protocols: dict[Literal["micro", "micro_per_clip", "macro"], _UnderProtocol] = Field(default_factory=dict)
    whole_frame: _WholeFrame = _WholeFrame(auc=0)
    localisation: _Localisation | None = None
    curve: list[_Epoch] = Field(default_factory=list)
    scoring: dict[str, _Scoring] = Field(default_factory=dict)
    seconds: _Seconds = _Seconds(training=0, measuring=0)
    settings: dict[str, Any] = Field(default_factory=dict)
    machine: Machine = Machine()

    @model_validator(mode="after")
    def _names_its_rows(self) -> "Result":
        for name in (self.best_no_learning, *(["zero_flow"] if self.curve else [])):
            if name not in self.no_learning:
                raise ValueError(f"expected a no_learning row {name!r:.80}")
        if self.scoring and "as is" not in self.scoring:
            raise ValueError("expected a scoring row 'as is'")
        return self


class _Work(Part):
    network: Annotated[int, Field(gt=0, le=10**15)]
    memory: Count


class _Speed(Part):
    network: Amount
    with_pscd: Amount
    end_to_end: Amount


class Cost(Part):
    """Sizes and speeds of a recipe's network on one machine (Table 4)."""

    device: str
    threads: Count
    parameters: Count
    multiply_adds: _Work
    frames_per_second: _Speed
    flow_estimator: str


class _PlannedCell(Part):
    variant: Name
    seed: Seed
    recipe_hash: Hash
    done: bool = False


class Plan(Part):
    """The cells of a sweep."""

    workers: Annotated[int, Field(ge=1, le=10**6)]
    content_hash: Hash
    cells: list[_PlannedCell]


class Word(Part):
    """What a worker leaves of a cell that it works on: which process, since when (seconds since 1970), how far."""

    host: str
    pid: Annotated[int, Field(ge=0, lt=2**31)]
    process_began: Amount
    began: Amount
    seen: Amount
    epoch: Count
    epochs: Count
