import tomllib
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
import torch

from maam_lib.data import FrameFlowDataset, PreparedDataset
from maam_lib.evaluation.error_maps import network_predictor
from maam_lib.evaluation.measuring import Evaluator
from maam_lib.model import MAAMNet
from maam_lib.playground import error_cache
from maam_lib.playground.error_cache import LATER, cache_folder, cached, code_hash, errors_key
from maam_lib.playground.integral_maps import IntegralMaps, KeptErrors
from maam_lib.playground.rescoring import ScoreChoice, rescorer_for
from maam_lib.training.runs import RunFolder

LIBRARY = Path(error_cache.__file__).parents[1]
KEYS = [("01", 0), ("01", 1), ("02", 0)]
SIZE = (5, 7)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


def some_errors(seed: int = 0) -> KeptErrors:
    random, maps = np.random.default_rng(seed), []
    for _ in range(2):
        maps.append(IntegralMaps.empty(SIZE, len(KEYS)))
        maps[-1].keep(0, random.random((len(KEYS), *SIZE)).astype(np.float32))
    return KeptErrors(KEYS, SIZE, *maps, of_speed=seed == 1)


def not_asked() -> KeptErrors:
    pytest.fail("computed although it was kept")


def assert_same(found: KeptErrors, expected: KeptErrors) -> None:
    assert (found.keys, found.size, found.of_speed) == (expected.keys, expected.size, expected.of_speed)
    for ours, theirs in ((found.appearance, expected.appearance), (found.motion, expected.motion)):
        np.testing.assert_array_equal(ours.table, theirs.table)
        np.testing.assert_array_equal(ours.unit, theirs.unit)


def test_what_was_computed_is_read_the_next_time(folder: Path) -> None:
    first = cached("a", KEYS, SIZE, some_errors)
    assert [path.name for path in folder.iterdir()] == ["a.errors"]
    assert_same(cached("a", KEYS, SIZE, not_asked), first)
    assert_same(cached("b", KEYS, SIZE, lambda: some_errors(1)), some_errors(1))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_another_name(path: Path) -> None:
    cached("b", KEYS, SIZE, lambda: some_errors(1))
    path.with_name("b.errors").replace(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, one_bit, of_another_name, a_folder, empty, Path.unlink])
def test_a_damaged_file_is_computed_anew(damage, folder: Path) -> None:
    cached("a", KEYS, SIZE, some_errors)
    damage(folder / "a.errors")
    assert_same(cached("a", KEYS, SIZE, lambda: some_errors(2)), some_errors(2))
    if damage is not a_folder:
        assert_same(cached("a", KEYS, SIZE, not_asked), some_errors(2))


def test_without_a_place_to_write_it_is_computed_every_time(folder: Path) -> None:
    folder.parents[1].joinpath("maam-net").write_text("a file where the folder should be")
    for seed in (3, 4):
        assert_same(cached("a", KEYS, SIZE, lambda seed=seed: some_errors(seed)), some_errors(seed))


def test_readers_beside_a_writer_never_see_half_a_file(folder: Path) -> None:
    expected, begun, seen = some_errors(), Barrier(4), []
    cached("a", KEYS, SIZE, some_errors)

    def read() -> None:
        begun.wait()
        seen.extend(error_cache._read(folder / "a.errors", KEYS, SIZE) for _ in range(50))

    readers = [Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    begun.wait()
    for _ in range(50):
        error_cache._write(folder / "a.errors", expected)
    for reader in readers:
        reader.join()
    assert len(seen) == 150
    for found in seen:
        assert_same(found, expected)


def test_those_not_used_for_longest_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    length = 32 + 4 * (1 + 2 * (6 * 8 * 3 + 3))
    monkeypatch.setattr(error_cache, "MOST_BYTES", 2 * length)
    for age, key in ((30, "a"), (20, "b")):
        cached(key, KEYS, SIZE, some_errors)
        path = folder / f"{key}.errors"
        assert path.stat().st_size == length
        error_cache.os.utime(path, (path.stat().st_mtime - age,) * 2)
    cached("a", KEYS, SIZE, not_asked)  # used now
    cached("c", KEYS, SIZE, some_errors)
    assert sorted(path.name for path in folder.iterdir()) == ["a.errors", "c.errors"]


def test_the_place_is_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    for given in ("", "relative/is/not/allowed"):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert cache_folder() == Path("/home/someone/.cache/maam-net/error-maps")


def test_a_key_names_all_that_decides(scene: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    test, train = (FrameFlowDataset(scene, split) for split in ("test", "train"))
    keys = test.keys()
    one = errors_key("net", test, keys, "cpu")
    assert one == errors_key("net", test, test.keys(), torch.device("cpu"))
    others = [
        errors_key("other net", test, keys, "cpu"),
        errors_key("net", train, keys, "cpu"),
        errors_key("net", test, keys[1:], "cpu"),
        errors_key("net", test, keys, "cuda"),
    ]
    monkeypatch.setattr(error_cache, "_code_hash", lambda: "changed")
    others.append(errors_key("net", test, keys, "cpu"))
    assert len({one, *others}) == 6


def test_a_rescorer_from_the_cache_gives_the_same_bits(
    net: MAAMNet, scene: PreparedDataset, finished_run: RunFolder, folder: Path
) -> None:
    evaluator, choice = Evaluator(finished_run.recipe, scene), ScoreChoice.of(finished_run.recipe.scoring)
    told: list[tuple[int, int]] = []
    plain = rescorer_for(evaluator, network_predictor(net)).under(choice)
    assert not folder.exists(), "kept only where it is asked for"
    rescorer_for(evaluator, network_predictor(net), network="net", tell=lambda *how_far: told.append(how_far))
    assert told[-1][0] == told[-1][1], "told to the end"
    assert len(list(folder.iterdir())) == 2

    def must_not_run(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pytest.fail("the network ran although its errors are kept")

    again = rescorer_for(evaluator, must_not_run, network="net").under(choice)
    np.testing.assert_array_equal(again.scores, plain.scores)
    assert (again.psi, again.threshold, again.measured) == (plain.psi, plain.threshold, plain.measured)


def test_only_code_that_makes_error_maps_counts(tmp_path: Path) -> None:
    for name in (
        "model.py",
        "evaluation/pass.py",
        "playground/maps.py",
        "playground/explorers/app.py",
        "figures/bars.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    before = code_hash(tmp_path)
    for name in ("playground/explorers/app.py", "figures/bars.py"):
        (tmp_path / name).write_text("changed")
        assert code_hash(tmp_path) == before
    for name in ("model.py", "evaluation/pass.py", "playground/maps.py"):
        before = code_hash(tmp_path)
        (tmp_path / name).write_text("changed")
        assert code_hash(tmp_path) != before


def test_what_does_not_count_lies_above_the_pass_of_the_network() -> None:
    contracts = tomllib.loads((LIBRARY.parent / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["maam_lib"])
    above = {name.strip() for layer in layers[: layers.index("evaluation")] for name in layer.split("|")}
    assert above | {"explorers"} >= LATER
    assert all(any(LIBRARY.rglob(name)) for name in LATER)
