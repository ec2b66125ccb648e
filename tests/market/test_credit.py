from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.cost import Costs
from praxis_evolve.market import credit
from praxis_evolve.market.credit import PASSES, PROVEN, Account, Price, nearest, price_of
from praxis_evolve.market.evidence import APART
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.tally import ERRING, STANDING, TOLERANCE
from praxis_evolve.market.trust import Trust
from praxis_evolve.market.witness import Witness

RUN = "ef" * 32
RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5)


def named(number: int) -> Identity:
    key = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
    return Identity.of(key)


ME, ONE, TWO, THREE = named(101), named(102), named(103), named(104)


class Said(NamedTuple):
    """A claim: of which work, how many bits (None: failed), and how much was inherited."""

    work: int
    bits: float | None = 2.0
    inherited: int = 0


BASE = tuple(Said(number) for number in range(100, 100 + STANDING))
"""Works that prove an author and let it be believed, and are worth nothing in these tests."""


def genome(number: int) -> str:
    return f"{number:064x}"


def says(author: Identity, *claims: Said) -> list[Record]:
    records: list[Record] = []
    for said in claims:
        result = replace(
            RESULT, genome=genome(said.work), bits_per_byte=said.bits,
            inherited_tokens=said.inherited,
        )  # fmt: skip
        if said.bits is None:
            result = replace(result, failure="out of memory", reason="too little here")
        prev = records[-1].id if records else FIRST
        records.append(
            sign(result, author, run=RUN, seq=len(records), prev=prev, catalog="00" * 32,
                 program="1")
        )  # fmt: skip
    return records


def seen(early: Iterable[Record] = (), *own: Identity) -> Witness:
    """A witness who asked for everything after it had heard of the *early* records."""
    ids = frozenset(record.id for record in early)
    return Witness(frozenset(each.author for each in own or (ME,)), ids, ids, {}, {}, {})


def accounts(
    records: Sequence[Record], seen: Witness, price: Price, line: Collection[str] = ()
) -> list[Account]:
    """Credit where the log says of each record what trust does: the early ones first, then own."""

    def place(record: Record) -> tuple[int, str, int, str]:
        later = 1 + (record.author not in seen.own)
        return (
            0 if record.id in seen.early else later, record.author, record.seq, record.id,
        )  # fmt: skip

    heard = sorted(records, key=place)
    weights = Trust(heard, min(seen.own, default=""), seen.own).weights()
    return credit.accounts(records, replace(seen, weights=weights), price, line=line)


def price(result: Result) -> float:
    """Each work has a price of its own, a power of two so that sums are exact."""
    number = int(result.genome, 16)
    return float(1 << number) if number < 100 else 0.0


def by_author(found: Sequence[Account]) -> Mapping[str, Account]:
    return {account.author: account for account in found}


def credit_of(records: Sequence[Record], author: Identity, early: Iterable[Record] = ()) -> float:
    return by_author(accounts(records, seen(early), price))[author.author].credit


def test_credit_is_what_this_peer_measured_and_found_the_same_of_earlier_claims():
    more = [Said(number) for number in range(110, 120)]
    theirs = says(ONE, *BASE, *more, Said(1), Said(2), Said(3, 1.0), Said(4), Said(5, None))
    mine = says(
        ME, *BASE, *more, Said(1), Said(2, 2.0 + TOLERANCE / 2), Said(3), Said(5), Said(6)
    )  # fmt: skip
    found = by_author(accounts([*mine, *theirs], seen(theirs), price))
    one = found[ONE.author]
    assert one.trusted in (one.credit, one.credit + 16)  # an audit by lot
    assert replace(one, trusted=0.0) == Account(
        ONE.author, "proven", results=24, failures=1, right=22, wrong=1,
        claimed=2.0 + 4 + 8 + 16, credit=2.0 + 4, trusted=0.0, agreed=1.0 + 2, ancestors=0.0,
    )  # fmt: skip
    assert found[ME.author].standing == "own"
    assert found[ME.author].credit == found[ME.author].claimed == 2.0 + 4 + 8 + 32 + 64


def test_a_copy_of_what_this_peer_had_published_earns_nothing():
    mine = says(ME, *(Said(n) for n in range(20)))
    copies = says(ONE, *(Said(n, 2.0 + 1e-5 * n) for n in range(20)))
    found = by_author(accounts([*mine, *copies], seen(), price))[ONE.author]
    assert (found.right, found.wrong, found.standing) == (0, 0, "not proven")
    assert found.credit == found.trusted == 0.0


def test_names_that_confirm_each_other_earn_nothing():
    names = [named(number) for number in range(12)]
    lies = [r for name in names for r in says(name, *(Said(n, 1.0) for n in range(30)))]
    mine = says(ME, *(Said(n) for n in range(40, 50)))
    for account in accounts([*mine, *lies], seen(lies), price):
        if account.author != ME.author:
            assert account.credit == account.trusted == 0.0
            assert account.agreed > 0  # which is why this is no credit


def test_who_is_believed_cannot_vouch_for_its_other_name():
    invented = [Said(n, 3.0) for n in range(40)]
    checked = [*BASE, *(Said(110 + n) for n in range(APART))]
    one, two = says(ONE, *checked, *invented), says(TWO, *invented)
    records = [*says(ME, *checked), *one, *two]
    found = by_author(accounts(records, seen([*one, *two]), price))
    assert found[ONE.author].standing == "proven"
    assert found[TWO.author].trusted > 0
    assert found[ONE.author].credit == found[TWO.author].credit == 0.0


def test_credit_begins_when_an_author_is_proven_and_then_counts_from_the_first_work():
    works = [Said(number) for number in range(PROVEN + 2)]
    for count in range(PROVEN + 3):
        theirs = says(ONE, *works)
        wanted = 2.0**count - 1 if count >= PROVEN else 0.0
        assert credit_of([*says(ME, *works[:count]), *theirs], ONE, early=theirs) == wanted


def test_many_names_that_guess_earn_nothing_by_the_one_that_is_right():
    names = [named(number) for number in range(60)]
    guesses = [
        record
        for step, name in enumerate(names)
        for record in says(
            name,
            Said(1, 1.97 + step * TOLERANCE),
            Said(2, 2.02 - step * TOLERANCE),
            Said(3, 1.97 + 7 * step % 60 * TOLERANCE),
            Said(4, 1.97 + 11 * step % 60 * TOLERANCE),
        )
    ]
    mine = says(ME, *(Said(number) for number in range(1, 5)))
    found = accounts([*mine, *guesses], seen(guesses), price)
    assert sum(account.right for account in found) > 4
    assert all(account.credit == 0 for account in found if account.author != ME.author)


def test_two_names_share_what_one_would_have_and_three_have_less():
    mine = says(ME, *BASE, Said(3))
    several = [says(name, *BASE, Said(3)) for name in (ONE, TWO, THREE)]
    for count, share in ((1, 8.0), (2, 4.0), (3, 2.0)):
        theirs = [record for each in several[:count] for record in each]
        assert credit_of([*mine, *theirs], ONE, early=theirs) == share
    assert credit_of([*mine, *(r for each in several for r in each)], ME) == 8.0


def test_who_signed_two_records_for_one_place_earns_nothing_unless_it_is_this_peer():
    fork = [*says(ONE, *BASE, Said(1), Said(2)), *says(ONE, *BASE, Said(1), Said(3))]
    mine = says(ME, *BASE, Said(1), Said(2), Said(3))
    found = by_author(accounts([*fork, *mine], seen(fork), price))
    assert found[ONE.author].standing == "forked"
    assert found[ONE.author].credit == found[ONE.author].trusted == found[ONE.author].agreed == 0.0
    again = says(ME, *BASE[1:], Said(4))
    found = by_author(accounts([*mine, *again], seen(), price))
    assert found[ME.author].credit == 2.0 + 4 + 8 + 16


def test_guesses_at_one_work_are_right_with_none_of_them():
    guesses = says(ONE, *BASE, *(Said(1, 1.5 + n * TOLERANCE) for n in range(700)))
    assert credit_of([*says(ME, *BASE, Said(1)), *guesses], ONE, early=guesses) == 0.0


def test_a_work_is_paid_once_whatever_weights_it_is_said_to_have_begun_with():
    heirs = [Said(1), *(Said(1, 2.0, inherited) for inherited in range(1, 30))]
    theirs, other = says(ONE, *BASE, *heirs), says(TWO, *heirs)
    mine = says(ME, *BASE, *heirs)
    found = by_author(accounts([*theirs, *other, *mine], seen(theirs), price))
    assert found[ONE.author].claimed == found[ONE.author].credit == 2.0
    assert found[ONE.author].agreed <= 2.0
    assert found[ME.author].credit == 2.0
    mine = says(ME, *BASE, Said(1, 2.0, 77))
    only = by_author(accounts([*theirs, *mine], seen(theirs), price))
    assert only[ONE.author].credit == 0.0  # nobody else began with these weights


def test_what_is_believed_unchecked_is_trusted_but_no_credit_and_goes_when_its_author_is_caught():
    checked = [Said(n) for n in range(STANDING + APART)]
    theirs = says(ONE, *checked, *(Said(n) for n in range(STANDING + APART, 40)))
    mine = says(ME, *checked)
    before = by_author(accounts([*mine, *theirs], seen(theirs), price))[ONE.author]
    assert before.standing == "proven"
    assert before.trusted > before.credit == 2.0 ** (STANDING + APART) - 1
    caught = says(ME, *checked, Said(39, 1.0))
    after = by_author(accounts([*caught, *theirs], seen(theirs), price))[ONE.author]
    assert (after.standing, after.wrong) == ("not proven", 1)
    assert after.trusted == after.credit == 0.0


def test_who_never_asked_sees_what_names_agree_on_and_nothing_else():
    theirs = [record for author in (ONE, TWO) for record in says(author, *BASE, Said(3))]
    for account in accounts(
        theirs, Witness(frozenset(), frozenset(), frozenset(), {}, {}, {}), price
    ):
        assert account.agreed == 4.0
        assert account.credit == account.trusted == 0.0


def test_most_names_agree_or_nobody_does():
    def agreed(*bits: float) -> list[float]:
        names = [named(number) for number in range(len(bits))]
        records = [r for n, b in zip(names, bits, strict=True) for r in says(n, Said(3, b))]
        found = by_author(accounts(records, seen(), price))
        return [found[name.author].agreed for name in names]

    assert agreed(2.0) == [0.0]
    assert agreed(2.0, 2.0) == [4.0, 4.0]
    assert agreed(2.0, 1.0) == [0.0, 0.0]
    assert agreed(2.0, 1.0, 2.0) == [4.0, 0.0, 4.0]
    assert agreed(2.0, 1.0, 2.0, 1.0) == [0.0] * 4


@given(st.lists(st.integers(0, 40), max_size=12))
def test_the_nearest_names_are_the_largest_group_within_the_tolerance(steps: list[int]) -> None:
    values = {str(n): 2.0 + step * TOLERANCE / 4.5 for n, step in enumerate(steps)}
    found = nearest(values)
    within = [values[name] for name in found]
    assert not found or max(within) - min(within) <= TOLERANCE
    groups = [[v for v in values.values() if 0 <= v - low <= TOLERANCE] for low in values.values()]
    assert len(found) == max(map(len, groups), default=0)


def test_who_brought_or_bred_an_ancestor_of_the_best_has_a_part_in_it():
    theirs, late = says(ONE, Said(1), Said(2)), says(TWO, Said(1), Said(2))
    mine = says(ME, Said(1), Said(3), Said(4))
    line = {genome(4): frozenset({genome(3), genome(1)}), genome(3): frozenset({genome(1)})}
    bred = {genome(number): frozenset({ME.author}) for number in (3, 4)}
    early = frozenset(record.id for record in theirs)
    witness = Witness(frozenset({ME.author}), early, early, bred, line, {})
    best = witness.line(genome(4))
    found = by_author(accounts([*mine, *theirs, *late], witness, price, line=best))
    parts = {name: account.ancestors for name, account in found.items()}
    assert parts == {ME.author: 2.0, ONE.author: 1.0, TWO.author: 0.0}
    wrong = says(ME, Said(1, 1.0))
    found = by_author(accounts([*wrong, *theirs], witness, price, line=best))
    assert found[ONE.author].ancestors == 0.0


def test_a_training_costs_its_formula_times_what_the_rung_adds():
    cost = Costs(parameters=5, flops=100.0, active_flops=80.0, carry_bytes=1.0)
    found = price_of({RESULT.genome: cost}, Ladder((1000, 3000)))
    assert found(RESULT) == PASSES * 80.0 * 1000
    assert found(replace(RESULT, rung=3000)) == pytest.approx(PASSES * 80.0 * (3000 - 900))
    assert found(replace(RESULT, rung=3000, replica=2)) == PASSES * 80.0 * 3000
    assert found(replace(RESULT, inherited_tokens=10**9)) == found(RESULT)
    assert found(replace(RESULT, genome=genome(1))) == found(replace(RESULT, rung=77)) == 0.0


CLAIMS = st.builds(
    Said, st.integers(0, 4), st.sampled_from([None, 1.0, 2.0, 2.0 + TOLERANCE / 2]),
    st.sampled_from([0, 0, 9]),
)  # fmt: skip
CHAINS = st.lists(st.lists(CLAIMS, max_size=6), min_size=2, max_size=4)
BASES = st.sampled_from([PROVEN - 2, PROVEN, 2 * ERRING])


def world(chains: Sequence[Sequence[Said]], base: int, rng: Random) -> tuple[list[Record], Witness]:
    """The first chain is this peer's; of the others some records came before it asked."""
    proof = [Said(number) for number in range(100, 100 + base)]
    authors = (ME, ONE, TWO, THREE)
    several = zip(authors, chains, strict=False)
    records = [record for author, said in several for record in says(author, *proof, *said)]
    others = [record for record in records if record.author != ME.author]
    return records, seen(r for r in others if rng.random() < 0.8)


@given(chains=CHAINS, base=BASES, seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_order_repeats_and_ways_of_splitting_and_merging_change_nothing(
    chains: list[list[Said]], base: int, seed: int
) -> None:
    rng = Random(seed)
    records, witness = world(chains, base, rng)
    found = accounts(records, witness, price)
    parts: list[list[Record]] = [[], [], []]
    for record in records:
        for part in rng.sample(parts, rng.randint(1, 3)):
            part.append(record)
    merged = [r for part in rng.sample(parts, 3) for r in rng.sample(part, len(part))]
    assert accounts(merged, witness, price) == found
    ranks = [(-a.credit, -a.trusted) for a in found]
    assert all(one <= other for one, other in pairwise(ranks))


def plain_credit(records: Sequence[Record], early: frozenset[str]) -> dict[str, float]:
    """Credit counted work by work, the slow and simple way."""
    mine = {
        (r.result.genome, r.result.inherited_tokens): r.result.bits_per_byte
        for r in reversed(records)
        if r.author == ME.author and r.result.bits_per_byte is not None
    }
    right, wrong = set[tuple[str, str, int]](), set[tuple[str, str, int]]()
    for record in records:
        result, bits = record.result, record.result.bits_per_byte
        own = mine.get((result.genome, result.inherited_tokens))
        if record.author != ME.author and bits is not None and own is not None:
            place = record.author, result.genome, result.inherited_tokens
            if abs(bits - own) > TOLERANCE:
                wrong.add(place)
            elif record.id in early:
                right.add(place)
    right -= wrong
    tallies = {
        author: [sum(place[0] == author for place in each) for each in (right, wrong)]
        for author in {record.author for record in records}
    }
    proven = {a for a, (r, w) in tallies.items() if r >= PROVEN and r >= ERRING * w}
    found = dict.fromkeys(tallies, 0.0)
    for number in range(5):
        if any(name == genome(number) for name, _ in mine):
            found[ME.author] += 2.0**number
        names = {author for author, name, _ in right if name == genome(number)} & proven
        for author in names:
            found[author] += 2.0**number / 2 ** (len(names) - 1)
    return found


@given(chains=CHAINS, base=BASES, seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_credit_is_that_of_a_plain_count(chains: list[list[Said]], base: int, seed: int) -> None:
    records, witness = world(chains, base, Random(seed))
    found = accounts(records, witness, price)
    assert {a.author: a.credit for a in found} == plain_credit(records, witness.early)
    assert all(account.credit <= account.trusted <= account.claimed for account in found)


@given(
    chains=CHAINS, others=st.booleans(), names=st.integers(2, 4), seed=st.integers(0, 2**32)
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_more_names_never_earn_more_for_the_same_work(
    chains: list[list[Said]], others: bool, names: int, seed: int
) -> None:
    """Whoever did some work signs it by several names, each any part of it and some by many."""
    rng = Random(seed)
    work = [*BASE, *(Said(number) for number in rng.sample(range(10), rng.randint(0, 10)))]
    mine = says(ME, *BASE, *(said for chain in chains for said in chain))
    beside = says(TWO, *work) if others else []
    one = says(ONE, *work)
    crowd = [
        says(named(number), *BASE, *(said for said in work[STANDING:] if rng.random() < 0.7))
        for number in range(names)
    ]
    split = [record for each in crowd for record in each]
    alone = by_author(accounts([*mine, *beside, *one], seen([*beside, *one]), price))
    found = by_author(accounts([*mine, *beside, *split], seen([*beside, *split]), price))
    earned = sum(found[each[0].author].credit for each in crowd)
    most = {r.result.genome: price(r.result) for r in mine if r.result.ok}
    if not alone[ONE.author].wrong:
        assert earned <= alone[ONE.author].credit
    assert sum(a.credit for a in found.values() if a.author != ME.author) <= sum(most.values())
