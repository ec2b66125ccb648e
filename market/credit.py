"""Credit: who did how much of what was found, in FLOPs by formula, as one peer can know it.

Time and speed are claims, and so is every result; what a training takes is computed from the genome
and its rung. The question is whom to believe that it was done. No rule that treats all names alike
tells a crowd from one who signs by many names (Cheng & Friedman 2005, "Sybilproof reputation
mechanisms"): two names of one person confirm whatever that person makes up. So credit is not what
all agree on but what one peer saw: it pays what this peer measured again and found the same, where
the claim was here before it asked. Nobody else's word counts, not even that of trusted authors, who
could vouch for their other names.

And it pays an author only who was found right several times and seldom wrong: of many names that
guess at one work each something else, one is right.

A work is paid once, whatever weights it is said to have begun with. Whoever measured what others
did, too, cannot be told from one who copied them, so of k names that are right each gets half of
what k - 1 would get: two a half, three a quarter. Then nobody gains by one more name, which an even
split would pay.

What is known without an own measurement stands beside it under names of its own: ``trusted`` adds
what the search believes unchecked, and ``agreed``, the same for every peer, is worth what names are
worth.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..evaluator.ladder import Ladder
from ..evaluator.result import Result
from ..genome.cost import Costs
from ..search.base import Key
from ..search.scores import TRUSTED
from .chain import forked
from .evidence import Work, agree, work_of
from .record import Record
from .tally import ERRING, TOLERANCE
from .witness import Witness

PASSES = 3
"""Training takes so many times the operations of a forward pass: a backward one takes twice it."""

PROVEN = 3
"""How many works of an author must have been found right before any earns credit.

A guess within the tolerance is right about one in thirty times, three by one name one in 27,000.
"""

Standing = Literal["own", "proven", "not proven", "forked"]

Price = Callable[[Result], float]
"""Returns the FLOPs of the training that a result is of."""


@dataclass(frozen=True)
class Account:
    """What an author of records did; FLOPs are of trainings that have a fitness.

    ``results`` are works with a fitness, ``failures`` those without; ``right`` are works that this
    peer measured after the author had said so, and found the same, ``wrong`` those that it measured
    and found otherwise. ``claimed`` are the FLOPs of all results, ``credit`` of those that this
    peer did itself or found right, if the author is proven; ``trusted`` also of those that it
    believes unchecked, ``agreed`` of those that most names which measured them found the same.
    ``ancestors`` is the author's part in the best genome and its ancestors, 1 for each of them.
    """

    author: str
    standing: Standing
    results: int
    failures: int
    right: int
    wrong: int
    claimed: float
    credit: float
    trusted: float
    agreed: float
    ancestors: float


def price_of(costs: Mapping[str, Costs], ladder: Ladder) -> Price:
    """Return the prices of results by the costs of their genomes; others cost nothing.

    Of the search each pays the least that it can have taken, going on from the rung below: who
    trained that, too, is paid for it there. All others are trained from scratch.
    """

    def price(result: Result) -> float:
        found = costs.get(result.genome)
        if found is None or result.rung not in ladder.rungs:
            return 0.0
        tokens = result.rung if result.replica else ladder.work(result.rung)
        return PASSES * found.active_flops * tokens

    return price


def accounts(
    records: Iterable[Record], seen: Witness, price: Price, *, line: Collection[str] = ()
) -> list[Account]:
    """Return the accounts of all authors, those with most credit first.

    They hang on the set of the records, not on their order, nor on how often each is there; and
    on what this peer has *seen*. *line* are the best genome and its ancestors.
    """
    fold = _Fold(list({record.id: record for record in records if record.genuine}.values()), seen)
    found = fold.accounts(price, line)
    return sorted(found, key=lambda a: (-a.credit, -a.trusted, -a.agreed, -a.claimed, a.author))


class _Answer(NamedTuple):
    """What an author says of one work: the records with a fitness, and all."""

    sound: Sequence[Record]
    every: Sequence[Record]


_Answers = Mapping[Work, Mapping[str, _Answer]]
_Groups = Sequence[Sequence[str]]


class _Verdicts(NamedTuple):
    """How often an author was found right and wrong here."""

    right: int
    wrong: int


class _Fold:
    """A set of records, by work and author, with what a peer makes of them."""

    def __init__(self, records: Sequence[Record], seen: Witness) -> None:
        self._records, self._seen = records, seen
        self._every_fork = forked(records)
        self._forks = self._every_fork - seen.own
        self._answers = _answers(records)
        self._sound = {
            work: {name: said.sound for name, said in answers.items() if said.sound}
            for work, answers in self._answers.items()
        }
        self._mine = {
            work: said[min(own)][0].result
            for work, said in self._sound.items()
            if (own := seen.own & said.keys())
        }
        self._measured = set(map(_key, self._mine))
        self._tallies = self._tallied()

    def accounts(self, price: Price, line: Collection[str]) -> list[Account]:
        prices = {_key(work): price(_one(said).result) for work, said in self._answers.items()}
        columns = [
            _shares((prices[key], names) for key, names in groups)
            for groups in (
                [(key, [name]) for key, name in self._claimed()],
                *map(self._paid, (self._credited, self._trusted, self._agreed)),
            )
        ]
        columns.append(_shares((1.0, self._bringers(name)) for name in line))
        several = [
            (work, name, said) for work, a in self._answers.items() for name, said in a.items()
        ]
        answers = Counter((name, bool(said.sound)) for _, name, said in several)
        return [
            Account(
                author, self._standing(author), answers[author, True], answers[author, False],
                *self._tallies[author], *(column.get(author, 0.0) for column in columns),
            )
            for author in self._tallies
        ]  # fmt: skip

    def _paid(self, whom: Callable[[Work], _Groups]) -> Iterable[tuple[Key, Collection[str]]]:
        """Yield who shares in what a work is worth, each group by itself."""
        found = defaultdict[tuple[Key, int], set[str]](set)
        for work in self._answers:
            for number, names in enumerate(whom(work)):
                found[_key(work), number].update(names)
        return ((key, names) for (key, _), names in found.items())

    def _claimed(self) -> set[tuple[Key, str]]:
        """Return who claims what, each work once."""
        return {(_key(work), name) for work, said in self._sound.items() for name in said}

    def _right(self, work: Work, author: str) -> bool | None:
        """Return whether an author is right by what this peer measured itself, if it did.

        Who says several things of one work is right with none. What came after this peer had asked
        may be a copy, which proves nothing.
        """
        own, said = self._mine.get(work), self._sound[work][author]
        if own is None or author in self._seen.own:
            return None
        if not all(agree(own, record.result) for record in said):
            return False
        return True if any(record.id in self._seen.early for record in said) else None

    def _tallied(self) -> Mapping[str, _Verdicts]:
        """Return how often each author was right and wrong by what this peer measured itself."""
        verdicts = Counter(
            (name, self._right(work, name)) for work, said in self._sound.items() for name in said
        )
        authors = {record.author for record in self._records}
        return {name: _Verdicts(verdicts[name, True], verdicts[name, False]) for name in authors}

    def _credited(self, work: Work) -> _Groups:
        """Return who did a work: this peer, and proven authors who said so before it asked."""
        said = self._sound[work]
        return [
            [name for name in said if name in self._seen.own],
            [n for n in said if self._standing(n) == "proven" and self._right(work, n)],
        ]

    def _trusted(self, work: Work) -> _Groups:
        """Return who did a work as far as this peer believes, its own measurement first."""
        if _key(work) in self._measured:
            return self._credited(work)
        return [[], [name for name, said in self._sound[work].items() if self._counts(said)]]

    def _agreed(self, work: Work) -> _Groups:
        """Return the names that found the same, if they are most of those who measured a work."""
        said = {
            name: [record.result.bits_per_byte or 0.0 for record in records]
            for name, records in self._sound[work].items()
            if name not in self._every_fork
        }
        same = nearest({n: min(b) for n, b in said.items() if max(b) - min(b) <= TOLERANCE})
        return [same if len(same) > max(1, len(said) / 2) else []]

    def _bringers(self, genome: str) -> list[str]:
        """Return who bred a genome here, and whose records of it were here before it was used."""
        brought = {
            record.author
            for record in self._records
            if record.result.genome == genome and record.id in self._seen.brought
            and record.author not in self._seen.own and self._counts([record])
        }  # fmt: skip
        return sorted(brought | self._seen.bred.get(genome, frozenset()))

    def _counts(self, records: Sequence[Record]) -> bool:
        """Whether records count fully in this peer's search."""
        return all(
            self._seen.weights.get(record.id, 0.0) >= TRUSTED and record.author not in self._forks
            for record in records
        )

    def _standing(self, author: str) -> Standing:
        if author in self._seen.own:
            return "own"
        if author in self._forks:
            return "forked"
        right, wrong = self._tallies[author]
        return "proven" if right >= max(PROVEN, ERRING * wrong) else "not proven"


def nearest(values: Mapping[str, float]) -> list[str]:
    """Return the most names whose values are within the tolerance, of several such the least."""
    ordered = sorted((value, name) for name, value in values.items())
    bits = [value for value, _ in ordered]
    groups = (range(n, bisect_right(bits, low + TOLERANCE)) for n, low in enumerate(bits))
    return [ordered[place][1] for place in max(groups, key=len, default=())]


def _answers(records: Iterable[Record]) -> _Answers:
    found = defaultdict[Work, defaultdict[str, list[Record]]](lambda: defaultdict(list))
    for record in sorted(records, key=lambda each: (each.author, each.seq, each.id)):
        found[work_of(record.result)][record.author].append(record)
    return {
        work: {
            author: _Answer([each for each in said if each.result.ok], said)
            for author, said in by_author.items()
        }
        for work, by_author in found.items()
    }


def _key(work: Work) -> Key:
    return Key(work.genome, work.rung, work.replica)


def _one(answers: Mapping[str, _Answer]) -> Record:
    """Return any record of a work: all cost the same."""
    return next(iter(answers.values())).every[0]


def _shares(paid: Iterable[tuple[float, Collection[str]]]) -> dict[str, float]:
    """Return what each name is paid, who shares with others less than its part."""
    parts = defaultdict[str, list[float]](list)
    for whole, names in paid:
        for name in names:
            parts[name].append(whole * 0.5 ** (len(names) - 1))
    return {name: math.fsum(several) for name, several in parts.items()}
