"""The tables of results in README.md and docs/ are those of reports/reference."""

import runpy

import pytest

from tests.conftest import PROJECT

MADE = runpy.run_path(str(PROJECT / "docs" / "make_tables.py"))


@pytest.mark.parametrize("page", MADE["PAGES"])
def test_the_tables_are_those_of_the_kept_results(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    assert MADE["made_anew"](page, text) == text, "make them anew: python docs/make_tables.py"


def test_a_table_replaces_what_stood_between_its_marks() -> None:
    begins, ends = "<!-- sizes: python docs/make_tables.py -->", "<!-- /sizes -->"
    other = "".join(f"<!-- {mark} -->" for mark in ("would_decide: python docs/make_tables.py", "/would_decide"))
    made = MADE["made_anew"]("docs/sweeps.md", f"before\n{begins}\nstale\n{ends}\nafter\n{other}")
    assert "stale" not in made
    assert "| no-memory | fused |" in made
    assert made.startswith(f"before\n{begins}\n")
    between = made[made.index(ends) : made.index("<!-- would_decide")]
    assert between == f"{ends}\nafter\n"
    assert made.endswith("\n<!-- /would_decide -->")
