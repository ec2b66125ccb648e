"""What a stranger may take of this peer: requests, bytes, and room for answers under way."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .frames import RefusedError
from .transport import FRAME


@dataclass(frozen=True)
class Limits:
    """The most that this peer does for others."""

    requests: float = 200.0
    """Requests of a peer in a second, in the long run."""
    requests_at_once: float = 1000.0
    """Requests of a peer that was silent before."""
    rate: float = float(64 << 20)
    """Bytes to and from a peer in a second, in the long run."""
    burst: float = float(256 << 20)
    """Bytes to and from a peer that was silent before."""
    beside: int = 64
    """Requests of a peer under way."""
    in_flight: int = 64 << 20
    """Bytes of requests and answers under way, of all peers together."""
    handling: float = 60.0
    """Seconds until a handler must have its next frame."""
    asking: float = 10.0
    """Seconds until a peer must have said what it asks for."""
    sending: float = 30.0
    """Seconds until a peer must have taken a frame, or sent the rest of its request."""


@dataclass
class Bucket:
    """Tokens that come back at ``rate`` a second up to ``most``, and may be owed."""

    rate: float
    most: float
    since: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.most

    def take(self, count: float, now: float) -> None:
        """Take tokens at the time *now* (seconds, monotonic), of which there may be too few."""
        self.tokens = min(self.most, self.tokens + (now - self.since) * self.rate) - count
        self.since = now

    @property
    def owed(self) -> float:
        """The seconds until what was taken is paid."""
        return max(0.0, -self.tokens / self.rate)


class Buckets:
    """A bucket for each peer that came lately, so many at most."""

    def __init__(self, rate: float, most: float, *, peers: int = 4096) -> None:
        self._rate, self._most, self._peers = rate, most, peers
        self._of: OrderedDict[str, Bucket] = OrderedDict()

    def of(self, peer: str, now: float) -> Bucket:
        """Return a peer's bucket at the time *now*, with what came back by then."""
        bucket = self._of.pop(peer, None) or Bucket(self._rate, self._most, now)
        bucket.take(0, now)
        self._of[peer] = bucket
        if len(self._of) > self._peers:
            self._of.popitem(last=False)
        return bucket


class Gate:
    """Lets requests in as long as their peer, and all peers together, keep to the limits."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits, self._now = limits, now
        self._in_flight = 0
        self._beside: Counter[str] = Counter()
        self._asked = Buckets(limits.requests, limits.requests_at_once)
        self._moved = Buckets(limits.rate, limits.burst)

    @contextmanager
    def entered(self, peer: str) -> Generator[None]:
        """Hold a place for one of a peer's streams.

        Raises:
            RefusedError: the peer has too many.
        """
        if self._beside[peer] >= self._limits.beside:
            raise RefusedError(f"{self._limits.beside} requests are under way; wait for an answer")
        self._beside[peer] += 1
        try:
            yield
        finally:
            self._beside[peer] -= 1
            if not self._beside[peer]:
                del self._beside[peer]

    @contextmanager
    def admitted(self, peer: str, request: int) -> Generator[None]:
        """Hold room for a request of so many bytes and its answer.

        Raises:
            RefusedError: there is no room, or the peer asks too much.
        """
        self._count(peer, request)
        room = request + 2 * FRAME  # of the answer, a frame with us and another in the socket
        if self._in_flight + room > self._limits.in_flight:
            raise RefusedError("this peer is busy; ask again later")
        self._in_flight += room
        try:
            yield
        finally:
            self._in_flight -= room

    def sent(self, peer: str, count: int) -> float:
        """Count bytes that a peer got, and return the seconds to wait before it gets more."""
        moved = self._moved.of(peer, now := self._now())
        moved.take(count, now)
        return moved.owed

    def _count(self, peer: str, request: int) -> None:
        asked, moved = self._asked.of(peer, now := self._now()), self._moved.of(peer, now)
        asked.take(1, now)
        moved.take(request, now)
        if asked.owed or moved.owed:
            asked.take(-1, now)  # a refusal is cheap: who slows down is heard again
            moved.take(-request, now)
            raise RefusedError("too much was asked for lately; ask again later")
