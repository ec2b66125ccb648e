"""Attacks 1 to 9 of the review of hivemind's DHT, on what tells announcements from the rest."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import cast

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.market.swarm.board import FULL, Board, packed, unpacked
from praxis_evolve.market.swarm.peer_key import PeerKey, name_of, public_of
from praxis_evolve.market.swarm.transport import ANNOUNCED, LIFE, TransportError
from praxis_evolve.market.swarm.validator import AHEAD, Record, Shards, Validator, sign

NOW = 1_800_000_000.0
SHARDS = Shards("swarm")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[PeerKey]:
    folder = tmp_path_factory.mktemp("keys")
    return [PeerKey.load_or_create(folder / str(number)) for number in range(FULL + 2)]


@pytest.fixture
def record(keys: list[PeerKey]) -> Record:
    return sign(keys[0], SHARDS, b"here I am", NOW + LIFE)


def test_an_announcement_is_valid(record: Record) -> None:
    assert Validator(SHARDS, Clock()).valid(record)
    assert record.said == b"here I am"


@pytest.mark.parametrize("length", [0, 1, ANNOUNCED])
def test_an_announcement_has_any_length_up_to_the_limit(keys: list[PeerKey], length: int) -> None:
    said = bytes(range(256))[:length] + bytes(max(0, length - 256))
    found = sign(keys[0], SHARDS, said, NOW + 1)
    assert Validator(SHARDS, Clock()).valid(found)
    assert found.said == said


def test_attack_1_nothing_unsigned_takes_a_place(record: Record, keys: list[PeerKey]) -> None:
    validator = Validator(SHARDS, Clock())
    assert not validator.valid(replace(record, author=b"", value=b"pwned"))
    assert not validator.valid(replace(record, value=b"pwned"))
    assert not validator.valid(replace(record, value=bytes(64) + b"pwned"))
    assert not validator.valid(replace(record, value=record.value[:64] + b"pwned"))
    assert not validator.valid(replace(record, value=record.value + b"!"))


@pytest.mark.parametrize("expires", [1e9 + NOW, NOW + LIFE + AHEAD + 0.1, 0.0, -1.0])
def test_attack_2_nobody_squats(keys: list[PeerKey], expires: float) -> None:
    assert not Validator(SHARDS, Clock()).valid(sign(keys[0], SHARDS, b"mine", expires))


def test_attack_2_only_the_keys_of_the_swarm_are_taken(record: Record) -> None:
    assert not Validator(SHARDS, Clock()).valid(replace(record, key=bytes(20)))
    assert not Validator(Shards("another"), Clock()).valid(record)


@pytest.mark.parametrize("expires", [math.nan, math.inf, -math.inf])
def test_attack_5_time_is_a_number(keys: list[PeerKey], expires: float) -> None:
    assert not Validator(SHARDS, Clock()).valid(sign(keys[0], SHARDS, b"mine", expires))


def test_attack_7_nothing_is_replayed_elsewhere(record: Record, keys: list[PeerKey]) -> None:
    validator, shards = Validator(Shards("swarm", 64), Clock()), Shards("swarm", 64)
    mine = sign(keys[0], shards, b"mine", NOW + LIFE)
    assert validator.valid(mine)
    assert not validator.valid(replace(mine, author=keys[1].public))
    elsewhere = (replace(mine, key=key) for key in shards.keys if key != mine.key)
    assert not any(map(validator.valid, elsewhere))
    assert not validator.valid(replace(mine, expires=NOW + 1))
    assert not validator.valid(record)


def test_attack_7_a_replay_does_not_shorten_a_life(keys: list[PeerKey]) -> None:
    clock = Clock()
    board = Board(Validator(SHARDS, clock), clock)
    old, new = (sign(keys[0], SHARDS, b"x", NOW + after) for after in (4, 60))
    assert board.put(new)
    assert board.put(old), "who tells an old one need not tell it again"
    clock.at = NOW + 10
    assert board.under(new.key) == [new]


def test_attack_8_huge_values_are_not_even_hashed(keys: list[PeerKey]) -> None:
    validator = Validator(SHARDS, Clock())
    assert not validator.valid(sign(keys[0], SHARDS, bytes(ANNOUNCED + 1), NOW + 1))
    assert not validator.valid(sign(keys[0], SHARDS, bytes(4_000_000), NOW + 1))


def test_attack_9_repeating_a_record_takes_no_room(record: Record) -> None:
    clock = Clock()
    board = Board(Validator(SHARDS, clock), clock)
    assert all(board.put(record) for _ in range(1000))
    assert board.under(record.key) == [record]


def test_two_records_that_end_at_once_do_not_split_the_peers(keys: list[PeerKey]) -> None:
    clock = Clock()
    board = Board(Validator(SHARDS, clock), clock)
    first, second = (sign(keys[0], SHARDS, said, NOW + 9) for said in (b"first", b"second"))
    assert board.put(first)
    assert not board.put(second)


def test_a_flood_finds_the_board_full_and_who_stands_there_stays(keys: list[PeerKey]) -> None:
    clock = Clock()
    board = Board(Validator(SHARDS, clock), clock)
    records = [sign(key, SHARDS, b"x", NOW + 50) for key in keys]
    assert [board.put(record) for record in records] == [True] * FULL + [False] * 2
    again = sign(keys[0], SHARDS, b"still here", NOW + 60)
    assert board.put(again)
    assert again in board.under(again.key)
    clock.at = NOW + 55
    assert board.put(sign(keys[-1], SHARDS, b"x", NOW + 70)), "the others expired"


def test_records_expire(record: Record) -> None:
    clock = Clock()
    board = Board(Validator(SHARDS, clock), clock)
    board.put(record)
    clock.at = record.expires
    assert board.under(record.key) == []
    assert not board.put(record)


@pytest.mark.parametrize("ahead", [0.0, 1.0, LIFE, 1e6])
def test_what_is_valid_stays_valid(record: Record, ahead: float) -> None:
    clock = Clock()
    validator = Validator(SHARDS, clock)
    assert validator.valid(record)
    clock.at += ahead
    assert validator.valid(record)
    assert Validator(SHARDS, clock).valid(record)


def test_records_are_read_as_they_were_written(keys: list[PeerKey]) -> None:
    records = [sign(key, SHARDS, key.public * 3, NOW + 7) for key in keys[:5]]
    assert unpacked(records[0].key, packed(records)) == records
    assert unpacked(bytes(20), packed([])) == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        {b"x": 1},
        [[]],
        [[b"x" * 32, b"y", "soon"]],
        [[b"x" * 32, b"y", 3]],
        [["x" * 32, "y", 1.0]],
        [[b"x" * 32, None, 1.0]],
        [msgpack.ExtType(0x50, b"")],
        [[b"x", b"y" * 5000, 1.0]],
        [[b"x", b"y", 1.0]] * (FULL + 1),
    ],
)
def test_attack_3_what_is_no_record_is_none(value: object) -> None:
    assert unpacked(bytes(20), cast("bytes", msgpack.packb(value))) == []


@given(st.binary(max_size=300))
def test_attack_3_garbage_is_no_record(data: bytes) -> None:
    validator = Validator(SHARDS, Clock())
    assert not any(validator.valid(record) for record in unpacked(SHARDS.keys[0], data))


def test_attack_3_deep_nesting_is_no_record() -> None:
    assert unpacked(bytes(20), b"\x91" * 100_000) == []


def test_any_flipped_bit_is_seen(record: Record) -> None:
    validator, data = Validator(SHARDS, Clock()), packed([record])
    for bit in Random(1).sample(range(len(data) * 8), 200):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        found = unpacked(record.key, bytes(flipped))
        assert not any(validator.valid(each) for each in found)


def test_authors_are_spread_over_the_shards(keys: list[PeerKey]) -> None:
    shards = Shards("swarm", 4)
    counts = [sum(shards.of(key.public) == each for key in keys) for each in shards.keys]
    assert sum(counts) == len(keys)
    assert min(counts) > len(keys) / 8


@pytest.mark.parametrize("count", [0, -1, 1025])
def test_the_number_of_shards_is_bounded(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 1024"):
        Shards("swarm", count)


def test_a_name_is_a_public_key(keys: list[PeerKey]) -> None:
    assert keys[0].peer.startswith("12D3KooW")
    assert public_of(keys[0].peer) == keys[0].public
    assert name_of(keys[0].public) == keys[0].peer


@pytest.mark.parametrize(
    "name",
    ["", "nobody", "0OIl", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "1" * 999, "12Ð"],
)
def test_other_names_are_not(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a peer"):
        public_of(name)


def test_a_key_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    assert PeerKey.load_or_create(path) == PeerKey.load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("data", [b"", b"junk", b"\x08\x00\x12\x02ab"])
def test_a_broken_key_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(TransportError, match=r"key must be an Ed25519 key of libp2p"):
        PeerKey.load_or_create(path)


def test_a_key_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    PeerKey.load_or_create(path)
    with (
        PeerKey.held(path),
        pytest.raises(TransportError, match="another process"),
        PeerKey.held(path),
    ):
        pass
    with PeerKey.held(path):
        pass
