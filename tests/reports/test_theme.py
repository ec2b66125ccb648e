"""Every family that is installed has a colour of its own in the pictures of genomes."""

from itertools import combinations

from praxis_evolve.blocks.registry import installed
from praxis_evolve.reports.theme import FAMILIES, INK, PAPER, family_color

NEAR = 40
"""Of 442 from black to white: two colours nearer than this look alike."""


def channels(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))


def apart(one: str, other: str) -> float:
    pairs = zip(channels(one), channels(other), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


def test_no_installed_family_falls_to_a_colour_for_strangers() -> None:
    families = {declaration.family for declaration in installed()}
    assert families <= FAMILIES.keys()
    colors = {family: family_color(family) for family in sorted(families)}
    for (one, its), (other, others) in combinations(colors.items(), 2):
        assert apart(its, others) > NEAR, (one, other)
    for family, color in colors.items():
        assert min(apart(color, ground) for ground in (INK, PAPER)) > NEAR, family


def test_a_strangers_family_keeps_its_colour() -> None:
    assert family_color("theirs") == family_color("theirs")
    assert family_color("theirs") not in FAMILIES.values()
