"""One clip, one frame and one choice of scoring, as a picture and numbers: what the score explorer shows (ours)."""

import numpy as np

from maam_lib.data import PreparedDataset
from maam_lib.playground.live_figures import ScoreFigure
from maam_lib.playground.rescoring import Rescored, Rescorer, ScoreChoice

BRIGHTNESS_FRAMES = 60  # of the test set, whose largest errors set the colour scale of all error maps


class ScoreView:
    """Holds what is shown; every method does only the work that its change asks for."""

    def __init__(self, rescorer: Rescorer, prepared: PreparedDataset, choice: ScoreChoice) -> None:
        self.rescorer, self.prepared, self.start = rescorer, prepared, choice
        clips, counts = np.unique(rescorer.clips, return_counts=True)
        self.clips: dict[str, int] = dict(zip(clips.tolist(), counts.tolist(), strict=True))  # scored frames of each
        self.figure = ScoreFigure(rescorer.test.size, of_speed=rescorer.test.of_speed)
        sampled = np.linspace(0, len(rescorer.test.keys) - 1, BRIGHTNESS_FRAMES, dtype=int)
        self._tops = {  # one scale for all clips: where nothing is wrong, nothing glows
            name: max(float(np.abs(branch.error(i)).max()) for i in sampled)
            for name, branch in (("appearance", rescorer.test.appearance), ("motion", rescorer.test.motion))
        }
        self.found: Rescored = rescorer.under(choice)
        self.clip, self.place = "", 0
        self.show_frame(next(iter(self.clips)), 0)

    def choose(self, choice: ScoreChoice) -> Rescored:
        """Another choice: the whole set anew. Raises ValueError for a patch that does not fit the frame."""
        self.found = self.rescorer.under(choice)
        self._show_curve()
        self.show_frame(self.clip, self.place)
        return self.found

    def show_frame(self, clip: str, place: int) -> None:
        """Another frame, counted from 0 among the scored frames of its clip."""
        if clip != self.clip:
            self._show_clip(clip)
        self.place = place
        index, number = self._at.start + place, int(self.frames[place])
        test, masks = self.rescorer.test, self.prepared.masks(clip)
        places, found = self.rescorer.places(self.found, index)
        pictures = {
            "frame": self.prepared.frames("test", clip)[number],
            "appearance": test.appearance.error(index),
            "motion": test.motion.error(index),
            "places": places,
            "found": found,
            "mask": np.zeros(test.size, bool) if masks is None else masks[number] == 1,
        }
        brightest = max(float(self.found.scores[self._at].max()), 2 * self.found.threshold)  # no alarm: half as bright
        self.figure.show_frame(number, float(self.found.shown[index]), pictures, brightest)

    def facts(self) -> dict[str, str]:
        """What the choice gives over the whole set, by name, ready to show."""
        found = self.found
        shown = {"psi": f"{found.psi:.3f}", "threshold": f"{found.threshold:.4g}", "frames": f"{len(found.scores):,}"}
        if found.why_not:
            return {"not measured": found.why_not} | shown
        auc, eer = found.measured["auc"], found.measured.get("eer")
        return {
            "AUC, whole set": "no clip with both classes" if auc is None else f"{auc:.3f}",
            "EER, whole set": "not defined here" if eer is None else f"{eer:.3f}",
            "abnormal frames that alarm": f"{found.measured['hit_rate']:.1%}",
            "normal frames that alarm": f"{found.measured['false_alarm_rate']:.1%}",
            **shown,
        }

    def _show_clip(self, clip: str) -> None:
        test, labels = self.rescorer.test, self.rescorer.labels
        self.clip, self._at = clip, test.frames_of(clip)
        self.frames = np.array([frame for _, frame in test.keys[self._at]])  # (T,) their numbers in the clip
        self.figure.show_clip(clip, self.frames, None if labels is None else labels[self._at], self._tops)
        self._show_curve()

    def _show_curve(self) -> None:
        raw = self.found.scores
        threshold, top, name = self.found.threshold, float(raw.max()), "score"
        if self.found.choice.protocol == "micro_per_clip":
            low, high = float(raw[self._at].min()), float(raw[self._at].max())
            threshold, top, name = (threshold - low) / (high - low or 1), 1.0, "score, clip in [0, 1]"
        self.figure.show_scores(self.found.shown[self._at], threshold, top, name)
