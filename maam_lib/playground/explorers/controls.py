"""Controls that several explorers have: a clip and frame scrubber, numbers in a row, and quiet changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from io import BytesIO
from typing import Generic, Protocol, TypeVar

import ipywidgets as widgets
from matplotlib.figure import Figure

from maam_lib.playground.live_figures import DPI, LiveFigure

Choice = TypeVar("Choice")
Slider = widgets.IntSlider
LABEL = {"description_width": "110px"}
ROW = widgets.Layout(flex_flow="row wrap", align_items="center")
# As many columns as fit: three on a wide page, two at 900 pixels, one on a phone.
COLUMNS = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(min(100%, 390px), 1fr))", grid_gap="0 12px")
FULL = widgets.Layout(width="auto", max_width="1040px")
FILLING = widgets.Layout(width="auto")  # a control as wide as its column
WRONG = "var(--maam-wrong, #b3261e)"  # lighter on a dark page
PLAY_STEP = 150  # milliseconds between frames


class View(Protocol):
    """What an explorer is put around: one frame of one of some clips, as a picture and as numbers."""

    clips: dict[str, int]  # name -> frames
    clip: str
    place: int  # of the frame in its clip, from 0

    @property
    def figure(self) -> LiveFigure: ...

    def show_frame(self, clip: str, place: int) -> None: ...

    def facts(self) -> dict[str, str]: ...


Shown = TypeVar("Shown", bound=View)


class Scrubber(widgets.HBox):
    """Which clip, which frame; plays. `frames`: number of frames per clip."""

    def __init__(self, frames: Mapping[str, int], clip: str, place: int) -> None:
        self._frames = frames
        wide, wider = (widgets.Layout(flex=flex, width="auto") for flex in ("1 1 200px", "3 1 300px"))
        self.clip = widgets.Dropdown(options=list(frames), description="clip", style=LABEL, layout=wide)
        self.frame = Slider(0, description="frame", style={"description_width": "50px"}, layout=wider)
        self.play = widgets.Play(value=0, min=0, interval=PLAY_STEP, show_repeat=False)
        self.go_to(clip, place)
        widgets.jslink((self.play, "value"), (self.frame, "value"))
        super().__init__([self.clip, self.play, self.frame], layout=ROW)

    def go_to(self, clip: str, place: int) -> None:
        """Stand at a frame of a clip, the slider fitted to its length."""
        self.clip.value, last = clip, self._frames[clip] - 1
        for control in (self.frame, self.play):
            control.value, control.max = 0, last
            control.value = place


class Explorer(widgets.VBox, Generic[Shown]):
    """A scrubber over the clips of a view, its picture and its numbers; a subclass adds what else can be moved.

    What a user moves calls what listens; what code moves inside `quietly` does not. `back` is the text of a button that
    brings back everything as it was at first.
    """

    def __init__(self, view: Shown, back: str) -> None:
        super().__init__()
        self.view = view
        self.scrubber = Scrubber(view.clips, view.clip, view.place)
        self.picture, self.numbers = widgets.Image(format="png", layout=FULL), widgets.HTML()
        self.picture.add_class(f"maam-{type(self).__name__}")  # by which the page of the app says what it shows
        self.back = widgets.Button(
            description=back, icon="undo", layout=widgets.Layout(width="auto", max_width="260px")
        )
        self.back.on_click(lambda _: self.reset())
        self._is_quiet = False
        self.listen(self.show_clip, self.scrubber.clip)
        self.listen(self.show_frame, self.scrubber.frame)

    def reset(self) -> None:
        """Everything that can be moved as it was at first, clip and frame apart."""
        raise NotImplementedError

    def show_clip(self) -> None:
        """Another clip, from its first frame."""
        with self.quietly():
            self.scrubber.go_to(str(self.scrubber.clip.value), 0)
        self.show_frame()

    def show_frame(self) -> None:
        """Another frame."""
        self.view.show_frame(str(self.scrubber.clip.value), self.scrubber.frame.value)
        self.draw()

    def draw(self) -> None:
        """Show the view as it is now."""
        self.picture.value, self.numbers.value = self.view.figure.png(), numbers(self.view.facts())

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
        super().__init__(format="png", layout=widgets.Layout(width="auto", max_width="1040px", display="none"))

    def show(self, figure: Figure | None) -> None:
        """Show a figure, or nothing."""
        if figure is not None:
            figure.savefig(buffer := BytesIO(), format="png", dpi=DPI)
            self.value = buffer.getvalue()
        self.layout.display = "none" if figure is None else ""


def numbers(values: Mapping[str, str]) -> str:
    """Names and numbers in a row, as HTML."""
    cells = (
        f'<span style="display:inline-block;margin:0 16px 4px 0"><span style="font-size:12px;opacity:.7">{escape(name)}'
        f'</span><br><b style="font-size:17px">{escape(value)}</b></span>'
        for name, value in values.items()
    )
    return f'<div style="line-height:1.35">{"".join(cells)}</div>'


def note(text: str, colour: str = "inherit") -> str:
    """One line of words, as HTML."""
    return f'<div style="color:{colour};line-height:1.4;overflow-wrap:anywhere">{escape(text)}</div>'


def dropdown(description: str, texts: Mapping[Choice, str]) -> widgets.Dropdown:
    """A choice between values, shown by their texts."""
    options = [(text, value) for value, text in texts.items()]
    return widgets.Dropdown(options=options, description=description, style=LABEL, layout=FILLING)


def choice_of(dropdown: widgets.Dropdown, options: Iterable[Choice]) -> Choice:
    """Which of its options a dropdown shows."""
    return next(option for option in options if option == dropdown.value)


def whole(description: str, lowest: int, highest: int, value: int | None = None) -> Slider:
    """A slider over whole numbers; it begins at the lowest, or at a value."""
    begin = lowest if value is None else value
    return Slider(begin, min=lowest, max=highest, description=description, style=LABEL, layout=FILLING)
