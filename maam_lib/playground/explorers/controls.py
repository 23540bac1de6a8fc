"""Controls that several explorers have: a clip and frame scrubber, numbers in a row, and quiet changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import TypeVar

import ipywidgets as widgets
from matplotlib.figure import Figure

from maam_lib.playground.live_figures import figure_png

Choice = TypeVar("Choice")
Slider = widgets.IntSlider
LABEL = {"description_width": "110px"}
ROW = widgets.Layout(flex_flow="row wrap", align_items="center")
FULL = widgets.Layout(width="100%", max_width="1040px")
PLAY_STEP = 150  # milliseconds between frames


class Scrubber(widgets.HBox):
    """Which clip, which frame; plays. `frames`: number of scored frames per clip."""

    def __init__(self, frames: Mapping[str, int]) -> None:
        self._frames = dict(frames)
        self.clip = widgets.Dropdown(
            options=list(self._frames), description="clip", style=LABEL, layout=widgets.Layout(width="260px")
        )
        self.frame = widgets.IntSlider(
            0, description="frame", style={"description_width": "50px"}, layout=widgets.Layout(width="480px")
        )
        self.play = widgets.Play(value=0, min=0, interval=PLAY_STEP, show_repeat=False)
        self.go_to(next(iter(self._frames)), 0)
        widgets.jslink((self.play, "value"), (self.frame, "value"))
        super().__init__([self.clip, self.play, self.frame], layout=ROW)

    @property
    def chosen(self) -> str:
        """The name of the clip."""
        return choice_of(self.clip, self._frames)

    def go_to(self, clip: str, place: int) -> None:
        """Stand at a frame of a clip, the slider fitted to its length."""
        self.clip.value, last = clip, self._frames[clip] - 1
        for control in (self.frame, self.play):
            control.value, control.max = 0, last
            control.value = place


class Explorer(widgets.VBox):
    """A scrubber over clips, numbers and a picture.

    What a user moves calls `answer`; what code moves inside `quietly` does not.
    """

    def __init__(self, frames: Mapping[str, int], clip: str, place: int) -> None:
        super().__init__()
        self.scrubber = Scrubber(frames)
        self.scrubber.go_to(clip, place)
        self.picture, self.numbers = widgets.Image(format="png", layout=FULL), widgets.HTML()
        self._is_quiet = False

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Several controls change together: no answer until the end of the block, and none is asked for."""
        before, self._is_quiet = self._is_quiet, True
        try:
            yield
        finally:
            self._is_quiet = before

    def listen(self, answer: Callable[[], None], *controls: widgets.Widget) -> None:
        """Call `answer` after each move of the controls by the user."""
        for control in controls:
            control.observe(lambda _: None if self._is_quiet else answer(), "value")


class Plot(widgets.Image):
    """A whole figure that changes seldom; takes no room before the first."""

    def __init__(self) -> None:
        super().__init__(format="png", layout=widgets.Layout(width="100%", max_width="1040px", display="none"))

    def show(self, figure: Figure | None) -> None:
        """Show a figure, or nothing."""
        if figure is not None:
            self.value = figure_png(figure)
        self.layout.display = "none" if figure is None else ""


def numbers(values: Mapping[str, str]) -> str:
    """Names and numbers in a row, as HTML."""
    cells = (
        f'<span style="display:inline-block;margin:0 22px 4px 0"><span style="font-size:12px;opacity:.7">{escape(name)}'
        f'</span><br><b style="font-size:17px">{escape(value)}</b></span>'
        for name, value in values.items()
    )
    return f'<div style="line-height:1.35">{"".join(cells)}</div>'


def note(text: str, colour: str = "inherit") -> str:
    """One line of words, as HTML."""
    return f'<div style="color:{colour};line-height:1.4">{escape(text)}</div>'


def choice_of(dropdown: widgets.Dropdown, options: Iterable[Choice]) -> Choice:
    """Which of its options a dropdown shows."""
    return next(option for option in options if option == dropdown.value)


def whole(description: str, lowest: int, highest: int, value: int | None = None, width: str = "400px") -> Slider:
    """A slider over whole numbers; it begins at the lowest, or at a value."""
    layout = widgets.Layout(width=width)
    begin = lowest if value is None else value
    return Slider(begin, min=lowest, max=highest, description=description, style=LABEL, layout=layout)
