"""The key of a peer: the Ed25519 key by which libp2p knows it, so that its name is its public key.

The name of such a peer is its public key in base 58 behind six fixed bytes. What a name signs can
therefore be checked by anyone who has the name, and the daemon proves it on every connection.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..secret_file import create_secret
from .hive import PeerID, crypto
from .transport import TransportError

_BEFORE = bytes.fromhex("002408011220")
"""What stands before the public key in a name: an unhashed protobuf of an Ed25519 key."""

_LONGEST = 64
"""More letters than a name has."""


@dataclass(frozen=True)
class PeerKey:
    """Signs by the name ``peer``."""

    peer: str
    public: bytes
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def load_or_create(cls, path: Path) -> PeerKey:
        """Return the key in *path*, the file that the daemon reads; create it (mode 600) if absent.

        Raises:
            TransportError: the file cannot be read or written, or holds no Ed25519 key of libp2p.
        """
        try:
            if not path.exists():
                create_secret(path, _new())
            data = path.read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise TransportError(f"the peer's key {path} cannot be used: {reason}") from error
        return _parsed(path, data)

    @staticmethod
    @contextmanager
    def held(path: Path) -> Generator[None]:
        """Hold the key in *path*, so that no other process of this host is the same peer.

        Raises:
            TransportError: another one is.
        """
        file = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise TransportError(f"another process is the peer of the key {path}") from None
        finally:
            os.close(file)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of *message*, 64 bytes."""
        return self._key.sign(message)


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the key *public* (32 bytes) signed *message*; malformed input is a no."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def name_of(public: bytes) -> str:
    """Return the name of the peer with the key *public* (32 bytes)."""
    return PeerID(_BEFORE + public).to_base58()


def public_of(peer: str) -> bytes:
    """Return the public key (32 bytes) of a peer by its name.

    Raises:
        ValueError: it is not the name of a peer with an Ed25519 key.
    """
    try:
        raw = PeerID.from_base58(peer).to_bytes() if len(peer) <= _LONGEST else b""
    except ValueError:
        raw = b""
    if len(raw) != len(_BEFORE) + 32 or not raw.startswith(_BEFORE):
        raise ValueError(f"{peer[:_LONGEST]!r} is not the name of a peer with an Ed25519 key")
    return raw[len(_BEFORE) :]


def _new() -> bytes:
    """Return a new key as the daemon reads it."""
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes_raw() + key.public_key().public_bytes_raw()
    return crypto.PrivateKey(key_type=crypto.Ed25519, data=data).SerializeToString()


def _parsed(path: Path, data: bytes) -> PeerKey:
    try:
        message = crypto.PrivateKey.FromString(data)
        if message.key_type != crypto.Ed25519 or len(message.data) != 64:
            raise ValueError("it is a key of another kind")
        key = Ed25519PrivateKey.from_private_bytes(message.data[:32])
    except Exception as error:  # protobuf has errors of its own for what it cannot read
        raise TransportError(
            f"the peer's key {path} must be an Ed25519 key of libp2p: {error}; "
            "restore it from a copy, or move it away to get a new name"
        ) from None
    public = key.public_key().public_bytes_raw()
    return PeerKey(name_of(public), public, key)
