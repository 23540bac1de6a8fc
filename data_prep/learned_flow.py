"""Learned optical flow (FlowNet2, RAFT, SEA-RAFT ...) for a prepared dataset, by ptlflow: a program of its own.

It runs in an environment of its own (`make flow-env`, or environment-flow.yml), since ptlflow needs other versions
than the kit, and so imports nothing of the kit. What it writes, `maam import-flow` reads:

.venv-flow/bin/python data_prep/learned_flow.py data/ped2 flows/ped2-flownet2 --model flownet2
maam import-flow data/ped2 --flow-dir flows/ped2-flownet2

<out>/flow.json               model, weights, scale, versions, and which frames it was
<out>/.partial                what is being written; the next call overwrites what a killed one left
<out>/<split>/<clip>.npy      float16 (T-1, H, W, 2), (dx, dy), from t to t+1, pixels at the frames' size

The paper takes FlowNet2 (Sec. 4.3). ptlflow downloads the weights on first use; FlowNet2's are for research only.
"""

import argparse
import hashlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

Estimate = Callable[[np.ndarray, np.ndarray], np.ndarray]  # two uint8 (H, W, 3) RGB -> float32 (H, W, 2)


class LearnedFlowError(ValueError):
    """Flow could not be made as asked: one line that says what was expected and what to do."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: exit status 0 only on success, errors as one line."""
    parser = argparse.ArgumentParser(description="Learned optical flow for a prepared dataset, by ptlflow.")
    parser.add_argument("dataset", type=Path, help="folder of a prepared dataset, best at its native size")
    parser.add_argument("out", type=Path, help="folder for the flow; the same command continues where it was stopped")
    parser.add_argument("--model", required=True, help="ptlflow's name: flownet2, raft, raft_small, sea_raft_m ...")
    parser.add_argument("--checkpoint", default="things", help="ptlflow's name of the weights, or a file of them")
    parser.add_argument("--scale", type=float, default=1.0, help="the model sees frames enlarged by this factor")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu, cuda, cuda:1 ..."
    )
    parser.add_argument("--random-weights", action="store_true", help="for tests only: the flow is noise")
    try:
        write_flows(parser.parse_args(arguments))
    except (LearnedFlowError, OSError) as error:
        sys.exit(f"learned_flow: error: {' '.join(str(error).split())}")


def write_flows(asked: argparse.Namespace) -> None:
    """Write the flow of every clip that is not there yet, each whole or not at all.

    Raises LearnedFlowError: no prepared dataset, no ptlflow, unknown model or weights, weights that cannot be had,
    flow that is not finite, an output folder with flow of other settings or frames, or one that another process writes;
    OSError in writing.
    """
    manifest = _manifest(asked.dataset)
    model, weights = _model(asked)
    settings = _settings(asked, manifest, weights)
    estimate = _estimator(model, tuple(manifest["frame_size"]), asked.scale, asked.device)
    with _claimed(asked.out, settings):
        for split, clips in manifest["clips"].items():
            for clip, entry in clips.items():
                if not (asked.out / split / f"{clip}.npy").exists():
                    frames = np.load(asked.dataset / split / clip / "frames.npy", mmap_mode="r")
                    _write_clip(asked.out, f"{split}/{clip}.npy", frames, estimate)
                print(f"{split}/{clip}: {entry['frames'] - 1} fields", flush=True)


def _manifest(dataset: Path) -> dict[str, Any]:
    path = dataset / "manifest.json"
    if not path.is_file():
        raise LearnedFlowError(f"{dataset}: no finished prepared dataset (no manifest.json); run `maam prepare`")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        _ = [entry["sha256"]["frames"] for clips in manifest["clips"].values() for entry in clips.values()]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise LearnedFlowError(f"{path}: not a complete manifest ({error}); prepare the dataset again") from error
    return manifest


# The model


def _model(asked: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, str]]:
    """The model with its weights, and what to record of them."""
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        raise LearnedFlowError(f"--device {asked.device}: PyTorch {torch.__version__} finds no GPU; take --device cpu")
    ptlflow = import_ptlflow()
    if asked.scale <= 0:
        raise LearnedFlowError(f"--scale {asked.scale}: expected more than 0; 1 is the frames' own size")
    if asked.model not in ptlflow.get_model_names():
        raise LearnedFlowError(f"no model {asked.model!r}; ptlflow has {', '.join(ptlflow.get_model_names())}")
    if asked.random_weights:
        print("learned_flow: RANDOM WEIGHTS: the flow is noise, for tests only", file=sys.stderr)
        torch.manual_seed(0)
        return ptlflow.get_model(asked.model), {"weights": "random"}
    known = getattr(ptlflow.get_model_reference(asked.model), "pretrained_checkpoints", {})
    file = Path(asked.checkpoint)
    if not file.is_file() and asked.checkpoint not in known:
        named = ", ".join(known) or "none"
        raise LearnedFlowError(f"no weights {asked.checkpoint!r} of {asked.model}; give a file or one of: {named}")
    try:
        model = ptlflow.get_model(asked.model, ckpt_path=asked.checkpoint)
    except (OSError, RuntimeError, KeyError) as error:
        address = known.get(asked.checkpoint, file)
        raise LearnedFlowError(
            f"the weights of {asked.model} could not be downloaded from {address} ({error}); download them where "
            "there is a network and give the file with --checkpoint"
        ) from error
    if file.is_file():
        return model, {"weights": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    return model, {"weights": asked.checkpoint, "address": known[asked.checkpoint]}


def import_ptlflow() -> Any:
    """ptlflow; where torchvision lacks its compiled operators (a build for another torch), with stubs for them.

    Flow models need none of the two; without them the mere import fails.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        global _stubs  # they vanish with the object
        _stubs = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            _stubs.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except ImportError:
        pass  # ptlflow says itself what it lacks
    try:
        return importlib.import_module("ptlflow")
    except ImportError as error:
        raise LearnedFlowError(
            f"no ptlflow in {sys.executable} ({error}); run `make flow-env` and call .venv-flow/bin/python"
        ) from error


def _estimator(model: torch.nn.Module, size: tuple[int, int], scale: float, device: str) -> Estimate:
    adapter_of = importlib.import_module("ptlflow.utils.io_adapter").IOAdapter
    scaled = {} if scale == 1 else {"target_scale_factor": scale}
    adapter = adapter_of(output_stride=model.output_stride, input_size=size, **scaled)
    model.to(device).eval()

    @torch.inference_mode()
    def estimate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        pair = [np.ascontiguousarray(frame[..., ::-1]) for frame in (first, second)]  # ptlflow takes BGR
        inputs = adapter.prepare_inputs(pair)
        try:
            outputs = adapter.unscale(model({key: value.to(device) for key, value in inputs.items()}))
        except RuntimeError as error:
            raise LearnedFlowError(
                f"the model failed on frames of {size[0]}x{size[1]} at --scale {scale} ({error}); out of memory asks "
                "for a smaller scale or --device cpu, frames that are too small for a larger scale"
            ) from error
        return outputs["flows"][0, 0].permute(1, 2, 0).float().cpu().numpy()  # (1, 1, 2, H, W) -> (H, W, 2)

    return estimate


# Writing


def _settings(asked: argparse.Namespace, manifest: dict[str, Any], weights: dict[str, str]) -> dict[str, Any]:
    """All that decides the flow; the frames by the checksums in their manifest."""
    frames = [[split, clip, e["sha256"]["frames"]] for split, c in manifest["clips"].items() for clip, e in c.items()]
    return {
        "name": f"{asked.model}-random" if asked.random_weights else asked.model,
        "model": asked.model,
        **weights,
        "random_weights": asked.random_weights,
        "scale": asked.scale,
        "frame_size": manifest["frame_size"],
        "frames_sha256": hashlib.sha256(json.dumps(frames).encode()).hexdigest(),
        "versions": {"ptlflow": sys.modules["ptlflow"].__version__, "torch": torch.__version__},
    }


@contextmanager
def _claimed(out: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Hold the folder `out` and note the settings in it, so that it never mixes two of them, or two processes."""
    import fcntl  # of Linux and macOS; elsewhere the module can at least be imported

    out.mkdir(parents=True, exist_ok=True)
    lock = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = out / "flow.json"
        there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else settings
        differ = [key for key in settings | there if settings.get(key) != there.get(key)]
        if differ:
            raise LearnedFlowError(f"{out} holds flow with another {' and '.join(differ)}; take another folder")
        with _aside(out, "flow.json") as aside:
            aside.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        yield
    except BlockingIOError as error:
        raise LearnedFlowError(f"{out}: another process writes flow there; wait until it ends") from error
    finally:
        os.close(lock)


@contextmanager
def _aside(out: Path, name: str) -> Iterator[Path]:
    """A path in `out` that takes its place as `name` when the block ends well, and vanishes when it fails."""
    aside = out / ".partial"
    try:
        yield aside
        (out / name).parent.mkdir(exist_ok=True)
        aside.replace(out / name)
    finally:
        aside.unlink(missing_ok=True)


def _write_clip(out: Path, name: str, frames: np.ndarray, estimate: Estimate) -> None:
    """Flow of a clip of frames uint8 (T, H, W, C), written field by field, aside first."""
    shape = (len(frames) - 1, *frames.shape[1:3], 2)
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False, "shape": shape}
    with _aside(out, name) as aside, aside.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        colour = np.broadcast_to(frames, (*frames.shape[:3], 3))  # gray as three equal channels
        for t in range(shape[0]):
            field = estimate(colour[t], colour[t + 1])
            if not (largest := np.abs(field).max()) <= np.finfo(np.float16).max:
                where = f"{out / name}, field {t}"
                raise LearnedFlowError(f"{where}: a vector of {largest} pixels; are these weights of this model?")
            file.write(np.ascontiguousarray(field, np.float16).tobytes())


if __name__ == "__main__":
    main()
