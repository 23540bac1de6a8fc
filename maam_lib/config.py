"""Every hyperparameter, once: typed, bounded, with its unit and origin; recipes are loaded and checked here."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data_prep.layout import Channels, Name
from maam_lib.recipes import FOLLOWED, Followed, PlainYamlError, SettingError, laid_over, plain_yaml, recipe_tree
from maam_lib.recipes import recipe_names as recipe_names  # an old name of this module, for others

Origin = Literal["paper", "released code", "ours"]
Positive = Annotated[int, Field(gt=0)]


def knob(origin: Origin, default: Any, text: str, unit: str = "", *, differs: int | None = None, **bounds: Any) -> Any:
    """One hyperparameter: where its default comes from, the default, what it does, its unit and bounds.

    `differs` is the number in docs/differences.md under which paper and released code disagree on it, or an extension
    of ours is described.
    """
    extra = {"origin": origin, "unit": unit, "differs": differs}
    return Field(default, description=text, json_schema_extra=extra, **bounds)


paper, released, ours = (partial(knob, origin) for origin in get_args(Origin))


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, protected_namespaces=())


class DataSettings(Section):
    dataset: Name = ours("synthetic", "name of the prepared dataset")
    height: int = paper(96, "height of the stored frames", "pixels", ge=16, le=4096)
    width: int = paper(144, "width of the stored frames", "pixels", ge=16, le=4096)
    channels: Channels = paper(3, "channels that the network sees: 1 gray, 3 colour (Table 1)", differs=27)
    flow: Name = ours("dis", "optical-flow estimator of the prepared dataset (the paper: FlowNet2)", differs=17)
    drop_last: int = paper(
        1, "frames left out at the end of each clip (Sec. 3.2.1; Avenue released: 2)", "frames", differs=16, ge=1, le=16
    )
    follow: tuple[Followed, ...] = ours(
        (),
        "settings to take from the prepared data before training; true means all of them. A setting is not taken if "
        "the recipe file, a file that extends it, or --set states it",
    )

    @field_validator("follow", mode="before")
    @classmethod
    def _all_or_none(cls, value: Any) -> Any:
        """True and false as well as names; earlier kits wrote false into the recipe of every run."""
        if isinstance(value, bool):
            return FOLLOWED if value else ()
        return tuple(value) if isinstance(value, list) else value


class ModelSettings(Section):
    num_items: int = paper(500, "N, memory items (500 on Ped2, 2000 elsewhere)", "items", ge=1, le=100_000)
    base_channels: int = paper(
        64, "filters of the first convolution; the other layers scale with it (Table 1)", "channels", ge=1, le=512
    )
    similarity: Literal["cosine", "released"] = paper("cosine", "Eq. 1, or what the released code computes", differs=1)
    temperature: float = paper(
        1.0, "divides the similarities before the softmax of Eq. 2; 1 is the paper's form", gt=0, le=100
    )
    shrink_threshold: float | None = paper(None, "lambda of Eq. 3; none means 1/N", differs=2, ge=0, lt=1)
    use_memory: bool = paper(
        True, "whether there is a memory; without it the decoders get the query itself (Table 2)", differs=5
    )
    dropout: float = paper(0.3, "share of decoder activations set to 0 in training (Table 1)", differs=6, ge=0, lt=1)
    norm_momentum: float = released(0.01, "weight of a new batch in the batch-norm statistics", gt=0, le=1)


class LossSettings(Section):
    branches: Literal["both", "appearance", "motion"] = paper(
        "both", "decoders that are trained; one trained alone is scored alone, as in Table 5"
    )
    motion_weight: float = paper(2.0, "lambda_m of Eq. 7", ge=0, le=1e6)
    sparse_weight: float = paper(3e-4, "alpha of Eq. 10", ge=0, le=1e6)
    latent_weight: float = paper(1e-3, "beta of Eq. 10", ge=0, le=1e6)
    margin: float = paper(0.1, "zeta of Eq. 9 (Sec. 4.3 also says 0.001)", ge=0, le=1)
    motion_target: Literal["flow", "speed"] = ours(
        "flow",
        "what the motion decoder predicts: the flow, or its length (speed), because one frame does not show a "
        "direction. The error of speed keeps its sign: only what is faster than predicted scores high",
        differs=28,
    )
    motion_form: Literal["pixels", "patches"] = ours(
        "pixels",
        "what the motion loss (Eq. 6) compares: every pixel, or means over whole patches (scoring.patch) that lie a "
        "quarter of a patch apart, for a flow the mean of each component",
        differs=28,
    )
    sparse_form: Literal["paper", "released"] = paper("paper", "Eq. 8, or its mean over all entries", differs=9)
    latent_form: Literal["paper", "released", "attract"] = paper(
        "paper",
        "Eq. 9 per query, what the released code computes, or 1 - cos (this kit's, for comparison; no. 11)",
        differs=10,
    )


class TrainingSettings(Section):
    epochs: int = paper(50, "passes over the training frames", "epochs", ge=1, le=10_000)
    batch_size: int = released(15, "frames per optimiser step, over all devices", "frames", ge=1)
    learning_rate: float = paper(2e-5, "Adam's constant learning rate", gt=0, le=1)
    adam_form: Literal["paper", "released"] = paper(
        "paper", "where Adam adds its epsilon: as in Kingma and Ba's Algorithm 1, or as in TensorFlow", differs=14
    )
    precision: Literal["float32", "bfloat16"] = ours(
        "float32", "number format of the convolutions; on a GPU, float32 multiplies in TF32"
    )
    seed: int = ours(0, "seed of all randomness: initial values, frame order, dropout", differs=12, ge=0, lt=2**31)
    augment: bool = ours(
        False,
        "whether training frames are mirrored, shifted and changed in contrast and brightness at random; their flow "
        "is mirrored and shifted with them",
        differs=28,
    )
    hold_out: int = ours(
        0,
        "number of training clips, the last by name, that are held out of training and calibration. The spread of the "
        "largest errors on them, compared with that on training frames, shows without labels whether a network learns "
        "its clips by heart",
        "clips",
        ge=0,
        le=10_000,
    )
    keep_epochs: int = ours(
        20,
        "number of epochs whose weights are kept on disk, spread evenly up to the last; they are the points of the "
        "curve over epochs. It changes no result, so the recipe's hash leaves it out",
        "epochs",
        ge=1,
        le=10_000,
    )

    @field_validator("precision", mode="before")
    @classmethod
    def _auto_is_the_default(cls, value: Any) -> Any:
        """Earlier kits wrote "auto", which took the format by the processor."""
        return "float32" if value == "auto" else value


class ScoringSettings(Section):
    patch: tuple[Positive, Positive] = paper(
        (24, 12), "patch of Algorithm 1 (height, width): a person's size", "pixels", differs=19
    )
    stride: tuple[Positive, Positive] | None = paper(
        None, "step of the patch; none means patch/4", "pixels", differs=19
    )
    padding: Literal["same", "valid"] = released(
        "same", "whether patches may extend over the border (same) or not (valid)", differs=20
    )
    psi: float | None = ours(
        None, "weight of appearance in the fused score; none: calibrated on training errors", differs=21, ge=0, le=1
    )
    alarm_quantile: float = ours(
        0.99, "share of training frames that must stay below the threshold tau of Eq. 12", gt=0, lt=1
    )


class Recipe(Section):
    """A named, complete set of settings."""

    name: Name
    about: str = ""
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    training: TrainingSettings = TrainingSettings()
    scoring: ScoringSettings = ScoringSettings()

    @model_validator(mode="after")
    def _scores_what_is_trained(self) -> "Recipe":
        only = {"both": None, "appearance": 1, "motion": 0}[self.loss.branches]
        if only is not None and self.scoring.psi != only:
            raise ValueError(
                f"loss.branches = {self.loss.branches} trains one branch, so only that one can be scored; "
                f"set scoring.psi={only} as well"
            )
        return self

    @model_validator(mode="after")
    def _compared_patches_fit(self) -> "Recipe":
        (height, width), frame, follow = self.scoring.patch, (self.data.height, self.data.width), self.data.follow
        known = {"data.height", "data.width", "scoring.patch"}.isdisjoint(follow)  # else checked once they are
        if self.loss.motion_form == "patches" and known and (height > frame[0] or width > frame[1]):
            raise ValueError(
                f"loss.motion_form = patches compares whole patches, and scoring.patch = {height}x{width} does not fit "
                f"into frames of {frame[0]}x{frame[1]}; set a smaller scoring.patch, or loss.motion_form=pixels"
            )
        return self

    def with_settings(self, *overrides: str) -> "Recipe":
        """The same recipe with `section.key=value` overrides; raises SettingError naming a wrong one."""
        tree = self.model_dump(mode="json")
        return _validated(laid_over(tree, _stated(overrides)), f"recipe {self.name}")

    def hash(self) -> str:
        """Twelve hex digits that change with any setting that can change a result.

        Only settings away from their default count: a setting that the kit gains later, at a default that changes
        nothing, leaves the hash of earlier recipes as it was. So a default, once there, is never changed.
        """
        tree = self.model_dump(mode="json", exclude={"name", "about"}, exclude_defaults=True)
        tree.get("training", {}).pop("keep_epochs", None)
        settings = {section: values for section, values in tree.items() if values}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    def to_yaml(self) -> str:
        """The resolved recipe, every setting written out."""
        return plain_yaml.written(self.model_dump(mode="json"))


SECTIONS: dict[str, type[Section]] = {
    name: info.annotation
    for name, info in Recipe.model_fields.items()
    if isinstance(info.annotation, type) and issubclass(info.annotation, Section)
}


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Every setting of a recipe: `section.key` -> value, pairs as lists."""
    tree = recipe.model_dump(mode="json", include=set(SECTIONS))
    return {f"{section}.{key}": value for section, part in tree.items() for key, value in part.items()}


def differences(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    """Settings in which two recipes differ, name and description apart: `section.key` -> (before, after)."""
    new = settings_of(after)
    return {key: (old, new[key]) for key, old in settings_of(before).items() if old != new[key]}


def load_recipe(name: str | Path, *overrides: str) -> Recipe:
    """A recipe by its name, or from a YAML file, with `section.key=value` overrides applied.

    A recipe file holds only what differs from the defaults, or from the recipe it `extends`: one of the kit's by name,
    or a file, looked for beside this one and then from the working folder.
    Raises SettingError for an unknown recipe, key, type or value, naming it and what is allowed.
    """
    return _validated(recipe_tree(name), f"recipe {name}").with_settings(*overrides)


def _stated(overrides: Sequence[str]) -> dict[str, Any]:
    """`section.key=value` overrides as the tree of a recipe."""
    tree: dict[str, Any] = {}
    for override in overrides:
        path, separator, text = override.partition("=")
        section, dot, key = path.strip().partition(".")
        if not separator or not dot:
            raise SettingError(f"cannot read the setting {override!r}; write section.key=value, as model.num_items=100")
        if section not in SECTIONS:
            raise SettingError(
                f"unknown setting {path.strip()}: no section {section!r}; sections: {', '.join(SECTIONS)}"
            )
        try:
            tree.setdefault(section, {})[key] = plain_yaml.parse(text)
        except PlainYamlError as error:
            raise SettingError(f"cannot read the value of the setting {override!r:.80}: {error}") from error
    return tree


def _validated(tree: dict[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        raise SettingError(f"{where}: {'; '.join(_explain(e) for e in error.errors())}") from error


def _explain(error: Any) -> str:
    """One pydantic error as: key, value, what is allowed."""
    path = f"{'.'.join(str(part) for part in error['loc']):.200}"
    said = error["msg"].removeprefix("Value error, ")
    if not path:  # a rule of the whole recipe
        return said
    if error["type"] != "extra_forbidden":
        return f"{path} = {error['input']!r:.80}: {said[0].lower()}{said[1:]}"
    known = (SECTIONS[error["loc"][0]] if len(error["loc"]) > 1 else Recipe).model_fields
    return f"unknown setting {path}; known: {', '.join(known)}"
