"""The peers that were good lately, in a file: a peer finds back to its swarm without the first."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from .. import canonical
from .transport import Contact

MOST = 256
"""The contacts that are kept, the latest first."""

ADDRESSES = 8
"""The addresses of a contact that are kept."""

_LIMIT = 1 << 20


def load_contacts(path: Path) -> tuple[Contact, ...]:
    """Return the contacts in *path*; of a file that is absent or broken, none."""
    try:
        value = canonical.decode(path.read_bytes(), limit=_LIMIT)
    except (OSError, ValueError):
        return ()  # it only makes the start quicker: others can be asked
    rows = cast("list[object]", value) if isinstance(value, list) else []
    found = (_contact(row) for row in rows)
    return tuple(contact for contact in found if contact is not None)[:MOST]


def save_contacts(path: Path, contacts: Sequence[Contact]) -> None:
    """Write contacts to *path*, which has the old ones or the new ones at any time.

    Raises:
        OSError: the disk said no.
    """
    rows = [
        {"addresses": list(contact.addresses[:ADDRESSES]), "peer": contact.peer}
        for contact in contacts[:MOST]
    ]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(canonical.encode(rows))
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _contact(row: object) -> Contact | None:
    if not isinstance(row, dict):
        return None
    fields = cast("dict[str, object]", row)
    peer, addresses = fields.get("peer"), fields.get("addresses")
    if not isinstance(peer, str) or not isinstance(addresses, list):
        return None
    texts = cast("list[object]", addresses)
    return Contact(peer, tuple(each for each in texts if isinstance(each, str)))
