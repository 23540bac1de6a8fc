"""The ipywidgets shell around `maam_lib.video.playback`: a scored video that plays in a notebook."""

import ipywidgets as widgets

from maam_lib.video import Playback


def player(playback: Playback) -> widgets.VBox:
    """Play, pause and a slider over the frames of a scored video; picture and curve are one, so they move together."""
    last = len(playback) - 1
    interval = max(20, round(1000 / playback.frame_rate))  # milliseconds
    play = widgets.Play(min=0, max=last, interval=interval, description="play")
    place = widgets.IntSlider(min=0, max=last, description="row", layout=widgets.Layout(width="30em"))
    width = playback.picture(0).shape[1]
    shown = widgets.Image(value=playback.jpeg(0), format="jpeg", layout=widgets.Layout(width=f"{width}px"))
    widgets.jslink((play, "value"), (place, "value"))

    def show(change: dict[str, int]) -> None:
        shown.value = playback.jpeg(change["new"])

    place.observe(show, names="value")
    return widgets.VBox([shown, widgets.HBox([play, place])])
