"""The network made ready for scoring gives the scores of the network that was trained."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from data_prep.prepare import prepare
from data_prep.readers.ucsd import find_source
from data_prep.scenes.synthetic import read_synthetic, scene_settings
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.evaluation.scores import score_table
from maam_lib.grid.results import reference_network
from maam_lib.metrics import roc_auc
from maam_lib.model import MAAMNet
from maam_lib.training.loop import dataset_for
from maam_lib.video.inference import FewChannels, prepare_for_inference
from tests.conftest import prepare_clips


def trained_like(**settings: object) -> MAAMNet:
    """A small network whose batch norms are far from doing nothing."""
    torch.manual_seed(0)
    net = MAAMNet(3, 12, base_channels=4, **settings)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.01, 2)
    return net


def frames_of(*size: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [(16, 16), (37, 53), (48, 72)])
@pytest.mark.parametrize("use_memory", [True, False])
def test_folded_is_the_network_in_evaluation(size: tuple[int, int], use_memory: bool):
    net, frames = trained_like(use_memory=use_memory), frames_of(*size)
    found = prepare_for_inference(net)(frames)
    assert net.training, "the network itself is left as it was"
    with torch.no_grad():
        expected = net.eval()(frames)
    for ours, theirs in zip(found, expected, strict=True):
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * theirs.abs().max().item())
            assert not ours.requires_grad


@pytest.mark.parametrize("out_channels", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (7, 10)])
def test_a_convolution_to_few_channels_is_pytorchs(size: tuple[int, int], out_channels: int):
    torch.manual_seed(0)
    conv, x = torch.nn.Conv2d(8, out_channels, 3, padding=1), torch.randn(2, 8, *size)
    for laid_out in (x, x.contiguous(memory_format=torch.channels_last)):
        torch.testing.assert_close(FewChannels(conv)(laid_out), conv(x).detach(), rtol=1e-5, atol=1e-6)


def test_it_is_a_copy():
    net, frames = trained_like(), frames_of(32, 48)
    ready = prepare_for_inference(net)
    before = ready(frames)
    for parameter in net.parameters():
        parameter.data.zero_()
    assert all(torch.equal(a, b) for a, b in zip(ready(frames), before, strict=True))


def test_wrong_frames_are_named_as_by_the_network():
    with pytest.raises(ValueError, match=r"expected frames of shape \(B, 3, H, W\) with H, W >= 16"):
        prepare_for_inference(trained_like())(torch.zeros(1, 1, 32, 32))


def assert_scores_stay(name: str, root: Path) -> None:
    """Within 1e-3 of the network's own, and the AUC to four digits, over every test frame that there is."""
    recipe, net = reference_network(name)
    evaluator = Evaluator(recipe, dataset_for(root, recipe))
    tables = []
    for ready in (net, prepare_for_inference(net)):
        errors = evaluator.errors(network_predictor(ready), "test")
        tables.append(score_table(errors, 0.9, evaluator.prepared))
    expected, found = tables
    for branch in ("appearance", "motion", "fused"):
        np.testing.assert_allclose(found[branch], expected[branch], rtol=1e-3)
        aucs = [round(roc_auc(table["label"], table[branch]), 4) for table in tables]
        assert aucs[0] == aucs[1]


def test_scores_of_the_kept_weights_stay_on_the_scene(tmp_path: Path):
    clips = read_synthetic(scene_settings("synthetic"))
    train, test = (next(clip for clip in clips if clip.split == split) for split in ("train", "test"))
    prepare_clips(tmp_path, [train, test], flow="dis")
    assert_scores_stay("synthetic-laptop", tmp_path)


@pytest.mark.data
def test_scores_of_the_kept_weights_stay_on_ped2(real_data: Path, tmp_path: Path):
    wanted = ("/Train001/", "/Test012/", "/Test012_gt/", "/UCSDped2.m")
    with tarfile.open(find_source(real_data, "ped2")) as archive:
        archive.extractall(tmp_path, [m for m in archive if any(name in m.name for name in wanted)], filter="data")
    prepare("ped2", tmp_path, tmp_path, size=(120, 180), allow_incomplete=True, workers=1, progress=False)
    assert_scores_stay("ped2-laptop", tmp_path)
