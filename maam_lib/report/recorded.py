"""The numbers that chapters recorded, for a reader: in words, with units, in digits that mean something (ours)."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

WORDS = {"auc": "AUC", "eer": "EER", "psi": "ψ", "brier": "Brier score"}
UNITS = {"seconds": "s", "minutes": "min"}  # last word of a name -> what stands behind its value
SHARES = ("rate", "share")  # last words of names whose values are percent
MINUS = "\N{MINUS SIGN}"
GAP = "\N{NO-BREAK SPACE}"


class Row(NamedTuple):
    """A recorded number: its name in words, and its value."""

    name: str
    value: str


class Dot(NamedTuple):
    """A frame AUC on a line from `low` to 1: what it is of, whether without a network, and where (in percent)."""

    name: str
    value: str
    without_network: bool
    place: float


class Headline(NamedTuple):
    """What a run came to, as far as it is recorded: its AUC, that of the best row without a network, and the gain; all
    AUCs as dots on a line that begins at `low`; facts of the run."""

    auc: str | None
    best: str | None
    gain: str | None
    dots: list[Dot]
    low: float
    facts: list[Row]


def as_rows(numbers: Mapping[str, Any]) -> list[Row]:
    """All numbers that a chapter recorded, those of dictionaries one by one."""
    first = {name.partition(".")[0] for name in numbers}
    shared = f"{first.pop()}." if len(first) == 1 else ""
    return [row for name, value in numbers.items() for row in _rows(name.removeprefix(shared), value)]


def _rows(name: str, value: Any) -> Iterator[Row]:
    if isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _rows(f"{name}.{part}", inner)
        return
    parts = [" ".join(WORDS.get(word, word) for word in part.replace("_", " ").split(" ")) for part in name.split(".")]
    words = ", ".join(parts).split(" ")
    unit = UNITS.get(words[-1], "")
    if unit:
        words.pop()
    is_share = words[-1:] and words[-1] in SHARES and isinstance(value, float)
    shown = f"{as_text(100 * value, 1)}{GAP}%" if is_share else as_text(value)
    yield Row(" ".join(words).strip(", ") or "time", f"{shown}{GAP}{unit}" if unit else shown)


def as_text(value: Any, decimals: int | None = None) -> str:
    """A value of results.json; of a float three decimals below 1 and three digits above, or as many as told."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}".replace("-", MINUS)
        case float() if math.isfinite(value):
            if decimals is None:
                size = abs(value)
                decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 1 else 3
            small = value != 0 and decimals == 3 and abs(value) < 0.0005
            return (f"{value:.1g}" if small else f"{value:,.{decimals}f}").replace("-", MINUS)
        case list():
            is_pair = len(value) == 2 and all(isinstance(part, int) for part in value)
            return f"{GAP}×{GAP}".join(map(as_text, value)) if is_pair else ", ".join(map(as_text, value)) or "none"
        case str():
            return value
    return "none"


def headline(results: Mapping[str, Mapping[str, Any]]) -> Headline:
    """What to say first of all that the chapters recorded."""
    found = {name: value for numbers in results.values() for name, value in numbers.items()}
    known = {name: value for name, value in found.items() if isinstance(value, int | float) and math.isfinite(value)}
    auc, gain = known.get("train.auc"), known.get("train.learning_adds")
    best = auc - gain if auc is not None and gain is not None else None
    branches = {"motion branch alone": "train.auc_motion", "appearance branch alone": "train.auc_appearance"}
    aucs = {"this run": auc, **{words: known.get(name) for words, name in branches.items()}}
    aucs["best row without a network"] = best
    values = {words: value for words, value in aucs.items() if value is not None}
    low = min([0.5, *(math.floor(10 * value) / 10 for value in values.values())])
    dots = [
        Dot(words, as_text(value), words == "best row without a network", 100 * (value - low) / (1 - low))
        for words, value in values.items()
    ]
    facts = {
        "train.eer": "equal error rate",
        "network.parameters.this recipe": "parameters",
        "train.epochs": "epochs",
        "train.seconds": "seconds of training",
        "data.train_frames": "training frames",
        "data.test_frames": "test frames",
        "data.abnormal_frames": "of them abnormal",
    }
    return Headline(
        auc=None if auc is None else as_text(auc),
        best=None if best is None else as_text(best),
        gain=None if gain is None else f"{'+' if gain >= 0 else ''}{as_text(gain)}",
        dots=dots,
        low=low,
        facts=[Row(words, as_text(known[name])) for name, words in facts.items() if name in known],
    )
