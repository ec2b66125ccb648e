"""Secret files: keys that only their owner can read, whole or not there at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def create_secret(path: Path, data: bytes) -> None:
    """Write *data* aside (mode 600) and link it to *path*: nobody sees half of it, and one wins.

    Where another process was faster its file stays: what is secret there is for all to use.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        pass  # another process was faster
    finally:
        aside.unlink(missing_ok=True)
