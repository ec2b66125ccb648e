"""A genome on one line of a terminal, such as ``4x(conv4 -> attention -> glu)``."""

from __future__ import annotations

from ..blocks.registry import Catalog
from ..genome.graph import Genome, Stack, Visit
from .naming import label_of
from .repeats import living, repeats, shared_letters

_PLAIN = Stack()


def layers_text(genome: Genome, catalog: Catalog) -> str:
    """Return the blocks of *genome* in the order of the route.

    ``a -> b`` follow each other, ``(a | b)`` read the same and are joined after, ``3x(...)``
    repeats. ``conv+glu`` is a block with a prelude, ``mod(glu)`` one behind a router,
    ``glu#A`` shares its weights with every other ``#A``. Where a visit reads something else than
    the step before, ``<2,3>`` names the visits (from 1; 0 is the embedding) and ``<2;1>`` a base
    that it does not read. Unusual genes of the stack stand in brackets at the end.
    """
    shown = living(genome)
    texts = _Texts(shown, catalog)
    steps: list[str] = []
    at = 0
    for repeat in (*repeats(shown), None):
        end = len(shown.route) if repeat is None else repeat.start
        steps += texts.between(at, end)
        if repeat is not None:
            cell = " -> ".join(texts.between(repeat.start, repeat.start + repeat.length))
            steps.append(f"{repeat.count}x({cell})")
            at = repeat.end
    return " ".join([" -> ".join(steps), *_stack_texts(shown.stack, catalog)])


def _stack_texts(stack: Stack, catalog: Catalog) -> list[str]:
    unusual = [
        label_of(part, catalog)
        for part, plain in (
            (stack.embedding, _PLAIN.embedding),
            (stack.residual, _PLAIN.residual),
            (stack.exit, _PLAIN.exit),
        )
        if part is not None and (plain is None or part.name != plain.name)
    ]
    if stack.feedback:
        unusual.append(f"feedback {stack.feedback}")
    return [f"[{', '.join(unusual)}]"] if unusual else []


class _Texts:
    """The texts of the visits of one living genome."""

    def __init__(self, genome: Genome, catalog: Catalog) -> None:
        self.route = genome.route
        self.pool = genome.pool
        self.letters = shared_letters(genome)
        self.catalog = catalog

    def between(self, start: int, end: int) -> list[str]:
        """Return a text for each step from *start*, siblings together."""
        steps: list[str] = []
        before = {start - 1}
        while start < end:
            stop, outputs = self._siblings(start, end)
            if stop - start == 1:
                steps.append(self._visit(start) + self._wiring(start, before))
            else:
                note = self._wiring(start, before)
                steps.append(f"({' | '.join(map(self._visit, range(start, stop)))}){note}")
            before, start = outputs, stop
        return steps

    def _siblings(self, start: int, end: int) -> tuple[int, set[int]]:
        """Return where the run of siblings from *start* ends, and what the next step reads."""
        reads = self.route[start].reads
        stop = start + 1
        while stop < end and self.route[stop].reads == reads:
            stop += 1
        run = range(start + 1, stop)
        if len(run) and all(self.route[i].base == i - 1 for i in run):
            return stop, {stop - 1}
        if len(run) and stop < len(self.route):
            own_base = all(self.route[i].base_read in reads for i in range(start, stop))
            if own_base and set(self.route[stop].reads) == set(range(start, stop)):
                return stop, set(range(start, stop))
        return start + 1, {start}

    def _visit(self, number: int) -> str:
        visit = self.route[number]
        entry = self.pool[visit.block]
        text = label_of(entry.block, self.catalog)
        if entry.prelude is not None:
            text = f"{label_of(entry.prelude, self.catalog)}+{text}"
        if visit.block in self.letters:
            text = f"{text}#{self.letters[visit.block]}"
        return text if visit.router is None else f"{visit.router.name}({text})"

    def _wiring(self, number: int, before: set[int]) -> str:
        visit: Visit = self.route[number]
        base = f";{visit.base_read + 1}" if visit.base_read not in visit.reads else ""
        if set(visit.reads) == before and not base:
            return ""
        return f"<{','.join(str(read + 1) for read in sorted(visit.reads))}{base}>"
