"""The manifest of a run: everything that defines its search, frozen before the first ask.

Two runs with equal manifests and one author ask the same. What may differ between machines
(folders, number of workers, limits of time) stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, cast

from ..blocks.registry import Catalog
from ..genome.space import Limits, Space
from ..genome.traits import Trait
from ..search.looks import REPLICAS as LOOKS
from .errors import StoreError
from .islands import MOST as MOST_ISLANDS

FORMAT = 5
"""Format 1 had no sources, format 2 nothing of what stands here after them up to ``screen``, 3 no
limit of memory and no reference, 4 no ``genomes`` and no ``priors``."""

_ADDED: Mapping[str, object] = MappingProxyType(
    {
        "sources": {},
        "original": "",
        "history": [],
        "search": "evolution",
        "inherit": False,
        "shares": False,
        "screen": False,
        "looks": [],
        "memory_bytes": None,
        "reference": [],
        "genomes": {},
        "priors": {},
    }
)
"""What the runs of earlier formats were like."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What defines a run.

    ``task`` and ``task_bytes`` describe the text that ``task_digest`` names. ``layers`` is the
    depth of starters and baselines. ``rungs`` are training tokens; ``batch`` windows of ``context``
    tokens make a step. ``blocks`` are the names of the catalog that the space uses at the start,
    ``sources`` version and digest of each, ``1/ab12...``, ``catalog`` the digest of all. ``births``
    genomes are tried by the algorithm ``search``, with ``shares`` and ``screen`` or without them;
    the best of them are looked at again as the replicas ``looks``, at the top rung; then the best
    ``finalists`` of these and the baselines are trained there as ``replicas``. With
    ``inherit`` children begin with the weights of their parents in the search; what they reach is
    ranked apart, and finals are trained from scratch as ever. ``original`` is the text of the
    genome whose training genes alone are searched, empty where whole genomes are. ``history`` are
    texts of genomes that others found good, to be tried first; what they claimed of them is not
    kept. ``genomes`` are texts of the user's own by name, which go before them. ``memory_bytes`` is
    the most that a finalist may have taken, as measured. ``reference`` has a value of each of
    several objectives, which hypervolumes are taken from; runs of earlier formats have none.
    ``priors`` are what is expected of traits, by ``slot=value``. ``islands`` are the parts of its
    swarm, each of which holds the records of its own authors; a run of one does not say so.
    """

    program: str
    preset: str
    seed: int
    task: str
    task_digest: str
    task_bytes: int
    widths: tuple[int, ...]
    layers: int
    context: int
    batch: int
    rungs: tuple[int, ...]
    search_windows: int
    test_windows: int
    blocks: tuple[str, ...]
    catalog: str
    visits: int
    parameters: int | None
    flops: float | None
    carry_bytes: float | None
    population: int
    births: int
    objectives: tuple[str, ...]
    finalists: int = 2
    looks: tuple[int, ...] = LOOKS
    replicas: tuple[int, ...] = (1, 2, 3)
    tuned: bool = True
    shares: bool = True
    screen: bool = True
    search: str = "evolution"
    inherit: bool = False
    seconds: float = 600.0
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    original: str = ""
    history: tuple[str, ...] = ()
    memory_bytes: int | None = None
    reference: tuple[float, ...] = ()
    genomes: Mapping[str, str] = field(default_factory=dict[str, str])
    priors: Mapping[str, float] = field(default_factory=dict[str, float])
    islands: int = 1
    format: int = FORMAT

    @property
    def limits(self) -> Limits:
        """The largest genome of the space."""
        return Limits(
            visits=self.visits,
            parameters=self.parameters,
            flops=self.flops,
            carry_bytes=self.carry_bytes,
        )

    @property
    def measured_limits(self) -> Mapping[str, float]:
        """The most of what only measuring shows, by the names of objectives."""
        limits = {"peak_memory_bytes": self.memory_bytes}
        return {name: float(limit) for name, limit in limits.items() if limit is not None}

    @property
    def expected(self) -> Mapping[Trait, float]:
        """What traits are expected to add to the standing of a genome."""
        named = {name: name.partition("=") for name in self.priors}
        return {Trait(slot, value): self.priors[n] for n, (slot, _, value) in named.items()}

    @property
    def rival(self) -> str:
        """The name of the baseline that the winner has to beat."""
        return "original" if self.original else "llama"

    def space(self, catalog: Catalog, joined: Iterable[str] = ()) -> Space:
        """Return the space of the run, and of the blocks that *joined* it since.

        Raises:
            StoreError: this installation lacks a block of the run.
        """
        names = (*self.blocks, *joined)
        missing = [name for name in names if name not in catalog]
        if missing:
            raise StoreError(
                f"the run uses the blocks {missing}, which are not installed here; install the "
                "distribution that offers them"
            )
        own = catalog.only(names)
        return Space(own, widths=self.widths, context=self.context, limits=self.limits)

    def changed(
        self, catalog: Catalog, joined: Mapping[str, str] = MappingProxyType({})
    ) -> list[str]:
        """Return the blocks whose source is another one here than the run has worked with.

        Raises:
            StoreError: this installation lacks a block of the run.
        """
        here = self.space(catalog, joined).catalog
        if not self.sources:  # a manifest of format 1 holds the digest of all
            return [] if here.only(self.blocks).digest == self.catalog else list(self.blocks)
        known = {**self.sources, **joined}
        return [name for name in here.sources if known.get(name) != here.sources[name]]

    def require_same_blocks(
        self, catalog: Catalog, joined: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Refuse to add results by other versions of the blocks than the run has worked with.

        Raises:
            StoreError: a block is gone, or its source is another one; the text names it.
        """
        changed = self.changed(catalog, joined)
        if changed:
            raise StoreError(
                f"the source of {', '.join(changed)} is another one than the run was started with "
                f"(praxis-evolve {self.program}), so new results would not compare with its own; "
                "install those versions, or start a new run"
            )

    def to_dict(self) -> dict[str, object]:
        """Return the manifest as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value  # pyright: ignore
            for name, value in asdict(self).items()
            if name != "islands" or value != 1
        }

    @staticmethod
    def from_dict(values: Mapping[str, object]) -> Manifest:
        """Return the manifest that ``to_dict`` wrote.

        Raises:
            StoreError: it is of another format, or has no number of islands.
        """
        values = {"islands": 1, **values}
        if values.get("format") in range(1, FORMAT):
            values = {**_ADDED, **values, "format": FORMAT}
        known = {one.name for one in fields(Manifest)}
        if values.get("format") != FORMAT or set(values) != known:
            raise StoreError(
                f"the run's manifest has the format {values.get('format')!r}, but this program "
                f"reads {FORMAT}; use the version of praxis-evolve that started the run"
            )
        if values["islands"] not in range(1, MOST_ISLANDS + 1):
            raise StoreError(
                f"the run's manifest says {values['islands']!r} islands; there are 1 to "
                f"{MOST_ISLANDS}"
            )
        read = {
            name: tuple(cast("list[Any]", value)) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return Manifest(**cast("dict[str, Any]", read))
