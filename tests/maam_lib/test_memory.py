import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from maam_lib import memory
from tests import reference


def random_query_and_items(seed: int = 0, num_items: int = 7) -> tuple[Tensor, Tensor]:
    """Queries (2, 5, 2, 3) >= 0 with some zeros, as after a ReLU, and items (N, 5); float64."""
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(2, 5, 2, 3, generator=generator, dtype=torch.float64).relu()
    return query, torch.randn(num_items, 5, generator=generator, dtype=torch.float64)


def loop_weights(query: Tensor, items: Tensor, *rule: object) -> np.ndarray:
    return np.stack([reference.address(z, items.numpy(), *rule) for z in query.numpy()])


@pytest.mark.parametrize("similarity", ["cosine", "released"])
@pytest.mark.parametrize("temperature", [1.0, 0.2])
@pytest.mark.parametrize("threshold", [None, 0.0, 0.2])
def test_addressing_is_equations_1_to_3(similarity: str, temperature: float, threshold: float | None):
    query, items = random_query_and_items()
    weights = memory.address(query, items, similarity=similarity, temperature=temperature, shrink_threshold=threshold)
    at = 1 / len(items) if threshold is None else threshold
    expected = loop_weights(query, items, similarity, temperature, at)
    np.testing.assert_allclose(weights, expected, rtol=1e-10, atol=1e-13)


def test_read_out_is_equation_4():
    query, items = random_query_and_items(1)
    weights = memory.address(query, items)
    expected = np.stack([reference.read(w, items.numpy()) for w in weights.numpy()])
    np.testing.assert_allclose(memory.read(weights, items), expected, rtol=1e-12, atol=1e-14)


def test_entropy_is_equation_8_of_each_query():
    weights = memory.address(*random_query_and_items(2))
    assert (weights == 0).any(), "the case 0 log 0 must occur"
    entropies = memory.entropy(weights)
    for b, one in enumerate(weights.numpy()):
        for y, x in reference.positions(one):
            assert entropies[b, y, x].item() == pytest.approx(reference.entropy(one[:, y, x]), rel=1e-12)


def test_entropy_has_a_finite_gradient_at_zero_weights():
    weights = torch.tensor([0.0, 0.25, 0.75, 0.0], requires_grad=True)
    memory.entropy(weights.view(1, 4, 1, 1)).sum().backward()
    expected = [0, -np.log(0.25) - 1, -np.log(0.75) - 1, 0]
    np.testing.assert_allclose(weights.grad, expected, rtol=1e-6)


def test_support_count_counts_the_items_above_the_threshold():
    query, items = random_query_and_items(3)
    counts = memory.support_count(memory.address(query, items, shrink_threshold=0.0))
    assert counts.shape == (2, 2, 3)
    assert (counts == len(items)).all()
    soft = torch.softmax(memory.similarity_map(query, items), dim=1)
    expected = (soft > 0.15).sum(dim=1)
    assert torch.equal(memory.support_count(memory.shrink(soft, 0.15)), expected.where(expected > 0, len(items)))
    assert expected.unique().numel() > 1, "queries with different support must occur"


@given(
    similarities=st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=40),
    share=st.floats(0.2, 3.5),
)
@settings(deadline=None, max_examples=150)
def test_shrinkage_keeps_exactly_the_items_above_the_threshold(similarities: list[float], share: float):
    soft = torch.softmax(torch.tensor(similarities), dim=0).view(1, -1, 1, 1)
    threshold = share / len(similarities)
    weights = memory.shrink(soft, threshold)
    above = soft - threshold > 0  # in float32, as the shrinkage sees it
    if above.any():
        assert torch.equal(weights > 0, above)
    else:
        assert torch.equal(weights, soft)
    assert (weights >= 0).all()
    assert weights.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("similarity", ["cosine", "released"])
@pytest.mark.parametrize("threshold", [1 / 50, 3 / 50, 0.99])
@pytest.mark.parametrize("scale", [0.0, 0.02])
def test_a_query_without_surviving_items_stays_finite(similarity: str, threshold: float, scale: float):
    generator = torch.Generator().manual_seed(4)
    query = (scale * torch.randn(1, 16, 2, 2, generator=generator)).relu()
    query[:, :, 0, 0] = 0  # all ReLUs of one position dead
    items = 0.02 * torch.randn(50, 16, generator=generator)
    query.requires_grad_()
    items.requires_grad_()
    weights = memory.address(query, items, similarity=similarity, shrink_threshold=threshold)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(1, 2, 2))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights[0, :, 0, 0], torch.full((50,), 1 / 50))
    (memory.read(weights, items).square().sum() + memory.entropy(weights).mean()).backward()
    assert query.grad.isfinite().all()
    assert items.grad.isfinite().all()


def test_three_times_one_over_n_is_out_of_reach_at_initial_values():
    """Item 2: with the true cosine nothing survives 3/N, so every query keeps its unshrunk weights."""
    generator = torch.Generator().manual_seed(5)
    query = torch.randn(1, 512, 3, 3, generator=generator).relu()
    items = 0.02 * torch.randn(500, 512, generator=generator)
    soft = torch.softmax(memory.similarity_map(query, items), dim=1)
    assert torch.equal(memory.address(query, items, shrink_threshold=3 / 500), soft)
    assert (memory.support_count(memory.address(query, items)) < 500).all()


def test_an_item_exactly_at_the_threshold_passes_no_gradient():
    soft = torch.tensor([0.25, 0.5, 0.125, 0.125], requires_grad=True)
    memory.shrink(soft.view(1, 4, 1, 1), 0.25)[0, 1].sum().backward()
    torch.testing.assert_close(soft.grad, torch.zeros(4))  # the only survivor has weight 1, whatever it was


def test_cosine_spread_is_the_mean_over_all_pairs():
    query, _ = random_query_and_items(6)
    vectors = query.permute(0, 2, 3, 1).reshape(-1, 5).numpy()
    pairs = [1 - reference.cosine(a, b) for a in vectors for b in vectors]
    assert memory.cosine_spread(query) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert memory.cosine_spread(torch.ones(2, 5, 2, 2)) == pytest.approx(0, abs=1e-12)
