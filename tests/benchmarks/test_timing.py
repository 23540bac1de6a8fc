"""The benchmark's arithmetic on made-up clocks, and the straight port against the library's network."""

import json
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import groups, network_groups, peers
from benchmarks import timing as bench
from benchmarks.page import section
from benchmarks.straight_port import PARAMETERS, StraightPort
from benchmarks.timing import Demand, Group, Timings, interleaved, rows_of, select
from maam_lib.fast.convolution import turned
from maam_lib.model import MAAMNet


def test_ratios_are_taken_inside_a_round():
    """Both cases slow down tenfold in one round; the ratio does not move."""
    timings = Timings({"base": [2.0, 20.0, 2.2], "case": [1.0, 10.0, 1.1]})
    assert timings.speedup("case", "base") == pytest.approx(2)
    assert timings.median("case") == 1.1


def test_cases_take_turns_and_every_other_round_runs_backwards(monkeypatch: pytest.MonkeyPatch):
    now, calls = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def taking(name: str, seconds: float):
        def work() -> None:
            calls.append(name)
            now[0] += seconds

        return work

    timings = interleaved({"a": taking("a", 1.0), "b": taking("b", 0.25)}, rounds=2, least_seconds=1.0)
    assert timings.seconds == {"a": [1.0, 1.0], "b": [0.25, 0.25]}
    assert calls == ["a", "a", "b", "b", "a", *"bbbb", *"bbbb", "a"], "warm-up, then two rounds"


def test_a_case_that_fails_is_a_row_that_says_so_and_the_others_are_measured():
    calls = []

    def fails_later() -> None:
        calls.append(None)
        if len(calls) > 3:
            raise AssertionError("dynamic shapes\nwhile freezing " + "and so on " * 100)

    def fails_at_once() -> None:
        raise ValueError("no")

    cases = {"base": lambda: None, "later": fails_later, "at once": fails_at_once, "case": lambda: None}
    timings = interleaved(cases, rounds=3, least_seconds=0)
    assert {name: len(seconds) for name, seconds in timings.seconds.items()} == {"base": 3, "case": 3}
    assert (timings.speedup("later", "base"), timings.speedup("case", "at once")) == (0, 0)
    rows = rows_of(timings, "base", limits={"later": "base"}, gflop=dict.fromkeys(cases, 1.0))
    group = Group("forward", rows, [Demand("later", 1, timings.speedup("later", "base"))])
    assert [row["case"] for row in rows] == ["base", "case", "at once", "later"]
    why = [name.removeprefix("forward, ") for name in group.failed]
    assert why[0] == "at once: ValueError: no"
    assert why[1].startswith("later: AssertionError: dynamic shapes while freezing and so on")
    assert len(why[1]) < 250
    assert "AssertionError: dynamic shapes" in str(group)
    assert not group.demands[0].is_met


def test_what_was_measured_is_written_where_a_case_or_a_group_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """And the exit status says so."""
    good = Group("memory", [{"case": "ours", "ms": 1.0}])
    half = Group("pscd", [{"case": "ours", "ms": 1.0}, {"case": "theirs", "failed": "RuntimeError: no"}])

    def fails(*_: object) -> Group:
        raise AssertionError("broken")

    made = {"forward": fails, "memory": lambda *_: good, "pscd": lambda *_: half}
    monkeypatch.setattr(groups, "ON_THE_DEVICE", made)
    expected = r"^failed: forward, whole: AssertionError: broken; pscd, theirs: RuntimeError: no\. All others are"
    with pytest.raises(groups.BenchError, match=expected):
        groups.run(list(made), tmp_path, threads=None, rounds=2, device="cpu", out=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bench_memory.json", "bench_pscd.json"]
    assert "RuntimeError: no" in (tmp_path / "out" / "bench_pscd.json").read_text()
    page_section = section(json.loads((tmp_path / "out" / "bench_pscd.json").read_text()))
    assert "| theirs |  | RuntimeError: no |" in page_section


def test_the_forward_group_measures_float32_alone(monkeypatch: pytest.MonkeyPatch):
    """On a processor with avx512_bf16 too; nothing is compiled."""
    monkeypatch.setattr(network_groups, "SIZES", {"small": (1, 8, (32, 48))})
    monkeypatch.setattr(bench, "PRODUCT_SIDE", 32)
    group = network_groups.forward(torch.device("cpu"), 2)
    cases = ["product, float32", "straight port", "network as trained", "prepared"]
    assert [row["case"] for row in group.rows] == 2 * cases
    assert len(group.demands) == 2
    assert group.failed == []


def test_a_share_of_the_limit_is_work_over_work_at_equal_time():
    timings = Timings({"product": [1.0, 1.0], "network": [4.0, 4.0]})
    rows = rows_of(timings, "product", limits={"network": "product"}, gflop={"product": 50.0, "network": 100.0})
    assert rows[1]["share_of_limit"] == pytest.approx(0.5)
    assert rows[1]["gflop_per_second"] == pytest.approx(25)
    assert rows[1]["speed"] == pytest.approx(0.25)


def test_a_demand_says_whether_it_is_met_and_what_is_lacking():
    assert str(Demand("forward", 3.2, 3.3)) == "forward: at least 3.2 times, found 3.3: met"
    lacking = Demand("forward", 3.2, 1.9, needs="a GPU")
    assert str(lacking) == "forward: at least 3.2 times, found 1.9: NOT met (needs a GPU)"


def test_a_group_prints_and_keeps_everything():
    group = Group("pscd", [{"case": "ours", "ms": 1.5}, {"case": "two", "speed": 2.0}], [Demand("d", 1, 2)], ["n"])
    text = str(group)
    assert [line.split() for line in text.splitlines()[1:4]] == [["case", "ms", "speed"], ["ours", "1.5"], ["two", "2"]]
    assert text.endswith("d: at least 1 times, found 2: met\nnote: n")
    kept = group.to_dict()
    assert kept["machine"]["processor"].endswith("cores")
    assert kept["demands"] == [{"what": "d", "at_least": 1, "unit": "times", "found": 2, "met": True}]


def test_an_unknown_group_is_named():
    assert select([], ["a", "b"]) == ["a", "b"]
    with pytest.raises(ValueError, match="no benchmark 'c'; there are a, b"):
        select(["c"], ["a", "b"])


def test_the_product_of_the_yardstick_is_one():
    work, gflop = bench.matrix_product(torch.float32, torch.device("cpu"))
    product = work()
    assert gflop == pytest.approx(2 * 1.024**3)
    assert product.std().item() == pytest.approx(32, rel=0.01), "sums of 1024 products of normal numbers"


@pytest.mark.parametrize("size", [(32, 48), (37, 53)])
def test_the_straight_port_is_the_network_with_biases_that_do_nothing(size: tuple[int, int]):
    torch.manual_seed(0)
    port, net = StraightPort(3, 12, 4).double().eval(), MAAMNet(3, 12, base_channels=4).double().eval()
    for norm in [m for m in port.modules() if isinstance(m, nn.BatchNorm2d)]:
        nn.init.uniform_(norm.running_var, 0.001, 0.01)
    net.items.data = port.items.data
    pairs = list(zip(port.convs, port.norms, [(b.conv, b.norm) for b in net.encoder], strict=True))
    for theirs, ours in ((port.frame_decoder, net.appearance_decoder), (port.flow_decoder, net.motion_decoder)):
        pairs += zip(theirs.deconvs, theirs.norms, [(b.deconv, b.norm) for b in ours.blocks], strict=True)
        ours.output.load_state_dict(theirs.output.state_dict())
    for conv, norm, (own, own_norm) in pairs:
        nn.init.zeros_(conv.bias)
        own.weight.data = conv.weight.data
        own_norm.load_state_dict(norm.state_dict())
    frames = torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1
    for ours, theirs in zip(net(frames), port(frames), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
        assert not torch.allclose(ours, turned(ours)), "a map that looks the same turned would show nothing"


def test_the_straight_port_has_the_released_count():
    assert sum(p.numel() for p in StraightPort().parameters()) == PARAMETERS


@pytest.mark.parametrize(("name", "gflop"), [("Liu", 74.4), ("MNAD", 99.5), ("MemAE", 65.4)])
def test_peers_have_the_known_parameters_and_work(name: str, gflop: float):
    """`build` checks the parameters; the work is that of the authors' code, in 1 multiply-add = 2."""
    net, frames = peers.build(name)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = net.to("meta")(frames.to("meta"))
    assert out.shape[2:] == frames.shape[2:]
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflop, rel=0.01)
