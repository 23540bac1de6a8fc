"""The score explorer: every choice of Algorithm 1 on a slider, and what it does to frame, clip and whole set."""

import ipywidgets as widgets
import numpy as np

from maam_lib.metrics import PROTOCOLS, Protocol
from maam_lib.playground.explorers.controls import COLUMNS, FILLING, LABEL, Explorer, choice_of, dropdown, whole
from maam_lib.playground.rescoring import ScoreChoice
from maam_lib.playground.score_view import ScoreView

# In few words, which a closed list shows whole; `PROTOCOLS` says it exactly.
PROTOCOL_NAMES: dict[Protocol, str] = {
    "micro": "all frames, raw scores",
    "micro_per_clip": "all frames, clips to [0, 1]",
    "macro": "mean of clips",
    "macro_padded": "mean of clips, as AI-VAD",
}
STEPS = 256  # of a slider; a power of two, so that the browser's arithmetic gives back exactly what was set


class ScoreExplorer(Explorer[ScoreView]):
    """Sliders over a view; a button goes back to the choice that the view began with."""

    def __init__(self, view: ScoreView) -> None:
        super().__init__(view, "back to the recipe")
        self.start = view.start
        self._build()
        self._listen()
        self.reset()

    def choice(self) -> ScoreChoice:
        """What the controls say."""
        patch = (self.patch_height.value, self.patch_width.value)
        stride = None if self.quarter.value else (self.stride_down.value, self.stride_across.value)
        psi = self.start.psi if self.calibrated_psi.value else self.psi.value
        threshold = self.start.threshold if self.calibrated_threshold.value else self.threshold.value
        return ScoreChoice(patch, stride, self.start.padding, psi, threshold, choice_of(self.protocol, PROTOCOLS))

    def reset(self) -> None:
        """Back to the choice at the start."""
        with self.quietly():
            self.patch_height.value, self.patch_width.value = self.start.patch
            self.quarter.value = self.start.stride is None
            self.stride_down.value, self.stride_across.value = self.start.windows[1]
            self.calibrated_psi.value = self.calibrated_threshold.value = True
            self.protocol.value = self.start.protocol
        self.rescore()

    def rescore(self) -> None:
        """Another choice."""
        with self.quietly():
            found = self.view.choose(self.choice())
            self.stride_down.value, self.stride_across.value = found.choice.windows[1]
            if self.calibrated_psi.value:
                _place(self.psi, found.psi)
            top = 2.0 ** np.ceil(np.log2(1.1 * max(float(found.scores.max()), found.threshold, 1e-6)))
            with self.threshold.hold_sync():  # in one message: the browser never sees a value off its steps
                self.threshold.max, self.threshold.step = top, top / STEPS
                if self.calibrated_threshold.value:
                    _place(self.threshold, found.threshold)
        self.draw()

    # The controls

    def _build(self) -> None:
        height, width = self.view.rescorer.test.size
        finest = self.view.rescorer.finest_stride()
        smallest = max(1, 4 * finest - 2)  # whose quarter is the finest stride
        self.psi = _steps("psi", ".3f")
        self.threshold = _steps("threshold", ".4g")
        self.patch_height, self.patch_width = (
            whole(f"patch {name}", min(smallest, own), max(side // 2, own))
            for name, side, own in (("height", height, self.start.patch[0]), ("width", width, self.start.patch[1]))
        )
        own_stride = self.start.windows[1]
        self.stride_down, self.stride_across = (
            whole(f"stride {name}", min(finest, own), max(side // 4, own))
            for name, side, own in (("down", height, own_stride[0]), ("across", width, own_stride[1]))
        )
        self.calibrated_psi, self.calibrated_threshold, self.quarter = (
            widgets.Checkbox(True, description=text, style=LABEL, layout=FILLING)
            for text in (_rule(self.start.psi), _rule(self.start.threshold), "a quarter of the patch")
        )
        self.protocol = dropdown("protocol", PROTOCOL_NAMES)
        by_rule = (
            (self.psi, self.calibrated_psi),
            (self.threshold, self.calibrated_threshold),
            (self.stride_down, self.quarter),
        )
        sliders = [widgets.VBox(pair) for pair in by_rule]
        others = [self.stride_across, self.patch_height, self.patch_width, self.protocol, self.back]
        knobs = widgets.GridBox([*sliders, *others], layout=COLUMNS)
        knobs.add_class("maam-knobs")  # on a phone they come after the picture
        self.children = [self.scrubber, knobs, self.numbers, self.picture]

    def _listen(self) -> None:
        self.listen(self.rescore, self.patch_height, self.patch_width, self.protocol)
        self.listen(self.rescore, self.calibrated_psi, self.calibrated_threshold, self.quarter)
        self.listen(lambda: self._set_by_hand(self.quarter), self.stride_down, self.stride_across)
        self.listen(lambda: self._moved(self.psi, self.calibrated_psi, self.view.found.psi), self.psi)
        switch = self.calibrated_threshold
        self.listen(lambda: self._moved(self.threshold, switch, self.view.found.threshold), self.threshold)

    def _moved(self, slider: widgets.FloatSlider, switch: widgets.Checkbox, by_rule: float) -> None:
        """A move of less than half a step is the browser's rounding of what a rule had set, not the user's."""
        if not switch.value or abs(slider.value - by_rule) > 0.51 * slider.max / STEPS:
            self._set_by_hand(switch)

    def _set_by_hand(self, switch: widgets.Checkbox) -> None:
        """A slider was moved: what set it by rule lets go."""
        with self.quietly():
            switch.value = False
        self.rescore()


def _rule(given: float | None) -> str:
    """What sets a number that is not set by hand."""
    return "calibrated on training errors" if given is None else "from the recipe"


def _steps(description: str, digits: str) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        min=0, max=1, step=1 / STEPS, readout_format=digits, description=description, style=LABEL, layout=FILLING
    )


def _place(slider: widgets.FloatSlider, value: float) -> None:
    """Set a slider to the step that is nearest to a value."""
    slider.value = round(value * STEPS / slider.max) * slider.max / STEPS
