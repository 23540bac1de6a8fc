"""One frame, one query and one addressing, as pictures and numbers: what the memory explorer shows (ours)."""

from collections import Counter

import numpy as np

from maam_lib.analysis import items_of
from maam_lib.data import FrameFlowDataset
from maam_lib.model import MAAMNet
from maam_lib.playground.live_figures import AddressingFigure, frame_with_cell, png_of
from maam_lib.playground.queries import Addressing, answers, queries_of

MOST_ITEMS = 12  # that fit beside each other


class MemoryView:
    """Holds what is shown; every method does only the work that its change asks for."""

    def __init__(self, net: MAAMNet, dataset: FrameFlowDataset) -> None:
        """Raises QueryError for a network without memory."""
        self.net, self.dataset = net, dataset
        self._keys = dataset.keys()
        self.clips: dict[str, int] = Counter(clip for clip, _ in self._keys)  # frames of each
        self.figure = AddressingFigure(dataset.prepared.frame_size, MOST_ITEMS)
        self.addressing, self.count = Addressing.of(net), MOST_ITEMS
        self._query, self._items = queries_of(net, dataset, 0), items_of(net)
        self.items = len(self._items)
        self.grid = self._query.shape[2], self._query.shape[3]
        self.cell = (self.grid[0] // 2, self.grid[1] // 2)
        self.show_frame(self._keys[0][0], 0)

    def show_frame(self, clip: str, place: int) -> None:
        """Another frame, counted from 0 in its clip: its queries anew."""
        self.clip, self.place = clip, place
        index = next(i for i, (name, _) in enumerate(self._keys) if name == clip) + place
        self._query = queries_of(self.net, self.dataset, index)
        self._pixels = self.dataset.prepared.frames(self.dataset.split, clip)[self._keys[index][1]]
        self.address(self.addressing)

    def address(self, addressing: Addressing) -> None:
        """Another addressing: the answers anew."""
        self.addressing = addressing
        self.answers = answers(self._query, self._items, addressing)
        self.look_at(self.cell, self.count)

    def look_at(self, cell: tuple[int, int], count: int) -> None:
        """Another query (row, column) of the frame, or another number of items; QueryError outside the grid."""
        found = self.answers.of(cell, count)
        self.cell, self.count = cell, count
        self.figure.show(self._pixels, found, self.addressing.threshold(self.items), cell)

    def frame_png(self) -> bytes:
        """The frame with the queries' grid, the chosen one outlined."""
        return png_of(frame_with_cell(self._pixels, self.grid, self.cell))

    def facts(self) -> dict[str, str]:
        """What the memory answers, by name, ready to show."""
        found, items = self.answers, self.items
        return {
            "support items of this query": f"{found.support[self.cell]} of {items}",
            "entropy of its weights": f"{found.entropy[self.cell]:.2f} of at most {np.log(items):.2f} nats",
            "cosine of query and read-out": f"{found.agreement[self.cell]:.3f}",
            "support items, frame's mean": f"{found.support.mean():.1f}",
            "cosine, frame's mean": f"{found.agreement.mean():.3f}",
            "lambda": f"{self.addressing.threshold(items):.4g}",
        }
