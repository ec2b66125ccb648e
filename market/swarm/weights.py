"""Weights that peers keep: found by the hash that a record names, and fetched by it.

Whoever sends them cannot send others. That a hash names what a record says of it is for those to
look at who use it; here it is a file of bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ...evaluator.job import weights_hash
from ..fetching import OFFERS, PATIENCE
from ..ledger import Ledger
from .blobs import fetch
from .transport import Transport, TransportError

KIND = "weights"
"""The kind of these blobs."""

MOST = 1 << 34
"""The most bytes of a file that is sent."""

WITHIN = PATIENCE / OFFERS
"""The most seconds that weights are asked for, so that a job that waits can have the next ones; a
peer has half of what is left of them.
"""


class Kept:
    """Finds the weights that records of a run name, as far as they are in its folder.

    Args:
        ledger: where the run is.
        run: its name there.
        folder: where its weights are.
    """

    def __init__(self, ledger: Ledger, run: str, folder: Path) -> None:
        self._ledger, self._run, self._folder = ledger, run, folder
        self._named: dict[str, str] = {}  # SHA-256 -> which files it may be of
        self._read = 0  # lines of the log
        self._hashed: dict[Path, tuple[int, int, str]] = {}  # with time and size

    def __call__(self, name: str) -> Path | None:
        """Return where the blob of that name is, None if it is not here."""
        kind, _, weights = name.partition(":")
        if kind != KIND:
            return None
        if weights not in self._named:
            self._look()
        found = self._folder.glob(self._named[weights]) if weights in self._named else ()
        return next((path for path in sorted(found) if self._is(path, weights)), None)

    def _look(self) -> None:
        """Read the records that came since, wherever in their authors' chains they are."""
        for line in self._ledger.told(self._run, since=self._read):
            self._read += 1
            if line.record is None or not (weights := line.record.result.measured.weights):
                continue
            result = line.record.result
            start, end = result.genome[:24], f"-r{result.replica}-{result.rung}."
            self._named[weights] = f"{start}*{end}*.safetensors"

    def _is(self, path: Path, weights: str) -> bool:
        try:
            facts = path.stat()
            if facts.st_size > MOST:
                return False
            known = self._hashed.get(path)
            if known is None or known[:2] != (facts.st_mtime_ns, facts.st_size):
                known = facts.st_mtime_ns, facts.st_size, weights_hash(path)
                self._hashed[path] = known
        except FileNotFoundError:  # it was there a moment ago
            return False
        return known[2] == weights


async def fetch_weights(
    transport: Transport, peers: Sequence[str], weights: str, into: Path, *, size: int
) -> None:
    """Fetch the file with the SHA-256 *weights* and at most *size* bytes to *into*.

    It is there at once or not at all, and not fetched again where it is.

    Raises:
        TransportError: nobody sent it in time.
        OSError: it cannot be written.
        ValueError: *weights* is no SHA-256.
    """
    if into.exists() and await asyncio.to_thread(_problem, into, weights) is None:
        return
    loop, problems = asyncio.get_running_loop(), list[str]()
    end = loop.time() + WITHIN
    for peer in peers:
        try:
            async with asyncio.timeout((end - loop.time()) / 2):
                await fetch(
                    transport, [peer], f"{KIND}:{weights}", into, most=min(size, MOST),
                    check=lambda found: _problem(found, weights),
                )  # fmt: skip
        except TransportError as error:
            problems.append(str(error))
        except TimeoutError:
            problems.append(f"{peer} was too slow")
        else:
            return
    raise TransportError("; ".join(problems) or "no peer is known")


def _problem(path: Path, weights: str) -> str | None:
    found = weights_hash(path)
    return None if found == weights else f"hashes to {found[:12]}, not {weights[:12]}"
