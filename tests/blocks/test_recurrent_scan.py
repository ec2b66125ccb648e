"""The scans against a loop over tokens, in values and in gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from praxis_evolve.blocks.recurrent.scan import fading_scan, gated_scan, last_state


def loop(gate: Tensor, candidate: Tensor, start: Tensor | None) -> Tensor:
    h = torch.zeros_like(gate[:, 0]) if start is None else start
    steps = list[Tensor]()
    for t in range(gate.shape[1]):
        h = (1 - gate[:, t]) * h + gate[:, t] * candidate[:, t]
        steps.append(h)
    return torch.stack(steps, 1)


def inputs(tokens: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    gate = torch.randn(2, tokens, 3, dtype=torch.float64).mul(4).sigmoid()
    return gate, torch.randn_like(gate), torch.randn(2, 3, dtype=gate.dtype)


@given(tokens=st.integers(1, 70), started=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_values_and_gradients_equal_those_of_a_loop(tokens: int, started: bool, seed: int) -> None:
    gate, candidate, start = inputs(tokens, seed)
    leaves = [gate, candidate, *([start] if started else [])]
    for leaf in leaves:
        leaf.requires_grad_()
    weights = torch.randn_like(gate)
    ours = gated_scan(gate, candidate, start if started else None)
    theirs = loop(gate, candidate, start if started else None)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad((ours * weights).sum(), leaves),
        torch.autograd.grad((theirs * weights).sum(), leaves),
        rtol=0,
        atol=1e-11,
    )


def test_gradients_are_those_of_finite_differences() -> None:
    gate, candidate, start = inputs(6, 0)
    leaves = (gate.requires_grad_(), candidate.requires_grad_(), start.requires_grad_())
    assert torch.autograd.gradcheck(gated_scan, leaves)


@pytest.mark.parametrize("share", [0.0, 1e-7, 1.0])
def test_shut_and_open_gates_stay_exact_over_many_tokens(share: float) -> None:
    """A form that divides by products of 1 - gate, or sums logarithms, fails here."""
    gate = torch.full((1, 4096, 1), share)
    candidate = torch.ones_like(gate)
    got = gated_scan(gate, candidate, torch.zeros(1, 1))
    want = 1 - (1 - torch.tensor(share, dtype=torch.float64)) ** torch.arange(1, 4097)
    torch.testing.assert_close(got[0, :, 0].double(), want, rtol=0, atol=1e-5)


def test_arguments_are_not_written_to() -> None:
    gate, candidate, start = inputs(9, 3)
    copies = [each.clone() for each in (gate, candidate, start)]
    gated_scan(gate, candidate, start)
    assert all(map(torch.equal, copies, (gate, candidate, start)))


def test_no_token_is_a_legal_length() -> None:
    gate, candidate, start = inputs(0, 0)
    assert gated_scan(gate, candidate, None).shape == (2, 0, 3)
    assert gated_scan(gate, candidate, start).shape == (2, 0, 3)


def fading_loop(decay: Tensor, source: Tensor, start: Tensor | None) -> Tensor:
    h = torch.zeros_like(source[:, 0]) if start is None else start
    steps = list[Tensor]()
    for t in range(source.shape[1]):
        h = decay[:, t] * h + source[:, t]
        steps.append(h)
    return torch.stack(steps, 1)


@given(
    tokens=st.integers(1, 70),
    started=st.booleans(),
    shared=st.booleans(),
    turning=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_a_fading_scan_equals_a_loop(
    tokens: int, started: bool, shared: bool, turning: bool, seed: int
) -> None:
    decay, source, start = inputs(tokens, seed)
    if turning:
        decay = torch.polar(decay, torch.randn_like(decay))
        source, start = (torch.complex(each, torch.randn_like(each)) for each in (source, start))
    leaves = [decay[:1] if shared else decay, source, *([start] if started else [])]
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    weights = torch.randn_like(source)
    ours = fading_scan(leaves[0], leaves[1], leaves[2] if started else None)
    theirs = fading_loop(leaves[0], leaves[1], leaves[2] if started else None)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad((ours * weights).real.sum(), leaves),
        torch.autograd.grad((theirs * weights).real.sum(), leaves),
        rtol=0,
        atol=1e-11,
    )


def test_a_fading_scan_writes_to_no_argument_and_takes_no_tokens() -> None:
    decay, source, start = inputs(9, 3)
    copies = [each.clone() for each in (decay, source, start)]
    fading_scan(decay, source, start)
    assert all(map(torch.equal, copies, (decay, source, start)))
    decay, source, start = inputs(0, 0)
    assert fading_scan(decay, source.requires_grad_(), start).shape == (2, 0, 3)
    assert torch.equal(last_state(source, start), start)
    assert torch.equal(last_state(source, None), torch.zeros(2, 3, dtype=source.dtype))
