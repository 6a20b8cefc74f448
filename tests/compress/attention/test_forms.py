"""Ways to mix tokens, each against its formula written out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from unisono.compress.attention.features import Elu, Performer
from unisono.compress.attention.kernels import Kernel
from unisono.compress.attention.local import LocalGlobal
from unisono.compress.attention.pooled import Linformer
from unisono.spec.errors import InputError

SIZE = 8
LENGTHS = (1, 2, 63, 64, 65, 150)  # about a chunk of causal attention


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """The same numbers in every run."""
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def given(tokens: int, *, rows: int = 2, heads: int = 3) -> list[torch.Tensor]:
    """Queries, keys and values."""
    return list(torch.randn(3, rows, heads, tokens, SIZE).unbind())


def softmax(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_seen: torch.Tensor) -> torch.Tensor:
    """Attention as it is replaced. is_seen: queries x keys."""
    scores = query @ key.transpose(-1, -2) / SIZE**0.5
    return torch.softmax(scores.masked_fill(~is_seen, -torch.inf), -1) @ value


def kernels() -> Iterator[tuple[str, bool]]:
    for causal in (False, True):
        yield from (("elu", causal), ("performer", causal))


def kernel(kind: str, *, causal: bool) -> Kernel:
    return Kernel(Elu(SIZE) if kind == "elu" else Performer(SIZE, 2 * SIZE, causal=causal), causal=causal)


@pytest.mark.parametrize(("kind", "causal"), list(kernels()))
@pytest.mark.parametrize("tokens", LENGTHS)
def test_a_kernel_gives_the_mean_by_products_of_features(kind: str, causal: bool, tokens: int) -> None:
    form = kernel(kind, causal=causal)
    query, key, value = given(tokens)
    weights = form.features.queries(query) @ form.features.keys(key).transpose(-1, -2)
    weights = weights.tril() if causal else weights
    expected = weights @ value / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(form(query, key, value), expected, atol=2e-4, rtol=2e-4)


def test_features_of_a_performer_come_nearer_to_the_softmax_the_more_there_are() -> None:
    query, key, value = (one / 2 for one in given(40, rows=8))
    expected = softmax(query, key, value, torch.ones(40, 40, dtype=torch.bool))

    def error(count: int) -> float:
        made = Kernel(Performer(SIZE, count, causal=False), causal=False)(query, key, value)
        return float((made - expected).norm() / expected.norm())

    assert error(4096) < 0.05 < 0.2 < error(16)


def test_directions_of_a_performer_are_orthogonal_within_a_block() -> None:
    directions = Performer(SIZE, 2 * SIZE + 3, causal=False).directions
    assert directions.shape == (2 * SIZE + 3, SIZE)
    unit = torch.nn.functional.normalize(directions[:SIZE], dim=1)
    torch.testing.assert_close(unit @ unit.T, torch.eye(SIZE), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tokens", [1, 5, 8])
def test_a_linformer_with_a_slot_for_each_token_is_softmax_attention(tokens: int) -> None:
    query, key, value = given(tokens)
    expected = softmax(query, key, value, torch.ones(tokens, tokens, dtype=torch.bool))
    torch.testing.assert_close(Linformer(SIZE, 8, 100)(query, key, value), expected)


def test_a_linformer_with_few_slots_sees_means_of_neighbours_and_no_empty_slot() -> None:
    query, key, value = given(7)
    keys, values = (
        torch.stack([one[:, :, place : place + 2].mean(2) for place in (0, 2, 4, 6)], 2) for one in (key, value)
    )
    expected = softmax(query, keys, values, torch.ones(7, 4, dtype=torch.bool))
    torch.testing.assert_close(Linformer(SIZE, 5, 100)(query, key, value), expected)


def test_a_linformer_refuses_more_tokens_than_it_was_made_for() -> None:
    with pytest.raises(InputError, match=r"9 tokens; allowed: 8, which it was made for"):
        Linformer(SIZE, 4, 8)(*given(9))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("first", [0, 1, 4])
@pytest.mark.parametrize("tokens", [1, 2, 4, 5, 12, 23])
def test_neighbours_and_the_first_tokens_are_seen_and_nothing_else(causal: bool, first: int, tokens: int) -> None:
    window = 4
    places = torch.arange(tokens)
    distance = places[:, None] - places[None]
    is_seen = (distance.abs() <= window) | (places < first)
    is_seen = is_seen & (distance >= 0) if causal else is_seen | (places[:, None] < first)
    query, key, value = given(tokens)
    made = LocalGlobal(SIZE, window, first, causal=causal)(query, key, value)
    torch.testing.assert_close(made, softmax(query, key, value, is_seen))


def causal_forms() -> list[nn.Module]:
    return [kernel("elu", causal=True), kernel("performer", causal=True), LocalGlobal(SIZE, 4, 1, causal=True)]


@pytest.mark.parametrize("form", causal_forms(), ids=["elu", "performer", "local_global"])
def test_what_comes_later_changes_nothing_that_a_causal_form_gave(form: nn.Module) -> None:
    parts = given(150)
    before = form(*parts)
    for one in parts:
        one[:, :, 100:] = 9.0
    torch.testing.assert_close(form(*parts)[:, :, :100], before[:, :, :100])
