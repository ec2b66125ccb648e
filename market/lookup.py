"""Finding runs and genomes by name; errors name the nearest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from . import rows
from .errors import NotFoundError
from .prepared import Driven

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def refuse_name(name: str) -> None:
    """Refuse names of runs that would not do in a path or on a command line.

    Raises:
        ValueError: the name has other characters or is too long.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            "the name of a run has 1 to 100 letters, digits, dots, dashes or underscores and "
            f"begins with a letter or digit, but is {name!r}"
        )


def no_run(name: str, names: Sequence[str], store: str) -> NotFoundError:
    """Return the error that says there is no run called *name*, and what the nearest are."""
    nearest = difflib.get_close_matches(name, names, n=3) or sorted(names)[:5]
    hint = f"there are {nearest}" if nearest else "there are none"
    return NotFoundError(f"the store {store} has no run {name!r}; {hint}")


def by_prefix(ids: Sequence[str], prefix: str, run: str) -> str:
    """Return the only one of *ids* (sorted) that begins with *prefix*, ``g-`` aside.

    Raises:
        NotFoundError: none does or several do.
    """
    start = prefix.removeprefix("g-").lower()
    found = [one for one in ids if one.startswith(start)]
    if len(found) == 1:
        return found[0]
    if found:
        length = _shared(found[0], found[-1]) + 1
        raise NotFoundError(
            f"{len(found)} genomes of run {run!r} begin with {prefix!r}: "
            f"{', '.join(one[: max(length, 6)] for one in found[:5])}; give more digits"
        )
    nearest = sorted(ids, key=lambda one: -_shared(one, start))[:3]
    hint = f"the nearest are {[f'g-{one[:6]}' for one in nearest]}" if nearest else "it has none"
    raise NotFoundError(f"run {run!r} has no genome {prefix!r}; {hint}")


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def refuse_unknown(connection: Driven, run: str, genome: str) -> None:
    """Refuse a genome whose text is not stored: a result counts only with its genome.

    Raises:
        NotFoundError: it is not there.
    """
    if not rows.has_genome(connection, run, genome):
        raise NotFoundError(
            f"run {run!r} has no genome {genome!r}, so a result for it cannot be stored; "
            "call append_asked or put_genome with the genome first"
        )
