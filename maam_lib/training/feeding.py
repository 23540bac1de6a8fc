"""How training batches reach the device (ours): all frames kept there, read one batch ahead, or read when asked for.

The batches are the same to the last bit; only the time that the device waits for them differs. Arrays travel as they
are stored, a third of their size in float32 or less; gray is repeated on the device, by `to_model_input`.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from maam_lib.data import FrameFlowDataset

Way = Literal["kept", "ahead", "direct"]
Batch = tuple[Tensor, Tensor]
SHARE_OF_MEMORY = 1 / 3  # of the device's free memory that frames may take
PART = 256  # frames that are read at once when all are kept


def best_way(dataset: FrameFlowDataset, device: torch.device) -> Way:
    """ "kept" where a third of a GPU's free memory holds all frames, else "ahead"; on a CPU "direct".

    A CPU's cores are busy with the network: a thread that reads ahead would only take its time elsewhere.
    """
    if device.type != "cuda":
        return "direct"
    free, _ = torch.cuda.mem_get_info(device)
    return "kept" if dataset.stored_bytes <= SHARE_OF_MEMORY * free else "ahead"


class Feed:
    """Batches of a dataset's frames on a device.

    way: "kept" reads all frames at once and keeps them on the device; "ahead" has a thread read the next batch, on CUDA
    into pinned memory that is copied without waiting; "direct" reads each when it is asked for. None is the best.
    """

    def __init__(self, dataset: FrameFlowDataset, device: torch.device, way: Way | None = None):
        self.dataset, self.device = dataset, device
        self.way = best_way(dataset, device) if way is None else way
        self._kept = self._all_frames() if self.way == "kept" else None

    def batches(self, order: Iterable[np.ndarray]) -> Iterator[Batch]:
        """For each array of frame numbers: frames and flow as the dataset's `stored_batch`, on the device."""
        yield from self._read_ahead(order) if self.way == "ahead" else map(self._read, order)

    def _read(self, indices: np.ndarray) -> Batch:
        if self._kept is None:
            return self._moved(self.dataset.stored_batch(indices))
        where = torch.from_numpy(indices).to(self.device)
        return self._kept[0][where], self._kept[1][where]

    def _read_ahead(self, order: Iterable[np.ndarray]) -> Iterator[Batch]:
        pinned = self.device.type == "cuda"
        with ThreadPoolExecutor(max_workers=1) as reader:
            batches = (reader.submit(self.dataset.stored_batch, indices, pinned=pinned) for indices in order)
            for batch, _following in pairwise(chain(batches, [Future()])):
                yield self._moved(batch.result())

    def _moved(self, batch: Batch) -> Batch:
        frames, flow = (x.to(self.device, non_blocking=True) for x in batch)
        return frames, flow

    def _all_frames(self) -> Batch:
        """Read in order and in parts, so that this machine's memory need not hold them too."""
        count, empty = len(self.dataset), self.dataset.stored_batch([])
        kept = [torch.empty((count, *x.shape[1:]), dtype=x.dtype, device=self.device) for x in empty]
        for first in range(0, count, PART):
            part = self.dataset.stored_batch(range(first, min(first + PART, count)))
            for whole, read in zip(kept, part, strict=True):
                whole[first : first + PART] = read
        return kept[0], kept[1]
