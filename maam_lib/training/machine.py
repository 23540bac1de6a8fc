"""Where and how a network was trained: the part of run.json that results carry with them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hash = Annotated[str, Field(max_length=128, pattern="^[0-9A-Za-z]+$")]


class Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Machine(Part):
    """Where and how a network was trained."""

    processor: str | None = None
    gpu: str | None = None
    platform: str | None = None
    precision: str | None = None
    training_seconds: Amount | None = None
    weights_from: str = ""
    data: "_TrainedOn | None" = None


class _TrainedOn(Part):
    content_hash: Hash
