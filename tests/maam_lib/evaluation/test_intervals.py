"""Intervals over clips against drawing clips one by one; over seeds against their promise."""

import math

import numpy as np
import pandas as pd
import pytest

from maam_lib.evaluation import intervals
from maam_lib.evaluation.intervals import clip_interval, compare_runs, seed_interval, seed_spread
from maam_lib.metrics import PROTOCOLS, MetricError, measure


def scored(seed: int = 0, clips: int = 6, shift: float = 1.0) -> pd.DataFrame:
    """A score table whose clips differ in length and level; every third has one class only."""
    random = np.random.default_rng(seed)
    tables = []
    for k in range(clips):
        frames = int(random.integers(20, 40))
        label = np.ones(frames, int) if k % 3 == 2 else random.integers(0, 2, frames)
        fused = np.round(random.normal(size=frames) + shift * label + random.normal(), 1)
        tables.append(pd.DataFrame({"clip": f"Test{k:03}", "frame": range(frames), "label": label, "fused": fused}))
    return pd.concat(tables, ignore_index=True)


def arrays(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(table[column].to_numpy() for column in ("label", "fused", "clip"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_draw_is_the_auc_of_the_drawn_clips(protocol: str):
    labels, scores, clips = arrays(scored())
    draws = np.random.default_rng(1).multinomial(6, np.full(6, 1 / 6), size=20)
    aucs = intervals._drawn_aucs(labels, scores, clips, protocol, draws)
    for draw, auc in zip(draws, aucs, strict=True):
        drawn = [(k, copy) for k, times in enumerate(draw) for copy in range(times)]
        frames = [np.flatnonzero(clips == f"Test{k:03}") for k, _ in drawn]
        names = np.concatenate([[f"{k} {copy}"] * len(f) for (k, copy), f in zip(drawn, frames, strict=True)])
        chosen = np.concatenate(frames)
        assert auc == pytest.approx(measure(labels[chosen], scores[chosen], names, protocol)["auc"], abs=1e-12)


def test_the_interval_is_the_wider_middle_of_the_draws_and_repeats_with_its_seed():
    table = arrays(scored())
    low, high = clip_interval(*table, "micro", random=np.random.default_rng(3))
    draws = np.random.default_rng(3).multinomial(6, np.full(6, 1 / 6), size=1000)
    aucs = intervals._drawn_aucs(*table, "micro", draws)
    assert np.mean((aucs >= low) & (aucs <= high)) == pytest.approx(1 - 2 * outside(6), abs=0.005)
    assert low < measure(*table, "micro")["auc"] < high
    assert clip_interval(*table, "micro", random=np.random.default_rng(3)) == (low, high)
    assert clip_interval(*table, "micro", random=np.random.default_rng(4)) != (low, high)


def outside(clips: int) -> float:
    """Share of the draws on each side of the expanded percentile interval of so many clips (Hesterberg 2015)."""
    t = {6: 2.5705818366, 8: 2.3646242516, 12: 2.2009851600}[clips]  # Student's t, 2.5 % above it
    return 0.5 * math.erfc(t * math.sqrt(clips / (clips - 1)) / math.sqrt(2))


@pytest.mark.parametrize(("clips", "share"), [(8, 0.0057), (12, 0.0108)])
def test_the_quantiles_of_few_clips_are_those_of_the_formula(clips: int, share: float):
    assert outside(clips) == pytest.approx(share, abs=5e-5)
    labels, scores, names = arrays(scored(clips=clips))
    low, high = clip_interval(labels, scores, names, "micro", random=np.random.default_rng(0))
    draws = np.random.default_rng(0).multinomial(clips, np.full(clips, 1 / clips), size=intervals.RESAMPLES)
    aucs = intervals._drawn_aucs(labels, scores, names, "micro", draws)
    assert (low, high) == pytest.approx(np.quantile(aucs, [outside(clips), 1 - outside(clips)]).tolist(), abs=1e-9)


def test_the_interval_of_few_clips_holds_the_truth_more_often_than_the_plain_one(monkeypatch: pytest.MonkeyPatch):
    """On clips whose AUC are drawn around a known one: 1,000 sets of 8 clips, their mean the protocol's number."""
    labels, names = np.tile([0, 1], 8), np.repeat([f"Test{k}" for k in range(8)], 2)
    random, held, plainly = np.random.default_rng(7), [], []
    for trial in range(1000):
        of_clips = random.normal(0.8, 0.1, 8)
        monkeypatch.setattr(intervals, "_drawn_aucs", lambda *given, aucs=of_clips: given[-1] @ aucs / 8)
        low, high = clip_interval(labels, labels, names, "macro", random=np.random.default_rng(trial))
        draws = np.random.default_rng(trial).multinomial(8, np.full(8, 1 / 8), size=intervals.RESAMPLES)
        least, most = np.quantile(draws @ of_clips / 8, [0.025, 1 - 0.025])
        held.append(low <= 0.8 <= high)
        plainly.append(least <= 0.8 <= most)
    assert np.mean(plainly) < 0.88
    assert np.mean(held) > 0.91


def test_more_clips_make_a_narrower_interval():
    widths = []
    for clips in (6, 120):
        low, high = clip_interval(*arrays(scored(clips=clips)), "micro", random=np.random.default_rng(0))
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_draws_of_one_class_only_are_left_out():
    labels, scores, clips = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4]), np.array(["a", "a", "b", "b"])
    assert clip_interval(labels, scores, clips, "micro", random=np.random.default_rng(0)) == (1, 1)
    with pytest.raises(MetricError, match="no draw of clips has both classes"):
        clip_interval(labels, scores, clips, "macro", random=np.random.default_rng(0))


def test_one_clip_has_no_interval():
    with pytest.raises(MetricError, match="needs two clips or more, found 1"):
        clip_interval(
            np.array([0, 1]), np.array([0.0, 1]), np.array(["a", "a"]), "micro", random=np.random.default_rng()
        )


# Two runs


def test_what_both_runs_share_does_not_widen_their_difference():
    first = scored(clips=20)
    second = first.assign(fused=first["fused"] + np.random.default_rng(9).normal(0, 0.05, len(first)))
    labels, one, clips = arrays(first)
    low, high = clip_interval(labels, one, clips, "micro", random=np.random.default_rng(0))
    paired = clip_interval(labels, one, clips, "micro", minus=second["fused"], random=np.random.default_rng(0))
    assert paired.high - paired.low < (high - low) / 5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_runs_are_joined_by_key_and_compared_both_ways(protocol: str):
    better, worse = scored(shift=2.0), scored(shift=0.2)
    shuffled = worse.sample(frac=1, random_state=0)
    difference, interval = compare_runs(better, shuffled, protocol, random=np.random.default_rng(0))
    aucs = [measure(*arrays(table), protocol)["auc"] for table in (better, worse)]
    assert difference == pytest.approx(aucs[0] - aucs[1])
    assert 0 < interval.low < difference < interval.high
    back, mirrored = compare_runs(worse, better, protocol, random=np.random.default_rng(0))
    assert (back, *mirrored) == pytest.approx((-difference, -interval.high, -interval.low))


def test_a_run_does_not_differ_from_itself():
    assert compare_runs(scored(), scored(), "micro", random=np.random.default_rng(0)) == (0, (0, 0))


def test_runs_on_other_frames_are_refused():
    first = scored()
    with pytest.raises(MetricError, match=r"clip Test000: \d+ scores in the first run, \d+ in the second"):
        compare_runs(first, first.iloc[1:], "micro", random=np.random.default_rng(0))
    with pytest.raises(MetricError, match=r"clip Test005: \d+ scores in the first run, 0 in the second"):
        compare_runs(first, first[first["clip"] != "Test005"], "micro", random=np.random.default_rng(0))
    other_labels = first.assign(label=1 - first["label"])
    with pytest.raises(MetricError, match="have another number or label"):
        compare_runs(first, other_labels, "micro", random=np.random.default_rng(0))


# Over seeds


def test_the_interval_over_seeds_holds_the_true_mean_in_95_of_100():
    draws = np.random.default_rng(0).normal(0.3, 2, size=(4000, 3))
    found = [seed_interval(list(draw)) for draw in draws]
    assert np.mean([low <= 0.3 <= high for low, high in found]) == pytest.approx(0.95, abs=0.01)


def test_one_seed_has_no_interval_and_no_spread():
    with pytest.raises(ValueError, match="needs two seeds or more, found 1"):
        seed_interval([0.5])
    assert seed_spread([0.5]) == (0.5, 0)
    assert seed_spread([0.5, 1.0, 0.75]) == (0.75, 0.25)
