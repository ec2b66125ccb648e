"""Infini-attention against loops over tokens, and the identities of its paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.memory.infini import InfiniAttention, State
from praxis_evolve.blocks.probe import redraw

PLAIN: dict[str, Any] = {"heads": 4, "delta": True, "gate_init": 0.0, "rope_base": 100.0}
WIDTH = 32
SPAN = 5


def block(**settings: Any) -> InfiniAttention:
    torch.manual_seed(1)
    return InfiniAttention(WIDTH, **(PLAIN | settings)).double().eval()


def inputs(tokens: int, rows: int = 2) -> Tensor:
    rng = torch.Generator().manual_seed(tokens)
    return torch.randn(rows, tokens, WIDTH, dtype=torch.float64, generator=rng)


def dense(tokens: int) -> Frame:
    return dense_frame(2, tokens, context=64, segment=SPAN)


def positive(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def turned(x: np.ndarray, at: int, base: float) -> np.ndarray:
    rates = base ** (-np.arange(0, x.size, 2) / x.size)
    pairs = (x[0::2] + 1j * x[1::2]) * np.exp(1j * at * rates)
    return np.stack((pairs.real, pairs.imag), -1).ravel()


def read(q: np.ndarray, memory: np.ndarray, total: np.ndarray) -> np.ndarray:
    return positive(q) @ memory / (positive(q) @ total) if total.any() else np.zeros(q.size)


def loop(module: InfiniAttention, x: Tensor, at: list[int], segment: list[int]) -> np.ndarray:
    """Return a row, a token after the other; a segment's keys are added at its end, all at once."""
    heads, size = module.heads, WIDTH // module.heads
    qkv = x.numpy() @ module.queries_keys_values.weight.detach().numpy().T
    gates = module.gate.detach().sigmoid().numpy()
    done = np.zeros((len(at), WIDTH))
    for head in range(heads):
        memory, total = np.zeros((size, size)), np.zeros(size)
        keys, values = list[np.ndarray](), list[np.ndarray]()
        local = list[np.ndarray]()
        now = -1
        columns = slice(head * size, (head + 1) * size)
        for t, place in enumerate(at):
            if place < 0:
                continue
            q, k, v = (qkv[t, part * WIDTH : (part + 1) * WIDTH][columns] for part in range(3))
            if segment[t] != now:
                known_by = memory if module.delta else np.zeros_like(memory)
                before = [read(key, known_by, total) for key in keys]
                for key, value, known in zip(keys, values, before, strict=True):
                    memory = memory + np.outer(positive(key), value - known)
                    total = total + positive(key)
                keys, values, local, now = [], [], [], segment[t]
            keys.append(k)
            values.append(v)
            local.append(turned(k, place, module.rope_base))
            scores = np.array(local) @ turned(q, place, module.rope_base) / np.sqrt(size)
            weights = np.exp(scores - scores.max())
            near = weights @ np.array(values) / weights.sum()
            far = read(q, memory, total)
            done[t, columns] = gates[head] * far + (1 - gates[head]) * near
    return done @ module.output.weight.detach().numpy().T


@pytest.mark.parametrize("delta", [False, True])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("tokens", [3, SPAN, 4 * SPAN, 3 * SPAN + 2])
def test_both_forms_equal_the_loop(delta: bool, heads: int, tokens: int):
    module, x = block(delta=delta, heads=heads), inputs(tokens)
    frame = dense(tokens)
    at = list(range(tokens))
    expected = loop(module, x[0], at, [1 + place // SPAN for place in at])
    masked = Frame(frame.at, frame.segment, 64)
    for each in (frame, masked):
        np.testing.assert_allclose(module(x, None, each)[0][0].detach(), expected, atol=1e-8)


def test_holes_and_uneven_segments_equal_the_loop():
    module, x = block(), inputs(14)
    at = [-1, 0, 1, -1, 4, 5, 6, 9, -1, 10, 11, 12, 20, -1]
    segment = [0, 1, 1, 7, 1, 2, 4, 4, 0, 4, 5, 5, 9, 0]
    frame = Frame(torch.tensor([at, list(range(14))]), torch.tensor([segment, [3] * 14]), 64)
    y, _ = module(x, None, frame)
    expected = loop(module, x[0], at, segment)
    real = np.array(at) >= 0
    np.testing.assert_allclose(y[0].detach()[real], expected[real], atol=1e-8)


def test_a_closed_gate_leaves_local_attention_and_an_open_one_the_memory():
    x = inputs(3 * SPAN)
    closed, shut = block(gate_init=-40.0), block(gate_init=-40.0, delta=False)
    y, _ = closed(x, None, dense(3 * SPAN))
    torch.testing.assert_close(y, shut(x, None, dense(3 * SPAN))[0])
    for start in (0, SPAN, 2 * SPAN):  # a segment alone has no memory
        frame = dense_frame(2, SPAN, context=64, segment=SPAN, start=start)
        alone, _ = closed(x[:, start : start + SPAN], None, frame)
        torch.testing.assert_close(y[:, start : start + SPAN], alone)
    y, _ = block(gate_init=40.0)(x, None, dense(3 * SPAN))
    assert y[:, :SPAN].abs().max() < 1e-12
    assert y[:, SPAN:].abs().amax(-1).min() > 1e-3


def memory_after(module: InfiniAttention, x: Tensor) -> Tensor:
    _, carry = module(x, None, dense(x.shape[1]))
    assert carry is not None
    return State(*carry).closed + State(*carry).opened


def test_without_delta_memories_add_up_and_with_it_they_do_not():
    a, b = inputs(SPAN), inputs(2 * SPAN)
    for delta in (False, True):
        module = block(delta=delta)
        together = memory_after(module, torch.cat((a, b), 1))
        alone = memory_after(module, a) + memory_after(module, b)
        assert torch.allclose(together, alone) != delta
        assert (together[..., -1] > 0).all()
        # The normaliser is a sum in either case.
        torch.testing.assert_close(together[..., -1], alone[..., -1])


def test_delta_adds_nothing_that_the_memory_tells():
    """One key of one token: the memory returns its value, so the same token adds only to z."""
    module, x = block(), inputs(1)
    once = memory_after(module, x)
    frame = Frame(torch.tensor([[0, 1]] * 2), torch.tensor([[0, 1]] * 2), 64)
    _, carry = module(x.expand(-1, 2, -1), None, frame)
    assert carry is not None
    torch.testing.assert_close(carry.opened[..., :-1], torch.zeros_like(once[..., :-1]))
    torch.testing.assert_close(carry.opened[..., -1], once[..., -1])


def test_the_carry_keeps_the_open_segment_alone():
    module = block()
    for tokens in (1, SPAN, SPAN + 1, 4 * SPAN + 3):
        frame = dense(tokens)
        for each in (frame, Frame(frame.at, frame.segment, 64)):
            _, carry = module(inputs(tokens), None, each)
            assert carry is not None
            assert carry.open.at[0].tolist() == list(range((tokens - 1) // SPAN * SPAN, tokens))


@pytest.mark.parametrize("delta", [True, False])
@pytest.mark.parametrize("drawn", [False, True])
def test_large_inputs_over_many_segments_have_finite_gradients(delta: bool, drawn: bool) -> None:
    torch.manual_seed(0)
    block = InfiniAttention(32, heads=2, delta=delta, gate_init=0.0, rope_base=10_000.0)
    if drawn:
        redraw(block, torch.Generator().manual_seed(1))
    x = (100 * torch.randn(2, 1024, 32)).requires_grad_()
    y, _ = block(x, None, dense_frame(2, 1024, context=1024, segment=32, keep=False))
    y.square().mean().sqrt().backward()
    for tensor in (y, x.grad, *(parameter.grad for parameter in block.parameters())):
        assert tensor is not None
        assert tensor.isfinite().all()
        assert tensor.abs().max() > 0
