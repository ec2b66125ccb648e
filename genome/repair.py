"""Repair: bring a genome that is nearly legal into a space, changing as little as seems needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from random import Random
from typing import Any, cast

from ..blocks.declaration import Declaration, Kind
from ..blocks.ranges import Choice, Integer, Range, Real, Value, on_grid
from ..blocks.registry import Catalog
from .draw import blocks, fresh_entry, fresh_part, preludes
from .edit import pruned, with_changed_entry, with_changed_visit, without_visit
from .genes import MERGES, PRECISIONS, SEGMENTS, TIED, TRAINING, feedback_range
from .graph import EMBEDDING, Entry, Genome, Part, Stack, Training, Visit
from .rules import mixing_problems, routed_wrongly, succession_problems
from .space import Space


def repair(genome: Genome, space: Space, rng: Random, *, birth: str = "repair") -> Genome:
    """Return a legal genome near *genome*; the same one where it is legal already.

    Reads that point nowhere are dropped, unknown parts replaced, settings and genes moved to the
    nearest legal value, routers in succession removed, and visits removed until the limits hold.
    Where that does not help, a genome is drawn, with *birth* as the root of its lineage ids.

    Raises:
        ValueError: nothing that ``space.sample`` draws is legal, either.
    """
    if space.legal(genome):
        return genome
    if not genome.pool or not genome.route:
        return space.sample(rng, birth)
    genome = pruned(replace(genome, route=_sound_route(genome.route, len(genome.pool))))
    genome = _with_legal_parts(genome, space.catalog, rng)
    genome = replace(
        genome,
        stack=_legal_stack(genome.stack, space, rng),
        training=_legal_training(genome.training),
    )
    genome = _routed_rightly(_with_mixing(genome, space, rng), space)
    return _trimmed(genome, space, rng) or space.sample(rng, birth)


def nearest(range_: Range, value: object, default: Value) -> Value:
    """Return the legal value of a range that is nearest to *value*, else *default*."""
    if range_.problem(value) is None:
        return cast(Value, value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return default
    near: Value = default
    if isinstance(range_, Real):
        near = on_grid(min(range_.high, max(range_.low, float(value))))
    elif isinstance(range_, Integer):
        near = min(range_.high, max(range_.low, round(min(1e18, max(-1e18, value)))))
    elif isinstance(range_, Choice):
        numbers = [n for n in range_.options if type(n) in (int, float)]
        near = min(numbers, key=lambda n: abs(cast(float, n) - value), default=default)
    return near if range_.problem(near) is None else default


def _sound_route(route: Sequence[Visit], pool: int) -> tuple[Visit, ...]:
    """Keep what a visit may read; the visit before it, if nothing is left."""
    sound: list[Visit] = []
    for number, visit in enumerate(route):
        reads = tuple(r for r in dict.fromkeys(visit.reads) if EMBEDDING <= r < number)
        reads = reads or (number - 1,)
        base = visit.base if visit.base is not None else reads[0]
        sound.append(
            Visit(
                visit.block if 0 <= visit.block < pool else visit.block % pool,
                reads,
                base if EMBEDDING <= base < number else reads[0],
                visit.merge if visit.merge in MERGES else "mean",
                visit.router,
            )
        )
    return tuple(sound)


def _with_legal_parts(genome: Genome, catalog: Catalog, rng: Random) -> Genome:
    def legal(part: Part | None, kind: Kind) -> Part | None:
        return None if part is None else _legal_part(part, catalog.of(kind), rng)

    def entry(old: Entry) -> Entry:
        block = _legal_part(old.block, blocks(catalog), rng)
        prelude = old.prelude and _legal_part(old.prelude, preludes(catalog), rng)
        precision = old.precision if old.precision in PRECISIONS else "full"
        return Entry(cast(Part, block), prelude, old.lineage, precision)

    pool = tuple(map(entry, genome.pool))
    route = (replace(visit, router=legal(visit.router, "router")) for visit in genome.route)
    return replace(genome, pool=pool, route=tuple(route))


def _legal_part(part: Part, options: Sequence[Declaration], rng: Random) -> Part | None:
    """Return *part* with legal settings, another part if it is unknown, None if there is none."""
    declaration = next((d for d in options if d.name == part.name), None)
    if declaration is None:
        return fresh_part(rng.choice(options), rng) if options else None
    if next(declaration.problems(part.settings), None) is None:
        return part
    return Part(
        part.name,
        {
            name: nearest(setting.range, part.settings.get(name), setting.default)
            for name, setting in declaration.settings.items()
        },
    )


def _legal_stack(stack: Stack, space: Space, rng: Random) -> Stack:
    def legal(part: Part, kind: Kind) -> Part:
        return cast(Part, _legal_part(part, space.catalog.of(kind), rng))

    usual = Stack()
    return Stack(
        cast(int, nearest(Choice(space.widths), stack.width, space.widths[0])),
        legal(stack.residual, "residual"),
        legal(stack.norm, "norm"),
        legal(stack.embedding, "embedding"),
        stack.exit and _legal_part(stack.exit, space.catalog.of("exit"), rng),
        cast(int, nearest(SEGMENTS, stack.segments, usual.segments)),
        cast(bool, nearest(TIED, stack.tied, usual.tied)),
        cast(int, nearest(feedback_range(space.context), stack.feedback, usual.feedback)),
    )


def _legal_training(training: Training) -> Training:
    usual = Training()
    genes: dict[str, Any] = {
        gene.name: nearest(
            TRAINING[gene.name], getattr(training, gene.name), getattr(usual, gene.name)
        )
        for gene in fields(training)
    }
    return Training(**genes)


def _with_mixing(genome: Genome, space: Space, rng: Random) -> Genome:
    if next(mixing_problems(genome, space.catalog), None) is None:
        return genome
    number = rng.randrange(len(genome.pool))
    old = genome.pool[number]
    fresh = fresh_entry(space.catalog, rng, old.lineage, mixes=True)
    return with_changed_entry(genome, number, replace(old, block=fresh.block))


def _routed_rightly(genome: Genome, space: Space) -> Genome:
    """Take away routers of blocks that need all tokens, and of two that follow each other."""
    for number in routed_wrongly(genome, space.catalog):
        visit = replace(genome.route[number], router=None)
        genome = with_changed_visit(genome, number, visit)
    for number in range(len(genome.route)):
        if next(succession_problems(_until(genome, number), space.catalog), None) is not None:
            visit = replace(genome.route[number], router=None)
            genome = with_changed_visit(genome, number, visit)
    return genome


def _until(genome: Genome, number: int) -> Genome:
    return replace(genome, route=genome.route[: number + 1])


def _trimmed(genome: Genome, space: Space, rng: Random) -> Genome | None:
    """Remove visits at random until the genome is legal; None if that does not come to be."""
    left: Genome | None = genome
    while left is not None and not space.legal(left):
        left = without_visit(left, rng.randrange(len(left.route)))
        if left is not None:
            left = _routed_rightly(_with_mixing(left, space, rng), space)
    return left
