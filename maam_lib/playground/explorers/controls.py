"""Controls that several explorers have: a clip and frame scrubber, numbers in a row, and quiet changes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from maam_lib.playground.live_figures import figure_png

LABEL = {"description_width": "110px"}
ROW = widgets.Layout(flex_flow="row wrap", align_items="center")
FULL = widgets.Layout(width="100%", max_width="1040px")
PLAY_STEP = 150  # milliseconds between frames


class Explorer(widgets.VBox):
    """A column of widgets. What a user moves calls `answer`; what code moves inside `quietly` does not."""

    def __init__(self) -> None:
        super().__init__()
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


class Scrubber(widgets.HBox):
    """Which clip, which frame; plays. `frames`: number of scored frames per clip."""

    def __init__(self, frames: Mapping[str, int]) -> None:
        self._frames = dict(frames)
        first = next(iter(self._frames))
        self.clip = widgets.Dropdown(
            options=list(self._frames), description="clip", style=LABEL, layout=widgets.Layout(width="260px")
        )
        last = self._frames[first] - 1
        self.frame = widgets.IntSlider(
            0, 0, last, description="frame", style={"description_width": "50px"}, layout=widgets.Layout(width="480px")
        )
        self.play = widgets.Play(value=0, min=0, max=last, interval=PLAY_STEP, show_repeat=False)
        widgets.jslink((self.play, "value"), (self.frame, "value"))
        super().__init__([self.clip, self.play, self.frame], layout=ROW)

    def go_to(self, clip: str, place: int) -> None:
        """Stand at a frame of a clip, the slider fitted to its length."""
        self.clip.value, last = clip, self._frames[clip] - 1
        for control in (self.frame, self.play):
            control.value, control.max = 0, last
            control.value = place


class ViewExplorer(Explorer):
    """An explorer over a view of clips: scrubber, controls, numbers and a picture; begins as the view stands.

    A kind of it builds its controls, arranges and listens to them, and says what `reset` goes back to.
    """

    def __init__(self, view: Any) -> None:
        super().__init__()
        self.view = view
        self.scrubber = Scrubber(view.clips)
        self.picture, self.numbers = widgets.Image(format="png", layout=FULL), widgets.HTML()
        self._build_controls()
        self._arrange()
        self._listen()
        with self.quietly():
            self.scrubber.go_to(view.clip, view.place)
        self.reset()


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
