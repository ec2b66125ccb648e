"""What a log shows of the authors of its run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.market.authors import RED, Author, colour_of, standing
from praxis_evolve.market.evidence import APART
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.reading import Told
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.tally import GRAIN, TOLERANCE, Tally
from praxis_evolve.search.base import Finished

RESULT = Result("ab" * 32, "cd" * 32, 1000, 0, 7, 2.5)


def named(number: int) -> Identity:
    key = Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
    return Identity.of(key)


def says(number: int, bits: dict[int, float], *, device: str = "cpu") -> list[Record]:
    records = list[Record]()
    for work, found in bits.items():
        result = replace(
            RESULT, genome=f"{work:064x}", bits_per_byte=found, measured=Measurement(device=device)
        )
        prev = records[-1].id if records else FIRST
        records.append(
            sign(result, named(number), run="ef" * 32, seq=len(records), prev=prev,
                 catalog="00" * 32, program="1")
        )  # fmt: skip
    return records


def log(*others: list[Record], own: list[Record]) -> list[Told]:
    told = [Told(Finished(r.result, 0.25), r) for records in others for r in records]
    return told + [Told(Finished(r.result, 1.0), r) for r in own]


def own_results(*works: int) -> list[Record]:
    return says(1, dict.fromkeys([*range(900, 900 + APART), *works], 2.0))


def test_each_author_is_shown_with_what_was_found_of_it() -> None:
    drift = 0.1 * TOLERANCE
    friend = says(2, dict.fromkeys(range(20), 2.0 + drift), device="cuda")
    liar, fork = says(3, {1: 1.0, 50: 1.0}), [*says(4, {60: 1.0}), *says(4, {61: 1.0})]
    found = standing(log(friend, liar, fork, own=own_results(*range(12))))
    by_name = {each.author: each for each in found.authors}
    assert [each.records for each in found.authors] == [20, 12 + APART, 2, 2]
    friendly = by_name[named(2).author]
    assert friendly.bias == pytest.approx(drift)
    assert friendly.residual == pytest.approx(0.3**2)
    assert replace(friendly, bias=None, residual=None) == Author(
        named(2).author, 20, False, True, False, 12, 0, 0, 0, None, None, "green"
    )
    states = {n: by_name[named(n).author] for n in (1, 3, 4)}
    assert {n: (each.own, each.believed, each.frozen) for n, each in states.items()} == {
        1: (True, True, False), 3: (False, False, False), 4: (False, False, True)
    }  # fmt: skip
    assert [each.colour for each in states.values()] == ["green", "red", "red"]
    assert states[3].wrong == 1
    (spread,) = found.spreads
    assert (spread.devices, spread.pairs) == (("cpu", "cuda"), 12)
    assert spread.usual == pytest.approx(drift)


def test_a_log_without_results_shows_nobody() -> None:
    assert standing([]).authors == ()


def grains(share: float, times: int) -> tuple[int, int]:
    """The sums of as many differences of a share of the tolerance."""
    one = round(share * TOLERANCE / GRAIN)
    return times * one, times * one * one


@pytest.mark.parametrize(
    ("right", "wrong", "share", "expected"),
    [
        (12, 0, 0.1, "green"),
        (9, 0, 0.1, "yellow"),  # it is new
        (40, 1, 0.1, "yellow"),
        (12, 0, 0.5, "yellow"),
        (12, 0, 0.9, "red"),
        (12, 0, -0.6, "red"),
        (1, 2, 0.0, "red"),
    ],
)
def test_colours(right: int, wrong: int, share: float, expected: str) -> None:
    shift, square = grains(share, right)
    assert colour_of(Tally(right, wrong, 0, shift, square), frozen=False) == expected
    assert colour_of(Tally(right, wrong, 0, shift, square), frozen=True) == "red"
    assert RED > 1
