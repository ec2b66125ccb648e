"""Inheritance: what a child takes over from its parent's weights, and whether it computes the same.

A child that was made by adding something can begin where its parent ended: what is new starts as if
it were not there (``blocks/beginnings.py``), and is learned from then on,
for exactly one of the factors on its way to the output is zero. ``KEEPING`` lists the mutations
that can be so; the plan of a child says whether it is, and if not, why.
Source: function-preserving transformations, arXiv:1511.05641.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..blocks.beginnings import silence, transparency
from ..blocks.registry import Catalog
from .alignment import Alignment, align
from .exits import exit_places
from .graph import EMBEDDING, Entry, Genome, Visit

KEEPING: Mapping[str, str] = MappingProxyType(
    {
        "training": "always; the genes of training compute nothing",
        "unshare": "always; the copy begins with the weights of what it was copied from",
        "insert": "where the residual or the branch's norm can be silent, else if the block can",
        "revisit": "where the residual or the branch's norm can be silent",
        "branch": "where the reader merges by projection: new columns begin at zero",
        "read": "where the reader merges by projection: new columns begin at zero",
        "merge": "from anything to a projection, and from the mean to a gate",
        "prelude": "where a short convolution without activation or a token shift is added",
        "embedding": "from plain tokens to n-grams",
        "setting": "where it adds learned positions to plain tokens",
        "tied": "where the head is untied from a plain table, which it begins as",
        "feedback": "where there was none; its factors begin at zero",
    }
)
"""The mutations that may keep what the parent computes, in eval(), and when they do.

All others change it: they take something away, exchange it, or add a choice (routers, exits) that
leaves tokens out.
"""

_SAME_AT_FIRST = frozenset({("mean", "mean"), ("sum", "sum"), ("gate", "gate"), ("mean", "gate")})
"""Merges of the parent and of the child that give the same value of the same reads."""


@dataclass(frozen=True)
class Inheritance:
    """How a child begins with the weights of its parent, both in canonical form.

    Args:
        child: what is to begin.
        parent: what was trained.
        alignment: what of the one is what of the other.
        silent: visits of the child that start as if they were not there.
        transparent: entries of the child whose prelude does.
        losses: why the child does not compute what the parent did; empty if it does, in eval().
    """

    child: Genome
    parent: Genome
    alignment: Alignment
    silent: tuple[int, ...]
    transparent: tuple[int, ...]
    losses: tuple[str, ...]

    @property
    def keeps(self) -> bool:
        """Whether the child begins as the function that its parent was."""
        return not self.losses

    def taken(self, visit: int) -> Mapping[int, int]:
        """Return which of the reads of a visit of the child is which of its partner's, by place.

        A read that stands for none of them is new.
        """
        found = dict[int, int]()
        partner = self.alignment.visits.get(visit)
        if partner is None:
            return found
        reads, stands = self.child.route[visit].reads, self.alignment.stands
        known = self.alignment.visits
        for place, source in enumerate(self.parent.route[partner].reads):
            standing = [i for i, read in enumerate(reads) if stands[read] == source]
            own = [i for i in standing if reads[i] in known or reads[i] == EMBEDDING]
            if standing:
                found[(own or standing)[0]] = place
        return found


def inheritance(child: Genome, parent: Genome, catalog: Catalog) -> Inheritance:
    """Return how *child* begins with the weights of *parent*; both must be in canonical form."""
    return _Planner(child, parent, catalog).plan()


class _Planner:
    def __init__(self, child: Genome, parent: Genome, catalog: Catalog) -> None:
        self._child, self._parent, self._catalog = child, parent, catalog
        self._alignment = align(child, parent)
        self._found = Inheritance(child, parent, self._alignment, (), (), ())

    def plan(self) -> Inheritance:
        silent = tuple(sorted(self._relied_on()))
        able = tuple(number for number in silent if self._can_be_silent(number))
        transparent = tuple(
            number
            for number, partner in self._alignment.entries.items()
            if self._transparent(self._child.pool[number], self._parent.pool[partner])
        )
        losses = (
            *(f"visit {number} is new and cannot be silent" for number in silent
              if number not in able),
            *self._stack_losses(),
            *(loss for number in self._reached() for loss in self._visit_losses(number)),
        )  # fmt: skip
        return Inheritance(
            self._child, self._parent, self._alignment, able, transparent, tuple(losses)
        )

    def _relied_on(self) -> set[int]:
        """Return the new visits whose value must be that of their base."""
        return {number for number in self._reached() if number not in self._alignment.visits}

    def _reached(self) -> list[int]:
        """Return the visits that lead to the output by reads that the parent had, in order."""
        reached, todo = set[int](), [len(self._child.route) - 1]
        while todo:
            number = todo.pop()
            if number == EMBEDDING or number in reached:
                continue
            reached.add(number)
            visit = self._child.route[number]
            taken = self._found.taken(number)
            todo += [visit.base_read, *(visit.reads[place] for place in taken)]
        return sorted(reached)

    def _can_be_silent(self, number: int) -> bool:
        """Whether the residual, the branch's norm or the block can make a visit add nothing."""
        stack = self._child.stack
        names = silence(stack.residual.name, stack.residual.settings)
        if names is None:
            return False
        normed = "branch" in self._catalog[stack.residual.name].norms
        by_norm = normed and silence(stack.norm.name, stack.norm.settings) is not None
        return bool(names) or by_norm or self._has_a_silent_block(number)

    def _has_a_silent_block(self, number: int) -> bool:
        block = self._child.route[number].block
        entry = self._child.pool[block]
        if block in self._alignment.entries or entry.precision == "binary":
            return False  # weights that others use, or that are never zero
        return silence(entry.block.name, entry.block.settings) is not None

    def _transparent(self, entry: Entry, partner: Entry) -> bool:
        """Whether an entry has a prelude that its partner had not, and that can be the identity."""
        if entry.prelude is None or partner.prelude is not None:
            return False
        return transparency(entry.prelude.name, entry.prelude.settings) is not None

    def _visit_losses(self, number: int) -> Iterator[str]:
        """Yield why a visit that has a partner computes something else from equal values."""
        partner = self._alignment.visits.get(number)
        if partner is None:
            return
        visit, other = self._child.route[number], self._parent.route[partner]
        if self._alignment.entries.get(visit.block) != other.block:
            yield f"visit {number} uses other weights"
        yield from self._entry_losses(number, visit, other)
        if visit.router != other.router:
            yield f"visit {number} has another router"
        if self._alignment.stands[visit.base_read] != other.base_read:
            yield f"visit {number} adds to something else"
        yield from self._merge_losses(number, visit, other)
        yield from self._feedback_losses(number, partner)

    def _entry_losses(self, number: int, visit: Visit, other: Visit) -> Iterator[str]:
        own, theirs = self._child.pool[visit.block], self._parent.pool[other.block]
        if (own.block, own.precision) != (theirs.block, theirs.precision):
            yield f"visit {number} has another block"
        if own.prelude != theirs.prelude and not self._transparent(own, theirs):
            yield f"visit {number} has another prelude"

    def _merge_losses(self, number: int, visit: Visit, other: Visit) -> Iterator[str]:
        taken = self._found.taken(number)
        if len(taken) < len(other.reads):
            yield f"visit {number} lost a read"
        if len(visit.reads) > 1 and visit.merge == "concat":
            return
        if len(taken) < len(visit.reads):
            yield f"visit {number} has a read more, whose weight cannot be zero"
        elif len(visit.reads) > 1 and (other.merge, visit.merge) not in _SAME_AT_FIRST:
            yield f"visit {number} merges in another way"

    def _feedback_losses(self, number: int, partner: int) -> Iterator[str]:
        """Yield that a visit hears others than before; where nothing was heard it hears nothing."""
        if not self._parent.stack.feedback:
            return
        heard = [self._alignment.stands[above] for above in self._child.readers(number)]
        if sorted(heard) != sorted(self._parent.readers(partner)):
            yield f"visit {number} hears other visits"

    def _stack_losses(self) -> Iterator[str]:
        child, parent = self._child.stack, self._parent.stack
        if self._alignment.stands[len(self._child.route) - 1] != len(self._parent.route) - 1:
            yield "the output is another value"
        segmented = any(self._catalog[part.name].segmented for part in self._parent.parts())
        for gene in ("width", "residual", "norm", *(("segments",) if segmented else ())):
            if getattr(child, gene) != getattr(parent, gene):
                yield f"the stack has another {gene}"
        if child.embedding != parent.embedding and not self._is_plain_with_more():
            yield "the stack has another embedding"
        if child.tied != parent.tied and not self._can_be_untied():
            yield "the stack has another head"
        if parent.feedback not in (0, child.feedback):
            yield "the stack has another feedback"
        yield from self._exit_losses()

    def _can_be_untied(self) -> bool:
        """Whether the head of the parent is its embedding's table."""
        stack = self._parent.stack
        return stack.tied and self._catalog[stack.embedding.name].head is None

    def _is_plain_with_more(self) -> bool:
        """Whether the parent's embedding is a table, and the child's begins as that."""
        own, plain = (
            transparency(embedding.name, embedding.settings)
            for embedding in (self._child.stack.embedding, self._parent.stack.embedding)
        )
        return plain == () and own is not None

    def _exit_losses(self) -> Iterator[str]:
        own = exit_places(self._child, self._catalog)
        theirs = exit_places(self._parent, self._catalog)
        same = [self._alignment.visits.get(place) for place in own] == list(theirs)
        if self._child.stack.exit != self._parent.stack.exit or not same:
            yield "tokens leave elsewhere"
