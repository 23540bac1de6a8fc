"""The napkin's numbers against those that a pencil gives, and its sliders against its plain call."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest

from maam_lib.figures import napkin as napkin_figure
from maam_lib.playground.explorers.napkin import NapkinExplorer
from maam_lib.playground.memory_view import Addressing
from maam_lib.playground.napkin import Napkin, as_vectors, napkin

# z = (1.5, 2) has the length 2.5; the cosines with (2, 0), (0, 1), (-1, 0) are 3/5, 2/2.5 and -1.5/2.5.
SOFTMAX = [math.exp(s) / (math.exp(0.6) + math.exp(0.8) + math.exp(-0.6)) for s in (0.6, 0.8, -0.6)]


def test_every_number_is_that_of_a_pencil() -> None:
    found = napkin()
    np.testing.assert_allclose(found.cosines, [0.6, 0.8, -0.6], atol=1e-6)
    np.testing.assert_allclose(found.shares, SOFTMAX, atol=1e-6)
    first, second = SOFTMAX[0] / (SOFTMAX[0] + SOFTMAX[1]), SOFTMAX[1] / (SOFTMAX[0] + SOFTMAX[1])
    assert found.threshold == 1 / 3
    np.testing.assert_allclose(found.weights, [first, second, 0], atol=1e-6)
    np.testing.assert_allclose(found.read_out, [2 * first, second], atol=1e-6)
    cosine = (1.5 * 2 * first + 2 * second) / (2.5 * math.hypot(2 * first, second))
    assert found.agreement == pytest.approx(cosine, abs=1e-6)
    assert found.latent_loss == pytest.approx(cosine - 0.1, abs=1e-6)


def test_the_length_of_a_query_changes_nothing_and_that_of_an_item_the_read_out() -> None:
    found, longer = napkin(), napkin(query=(3, 4))
    np.testing.assert_allclose(longer.weights, found.weights, atol=1e-6)
    np.testing.assert_allclose(longer.read_out, found.read_out, atol=1e-6)
    longer_item = napkin(items=((4, 0), (0, 1), (-1, 0)))
    np.testing.assert_allclose(longer_item.weights, found.weights, atol=1e-6)
    np.testing.assert_allclose(longer_item.read_out, found.read_out * [2, 1], atol=1e-6)


def test_where_no_share_passes_all_stay() -> None:
    found = napkin(addressing=Addressing(shrink_threshold=0.9))
    np.testing.assert_allclose(found.weights, SOFTMAX, atol=1e-6)


def test_a_low_temperature_leaves_one_item() -> None:
    assert np.count_nonzero(napkin(addressing=Addressing(temperature=0.2)).weights) == 1
    assert np.count_nonzero(napkin(addressing=Addressing(temperature=0.4)).weights) == 2


def test_the_table_has_a_row_per_item() -> None:
    table = napkin().table()
    assert list(table.index) == ["item 1", "item 2", "item 3"]
    np.testing.assert_allclose(table["after Eq. 3"], [SOFTMAX[0], SOFTMAX[1], 0], atol=1e-6)
    assert napkin().facts()["latent loss (Eq. 9)"] == "0.829"


@pytest.mark.parametrize(("query", "items"), [((1, 2, 3), ((1, 0),)), ((1, 2), (1, 0)), ((1, 2), ((1, 0, 0),))])
def test_other_shapes_are_refused(query: tuple[float, ...], items: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(ValueError, match="expected a query of 2 numbers and items"):
        as_vectors(query, items)


def drawn(found: Napkin) -> list[str]:
    figure = napkin_figure(*found[:2], found.shares, found.weights, found.threshold, found.read_out)
    assert plt.get_fignums() == []
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_the_picture_names_the_weights() -> None:
    assert {"item 1\nweight 0.45", "item 2\nweight 0.55", "item 3\nweight 0.00"} < set(drawn(napkin()))
    assert len(napkin_figure((1, 0), ((0, 1), (1, 1))).axes) == 1, "without an answer, the plane alone"


def test_sliders_do_what_the_plain_call_does() -> None:
    explorer = NapkinExplorer()
    np.testing.assert_allclose(explorer.answer().weights, napkin().weights, atol=1e-6)
    before = explorer.picture.value
    explorer.angle.value, explorer.length.value = 180, 1
    explorer.temperature.value, explorer.threshold.value = 0.5, 0.3
    expected = napkin((-1, 0), addressing=Addressing(temperature=0.5, shrink_threshold=0.1))
    np.testing.assert_allclose(explorer.answer().read_out, expected.read_out, atol=1e-6)
    assert explorer.picture.value != before
    assert expected.facts()["read-out (Eq. 4)"] in explorer.numbers.value
