"""``run --history``: genomes of an Optuna study that a run tries first."""

from __future__ import annotations

from ..genome.space import Space
from ..genome.starters import llama
from ..genome.text import to_json
from .errors import CliError, Code
from .output import notice

FORM = "optuna:URL#STUDY"


def read_history(
    source: str, space: Space, *, layers: int, most: int, most_bytes: int
) -> tuple[str, ...]:
    """Return the texts of at most so many genomes of a study; say what was left out.

    Args:
        source: the study, as ``FORM``.
        space: where genomes have to be legal.
        layers: of the genome that training genes are put into.
        most: how many genomes there may be.
        most_bytes: of all texts together.

    Raises:
        CliError: there is no such study.
    """
    from ..search.history import claims, history
    from ..search.optuna_study import StudyError

    tool, _, place = source.partition(":")
    url, _, name = place.rpartition("#") if "#" in place else (place, "", "")
    if tool != "optuna" or not url:
        raise CliError(f"--history is {source!r}", why=f"it must be {FORM}", code=Code.USAGE)
    try:
        found = history(claims(url, name or None), space, llama(space, layers=layers))
    except StudyError as error:
        raise CliError(f"--history: {error}", cure=f"give {FORM}", code=Code.STORE) from error
    for reason, count in found.left_out.items():
        notice(f"left out    {count} of the history: {reason}")
    texts, size = list[str](), 0
    for genome in found.genomes.values():
        text = to_json(genome)
        size += len(text)
        if len(texts) < most and size <= most_bytes:
            texts.append(text)
    beyond = len(found.genomes) - len(texts)
    more = f"; {beyond} more than half of the population are left out" if beyond else ""
    notice(f"history     {len(texts)} genomes are tried first, and no figure of them counts{more}")
    return tuple(texts)
