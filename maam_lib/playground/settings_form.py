"""The settings of a recipe as fields of a form: kind, bounds, choices and help, read from `config` itself."""

from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from maam_lib.config import Recipe, Section, differences, load_recipe
from maam_lib.recipes import plain_yaml

Kind = Literal["choice", "switch", "whole", "number", "pair", "text"]
_BOUNDS = ("ge", "gt", "le", "lt")
_KINDS: dict[type, Kind] = {bool: "switch", int: "whole", float: "number", str: "text"}


@dataclass(frozen=True)
class SettingField:
    """One hyperparameter as a form shows it."""

    key: str  # "model.num_items"
    kind: Kind
    default: Any
    optional: bool  # whether it may be left to a rule: none
    choices: tuple[Any, ...]  # of a choice
    lowest: float | None  # inclusive, unless `open_below`
    highest: float | None
    open_below: bool
    open_above: bool
    help: str
    unit: str
    origin: str

    @property
    def name(self) -> str:
        """The key without its section."""
        return self.key.partition(".")[2]

    @property
    def allowed(self) -> str:
        """What may be set, in words: `1 to 100000 items`."""
        if self.kind == "choice":
            return " or ".join(map(str, self.choices))
        parts = []
        if self.lowest is not None:
            parts.append(f"{'more than' if self.open_below else 'from'} {_number(self.lowest)}")
        if self.highest is not None:
            parts.append(f"{'less than' if self.open_above else 'to'} {_number(self.highest)}")
        return " ".join([*parts, *([self.unit] if self.unit else []), *(["or none"] if self.optional else [])])


def form_fields() -> dict[str, list[SettingField]]:
    """Every section of a recipe with its fields, in the order of `config`."""
    sections = {
        name: info.annotation
        for name, info in Recipe.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section)
    }
    return {
        section: [_field(f"{section}.{name}", info) for name, info in annotation.model_fields.items()]
        for section, annotation in sections.items()
    }


def set_word(key: str, value: Any) -> str:
    """A setting as the command line takes it: `model.num_items=100`."""
    written = plain_yaml.written(value, in_one_line=True)
    return f"{key}={written.strip().removesuffix('...').strip()}"  # YAML closes a bare scalar with dots


def set_words(name: str, values: dict[str, Any]) -> list[str]:
    """The words after `--set` that turn a named recipe into these values; raises SettingError for one not allowed."""
    recipe = load_recipe(name)
    wanted = [set_word(key, value) for key, value in values.items()]
    return [set_word(key, after) for key, (_, after) in differences(recipe, recipe.with_settings(*wanted)).items()]


def _field(key: str, info: FieldInfo) -> SettingField:
    plain, optional = _without_none(info.annotation)
    choices = get_args(plain) if get_origin(plain) is Literal else ()
    kind = "choice" if choices else "pair" if get_origin(plain) is tuple else _KINDS[plain]
    bounds = {name: getattr(item, name) for item in info.metadata for name in _BOUNDS if hasattr(item, name)}
    extra = info.json_schema_extra
    return SettingField(
        key=key,
        kind=kind,
        default=info.default,
        optional=optional,
        choices=choices,
        lowest=bounds.get("ge", bounds.get("gt")),
        highest=bounds.get("le", bounds.get("lt")),
        open_below="gt" in bounds,
        open_above="lt" in bounds,
        help=info.description,
        unit=extra["unit"],
        origin=extra["origin"],
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """An annotation without `| None` and `Annotated`, and whether None was allowed."""
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    parts = get_args(annotation)
    if NoneType in parts:
        [plain] = [part for part in parts if part is not NoneType]
        return _without_none(plain)[0], True
    return annotation, False
