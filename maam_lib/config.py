"""Every hyperparameter, once: typed, bounded, with its unit and origin; recipes are loaded and checked here."""

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data_prep.files import UnreadableError, read_text
from data_prep.layout import Channels, Name
from maam_lib.recipes import PlainYamlError, plain_yaml

Origin = Literal["paper", "released code", "ours"]
DEEPEST = 10  # recipe files that extend one another
Positive = Annotated[int, Field(gt=0)]


class SettingError(ValueError):
    """A recipe or a setting that cannot be used: names the key, the value, and what is allowed."""


def knob(default: Any, text: str, origin: Origin, unit: str = "", *, differs: int | None = None, **bounds: Any) -> Any:
    """One hyperparameter: its default, what it does, where the default comes from, its unit and bounds.

    `differs` is the number in docs/differences.md under which paper and released code disagree on it.
    """
    extra = {"origin": origin, "unit": unit, "differs": differs}
    return Field(default, description=text, json_schema_extra=extra, **bounds)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, protected_namespaces=())


class DataSettings(Section):
    dataset: Name = knob("synthetic", "name of the prepared dataset", "ours")
    height: int = knob(96, "height of the stored frames", "paper", "pixels", ge=16, le=4096)
    width: int = knob(144, "width of the stored frames", "paper", "pixels", ge=16, le=4096)
    channels: Channels = knob(3, "channels that the network sees: 1 gray, 3 colour (Table 1)", "paper",
                                   differs=27)  # fmt: skip
    flow: Name = knob("dis", "optical-flow estimator of the prepared dataset (the paper: FlowNet2)", "ours", differs=17)
    drop_last: int = knob(1, "frames left out at the end of each clip (Sec. 3.2.1; Avenue released: 2)", "paper",
                          "frames", differs=16, ge=1, le=16)  # fmt: skip
    follow: bool = knob(False, "before training, take size, channels, flow, patch and epochs from the prepared data; "
                        "settings that are given win", "ours")  # fmt: skip


class ModelSettings(Section):
    num_items: int = knob(500, "N, memory items (500 on Ped2, 2000 elsewhere)", "paper", "items", ge=1, le=100_000)
    base_channels: int = knob(64, "filters of the first convolution; the others follow (Table 1)", "paper",
                              "channels", ge=1, le=512)  # fmt: skip
    similarity: Literal["cosine", "released"] = knob("cosine", "Eq. 1, or what the released code computes", "paper",
                                                    differs=1)  # fmt: skip
    temperature: float = knob(1.0, "divides the similarities before the softmax of Eq. 2; 1 is the paper", "paper",
                              gt=0, le=100)  # fmt: skip
    shrink_threshold: float | None = knob(None, "lambda of Eq. 3; none means 1/N", "paper", differs=2, ge=0, lt=1)
    use_memory: bool = knob(
        True, "without memory the query goes to the decoders as it is (Table 2)", "paper", differs=5
    )
    dropout: float = knob(0.3, "share of decoder activations dropped in training (Table 1)", "paper", differs=6, ge=0,
                          lt=1)  # fmt: skip
    norm_momentum: float = knob(0.01, "weight of a new batch in the batch-norm statistics", "released code",
                                gt=0, le=1)  # fmt: skip


class LossSettings(Section):
    branches: Literal["both", "appearance", "motion"] = knob(
        "both", "decoders that are trained; one alone is a column of Table 5, scored by itself", "paper"
    )
    motion_weight: float = knob(2.0, "lambda_m of Eq. 7", "paper", ge=0, le=1e6)
    sparse_weight: float = knob(3e-4, "alpha of Eq. 10", "paper", ge=0, le=1e6)
    latent_weight: float = knob(1e-3, "beta of Eq. 10", "paper", ge=0, le=1e6)
    margin: float = knob(0.1, "zeta of Eq. 9 (Sec. 4.3 also says 0.001)", "paper", ge=0, le=1)
    sparse_form: Literal["paper", "released"] = knob("paper", "Eq. 8, or its mean over all entries", "paper",
                                                    differs=9)  # fmt: skip
    latent_form: Literal["paper", "released", "attract"] = knob(
        "paper",
        "Eq. 9 per query, what the released code computes, or 1 - cos (ours, for comparison; no. 11)",
        "paper",
        differs=10,
    )


class TrainingSettings(Section):
    epochs: int = knob(50, "passes over the training frames", "paper", "epochs", ge=1, le=10_000)
    batch_size: int = knob(15, "frames per optimiser step, over all devices", "released code", "frames", ge=1)
    learning_rate: float = knob(2e-5, "Adam's constant learning rate", "paper", gt=0, le=1)
    adam_form: Literal["paper", "released"] = knob(
        "paper", "where Adam adds its epsilon: Kingma and Ba's Algorithm 1, or TensorFlow's form", "paper", differs=14
    )
    precision: Literal["float32", "bfloat16"] = knob(
        "float32", "number format of the convolutions; on a GPU, float32 multiplies in TF32", "ours"
    )
    seed: int = knob(0, "initial values, order of the frames, dropout: all randomness", "ours", differs=12, ge=0,
                     lt=2**31)  # fmt: skip

    @field_validator("precision", mode="before")
    @classmethod
    def _auto_is_the_default(cls, value: Any) -> Any:
        """Earlier kits wrote "auto", which took the format by the processor."""
        return "float32" if value == "auto" else value


class ScoringSettings(Section):
    patch: tuple[Positive, Positive] = knob((24, 12), "patch of Algorithm 1 (height, width): a person's size",
                                            "paper", "pixels", differs=19)  # fmt: skip
    stride: tuple[Positive, Positive] | None = knob(None, "step of the patch; none means patch/4", "paper", "pixels",
                                                    differs=19)  # fmt: skip
    padding: Literal["same", "valid"] = knob("same", "whether patches may hang over the border", "released code",
                                              differs=20)  # fmt: skip
    psi: float | None = knob(None, "weight of appearance in the fusion; none: calibrated on training errors", "ours",
                             differs=21, ge=0, le=1)  # fmt: skip
    alarm_quantile: float = knob(0.99, "share of training frames that must stay below the threshold tau of Eq. 12",
                                 "ours", gt=0, lt=1)  # fmt: skip


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

    def with_settings(self, *overrides: str) -> "Recipe":
        """The same recipe with `section.key=value` overrides; raises SettingError naming a wrong one."""
        tree = self.model_dump(mode="json")
        for override in overrides:
            _override(tree, override)
        return _validated(tree, f"recipe {self.name}")

    def hash(self) -> str:
        """Twelve hex digits that change with any setting (not with name or description).

        Only settings away from their default count: a setting that the kit gains later, at a default that changes
        nothing, leaves the hash of earlier recipes as it was. So a default, once there, is never changed.
        """
        settings = self.model_dump(mode="json", exclude={"name", "about"}, exclude_defaults=True)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]

    def to_yaml(self) -> str:
        """The resolved recipe, every setting written out."""
        return plain_yaml.written(self.model_dump(mode="json"))


def setting(recipe: Recipe, key: str) -> Any:
    """The value of `section.key`, pairs as lists."""
    section, _, name = key.partition(".")
    return recipe.model_dump(mode="json")[section][name]


def differences(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    """Settings in which two recipes differ, name and description apart: `section.key` -> (before, after)."""
    old, new = (r.model_dump(mode="json", exclude={"name", "about"}) for r in (before, after))
    pairs = {f"{section}.{key}": (old[section][key], new[section][key]) for section in old for key in old[section]}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def recipe_names() -> list[str]:
    """Names of the recipes that come with the kit."""
    return sorted(p.name.removesuffix(".yaml") for p in _recipe_folder().iterdir() if p.name.endswith(".yaml"))


def load_recipe(name: str | Path, *overrides: str) -> Recipe:
    """A recipe by its name, or from a YAML file, with `section.key=value` overrides applied.

    A recipe file holds only what differs from the defaults, or from the recipe it `extends`: one of the kit's by name,
    or a file, looked for beside this one and then from the working folder.
    Raises SettingError for an unknown recipe, key, type or value, naming it and what is allowed.
    """
    return _validated(_recipe_tree(name), f"recipe {name}").with_settings(*overrides)


def _recipe_folder() -> Any:
    return resources.files("maam_lib") / "recipes"


def _recipe_tree(name: str | Path, below: tuple[str, ...] = ()) -> dict[str, Any]:
    """Settings of a recipe file laid over those of the recipe that it extends; `below` are the files that extend it."""
    name = str(name)
    is_file = name.endswith((".yaml", ".yml"))
    source = Path(name) if is_file else _recipe_folder() / f"{name}.yaml"
    if not (source.exists() if is_file else name in recipe_names()):
        raise SettingError(f"no recipe {name!r:.200}; the kit has {', '.join(recipe_names())}, or give a .yaml file")
    try:
        tree = plain_yaml.parse(read_text(source, plain_yaml.MOST_CHARACTERS))
    except PlainYamlError as error:
        raise SettingError(f"{source}: not readable as YAML: {error}") from error
    except (UnreadableError, FileNotFoundError) as error:
        raise SettingError(str(error)) from error
    if not isinstance(tree, dict):
        raise SettingError(f"{source}: expected settings like `model: {{num_items: 100}}`, found {tree!r:.80}")
    tree.setdefault("name", source.name.removesuffix(".yaml").removesuffix(".yml"))
    if parent := tree.pop("extends", None):
        if name in below or len(below) == DEEPEST:
            raise SettingError(f"{source}: extends itself through {', '.join(below)}")
        if is_file and str(parent).endswith((".yaml", ".yml")):
            parent = source.parent / str(parent)  # as seen from the file that names it
        tree = _merged(_recipe_tree(str(parent), (*below, name)), tree)
    return tree


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, section by section."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if both else value
    return merged


def _override(tree: dict[str, Any], override: str) -> None:
    """Lay one `section.key=value` over the tree, in place."""
    path, separator, text = override.partition("=")
    section, dot, key = path.strip().partition(".")
    if not separator or not dot:
        raise SettingError(f"cannot read the setting {override!r}; write section.key=value, as model.num_items=100")
    if not isinstance(tree.get(section), dict):
        sections = [name for name, value in tree.items() if isinstance(value, dict)]
        raise SettingError(f"unknown setting {path.strip()}: no section {section!r}; sections: {', '.join(sections)}")
    try:
        tree[section][key] = plain_yaml.parse(text)
    except PlainYamlError as error:
        raise SettingError(f"cannot read the value of the setting {override!r:.80}: {error}") from error


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
    section = error["loc"][0]
    known = Recipe.model_fields
    if len(error["loc"]) > 1:
        known = known[section].annotation.model_fields
    return f"unknown setting {path}; known: {', '.join(known)}"
