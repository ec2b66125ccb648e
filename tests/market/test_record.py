from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.evaluator.result import Failure, Measurement, Result
from praxis_evolve.genome.cost import Costs
from praxis_evolve.market.errors import RecordError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.record import FIRST, LIMIT, Record, parse, set_digest, sign

ME = Identity.new()
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
NUMBERS = st.floats(min_value=0, allow_infinity=False)
COUNTS = st.integers(0, 2**63 - 1)
COSTS = st.builds(Costs, COUNTS, NUMBERS, NUMBERS, NUMBERS)
NAMED = st.just("") | DIGESTS
MEASURED = st.builds(Measurement, NUMBERS, NUMBERS, NUMBERS, COUNTS, st.text(), NAMED)
COMMON: dict[str, Any] = {
    "genome": DIGESTS,
    "architecture": DIGESTS,
    "rung": COUNTS,
    "replica": st.integers(0, 2**31 - 1),
    "seed": st.integers(0, 2**64 - 1),
    "curve": st.lists(st.tuples(COUNTS, NUMBERS), max_size=32).map(tuple),
    "costs": st.none() | COSTS,
    "inherited_tokens": COUNTS,
    "parent": NAMED,
    "measured": MEASURED,
}
GOOD = st.builds(Result, **COMMON, bits_per_byte=NUMBERS, test_bits_per_byte=st.none() | NUMBERS)
BAD = st.builds(
    Result, **COMMON, failure=st.sampled_from(get_args(Failure)),
    reason=st.text(max_size=3000) | st.text(st.characters(categories=["Cc"]), max_size=1000),
)  # fmt: skip
RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5, curve=((10, 3.5), (1000, 2.5)))


def signed(result: Result = RESULT, *, run: str = "ef" * 32, seq: int = 0, prev: str = FIRST):
    return sign(result, ME, run=run, seq=seq, prev=prev, catalog="00" * 32, program="0.1.0")


def changed(record: Record, path: str, value: object) -> bytes:
    """The body with one field changed, in canonical form where JSON has one."""
    body: dict[str, Any] = json.loads(record.body)
    *outer, last = path.split(".")
    place = body
    for key in outer:
        place = place[key]
    place[last] = value
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(GOOD | BAD)
def test_every_result_travels_and_comes_back(result: Result):
    record = signed(result)
    assert len(record.body) <= LIMIT
    again = parse(record.body, record.signature)
    assert repr(again) == repr(record)  # numbers of the same types, too
    assert again.body == record.body
    assert again.genuine
    short = replace(result, reason="", measured=Measurement())
    assert replace(again.result, reason="", measured=Measurement()) == short


def test_the_id_is_the_hash_of_what_is_signed():
    record = signed()
    assert record.id == hashlib.sha256(record.body).hexdigest()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(record.author))
    key.verify(bytes.fromhex(record.signature), record.body)


def test_a_flipped_bit_anywhere_is_noticed():
    record = signed()
    for place in range(len(record.body)):
        body = bytearray(record.body)
        body[place] ^= 1
        try:
            damaged = parse(bytes(body), record.signature)
        except RecordError:
            continue
        assert not damaged.genuine
        assert damaged.id != record.id


def test_what_the_machine_added_is_not_compared():
    fast = Measurement(1.0, 0.1, 1e6, 1 << 30, "cuda")
    first = signed()
    second = sign(
        replace(RESULT, measured=fast), Identity.new(), run="11" * 32, seq=4, prev="22" * 32,
        catalog="00" * 32, program="0.1.0",
    )  # fmt: skip
    assert first.comparable() == second.comparable()
    assert first.id != second.id


@pytest.mark.parametrize(
    "other",
    [
        replace(RESULT, genome="ac" * 32), replace(RESULT, rung=1001), replace(RESULT, replica=1),
        replace(RESULT, seed=8), replace(RESULT, bits_per_byte=2.6), replace(RESULT, curve=()),
        replace(RESULT, costs=Costs(1, 1.0, 1.0, 1.0)), replace(RESULT, inherited_tokens=1),
        replace(RESULT, test_bits_per_byte=2.0),
        replace(RESULT, bits_per_byte=None, failure="diverged"),
    ],
)  # fmt: skip
def test_what_was_found_is_compared(other: Result):
    assert signed(other).comparable() != signed().comparable()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("content.bits_per_byte", -1.0, "bits_per_byte must be a finite float of at least 0"),
        ("content.bits_per_byte", math.nan, "finite"),
        ("content.bits_per_byte", math.inf, "finite"),
        ("content.bits_per_byte", 2, "bits_per_byte must be a finite float"),
        ("content.bits_per_byte", "2.5", "bits_per_byte must be a finite float"),
        ("content.bits_per_byte", None, "either bits_per_byte or a failure"),
        ("content.failure", "diverged", "either bits_per_byte or a failure"),
        ("content.failure", "bored", "failure must be None or one of"),
        ("content.failure", ["diverged"], "failure must be None or one of"),
        ("content.reason", "because", "only a failure has a reason"),
        ("content.reason", "x" * 900, "at most 800 bytes"),
        ("content.curve", [[1, 2.0]] * 33, "curve must be a list of at most 32 items"),
        ("content.curve", [[1]], "a point of the curve"),
        ("content.curve", [[1, -2.0]], "bits of the curve"),
        ("content.curve", [1], "a point of the curve"),
        ("content.rung", -1, "rung must be a whole number"),
        ("content.rung", True, "rung must be a whole number"),
        ("content.rung", 1.0, "rung must be a whole number"),
        ("content.rung", 2**63, "rung must be a whole number"),
        ("content.replica", 2**31, "replica must be a whole number"),
        ("content.genome", "AB" * 32, "genome must be 64 digits of 0-9a-f"),
        ("content.genome", "ab", "genome must be 64 digits"),
        ("content.costs", {}, r"costs lacks the fields \['active_flops'"),
        ("content.more", 1, r"content has unknown fields \['more'\]"),
        ("more", 1, r"the record has unknown fields \['more'\]"),
        ("content", None, "content must be a mapping"),
        ("measured.device", "d" * 100, "device must be a text of at most 80 bytes"),
        ("measured.seconds", -0.5, "seconds must be a finite float"),
        ("kind", "audit", "kind must be 'result', but is 'audit'"),
        ("version", 4, "up to version 3, but one has version 4; update praxis-evolve"),
        ("version", 2, "version must be 1 for what the record says, but is 2"),
        ("version", 0, "version must be a whole number from 1 to 3"),
        ("content.parent", "ab" * 32, "version must be 2 for what the record says, but is 1"),
        ("content.parent", "", "parent must be 64 digits"),
        ("content.parent", None, "parent must be 64 digits"),
        ("measured.weights", "ab" * 32, "version must be 2 for what the record says, but is 1"),
        ("measured.weights", "", "weights must be 64 digits"),
        ("measured.weights", "AB" * 32, "weights must be 64 digits"),
        ("measured.weights", 7, "weights must be 64 digits"),
        ("measured.parent", "ab" * 32, r"measured has unknown fields \['parent'\]"),
        ("seq", 1, "first record of a chain"),
        ("prev", "11" * 32, "first record of a chain"),
        ("author", "zz" * 32, "author must be 64 digits"),
        ("program", "x" * 50, "program must be a text of at most 40 bytes"),
        ("program", "x" * 5000, "at most 4096 bytes are allowed"),
    ],
)
def test_what_breaks_a_rule_is_refused(path: str, value: object, said: str):
    with pytest.raises(RecordError, match=said):
        parse(changed(signed(), path, value), "00" * 64)


def test_a_record_that_names_no_weights_is_what_it_ever_was():
    """Body and id as the first version of the form had them, so no chain and no id is another."""
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"1").digest())
    author = Identity.of(key)
    record = sign(
        replace(RESULT, inherited_tokens=90), author, run="ef" * 32, seq=0, prev=FIRST,
        catalog="00" * 32, program="0.1.0",
    )  # fmt: skip
    assert record.id == "751072006d47c8349f890969078835f5fd8c293ede28f863b977e085cd04e606"
    assert parse(record.body, record.signature) == record


def test_a_record_that_names_weights_is_of_the_second_version(monkeypatch: pytest.MonkeyPatch):
    kept = replace(RESULT, measured=Measurement(weights="12" * 32))
    several = [signed(kept), signed(replace(RESULT, parent="34" * 32))]
    for record in several:
        assert json.loads(record.body)["version"] == 2
        assert parse(record.body, record.signature) == record
    monkeypatch.setattr("praxis_evolve.market.record.VERSION", 1)  # as a program was before it
    for record in several:
        with pytest.raises(RecordError, match="one has version 2; update praxis-evolve"):
            parse(record.body, record.signature)


def test_the_parent_is_part_of_what_was_found_and_the_file_of_weights_is_not():
    kept = replace(RESULT, measured=Measurement(weights="12" * 32))
    assert signed(kept).comparable() == signed().comparable()
    assert signed(replace(RESULT, parent="34" * 32)).comparable() != signed().comparable()


@pytest.mark.parametrize("signature", ["", "zz" * 64, "AB" * 64, "00" * 63])
def test_malformed_signatures_are_refused(signature: str):
    with pytest.raises(RecordError, match="signature must be 128 digits"):
        parse(signed().body, signature)


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes):
    with pytest.raises(RecordError):
        parse(data, "00" * 64)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=5), inner, max_size=3)),
       st.sampled_from(["content", "measured", "content.curve", "content.costs", "seq", "version",
                        "content.failure", "content.seed", "kind", "run"]))  # fmt: skip
def test_odd_values_are_refused_or_harmless(value: object, path: str):
    try:
        record = parse(changed(signed(), path, value), "00" * 64)
    except RecordError:
        return
    assert not record.genuine


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (replace(RESULT, bits_per_byte=math.nan), "bits_per_byte must be a finite number"),
        (replace(RESULT, curve=((1, 1.0),) * 33), "at most 32 items"),
        (replace(RESULT, bits_per_byte=None), "either bits_per_byte or a failure"),
    ],
)
def test_an_own_result_that_breaks_a_rule_is_not_signed(result: Result, said: str):
    with pytest.raises(RecordError, match=said):
        signed(result)


def test_numbers_that_are_whole_are_signed_as_floats():
    whole = replace(RESULT, bits_per_byte=3, costs=Costs(1, 2, 3, 4))
    assert signed(whole).id == signed(replace(whole, bits_per_byte=3.0)).id


def test_numbers_of_numpy_are_signed_as_what_is_read_back():
    bits = np.float64(2.5)
    record = signed(replace(RESULT, bits_per_byte=bits, curve=((1000, bits),)))
    assert repr(record) == repr(parse(record.body, record.signature))


@given(st.lists(DIGESTS), st.randoms(use_true_random=False))
def test_the_digest_of_a_set_knows_no_order(ids: list[str], rng: Any):
    shuffled = ids * 2
    rng.shuffle(shuffled)
    assert set_digest(shuffled) == set_digest(ids)


def test_other_sets_have_other_digests():
    ids = [f"{n:064x}" for n in range(8)]
    subsets = [{i for b, i in enumerate(ids) if m >> b & 1} for m in range(256)]
    assert len({set_digest(subset) for subset in subsets}) == 256
