"""Prints the end-point error and the no-learning AUC of every flow estimator: python -m benchmarks.flow_estimators.

Prepares the generated scene with each of them where that is not done; flow imported for it stands in the table too.
"""

import argparse
import json
from pathlib import Path

from data_prep.flow import FLOW_ESTIMATORS
from data_prep.prepare import prepare
from maam_lib import PreparedDataset, load_recipe
from maam_lib.analysis import compare_estimators


def main() -> None:
    """Prepare, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of prepared datasets")
    parser.add_argument("--recipe", default="synthetic-laptop", help="its patch and drop rule make the scores")
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    asked = parser.parse_args()
    recipe = load_recipe(asked.recipe)
    size = (recipe.data.height, recipe.data.width)
    made = {name: prepare("synthetic", None, asked.root, flow=name, size=size) for name in (*FLOW_ESTIMATORS, "exact")}
    imported = [path.parent for path in sorted(asked.root.glob("synthetic-*/manifest.json")) if _is_imported(path)]
    exact = PreparedDataset(made.pop("exact"))
    others = [PreparedDataset(folder) for folder in (*made.values(), *imported)]
    table = compare_estimators(recipe, exact, [p for p in others if p.frame_size == exact.frame_size])
    print(table.to_string(float_format="{:.3f}".format))
    if asked.json:
        asked.json.write_text(json.dumps({"recipe": recipe.name, "rows": table.to_dict("index")}, indent=2) + "\n")


def _is_imported(manifest: Path) -> bool:
    return "imported" in json.loads(manifest.read_text())["flow"]


if __name__ == "__main__":
    main()
