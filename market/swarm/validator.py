"""Announcements: what a peer says about itself, signed, so that nobody forges or wipes it.

A record stands under the key of a shard by the public key of its author, and ends at a fixed time.
The signature covers all four and the swarm's name. What is valid once stays so: the only clock in
the rules lets more in as it goes on, so that peers never disagree for long.
"""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from . import peer_key
from .peer_key import PeerKey
from .transport import ANNOUNCED, LIFE

AHEAD = 60.0
"""The seconds that another's clock may be ahead."""

SIGNATURE = 64
"""The bytes of a signature, which stand before what is said."""

_REMEMBERED = 4096
"""The verdicts on signatures that are kept."""


@dataclass(frozen=True)
class Record:
    """What ``author`` (32 bytes) says under a key (20 bytes) until ``expires`` (since 1970)."""

    key: bytes
    author: bytes
    value: bytes
    expires: float

    @property
    def said(self) -> bytes:
        """What is said, without the signature."""
        return self.value[SIGNATURE:]


@dataclass(frozen=True)
class Shards:
    """The keys of a swarm: an author's announcements stand under one of them."""

    swarm: str
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1024:
            raise ValueError(f"there must be 1 to 1024 shards, not {self.count}")

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys, 20 bytes each."""
        return tuple(self._key(shard) for shard in range(self.count))

    def of(self, author: bytes) -> bytes:
        """Return the key under which an author's announcements stand."""
        start = int.from_bytes(hashlib.sha256(author).digest()[:4], "big")
        return self._key(start * self.count >> 32)

    def _key(self, shard: int) -> bytes:
        return hashlib.sha1(f"px1/{self.swarm}/p/{self.count}/{shard}".encode()).digest()


class Validator:
    """Tells the announcements of a swarm from everything else."""

    def __init__(self, shards: Shards, now: Callable[[], float]) -> None:
        self._shards, self._now = shards, now
        self._keys = frozenset(shards.keys)
        self._verdicts: OrderedDict[bytes, bool] = OrderedDict()

    def valid(self, record: Record) -> bool:
        """Return whether the record may be stored and believed, whoever brought it."""
        return (
            record.key in self._keys
            and len(record.author) == 32
            and SIGNATURE <= len(record.value) <= SIGNATURE + ANNOUNCED
            and 0 < record.expires <= self._now() + LIFE + AHEAD  # which NaN is not
            and record.key == self._shards.of(record.author)
            and self._signed(record)
        )

    def _signed(self, record: Record) -> bool:
        message = _message(self._shards.swarm, record)
        verdict = hashlib.sha256(message + record.value[:SIGNATURE]).digest()
        known = self._verdicts.pop(verdict, None)
        if known is None:
            known = peer_key.signed(record.author, message, record.value[:SIGNATURE])
        self._verdicts[verdict] = known
        if len(self._verdicts) > _REMEMBERED:
            self._verdicts.popitem(last=False)
        return known


def sign(key: PeerKey, shards: Shards, said: bytes, expires: float) -> Record:
    """Return the record by which a peer says something."""
    unsigned = Record(shards.of(key.public), key.public, bytes(SIGNATURE) + said, expires)
    signature = key.sign(_message(shards.swarm, unsigned))
    return Record(unsigned.key, unsigned.author, signature + said, expires)


def _message(swarm: str, record: Record) -> bytes:
    """Return what is signed; only the last part has no fixed length or hash."""
    name = hashlib.sha256(swarm.encode()).digest()
    end = struct.pack(">d", record.expires)
    return b"praxis announcement 1" + name + record.key + record.author + end + record.said
