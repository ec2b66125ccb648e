"""The bias of scores against a loop over queries and keys; slopes against the paper's numbers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.blocks.attention.alibi import slopes
from praxis_evolve.blocks.attention.mask import hidden_keys, score_bias, without_holes
from praxis_evolve.blocks.attention.window import reach
from praxis_evolve.blocks.frame import Frame, dense_frame

HOLE = -1


def expected(query: int, key: int, limit: int, slope: float) -> float:
    if query == HOLE:
        return 0.0 if key == HOLE else -math.inf
    if key == HOLE or not 0 <= query - key < limit:
        return -math.inf
    return -slope * (query - key)


@given(
    marks=st.lists(st.sampled_from([HOLE, 1, 2, 5]), min_size=1, max_size=9),
    kept=st.integers(0, 9),
    limit=st.integers(1, 12),
    falls=st.sampled_from([(), (0.5, 0.125)]),
)
def test_bias_equals_the_loop(marks: list[int], kept: int, limit: int, falls: tuple[float, ...]):
    place, at = -1, list[int]()
    for mark in marks:
        place += max(mark, 0)
        at.append(HOLE if mark == HOLE else place)
    kept = min(kept, len(at))
    old, new = torch.tensor([at[:kept]], dtype=torch.int64), torch.tensor([at[kept:]])
    new = new.to(torch.int64).reshape(1, -1)
    frame = Frame(new, new * 0, 64)
    bias = score_bias(frame, old if kept else None, limit=limit, slopes=falls, dtype=torch.float64)
    assert bias is not None
    assert bias.shape == (1, len(falls) or 1, len(at) - kept, len(at))
    for head, slope in enumerate(falls or (0.0,)):
        for i, query in enumerate(at[kept:]):
            for j, key in enumerate(at):
                assert bias[0, head, i, j].item() == expected(query, key, limit, slope)


@pytest.mark.parametrize("sees_self", [False, True])
@pytest.mark.parametrize("nearest_first", [False, True])
@pytest.mark.parametrize("kept", [0, 3])
def test_hidden_keys_are_those_whose_bias_is_infinite(
    sees_self: bool, nearest_first: bool, kept: int
):
    at = torch.tensor([[0, HOLE, 2, 3, 6, HOLE, 7], [HOLE, 1, 4, 5, 6, 8, 9]])
    frame, old = Frame(at[:, kept:], at[:, kept:] * 0, 64), at[:, :kept] if kept else None
    hidden = hidden_keys(
        frame, old, limit=4, sees_self=sees_self, nearest_first=nearest_first
    ).expand(2, 1, -1, -1)
    hidden = hidden.flip(3) if nearest_first else hidden
    for row, query, key in itertools.product(range(2), range(7 - kept), range(7)):
        places = at[row, kept + query].item(), at[row, key].item()
        unseen = math.isinf(expected(int(places[0]), int(places[1]), 4, 0.0))
        itself = not sees_self and places[0] == places[1]
        assert hidden[row, 0, query, key].item() == (unseen or itself)


def test_causal_order_alone_needs_no_bias():
    frame = dense_frame(2, 8, context=8, segment=2)
    assert score_bias(frame, None, limit=8, dtype=torch.float32) is None
    assert score_bias(frame, None, limit=7, dtype=torch.float32) is not None
    assert score_bias(frame, frame.at, limit=8, dtype=torch.float32) is not None
    assert score_bias(frame, None, limit=8, slopes=(1.0,), dtype=torch.float32) is not None


def test_visits_share_the_bias_and_dense_rows_do():
    frame = dense_frame(3, 8, context=8, segment=2)
    bias = score_bias(frame, None, limit=4, dtype=torch.float32)
    assert bias is not None
    assert bias.shape == (1, 1, 8, 8)
    assert score_bias(frame, None, limit=4, dtype=torch.float32) is bias
    assert score_bias(frame, None, limit=3, dtype=torch.float32) is not bias


def test_holes_are_blanked_unless_there_are_none():
    at = torch.tensor([[0, HOLE, 1]])
    x = torch.full((1, 3, 2), float("nan"))
    blank = without_holes(x, Frame(at, at * 0, 8))
    assert blank[0, 1].tolist() == [0.0, 0.0]
    assert blank.isnan().sum() == 4
    assert without_holes(x, dense_frame(1, 3, context=8, segment=2)) is x


def test_slopes_are_the_papers():
    assert slopes(8) == (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256)
    assert slopes(4) == (1 / 4, 1 / 16, 1 / 64, 1 / 256)
    assert slopes(1) == (1 / 256,)
    sixteen = slopes(16)
    assert sixteen[0] == pytest.approx(2**-0.5)
    assert sixteen[-1] == 1 / 256


def test_reach_is_a_share_of_the_context_and_at_least_the_token_itself():
    assert reach(1.0, 128) == 128
    assert reach(0.125, 128) == 16
    assert reach(0.25, 7) == 1
    assert reach(0.125, 2) == 1
