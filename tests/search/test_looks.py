"""Second looks, and that what is reported of a winner owes nothing to luck."""

from itertools import pairwise
from random import Random
from statistics import fmean, stdev

from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.evaluator.result import Result
from praxis_evolve.search.campaign import Entrant
from praxis_evolve.search.finals import by_replica, finalists, winner
from praxis_evolve.search.looks import CONTENDERS, REPLICAS, looks, settled
from praxis_evolve.search.toy import Toy

TOY = Toy(length=2)
NAMES = [f"{number:02}" for number in range(32)]
GENOMES = {name: TOY.spell([number % 6, number // 6], "") for number, name in enumerate(NAMES)}


def result(name: str, replica: int, bits: float | None, *, inherited: int = 0) -> Result:
    failure = None if bits is not None else "diverged"
    test = bits if replica > 0 else None
    return Result(
        name, name, 900, replica, replica, bits, test, failure=failure, inherited_tokens=inherited
    )


def test_looks_go_replica_by_replica():
    one, two = GENOMES["00"], GENOMES["01"]
    assert looks([one, two], rung=900, replicas=(-1, -2)) == [
        Entrant(one, 900, -1, "look"),
        Entrant(two, 900, -1, "look"),
        Entrant(one, 900, -2, "look"),
        Entrant(two, 900, -2, "look"),
    ]


bits = st.one_of(st.none(), st.floats(1, 4))


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(bits, bits, bits), min_size=1))
def test_the_order_is_by_looks_that_succeeded_and_then_by_the_mean(
    found: dict[str, tuple[float | None, float | None, float | None]],
):
    results = [
        result(name, replica, value)
        for name, values in found.items()
        for replica, value in zip((0, -1, -2), values, strict=True)
    ]
    ordered = settled(results, list(found), rung=900)
    assert sorted(ordered) == sorted(found)
    for one, other in pairwise(ordered):
        ours, theirs = found[one], found[other]
        looked = [sum(v is not None for v in values[1:]) for values in (ours, theirs)]
        assert looked[0] >= looked[1]
        known = [[v for v in values if v is not None] for values in (ours, theirs)]
        if looked[0] == looked[1] and all(known):
            assert fmean(known[0]) <= fmean(known[1])


def test_finals_other_rungs_and_heirs_have_no_part_in_the_choice():
    results = [result("a", -1, 2.5), result("b", -1, 2.6)]
    others = [
        result("b", 1, 1.0),
        result("b", 0, 1.0, inherited=90),
        Result("b", "b", 300, 0, 0, 1.0),
    ]
    assert settled([*others, *results], ["b", "a"], rung=900) == ["a", "b"]


def noisy(rng: Random, truth: dict[str, float], replica: int, names: list[str]) -> list[Result]:
    return [result(name, replica, truth[name] + rng.gauss(0.0, 0.05)) for name in names]


def campaign(rng: Random, *, looked: bool) -> tuple[float, float, float]:
    """The regret of a winner, and by how much its final and its search result flatter it."""
    truth = {name: rng.gauss(3.0, 0.03) for name in NAMES}
    found = noisy(rng, truth, 0, NAMES)
    contenders = finalists(found, GENOMES, top_rung=900, count=2 * CONTENDERS if looked else 2)
    for replica in REPLICAS if looked else ():
        found += noisy(rng, truth, replica, contenders)
    chosen = settled(found, contenders, rung=900)[:2]
    for replica in (1, 2, 3):
        found += noisy(rng, truth, replica, chosen)
    best = winner(found, chosen, rung=900)
    assert best is not None
    reported = fmean(by_replica(found, best, rung=900).values())
    first = next(r.bits_per_byte for r in found if r.genome == best) or 0.0
    return truth[best] - min(truth.values()), reported - truth[best], first - truth[best]


def test_a_noisy_table_curses_no_winner_and_looks_choose_better_ones():
    seeds = range(300)
    with_looks = [campaign(Random(seed), looked=True) for seed in seeds]
    without = [campaign(Random(seed), looked=False) for seed in seeds]
    for runs in (with_looks, without):
        flattery, luck = [run[1] for run in runs], [run[2] for run in runs]
        error = stdev(flattery) / len(seeds) ** 0.5
        assert abs(fmean(flattery)) < 3 * error
        assert fmean(luck) < -8 * error  # what the search saw of it was luck
    gains = [ours[0] - theirs[0] for ours, theirs in zip(with_looks, without, strict=True)]
    assert fmean(gains) + 3 * stdev(gains) / len(seeds) ** 0.5 < 0
