"""Our genomes as values by name, few and always the same: all that Optuna knows of a space.

A genome is written as a chain of up to ``POSITIONS`` visits, each with a block and a turn: plain,
or *one* thing off the plain chain. What else there is, is one choice for the whole genome: the
prelude of its mixers and that of its other blocks, precision, merge, stack and training, and of
each family the settings that most of its blocks have. With ``repeat`` the first positions stand for
all.

So this is lost: visits beyond the last position and graphs that are no chain with turns; a second
turn of a visit; preludes, precision and common settings that differ within a genome; the settings
of routers and of parts of the stack and all others of blocks, which stand at their defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from ..blocks.declaration import Declaration, Kind
from ..blocks.ranges import Choice, Integer, Range, Value
from ..genome.draw import ROUNDED, SHUFFLED, WITH_EXIT, WITH_FEEDBACK, blocks, preludes
from ..genome.genes import MERGES, PRECISIONS, SEGMENTS, TIED, TRAINING, feedback_range
from ..genome.graph import Entry, Genome, Part, Stack, Training, Visit
from ..genome.identity import canonical
from ..genome.repair import nearest, repair
from ..genome.space import Space
from ..genome.traits import NONE
from .chains import PERIODS, ROLES, read, role
from .cut import LINE, Cut
from .family_settings import common, part_with
from .turns import Turn, turned, turns

POSITIONS = 12
"""The most visits that can be written. Each is two choices, and a choice costs the TPE of single
choices two to three milliseconds an ask at 300 trials.
"""

SETTLING = 16
"""How often a genome is written and read again at most until it says the same."""

FITTING = 0
"""The seed of what gives way where a genome costs too much: the same values read as the same."""

Gene = Range | Cut[Any]


@dataclass(frozen=True)
class FlatCoding:
    """The genomes of a space as values by name; see ``Coding``."""

    space: Space

    @cached_property
    def choices(self) -> Mapping[str, Range]:
        """The range of each name; what has one option only is left out."""
        ranges = {
            name: LINE if isinstance(gene, Cut) else gene for name, gene in self._genes.items()
        }
        return {name: range_ for name, range_ in ranges.items() if not _single(range_)}

    def encode(self, genome: Genome) -> dict[str, Value]:
        """Return the values of the nearest genome that can be written; it reads as itself."""
        values = self._values(genome)
        for _ in range(SETTLING):
            again = self._values(self.decode(values, ""))
            if again == values:
                break
            values = again
        return values

    def decode(self, values: Mapping[str, Value], birth: str) -> Genome:
        """Return the genome of these values, legal in the space.

        What costs too much gives way elsewhere, as in other searches. Where that does not help, it
        is cut short, then the stack is the usual one, and after that the genome is repaired; all by
        chance that hangs on the genome alone.
        """
        said = {name: self._said(name, values) for name in self._genes}
        asked = self._stack(said)
        whole = self._chain(said, asked, said["visits"], birth)
        fit = self.space.fitted(whole, Random(FITTING))
        if fit is not None:
            return fit
        for stack in (asked, self._usual):
            for length in range(said["visits"], 0, -1):
                genome = self._chain(said, stack, length, birth)
                if self.space.legal(genome):
                    return genome
        return repair(whole, self.space, Random(FITTING), birth=birth)

    @cached_property
    def _genes(self) -> Mapping[str, Gene]:
        return dict(self._all_genes())

    def _all_genes(self) -> Iterator[tuple[str, Gene]]:
        catalog = self.space.catalog
        yield "visits", Integer(1, self._positions)
        yield "repeat", Choice((0, *(each for each in PERIODS if each < self._positions)))
        for number in range(self._positions):
            yield f"visit{number}.block", _names(blocks(catalog))
            yield f"visit{number}.turn", turns(catalog)
        for each in ROLES:
            yield f"prelude.{each}", _names(preludes(catalog), NONE)
        yield "merge", Choice(MERGES)
        yield "precision", Cut(PRECISIONS[0], PRECISIONS[1:], ROUNDED)
        yield from self._stack_genes()
        for name, range_ in TRAINING.items():
            yield f"training.{name}", range_ if name != "shuffle" else _rare(range_, SHUFFLED)
        for name, range_ in self._common.items():
            yield f"settings.{name}", range_

    def _stack_genes(self) -> Iterator[tuple[str, Gene]]:
        catalog = self.space.catalog
        yield "stack.width", Choice(tuple(sorted(self.space.widths)), ordered=True)
        for kind in ("residual", "norm", "embedding"):
            yield f"stack.{kind}", _names(catalog.of(kind))
        yield "stack.exit", Cut(NONE, _names(catalog.of("exit")).options, WITH_EXIT)
        yield "stack.segments", SEGMENTS
        yield "stack.tied", TIED
        yield "stack.feedback", _rare(feedback_range(self.space.context), WITH_FEEDBACK)

    @cached_property
    def _common(self) -> Mapping[str, Range]:
        return common(self.space.catalog)

    @property
    def _positions(self) -> int:
        return min(POSITIONS, self.space.limits.visits)

    @cached_property
    def _usual(self) -> Stack:
        """The stack of the parts that the catalog has first."""
        parts: Any = {kind: self._first(kind) for kind in ("residual", "norm", "embedding")}
        return Stack(min(self.space.widths), **parts)

    def _first(self, kind: Kind) -> Part:
        declared = self.space.catalog.of(kind)[0]
        return Part(declared.name, declared.defaults())

    def _said(self, name: str, values: Mapping[str, Value]) -> Any:
        """Return what a value means."""
        gene = self._genes[name]
        if isinstance(gene, Cut):
            return gene.at(float(values[name]))
        if isinstance(gene, Choice) and _single(gene):
            return gene.options[0]
        return nearest(gene, values[name], values[name])

    def _values(self, genome: Genome) -> dict[str, Value]:
        """Return the values that say most of a genome."""
        catalog = self.space.catalog
        form = canonical(genome, catalog)
        said = dict(read(form, catalog, positions=self._positions, common=self._common))
        found = dict[str, Value]()
        for name, range_ in self.choices.items():
            gene = self._genes[name]
            place = gene.place(said[name]) if isinstance(gene, Cut) else said[name]
            found[name] = nearest(range_, place, place)
        return found

    def _stack(self, said: Mapping[str, Any]) -> Stack:
        parts: Any = {
            kind: self._part(said[f"stack.{kind}"], {})
            for kind in ("residual", "norm", "embedding", "exit")
            if said[f"stack.{kind}"] != NONE
        }
        genes = {name: said[f"stack.{name}"] for name in ("width", "segments", "tied", "feedback")}
        return Stack(**genes, **parts)

    def _part(self, name: str, settings: Mapping[str, Value]) -> Part:
        return part_with(self.space.catalog[name], settings)

    def _chain(self, said: Mapping[str, Any], stack: Stack, length: int, birth: str) -> Genome:
        settings = {name: said[f"settings.{name}"] for name in self._common}
        pool, route = list[Entry](), list[Visit]()
        for number in range(length):
            place = number % (said["repeat"] or length)
            block: str = said[f"visit{place}.block"]
            turn: Turn = said[f"visit{place}.turn"]
            entry: int = len(pool)
            if turn.kind == "again" and int(turn.what) <= number:
                entry = route[number - int(turn.what)].block
            else:
                pool.append(self._entry(block, said, settings, f"{birth}/{number}"))
            router = self._router(turn, pool[entry], route)
            route.append(turned(turn, number, entry, said["merge"], router))
        training = Training(**{name: said[f"training.{name}"] for name in TRAINING})
        return Genome(tuple(pool), tuple(route), stack, training)

    def _entry(
        self, block: str, said: Mapping[str, Any], settings: Mapping[str, Value], lineage: str
    ) -> Entry:
        declared = self.space.catalog[block]
        prelude = said[f"prelude.{role(declared)}"]
        return Entry(
            part_with(declared, settings),
            None if prelude == NONE else self._part(prelude, settings),
            lineage,
            said["precision"] if declared.projects else PRECISIONS[0],
        )

    def _router(self, turn: Turn, entry: Entry, before: list[Visit]) -> Part | None:
        """Return the router of a turn, where the block and the visit before allow it."""
        if turn.kind != "router":
            return None
        catalog, name = self.space.catalog, str(turn.what)
        followed = bool(before) and before[-1].router is not None
        if catalog[name].share is not None and (followed or not catalog[entry.block.name].routed):
            return None
        return self._part(name, {})


def _names(declared: Iterable[Declaration], *first: str) -> Choice:
    return Choice((*first, *(each.name for each in declared)))


def _rare(range_: Range, share: float) -> Gene:
    """Return a cut of ordered options of which the first is the usual one."""
    assert isinstance(range_, Choice)
    return Cut(range_.options[0], range_.options[1:], share)


def _single(range_: Range) -> bool:
    return isinstance(range_, Choice) and len(range_.options) == 1
