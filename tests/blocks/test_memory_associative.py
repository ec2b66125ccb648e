"""The discrete associative memory against a list of keys kept by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from praxis_evolve.blocks.frame import dense_frame
from praxis_evolve.blocks.memory.associative import AssociativeMemory
from praxis_evolve.blocks.memory.store import Candidates, Store, insert, novelty, propose

PLAIN: dict[str, Any] = {
    "heads": 2, "slots": 16, "neighbours": 3, "candidates": 4, "novel": 0.5, "recombine": 0.6,
}  # fmt: skip
WIDTH, SPAN = 32, 6


def block(**settings: Any) -> AssociativeMemory:
    torch.manual_seed(1)
    return AssociativeMemory(WIDTH, **(PLAIN | settings)).double().eval()


def inputs(tokens: int) -> Tensor:
    rng = torch.Generator().manual_seed(tokens)
    return torch.randn(2, tokens, WIDTH, dtype=torch.float64, generator=rng)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b)) / 2


class Hand:
    """A store of one head: lists of keys, values and uses; slots are filled in order."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.given = settings
        self.keys, self.values, self.uses = list[np.ndarray](), list[np.ndarray](), list[float]()

    def read(self, q: np.ndarray, scale: float, hits: list[float]) -> np.ndarray:
        cosines = np.array([key @ q for key in self.keys])
        taken = np.argsort(-cosines)[: self.given["neighbours"]]
        weights = np.exp(scale * cosines[taken])
        weights = weights / (1 + weights.sum())
        for slot, weight in zip(taken, weights, strict=True):
            hits[int(slot)] += float(weight)
        return weights @ np.array(self.values)[taken]

    def nearest(self, key: np.ndarray) -> tuple[float, int]:
        return min(((apart(key, old), i) for i, old in enumerate(self.keys)), default=(2.0, 0))

    def close(self, keys: np.ndarray, values: np.ndarray, hits: list[float]) -> None:
        given = self.given
        far = [self.nearest(key) for key in keys]
        order = sorted(range(len(keys)), key=lambda i: (-far[i][0], i))
        chosen = [i for i in order if far[i][0] > given["novel"]][: given["candidates"]]
        chosen = [
            i
            for place, i in enumerate(chosen)
            if all(apart(keys[i], keys[j]) > given["novel"] for j in chosen[:place])
        ]
        self.uses = [use / 2 + hit for use, hit in zip(self.uses, hits, strict=True)]
        merged = [i for i in chosen if far[i][0] < given["recombine"]]
        joined: dict[int, list[int]] = {}
        for i in merged:
            joined.setdefault(far[i][1], []).append(i)
            self.uses[far[i][1]] += 1
        placed = [i for i in chosen if i not in merged]
        free = given["slots"] - len(self.keys)
        evicted = np.argsort(self.uses, kind="stable")[: max(0, len(placed) - free)]
        for slot, them in joined.items():
            shares = np.exp([-far[i][0] for i in them])
            key = self.keys[slot] + shares @ keys[them]
            self.keys[slot] = unit(key)
            self.values[slot] = (self.values[slot] + shares @ values[them]) / (1 + shares.sum())
        for i in placed[:free]:
            self.keys.append(keys[i])
            self.values.append(values[i])
            self.uses.append(1.0)
        for slot, i in zip(evicted, placed[free:] if free else placed, strict=True):
            self.keys[slot], self.values[slot], self.uses[slot] = keys[i], values[i], 1.0


def loop(module: AssociativeMemory, x: Tensor, settings: dict[str, Any]) -> np.ndarray:
    """Return a row of outputs by hand, and check on the way that keys were merged and evicted."""
    heads, size = module.heads, WIDTH // module.heads
    qkv = x.numpy() @ module.queries_keys_values.weight.detach().numpy().T
    q, k, v = (part.reshape(-1, heads, size) for part in np.split(qkv, 3, axis=1))
    scales = module.log_scale.detach().exp().numpy()
    done = np.zeros_like(q)
    for head in range(heads):
        store = Hand(settings)
        for start in range(0, len(q), SPAN):
            here = slice(start, start + SPAN)
            hits = [0.0] * len(store.keys)
            for t in range(len(q))[here] if store.keys else ():
                done[t, head] = store.read(unit(q[t, head]), float(scales[head]), hits)
            store.close(unit(k[here, head]), v[here, head], hits)
    return done.reshape(-1, WIDTH) @ module.output.weight.detach().numpy().T


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"recombine": 0.1},  # nothing is merged
        {"novel": 0.1, "recombine": 0.8},  # nearly all is
        {"novel": 0.1, "recombine": 0.1, "candidates": 16},  # the store overflows
        {"novel": 0.3, "recombine": 0.5, "heads": 8},
    ],
)
def test_it_equals_the_store_kept_by_hand(changes: dict[str, Any]):
    settings = PLAIN | changes
    module, x = block(**changes), inputs(10 * SPAN + 2)
    y, _ = module(x, None, dense_frame(2, x.shape[1], context=64, segment=SPAN))
    for row in range(2):
        np.testing.assert_allclose(y[row].detach(), loop(module, x[row], settings), atol=1e-8)


def test_the_first_segment_reads_an_empty_store():
    y, _ = block()(inputs(2 * SPAN), None, dense_frame(2, 2 * SPAN, context=64, segment=SPAN))
    assert (y[:, :SPAN] == 0).all()
    assert y[:, SPAN:].abs().amax(-1).min() > 1e-3


def plane(*degrees: float) -> Tensor:
    """Return unit keys of two channels at these angles, each with its angle as its value."""
    angle = torch.tensor(degrees, dtype=torch.float64)
    radians = angle.deg2rad()
    both = torch.stack((radians.cos(), radians.sin(), angle, torch.zeros_like(angle)), -1)
    return both[None, None].requires_grad_()


def stored(pairs: Tensor, *use: float) -> Store:
    return Store(pairs, torch.tensor(use, dtype=torch.float64)[None, None])


def candidates(pairs: Tensor, store: Store, count: int = 4, novel: float = 0.1) -> Candidates:
    none = Candidates(pairs.new_zeros(1, 1, count, 4), pairs.new_full((1, 1, count), -1.0))
    return propose(none, pairs, store, None, novel)


def test_a_key_is_inserted_if_all_distances_exceed_novel():
    store = stored(plane(0, 90, 0), 1.0, 1.0, 0.0)
    known = candidates(plane(10, 80, -10), store)  # 10 degrees are 0.087 of half the chord
    assert (known.novelty == -1).all()
    found = candidates(plane(10, 45, 200), store)
    assert found.pairs[0, 0, :2, 2].tolist() == [200, 45]
    none = torch.zeros(1, 1, 3, dtype=torch.float64)
    after = insert(store, found, none, novel=0.1, recombine=0.1)
    assert after.pairs[0, 0, :, 2].tolist() == [45, 90, 200]  # 0 was used least, and first
    assert after.use[0, 0].tolist() == [1, 0.5, 1]


def test_what_is_inserted_passes_the_gradient_of_what_is_returned():
    store, keys = stored(plane(0, 0), 0.0, 0.0), plane(30, 200)
    none = torch.zeros(1, 1, 2, dtype=torch.float64)
    after = insert(store, candidates(keys, store), none, novel=0.1, recombine=0.1)
    weights = torch.arange(8.0, dtype=torch.float64).view(1, 1, 2, 4)
    (after.pairs[..., 2:] * weights[..., 2:]).sum().backward()
    assert keys.grad is not None
    assert torch.equal(keys.grad[..., 2:], weights[..., 2:])


def test_merging_weighs_by_distance_and_sums_use():
    store = stored(plane(0, 180), 2.0, 1.0)
    found = candidates(plane(40, 100), store)
    hits = torch.tensor([[[0.5, 0.0]]], dtype=torch.float64)
    after = insert(store, found, hits, novel=0.1, recombine=0.4)
    distance = np.sin(np.deg2rad(20))
    share = np.exp(-distance) / (1 + np.exp(-distance))
    # 40 degrees joins 0; 100 degrees takes the slot of 180, the least used.
    np.testing.assert_allclose(after.pairs[0, 0, :, 2].detach(), [40 * share, 100])
    np.testing.assert_allclose(after.use[0, 0], [2.0 / 2 + 0.5 + 1, 1.0])
    np.testing.assert_allclose(after.pairs[0, 0, :, :2].square().sum(-1).detach(), 1)


def test_candidates_near_a_better_one_are_dropped_and_an_empty_store_is_far():
    store = stored(plane(0, 0, 0), 0.0, 0.0, 0.0)
    assert (novelty(plane(0, 50)[..., :2], store)[0] == 2).all()
    none = torch.zeros(1, 1, 3, dtype=torch.float64)
    found = candidates(plane(0, 5, 100, 104), store)
    after = insert(store, found, none, novel=0.1, recombine=0.1)
    assert after.pairs[0, 0, :2, 2].tolist() == [0, 100]
    assert after.use[0, 0].tolist() == [1, 1, 0]
