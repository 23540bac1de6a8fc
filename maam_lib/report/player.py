"""A page that plays: a test set, its error maps and Algorithm 1 in one file that a browser opens from disk (ours).

The page needs no network, no installation and no server. It holds small pictures of the clips and coarse error maps:
means over blocks of pixels, in 8 bits. Everything else it computes itself, by the rules of the library: patch sums,
fusion, scores, the threshold on training frames, AUC and EER. So its numbers are those of the library on these maps,
and close to those of a result, which is made from maps of every pixel.
"""

import base64
import zlib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from data_prep.files import write_text
from data_prep.scenes import dataset_names
from maam_lib.baselines import spread_evenly
from maam_lib.config import Recipe
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.evaluation import Evaluator, Predict, error_maps, network_predictor
from maam_lib.grid import DATASETS, read_result
from maam_lib.pages import page
from maam_lib.training import RunFolder, build_network, dataset_for

BLOCK = 4  # pixels, the side of a block of the error maps
TRAINING_FRAMES = 100  # evenly spread, that the page calibrates the threshold on
MOST_FRAMES = 4000  # of a test set: the page would grow beyond what a browser opens at once
QUALITY = 45  # of the pictures, WebP
SHEET_COLUMNS = 10  # pictures in a row of a clip's sheet
TEMPLATE = "report/templates/player.html"


class CoarseMaps(NamedTuple):
    """Error maps of T frames in blocks: level q of 0 to 255 stands for (q / 255)^2 times the branch's largest."""

    levels: np.ndarray  # uint8 (T, 2, h, w), appearance and motion
    largest: tuple[float, float]

    def per_pixel(self) -> np.ndarray:
        """What the page sees of them: float64 (T, 2, h, w), the mean error of a block's pixels."""
        return np.square(self.levels / 255) * np.array(self.largest)[:, None, None]


def block_means(evaluator: Evaluator, predict: Predict, dataset: FrameFlowDataset, frames: np.ndarray) -> np.ndarray:
    """Means of the error maps of some frames over blocks, float32 (T, 2, h, w), h = ceil(H / BLOCK)."""
    parts = []
    for maps in error_maps(predict, dataset, frames=frames, device=evaluator.device):
        both = torch.stack([maps.appearance, maps.motion], dim=1)
        # a block at the border has the mean of what it holds
        parts.append(F.avg_pool2d(both, BLOCK, ceil_mode=True, count_include_pad=False).cpu())
    return torch.cat(parts).numpy()


def coarse(means: np.ndarray, largest: tuple[float, float]) -> CoarseMaps:
    """Means (T, 2, h, w) in 8 bits, finer where they are small; what exceeds the largest is cut to it."""
    shares = np.sqrt(np.clip(means / np.array(largest)[:, None, None], 0, 1))
    return CoarseMaps(np.round(255 * shares).astype(np.uint8), largest)


def player_page(evaluator: Evaluator, predict: Predict, psi: float, title: str, about: str = "") -> str:
    """The page of a predictor on a dataset's test clips, each of which has labels.

    It begins with the recipe's patch and stride and this weight of appearance. `about` is a sentence on where the
    frames and the network come from.
    """
    recipe, prepared = evaluator.recipe, evaluator.prepared
    train, test = evaluator.dataset("train"), evaluator.dataset("test")
    every = block_means(evaluator, predict, test, np.arange(len(test)))
    normal = block_means(evaluator, predict, train, spread_evenly(len(train), TRAINING_FRAMES))
    largest = (float(every[:, 0].max()), float(every[:, 1].max()))
    keys = test.keys()
    clips = []
    for name in dict.fromkeys(clip for clip, _ in keys):
        rows = [i for i, (clip, _) in enumerate(keys) if clip == name]
        numbers = [keys[i][1] for i in rows]
        clips.append(
            {
                "name": name,
                "labels": prepared.labels(name)[numbers].tolist(),
                "sheet": _sheet(prepared.frames("test", name)[numbers]),
                "maps": _packed(coarse(every[rows], largest).levels),
            }
        )
    return page(
        TEMPLATE,
        title=title,
        about=about,
        data=_settings(recipe, prepared, psi, largest)
        | {
            "training": _packed(coarse(normal, largest).levels),
            "clips": clips,
        },
    )


def write_player(out: Path, run: RunFolder, root: Path) -> bool:
    """Write the page of a measured run on its dataset to a file; False, and no file, for more than MOST_FRAMES frames.

    `root` holds the prepared datasets. Raises as `dataset_for` and `read_result` do for what cannot be read.
    """
    plan, result = run.recipe, read_result(run.folder / "metrics.json")
    evaluator = Evaluator(plan, dataset_for(root, plan))
    if len(evaluator.dataset("test")) > MOST_FRAMES or result.psi is None:
        return False
    net = build_network(plan)
    run.load_weights(net)
    generated = plan.data.dataset in dataset_names()
    of = "a generated street, never a result of the paper" if generated else DATASETS.get(plan.data.dataset, "own data")
    about = f"The test clips of {of}, scored by a network of the recipe {plan.name}."
    write_text(out, player_page(evaluator, network_predictor(net), result.psi, "Play with MAAM-Net", about))
    return True


def _settings(recipe: Recipe, prepared: PreparedDataset, psi: float, largest: tuple[float, float]) -> dict[str, object]:
    return {
        "size": list(prepared.frame_size),
        "block": BLOCK,
        "columns": SHEET_COLUMNS,
        "patch": list(recipe.scoring.patch),
        "padding": recipe.scoring.padding,
        "psi": psi,
        "quantile": recipe.scoring.alarm_quantile,
        "largest": list(largest),
    }


def _packed(levels: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode("ascii")


def _sheet(frames: np.ndarray) -> str:
    """All frames (T, H, W, C) of a clip in one picture, row by row, as a data URL."""
    missing = -len(frames) % SHEET_COLUMNS
    padded = np.concatenate([frames, np.zeros((missing, *frames.shape[1:]), np.uint8)])
    rows = padded.reshape(-1, SHEET_COLUMNS, *frames.shape[1:]).transpose(0, 2, 1, 3, 4)
    sheet = rows.reshape(rows.shape[0] * rows.shape[1], -1, frames.shape[3])[..., ::-1]
    _, data = cv2.imencode(".webp", np.ascontiguousarray(sheet), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii")
