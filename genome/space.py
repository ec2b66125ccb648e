"""The space: which genomes are legal, by catalog, ranges, rules and limits of size; no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from random import Random

from ..blocks.registry import Catalog
from .cost import Costs, costs
from .draw import blocks, fresh_genome
from .edit import pruned
from .fitting import NOTHING, Held, fitted
from .genes import SEGMENTS, WIDTH_STEP
from .graph import Genome
from .identity import Form, canonical
from .memory import PerObject
from .rules import (
    gene_problems,
    mixing_problems,
    part_problems,
    routing_problems,
    succession_problems,
)
from .taste import EVEN, Taste

DRAWS = 300
"""How often ``sample`` draws, with ever fewer visits, before it says that nothing fits."""

_costs = PerObject[dict[tuple[int, int], Costs]]()
"""The costs of canonical forms by context and vocabulary: limits and objectives ask for them."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest genome of a space; None is no limit.

    ``visits`` and ``pool`` count as written, dead ones included. ``parameters`` of the whole model,
    ``flops`` (forward) and ``carry_bytes`` per token at full context: the names of ``Costs``.
    """

    visits: int = 16
    pool: int | None = None
    parameters: int | None = None
    flops: float | None = None
    carry_bytes: float | None = None

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if value is not None and not value >= 1:
                raise ValueError(f"limits.{limit.name} must be at least 1, but is {value!r}")

    @cached_property
    def of_cost(self) -> dict[str, float]:
        """The limits that are set among those that only a cost formula can check."""
        limits = {name: getattr(self, name) for name in ("parameters", "flops", "carry_bytes")}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def problems(self, genome: Genome) -> Iterator[str]:
        """Yield what is too long, a sentence each."""
        for name, length, limit in (
            ("visits", len(genome.route), self.visits),
            ("pool entries", len(genome.pool), self.pool),
        ):
            if limit is not None and length > limit:
                yield f"the genome has {length} {name}, but the limit is {limit}; remove some"

    def cost_problems(self, found: Costs) -> Iterator[str]:
        """Yield what costs too much, a sentence each."""
        for name, limit in self.of_cost.items():
            value = getattr(found, name)
            if value > limit:
                yield (
                    f"the genome's {name} are {value:,.0f}, but the limit is {limit:,.0f}; "
                    "remove visits or make them smaller"
                )


@dataclass(frozen=True)
class Space:
    """The genomes over a catalog that are legal at a context and inside limits.

    ``widths`` are the widths that a stack may have, multiples of 32; ``context`` (tokens) and
    ``vocabulary`` are what costs are computed for. ``taste`` has no part in what is legal: it
    chooses where samples, mutants and crossings have a choice.

    Raises:
        ValueError: there is no width, a width is no multiple of 32, the context is shorter than
            two tokens a segment, or the catalog lacks a kind that every genome needs.
    """

    catalog: Catalog
    widths: tuple[int, ...] = field(default=(64,), kw_only=True)
    context: int = field(default=128, kw_only=True)
    vocabulary: int = field(default=256, kw_only=True)
    limits: Limits = field(default=Limits(), kw_only=True)
    taste: Taste = field(default=EVEN, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.widths or any(width < 1 or width % WIDTH_STEP for width in self.widths):
            raise ValueError(
                f"the widths of a space must be multiples of {WIDTH_STEP}, at least one, "
                f"but are {list(self.widths)}"
            )
        shortest = 2 * max(int(option) for option in SEGMENTS.options)
        if self.context < shortest:
            raise ValueError(
                f"the context of a space must be at least {shortest} tokens, but is {self.context}"
            )
        for kind in ("residual", "norm", "embedding"):
            if not self.catalog.of(kind):
                raise ValueError(f"the catalog has no {kind}, and every genome needs one; add one")
        if not blocks(self.catalog, mixes=True):
            raise ValueError("the catalog has no block that mixes tokens; add one")

    def problems(self, genome: Genome) -> list[str]:
        """Return why *genome* is not legal here, a sentence each; nothing if it is.

        Later rules are checked only where the earlier ones hold: lengths and structure, then parts
        and ranges, then what the genome is as a whole.
        """
        return self._examine(genome)[0]

    def legal(self, genome: Genome) -> bool:
        """Return whether *genome* has no problem here."""
        return not self.problems(genome)

    def legal_form(self, genome: Genome) -> Form | None:
        """Return the canonical form of *genome*, found on the way, or None if it is not legal."""
        problems, form = self._examine(genome)
        return None if problems else form

    def excess(self, genome: Genome) -> float | None:
        """Return how far *genome* is above the limits of cost, in parts of them; 0 if it is within.

        None if it breaks another rule. Exits may err, as the route is taken in its own order.
        """
        return None if self._rules_broken(genome) else self.excess_of_costs(pruned(genome))

    def excess_of_costs(self, genome: Genome) -> float:
        """Return the same of a genome that breaks no other rule and has no dead visit."""
        limits = self.limits.of_cost
        found = self._costs(genome) if limits else None
        return sum(max(0.0, getattr(found, name) / most - 1) for name, most in limits.items())

    def costs(self, genome: Genome) -> Costs:
        """Return what *genome* costs at this space's context, by formula."""
        return self.form_costs(canonical(genome, self.catalog))

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw a legal genome; ``birth`` is the root of its entries' lineage ids.

        Raises:
            ValueError: no genome of many that were drawn is inside the limits.
        """
        return self.sample_of(rng, birth, 1, lambda _: 0)

    def sample_of(
        self, rng: Random, birth: str, count: int, choose: Callable[[Sequence[Costs]], int]
    ) -> Genome:
        """Draw *count* genomes as ``sample`` and return the one that *choose* takes by their costs.

        It alone is fitted to the limits of cost; what costs more is shown as at the limits.

        Raises:
            ValueError: as ``sample``.
        """
        draft: Genome | None = None
        for attempt in range(DRAWS):
            most = max(1, self.limits.visits * (DRAWS - attempt) // DRAWS)
            drafts = [self._draft(rng, birth, most) for _ in range(count)]
            sound = [each for each in drafts if not self._rules_broken(each)] or drafts[:1]
            draft = sound[choose([self._about(each) for each in sound]) if len(sound) > 1 else 0]
            fit = self.fitted(draft, rng)
            if fit is not None:
                return fit
        reasons = [] if draft is None else self.problems(draft)
        raise ValueError(
            f"none of {DRAWS} genomes that were drawn is legal in this space; of the last one: "
            f"{'; '.join(reasons)}; raise the limits"
        )

    def _draft(self, rng: Random, birth: str, most: int) -> Genome:
        return pruned(
            fresh_genome(
                self.catalog,
                self.widths,
                rng,
                birth,
                visits=rng.randint(1, most),
                context=self.context,
                taste=self.taste,
            )
        )

    def _about(self, draft: Genome) -> Costs:
        """Return what a draft will cost, about, once it is fitted."""
        found, limits = self._costs(draft), self.limits.of_cost
        most = limits.get("flops", math.inf)
        return Costs(
            min(found.parameters, self.limits.parameters or found.parameters),
            min(found.flops, most),
            min(found.active_flops, most),
            min(found.carry_bytes, limits.get("carry_bytes", math.inf)),
        )

    def fitted(self, genome: Genome, rng: Random, *, held: Held = NOTHING) -> Genome | None:
        """Return *genome* with smaller things where it costs too much; see ``fitting.fitted``."""
        return fitted(genome, self, self.catalog, rng, held=held)

    def _examine(self, genome: Genome) -> tuple[list[str], Form | None]:
        problems = self._rules_broken(genome)
        if problems:
            return problems, None
        try:
            form = Form(genome, self.catalog)
        except ValueError as error:
            return [str(error)], None
        return list(self._cost_problems(form)), form

    def _rules_broken(self, genome: Genome) -> list[str]:
        """Return the problems of *genome* but for its costs and its symmetry."""
        return (
            [*self.limits.problems(genome), *genome.problems()]
            or [
                *part_problems(genome, self.catalog),
                *gene_problems(genome.stack, genome.training, self.widths, self.context),
            ]
            or [
                *succession_problems(genome, self.catalog),
                *routing_problems(genome, self.catalog),
                *mixing_problems(genome, self.catalog),
            ]
        )

    def _cost_problems(self, form: Form) -> Iterator[str]:
        if self.limits.of_cost:
            yield from self.limits.cost_problems(self.form_costs(form.genome()))

    def form_costs(self, form: Genome) -> Costs:
        """Return what a genome in canonical form costs, as ``costs``."""
        known, key = _costs.of(form, self.catalog, dict), (self.context, self.vocabulary)
        if key not in known:
            known[key] = self._costs(form)
        return known[key]

    def _costs(self, alive: Genome) -> Costs:
        return costs(alive, catalog=self.catalog, context=self.context, vocabulary=self.vocabulary)
