"""Blobs: files that others need to take part, fetched from whoever has them and checked.

A blob is named by its kind and a SHA-256 that it must live up to (``manifest:ab12...``); what the
hash is of is the kind's to say, so whoever fetches brings the check. Nothing of it is executed.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from .transport import FRAME, Transport, TransportError

LEAST = 64 * 1024
"""The bytes a second that a peer must send for a blob to be waited for."""

NAME = re.compile(r"[a-z]{1,16}:[0-9a-f]{64}")

Find = Callable[[str], Path | None]
"""Returns where the blob of a name is, None if this peer has not got it."""

Check = Callable[[Path], str | None]
"""Says why a file is not the blob that was asked for; None where it is."""


def serve_blobs(transport: Transport, find: Find) -> None:
    """Answer requests for blobs: a name to the frames of its file.

    *find* may look long at files, so it is called in another thread, for one request at a time.
    """
    alone = asyncio.Lock()

    async def found(name: str) -> Path | None:
        async with alone:
            return await asyncio.to_thread(find, name)

    async def blob(caller: str, request: bytes) -> AsyncIterator[bytes]:
        del caller
        name = request.decode("ascii", errors="replace")
        # the thread goes on where the caller leaves, and none may begin beside it
        path = await asyncio.shield(found(name)) if NAME.fullmatch(name) else None
        if path is None:
            raise LookupError(f"there is no blob {name[:90]!r} here")
        with path.open("rb") as file:
            while frame := file.read(FRAME):
                yield frame

    transport.serve("blob", blob)


async def fetch(
    transport: Transport,
    peers: Sequence[str],
    name: str,
    path: Path,
    *,
    most: int,
    check: Check,
    deadline: float = 30.0,
) -> None:
    """Fetch a blob into *path* from the first of *peers* that has it, whole and sound.

    It is there at once or not at all. *most* is the largest that it may be, in bytes, *deadline*
    the most seconds of a frame.

    Raises:
        TransportError: nobody sent it; the text says what became of each.
        ValueError: *name* is no name of a blob.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"a blob is named kind:64 hex digits, but {name[:90]!r} is not")
    problems = list[str]()
    for peer in peers:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            frames = transport.ask(peer, "blob", name.encode(), deadline=deadline)
            async with asyncio.timeout(deadline + most / LEAST):
                await _received(frames, part, most)
            problem = await asyncio.to_thread(check, part)
            if problem is None:
                os.replace(part, path)
                return
            problems.append(f"{peer} sent what {problem}")
        except TransportError as error:
            problems.append(str(error))
        except TimeoutError:
            problems.append(f"{peer} was too slow")
        finally:
            part.unlink(missing_ok=True)
    told = "; ".join(problems) or "no peer is known"
    raise TransportError(f"nobody sent {name}: {told}; try again when others are there")


async def _received(frames: AsyncIterator[bytes], part: Path, most: int) -> None:
    size = 0
    with part.open("wb") as file:
        async for frame in frames:
            size += len(frame)
            if not frame:
                raise TransportError("an empty frame of a blob was sent")
            if size > most:
                raise TransportError(f"a blob of over {most:,} bytes was sent, more than it may be")
            file.write(frame)
        file.flush()
        os.fsync(file.fileno())
