"""The weights that are kept up as records come are those of the fold over all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.evaluator.result import Result
from praxis_evolve.market import evidence, tally
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.reckoning import Reckoning
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.tally import believed
from praxis_evolve.market.trust import Trust

RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5)


@cache
def named(number: int) -> Identity:
    key = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
    return Identity.of(key)


def log(seed: int, length: int, *, forks: bool = True) -> list[Record]:
    """Records of a peer (0) and of others who are honest, copy, err, shave, fail or fork."""
    rng, heads = Random(seed), defaultdict[str, str](lambda: FIRST)
    places, records = defaultdict[str, int](int), list[Record]()
    claimed = list[int]()
    for _ in range(length):
        author = rng.choice([0, 0, 0, 1, 1, 2, 2, 3, 4, 5])
        if not claimed or rng.random() < (0.1 if author == 0 else 0.5):
            claimed.append(len(claimed))
        number = rng.choice(claimed[-20:])
        bits = 4.0 + number / 100 + rng.choice([0.0, 4e-4, -4e-4]) * (author > 0)
        if author >= 3 and rng.random() < 0.15:
            bits -= 1
        elif author > 0 and rng.random() < 0.1:
            bits += rng.choice([0.02, -0.02])
        result = replace(RESULT, genome=f"{number:064x}", bits_per_byte=bits)
        if number % 5 == 0:
            line = f"{number % 3:064x}"
            result = replace(result, parent="ab" * 32, heritage=line, inherited_tokens=9)
        if rng.random() < 0.05:
            result = replace(result, bits_per_byte=None, failure="diverged", reason="by lot")
        elif number % 7 == 0:
            test = bits - (author >= 3 and rng.random() < 0.3)
            result = replace(result, replica=1, test_bits_per_byte=test)
        identity = named(author + 1)
        name = identity.author
        if forks and author == 5 and rng.random() < 0.05 and places[name] > 1:
            places[name] -= 1
        record = sign(
            result, identity, run="ef" * 32, seq=places[name],
            prev=heads[name] if places[name] else FIRST, catalog="00" * 32, program="1",
        )  # fmt: skip
        places[name] += 1
        heads[name] = record.id
        records.append(record)
    return records


def heard_in_parts(records: Sequence[Record], rng: Random) -> None:
    """Compare both after each part of a log."""
    own = named(1).author
    reckoning, weights = Reckoning(own, secret="s"), dict[str, float]()
    beside, bound, known, start = set[str](), set[str](), set[str](), 0
    while start < len(records):
        end = start + rng.randint(1, 12)
        if rng.random() < 0.02:
            beside.add(named(2).author)
        near = records[max(0, start - 10) : end + 10]  # before or after its record is heard
        fresh = {record.id for record in rng.sample(near, len(near) // 6)}
        bound |= fresh
        lines = {record.id for record in rng.sample(near, len(near) // 6)}
        known |= lines
        changed = reckoning.hear(records[max(0, start - 3) : end], beside, fresh, lines)
        assert all(weights.get(name) != counts for name, counts in changed.items())
        weights |= changed
        start = end
        trust = Trust(records[:start], own, beside, committed=bound, followed=known, secret="s")
        assert weights == trust.weights()
        assert reckoning.tallies == trust.tallies
        assert (reckoning.trusted, reckoning.frozen) == (trust.trusted, trust.frozen)


@given(seed=st.integers(0, 2**32), standing=st.integers(1, 4), erring=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_what_is_kept_up_is_what_is_computed_anew(seed: int, standing: int, erring: int) -> None:
    with pytest.MonkeyPatch.context() as patch:  # so that a short log has changes of belief
        patch.setattr(tally, "STANDING", standing)
        patch.setattr(tally, "ERRING", erring)
        heard_in_parts(log(seed, 90), Random(seed))


def test_a_long_log_has_all_that_may_happen():
    """The property above says nothing of what never happens in it."""
    records = log(3, 500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "STANDING", 5)
        trust = Trust(records, named(1).author, secret="s")
        weights = trust.weights()
        assert believed(trust.tallies)
        heard_in_parts(records[:200], Random(3))
    assert trust.frozen
    assert set(weights.values()) == {
        0.0, evidence.DOUBTED, evidence.UNVERIFIED, 1.0
    }  # fmt: skip
    assert any(each.vouched for each in trust.tallies.values())
    assert any(each.strayed for each in trust.tallies.values())


def test_nothing_new_changes_nothing():
    records = log(1, 60)
    reckoning = Reckoning(named(1).author)
    assert reckoning.hear(records)
    assert not reckoning.hear(records)
    assert not reckoning.hear([])
