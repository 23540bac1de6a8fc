"""Sliders over the napkin: turn the query, stretch it, sharpen the softmax, raise the threshold (Eq. 1-4, 9; ours)."""

import math

import ipywidgets as widgets

from maam_lib.figures import napkin as napkin_figure
from maam_lib.playground.explorers.controls import COLUMNS, FILLING, LABEL, Plot, numbers
from maam_lib.playground.memory_view import Addressing
from maam_lib.playground.napkin import ITEMS, QUERY, Napkin, napkin


class NapkinExplorer(widgets.VBox):
    """Three items in the plane; every move of a slider computes the answer anew."""

    def __init__(self) -> None:
        super().__init__()
        looks = {"style": LABEL, "layout": FILLING}
        start = math.degrees(math.atan2(QUERY[1], QUERY[0]))
        self.angle = widgets.FloatSlider(start, min=-180, max=180, step=1, description="angle of z", **looks)
        self.length = widgets.FloatSlider(math.hypot(*QUERY), min=0.1, max=3, step=0.1, description="length", **looks)
        self.temperature = widgets.FloatLogSlider(1, min=-1.5, max=1, step=0.05, description="temperature", **looks)
        self.threshold = widgets.FloatSlider(1, min=0, max=3, step=0.05, description="lambda x N", **looks)
        self.picture, self.numbers = Plot(), widgets.HTML()
        sliders = [self.angle, self.length, self.temperature, self.threshold]
        self.children = [widgets.GridBox(sliders, layout=COLUMNS), self.numbers, self.picture]
        for slider in sliders:
            slider.observe(lambda _: self.draw(), "value")
        self.draw()

    def answer(self) -> Napkin:
        """What the memory answers under the sliders as they are; lambda x N = 1 is the paper's threshold."""
        angle, length = math.radians(self.angle.value), self.length.value
        threshold = None if self.threshold.value == 1 else self.threshold.value / len(ITEMS)
        addressing = Addressing(temperature=self.temperature.value, shrink_threshold=threshold)
        return napkin((length * math.cos(angle), length * math.sin(angle)), ITEMS, addressing)

    def draw(self) -> None:
        """Show the answer as it is now."""
        found = self.answer()
        self.numbers.value = numbers(found.facts())
        self.picture.show(
            napkin_figure(found.query, found.items, found.shares, found.weights, found.threshold, found.read_out)
        )
