"""``run --prior``: what a user expects of traits, by slot and value."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from ..blocks.ranges import Integer, Range, Real
from ..genome.slots import slots, value_text
from ..genome.space import Space
from ..genome.traits import Trait, bin_texts
from .errors import CliError, Code
from .settings import parse_prior

NEAREST = 3


def read_priors(texts: Sequence[str], space: Space) -> dict[Trait, float]:
    """Return what is expected of which traits of the genomes of *space*.

    Args:
        texts: such as ``mixer=retention`` or ``learning_rate=0.01:0.2``.
        space: whose slots and values they may name.

    Raises:
        CliError: there is no such slot or value, or a trait is named twice.
    """
    known, found = slots(space), dict[Trait, float]()
    for text in texts:
        slot, value, strength = parse_prior(text)
        trait = _trait(text, slot, value, known)
        if trait in found:
            raise _unusable(
                f"--prior {text} is a second one of {slot}={trait.value}",
                why="a trait has one prior; values of one stretch of a range are one trait",
                cure="give one of them",
            )
        found[trait] = strength
    return found


def prior_text(trait: Trait) -> str:
    """Return the name of a trait as ``--prior`` takes it."""
    return f"{trait.slot}={trait.value}"


def _trait(text: str, slot: str, value: str, known: Mapping[str, Range]) -> Trait:
    if slot not in known:
        near = difflib.get_close_matches(slot, known, n=NEAREST)
        whole = [name for name in known if "." not in name and not name.startswith("after ")]
        raise _unusable(
            f"--prior {text}: no slot is called {slot!r}",
            why=f"the nearest are {', '.join(near)}"
            if near
            else f"there are {', '.join(whole)}, 'after BLOCK' and 'BLOCK.SETTING'",
            cure="praxis-evolve shares --all lists the slots of a run",
        )
    named = value_text(known[slot], value)
    if named is None:
        near = difflib.get_close_matches(value, bin_texts(known[slot]), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise _unusable(
            f"--prior {text}: the slot {slot!r} has no value {value!r}",
            why=f"{hint}there are {_values(known[slot])}",
            cure="name one of them",
        )
    return Trait(slot, named)


def _values(range_: Range) -> str:
    names = ", ".join(bin_texts(range_))
    if isinstance(range_, Integer | Real):
        return f"the numbers from {range_.low:g} to {range_.high:g}, as the stretches {names}"
    return names


def _unusable(what: str, *, why: str, cure: str) -> CliError:
    return CliError(what, why=why, cure=cure, code=Code.USAGE)
