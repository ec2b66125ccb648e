from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.evaluator.result import Result
from praxis_evolve.market.chain import chain_problems, forked
from praxis_evolve.market.evidence import APART, AUDITED, DOUBTED, UNVERIFIED
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.tally import STANDING, STRAY, TOLERANCE, Tally
from praxis_evolve.market.trust import Trust

RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5)


def named(number: int) -> Identity:
    """The same identity each time: audits are drawn by the names of records."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
    return Identity.of(key)


ME, OTHER = named(101), named(102)


def chain(author: Identity, count: int, *, bits: float = 2.5) -> list[Record]:
    several = (replace(RESULT, replica=seq, bits_per_byte=bits) for seq in range(count))
    return chain_of(author, *several)


def chain_of(author: Identity, *results: Result) -> list[Record]:
    records: list[Record] = []
    for seq, result in enumerate(results):
        prev = records[-1].id if records else FIRST
        records.append(
            sign(result, author, run="ef" * 32, seq=seq, prev=prev, catalog="00" * 32, program="1")
        )
    return records


def says(
    author: Identity, answers: Mapping[int, float | None], heirs: Container[int] = ()
) -> list[Record]:
    """A chain of what an author says of works by number; None is a failure."""
    records: list[Record] = []
    for number, bits in answers.items():
        result = replace(RESULT, genome=f"{number:064x}", bits_per_byte=bits)
        if number in heirs:
            heritage = f"{number:064x}"
            result = replace(result, inherited_tokens=50, parent="ab" * 32, heritage=heritage)
        if bits is None:
            result = replace(result, failure="out of memory", reason="too little here")
        prev = records[-1].id if records else FIRST
        records.append(
            sign(result, author, run="ef" * 32, seq=len(records), prev=prev,
                 catalog="00" * 32, program="1")
        )  # fmt: skip
    return records


def truth(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 2.0)


def lies(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 1.0)


def mine_of(answers: Mapping[int, float | None]) -> list[Record]:
    """What this peer measured after it had long heard of all that stands before."""
    return says(ME, {**truth(*range(10_000, 10_000 + APART)), **answers})


def weights_of(records: Sequence[Record], wanted: Sequence[Record]) -> list[float]:
    found = Trust(records, ME.author).weights()
    return [found[record.id] for record in wanted]


def test_what_this_peer_measured_itself_decides_over_the_same_claim():
    mine = mine_of({1: 2.0, 2: 2.0, 3: None})
    close = 2.0 + TOLERANCE / 2
    theirs = says(OTHER, {1: close, 2: 2.0 + 2 * STRAY, 3: 2.0, 4: 2.0})
    assert weights_of([*theirs, *mine], theirs) == [1.0, 0.0, UNVERIFIED, UNVERIFIED]


def test_what_is_apart_as_two_seeds_are_counts_for_nobody_and_is_no_error():
    strayed, mine = range(20, 24), mine_of(truth(*range(24)))
    near = {number: 2.0 + (-1) ** number * STRAY / 2 for number in strayed}
    theirs = says(OTHER, {**truth(*range(20)), **near, 30: 2.0})
    trust = Trust([*theirs, *mine], ME.author)
    assert trust.tallies[OTHER.author][:3] == (20, 0, 0)
    assert trust.tallies[OTHER.author].strayed == len(strayed)
    assert OTHER.author in trust.trusted
    assert weights_of([*theirs, *mine], theirs[20:24]) == [UNVERIFIED] * 4


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_an_honest_author_that_strays_is_believed_in_nine_hundred_and_ninety_of_a_thousand_checks(
    share: float,
) -> None:
    rng, found = Random(7), list[bool]()
    for _ in range(200):
        tally = Tally(right=STANDING)
        for _ in range(300):
            strays, better = rng.random() < share, rng.random() < 0.6  # the better are looked at
            one = Tally(strayed=1, better=int(better)) if strays else Tally(right=1)
            tally = tally.plus(one)
            found.append(tally.believed)
    assert sum(found) >= 0.99 * len(found)


@pytest.mark.parametrize("right", [STANDING, 50, 1000])
def test_who_strays_to_the_better_side_alone_is_believed_no_more(right: int) -> None:
    counts = [n for n in range(40) if Tally(right=right, strayed=n, better=n).believed]
    assert counts == list(range(len(counts)))
    assert len(counts) <= 20
    several = [n for n in range(60) if Tally(right=right, strayed=n, better=n // 2).believed]
    assert several == list(range(min(60, right + 1))), "nor who strays more often than not"


def test_an_author_is_believed_after_it_was_right_often_enough_but_for_a_few_by_lot():
    checked = range(STANDING - 1)
    theirs = says(OTHER, truth(*range(600)))
    mine = mine_of(truth(*checked))
    assert set(weights_of([*theirs, *mine], theirs[STANDING:])) == {UNVERIFIED}
    mine = mine_of(truth(*checked, STANDING - 1))
    found = weights_of([*theirs, *mine], theirs)
    assert found[:STANDING] == [1.0] * STANDING
    audited = found[STANDING:].count(UNVERIFIED) / len(found[STANDING:])
    assert found.count(0.0) == 0
    assert 0.5 / STANDING < audited < 2 / STANDING
    mine = mine_of(truth(*range(200)))
    found = weights_of([*theirs, *mine], theirs)[200:]
    assert 0.5 * AUDITED < found.count(UNVERIFIED) / len(found) < 2 * AUDITED


def test_of_an_heir_whose_line_is_not_known_one_believed_word_is_too_few():
    heirs = range(1000, 1300)
    theirs = says(OTHER, truth(*range(STANDING), *heirs), heirs=heirs)
    third = says(named(103), truth(*range(STANDING), *heirs), heirs=heirs)
    own = says(ME, truth(*range(10_000, 10_000 + APART), *range(STANDING)) | {2000: 1.5}, {2000})

    def counting(heard: Sequence[Record], followed: Collection[str] = ()) -> list[float]:
        bound = {record.id for record in [*theirs, *third]}
        found = Trust(heard, ME.author, committed=bound, followed=followed).weights()
        return [found[record.id] for record in theirs[STANDING:]]

    assert set(counting([*theirs, *own])) == {UNVERIFIED}
    assert set(counting([*theirs, *third, *own])) == {1.0}, "no lot falls on what nobody can audit"
    found = counting([*theirs, *own], [record.id for record in theirs])
    assert 0.5 / STANDING < found.count(UNVERIFIED) / len(found) < 2 / STANDING
    assert set(found) == {UNVERIFIED, 1.0}


@pytest.mark.parametrize(
    "lie", [{"inherited_tokens": 5}, {"parent": "cd" * 32}, {"bits_per_byte": 1.5}]
)
def test_who_measured_the_same_heir_finds_out_what_is_false_of_it(lie: dict[str, Any]):
    heir = replace(RESULT, parent="ab" * 32, heritage="ef" * 32, inherited_tokens=50)
    mine, theirs = chain_of(ME, heir), chain_of(OTHER, replace(heir, **lie))
    assert Trust([*theirs, *mine], ME.author).weights()[theirs[0].id] == 0.0
    same = chain_of(OTHER, heir)
    assert Trust([*same, *mine], ME.author).weights()[same[0].id] == 1.0
    other = chain_of(OTHER, replace(heir, heritage="00" * 32))
    assert Trust([*other, *mine], ME.author).weights()[other[0].id] == UNVERIFIED


def test_whom_a_lot_falls_on_hangs_on_a_secret():
    theirs, mine = says(OTHER, truth(*range(300))), mine_of(truth(*range(20)))
    several = [Trust([*theirs, *mine], ME.author, secret=s).weights() for s in ("one", "two")]
    drawn = [{r.id for r in theirs if weights[r.id] < 1} for weights in several]
    assert all(drawn)
    assert len(drawn[0] & drawn[1]) < len(drawn[0]) / 2


def third_party(order: str) -> Trust:
    """A third author's claims (t), a friend's who measured the same (f), own results (.)."""
    third, friend = (
        iter([says(named(103), truth(*range(100, 200)))]),
        iter([says(OTHER, truth(*range(20), *range(100, 200)))]),
    )
    mine = iter(says(ME, {**truth(*range(500, 510)), **truth(*range(20))}))
    heard = list[Record]()
    for each in order:
        match each:
            case "t":
                heard += next(third)
            case "f":
                heard += next(friend)
            case _:
                heard.append(next(mine))
    return Trust([*heard, *mine], ME.author)


def test_trust_goes_on_from_author_to_author():
    trust = third_party("t" + "." * APART + "f")
    assert trust.trusted == {ME.author, OTHER.author, named(103).author}
    assert trust.tallies[named(103).author] == Tally(vouched=100)


def test_who_says_the_same_as_a_friend_at_about_the_same_time_may_have_copied():
    for order in ("ft", "tf", "t" + "." * (APART - 1) + "f", "f" + "." * APART + "t"):
        trust = third_party(order)
        assert trust.trusted == {ME.author, OTHER.author}, order


@pytest.mark.attack(19)
def test_a_copier_is_never_believed_and_honest_authors_are():
    """The copier hears all that is published and repeats it, in one batch or just after."""
    rng = Random(7)
    honest, chains = [named(number) for number in range(3)], dict[str, list[Record]]()
    copier, mine = named(50), list[Record]()
    heard = list[Record]()

    def publish(author: Identity, number: int, bits: float) -> Record:
        chain = chains.setdefault(author.author, [])
        result = replace(RESULT, genome=f"{number:064x}", bits_per_byte=bits)
        prev = chain[-1].id if chain else FIRST
        chain.append(
            sign(result, author, run="ef" * 32, seq=len(chain), prev=prev,
                 catalog="00" * 32, program="1")
        )  # fmt: skip
        return chain[-1]

    for number in range(0, 300, 4):
        batch = [publish(author, number + n, 2.0) for n, author in enumerate(honest)]
        noise = rng.choice([0.0, rng.uniform(-0.4, 0.4) * TOLERANCE])
        batch += [publish(copier, number + n, 2.0 + noise) for n in range(3)]
        heard += rng.sample(batch, len(batch))
        if (
            number >= 4 * APART
        ):  # an audit of what was heard a while ago; the copier repeats it, too
            mine = [publish(ME, number - 4 * APART + rng.randrange(3), 2.0)]
            heard += [*mine, publish(copier, number - 4 * APART + 3, 2.0)]
    found = Trust(heard, ME.author)
    assert found.trusted == {ME.author}, "who is copied at once is not believed for it, either"
    apart = [record for record in heard if record.author != copier.author]
    found = Trust(apart, ME.author)
    assert found.trusted == {ME.author, *(author.author for author in honest)}


@pytest.mark.attack(19)
def test_who_was_bound_before_it_could_copy_is_believed_though_others_copy_at_once():
    theirs, copier = says(OTHER, truth(*range(12))), says(named(50), truth(*range(12)))
    both = [record for pair in zip(theirs, copier, strict=True) for record in pair]
    heard, bound = [*both, *mine_of(truth(*range(12)))], {record.id for record in theirs}
    assert Trust(heard, ME.author).trusted == {ME.author}
    trust = Trust(heard, ME.author, committed=bound)
    assert trust.trusted == {ME.author, OTHER.author}
    assert trust.tallies == {OTHER.author: Tally(12)}
    before = Trust([*mine_of(truth(*range(12))), *theirs], ME.author, committed=bound)
    assert before.trusted == {ME.author, OTHER.author}, "what was measured here was not known yet"


def test_a_friend_vouches_at_once_for_who_was_bound():
    third = says(named(103), truth(*range(100, 200)))
    friend = says(OTHER, truth(*range(20), *range(100, 200)))
    heard = [*third, *friend, *mine_of(truth(*range(20)))]
    assert Trust(heard, ME.author).trusted == {ME.author, OTHER.author}
    trust = Trust(heard, ME.author, committed={record.id for record in third})
    assert trust.trusted == {ME.author, OTHER.author, named(103).author}


def test_a_slow_copier_takes_nothing_from_whom_it_copies():
    theirs = says(OTHER, truth(*range(12)))
    copier, mine = says(named(50), truth(*range(12))), mine_of(truth(*range(12)))
    trust = Trust([*theirs, *mine[:APART], *copier, *mine[APART:]], ME.author)
    assert trust.tallies == {OTHER.author: Tally(12)}


def test_who_says_the_same_after_this_peer_did_is_right_without_gaining_by_it():
    mine, theirs = says(ME, truth(*range(20))), says(OTHER, truth(*range(20)))
    trust = Trust([*mine, *theirs], ME.author)
    assert trust.tallies == {}
    assert set(trust.weights().values()) == {1.0}


def test_many_names_that_agree_with_each_other_are_worth_nothing():
    mine, names = says(ME, truth(*range(30))), [named(n) for n in range(12)]
    claims = [record for name in names for record in says(name, lies(*range(100, 140)))]
    trust = Trust([*claims, *mine], ME.author)
    assert trust.trusted == {ME.author}
    assert set(weights_of([*claims, *mine], claims)) == {UNVERIFIED}


def test_who_is_caught_is_not_believed_any_more_in_what_it_said_before_either():
    theirs = says(OTHER, {**truth(*range(60)), **lies(60, 61)})
    mine = mine_of(truth(*range(12)))
    before = weights_of([*theirs, *mine], theirs)
    assert before[12:60].count(1.0) > 40
    caught = mine_of(truth(*range(12), 60))
    after = weights_of([*theirs, *caught], theirs)
    assert after[:12] == [1.0] * 12
    assert after[60] == 0.0
    assert set(after[12:60]) == {UNVERIFIED}
    tallies = Trust([*theirs, *caught], ME.author).tallies
    assert tallies == {OTHER.author: Tally(12, 1)}


def test_who_was_caught_stays_so_whatever_it_says_afterwards():
    result = replace(RESULT, genome=f"{7:064x}", bits_per_byte=1.0)
    false = sign(result, OTHER, run="ef" * 32, seq=0, prev=FIRST, catalog="0" * 64, program="1")
    again = replace(result, bits_per_byte=2.0, test_bits_per_byte=2.0)
    mended = sign(again, OTHER, run="ef" * 32, seq=1, prev=false.id, catalog="0" * 64, program="1")
    trust = Trust([false, *mine_of(truth(7)), mended], ME.author)
    assert trust.tallies == {OTHER.author: Tally(wrong=1)}


def test_who_was_wrong_more_often_than_right_counts_less():
    theirs, mine = says(OTHER, {**lies(1), **truth(2, 3)}), mine_of(truth(1))
    assert weights_of([*theirs, *mine], theirs) == [0.0, DOUBTED, DOUBTED]
    mine = mine_of(truth(1, 2))
    assert weights_of([*theirs, *mine], theirs) == [0.0, 1.0, UNVERIFIED]


def test_whoever_shaves_a_little_off_each_figure_is_not_believed():
    numbers = range(60)
    for shaved, expected in ((-0.3, True), (-0.8, False), (0.8, True)):
        claims = dict.fromkeys(numbers, 2.0 + shaved * TOLERANCE)
        trust = Trust([*says(OTHER, claims), *mine_of(truth(*numbers))], ME.author)
        assert (OTHER.author in trust.trusted) is expected
        assert trust.tallies[OTHER.author].right == len(numbers)


def test_what_would_be_the_best_of_its_rung_needs_a_second_word():
    one, other = named(1), named(2)
    mine = mine_of(truth(*range(20), *range(20, 40)))
    theirs = [says(one, {**truth(*range(20)), 90: 1.5, 91: 2.5}),
              says(other, {**truth(*range(20, 40))})]  # fmt: skip
    heard = [*theirs[0], *theirs[1], *mine]
    drawn = {"lot": "", "best": ""}
    for number in range(100):  # no lot shall fall on either
        found = Trust(heard, ME.author, secret=f"{number}").weights()
        if found[theirs[0][-1].id] == 1.0:
            drawn["lot"] = f"{number}"
            break
    assert Trust(heard, ME.author, secret=drawn["lot"]).weights()[theirs[0][-2].id] == UNVERIFIED
    mimic = says(named(3), {90: 1.5})
    found = Trust([*heard, *mimic], ME.author, secret=drawn["lot"]).weights()
    assert found[mimic[0].id] == UNVERIFIED, "a stranger's is no word"
    second = says(other, {**truth(*range(20, 40)), 90: 1.5})
    several = [Trust([*heard, *second], ME.author, secret=f"{n}").weights() for n in range(60)]
    assert sum(found[second[-1].id] == 1.0 for found in several) > 50


def test_one_who_is_believed_vouches_for_nobody_against_an_error():
    third, friend = named(103), says(OTHER, truth(*range(30), *range(100, 400)))
    theirs = says(third, {**truth(*range(100, 400)), **lies(50)})
    mine = says(ME, truth(*range(500, 520), *range(20)))
    heard = [*theirs, *mine[:4], *friend, *mine[4:]]
    assert third.author in Trust(heard, ME.author).trusted
    caught = [*heard, *says(ME, truth(*range(500, 520), *range(20), 50))[-1:]]
    trust = Trust(caught, ME.author)
    assert trust.tallies[third.author] == Tally(wrong=1, vouched=300)
    assert third.author not in trust.trusted


def test_what_is_said_of_the_test_split_is_looked_at_too():
    def final(author: Identity, test: float | None) -> Record:
        result = replace(RESULT, replica=1, bits_per_byte=2.0, test_bits_per_byte=test)
        return sign(result, author, run="ef" * 32, seq=0, prev=FIRST, catalog="0" * 64, program="1")

    for test, expected in ((2.1, 1.0), (1.5, 0.0), (None, UNVERIFIED)):
        claim = final(OTHER, test)
        assert weights_of([claim, final(ME, 2.1)], [claim]) == [expected]


def test_a_traitor_convinces_nobody_of_what_trusted_authors_measured_otherwise():
    friends = [named(number) for number in range(3)]
    mine = mine_of(truth(*range(60)))
    said = [truth(*range(20 * n, 20 * n + 20)) for n in range(3)]
    honest = [r for n in (0, 1) for r in says(friends[n], {**said[n], 80: 2.0})]
    traitor = says(friends[2], {**said[2], **lies(80)})
    found = weights_of([*honest, *traitor, *mine], [honest[20], honest[41], traitor[20]])
    assert found == [1.0, 1.0, 0.0]


@given(seed=st.integers(0, 2**32), cut=st.integers(0, 40))
@settings(max_examples=25)
def test_repeats_change_nothing(seed: int, cut: int) -> None:
    rng = Random(seed)
    others = list[Record]()
    for _ in range(3):
        said = {n: 2.0 if rng.random() < 0.9 else 1.0 for n in range(rng.randint(1, 40))}
        others += says(named(rng.randrange(50)), said)
    records = [*others, *says(ME, truth(*rng.sample(range(40), 20)))]
    found = Trust(records, ME.author).weights()
    again = Trust([*records[:cut], *records[: cut + 5], *records, *records[cut:]], ME.author)
    assert found == again.weights()


def test_own_records_count_fully_and_those_of_others_a_quarter():
    mine, theirs = chain(ME, 2), says(OTHER, {5: 2.5, 6: 2.5})
    records = [*mine, *theirs]
    assert weights_of(records, records) == [1.0, 1.0, UNVERIFIED, UNVERIFIED]
    assert UNVERIFIED <= 0.25


def test_a_record_that_comes_twice_counts_once():
    records = chain(OTHER, 2)
    assert Trust(records * 3, ME.author).weights() == Trust(records, ME.author).weights()
    assert len(Trust(records, ME.author).weights()) == 2


def test_forged_records_count_nothing_whoever_they_name():
    forged = [
        replace(chain(ME, 1)[0], result=replace(RESULT, bits_per_byte=0.1)),
        replace(chain(OTHER, 1)[0], author=ME.author),
    ]
    assert not Trust(forged, ME.author).weights()


def test_who_signs_two_records_for_one_place_counts_nothing():
    fork = [*chain(OTHER, 2), *chain(OTHER, 1, bits=1.0)]
    assert forked(fork) == {OTHER.author}
    assert set(weights_of(fork, fork)) == {0.0}
    own = Trust(fork, OTHER.author).weights()  # what it measured itself, it knows
    assert list(own.values()) == [1.0] * 3


def test_a_forged_fork_accuses_nobody():
    mine = chain(OTHER, 2)
    forged = replace(mine[1], result=replace(RESULT, bits_per_byte=0.1))
    assert not forked([*mine, forged])


def test_whole_chains_have_no_problems_in_any_order():
    assert not list(chain_problems(reversed([*chain(ME, 4), *chain(OTHER, 3)])))


def test_gaps_breaks_and_forks_are_named():
    records = chain(ME, 5)
    assert list(chain_problems([records[0], records[3], records[4]])) == [
        f"author {ME.author[:12]} lacks the records 1 to 2"
    ]
    other = chain(ME, 2, bits=1.0)
    assert list(chain_problems([records[0], other[1]])) == [
        f"record 1 of author {ME.author[:12]} does not name the record before it"
    ]
    assert list(chain_problems([*records[:2], other[1]])) == [
        f"record 1 of author {ME.author[:12]} does not name the record before it",
        f"author {ME.author[:12]} signed 2 different records 1: a fork",
    ]


def test_a_copy_by_who_counts_nothing_takes_nothing_from_what_it_copies() -> None:
    mine = says(ME, truth(1))
    forked = [*says(OTHER, truth(1)), *says(OTHER, lies(2))]
    found = Trust([*mine, *forked], ME.author)
    assert found.frozen == {OTHER.author}
    assert [found.weights()[record.id] for record in [*mine, *forked]] == [1.0, 1.0, 0.0]


def test_the_word_of_one_believed_author_convicts_nobody_but_both_are_looked_at() -> None:
    honest = [named(number) for number in range(4)]
    checked = {n: truth(*range(20 * n, 20 * n + 20)) for n in range(5)}
    mine = mine_of(truth(*range(100)))
    theirs = [says(each, {**checked[n], 200 + n: 2.0}) for n, each in enumerate(honest)]
    liar = says(OTHER, {**checked[4], **lies(200, 201, 202, 203)})
    records = [*liar, *(record for each in theirs for record in each), *mine]
    trust = Trust(records, ME.author)
    assert trust.trusted >= {OTHER.author, *(each.author for each in honest)}
    weights = trust.weights()
    assert {weights[each[-1].id] for each in theirs} == {UNVERIFIED}
    assert {weights[record.id] for record in liar[-4:]} == {UNVERIFIED}


def test_who_drove_the_run_in_the_same_store_is_as_good_as_oneself() -> None:
    before, mine = says(OTHER, truth(1, 2)), says(ME, truth(3))
    found = Trust([*before, *mine], ME.author, {OTHER.author}).weights()
    assert set(found.values()) == {1.0}
