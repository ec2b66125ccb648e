"""Authors: what a peer's own log shows of each who published in a run, for people to read.

How far measurements of different machines are apart is shown, too, and judges nobody: a device is
named by its class alone, and what a class of devices may differ is not known well enough.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..evaluator.result import Result
from ..search.base import Committed
from .evidence import Work, agree, strays, work_of
from .reading import Told
from .reckoning import Reckoning
from .record import Record
from .tally import GRAIN, NEW, TOLERANCE, Tally

Colour = Literal["green", "yellow", "red"]

YELLOW, RED = 1.0, 4.0
"""Residuals from which an author is looked at closely."""

USUAL = 0.99
"""The share of differences that is within what is shown as usual."""


@dataclass(frozen=True)
class Author:
    """What is known of an author.

    ``right`` and ``wrong`` are how often it was found so, ``vouched`` how often of the former by
    others whom this peer believes, ``strayed`` how often apart as two seeds are. ``bias`` is the
    mean of what it claimed less what was found, where it was right, in bits per byte, and
    ``residual`` the mean of its square, as many times a third of the tolerance squared; None where
    it was never found right. ``own`` are this peer's.
    """

    author: str
    records: int
    own: bool
    believed: bool
    frozen: bool
    right: int
    wrong: int
    vouched: int
    strayed: int
    bias: float | None
    residual: float | None
    colour: Colour


class Spread(NamedTuple):
    """How far believed measurements of one work by two classes of devices are apart."""

    devices: tuple[str, str]
    pairs: int
    usual: float
    most: float


@dataclass(frozen=True)
class Standing:
    """The authors of a run, those with the most records first, and the spread of devices."""

    authors: tuple[Author, ...]
    spreads: tuple[Spread, ...]


def standing(told: Iterable[Told]) -> Standing:
    """Return what a log shows of the authors of its run."""
    records, drivers, committed = dict[str, Record](), set[str](), set[str]()
    for line in told:
        if isinstance(line.event, Committed):
            committed.add(line.event.record)
        if line.record is not None and line.record.id not in records:
            records[line.record.id] = line.record
            drivers.update(line.drivers)
    reckoning = Reckoning(min(drivers, default=""))
    reckoning.hear(records.values(), drivers, committed)
    counts = Counter(record.author for record in records.values())
    authors = [_author(reckoning, name, counts[name], drivers) for name in counts]
    authors.sort(key=lambda each: (-each.records, each.author))
    sound = [r for r in records.values() if r.author in reckoning.trusted and r.genuine]
    return Standing(tuple(authors), tuple(_spreads(sound, drivers)))


def colour_of(tally: Tally, *, frozen: bool) -> Colour:
    """Return red for whose figures are not what is found, green for who is without a doubt."""
    residual = _residual(tally) or 0.0
    if frozen or tally.doubted or tally.slanted or residual > RED:
        return "red"
    return "green" if tally.believed and not tally.wrong and residual <= YELLOW else "yellow"


def _author(reckoning: Reckoning, name: str, records: int, drivers: set[str]) -> Author:
    tally, own = reckoning.tallies.get(name, NEW), name in drivers
    frozen = name in reckoning.frozen
    return Author(
        author=name,
        records=records,
        own=own,
        believed=name in reckoning.trusted,
        frozen=frozen,
        right=tally.confirmed,
        wrong=tally.wrong,
        vouched=tally.vouched,
        strayed=tally.strayed,
        bias=tally.shift * GRAIN / tally.confirmed if tally.confirmed else None,
        residual=_residual(tally),
        colour="green" if own else colour_of(tally, frozen=frozen),
    )


def _residual(tally: Tally) -> float | None:
    if not tally.confirmed:
        return None
    return tally.square * GRAIN**2 / tally.confirmed / (TOLERANCE / 3) ** 2


def _spreads(sound: Iterable[Record], drivers: set[str]) -> Iterable[Spread]:
    """Yield how far own measurements and those of believed authors are apart, by their devices."""
    works = defaultdict[Work, list[Record]](list)
    for record in sound:
        works[work_of(record.result)].append(record)
    found = defaultdict[tuple[str, str], list[float]](list)
    for several in works.values():
        for own in (record for record in several if record.author in drivers):
            for other in several:
                if other.author not in drivers and _comparable(own.result, other.result):
                    found[_devices(own, other)].append(_apart(own, other))
    for devices, differences in sorted(found.items()):
        differences.sort()
        usual = differences[int(USUAL * (len(differences) - 1))]
        yield Spread(devices, len(differences), usual, differences[-1])


def _comparable(own: Result, other: Result) -> bool:
    return bool(agree(own, other)) or strays(own, other)


def _devices(one: Record, other: Record) -> tuple[str, str]:
    first, second = sorted((one.result.measured.device, other.result.measured.device))
    return first, second


def _apart(one: Record, other: Record) -> float:
    return abs((one.result.bits_per_byte or 0.0) - (other.result.bits_per_byte or 0.0))
