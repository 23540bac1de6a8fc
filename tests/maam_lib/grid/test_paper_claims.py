"""Every claim is judged by its rule, on results made up to hold, to fail and to say nothing."""

import json
from pathlib import Path

import pytest

from maam_lib.config import load_recipe
from maam_lib.evaluation.result import NoLearning, Result
from maam_lib.grid import paper_claims as module
from maam_lib.grid.experiments import GridResults, figure6_variants
from maam_lib.grid.judging import (
    Claim,
    Finding,
    State,
    all_of,
    ending_of,
    gain,
    said,
    steady,
    verdict,
    verdict_table,
)
from maam_lib.grid.paper_claims import claims, questions
from maam_lib.grid.results import BASE, paper_values
from maam_lib.grid.scene_patches import ONE_PATCH, PER_SCENE
from tests.results import made_up_no_learning, made_up_result

CLAIMS = {claim.name: claim for claim in claims()}
SEEDS = (0, 1, 2)


def results(auc: float, support: float = 20.0, **more: object) -> list[Result]:
    """A variant's results of three seeds that scatter a little."""
    return [
        made_up_result(
            auc + 0.001 * seed, seed, **{"memory": {"items": 50, "support_items": support + 0.01 * seed}} | more
        )
        for seed in SEEDS
    ]


def grid(recipe: str = "ped2-mini", **variants: list[Result]) -> GridResults:
    return GridResults(load_recipe(recipe), {name.replace("_", "-"): found for name, found in variants.items()}, [])


def state(name: str, **variants: list[Result]) -> State | None:
    finding = CLAIMS[name].judge(grid(**variants))
    return None if finding is None else finding.state


# Rules


def test_a_gain_holds_where_its_interval_lies_above_zero():
    assert gain([0.02, 0.03, 0.025]) is State.HOLDS
    assert gain([-0.02, -0.03, -0.025]) is State.FAILS
    assert gain([0.001, 0.0012, 0.0009]) is State.HOLDS, "small, but sure"
    assert gain([0.001, -0.001, 0.0]) is State.FAILS, "no room for half a point"
    assert gain([0.05, -0.05, 0.01]) is State.OPEN
    assert gain([0.05, 0.05]) is gain([-0.05, -0.05]) is State.OPEN, "two seeds decide nothing"
    assert gain([0.05]) is gain([]) is State.OPEN


def test_parts_of_a_claim_must_all_hold():
    assert all_of([State.HOLDS, State.HOLDS]) is State.HOLDS
    assert all_of([State.HOLDS, State.FAILS, State.OPEN]) is State.FAILS
    assert all_of([State.HOLDS, State.OPEN]) is all_of([]) is State.OPEN


def test_a_knob_is_steady_within_the_tolerance_and_the_spread():
    assert steady([0.90, 0.905], 0.0, 0.01, 3) is State.HOLDS
    assert steady([0.90, 0.95], 0.01, 0.01, 3) is State.FAILS
    assert steady([0.90, 0.95], 0.05, 0.01, 3) is State.OPEN
    assert steady([0.90, 0.95], float("inf"), 0.01, 3) is State.OPEN
    assert steady([0.90, 0.905], 0.0, 0.01, 2) is steady([0.90, 0.95], 0.01, 0.01, 2) is State.OPEN, "two seeds"


def test_differences_are_told_with_their_interval():
    assert said([0.02]) == "+0.020 (one seed)"
    assert said([0.02, 0.02]) == "+0.020 [+0.020, +0.020] (2 seeds)"
    assert said([12.0], digits=1, unit=" %") == "+12.0 % (one seed)"


# The whole


def made_up_claim(**states: State) -> Claim:
    """A claim whose finding on each recipe is given."""
    name = {recipe.replace("_", "-"): found for recipe, found in states.items()}
    judge = lambda grid: Finding(name[grid.recipe.name], "") if grid.recipe.name in name else None  # noqa: E731
    return Claim("made-up", "it works", "Sec. 0", "a rule", "more", judge)


@pytest.mark.parametrize(
    ("states", "expected", "because"),
    [
        ({"ped2": State.HOLDS, "ped2_mini": State.FAILS}, State.HOLDS, "ped2"),
        ({"ped2_laptop": State.FAILS, "synthetic_mini": State.HOLDS}, State.FAILS, "at reduced size: ped2-laptop"),
        ({"ped2_laptop": State.FAILS, "ped2_mini": State.HOLDS}, State.OPEN, "ped2-laptop, ped2-mini disagree"),
        ({"ped2": State.OPEN, "ped2_mini": State.HOLDS}, State.HOLDS, "at reduced size: ped2-mini"),
        ({"synthetic_mini": State.HOLDS}, State.OPEN, "not measured on the paper's datasets"),
        ({"ped2_mini": State.OPEN}, State.OPEN, "the measurements do not decide it"),
        ({}, State.OPEN, "no result bears on it"),
    ],
)
def test_the_papers_settings_on_its_datasets_decide(states: dict, expected: State, because: str):
    grids = [grid(recipe) for recipe in ("ped2", "ped2-laptop", "ped2-mini", "synthetic-mini")]
    judged = verdict(made_up_claim(**states), grids)
    assert judged.state is expected
    assert because in judged.because
    assert list(judged.findings) == [name.replace("_", "-") for name in states]


def test_the_generated_scene_is_not_named_among_those_that_decide():
    judged = verdict(
        made_up_claim(ped2_mini=State.HOLDS, synthetic_mini=State.HOLDS), [grid("ped2-mini"), grid("synthetic-mini")]
    )
    assert judged.because == "at reduced size: ped2-mini"


def test_a_verdict_at_a_smaller_size_is_one_at_this_size_in_every_word_of_it():
    grids = [grid(recipe) for recipe in ("ped2", "ped2-laptop", "ped2-mini", "synthetic-mini")]
    small = verdict(made_up_claim(ped2_laptop=State.FAILS, ped2_mini=State.OPEN, synthetic_mini=State.HOLDS), grids)
    assert (small.words, small.is_reduced) == ("does not hold at this size", True)
    assert [small.words_of(recipe) for recipe in small.findings] == [
        "does not hold at this size",
        "undecided",
        "holds on the generated scene",
    ]
    assert verdict_table([small])["verdict"].tolist() == ["does not hold at this size"]
    full = verdict(made_up_claim(ped2=State.HOLDS, ped2_mini=State.FAILS), grids)
    assert (full.words, full.is_reduced) == ("holds", False)
    assert [full.words_of(recipe) for recipe in full.findings] == ["holds", "does not hold at this size"]
    disagreeing = verdict(made_up_claim(ped2_laptop=State.FAILS, ped2_mini=State.HOLDS), grids)
    assert disagreeing.words == "undecided"
    assert ending_of("ped2-half") == "-half", "full width, and not full size"


# The claims


def test_every_claim_has_its_place_its_rule_and_what_would_decide_it():
    assert len(CLAIMS) == len(claims()) >= 15
    for claim in claims():
        assert claim.text.endswith(".")
        assert claim.place
        assert claim.rule
        assert claim.decide
        assert all(1 <= number <= 27 for number in claim.differences)


def test_nothing_measured_gives_no_finding_but_where_the_paper_or_the_code_decide():
    found = {name: claim.judge(grid("ped2")) for name, claim in CLAIMS.items()}
    assert {name for name, finding in found.items() if finding is not None} == {"eer", "items-speed", "speed"}
    assert [question.judge(grid("ped2")) for question in questions()] == [None, None]
    assert found["eer"].state is State.FAILS, "ours is the higher of the two"
    assert found["items-speed"].state is State.FAILS, "the products are dense"


def test_speed_is_read_from_the_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [("ours, 240x360x3", 10), ("Liu, contiguous", 8), ("Liu, channels-last", 30), ("MemAE, contiguous", 30)]
    kept = {"rows": [{"case": name, "ms": ms} for name, ms in rows], "machine": {"processor": "a processor"}}
    monkeypatch.setattr(module, "PEERS", tmp_path / "peers.json")
    assert CLAIMS["speed"].judge(grid("ped2")) is None
    (tmp_path / "peers.json").write_text(json.dumps(kept))
    found = CLAIMS["speed"].judge(grid("ped2"))
    assert found.state is State.FAILS, "Liu at its faster is ahead"
    assert "Liu takes 0.8 times as long, MemAE takes 3.0 times as long; a processor" in found.evidence
    kept["rows"][1]["ms"] = 20
    (tmp_path / "peers.json").write_text(json.dumps(kept))
    assert CLAIMS["speed"].judge(grid("ped2")).state is State.OPEN, "one rival is not measured"
    assert CLAIMS["speed"].judge(grid("ped2-mini")) is None


def test_memory_fusion_motion_and_losses_compare_variants():
    high, low = results(0.95), results(0.90)
    assert state("memory", paper=high, no_memory=low) is State.HOLDS
    assert state("memory", paper=low, no_memory=high) is State.FAILS
    assert state("motion", paper_motion=high, paper_appearance=low) is State.HOLDS
    assert state("fusion", paper=high, paper_appearance=low, paper_motion=low) is State.HOLDS
    assert state("fusion", paper=high, paper_appearance=low, paper_motion=results(0.97)) is State.FAILS
    assert state("fusion", paper=high, paper_appearance=low) is State.OPEN, "one of two is not measured"
    best = results(0.97)
    assert state("losses", paper=best, sparse_only=high, latent_only=high, no_losses=low) is State.HOLDS
    assert state("losses", paper=best, sparse_only=low, latent_only=high, no_losses=low) is State.FAILS
    assert state("losses", paper=high, sparse_only=best, latent_only=high, no_losses=low) is State.FAILS, "not most"


def test_support_items_must_fall_by_half_of_the_papers_smallest_fall():
    least = min(float(fall) for fall in paper_values()["figure5"]["latent_fall_percent"]) / 2
    many, few, same = results(0.9, 40), results(0.9, 40 * (1 - (least + 5) / 100)), results(0.9, 39)
    assert state("latent-items", latent_only=few, no_losses=many) is State.HOLDS
    assert state("latent-items", latent_only=same, no_losses=many) is State.FAILS
    assert state("sparse-items", paper=few, latent_only=many) is State.HOLDS


def test_patches_places_and_reintegration_are_read_from_each_result():
    whole = {"whole_frame": {"auc": 0.8}}
    places = {"localisation": {"pixel_auc": 0.9, "no_learning": {"pixel_auc": 0.95}}}
    assert state("pscd", paper=results(0.9, **whole)) is State.HOLDS
    assert state("pscd", paper=results(0.9)) is None, "older results do not know"
    assert state("places", paper=results(0.9, **places)) is State.HOLDS, "that no learning locates too is no matter"
    assert state("places", paper=results(0.9, **places)[:2]) is State.OPEN, "two seeds"
    evidence = CLAIMS["places"].judge(grid(paper=results(0.9, **places))).evidence
    assert evidence.startswith("AUC over pixels minus 0.5: +0.400 [+0.400, +0.400] (3 seeds)")
    assert evidence.endswith("in brackets the row without learning that is best by frame: pixels 0.900 (0.950)")
    more = {"localisation": {"pixel_auc": 0.9, "rbdc": 0.5, "no_learning": {"pixel_auc": 0.95, "rbdc": 0.75}}}
    evidence = CLAIMS["places"].judge(grid(paper=results(0.9, **more))).evidence
    assert evidence.endswith("best by frame: pixels 0.900 (0.950), RBDC 0.500 (0.750)")
    apart = [
        made_up_result(0.9, i, localisation={"pixel_auc": x, "no_learning": {}}) for i, x in enumerate((0.8, 1, 1))
    ]
    assert "+0.433 [+0.146, +0.500] (3 seeds)" in CLAIMS["places"].judge(grid(paper=apart)).evidence, "0.5 is the most"
    by_chance = {"localisation": {"pixel_auc": 0.5, "no_learning": {}}}
    assert state("places", paper=results(0.9, **by_chance)) is State.FAILS
    near_half = [
        made_up_result(0.9, seed, memory={"items": 50, "support_items": 20, "reintegration_auc": 0.5 - 0.001 * seed})
        for seed in SEEDS
    ]
    assert state("reintegration", paper=near_half) is State.FAILS


def test_fig_6_is_judged_on_the_seeds_that_every_point_has():
    variants = {name.replace("-", "_"): results(0.9) for name in figure6_variants("zeta").values()}
    assert state("zeta", **variants) is State.HOLDS
    assert state("zeta", **variants | {"zeta_0.4": results(0.8)}) is State.FAILS
    assert state("zeta", **variants | {"zeta_0.4": results(0.8)[:2]}) is State.OPEN, "two seeds are common to all"
    del variants["zeta_0.4"]
    assert state("zeta", **variants) is None, "a point is missing"


def test_only_full_size_can_reproduce_a_printed_auc():
    yardstick = {"no_learning": {"zero_flow": {"auc": 0.96, "eer": 0.1}}}
    printed = float(paper_values()["table2"]["rows"]["Ours"][0])
    right = {BASE: results(printed, **yardstick)}
    judge = CLAIMS["auc"].judge
    assert judge(GridResults(load_recipe("ped2"), right, [])).state is State.HOLDS
    assert judge(GridResults(load_recipe("ped2-mini"), right, [])).state is State.OPEN
    assert judge(GridResults(load_recipe("ped2"), {BASE: results(0.8, **yardstick)}, [])).state is State.FAILS
    assert judge(GridResults(load_recipe("ped2"), {BASE: results(0.8, **yardstick)[:2]}, [])).state is State.OPEN
    assert judge(GridResults(load_recipe("synthetic-mini"), right, [])) is None


def test_one_patch_is_held_against_one_for_each_scene_of_the_same_networks():
    row = {"number": None, "what": "", "eer": 0.1, "best_no_learning_auc": 0.5}
    aucs = {"as is": 0.9, ONE_PATCH: 0.8, PER_SCENE: 0.85}
    scored = {"scoring": {name: row | {"auc": auc} for name, auc in aucs.items()}}
    found = CLAIMS["patch-size"].judge(grid("synthetic-shanghai-mini", paper=results(0.9, **scored)))
    assert found.state is State.HOLDS
    assert "minus with one for all: +0.050 [+0.050, +0.050] (3 seeds)" in found.evidence
    assert state("patch-size", paper=results(0.9)) is None, "clips of one scene"


# Questions of ours


def learning(*bounds: tuple[float, float], variant: str = BASE, no_learning: NoLearning | None = None) -> Finding:
    """The finding of what learning adds, from the intervals over clips of several seeds."""
    found = [
        made_up_result(0.9, seed, protocols={"micro": {"auc": 0.9, "learning_adds_interval": of}})
        for seed, of in enumerate(bounds)
    ]
    name = {BASE: "learning"}.get(variant, f"learning-{variant}")
    judge = next(question.judge for question in questions() if question.name == name)
    return judge(GridResults(load_recipe("ped2-mini"), {variant: found}, [], no_learning))


def test_questions_of_ours_are_no_claims_of_the_paper():
    assert [question.name for question in questions()] == ["learning", "learning-speed"]
    assert all(question.ours and "of this kit" in question.place for question in questions())
    assert not any(claim.ours or claim.name.startswith("learning") for claim in claims())
    assert len(claims()) == 17


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ([(0.01, 0.03), (0.002, 0.04), (0.001, 0.02)], State.HOLDS),
        ([(0.01, 0.03), (-0.002, 0.04), (0.01, 0.03)], State.OPEN),
        ([(0.01, 0.03), (-0.03, 0.001), (0.01, 0.03)], State.FAILS),
        ([(-0.3, -0.1), (-0.3, -0.1)], State.OPEN),
        ([(0.01, 0.03), (0.01, 0.03)], State.OPEN),
    ],
    ids=["every seed", "not every one", "one leaves no room", "two seeds do not refuse", "and do not confirm"],
)
@pytest.mark.parametrize("variant", [BASE, "speed"])
def test_learning_adds_only_where_every_seed_excludes_zero_over_the_clips(
    bounds: list[tuple[float, float]], expected: State, variant: str
):
    found = learning(*bounds, variant=variant)
    assert found.state is expected
    assert found.variants == (variant,)
    assert f"seed 0 [{bounds[0][0]:+.3f}, {bounds[0][1]:+.3f}]" in found.evidence
    assert found.evidence.endswith("no learning reaches 0.650")


def test_the_interval_of_the_row_without_learning_says_what_the_test_clips_cannot_tell():
    printed = paper_values()["table2"]["rows"]["Ours"][0]
    wide = made_up_no_learning(zero_flow=(0.960, (0.9, 0.99)), speed=(0.966, (0.922, 0.993)))
    said_so = "no learning (speed) reaches 0.966 [0.922, 0.993] over the 12 test clips, so these clips cannot tell it"
    assert learning((-0.1, -0.05), no_learning=wide).evidence.endswith(f"{said_so} from the printed {printed}")
    narrow = made_up_no_learning(speed=(0.966, (0.95, 0.97)))
    told = learning((-0.1, -0.05), no_learning=narrow).evidence
    assert told.endswith("no learning (speed) reaches 0.966 [0.950, 0.970] over the 12 test clips")
    no_interval = learning((-0.1, -0.05), no_learning=made_up_no_learning(speed=(0.966, None))).evidence
    assert no_interval.endswith("no learning (speed) reaches 0.966")
    found = CLAIMS["auc"].judge(GridResults(load_recipe("ped2-mini"), {BASE: results(0.8)}, [], wide))
    assert said_so in found.evidence
