"""The chunked sum against the double sum of its definition."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.blocks.attention.decay import fades, fading_attention

HEADS, KEYS, VALUES, ROWS = 2, 3, 4, 2
LOG = torch.tensor([0.9, 0.99], dtype=torch.float64).log()


@given(
    seed=st.integers(0, 10_000),
    tokens=st.integers(1, 9),
    chunk=st.integers(1, 9),
    gap=st.sampled_from([1, 3]),
    dense=st.booleans(),
)
def test_any_chunk_gives_the_double_sum(seed: int, tokens: int, chunk: int, gap: int, dense: bool):
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    q, k = draw(ROWS, tokens, HEADS, KEYS), draw(ROWS, tokens, HEADS, KEYS)
    v, memory = draw(ROWS, tokens, HEADS, VALUES), draw(ROWS, HEADS, KEYS, VALUES)
    last = torch.randint(0, 4, (ROWS,), generator=rng)
    rows = 1 if dense else ROWS
    place = torch.randint(0, gap + 1, (rows, tokens), generator=rng).cumsum(1) + 4
    y, after = fading_attention(q, k, v, memory, fades(place, last, LOG, chunk=chunk))
    place = place.expand(ROWS, -1)
    for row, head in itertools.product(range(ROWS), range(HEADS)):
        decay = LOG[head].exp()
        state = memory[row, head]
        before = last[row]
        for t in range(tokens):
            state = decay ** (place[row, t] - before) * state
            state = state + torch.outer(k[row, t, head], v[row, t, head])
            before = place[row, t]
            torch.testing.assert_close(y[row, t, head], q[row, t, head] @ state)
        torch.testing.assert_close(after[row, head], state)


def test_long_gaps_forget_without_overflow():
    place = torch.tensor([[0, 100_000, 200_000]])
    ones = torch.ones(1, 3, HEADS, 1, dtype=torch.float64)
    memory = torch.ones(1, HEADS, 1, 1, dtype=torch.float64)
    for chunk in (1, 2, 3):
        table = fades(place, torch.tensor([-100_000]), LOG, chunk=chunk)
        y, after = fading_attention(ones, ones, ones, memory, table)
        torch.testing.assert_close(y, torch.ones_like(y))
        torch.testing.assert_close(after, torch.ones_like(after))
