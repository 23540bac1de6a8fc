"""A page that plays: a test set, its error maps and Algorithm 1 in one file that a browser opens from disk (ours).

The page needs no network, no installation and no server. It holds small pictures of the clips and coarse error maps:
means over blocks of pixels, in 8 bits. Everything else it computes itself, by the rules of the library: patch sums,
fusion, scores, the threshold on training frames, AUC and EER. So its numbers are those of the library on these maps,
and close to those of a result, which is made from maps of every pixel.
"""

import base64
import zlib
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from maam_lib.baselines import spread_evenly
from maam_lib.config import Recipe
from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.evaluation import Evaluator, Predict, error_maps
from maam_lib.evaluation.scores import Calibration
from maam_lib.pages import page

BLOCK = 4  # pixels, the side of a block of the error maps
TRAINING_FRAMES = 100  # evenly spread, that the page calibrates the threshold on
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


def player_page(evaluator: Evaluator, predict: Predict, calibration: Calibration, title: str, about: str = "") -> str:
    """The page of a predictor on a dataset's test clips, each of which has labels.

    It begins with the recipe's patch and stride and the psi of a calibration. `about` is a sentence on where the
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
        data=_settings(recipe, prepared, calibration, largest)
        | {
            "training": _packed(coarse(normal, largest).levels),
            "clips": clips,
        },
    )


def _settings(
    recipe: Recipe, prepared: PreparedDataset, calibration: Calibration, largest: tuple[float, float]
) -> dict[str, object]:
    return {
        "size": list(prepared.frame_size),
        "block": BLOCK,
        "columns": SHEET_COLUMNS,
        "patch": list(recipe.scoring.patch),
        "padding": recipe.scoring.padding,
        "psi": calibration.psi,
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
