"""Genomes as strict JSON with a format version: what a stranger's file must pass first.

The parser is bounded in bytes, depth and lengths, accepts nothing twice and nothing unknown, and
never builds anything. Limits of cost are a space's to check afterwards.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, NoReturn, TypeVar, cast

from ..blocks.declaration import Declaration, Kind
from ..blocks.ranges import Value
from ..blocks.registry import Catalog
from .genes import LEGACY, MERGES, PRECISIONS
from .graph import Entry, Genome, Part, Stack, Training, Visit
from .memory import ByKey
from .rules import may_be_prelude

Option = TypeVar("Option", bound=str)
Read = TypeVar("Read")

FORMAT = 1
MOST_BYTES = 64 * 1024
MOST_DEPTH = 8
MOST_VISITS = 256
MOST_SETTINGS = 64
MOST_DIGITS = 18
MOST_NAME = 200

_BRACKETS = re.compile(r"[\[\]{}]")


class GenomeError(ValueError):
    """A text that is no genome; the message says where, the rule, the value and the cure."""


def to_json(genome: Genome) -> str:
    """Return *genome* as JSON that ``from_json`` reads back equal, lineage included."""
    document = {
        "format": FORMAT,
        "pool": [
            {
                "block": _part_json(entry.block),
                "prelude": _part_json(entry.prelude),
                "lineage": entry.lineage,
                "precision": entry.precision,
            }
            for entry in genome.pool
        ],
        "route": [
            {
                "block": visit.block,
                "reads": list(visit.reads),
                "base": visit.base,
                "merge": visit.merge,
                "router": _part_json(visit.router),
            }
            for visit in genome.route
        ],
        "stack": _stack_json(genome.stack),
        "training": asdict(genome.training),
    }
    return json.dumps(document, allow_nan=False)


def from_json(text: str, catalog: Catalog) -> Genome:
    """Return the genome that *text* describes.

    Parts must be in the catalog, of the right kind, with legal settings. A setting that was added
    after the text was written takes its legacy value.

    Raises:
        GenomeError: the text is not JSON, too long or too deep, lacks or repeats a key, has one
            that is unknown or a value that is illegal, or its structure is unsound.
    """
    document = _Reader(catalog, "genome").record(_parsed(text), _KEYS)
    if type(document["format"]) is not int or document["format"] != FORMAT:
        raise GenomeError(
            f"genome.format must be {FORMAT}, but is {document['format']!r}; "
            "a later version of praxis-evolve wrote this: install it"
        )
    genome = _Reader(catalog, "genome").genome(document)
    for problem in genome.problems():
        raise GenomeError(f"{problem}; correct the route")
    return genome


_KEYS = ("format", "pool", "route", "stack", "training")


_read = ByKey[Any]()
"""What was read, by what it was read from: children have most parts from their parents, and what is
computed of a part is computed once for all that share the object.
"""


class _Reader:
    """Reads values at a place of the document, which the errors name."""

    def __init__(self, catalog: Catalog, place: str) -> None:
        self._catalog = catalog
        self._place = place

    def genome(self, document: Mapping[str, object]) -> Genome:
        pool = self._at("pool").items(document["pool"], most=MOST_VISITS)
        route = self._at("route").items(document["route"], most=MOST_VISITS)
        return Genome(
            tuple(self._at(f"pool[{i}]").entry(value) for i, value in enumerate(pool)),
            tuple(self._at(f"route[{i}]").visit(value) for i, value in enumerate(route)),
            self._at("stack").stack(document["stack"]),
            self._at("training").training(document["training"]),
        )

    def _shared(self, kind: str, value: object, read: Callable[[object], Read]) -> Read:
        """Return what was read of the same before, or read it; 1, 1.0 and true are not the same."""
        return _read.of((kind, repr(value)), self._catalog, lambda: read(value))

    def entry(self, value: object) -> Entry:
        return self._shared("entry", value, self._entry)

    def _entry(self, value: object) -> Entry:
        keys = self.record(value, ("block", "prelude", "lineage", "precision"))
        prelude = self._at("prelude").optional_part(keys["prelude"], "block")
        if prelude is not None and not may_be_prelude(self._catalog[prelude.name]):
            self._at("prelude").refuse("must be a block declared as a prelude", prelude.name)
        block = self._at("block").part(keys["block"], "block")
        precision = self._at("precision").option(keys["precision"], PRECISIONS)
        return Entry(block, prelude, self._at("lineage").name(keys["lineage"]), precision)

    def visit(self, value: object) -> Visit:
        return self._shared("visit", value, self._visit)

    def _visit(self, value: object) -> Visit:
        keys = self.record(value, ("block", "reads", "base", "merge", "router"))
        reads = self._at("reads").items(keys["reads"], most=MOST_VISITS)
        merge = self._at("merge").option(keys["merge"], MERGES)
        base = keys["base"]
        return Visit(
            self._at("block").integer(keys["block"]),
            tuple(self._at(f"reads[{i}]").integer(read) for i, read in enumerate(reads)),
            None if base is None else self._at("base").integer(base),
            merge,
            self._at("router").optional_part(keys["router"], "router"),
        )

    def stack(self, value: object) -> Stack:
        return self._shared("stack", value, self._stack)

    def _stack(self, value: object) -> Stack:
        keys = self.record(value, [gene.name for gene in fields(Stack)])
        tied = keys["tied"]
        if not isinstance(tied, bool):
            self._at("tied").refuse("must be true or false", tied)
        segments = self._at("segments").integer(keys["segments"])
        if segments < 1:
            self._at("segments").refuse("must be at least 1", segments)
        feedback = self._at("feedback").integer(keys["feedback"])
        if feedback < 0:
            self._at("feedback").refuse("must be 0 or more", feedback)
        return Stack(
            self._at("width").integer(keys["width"]),
            self._at("residual").part(keys["residual"], "residual"),
            self._at("norm").part(keys["norm"], "norm"),
            self._at("embedding").part(keys["embedding"], "embedding"),
            self._at("exit").optional_part(keys["exit"], "exit"),
            segments,
            tied,
            feedback,
        )

    def training(self, value: object) -> Training:
        return self._shared("training", value, self._training)

    def _training(self, value: object) -> Training:
        keys = self.record(value, [gene.name for gene in fields(Training)])
        return Training(**{name: self._at(name).real(gene) for name, gene in keys.items()})

    def optional_part(self, value: object, kind: Kind) -> Part | None:
        return None if value is None else self.part(value, kind)

    def part(self, value: object, kind: Kind) -> Part:
        return self._shared(kind, value, lambda value: self._part(value, kind))

    def _part(self, value: object, kind: Kind) -> Part:
        keys = self.record(value, ("name", "settings"))
        declaration = self._declaration(self._at("name").name(keys["name"]), kind)
        settings = keys["settings"]
        if not isinstance(settings, dict):
            self._at("settings").refuse("must be an object", settings)
        if len(cast("dict[str, object]", settings)) > MOST_SETTINGS:
            self._at("settings").refuse(f"must have at most {MOST_SETTINGS} settings", "more")
        values = _with_legacy(declaration, cast("dict[str, Value]", settings))
        for problem in declaration.problems(values):
            raise GenomeError(f"{self._place}.settings: {problem}; correct the setting")
        return Part(declaration.name, values)

    def record(self, value: object, keys: Sequence[str]) -> dict[str, object]:
        """Return an object that has exactly *keys*; genes that came later may be absent."""
        if not isinstance(value, dict):
            self.refuse(f"must be an object with the keys {', '.join(keys)}", value)
        found = cast("dict[str, object]", value)
        for key in found:
            if key not in keys:
                self.refuse(f"may have the keys {', '.join(keys)} only", key)
        found = {**{key: LEGACY[key] for key in keys if key in LEGACY}, **found}
        for key in keys:
            if key not in found:
                raise GenomeError(f"{self._place} lacks the key {key!r}; add it")
        return found

    def option(self, value: object, options: Sequence[Option]) -> Option:
        found = next((option for option in options if value == option), None)
        if found is None:
            self.refuse(f"must be one of {', '.join(options)}", value)
        return found

    def items(self, value: object, *, most: int) -> list[object]:
        if not isinstance(value, list):
            self.refuse("must be a list", value)
        found = cast("list[object]", value)
        if len(found) > most:
            self.refuse(f"must have at most {most} items", len(found))
        return found

    def integer(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse("must be a whole number", value)
        return value

    def real(self, value: object) -> float:
        if not isinstance(value, float) or not math.isfinite(value):
            self.refuse("must be a finite number written with a point or an exponent", value)
        return value

    def name(self, value: object) -> str:
        if not isinstance(value, str) or len(value) > MOST_NAME or not value.isprintable():
            self.refuse(f"must be printable text of at most {MOST_NAME} characters", value)
        return value

    def refuse(self, rule: str, value: object) -> NoReturn:
        raise GenomeError(f"{self._place} {rule}, but has {_short(value)}; correct it")

    def _declaration(self, name: str, kind: Kind) -> Declaration:
        try:
            declaration = self._catalog[name]
        except KeyError as error:
            raise GenomeError(
                f"{self._place}: {error.args[0]}; install its distribution or name another"
            ) from None
        if declaration.kind != kind:
            self.refuse(f"must be of the kind {kind!r}", f"{name} of the kind {declaration.kind}")
        return declaration

    def _at(self, place: str) -> _Reader:
        return _Reader(self._catalog, f"{self._place}.{place}")


def _parsed(text: str) -> object:
    size = len(text.encode(errors="surrogatepass"))
    if size > MOST_BYTES:
        raise GenomeError(
            f"a genome must have at most {MOST_BYTES} bytes, but this text has {size}; shorten it"
        )
    _check_depth(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
        )
    except json.JSONDecodeError as error:
        raise GenomeError(f"the text is not JSON: {error}; correct it there") from error


def _check_depth(text: str) -> None:
    """Refuse deep nesting before a recursive parser sees it; brackets in strings count, too."""
    depth = 0
    for character in _BRACKETS.findall(text):
        if character in "[{":
            depth += 1
            if depth > MOST_DEPTH:
                raise GenomeError(
                    f"a genome must be nested at most {MOST_DEPTH} deep, but this text goes deeper"
                    "; take the inner brackets out"
                )
        else:
            depth -= 1


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise GenomeError(f"the key {_short(key)} stands twice in one object; remove one")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise GenomeError(f"numbers must be finite, but the text has {name}; write a number")


def _bounded_integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise GenomeError(
            f"whole numbers must have at most {MOST_DIGITS} digits, but one has {len(digits)}; "
            "shorten it"
        )
    return int(digits)


def _with_legacy(declaration: Declaration, settings: Mapping[str, Value]) -> dict[str, Value]:
    old = {
        name: setting.legacy
        for name, setting in declaration.settings.items()
        if setting.legacy is not None
    }
    return {**old, **settings}


def _part_json(part: Part | None) -> dict[str, object] | None:
    return None if part is None else {"name": part.name, "settings": dict(part.settings)}


def _stack_json(stack: Stack) -> dict[str, object]:
    genes = {gene.name: getattr(stack, gene.name) for gene in fields(stack)}
    return {
        name: _part_json(gene) if isinstance(gene, Part) else gene for name, gene in genes.items()
    }


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
