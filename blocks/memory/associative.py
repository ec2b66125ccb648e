"""Discrete associative memory: a bounded store of keys that were new, read by the nearest."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..attention.mask import without_holes
from ..frame import Frame
from ..projection import Projection
from .nearest import unit, weigh_nearest
from .pieces import joined, last_segment, parts, pieces, where_rows
from .store import Candidates, Store, first_candidates, insert, propose

SHARPNESS = 8.0  # of the scores of unit vectors at the start


class State(NamedTuple):
    """The store, and of the open segment (B,): its candidates and the reads of slots (B, H, N)."""

    store: Store
    candidates: Candidates
    hits: Tensor
    segment: Tensor


class AssociativeMemory(nn.Module):
    """Attention to a store: (B, T, W) to the same, H heads of D = W / H with a store of N each.

    head h:  y = sum of e_i v_i / (1 + sum of e_i),  e_i = exp(c_h cos(q, k_i)), over the n stored
    keys nearest to q, c_h learned and positive. Discrete associative memory; the 1 is ours: what is
    like nothing stored reads little, an empty store gives 0, a single key has a weight to learn.

    Inserting is sequential by nature and is done by segment: tokens read the store as of the end of
    the segment before theirs. Of a segment the C keys farthest from the store are candidates (ties:
    the earlier); when the first token of the next segment arrives those that are novel are inserted
    all at once (``store.insert``), so that no pass loops over tokens. A key is inserted if all its
    distances from the store exceed ``novel`` (1/2 of the chord of unit keys); if the nearest is
    under ``recombine`` it is merged there, else it takes the slot that was used least.

    Which keys are taken, merged and inserted passes no gradient; a key and value that are read pass
    theirs to the token that put them there, unchanged unless merged. The carry is a ``State``.
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        slots: int,
        neighbours: int,
        candidates: int,
        novel: float,
        recombine: float,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.dim = width // heads
        self.slots = slots
        self.neighbours = neighbours
        self.candidates = candidates
        self.novel = novel
        self.recombine = recombine
        self.queries_keys_values = Projection(width, 3 * width)
        self.output = Projection(width, width)
        self.log_scale = nn.Parameter(torch.full((heads,), math.log(SHARPNESS)))

    def forward(self, x: Tensor, carry: State | None, frame: Frame) -> tuple[Tensor, State | None]:
        """Map x (B, T, W) to (B, T, W) and the state to the next one."""
        state = self._start(x) if carry is None else State(*carry)
        if x.shape[1] == 0:
            return x, state if frame.keep else None
        q, pairs = self._project(without_holes(x, frame))
        store, candidates, hits = Store(*state.store), Candidates(*state.candidates), state.hits
        each, read = pieces(frame, state.segment), list[Tensor]()
        for piece, query, pair in zip(each, parts(q, each), parts(pairs, each), strict=True):
            if piece is not each[0] or carry is not None:
                store, candidates, hits = self._close(store, candidates, hits, piece.begins)
            elif frame.span:  # the store is empty
                read.append(torch.zeros_like(query))
                candidates = first_candidates(pair, self.candidates)
                continue
            weights = self._weights(query, store)
            read.append(weights @ store.pairs.chunk(2, -1)[1])
            if frame.keep or piece is not each[-1]:
                hits = hits + _hits(weights, piece.mine)
                candidates = propose(candidates, pair, store, piece.mine, self.novel)
        y = torch.cat(read, 2) if each[0].mine is None else joined(read, each)
        y = self.output(y.transpose(1, 2).flatten(2))
        if not frame.keep:
            return y, None
        return y, State(store, candidates, hits, last_segment(frame, state.segment))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return unit queries (B, H, T, D), and unit keys with values (B, H, T, 2 D)."""
        qkv = self.queries_keys_values(x).unflatten(2, (3, self.heads, self.dim))
        qk, v = qkv.permute(2, 0, 3, 1, 4).contiguous().split((2, 1))
        q, k = unit(qk)
        return q, torch.cat((k, v[0]), -1)

    def _weights(self, q: Tensor, store: Store) -> Tensor:
        """Return the weights of the slots for queries (B, H, L, D): (B, H, L, N)."""
        similar = q @ store.pairs.chunk(2, -1)[0].mT
        legal, scale = (store.use > 0).unsqueeze(2), self.log_scale.exp()[:, None, None]
        return weigh_nearest(similar, legal, scale, self.neighbours, rest=True)

    def _close(
        self, store: Store, candidates: Candidates, hits: Tensor, rows: Tensor | None
    ) -> tuple[Store, Candidates, Tensor]:
        """Return store, candidates and hits as the next segment begins in these rows."""
        after = insert(store, candidates, hits, novel=self.novel, recombine=self.recombine)
        store = Store(*(where_rows(rows, *pair) for pair in zip(after, store, strict=True)))
        none = where_rows(rows, torch.full_like(candidates.novelty, -1.0), candidates.novelty)
        hits = where_rows(rows, torch.zeros_like(hits), hits)
        return store, Candidates(candidates.pairs, none), hits

    def _start(self, x: Tensor) -> State:
        """Return the state of rows without a past."""
        rows, heads = x.shape[0], self.heads
        store = Store(
            x.new_zeros(rows, heads, self.slots, 2 * self.dim), x.new_zeros(rows, heads, self.slots)
        )
        candidates = Candidates(
            x.new_zeros(rows, heads, self.candidates, 2 * self.dim),
            x.new_full((rows, heads, self.candidates), -1.0),
        )
        segment = torch.full((rows,), -1, device=x.device)
        return State(store, candidates, torch.zeros_like(store.use), segment)


def _hits(weights: Tensor, mine: Tensor | None) -> Tensor:
    """Return the sum of the weights (B, H, L, N) over the tokens (B, L) of a piece: (B, H, N)."""
    weights = weights.detach()
    if mine is not None:
        weights = weights.masked_fill(~mine[:, None, :, None], 0.0)
    return weights.sum(2)
