"""Which work is out: asked for and neither answered nor given up."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType

from ..genome.graph import Genome
from .base import Assignment, Birth, Finished, Key, key_of
from .scores import TRUSTED


class Work:
    """The asked, answered and lapsed assignments of a search.

    It does not matter in what order it hears of these, nor how often: an answer ends a work for
    good, and a work is open again only when every birth that asked for it has lapsed.
    """

    def __init__(self) -> None:
        self._keys: dict[Birth, Key] = {}
        self._lapsed: set[Birth] = set()
        self._answered: set[Key] = set()
        self._waiting: dict[Key, set[Birth]] = {}
        self._pending: dict[Key, Assignment] = {}
        self._expired: dict[Key, Assignment] = {}

    @property
    def pending(self) -> Mapping[Key, Assignment]:
        """The assignments that somebody works on, in the order of asking."""
        return MappingProxyType(self._pending)

    @property
    def expired(self) -> Mapping[Key, Assignment]:
        """The assignments that all their workers gave up, to be asked again."""
        return MappingProxyType(self._expired)

    def lapsed(self, fits: Callable[[Genome, int], bool]) -> Assignment | None:
        """Return the first of the expired whose genome *fits* at its rung, None if none does."""
        several = self._expired.values()
        return next((each for each in several if fits(each.genome, each.rung)), None)

    def taken(self, key: Key) -> bool:
        """Whether the work was ever asked for or answered."""
        return key in self._answered or key in self._pending or key in self._expired

    def answered(self, key: Key) -> bool:
        """Whether there is a result of the work."""
        return key in self._answered

    def ask(self, key: Key, assignment: Assignment) -> None:
        """Note that *assignment*, which is the work *key*, was handed out."""
        birth = assignment.birth
        if birth in self._keys:
            return
        self._keys[birth] = key
        if key in self._answered:
            return
        if birth not in self._lapsed:
            self._expired.pop(key, None)
            self._pending.setdefault(key, assignment)
            self._waiting.setdefault(key, set()).add(birth)
        elif key not in self._pending:
            self._expired.setdefault(key, assignment)

    def lapse(self, birth: Birth) -> None:
        """Note that what was asked under *birth* will not be answered."""
        self._lapsed.add(birth)
        key = self._keys.get(birth)
        if key is None or key not in self._pending:
            return
        self._waiting[key].discard(birth)
        if not self._waiting[key]:
            del self._waiting[key]
            self._expired[key] = self._pending.pop(key)

    def reopen(self, key: Key) -> None:
        """Note that what was taken for a result of this work is none."""
        self._answered.discard(key)

    def answer(self, key: Key) -> None:
        """Note that there is a result of this work."""
        self._answered.add(key)
        self._waiting.pop(key, None)
        self._pending.pop(key, None)
        self._expired.pop(key, None)


class Answers:
    """Who answered which work as far as trust goes now: it may be taken back."""

    def __init__(self) -> None:
        self._by: dict[Hashable, set[str | None]] = {}

    def hear(self, event: Finished, work: Hashable = None) -> bool | None:
        """Return True where the work is answered by this, False where it is open again by it.

        None where it changes nothing: the claim of a stranger, or others answered as well. *work*
        is the key of the result unless it is more than that.
        """
        by = self._by.setdefault(work or key_of(event.result), set())
        author = event.asked and event.asked.birth.author
        if event.weight >= TRUSTED:
            by.add(author)
            return True
        if author not in by:
            return None
        by.remove(author)
        return None if by else False
