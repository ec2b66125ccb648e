"""The rules of a legal genome besides its structure, each a function that yields sentences.

A sentence names the rule, the value and the thing. Limits of size are the space's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..blocks.declaration import Declaration, Kind
from ..blocks.registry import Catalog
from .facts import facts_of
from .genes import MERGES, PRECISIONS, SEGMENTS, TIED, TRAINING, feedback_range
from .graph import Entry, Genome, Part, Stack, Training, Visit
from .memory import PerObject, Recent


class _Route(NamedTuple):
    """Whether nothing is wrong with the parts of a route, and the visits that have a router."""

    sound: bool
    routed: tuple[int, ...]


_problems = PerObject[tuple[str, ...]]()
"""What is wrong with the settings of parts, which children share with their parents."""

_sound = PerObject[bool]()
"""Whether nothing is wrong with stacks and training genes."""

_routes = Recent[_Route]()


def part_problems(genome: Genome, catalog: Catalog) -> Iterator[str]:
    """Every part is in the catalog, stands where its kind may, and has legal settings."""
    pool, route, stack = genome.pool, genome.route, genome.stack
    if not _all_sound(pool, catalog):
        for number, entry in enumerate(pool):
            yield from _entry_problems(number, entry, catalog)
    if not _read(route, catalog).sound:
        yield from _route_problems(route, catalog)
    if not _sound.of(stack, catalog, lambda: not any(_stack_problems(stack, catalog))):
        yield from _stack_problems(stack, catalog)


def gene_problems(
    stack: Stack, training: Training, widths: Sequence[int], context: int
) -> Iterator[str]:
    """Width, segments, tying, feedback and the training genes lie in their ranges."""
    if type(stack.width) is not int or stack.width not in widths:
        yield f"stack.width must be one of {list(widths)} in this space, but is {stack.width!r}"
    if problem := SEGMENTS.problem(stack.segments):
        yield f"stack.segments {problem}"
    if problem := TIED.problem(stack.tied):
        yield f"stack.tied {problem}"
    if problem := feedback_range(context).problem(stack.feedback):
        yield f"stack.feedback {problem} at a context of {context} tokens"
    if not _sound.of(training, TRAINING, lambda: not any(_training_problems(training))):
        yield from _training_problems(training)


def succession_problems(genome: Genome, catalog: Catalog) -> Iterator[str]:
    """Between two visits that work on a share of the tokens stands one that works on all.

    Source: Mixture of Depths (arXiv 2404.02258) routes every other layer.
    """
    sparse = sparse_visits(genome.route, catalog)
    for number in sparse:
        visit = genome.route[number]
        for source in sorted({*visit.reads, visit.base_read}.intersection(sparse)):
            yield (
                f"visit {number} and visit {source}, which it reads, both leave tokens out; "
                "take the router from one of them"
            )


def routing_problems(genome: Genome, catalog: Catalog) -> Iterator[str]:
    """A block whose work hangs on which tokens it gets stands behind no router that chooses."""
    for number in routed_wrongly(genome, catalog):
        visit = genome.route[number]
        yield (
            f"visit {number} leaves tokens out, but {genome.pool[visit.block].block.name!r} must "
            "see all of them; take the router away"
        )


def routed_wrongly(genome: Genome, catalog: Catalog) -> list[int]:
    """Return the visits whose block may not stand behind their router."""
    return [
        number
        for number in sparse_visits(genome.route, catalog)
        if not catalog[genome.pool[genome.route[number].block].block.name].routed
    ]


def sparse_visits(route: Sequence[Visit], catalog: Catalog) -> tuple[int, ...]:
    """Return the visits that work on a share of the tokens, in order."""
    routed = _read(route, catalog).routed
    return tuple([number for number in routed if _is_sparse(route[number], catalog)])


def _is_sparse(visit: Visit, catalog: Catalog) -> bool:
    return visit.router is not None and catalog[visit.router.name].share is not None


def mixing_problems(genome: Genome, catalog: Catalog) -> Iterator[str]:
    """Some block on the way to the output lets tokens see earlier ones."""
    for number in genome.live_visits():
        entry = genome.pool[genome.route[number].block]
        parts = (entry.block,) if entry.prelude is None else (entry.block, entry.prelude)
        if any(catalog[part.name].mixes for part in parts):
            return
    yield "no block that reaches the output mixes tokens; add one, for example attention"


def _all_sound(pool: tuple[Entry, ...], catalog: Catalog) -> bool:
    for number, known in enumerate(facts_of(pool, catalog)):
        if known.sound is None:
            known.sound = not any(_entry_problems(number, pool[number], catalog))
        if not known.sound:
            return False
    return True


def _entry_problems(number: int, entry: Entry, catalog: Catalog) -> Iterator[str]:
    yield from _part(f"pool entry {number}", entry.block, "block", catalog)
    if entry.precision not in PRECISIONS:
        yield (
            f"the precision of pool entry {number} must be one of {PRECISIONS}, "
            f"but is {entry.precision!r}"
        )
    if entry.prelude is not None:
        yield from _prelude(f"the prelude of pool entry {number}", entry.prelude, catalog)


def _route_problems(route: Sequence[Visit], catalog: Catalog) -> Iterator[str]:
    for number, visit in enumerate(route):
        if visit.router is not None:
            yield from _part(f"the router of visit {number}", visit.router, "router", catalog)
        if visit.merge not in MERGES:
            yield f"the merge of visit {number} must be one of {MERGES}, but is {visit.merge!r}"


def _read(route: Sequence[Visit], catalog: Catalog) -> _Route:
    return _routes.of(
        route,
        catalog,
        lambda: _Route(
            not any(_route_problems(route, catalog)),
            tuple([number for number, visit in enumerate(route) if visit.router is not None]),
        ),
    )


def _stack_problems(stack: Stack, catalog: Catalog) -> Iterator[str]:
    yield from _part("the stack's residual", stack.residual, "residual", catalog)
    yield from _part("the stack's norm", stack.norm, "norm", catalog)
    yield from _part("the stack's embedding", stack.embedding, "embedding", catalog)
    if stack.exit is not None:
        yield from _part("the stack's exit", stack.exit, "exit", catalog)


def _training_problems(training: Training) -> Iterator[str]:
    for name, range_ in TRAINING.items():
        if problem := range_.problem(getattr(training, name)):
            yield f"training.{name} {problem}"


def _part(place: str, part: Part, kind: Kind, catalog: Catalog) -> Iterator[str]:
    try:
        declaration = catalog[part.name]
    except KeyError as error:
        yield f"{place}: {error.args[0]}"
        return
    if declaration.kind != kind:
        yield f"{place} must be of the kind {kind!r}, but {part.name!r} is a {declaration.kind!r}"
        return
    found = _problems.of(part, catalog, lambda: tuple(declaration.problems(part.settings)))
    yield from (f"{place}: {problem}" for problem in found)


def _prelude(place: str, part: Part, catalog: Catalog) -> Iterator[str]:
    if part.name in catalog and not may_be_prelude(catalog[part.name]):
        yield f"{place} must be a block that is declared a prelude, but {part.name!r} is not"
        return
    yield from _part(place, part, "block", catalog)


def may_be_prelude(declaration: Declaration) -> bool:
    """Return whether a declared thing may stand before another block's input."""
    return declaration.kind == "block" and declaration.prelude
