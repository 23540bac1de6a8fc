"""The memory explorer: click a place on the frame, see which items answer there, and turn the addressing's knobs.

The clickable places are plain buttons, one per query, laid over the picture in one cell of a CSS grid: no package
beyond ipywidgets, and the same in JupyterLab and Voila. The Tab key passes them by: sliders choose the same places.
"""

from itertools import product

import ipywidgets as widgets

from maam_lib.memory import Similarity
from maam_lib.playground.explorers.controls import FILLING, LABEL, ROW, Explorer, choice_of, dropdown, whole
from maam_lib.playground.memory_view import MOST_ITEMS, Addressing, MemoryView

MOST_PLACES = 700  # buttons on a picture; finer grids have the sliders alone
SIMILARITIES: dict[Similarity, str] = {"cosine": "cosine (Eq. 1)", "released": "as in the released code"}
KNOBS = widgets.Layout(flex="1 1 300px", max_width="520px")
PICTURE = "min(100%, 460px)"  # beside the sliders, also in the narrower page of JupyterLab; above them on a phone
SAME_CELL = "1 / 1 / 2 / 2"


class MemoryExplorer(Explorer[MemoryView]):
    """Sliders and clickable places over a view; a button goes back to the network's own addressing."""

    def __init__(self, view: MemoryView) -> None:
        super().__init__(view, "back to the network's setting")
        self.trained = Addressing.of(view.net)
        rows, columns = view.grid
        self.frame = widgets.Image(format="png", layout=widgets.Layout(grid_area=SAME_CELL, width="100%", margin="0"))
        self.row = whole("row", 0, rows - 1, view.cell[0])
        self.column = whole("column", 0, columns - 1, view.cell[1])
        self.similarity = dropdown("similarity", SIMILARITIES)
        looks = {"style": LABEL, "layout": FILLING}
        self.temperature = widgets.FloatLogSlider(
            1, min=-2, max=1, step=0.05, description="temperature", readout_format=".3g", **looks
        )
        self.threshold = widgets.FloatSlider(1, min=0, max=10, step=0.1, description="lambda x N", **looks)
        self.count = whole("items shown", 1, MOST_ITEMS, view.count)
        over = widgets.GridBox([self.frame, *self._places()], layout=widgets.Layout(width=PICTURE))
        knobs = [self.row, self.column, self.similarity, self.temperature, self.threshold, self.count, self.back]
        upper = widgets.HBox([over, widgets.VBox(knobs, layout=KNOBS)], layout=ROW)
        self.children = [self.scrubber, upper, self.numbers, self.picture]
        self.listen(self.address, self.similarity, self.temperature, self.threshold)
        self.listen(self.look, self.row, self.column, self.count)
        self.reset()

    def addressing(self) -> Addressing:
        """What the controls say; at 1/N exactly the paper's threshold."""
        threshold = None if self.threshold.value == 1 else self.threshold.value / self.view.items
        return Addressing(choice_of(self.similarity, SIMILARITIES), self.temperature.value, threshold)

    def reset(self) -> None:
        """Back to the addressing that the network was trained with."""
        with self.quietly():
            self.similarity.value, self.temperature.value = self.trained.similarity, self.trained.temperature
            self.threshold.value = self.trained.threshold(self.view.items) * self.view.items
        self.address()

    def address(self) -> None:
        """Another addressing."""
        self.view.address(self.addressing())
        self.draw()

    def look(self) -> None:
        """Another query, or another number of items."""
        self.view.look_at((self.row.value, self.column.value), self.count.value)
        self.draw()

    def look_at(self, row: int, column: int) -> None:
        """Choose the query at a place of the latent grid: what a click on the picture does."""
        with self.quietly():
            self.row.value, self.column.value = row, column
        self.look()

    def draw(self) -> None:
        """Show the view as it is now."""
        super().draw()
        self.frame.value = self.view.frame_png()

    def _places(self) -> list[widgets.Widget]:
        """One see-through button per query over the picture, in a grid of the picture's size."""
        rows, columns = self.view.grid
        if rows * columns > MOST_PLACES:
            return []
        bare = dict.fromkeys(("margin", "padding", "border", "min_width", "min_height"), "0")
        layout, style = widgets.Layout(width="auto", height="auto", **bare), {"button_color": "transparent"}
        buttons = []
        for i, j in product(range(rows), range(columns)):
            buttons.append(
                widgets.Button(tooltip=f"query in row {i}, column {j}", tabbable=False, layout=layout, style=style)
            )
            buttons[-1].on_click(lambda _, cell=(i, j): self.look_at(*cell))
        shape = {"grid_template_rows": f"repeat({rows}, 1fr)", "grid_template_columns": f"repeat({columns}, 1fr)"}
        layout = widgets.Layout(grid_area=SAME_CELL, width="100%", height="100%", grid_gap="0", **shape)
        return [widgets.GridBox(buttons, layout=layout)]
