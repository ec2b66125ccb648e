"""Asking for one frame, which most answers have."""

from __future__ import annotations

from .transport import Transport, TransportError


async def only_frame(transport: Transport, peer: str, method: str, request: bytes) -> bytes:
    """Return the only frame of a peer's answer.

    Raises:
        TransportError: there was no whole answer, or not one frame.
    """
    found: bytes | None = None
    async for frame in transport.ask(peer, method, request):
        if found is not None:
            raise TransportError(f"peer {peer} answered {method} with several frames, not one")
        found = frame
    if found is None:
        raise TransportError(f"peer {peer} answered {method} with nothing")
    return found
