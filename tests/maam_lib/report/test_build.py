"""The report of the results that come with the kit, and of a run of our own: whole, offline, and honest about gaps."""

import html
import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from data_prep.files.writing import aside_of, write_text
from maam_lib.config import differences, load_recipe
from maam_lib.grid.experiments import GridResults
from maam_lib.grid.judging import DATASETS
from maam_lib.grid.numbers import ABSENT
from maam_lib.grid.paper_claims import claims
from maam_lib.grid.results import BASE, REFERENCE, paper_values, read_result
from maam_lib.report.build import MARK, build_report, settings_in_words
from maam_lib.report.collection import OWN, Collection, Scored, collect
from maam_lib.report.figures import epoch_picture, figures_of, methods_picture, motion_picture
from maam_lib.report.network_pictures import FRAMES, Kept, Picture
from maam_lib.report.site import INDEX, PAPER, Site, Table
from maam_lib.training.files import RunError
from maam_lib.training.runs import RunFolder
from tests.maam_lib.report.test_notebook_pages import Resources
from tests.results import made_up_result


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What is told while the report is built."""
    return []


@pytest.fixture(scope="module")
def report(
    finished_run: RunFolder, scene_root: Path, tmp_path_factory: pytest.TempPathFactory, said: list[str]
) -> Path:
    """A report of the kit's results and of the tiny run; a damaged file lies among a sweep's."""
    folder = tmp_path_factory.mktemp("report")
    damaged = folder / "sweep" / "synthetic-mini" / "no-memory" / "seed7.json"
    write_text(damaged, '{"recipe": "synth')
    sources = {"folders": [folder / "sweep"], "runs": [finished_run.folder], "root": scene_root}
    return build_report(folder / "out", **sources, say=said.append).parent


@pytest.fixture(scope="module")
def pages(report: Path) -> dict[str, str]:
    """The pages of the side index, by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in report.glob("*.html")}


def main_of(page: str) -> str:
    """What a page shows besides the index, which every page has."""
    return page[page.index("<main>") : page.index("</main>")]


def test_every_table_and_figure_is_one_click_away(report: Path):
    assert set(PAPER) == {f"table{n}" for n in (2, 3, 4, 5)} | {f"figure{n}" for n in (1, 4, 5, 6, 7, 8, 9)}
    for path in report.rglob("*.html"):
        page, up = path.read_text(encoding="utf-8"), "../" * (len(path.relative_to(report).parts) - 1)
        for name, title in PAPER.items():
            assert re.search(rf'<a href="{up}{name}\.html"[^>]*>{title}</a>', page), path
    for name, title in PAPER.items():
        page = (report / f"{name}.html").read_text(encoding="utf-8")
        assert f"<h1>{title}</h1>" in page
        assert page.count(' aria-current="page"') == 1


def test_the_index_names_every_page(report: Path):
    named = {name for names in INDEX.values() for name in names}
    assert named == {path.stem for path in report.glob("*.html")}


def test_every_claim_is_a_tile_that_leads_to_its_card(pages: dict[str, str]):
    tiles = re.findall(r'<li class="([\w -]+)"><a href="claims.html#claim-([\w-]+)">', pages["index"])
    assert len(tiles) == len(claims()) == 17
    for state, name in tiles:
        assert f'<section class="card {state}" id="claim-{name}">' in pages["claims"]


def test_table_2_is_drawn_with_every_method_and_no_sample_counts_as_a_dataset():
    found = collect()
    axes = methods_picture(found, every=True).figure.axes
    assert [axis.get_title() for axis in axes] == list(DATASETS.values())
    rows = [text.get_text() for text in axes[0].get_yticklabels()]
    printed = paper_values()["table2"]["rows"]
    assert set(printed) - {"Ours", "Ours (w/o memory)"} <= set(rows)
    drawn = [[float(x) for line in axis.lines for x in line.get_xdata()] for axis in axes]
    kept = [grid.no_learning.rows["speed"].micro.auc for grid in found.grids if grid.recipe.name == "avenue"]
    assert kept[0] not in drawn[1], "one clip of Avenue is at hand"
    of_seeds = [r.auc for grid in found.grids if grid.recipe.name == "ped2-mini" for r in grid.results[BASE]]
    assert set(of_seeds) <= set(drawn[0])
    few = methods_picture(found).figure.axes[0]
    assert few.get_yticklabels()[0].get_text() == "other methods, quoted"
    assert sorted(few.lines[0].get_xdata()) == sorted(float(v[0]) for m, v in printed.items() if "Ours" not in m)


def test_pages_need_no_net_and_no_scripts_and_their_links_lead_somewhere(report: Path):
    pages = sorted(report.rglob("*.html"))
    assert len(pages) > 20
    for path in pages:
        found = Resources(path.read_text(encoding="utf-8"))
        assert not found.scripts
        assert [url for url in found.fetched if not url.startswith("data:")] == []
        for link in found.links:
            target, _, place = link.partition("#")
            file = (path.parent / target) if target else path
            assert file.is_file(), f"{path.name}: {link}"
            if place:
                assert f'id="{place}"' in file.read_text(encoding="utf-8").replace("'", '"'), f"{path.name}: {link}"


def test_every_row_of_the_paper_is_there_and_marked(report: Path):
    for name in ("table2", "table3", "table4"):
        table = pd.read_csv(report / "tables" / f"{name}.csv", dtype=str)
        for method, values in paper_values()[name]["rows"].items():
            own = {"Ours": "MAAM-Net (paper)", "Ours (w/o memory)": "MAAM-Net without memory (paper)"}
            [row] = table[table["method"] == own.get(method, method)].to_dict("records")
            assert set(values) <= set(row.values())
            assert row["origin"] == ("the paper's own, as printed" if "Ours" in method else "quoted from the paper")
    assert (table["origin"] == "measured here").any()


def test_what_is_not_measured_says_so_with_the_command(pages: dict[str, str]):
    assert ABSENT in pages["table2"]
    page = pages["table5"]
    for recipe in ("ped2", "avenue", "shanghaitech"):
        assert f"maam sweep {recipe} --part table5" in page


def test_tables_are_kept_for_spreadsheets_and_papers(report: Path):
    for path in (report / "tables").glob("*.csv"):
        assert len(pd.read_csv(path)) > 0
        assert r"\begin{tabular}" in path.with_suffix(".tex").read_text(encoding="utf-8")


def test_a_number_leads_to_the_results_it_was_made_of(report: Path, pages: dict[str, str]):
    linked = re.search(r'<a href="(runs/synthetic-mini/[\w.-]+\.html)">0\.\d+', pages["table2"])
    assert linked
    of_variant = (report / linked.group(1)).read_text(encoding="utf-8")
    files = [link for link in Resources(of_variant).links if link.endswith(".json")]
    for file in files:
        kept = json.loads(((report / linked.group(1)).parent / file).read_text(encoding="utf-8"))
        assert kept["recipe_hash"] in of_variant


def test_numbers_of_table_4_lead_to_the_machine_they_were_measured_on(report: Path, pages: dict[str, str]):
    links = set(re.findall(r'<a href="(runs/[\w-]+/cost\.html)">', pages["table4"]))
    assert "runs/ped2-mini/cost.html" in links
    kept = json.loads((REFERENCE / "ped2-mini" / "cost.json").read_text(encoding="utf-8"))
    page = (report / "runs" / "ped2-mini" / "cost.html").read_text(encoding="utf-8")
    assert kept["device"] in page
    assert f"network: {kept['frames_per_second']['network']}" in page


def test_a_page_of_results_tells_the_settings_that_differ(report: Path, finished_run: RunFolder):
    of_variant = (report / "runs" / "synthetic-mini" / "no-memory.html").read_text(encoding="utf-8")
    assert "recipe synthetic-mini with model.use_memory False instead of True" in of_variant
    as_it_is = (report / "runs" / "synthetic-mini" / "paper.html").read_text(encoding="utf-8")
    assert "recipe synthetic-mini, unchanged" in as_it_is
    name = finished_run.recipe.name
    own = (report / "runs" / f"{OWN}{name}" / "paper.html").read_text(encoding="utf-8")
    changed = differences(load_recipe(name), finished_run.recipe)
    assert changed
    assert all(f"{key} {now} instead of {before}" in html.unescape(own) for key, (before, now) in changed.items())


def test_the_shrink_threshold_of_a_run_reaches_its_page():
    recipe = load_recipe("ped2-mini", "model.shrink_threshold=0.06")
    own = recipe.model_copy(update={"name": f"{OWN}ped2-mini"})
    assert settings_in_words(own, BASE) == "recipe ped2-mini with model.shrink_threshold 0.06 instead of None"
    elsewhere = recipe.model_copy(update={"name": f"{OWN}hall"})
    assert "model.shrink_threshold 0.06" in settings_in_words(elsewhere, BASE), "a recipe that the kit does not have"


def test_links_and_colours_do_not_depend_on_how_pandas_keeps_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With pyarrow, pandas keeps the characters of a text and nothing else."""

    def as_arrow_keeps_it(site: Site, name: str, table: pd.DataFrame, caption: str) -> Table:
        return kept(site, name, table.map(lambda cell: "".join(cell) if isinstance(cell, str) else cell), caption)

    kept = Site.table
    monkeypatch.setattr(Site, "table", as_arrow_keeps_it)
    folder = build_report(tmp_path / "out", root=tmp_path).parent
    again = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.html")))
    links = [link for link in Resources(again).links if link.startswith("runs/")]
    assert len(links) > 200
    assert {'class="far"', 'class="absent"', 'class="quoted"'} <= set(re.findall(r'class="[\w-]+"', again))


def test_a_run_of_other_settings_is_a_recipe_of_its_own(pages: dict[str, str], finished_run: RunFolder):
    name = f"{OWN}{finished_run.recipe.name}"
    assert re.search(rf"<td[^>]*><span[^>]*>{name}</span></td>", pages["learning"])
    found = collect(runs=[finished_run.folder])
    assert found.scored[name].result.auc == pytest.approx(
        json.loads((finished_run.folder / "metrics.json").read_text())["auc"]
    )


def test_an_own_run_is_always_in_a_row_and_says_why_it_is_not_compared(
    pages: dict[str, str], finished_run: RunFolder, tmp_path: Path
):
    row = re.search(rf"<td[^>]*>{finished_run.folder}</td>.*?</tr>", pages["index"], re.DOTALL)
    assert row
    assert "both losses, both branches" in row[0]
    copy = shutil.copytree(finished_run.folder, tmp_path / "twice")
    facts = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    write_text(copy / "run.json", json.dumps(facts | {"precision": "bfloat16"}))
    found = collect(runs=[finished_run.folder, copy])
    [compared, other] = found.own
    assert (compared.variant, compared.why) == (BASE, "")
    assert other.variant is None
    assert other.why == "trained in bfloat16, not compared with results in float32"
    again = build_report(tmp_path / "out", runs=[copy], root=tmp_path).read_text(encoding="utf-8")
    assert f"not compared: {other.why}" in again
    adds = f"{compared.result.learning_adds:+.3f}"
    assert adds in html.unescape(row[0])
    alone = re.search(rf"<td[^>]*>{copy}</td>.*?</tr>", again, re.DOTALL)
    assert alone
    assert adds not in html.unescape(alone[0]), "what is not compared has no row without learning beside it"


def test_own_runs_of_different_settings_are_recipes_of_their_own_in_any_order(finished_run: RunFolder, tmp_path: Path):
    other = shutil.copytree(finished_run.folder, tmp_path / "other")
    changed = finished_run.recipe.with_settings("loss.margin=0.9")
    write_text(other / "recipe.yaml", changed.to_yaml())
    measured = json.loads((other / "metrics.json").read_text(encoding="utf-8"))
    write_text(other / "metrics.json", json.dumps(measured | {"recipe_hash": changed.hash()}))
    name = finished_run.recipe.name
    for runs in ([finished_run.folder, other], [other, finished_run.folder]):
        found = collect(runs=runs)
        assert [(run.recipe, run.variant) for run in found.own] == [(f"{OWN}{name}", BASE), (f"{OWN}2-{name}", BASE)]
    page = build_report(tmp_path / "out", runs=[finished_run.folder, other], root=tmp_path).read_text(encoding="utf-8")
    assert "loss.margin 0.9 instead of" in page


def test_results_of_the_kit_that_a_sweep_of_other_settings_hides_are_counted(tmp_path: Path):
    own = load_recipe("ped2-mini", "training.epochs=5")
    write_text(tmp_path / "ped2-mini" / "recipe.yaml", own.to_yaml())
    kept = len(list((REFERENCE / "ped2-mini").glob("*/seed*.json")))
    words = f"{REFERENCE / 'ped2-mini'}: {kept} results left out: the settings are those of no variant of ped2-mini"
    assert words in collect([tmp_path]).left_out
    assert not [reason for reason in collect().left_out if "results left out" in reason]


def test_the_kits_scores_are_never_shown_as_those_of_a_training_of_ones_own(tmp_path: Path):
    """Of the same settings and seed, whose network is not kept."""
    kept = json.loads((REFERENCE / "ped2-laptop" / "paper" / "seed0.json").read_text(encoding="utf-8"))
    assert collect().scored["ped2-laptop"].result.as_json() == kept
    own = kept | {"auc": kept["auc"] + 0.01}
    write_text(tmp_path / "ped2-laptop" / "paper" / "seed0.json", json.dumps(own))
    found = collect([tmp_path])
    [grid] = [grid for grid in found.grids if grid.recipe.name == "ped2-laptop"]
    assert grid.results["paper"][0].auc == own["auc"]
    assert "ped2-laptop" not in found.scored


def test_a_damaged_file_is_named_and_left_out(report: Path, pages: dict[str, str], said: list[str]):
    [reason] = json.loads((report / "results.json").read_text(encoding="utf-8"))["left_out"]
    assert "seed7.json: not readable as JSON" in reason
    assert "seed7.json" in pages["notes"]
    assert said == [f"left out: {reason}"]


def test_machines_read_verdicts_and_tables(report: Path):
    found = json.loads((report / "results.json").read_text(encoding="utf-8"))
    assert {verdict["state"] for verdict in found["verdicts"]} <= {"holds", "does not hold", "undecided"}
    parts = {"summary", "table2", "table3", "table4", "complete", "sizes-synthetic", "protocol", "machines"}
    assert parts <= set(found["tables"])


def test_recipes_measured_after_each_epoch_show_their_epochs(pages: dict[str, str]):
    section = pages["epochs"]
    assert all(f'alt="{name}. Left' in section for name in ("ped2-laptop", "synthetic-mini"))
    assert 'alt="ped2. Left' not in section
    assert epoch_picture("one", [made_up_result()]) is None


def test_each_claim_has_a_card(pages: dict[str, str]):
    page = pages["claims"]
    assert page.count('<section class="card ') >= 15
    rules = page.count("Rule, fixed in advance"), page.count("Rule, corrected after results had been seen")
    assert sum(rules) == page.count('<section class="card ')
    assert rules[1] == 2, "places and losses"


def test_undecided_cards_say_how_many_seeds_would_decide_and_what_they_cost(pages: dict[str, str]):
    page = pages["claims"]
    undecided = re.findall(r'<section class="card undecided".*?</section>', page, re.DOTALL)
    cards = [card for card in undecided if "What would decide it at this size" in card]
    assert cards
    for card in cards:
        assert re.search(
            r"<strong>ped2-mini</strong>:\s+\d+ seeds \((?:does not hold|holds)\)(?:, if it changes [^;]*;[^;]*)?;"
            r" \d+ more trainings, about [\d.]+ (?:hours|minutes) of one core:"
            r"\s+<code>maam sweep ped2-mini (?:--variant [\w.-]+ )+--seeds \d+</code>",
            card,
        )
    decided = page[page.index('id="claim-eer"') : page.index('id="claim-memory"')]
    assert "would decide it" not in decided


def test_no_verdict_at_a_smaller_size_reads_as_one_on_the_paper(report: Path, pages: dict[str, str]):
    page = pages["claims"]
    verdicts = json.loads((report / "results.json").read_text(encoding="utf-8"))["verdicts"]
    reduced = [v for v in verdicts if v["because"].startswith("at reduced size") and v["state"] != "undecided"]
    assert {v["claim"] for v in reduced} >= {"motion", "places"}
    for verdict in reduced:
        assert verdict["in_words"] == f"{verdict['state']} at this size"
        card = page[page.index(f'id="claim-{verdict["claim"]}"') :]
        assert f'<span class="state">{verdict["in_words"]}</span>' in card[: card.index("</section>")]
        assert "What would decide it" in card[: card.index("</section>")]


def test_questions_of_ours_stand_apart_from_the_papers_claims(report: Path, pages: dict[str, str]):
    assert "The paper's 17 claims" in html.unescape(pages["index"])
    paper, ours = pages["claims"].split('<h2 id="questions">')
    assert "claim-learning" not in paper
    assert re.findall(r'<section class="card [^>]*id="([\w-]+)"', ours) == ["claim-learning", "claim-learning-speed"]
    verdicts = json.loads((report / "results.json").read_text(encoding="utf-8"))["verdicts"]
    assert [v["claim"] for v in verdicts if not v["of_the_paper"]] == ["learning", "learning-speed"]


def test_each_dataset_has_its_auc_against_the_motion_learned(pages: dict[str, str]):
    section = pages["learning"]
    captions = re.findall(r'alt="([^":]*): frame AUC of the motion branch', section)
    assert captions[0] == "Ped2"
    assert "Generated scene synthetic" in captions
    printed = paper_values()["table5"]["rows"]["sparse and latent"]["ped2"][1]
    assert f"The paper prints {printed}" in section
    assert section.count("The paper prints") == 2, "once as the picture's text, once below it"
    assert motion_picture("ped2", []) is None


def test_pictures_have_alternative_texts(pages: dict[str, str]):
    pictures = re.findall(r"<img [^>]*>", "".join(pages.values()))
    assert len(pictures) >= 4
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)


def test_a_report_replaces_an_earlier_one_and_nothing_else(report: Path, tmp_path: Path):
    copy = tmp_path / "out"
    shutil.copytree(report, copy)
    (copy / "runs" / "old.html").write_text("old")
    build_report(copy, root=tmp_path)
    assert not (copy / "runs" / "old.html").exists()
    assert (copy / MARK).is_file()
    full = tmp_path / "mine"
    write_text(full / "thesis.txt", "mine")
    with pytest.raises(FileExistsError, match="holds something other than a report"):
        build_report(full, root=tmp_path)
    assert (full / "thesis.txt").read_text() == "mine"


def test_a_report_killed_between_its_renames_is_put_back_and_replaced(report: Path, tmp_path: Path):
    shutil.copytree(report, tmp_path / ".out.old")
    litter = tmp_path / f".out.{aside_of(tmp_path).name.split('.')[-3]}.{2**22 + 1}.aside"
    litter.mkdir()
    build_report(tmp_path / "out", root=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / MARK).is_file()


def test_without_prepared_videos_the_report_says_how_to_get_the_pictures(tmp_path: Path):
    folder = build_report(tmp_path / "out", root=tmp_path).parent
    page = (folder / "figure8.html").read_text(encoding="utf-8")
    assert (
        "No picture of ped2-laptop, seed 0, because its prepared video is missing: no prepared ped2 "
        in html.unescape(page)
    )
    assert "Prepare it: <code>maam prepare ped2 --source PATH" in page
    curves = (folder / "figure7.html").read_text(encoding="utf-8")
    assert "Anomaly score over time" in curves, "they need no video"


def test_pictures_of_the_scene_come_with_the_kit_and_are_of_its_network(tmp_path: Path):
    """Its frames and numbers, which the kept scores choose; no frame of a dataset is kept."""
    found = collect()
    for name, choose in FRAMES.items():
        of_ped2, of_scene = figures_of(name, found, tmp_path)
        chosen = choose(found.scored["synthetic-laptop"])
        assert chosen is not None
        assert isinstance(of_scene, Kept)
        assert of_scene.caption == chosen.caption, "draw it again: python docs/make_figures.py"
        assert b64decode(of_scene.png).startswith(b"\x89PNG")
        assert isinstance(of_ped2, str)
    assert {path.parent.name for path in REFERENCE.rglob("*.png")} == {"synthetic-laptop"}


def test_the_first_screen_sets_each_network_between_the_paper_and_no_network(report: Path):
    table = pd.read_csv(report / "tables" / "glance.csv", dtype=str).set_index("data")
    kept = [read_result(path) for path in sorted((REFERENCE / "ped2-laptop" / "paper").glob("seed*.json"))]
    assert table.loc["Ped2", "MAAM-Net, as the paper prints it"] == paper_values()["table2"]["rows"]["Ours"][0]
    assert table.loc["Ped2", "best score without a network"] == f"{kept[0].best.auc:.3f} (speed)"
    mean = sum(result.auc for result in kept) / len(kept)
    assert table.loc["Ped2", "this kit's MAAM-Net"].startswith(f"{mean:.3f}")
    assert table.loc["Ped2", "size"] == f"ped2-laptop, {len(kept)} seeds"
    assert table.loc["Ped2", "what learning adds"].startswith("-")
    assert table.loc["generated scene synthetic", "what learning adds"].startswith("+")


def test_a_result_without_a_threshold_costs_a_picture_and_not_the_report(tmp_path: Path):
    found = collect()
    scored = found.scored["ped2-laptop"]
    found.scored["ped2-laptop"] = replace(scored, result=scored.result.with_values(threshold=None))
    absent = figures_of("figure7", found, tmp_path)[0]
    assert isinstance(absent, str)
    assert "no psi or threshold" in absent


@pytest.mark.parametrize("name", ["figure7", "figure8"])
def test_pictures_of_a_network_that_predicts_speed_say_what_their_colours_mean(
    name: str, speed_run: RunFolder, scene_root: Path
):
    recipe, result = speed_run.recipe, read_result(speed_run.folder / "metrics.json")
    scores = pd.read_csv(speed_run.folder / "scores.csv")
    grid = GridResults(recipe, {}, [])
    found = Collection([grid], {}, [], {recipe.name: Scored(recipe, result, scores, speed_run.weights_file())})
    [picture] = figures_of(name, found, scene_root)
    assert isinstance(picture, Picture)
    told = "Motion errors are errors of speed, with their sign: orange is faster than predicted, purple slower."
    assert picture.caption.endswith(told) == (name == "figure8"), "curves have no such colours"
    titles = [axis.get_title() for axis in picture.figure.axes]
    assert ("(1 − ψ) × motion (orange > 0)" in titles) == (name == "figure8")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(RunError, match="no run here"):
        build_report(tmp_path / "out", runs=[tmp_path], root=tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_collection_is_in_the_order_of_the_paper():
    names = [grid.recipe.name for grid in collect().grids]
    assert names[0] == "ped2"
    assert names.index("ped2-laptop") < names.index("ped2-mini") < names.index("avenue") < names.index("shanghaitech")
    assert names.index("shanghaitech") < names.index("synthetic-laptop")
    assert (REFERENCE / "ped2-laptop" / "scores.csv").is_file()
