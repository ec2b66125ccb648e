"""The cache keeps what later queries can see and nothing else."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.blocks.attention.cache import Cache, extend, trim
from praxis_evolve.blocks.frame import Frame, dense_frame


def cache_of(at: torch.Tensor) -> Cache:
    """Keys and values that tell which token they belong to."""
    k = at.double()[:, :, None, None].expand(-1, -1, 2, 3).clone()
    return Cache(k, -k[..., :1], at)


def tokens_of(row: torch.Tensor) -> list[int]:
    return [int(place) for place in row if place >= 0]


@given(seed=st.integers(0, 10_000), slots=st.integers(0, 12), limit=st.integers(1, 9))
def test_trim_keeps_every_token_that_a_later_query_sees(seed: int, slots: int, limit: int):
    rng = torch.Generator().manual_seed(seed)
    steps = torch.randint(1, 3, (3, slots), generator=rng).cumsum(1) - 1
    at = torch.where(torch.rand(3, slots, generator=rng) < 0.6, steps, -1)
    kept = trim(cache_of(at), limit=limit, dense=False)
    assert kept.at.shape[1] == min(slots, limit - 1)
    for row in range(3):
        seen = tokens_of(at[row])
        visible = [place for place in seen if max(seen) + 1 - place < limit]
        left = tokens_of(kept.at[row])
        assert left == seen[len(seen) - len(left) :]
        assert set(visible) <= set(left)
    real = kept.at >= 0
    assert torch.equal(kept.k[real][:, 0, 0].long(), kept.at[real])
    assert torch.equal(kept.v[real][:, 0, 0].long(), -kept.at[real])


def test_dense_trim_is_the_end():
    at = torch.arange(6).expand(2, -1)
    for limit in (1, 3, 7, 9):
        quick, sorted_ = (trim(cache_of(at), limit=limit, dense=flag) for flag in (True, False))
        for mine, other in zip(quick, sorted_, strict=True):
            assert torch.equal(mine, other)
            assert mine.is_contiguous()


def test_extend_puts_new_tokens_last_and_leaves_the_old_cache():
    old = cache_of(torch.tensor([[0, 1]]))
    new = cache_of(torch.tensor([[2]]))
    frame = Frame(new.at, new.at * 0, 8)
    both = extend(old, new.k, new.v, frame)
    assert both.at.tolist() == [[0, 1, 2]]
    assert both.k[0, :, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert old.at.tolist() == [[0, 1]]
    first = extend(None, new.k, new.v, dense_frame(1, 1, context=8, segment=2))
    assert first.k is new.k
