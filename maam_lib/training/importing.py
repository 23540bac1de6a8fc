"""The authors' checkpoints as weights of ours, and as a finished run folder."""

from pathlib import Path

from maam_lib import released
from maam_lib.config import Recipe, settings_of
from maam_lib.model import MAAMNet
from maam_lib.training.files import write_weights
from maam_lib.training.runs import RunFolder


def import_weights(prefix: Path, out: Path, *, run: Path | None = None, recipe: Recipe | None = None) -> MAAMNet:
    """The authors' checkpoint `prefix` as a network for RGB frames; its weights are written to `out` (safetensors).

    `run` and `recipe` also make a finished run folder of it, ready for `maam evaluate`. Raises VariableError as
    `read_checkpoint` and `net_from_variables` do and where the recipe describes another network, RunError for a run
    folder in use; nothing is written then.
    """
    net = released.net_from_variables(released.read_checkpoint(prefix), rgb=True)
    if recipe is not None:
        num_items, width = net.state_dict()["items"].shape
        needed = {
            "data.channels": net.frame_channels,
            "model.num_items": num_items,
            "model.base_channels": width // 8,
            "model.similarity": net.similarity,
            "loss.motion_target": "flow",
        }
        stated = settings_of(recipe)
        wrong = [f"{key} is {stated[key]}, the weights need {own}" for key, own in needed.items() if stated[key] != own]
        if wrong:
            raise released.VariableError(
                f"recipe {recipe.name} is of another network: {'; '.join(wrong)}; take a -released recipe"
            )
        if run is not None:
            RunFolder(run).adopt(recipe, net, f"imported from {Path(prefix).name}")
    write_weights(out, net.state_dict(), {"origin": str(prefix), "similarity": "released"})
    return net
