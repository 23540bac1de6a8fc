"""Draws docs/method.svg, the method in one picture, from the kept weights: python docs/make_method.py --root DATA.

Every picture in it is computed: a frame of the generated scene on its way through the kept network to its score.
"""

import argparse
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jinja2 import Environment, FileSystemLoader
from matplotlib import colormaps
from matplotlib.colors import to_hex

from maam_lib import Evaluator, FrameFlowDataset, dataset_for, network_predictor
from maam_lib.analysis import items_of
from maam_lib.evaluation import calibrate, score_steps, score_table
from maam_lib.figures import HEAT, abnormal_spans
from maam_lib.figures.method import PARTS
from maam_lib.figures.pictures import flow_colours
from maam_lib.grid import reference_network

DOCS = Path(__file__).parent
RECIPE, CLIP, FRAME = "synthetic-laptop", "Test001", 30  # a cyclist on the walkway
ITEMS, FEATURES = 8, 8  # how many memory items, and of how many numbers, are drawn
WORDS = (
    "A frame passes the encoder and becomes a grid of query vectors. Each query asks the memory, whose most similar "
    "items answer. From the answer, two decoders rebuild the frame and predict its motion. Where they are wrong, "
    "errors are large. Errors are summed over patches and fused; the largest patch is the frame's score."
)


def as_url(pixels: np.ndarray) -> str:
    """A picture (H, W) or (H, W, 3) RGB of uint8 as a data URL."""
    ordered = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    _, data = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()


def in_bytes(colours: np.ndarray) -> np.ndarray:
    """RGB in [0, 1] as uint8."""
    return (colours * 255).astype(np.uint8)


def heat(values: np.ndarray) -> np.ndarray:
    return in_bytes(colormaps[HEAT](values / values.max())[..., :3])


def colours_of(vectors: np.ndarray) -> list[str]:
    """Each vector of (P, D) as a colour: its place along the three directions in which they differ most."""
    places, _, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    return [to_hex(np.clip(0.5 + 0.2 * place, 0.05, 0.95)) for place in places[:, :3] * np.sqrt(len(places))]


def grid(x: float, y: float, width: int, colours: list[str], side: int = 13) -> Iterator[dict[str, Any]]:
    for i, colour in enumerate(colours):
        yield {"x": x + side * (i % width), "y": y + side * (i // width), "colour": colour}


def method(root: Path) -> str:
    recipe, net = reference_network(RECIPE)
    prepared = dataset_for(root, recipe)
    evaluator, predict = Evaluator(recipe, prepared), network_predictor(net)
    calibration = calibrate(evaluator.errors(predict, "train"), recipe.scoring)
    steps = score_steps(net, prepared, CLIP, FRAME, recipe.scoring, calibration.psi)
    table = score_table(evaluator.errors(predict, "test"), calibration.psi, prepared)
    of_clip = table[table["clip"] == CLIP].reset_index(drop=True)

    data = FrameFlowDataset(prepared, "test", clips=[CLIP], channels=net.frame_channels)
    frames, _ = data.__getitems__([data.keys().index((CLIP, FRAME))])
    with torch.no_grad():
        out = net(frames)
    depth, h, w = out.query.shape[1:]
    query, read_out = (z[0].permute(1, 2, 0).reshape(-1, depth).numpy() for z in (out.query, out.read_out))

    middle = [int(places.mean()) for places in np.nonzero(steps.worst)]  # of the largest patch, in pixels
    row, column = (at * cells // pixels for at, cells, pixels in zip(middle, (h, w), steps.worst.shape, strict=True))
    weights = out.weights[0, :, row, column].numpy()
    loudest = np.argsort(-weights)[:ITEMS]
    vectors = items_of(net).detach().numpy()[loudest]
    shades = colormaps["Blues"](0.15 + 0.8 * (vectors[:, :FEATURES] - vectors.min()) / np.ptp(vectors))
    items = [
        {
            "y": 58 + 9.5 * i,
            "bar": round(float(120 * weights[item] / weights.max()), 1),
            "cells": [{"x": 446 + 14 * k, "colour": to_hex(shades[i, k])} for k in range(FEATURES)],
        }
        for i, item in enumerate(loudest)
    ]
    return (
        Environment(loader=FileSystemLoader(DOCS), trim_blocks=True, lstrip_blocks=True)
        .get_template("method.svg.j2")
        .render(
            words=WORDS,
            parts=PARTS,
            pictures=pictures_of(steps, calibration.psi),
            query=list(grid(266, 54, w, colours_of(query))),
            read_out=list(grid(582, 250, w, colours_of(read_out))),
            items=items,
            box=box_of(steps.worst, 312, 474),
            **curve_of(of_clip, calibration.threshold),
        )
    )


def pictures_of(steps: Any, psi: float) -> dict[str, str]:
    top = np.hypot(*np.moveaxis(steps.flow, -1, 0)).max()
    appearance, motion = psi * steps.appearance_sums, (1 - psi) * steps.motion_sums
    return {
        "frame": as_url(steps.frame.squeeze()),
        "frame_hat": as_url(steps.frame_hat.squeeze()),
        "flow": as_url(in_bytes(flow_colours(steps.flow, top))),
        "flow_hat": as_url(in_bytes(flow_colours(steps.flow_hat, top))),
        "appearance": as_url(heat(steps.appearance)),
        "motion": as_url(heat(steps.motion)),
        "appearance_sums": as_url(heat(appearance)),
        "motion_sums": as_url(heat(motion)),
        "fused": as_url(heat(steps.fused)),
    }


def box_of(worst: np.ndarray, x: float, y: float, width: int = 108, height: int = 72) -> dict[str, float]:
    rows, columns = np.flatnonzero(worst.any(1)), np.flatnonzero(worst.any(0))
    tall, wide = worst.shape
    return {
        "x": round(x + columns[0] / wide * width, 1),
        "y": round(y + rows[0] / tall * height, 1),
        "w": round(len(columns) / wide * width, 1),
        "h": round(len(rows) / tall * height, 1),
    }


def curve_of(table: Any, threshold: float) -> dict[str, Any]:
    """Score over time in a panel of 252x72 at (452, 474), with the abnormal spans and the frame shown."""
    scores, labels, frames = (table[name].to_numpy() for name in ("fused", "label", "frame"))
    top = max(scores.max(), threshold) * 1.05
    x, y = 452 + 252 * (frames - frames[0]) / np.ptp(frames), 546 - 72 * scores / top
    spans = abnormal_spans(np.arange(len(frames)), labels == 1)
    here = int(np.flatnonzero(frames == FRAME)[0])
    return {
        "curve": " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)),
        "abnormal": [{"x": round(x[first], 1), "w": round(x[last] - x[first], 1)} for first, last in spans],
        "limit": round(546 - 72 * threshold / top, 1),
        "dot": {"x": round(x[here], 1), "y": round(y[here], 1)},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of prepared datasets")
    (DOCS / "method.svg").write_text(method(parser.parse_args().root), encoding="utf-8")
