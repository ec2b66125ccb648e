"""The space: which genomes are legal, by catalog, ranges, rules and limits of size; no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from random import Random

from ..blocks.registry import Catalog
from .cost import Costs, costs
from .draw import blocks, fresh_genome
from .edit import pruned
from .fitting import NOTHING, Held, fitted
from .genes import SEGMENTS, WIDTH_STEP
from .graph import Genome
from .identity import Form, canonical
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

    @property
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
        """Return how far *genome* is above the limits of cost, in parts of them; 0 if it is legal.

        None if it breaks another rule.
        """
        problems, form = self._form(genome)
        return None if problems or form is None else self._excess(form)

    def costs(self, genome: Genome) -> Costs:
        """Return what *genome* costs at this space's context, by formula."""
        return self.form_costs(canonical(genome, self.catalog))

    def sample(self, rng: Random, birth: str) -> Genome:
        """Draw a legal genome; ``birth`` is the root of its entries' lineage ids.

        Raises:
            ValueError: no genome of many that were drawn is inside the limits.
        """
        drawn: Genome | None = None
        for attempt in range(DRAWS):
            visits = rng.randint(1, max(1, self.limits.visits * (DRAWS - attempt) // DRAWS))
            drawn = pruned(
                fresh_genome(
                    self.catalog,
                    self.widths,
                    rng,
                    birth,
                    visits=visits,
                    context=self.context,
                    taste=self.taste,
                )
            )
            fit = self.fitted(drawn, rng)
            if fit is not None:
                return fit
        reasons = [] if drawn is None else self.problems(drawn)
        raise ValueError(
            f"none of {DRAWS} genomes that were drawn is legal in this space; of the last one: "
            f"{'; '.join(reasons)}; raise the limits"
        )

    def fitted(self, genome: Genome, rng: Random, *, held: Held = NOTHING) -> Genome | None:
        """Return *genome* with smaller things where it costs too much; see ``fitting.fitted``."""
        return fitted(genome, self.excess, self.catalog, rng, held=held)

    def _examine(self, genome: Genome) -> tuple[list[str], Form | None]:
        problems, form = self._form(genome)
        return (problems, None) if form is None else ([*problems, *self._cost_problems(form)], form)

    def _form(self, genome: Genome) -> tuple[list[str], Form | None]:
        """Return the problems of *genome* but for its costs, and its form if it has one."""
        problems = [*self.limits.problems(genome), *genome.problems()] or [
            *part_problems(genome, self.catalog),
            *gene_problems(genome.stack, genome.training, self.widths, self.context),
        ]
        if problems:
            return problems, None
        problems += succession_problems(genome, self.catalog)
        problems += routing_problems(genome, self.catalog)
        problems += mixing_problems(genome, self.catalog)
        try:
            return problems, Form(genome, self.catalog)
        except ValueError as error:
            return [*problems, str(error)], None

    def _cost_problems(self, form: Form) -> Iterator[str]:
        if self.limits.of_cost:
            yield from self.limits.cost_problems(self.form_costs(form.genome()))

    def _excess(self, form: Form) -> float:
        limits = self.limits.of_cost
        found = self.form_costs(form.genome()) if limits else None
        return sum(max(0.0, getattr(found, name) / most - 1) for name, most in limits.items())

    def form_costs(self, form: Genome) -> Costs:
        """Return what a genome in canonical form costs, as ``costs``."""
        return costs(form, catalog=self.catalog, context=self.context, vocabulary=self.vocabulary)
