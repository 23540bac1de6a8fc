"""Writes the measured tables of docs/performance.md from benchmarks/results/bench_*.json: python -m benchmarks.page."""

import json
from pathlib import Path

from data_prep.files import write_text

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured: python -m benchmarks.page -->", "<!-- /measured -->"


def main() -> None:
    """Put the tables of all groups between the marks of the page."""
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, tail = rest.split(END)
    parts = [section(json.loads(path.read_text())) for path in sorted((HERE / "results").glob("bench_*.json"))]
    write_text(PAGE, "\n\n".join([head + BEGIN, *parts, END + tail]))


def section(result: dict) -> str:
    """One group as markdown: machine, table, demands, notes."""
    machine, rows = result["machine"], result["rows"]
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    where = f"{machine['processor']}, {threads}, torch {machine['torch']}, load average {machine['load_average']}"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [f"### {result['group']}", "", f"{machine['gpu'] or ''} {where}".strip() + ".", ""]
    lines += ["| " + " | ".join(name.replace("_", " ") for name in columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(cell(row.get(column)) for column in columns) + " |" for row in rows]
    found = [
        f"- {d['what']}: at least {d['at_least']:g} {d['unit']}, found {d['found']:g}: {verdict(d)}"
        for d in result["demands"]
    ]
    notes = [f"- {note}" for note in result["notes"]]
    return "\n".join([*lines, *([""] if found or notes else []), *found, *notes])


def verdict(demand: dict) -> str:
    """Met or not, and what the machine lacks for it."""
    return "met" if demand["met"] else "**not met**" + (f", needs {demand['needs']}" if "needs" in demand else "")


def cell(value: object) -> str:
    """A number to three digits, words as they are."""
    return "" if value is None else value if isinstance(value, str) else f"{value:.3g}"


if __name__ == "__main__":
    main()
