"""Sizes are those that can be counted by hand, speeds are of this machine and of work that was done."""

import pytest
import torch

from maam_lib.config import load_recipe
from maam_lib.data import PreparedDataset
from maam_lib.grid import cost
from maam_lib.grid.cost import flow_estimator, measure_cost, memory_needed, multiply_adds, work_of
from maam_lib.model import MAAMNet
from tests.conftest import tiny_recipe


def test_multiply_adds_of_the_paper_sized_network_by_hand():
    net = MAAMNet(3, 500)
    places, half = 15 * 23, [(240, 360), (120, 180), (60, 90), (30, 45), (15, 23)]
    pixels = [height * width for height, width in half]
    encoder = sum(
        9 * i * o * p for i, o, p in zip((3, 64, 128, 256, 512), (64, 128, 256, 512, 512), pixels, strict=True)
    )
    decoder = sum(
        9 * i * o * p for i, o, p in zip((512, 256, 256, 128), (256, 256, 128, 64), pixels[:0:-1], strict=True)
    )
    outputs = 9 * 64 * (3 + 2) * pixels[0]
    memory = 2 * places * 500 * 512  # the similarities and the read-out (item 3: dense, whatever the support)
    counted = multiply_adds(net, (240, 360))
    assert counted.memory == memory
    assert counted.network == encoder + 2 * decoder + outputs + memory
    assert 0.011 < counted.memory / counted.network < 0.013


@pytest.mark.parametrize(("form", "products"), [("cosine", 2), ("released", 3)])
def test_the_cost_of_the_memory_is_its_dense_products(form: str, products: int) -> None:
    small = ("data.height=48", "data.width=64", "model.base_channels=4", "model.num_items=50")
    work = work_of(load_recipe("synthetic", *small, f"model.similarity={form}"))
    assert work.memory == products * (3 * 4) * 50 * 32
    assert work.memory < work.network
    sharper = load_recipe("synthetic", *small, f"model.similarity={form}", "model.shrink_threshold=0.5")
    assert work_of(sharper) == work, "fewer support items cost the same"


def test_measured_cost_names_what_it_is_of(scene: PreparedDataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "FRAMES", 3)
    monkeypatch.setattr(cost, "ROUNDS", 1)
    recipe = tiny_recipe()
    measured = measure_cost(recipe, scene, "cpu")
    assert measured.parameters == sum(p.numel() for p in MAAMNet(1, 8, base_channels=4).parameters())
    assert set(measured.frames_per_second.model_dump()) == {"network", "with_pscd", "end_to_end"}
    assert all(speed > 0 for speed in measured.frames_per_second.model_dump().values())
    assert measured.flow_estimator == "dis"
    assert measured.device.endswith("cores")
    assert measured.threads == torch.get_num_threads()


def test_flow_that_cannot_be_estimated_here_is_replaced_by_dis(scene: PreparedDataset):
    flow = scene.manifest.flow.model_copy(update={"estimator": "flownet2"})
    manifest = scene.manifest.model_copy(update={"flow": flow})
    assert flow_estimator(type("Other", (), {"manifest": manifest})()) == "dis"


def test_memory_grows_with_the_batch_and_the_frame():
    small, batch, frame = (
        memory_needed(tiny_recipe(*settings))
        for settings in ((), ("training.batch_size=16",), ("data.height=96", "data.width=128"))
    )
    fixed = 2 * small - batch  # what does not depend on the batch
    assert fixed > cost.BESIDE_TRAINING
    assert batch - fixed == pytest.approx(2 * (small - fixed), rel=0.01)
    assert 3 * (small - fixed) < frame - fixed < 4.1 * (small - fixed)
