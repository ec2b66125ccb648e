"""Identity: the canonical form of a genome, and the two names that equal genomes share.

Two genomes are the same if they differ only in what ``build`` cannot see: the order in which the
pool, the route and the reads are written, visits that do not reach the output, unused pool entries,
settings and merges that are dead or mean the same, and lineage. Sharing counts: one entry visited
twice is not two equal entries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

from ..blocks.declaration import Declaration, Precision
from ..blocks.ranges import Value
from ..blocks.registry import Catalog
from .edit import pruned
from .exits import places_along
from .facts import Facts, facts_of
from .genes import LEGACY
from .graph import Entry, Genome, Merge, Part, Stack, Training, Visit, parts_of
from .labelling import Wiring, canonical_arrangement
from .memory import PerObject, Recent


@dataclass(frozen=True)
class Identity:
    """Who a genome is: its canonical form, and its names without and with training genes."""

    canonical: Genome
    architecture: str
    genome: str


_names = PerObject[str]()
_texts = PerObject[str]()
_whole = PerObject[Genome]()
_parts = PerObject[Part]()
_entries = PerObject[Entry]()
"""Names and canonical forms of genomes, texts of parts and training genes, full forms of parts: a
loop asks for each a dozen times.
"""

_wirings = Recent[Wiring]()
_endings = {lengthless: Recent[list[str]]() for lengthless in (False, True)}
_routes = PerObject[str]()
_whole_routes = PerObject[tuple[Visit, ...]]()
_stacks = PerObject[dict[tuple[bool, ...], str]]()
"""What is written of routes and of stacks with their dead genes, which most children have from
their parents.
"""

PLAIN = ",null,null"
"""The text of merge and router of a visit that has neither."""

_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def canonical(genome: Genome, catalog: Catalog) -> Genome:
    """Return the genome that stands for all that are the same as *genome*, ready to build.

    Visits, pool and reads have their canonical order and every base is explicit. Every setting of
    every part is present: dead ones have their default. (The hashed text leaves dead settings out,
    as well as those at their legacy value.) Lineage stays with its entry.

    Raises:
        ValueError, KeyError: as ``Form``.
    """
    return _whole.known(genome, catalog) or Form(genome, catalog).genome()


def genome_id(genome: Genome, catalog: Catalog) -> str:
    """Return the name of the genome, 64 hex digits: equal exactly for genomes that are the same.

    Raises:
        ValueError, KeyError: as ``Form``.
    """
    return _names.known(genome, catalog) or Form(genome, catalog).genome_id()


def architecture_id(genome: Genome, catalog: Catalog) -> str:
    """Return the name of the genome without its training genes, 64 hex digits.

    Raises:
        ValueError, KeyError: as ``Form``.
    """
    return Form(genome, catalog).architecture_id()


def identify(genome: Genome, catalog: Catalog) -> Identity:
    """Return the canonical form of *genome* and both of its names, at the price of one.

    Raises:
        ValueError, KeyError: as ``Form``.
    """
    form = Form(genome, catalog)
    return Identity(form.genome(), form.architecture_id(), form.genome_id())


class Form:
    """The canonical form of a genome, from which its names and the canonical genome are taken.

    The structure must be sound and all parts in the catalog; a space checks both.

    Raises:
        ValueError: the genome is so symmetric that it needs more than 1,000 leaves.
        KeyError: a part is not in the catalog.
    """

    def __init__(self, genome: Genome, catalog: Catalog) -> None:
        self._source = genome
        self._catalog = catalog
        self._alive = alive = pruned(genome)
        route, stack = alive.route, genome.stack
        self._facts = facts_of(alive.pool, catalog)
        self._pool_texts = [
            self._entry_written(entry, facts) if facts.text is None else facts.text
            for entry, facts in zip(alive.pool, self._facts, strict=True)
        ]
        self._lengthless = all(catalog[p.name].lengthless for p in (stack.residual, stack.norm))
        self._endings = _endings[self._lengthless].of(
            route,
            catalog,
            lambda: [
                PLAIN if visit.router is None and len(visit.reads) == 1 else self._ending(visit)
                for visit in route
            ],
        )
        wiring = _wirings.of(route, None, lambda: _wiring(route))
        self._arranged = canonical_arrangement(wiring, self._label)

    @cached_property
    def _route(self) -> list[Visit]:
        visits = [self._alive.route[number] for number in self._arranged.order]
        return [
            Visit(
                block,
                reads,
                base,
                self._merge(visit) if len(reads) > 1 else "mean",
                visit.router,
            )
            for (block, reads, base), visit in zip(self._arranged.code, visits, strict=True)
        ]

    def genome_id(self) -> str:
        """The name of the genome: SHA-256 of its text."""
        return _names.of(self._source, self._catalog, lambda: _digest(self.text()))

    def architecture_id(self) -> str:
        """The name of the architecture: SHA-256 of its text."""
        return _digest(self.architecture_text())

    def text(self) -> str:
        """The canonical JSON, training genes included."""
        training = self._training()
        text = _texts.of(training, self._catalog, lambda: _genes_text(training))
        return f'{self.architecture_text()[:-1]},"training":{text}}}'

    def architecture_text(self) -> str:
        """The canonical JSON without training genes; parts without dead and legacy settings."""
        pool = ",".join([self._pool_texts[entry] for entry in self._arranged.entries])
        route = _routes.of(self._arranged, self._endings, self._route_text)
        return f'{{"pool":[{pool}],"route":[{route}],"stack":{self._stack_text()}}}'

    def genome(self) -> Genome:
        """The canonical genome, with every setting of every part."""
        return _whole.of(self._source, self._catalog, self._written_whole)

    def _label(self, visit: int) -> str:
        return self._pool_texts[self._alive.route[visit].block] + self._endings[visit]

    def _route_text(self) -> str:
        endings = [self._endings[number] for number in self._arranged.order]
        return ",".join(
            [
                f"[{block},[{reads[0]}],{base}{ending}]"
                if len(reads) == 1
                else f"[{block},{list(reads)},{base}{ending}]"
                for (block, reads, base), ending in zip(self._arranged.code, endings, strict=True)
            ]
        )

    def _written_whole(self) -> Genome:
        pool = [self._alive.pool[entry] for entry in self._arranged.entries]
        route = _whole_routes.of(self._arranged, self._endings, self._whole_route)
        return Genome(tuple(map(self._full_entry, pool)), route, self._stack(), self._training())

    def _whole_route(self) -> tuple[Visit, ...]:
        return tuple(
            visit if visit.router is None else replace(visit, router=self._full(visit.router))
            for visit in self._route
        )

    def _entry_written(self, entry: Entry, facts: Facts) -> str:
        """Note how an entry is written and whether it reads segments."""
        precision, names = self._precision(entry), [entry.block.name]
        if entry.prelude is not None:
            names.append(entry.prelude.name)
        facts.segmented = not self._catalog.segmented.isdisjoint(names)
        ending = "" if _is_legacy("precision", precision) else f",{_encoded(precision)}"
        text = f"[{self._part_text(entry.block)},{self._part_text(entry.prelude)}{ending}]"
        facts.text = text
        return text

    def _precision(self, entry: Entry) -> Precision:
        """The precision gene, which is dead in a block without projections."""
        return entry.precision if self._catalog[entry.block.name].projects else "full"

    def _merge(self, visit: Visit) -> Merge:
        """The merge of several reads; a sum is a mean where nothing sees its length."""
        router = visit.router
        routed = router is not None and not self._catalog[router.name].lengthless
        blind = self._lengthless and not routed
        return "mean" if visit.merge == "sum" and blind else visit.merge

    def _ending(self, visit: Visit) -> str:
        merge = f'"{self._merge(visit)}"' if len(visit.reads) > 1 else "null"
        return f",{merge},{self._part_text(visit.router)}"

    def _stack_text(self) -> str:
        dead = self._exit() is None, not self._feedback(), not self._segmented()
        known = _stacks.of(self._source.stack, self._catalog, dict)
        if dead not in known:
            known[dead] = self._stack_written()
        return known[dead]

    def _stack_written(self) -> str:
        stack, feedback = self._source.stack, self._feedback()
        genes = {
            "embedding": self._part_text(stack.embedding),
            "exit": self._part_text(self._exit()),
            **({} if _is_legacy("feedback", feedback) else {"feedback": feedback}),
            "norm": self._part_text(stack.norm),
            "residual": self._part_text(stack.residual),
            "segments": stack.segments if self._segmented() else "null",
            "tied": "true" if stack.tied else "false",
            "width": stack.width,
        }
        return "{" + ",".join(f'"{name}":{text}' for name, text in genes.items()) + "}"

    def _stack(self) -> Stack:
        stack = self._source.stack
        residual, norm, embedding = (
            self._full(part) for part in (stack.residual, stack.norm, stack.embedding)
        )
        segments = stack.segments if self._segmented() else Stack().segments
        gene = self._exit()
        exit_ = None if gene is None else self._full(gene)
        return Stack(stack.width, residual, norm, embedding, exit_, segments, stack.tied,
                     self._feedback())  # fmt: skip

    def _exit(self) -> Part | None:
        """The exit gene, which is dead where no visit is a place to leave at."""
        gene = self._source.stack.exit
        if gene is None:
            return None
        pool = [self._alive.pool[entry] for entry in self._arranged.entries]
        return gene if places_along(self._arranged.code, pool, self._catalog) else None

    def _feedback(self) -> int:
        """The feedback gene, which is dead where no visit reads another."""
        return self._source.stack.feedback if len(self._alive.route) > 1 else 0

    def _training(self) -> Training:
        """The training genes; the order of one visit's work is dead."""
        training = self._source.training
        one = len(self._alive.route) == 1
        return training if not one else replace(training, shuffle=Training().shuffle)

    def _segmented(self) -> bool:
        others = parts_of((), self._alive.route, self._alive.stack)
        return True in [facts.segmented for facts in self._facts] or not (
            self._catalog.segmented.isdisjoint([part.name for part in others])
        )

    def _part_text(self, part: Part | None) -> str:
        if part is None:
            return "null"
        return _texts.of(part, self._catalog, lambda: self._written(part))

    def _written(self, part: Part) -> str:
        return _encoded([part.name, _counting(self._catalog[part.name], part.settings)])

    def _full_entry(self, entry: Entry) -> Entry:
        return _entries.of(entry, self._catalog, lambda: self._whole_entry(entry))

    def _whole_entry(self, entry: Entry) -> Entry:
        prelude = None if entry.prelude is None else self._full(entry.prelude)
        return Entry(self._full(entry.block), prelude, entry.lineage, self._precision(entry))

    def _full(self, part: Part) -> Part:
        return full_part(part, self._catalog)


def _wiring(route: Sequence[Visit]) -> Wiring:
    return Wiring(
        reads=[visit.reads for visit in route],
        base=[visit.base_read for visit in route],
        entry=[visit.block for visit in route],
    )


def _genes_text(training: Training) -> str:
    genes = [(gene.name, getattr(training, gene.name)) for gene in fields(training)]
    return _encoded({name: gene for name, gene in genes if not _is_legacy(name, gene)})


def full_part(part: Part, catalog: Catalog) -> Part:
    """Return *part* with every setting, as ``completed``, from memory where it was asked for."""
    return _parts.of(part, catalog, lambda: completed(part, catalog[part.name]))


def _is_legacy(name: str, gene: Value) -> bool:
    """Return whether a gene stands at the value that means what genomes did before it came."""
    return name in LEGACY and same_value(LEGACY[name], gene)


def completed(part: Part, declaration: Declaration) -> Part:
    """Return *part* with every setting: missing ones as before they came, dead ones at default."""
    settings = _filled(declaration, part.settings)
    return Part(part.name, declaration.defaults() | declaration.alive(settings))


def _counting(declaration: Declaration, settings: Mapping[str, Value]) -> dict[str, Value]:
    """Return the settings that are part of the identity: alive and not at their legacy value."""
    declared = declaration.settings
    return {
        name: value
        for name, value in declaration.alive(_filled(declaration, settings)).items()
        if declared[name].legacy is None or not same_value(declared[name].legacy, value)
    }


def _filled(declaration: Declaration, settings: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return every setting, of those that compute the same the usual ones."""
    declared = declaration.settings
    missing = [name for name in declared if name not in settings]
    if missing:
        fill = {
            name: declared[name].default if (old := declared[name].legacy) is None else old
            for name in missing
        }
        settings = {**fill, **settings}
    return settings if declaration.usual is None else declaration.usual(settings)


def same_value(one: Value | None, other: Value | None) -> bool:
    """Return whether two values are equal and of one type: ``True`` is not ``1``."""
    return type(one) is type(other) and one == other


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
