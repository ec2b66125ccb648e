"""What the picture of a genome shows: units with cards and pills, joins, edges and groups.

A *unit* is the branch of one visit: what stands before the block (merge, router, norm, prelude)
as pills, and the block as a card. A *join* is the place where the branch meets its base. Here
nothing has a place yet; ``genome_layout`` gives it one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ..blocks.declaration import Cost, Place
from ..blocks.registry import Catalog
from ..genome.cost import hearing, size_of
from ..genome.exits import exit_places
from ..genome.graph import EMBEDDING, Genome, Merge, Part
from .naming import (
    declared,
    entry_texts,
    family_of,
    label_of,
    setting_texts,
    settings_of,
    title_of,
    value_text,
)
from .quantities import TIMES, amount, size
from .repeats import living, repeats, shared_letters

INPUT, OUTPUT = "in", "out"
MERGE_TITLES: Mapping[Merge, str] = {
    "mean": "Mean", "sum": "Sum", "gate": "Gated sum", "concat": "Projection",
}  # fmt: skip
ENDS = "input, output"
"""The family of the two ends."""


@dataclass(frozen=True)
class Pill:
    """A small thing that stands before a block; ``hover`` are lines of plain text."""

    text: str
    family: str
    hover: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """A unit (card and pills) or a join, with texts that are not yet escaped."""

    id: str
    kind: Literal["unit", "join"]
    title: str
    family: str
    details: tuple[str, ...] = ()
    pills: tuple[Pill, ...] = ()
    tag: str = ""
    exit: str = ""
    hover: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """A flow from value to unit or unit to join, or the way of a base to its join.

    A base that the unit reads, too, is a ``bypass``: it leaves the flow just before the unit.
    """

    source: str
    target: str
    kind: Literal["flow", "bypass", "residual"]


@dataclass(frozen=True)
class Group:
    """Nodes that stand for ``count`` equal cells."""

    nodes: tuple[str, ...]
    badge: str
    note: str


@dataclass(frozen=True)
class Diagram:
    """All that is drawn of a genome."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...]

    @cached_property
    def node(self) -> Mapping[str, Node]:
        """The nodes by id."""
        return {node.id: node for node in self.nodes}


def diagram(
    genome: Genome, catalog: Catalog, *, context: int = 128, vocabulary: int = 256
) -> Diagram:
    """Return what to draw of *genome*; costs in the hover texts are for *context* tokens."""
    return _Maker(living(genome), catalog, context, vocabulary).make()


class _Maker:
    def __init__(self, genome: Genome, catalog: Catalog, context: int, vocabulary: int) -> None:
        self.genome = genome
        self.catalog = catalog
        self.context = context
        self.size = size_of(genome, catalog, context=context, vocabulary=vocabulary)
        self.vocabulary = vocabulary
        self.letters = shared_letters(genome)
        known = all(entry.block.name in catalog for entry in genome.pool)
        self.exits = exit_places(genome, catalog) if known else ()
        self.repeats = repeats(genome)
        self.hearing = set(hearing(genome))

    def make(self) -> Diagram:
        drawn = [i for i in range(len(self.genome.route)) if self._cell_of(i) == i]
        nodes = [self._embedding()]
        edges: list[Edge] = []
        for number in drawn:
            nodes += [self._unit(number), self._join(number)]
            edges += self._edges(number)
        nodes.append(self._head())
        edges.append(Edge(self._value(len(self.genome.route) - 1), OUTPUT, "flow"))
        return Diagram(tuple(nodes), tuple(edges), tuple(self._groups()))

    def _cell_of(self, number: int) -> int:
        """Return the visit of the first cell that stands for visit *number*."""
        for repeat in self.repeats:
            if repeat.start <= number < repeat.end:
                return repeat.start + (number - repeat.start) % repeat.length
        return number

    def _value(self, number: int) -> str:
        return INPUT if number == EMBEDDING else f"j{self._cell_of(number)}"

    def _edges(self, number: int) -> Iterator[Edge]:
        visit = self.genome.route[number]
        unit, join = f"u{number}", f"j{number}"
        for read in visit.reads:
            yield Edge(self._value(read), unit, "flow")
        yield Edge(unit, join, "flow")
        kind = "bypass" if visit.base_read in visit.reads else "residual"
        yield Edge(self._value(visit.base_read), join, kind)

    def _groups(self) -> Iterator[Group]:
        for repeat in self.repeats:
            numbers = range(repeat.start, repeat.start + repeat.length)
            blocks = [visit.block for visit in self.genome.route[repeat.start : repeat.end]]
            shared = blocks == blocks[: repeat.length] * repeat.count
            weights = "same weights" if shared else "own weights"
            nodes = tuple(name for i in numbers for name in (f"u{i}", f"j{i}"))
            yield Group(nodes, f"{TIMES} {repeat.count}", weights)

    def _embedding(self) -> Node:
        part = self.genome.stack.embedding
        title = title_of(part.name)
        title = title if "embedding" in title.lower() else f"{title} embedding"
        details = (
            f"{self.vocabulary} {TIMES} {self.genome.stack.width}",
            *setting_texts(part, self.catalog),
        )
        return Node(INPUT, "unit", title, ENDS, details, hover=self._hover(part))

    def _head(self) -> Node:
        stack = self.genome.stack
        tied = "tied to the embedding" if stack.tied else "own weights"
        own = 0 if stack.tied else stack.width * self.vocabulary
        hover = (
            "From the stream to the next token",
            f"weights: {tied}",
            f"parameters: {amount(own)}",
            f"FLOPs per token: {amount(self.size.decoding)}",
        )
        details = (f"{stack.width} {TIMES} {self.vocabulary}", tied)
        return Node(OUTPUT, "unit", "Head", ENDS, details, (self._norm(),), hover=hover)

    def _norms(self) -> tuple[Place, ...]:
        residual = declared(self.genome.stack.residual, self.catalog)
        return ("before",) if residual is None else residual.norms

    def _norm(self) -> Pill:
        part = self.genome.stack.norm
        return Pill(title_of(part.name), "norm", self._hover(part))

    def _unit(self, number: int) -> Node:
        visit = self.genome.route[number]
        entry = self.genome.pool[visit.block]
        letter = self.letters.get(visit.block)
        shared = self._shared_line(visit.block) if letter else ()
        return Node(
            f"u{number}",
            "unit",
            title_of(entry.block.name),
            family_of(entry.block, self.catalog),
            tuple(entry_texts(entry, self.catalog)),
            tuple(self._pills(number)),
            tag=f"weights {letter}" if letter else "",
            hover=(f"Visit {number + 1}", *self._hover(entry.block), *shared),
        )

    def _shared_line(self, entry: int) -> tuple[str, ...]:
        visits = [i + 1 for i, visit in enumerate(self.genome.route) if visit.block == entry]
        return (f"same weights at visits {', '.join(map(str, visits))}",)

    def _pills(self, number: int) -> Iterator[Pill]:
        visit = self.genome.route[number]
        prelude = self.genome.pool[visit.block].prelude
        if len(visit.reads) > 1:
            how = MERGE_TITLES[visit.merge]
            yield Pill(f"{how} of {len(visit.reads)}", "merge", (f"{how} of the streams read",))
        if visit.router is not None:
            texts = [title_of(visit.router.name), *setting_texts(visit.router, self.catalog)]
            yield Pill(", ".join(texts), "router", self._hover(visit.router))
        if number in self.hearing:
            yield self._feedback(number)
        if "before" in self._norms():
            yield self._norm()
        if prelude is not None:
            texts = [title_of(prelude.name), *setting_texts(prelude, self.catalog)]
            yield Pill(
                ", ".join(texts),
                family_of(prelude, self.catalog),
                ("Before the block's input", *self._hover(prelude)),
            )

    def _feedback(self, number: int) -> Pill:
        delay = self.genome.stack.feedback
        above = ", ".join(str(reader + 1) for reader in self.genome.readers(number))
        heard = f"its sum hears what visit {above} said {delay} tokens before"
        return Pill(f"feedback {delay}", "residual", (heard,))

    def _join(self, number: int) -> Node:
        stack = self.genome.stack
        plain = stack.residual.name == "pre"
        exit_ = stack.exit if number in self.exits else None
        return Node(
            f"j{number}",
            "join",
            "+" if plain else title_of(label_of(stack.residual, self.catalog)),
            "residual",
            exit="" if exit_ is None else title_of(exit_.name),
            hover=(
                f"Visit {number + 1}: the branch is added to its base",
                *self._hover(stack.residual),
                *(() if exit_ is None else (f"a token that is done leaves here: {exit_.name}",)),
            ),
        )

    def _hover(self, part: Part) -> tuple[str, ...]:
        declaration = declared(part, self.catalog)
        if declaration is None:
            return (f"{title_of(part.name)}: not in the catalog installed here",)
        settings = settings_of(part, self.catalog)
        cost: Cost = declaration.cost(self.size, {**declaration.defaults(), **part.settings})
        return (
            f"{title_of(part.name)}: {declaration.summary}",
            f"family: {declaration.family}",
            *(f"{name} = {value_text(value)}" for name, value in settings.items()),
            f"parameters: {amount(cost.parameters)}",
            f"FLOPs per token: {amount(cost.flops / self.context)}",
            *((f"carry: {size(cost.carry)}",) if cost.carry else ()),
            *((f"paper: {declaration.paper}",) if declaration.paper else ()),
        )
