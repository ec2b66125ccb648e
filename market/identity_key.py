"""The key of a contributor: an Ed25519 key in a file that only its owner can read.

Whoever holds the file can sign results in its owner's name. The public half is the author of a
record.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .errors import IdentityError
from .secret_file import create_secret

VARIABLE = "PRAXIS_IDENTITY"
"""The environment variable that names another identity file."""


@dataclass(frozen=True)
class Identity:
    """Signs in the name of ``author``, the 64 hex digits of its public key."""

    author: str
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, key: Ed25519PrivateKey) -> Identity:
        """Return the identity of a key."""
        return cls(key.public_key().public_bytes_raw().hex(), key)

    @classmethod
    def new(cls) -> Identity:
        """Return a fresh identity that is in no file."""
        return cls.of(Ed25519PrivateKey.generate())

    @classmethod
    def load_or_create(cls, path: Path | None = None) -> Identity:
        """Return the identity in *path*, which is created (mode 600) where there is none.

        Several processes may do so at once: all get the same identity.

        Raises:
            IdentityError: the file can be read by others, holds no Ed25519 key, or cannot be read
                or written.
        """
        place = default_path() if path is None else path
        try:
            if not place.exists():
                create_secret(place, _pem(Ed25519PrivateKey.generate()))
            _refuse_public(place)
            return cls.of(_parsed(place))
        except OSError as error:
            raise IdentityError(
                f"the identity file {place} cannot be used: {error.strerror or error}; "
                f"name another one by {VARIABLE} or make its folder writable"
            ) from error

    def sign(self, message: bytes) -> str:
        """Return the signature of *message*, 128 hex digits."""
        return self._key.sign(message).hex()


def verify(author: str, message: bytes, signature: str) -> bool:
    """Return whether *author* (64 hex digits) signed *message*; malformed input is a no."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(author))
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the identity file: what PRAXIS_IDENTITY says, or ``~/.praxis-evolve/identity``."""
    named = environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".praxis-evolve" / "identity"


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _refuse_public(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise IdentityError(
            f"the identity file {path} must be readable by its owner alone, but has mode {mode:o}: "
            f"whoever reads it can sign results in your name; run: chmod 600 {path}"
        )


def _parsed(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise IdentityError(
            f"the identity file {path} holds no private key in PEM form: {error}; "
            "restore it from a copy, or move it away to get a new identity"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityError(
            f"the identity file {path} must hold an Ed25519 key, but holds "
            f"{type(key).__name__}; move it away to get a new identity"
        )
    return key
