"""Genome to ``nn.Module``: canonical form first, then every part from a seed of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
from torch import nn

from ..blocks.declaration import Place
from ..blocks.projection import set_precision
from ..blocks.registry import Catalog
from .cost import hearing
from .exits import exit_places
from .graph import Entry, Genome, Part, Visit
from .identity import canonical
from .merge import MERGES
from .model import Model, ModelCarry, Output
from .visiting import PoolEntry, VisitModule

__all__ = ["Model", "ModelCarry", "Output", "build"]

NORM_NAMES: Mapping[Place, str] = {"before": "norm", "branch": "norm_branch", "sum": "norm_sum"}

Module = TypeVar("Module", bound=nn.Module)


class _Parts:
    """Makes the modules of one model, each from its own seed: the model's seed and its path."""

    def __init__(self, catalog: Catalog, *, width: int, vocabulary: int, seed: int) -> None:
        self._catalog = catalog
        self._width = width
        self._vocabulary = vocabulary
        self._seed = seed

    def make(self, path: str, part: Part, **more: Any) -> nn.Module:
        """Make a part of the catalog at its place."""
        kind = self._catalog[part.name].load()
        return self._seeded(path, lambda: kind(self._width, **more, **part.settings))

    def embedding(self, part: Part, context: int) -> nn.Module:
        """Make the embedding, which also needs the vocabulary and the context."""
        return self.make("embedding", part, vocabulary=self._vocabulary, context=context)

    def entry(self, number: int, entry: Entry) -> PoolEntry:
        """Make an entry of the pool."""
        prelude = entry.prelude and self.make(f"pool.{number}.prelude", entry.prelude)
        block = self.make(f"pool.{number}.block", entry.block)
        set_precision(block, entry.precision)
        return PoolEntry(block, prelude)

    def visit(self, number: int, genome: Genome) -> VisitModule:
        """Make what belongs to one visit."""
        path, visit, stack = f"visits.{number}", genome.route[number], genome.stack
        places = self._catalog[stack.residual.name].norms
        return VisitModule(
            {p: self.make(f"{path}.{NORM_NAMES[p]}", stack.norm) for p in places},
            self.make(f"{path}.residual", stack.residual),
            visit.router and self.make(f"{path}.router", visit.router),
            self.merge(path, visit, stack.width),
            nn.Parameter(torch.zeros(())) if number in hearing(genome) else None,
        )

    def merge(self, path: str, visit: Visit, width: int) -> nn.Module | None:
        """Make the merge of a visit's reads, None where there is but one."""
        if len(visit.reads) == 1:
            return None
        return self._seeded(f"{path}.merge", lambda: MERGES[visit.merge](len(visit.reads), width))

    def model(self, genome: Genome, context: int) -> Model:
        """Make all of a canonical genome."""
        stack, places = genome.stack, exit_places(genome, self._catalog)
        return Model(
            genome,
            self._catalog,
            context=context,
            embedding=self.embedding(stack.embedding, context),
            pool=[self.entry(i, entry) for i, entry in enumerate(genome.pool)],
            visits=[self.visit(i, genome) for i in range(len(genome.route))],
            norm=self.make("norm", stack.norm),
            head=None if stack.tied else self.head(),
            exits={p: self.make(f"exits.{p}", cast(Part, stack.exit)) for p in places},
        )

    def head(self) -> nn.Linear:
        """Make an untied head."""
        return self._seeded("head", lambda: nn.Linear(self._width, self._vocabulary, bias=False))

    def _seeded(self, path: str, make: Callable[[], Module]) -> Module:
        with _generator(self._seed, path):
            return make()


@contextmanager
def _generator(seed: int, path: str) -> Generator[None]:
    """Seed torch's generator from (seed, path) and give its state back afterwards."""
    digest = hashlib.sha256(f"{seed}/{path}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        yield


def build(
    genome: Genome,
    *,
    catalog: Catalog,
    context: int,
    vocabulary: int = 256,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Model:
    """Return the model of *genome*, in float32 and in training mode.

    The genome is brought to canonical form first and every part is drawn from (seed, path), so that
    isomorphic genomes start from equal weights, on every device. On ``device="meta"`` nothing is
    allocated.

    Raises:
        ValueError: the genome's structure is unsound.
        KeyError: it names something that the catalog lacks.
    """
    genome = canonical(genome, catalog)
    parts = _Parts(catalog, width=genome.stack.width, vocabulary=vocabulary, seed=seed)
    if str(device) == "meta":
        with torch.device("meta"):
            return parts.model(genome, context)
    return parts.model(genome, context).to(device)
