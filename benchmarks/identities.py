"""Identities by number, the same each time, so that what is simulated replays."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from praxis_evolve.market.identity_key import Identity


def identity_of(number: int) -> Identity:
    """Return the identity with this number."""
    secret = hashlib.sha256(f"{number}".encode()).digest()
    return Identity.of(Ed25519PrivateKey.from_private_bytes(secret))
