"""A form for every setting of a recipe, made from `config`'s own fields: a new setting there appears here by itself."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from maam_lib.config import Recipe, settings_of
from maam_lib.playground.explorers.controls import note
from maam_lib.playground.settings_form import SettingField, form_fields

Chooser = widgets.Dropdown | widgets.SelectMultiple | widgets.Checkbox
Box = Chooser | widgets.BoundedIntText | widgets.FloatText | widgets.Text
TOO_LARGE = 2**31  # for a box that nothing else bounds
FIELD = widgets.Layout(width="150px")
HALF = widgets.Layout(width="73px")
LINE = widgets.Layout(flex_flow="row wrap", align_items="center")
NAME = widgets.Layout(flex="0 0 130px")
VALUE = widgets.Layout(flex="0 0 240px")


class SettingsForm(widgets.Tab):
    """One page per section, one line per setting: name, value, what is allowed, and what it does."""

    def __init__(self, recipe: Recipe, changed: Callable[[], None]) -> None:
        super().__init__()
        self._is_filling = False
        self._changed = changed
        self.controls: dict[str, _Control] = {}
        pages = {
            section: widgets.VBox([self._line(field) for field in fields]) for section, fields in form_fields().items()
        }
        self.children, self.titles = list(pages.values()), tuple(pages)
        self.fill(recipe)

    def fill(self, recipe: Recipe) -> None:
        """Show a recipe's settings."""
        self._is_filling = True
        for key, value in settings_of(recipe).items():
            self.controls[key].set(value)
        self._is_filling = False

    def values(self) -> dict[str, Any]:
        """`section.key` -> what stands in the form; nothing is checked yet."""
        return {key: control.get() for key, control in self.controls.items()}

    def _line(self, field: SettingField) -> widgets.Widget:
        control = _Control(field)
        self.controls[field.key] = control
        for box in control.boxes:
            box.observe(lambda _: None if self._is_filling else self._changed(), "value")
        allowed = f" ({field.allowed})" if field.allowed else ""
        text = widgets.HTML(note(f"{field.help}{allowed}; {field.origin}"), layout=widgets.Layout(flex="1 1 300px"))
        name = widgets.Label(field.key.partition(".")[2], layout=NAME)
        line = widgets.HBox([name, control.widget, text], layout=LINE)
        line.add_class("maam-setting")  # by which the page of the app names its boxes
        return line


class _Control:
    """The widget of one setting: by its kind, with a box before it where it may be left to a rule."""

    def __init__(self, field: SettingField) -> None:
        self.is_pair = field.kind == "pair"
        self.values = self._value_boxes(field)
        self.by_rule = widgets.Checkbox(False, description="none", indent=False, layout=widgets.Layout(width="70px"))
        self.boxes = [*self.values, *([self.by_rule] if field.optional else [])]
        self.widget = widgets.HBox(self.boxes, layout=VALUE)
        for box in self.values:
            widgets.dlink((self.by_rule, "value"), (box, "disabled"))

    def get(self) -> Any:
        if self.by_rule.value:
            return None
        found = [list(box.value) if isinstance(box.value, tuple) else box.value for box in self.values]
        return found if self.is_pair else found[0]

    def set(self, value: Any) -> None:
        self.by_rule.value = value is None
        if value is not None:
            for box, one in zip(self.values, value if self.is_pair else [value], strict=True):
                box.value = one

    @staticmethod
    def _value_boxes(field: SettingField) -> list[Box]:
        if field.kind == "choice":
            return [widgets.Dropdown(options=field.choices, layout=FIELD)]
        if field.kind == "choices":
            return [widgets.SelectMultiple(options=field.choices, layout=FIELD)]
        if field.kind == "switch":
            return [widgets.Checkbox(indent=False, layout=FIELD)]
        if field.kind == "whole":
            lowest = field.schema["minimum"]
            highest = field.schema.get("maximum", field.schema.get("exclusiveMaximum", TOO_LARGE) - 1)
            return [widgets.BoundedIntText(min=lowest, max=highest, value=lowest, layout=FIELD)]
        if field.kind == "pair":
            return [widgets.BoundedIntText(min=1, max=4096, value=1, layout=HALF) for _ in range(2)]
        return [widgets.FloatText(step=None, layout=FIELD) if field.kind == "number" else widgets.Text(layout=FIELD)]
