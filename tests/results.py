"""Results made up for tests: whole, with what a test asks for put in."""

from maam_lib.evaluation.result import NoLearning, Result


def made_up_result(auc: float = 0.75, seed: int = 0, **values: object) -> Result:
    """A result whose best row without learning is zero_flow's, with 0.65; `values` replace its own."""
    content = {
        "recipe": "a",
        "recipe_hash": f"a{seed}",
        "seed": seed,
        "data": {"name": "synthetic", "content_hash": "c"},
        "auc": auc,
        "eer": 0.25,
        "auc_appearance": 0.6,
        "auc_motion": 0.7,
        "motion_error_to_zero_flow": {"train": 0.5, "test_normal": 0.75},
        "no_learning": {"zero_flow": {"auc": 0.65, "eer": 0.4}},
        "best_no_learning": "zero_flow",
        "learning_adds": auc - 0.65,
        "memory": None,
        "protocol": {"auc": "micro, raw scores", "complete": True},
    }
    return Result.model_validate(content | values)


def rows_without_learning() -> NoLearning:
    """One row, made up, with an interval and places, and one that is absent."""
    under = {"auc": 0.75, "eer": 0.25, "auc_interval": [0.5, 1.0]}
    row = {
        "protocols": {"micro": under, "macro": {"auc": None}},
        "smoothed": {"gaussian_3": {"micro": under | {"auc": 0.875}}},
        "localisation": {"pixel_auc": 0.625, "pixel_auc_ucsd": 0.5, "rbdc": 0.125, "tbdc": None},
    }
    content = {
        "recipe": "ped2-mini",
        "data": {"name": "ped2", "content_hash": "c"},
        "protocol": {"auc": "micro, raw scores", "complete": True},
        "rows": {"zero_flow": row},
        "absent": {"median_flow": "no training clip"},
        "machine": {"processor": "a processor"},
        "seconds": 1.5,
        "settings": {"scoring": {"patch": [15, 10]}},
    }
    return NoLearning.model_validate(content)


def made_up_no_learning(**rows: tuple[float, tuple[float, float] | None]) -> NoLearning:
    """Rows without learning: name -> AUC and its interval over twelve test clips."""
    padded = {"auc": 0.9, "clips": 12}
    made = {
        name: {
            "protocols": {"micro": {"auc": auc, "eer": 0.1, "auc_interval": bounds}, "macro_padded": padded},
            "smoothed": {},
        }
        for name, (auc, bounds) in rows.items()
    }
    return NoLearning.model_validate(rows_without_learning().as_json() | {"rows": made})
