"""What the paper prints for each of its claims, in words; every number from `reports/paper_values.yaml`."""

import numpy as np
import pandas as pd

from maam_lib.grid.experiments import GridResults
from maam_lib.grid.judging import DATASETS
from maam_lib.grid.results import paper_values


def printed_auc(grid: GridResults) -> float | None:
    """Of Table 2; None for our own data."""
    table, dataset = paper_values()["table2"], grid.recipe.data.dataset
    return float(table["rows"]["Ours"][table["columns"].index(dataset)]) if dataset in table["columns"] else None


def printed_numbers() -> dict[str, str]:
    """By claim, of those that have any."""
    values = paper_values()
    table2, table3, table4, table5 = (values[f"table{n}"]["rows"] for n in (2, 3, 4, 5))
    fused = {losses: [row[dataset][2] for dataset in DATASETS] for losses, row in table5.items()}
    gains = {losses: _in_words(_gains(row, fused["none"])) for losses, row in fused.items() if losses != "none"}
    swings = {
        knob: ", ".join(
            f"{dataset} {np.ptp([float(v) for v in values['figure6'][knob][dataset]]):.3f}"
            for dataset in ("ped2", "avenue")
        )
        + f" over {knob}"
        for knob in ("beta", "zeta")
    }
    both = table5["sparse and latent"]
    speeds = [f"{name.replace('Ours', 'MAAM-Net')} {' / '.join(row[1:])}" for name, row in table4.items()]
    return {
        "auc": _in_words(table2["Ours"]),
        "best": _against_others(),
        "eer": f"MAAM-Net {table3['Ours'][0]}, NM-GAN {table3['NM-GAN [16]'][0]}; lower is better",
        "memory": _in_words(_gains(table2["Ours"], table2["Ours (w/o memory)"])),
        "fusion": "; ".join(f"{d} {' / '.join(both[d])}" for d in DATASETS) + " (appearance / motion / fused)",
        "losses": "; ".join(f"{losses} {words}" for losses, words in gains.items())
        + ": the paper's own table does not hold on every dataset",
        **swings,
        "latent-items": _in_words([f"{fall} %" for fall in values["figure5"]["latent_fall_percent"]]),
        "speed": f"{'; '.join(speeds)} frames/s",
    }


def _gains(ours: list[str], others: list[str]) -> list[str]:
    return [f"{float(a) - float(b):+.3f}" for a, b in zip(ours, others, strict=True)]


def _in_words(values: list[str]) -> str:
    return ", ".join(f"{dataset} {value}" for dataset, value in zip(DATASETS, values, strict=True))


def _against_others() -> str:
    """The printed rank of the paper's row per dataset."""
    printed = pd.DataFrame.from_dict(paper_values()["table2"]["rows"], orient="index", columns=list(DATASETS))
    ranks = printed.apply(pd.to_numeric, errors="coerce").rank(ascending=False, method="first")
    said = [f"{dataset} {ranks.loc['Ours', dataset]:.0f} of {ranks[dataset].max():.0f}" for dataset in DATASETS]
    return "rank of the printed AUC: " + ", ".join(said)
