"""The parent's handle on a node: it is started, listened to, started again when it dies, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

MODULE = "praxis_evolve.market.swarm.node"
"""What a node runs; it is not imported here, for it brings hivemind along."""

PATIENCE = 1.0, 60.0
"""The first and the longest seconds until a node that died is started again."""

SOUND = 10.0
"""The seconds after which a node that ran is not held to die at once again."""

PIPE = 4096
"""The bytes that a pipe takes whole or not at all (POSIX, PIPE_BUF)."""

ENDING = 15.0
"""The seconds that a node has to leave before it is killed."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a node is told.

    ``digest`` names the run, ``run`` is what this store calls it, ``folder`` is where its files
    are, ``identity`` the file of the author's key. ``join`` are addresses of peers; a run that the
    store does not have is fetched from them. ``announce`` are multiaddrs at which all others reach
    this peer; ``upnp`` asks the router for a port, ``relayed`` lets the peers in ``join`` relay.
    ``period`` is that of gossip, in seconds.
    """

    store: str
    run: str
    digest: str
    folder: str
    identity: str
    listen: tuple[str, ...] = ("127.0.0.1",)
    port: int = 0
    join: tuple[str, ...] = ()
    announce: tuple[str, ...] = ()
    upnp: bool = False
    relayed: bool = False
    period: float = 10.0

    def to_json(self) -> str:
        """Return the settings as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Settings:
        """Return the settings that ``to_json`` wrote."""
        values: dict[str, Any] = json.loads(text)
        for name in ("listen", "join", "announce"):
            values[name] = tuple(values[name])
        return Settings(**values)


class NodeError(RuntimeError):
    """A node did not start; the text is its own last word."""


class NodeProcess:
    """A node in a process of its own.

    Args:
        settings: what it is told.
        watch: called with every line that it says, in a thread of its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        watch: Callable[[Mapping[str, Any]], None] = lambda said: None,
    ) -> None:
        self._settings, self._watch = settings, watch
        self._said = threading.Condition()
        self._latest: dict[str, Mapping[str, Any]] = {}
        self._told: dict[str, bytes] = {}
        self._errors = deque[str](maxlen=8)
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    @property
    def pid(self) -> int | None:
        """The id of the process, None while there is none."""
        process = self._process
        return process.pid if process is not None else None

    @property
    def latest(self) -> Mapping[str, Mapping[str, Any]]:
        """The last line of each event that it said."""
        with self._said:
            return dict(self._latest)

    def tell(self, event: str, *, again: bool = False, **values: object) -> bool:
        """Tell the process, and return whether it could be told, without waiting for it.

        One that is started again is told *again* the last of each such event.

        Raises:
            ValueError: it is longer than a pipe takes whole.
        """
        line = (json.dumps({"event": event, **values}) + "\n").encode()
        if len(line) > PIPE:
            raise ValueError(f"{event!r} has {len(line)} bytes; a node is told at most {PIPE}")
        with self._said:
            if again:
                self._told[event] = line
            return self._write(line)

    def wait_for(self, event: str, timeout: float) -> Mapping[str, Any]:
        """Return the last line of that event, waiting for the first.

        Raises:
            NodeError: it failed, or said nothing in time.
        """
        with self._said:
            came = self._said.wait_for(
                lambda: event in self._latest or "failed" in self._latest, timeout
            )
            if event in self._latest:
                return self._latest[event]
            reason = self._latest.get("failed", {}).get("reason") or "; ".join(self._errors)
        told = "it failed" if came else f"it said nothing of {event!r} in {timeout:g} s"
        raise NodeError(f"the node of run {self._settings.run!r}: {told}: {reason or 'no reason'}")

    def close(self) -> None:
        """End the process and wait until it is gone."""
        self._ended.set()
        process = self._process
        if process is not None and process.stdin is not None:
            with self._said:
                process.stdin.close()
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
        self._keeper.join(ENDING)

    def _write(self, line: bytes) -> bool:
        """Write to the process, if it is there and has room; the lock is held."""
        process = self._process
        if process is None or process.stdin is None or process.stdin.closed:
            return False
        with suppress(OSError):  # it has just died, or hangs
            return os.write(process.stdin.fileno(), line) == len(line)
        return False

    def _keep(self) -> None:
        patience, longest = PATIENCE
        while not self._ended.is_set():
            began = time.monotonic()
            self._run()
            if time.monotonic() - began > SOUND:
                patience = PATIENCE[0]
            self._ended.wait(patience)
            patience = min(longest, 2 * patience)

    def _run(self) -> None:
        """Run a process to its end and take in what it says."""
        command = [sys.executable, "-m", MODULE, self._settings.to_json()]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, start_new_session=True,
            )  # fmt: skip
        except OSError as error:  # there is no room for another process; later there may be
            self._errors.append(f"it cannot be started: {error}")
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with self._said:
            self._process = process
            os.set_blocking(process.stdin.fileno(), False)
            for line in self._told.values():
                self._write(line)
        assert process.stderr is not None
        errors = threading.Thread(target=self._errors.extend, args=(process.stderr,), daemon=True)
        errors.start()
        if self._ended.is_set():
            process.kill()
        for line in process.stdout:
            self._hear(line)
        process.wait()
        errors.join()
        with self._said:
            self._process = None
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()

    def _hear(self, line: str) -> None:
        try:
            said = cast("dict[str, Any]", json.loads(line))
            event = str(said["event"])
        except (ValueError, KeyError, TypeError):
            self._errors.append(line)
            return
        with self._said:
            self._latest[event] = said
            self._said.notify_all()
        self._watch(said)
