"""Where a threshold came from, and what is known of how far it can be trusted: for the command and for the page."""

from typing import NamedTuple

from data_prep.words import counted
from maam_lib.detector import ALARM_SHARE, TRAINING_FRAMES, Detector

FEW_ABOVE = 10  # normal frames meant to reach the threshold; with fewer it says that these are few


class Threshold(NamedTuple):
    """What the page says of a threshold."""

    normal: str  # what it was measured on
    of_training: bool
    trained_on: str
    frames: int  # that it was measured on
    reached: str | None  # in words: by how many of the dataset's normal test frames, where that is known
    share: str  # in words: of frames, or of the time, meant to reach it
    few: float | None  # frames that this share is, where they are too few to rely on
    asked: str | None  # alarms per hour, in words
    is_extrapolated: bool
    has_outlier: bool

    @property
    def origin(self) -> str:
        """In one line."""
        if self.asked is None:
            of = f"a quantile of the scores of {self.normal}"
            return of if self.of_training else f"{of}: {self.share} of frames like these reach it"
        said = f"at most {self.asked} on footage like {self.normal}: it may be reached for {self.share} of the time"
        if self.is_extrapolated:
            said += f"; extrapolated beyond the {counted(self.frames, 'frame')} scored"
        return said


def threshold_told(detector: Detector, alarms_per_hour: float | None) -> Threshold:
    """Of the threshold in use. alarms_per_hour: that were asked for; None takes the detector's own."""
    training, of_training = detector.training, detector.normal == TRAINING_FRAMES
    threshold = detector.threshold if alarms_per_hour is None else detector.threshold_for(alarms_per_hour)
    share = ALARM_SHARE if alarms_per_hour is None else detector.share_for(alarms_per_hour)
    above = share * training.frames
    return Threshold(
        normal=detector.normal,
        of_training=of_training,
        trained_on=detector.trained_on,
        frames=training.frames,
        reached=_reached(detector, threshold),
        share=percent(share),
        few=above if above < FEW_ABOVE and not of_training else None,
        asked=None if alarms_per_hour is None else f"{counted(float(alarms_per_hour), 'alarm')} per hour",
        is_extrapolated=alarms_per_hour is not None and training.is_extrapolated(share),
        has_outlier=training.has_outlier and not of_training,
    )


def untrusted(detector: Detector, alarms_per_hour: float | None) -> str | None:
    """What to say of a threshold before it is used, where something is known against it."""
    told = threshold_told(detector, alarms_per_hour)
    if told.has_outlier:
        return (
            f"one score of {told.normal} lies far above the others and moves the threshold up; look for a cut, or for "
            "something unusual, and leave it out"
        )
    if told.reached is None:
        return None
    return (
        f"the threshold comes from the training frames of {detector.trained_on}; {told.reached} of the *normal* "
        "frames of its own test clips reach it too, so expect false alarms. Give ordinary footage of your view: "
        "--normal FOOTAGE"
    )


def _reached(detector: Detector, threshold: float) -> str | None:
    """How many normal test frames reach a threshold of training frames, as far as their quantiles can tell."""
    share = detector.reached_by_normal_test(threshold)
    if share is None or detector.normal != TRAINING_FRAMES:
        return None
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def percent(share: float) -> str:
    """A share (0 to 1) in words that do not claim more than two digits."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
