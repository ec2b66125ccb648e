"""When a machine may work: a pure function of what was observed and what its owner allows."""

from __future__ import annotations

import re
from dataclasses import dataclass

DAY = 24 * 60
"""Minutes of a day."""

BUSY = 0.25
"""The share of all cores that other programs may use before the machine counts as used."""

_HOURS = re.compile(r"(\d{1,2})(?::(\d\d))?-(\d{1,2})(?::(\d\d))?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")


@dataclass(frozen=True)
class Hours:
    """A part of each day, in minutes from local midnight; one that begins late ends tomorrow."""

    begin: int
    end: int

    def __contains__(self, minute: int) -> bool:
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{clock_text(self.begin)}-{clock_text(self.end)}"


@dataclass(frozen=True)
class Terms:
    """What the owner of a machine allows; None and True allow all.

    ``idle`` are seconds for which the machine must have been unused; ``on_battery`` says whether
    work goes on without a plug; ``disk`` are the most bytes that the run may keep.
    """

    hours: Hours | None = None
    idle: float | None = None
    on_battery: bool = True
    disk: int | None = None


@dataclass(frozen=True)
class Facts:
    """What was observed of a machine; None is unknown, and hinders nothing.

    ``minute`` is of the local day; ``unused`` for how many seconds nobody typed and other programs
    left the cores alone, and ``usage`` says what ended that; ``on_battery`` is whether no plug is
    in, ``charge`` of 100; ``disk`` are the bytes that the run keeps and that cannot be pruned.
    """

    minute: int = 0
    unused: float | None = None
    usage: str = ""
    on_battery: bool | None = None
    charge: float | None = None
    disk: int | None = None


@dataclass(frozen=True)
class Pause:
    """Why nothing is worked on: what holds it (a word), in words, and until when.

    ``ends`` says that waiting does not help.
    """

    by: str
    why: str
    until: str = ""
    ends: bool = False

    def __str__(self) -> str:
        return f"{self.why}; until {self.until}" if self.until else self.why


def hindrance(terms: Terms, facts: Facts) -> Pause | None:
    """Return why a machine may not work now, None if it may."""
    if terms.disk is not None and facts.disk is not None and facts.disk > terms.disk:
        why = f"the run keeps {bytes_text(facts.disk)}, above --disk {bytes_text(terms.disk)}"
        return Pause("disk", why, ends=True)
    if terms.hours is not None and facts.minute not in terms.hours:
        why = f"it is {clock_text(facts.minute)}, outside of --hours {terms.hours}"
        return Pause("hours", why, clock_text(terms.hours.begin))
    if not terms.on_battery and facts.on_battery:
        charge = "" if facts.charge is None else f" ({facts.charge:.0f} %)"
        return Pause("battery", f"on battery{charge}; --on-battery yes works on", "plugged in")
    if terms.idle is not None and facts.unused is not None and facts.unused < terms.idle:
        until = f"unused for {span_text(terms.idle)}"  # true as long as the pause is
        return Pause("use", f"the machine is used: {facts.usage}", until)
    return None


def parse_hours(text: str) -> Hours:
    """Return the hours in texts such as ``22-7`` or ``9:30-17``.

    Raises:
        ValueError: it is not such a text, or the hours have no length.
    """
    found = _HOURS.fullmatch(text.strip())
    begin = -1 if found is None else _minute(found[1], found[2])
    end = -1 if found is None else _minute(found[3], found[4])
    if not (0 <= begin < DAY and 0 <= end <= DAY) or begin == end % DAY:
        raise ValueError(
            f"{text!r} are no hours of a day; write 22-7 or 9:30-17, which begin and end in local "
            "time and may pass midnight"
        )
    return Hours(begin, end % DAY)


def parse_span(text: str) -> float:
    """Return the seconds in texts such as ``3m``, ``90s`` or ``1h``; a bare number is of minutes.

    Raises:
        ValueError: it is not such a text, or not above 0.
    """
    found = _SPAN.fullmatch(text.strip())
    seconds = 0.0
    if found is not None:
        seconds = float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "m"]
    if not 0 < seconds <= 60 * DAY:
        raise ValueError(f"{text!r} is no time; write 90s, 3m or 1h, at most a day")
    return seconds


def clock_text(minute: int) -> str:
    """Return a minute of the day as 07:05."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def bytes_text(count: int) -> str:
    """Return a number of bytes as 2.00 GB, 1.5 MB or 12 kB."""
    if count >= 10**9:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 10**6 else f"{count / 1e3:.0f} kB"


def span_text(seconds: float) -> str:
    """Return a span as 90 s or 3 min, rounded up: who waits is not to be told 0."""
    whole = int(-(-seconds // 1))
    return f"{whole} s" if whole < 120 else f"{-(-whole // 60)} min"


def _minute(hour: str, minute: str | None) -> int:
    """Return the minute of the day, or one that no day has."""
    inside = int(minute or 0)
    return 60 * int(hour) + inside if inside < 60 else -1
