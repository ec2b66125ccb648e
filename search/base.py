"""The seam of the search: assignments go out, events come back; the state is the events told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..evaluator.result import Result
from ..genome.graph import Genome


@dataclass(frozen=True, order=True)
class Birth:
    """Who asked, and the how-manieth of that author: the seed of one ask, the age of a genome."""

    run: str
    author: str
    number: int


@dataclass(frozen=True)
class Assignment:
    """Work: train this genome to this rung (in tokens) with this replica's seed.

    ``origin`` names the operator that made the genome (``promote`` for a promotion) and
    ``parents`` the genomes it came from.
    """

    genome: Genome
    rung: int
    replica: int
    birth: Birth
    origin: str = ""
    parents: tuple[str, ...] = ()


class Key(NamedTuple):
    """What makes two assignments the same work: the genome by its id, the rung, the replica."""

    genome: str
    rung: int
    replica: int


def key_of(result: Result) -> Key:
    """Return the work that a result is of."""
    return Key(result.genome, result.rung, result.replica)


@dataclass(frozen=True)
class Asked:
    """An assignment was handed out."""

    assignment: Assignment


@dataclass(frozen=True)
class Finished:
    """A result came in, asked for or not. ``weight`` is how far it is trusted, from 0 to 1.

    Of a result that another peer asked for and measured, ``asked`` is what it asked for: a search
    that trusts it takes the genome for its own.
    """

    result: Result
    weight: float = 1.0
    asked: Assignment | None = None


@dataclass(frozen=True)
class Expired:
    """An assignment will not be answered (its worker died for good); it may be asked again."""

    birth: Birth


@dataclass(frozen=True)
class Closed:
    """No new genomes and promotions are wanted: time is up, the finals follow."""


@dataclass(frozen=True)
class Grown:
    """Blocks joined the space while the search ran: the name of each, its version and source."""

    blocks: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Taken:
    """What another peer works on now; nothing if it has stopped.

    Only peers whose results would be trusted are told of: their work need not be done twice.
    """

    author: str
    works: tuple[Key, ...]


@dataclass(frozen=True)
class Said:
    """What a peer that is not believed says to work on, of the works that all peers begin with.

    It may be a lie, so it puts off for a while what can wait, and nothing else.
    """

    author: str
    works: tuple[Key, ...]


@dataclass(frozen=True)
class Committed:
    """An author had bound itself to what it measured before others' figures could be known to it.

    So it measured: whoever finds the same confirms its word (commit and reveal). ``record`` is the
    id of the record that it was bound to.
    """

    author: str
    work: Key
    record: str


@dataclass(frozen=True)
class Able:
    """What the machine can do that asks from here on; None is no limit that is known.

    ``memory_bytes`` are what a worker has room for beyond what it holds idle, ``operations`` what
    it does in the longest evaluation.
    """

    memory_bytes: int | None = None
    operations: float | None = None


UNLIMITED = Able()


Event = Asked | Finished | Expired | Closed | Grown | Taken | Said | Committed | Able


class Search(Protocol):
    """Proposes work. Its whole state is the events it was told, in order."""

    def ask(self, birth: Birth) -> Assignment | None:
        """Propose the next assignment, or None while there is nothing to do but wait.

        Asking changes nothing: the state moves when ``Asked`` is told.
        """
        ...

    def tell(self, events: Sequence[Event]) -> None:
        """Learn from events; a result told twice counts once, an uninvited one counts too."""
        ...
