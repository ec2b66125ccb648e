"""Secret files: what only their owner can read, whole or not there at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def create_secret(path: Path, data: bytes, *, over: bool = False) -> bool:
    """Write *data* aside (mode 600) and link it to *path*: nobody sees half of it, and one wins.

    Where a file is there already it stays, and the answer is False: what is secret there is for all
    to use. With *over* it is replaced.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if over:
            os.replace(aside, path)
        else:
            os.link(aside, path)
    except FileExistsError:
        return False  # another process was faster
    finally:
        aside.unlink(missing_ok=True)
    return True
