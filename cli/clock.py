"""When a run works, pauses and ends: signals, orders and limits, as wishes for the loop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from ..market.worker import Wish
from .channel import Order
from .conditions import Pause
from .output import notice


@dataclass
class Clock:
    """Says what the owner wants now.

    ``minutes`` bounds this call, ``max_evals`` the evaluations of the search that it makes. Time is
    kept for the finals: ``finals_seconds()`` says how long they will take from now. The search has
    at least half of it, whatever the finals take. ``once`` ends the call with the first evaluation,
    of whatever kind.

    ``orders()`` are the owner's since the last look, ``hindered()`` says why the machine may not
    work now; ``on_order`` and ``on_pause`` hear of orders, and of pauses and their ends.
    """

    minutes: float | None = None
    max_evals: int | None = None
    once: bool = False
    finals_seconds: Callable[[], float] = lambda: 0.0
    now: Callable[[], float] = time.monotonic
    orders: Callable[[], Iterable[Order]] = lambda: ()
    hindered: Callable[[], Pause | None] = lambda: None
    on_order: Callable[[Order], None] = lambda order: None
    on_pause: Callable[[Pause | None], None] = lambda pause: None
    evaluations: int = 0
    begun: int = 0
    signal: int | None = None
    pause: Pause | None = None
    ended: Pause | None = None
    """What ended the call that waiting would not have helped."""
    _ending: Wish | None = field(default=None, init=False)
    _held: bool = field(default=False, init=False)
    _started: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._started = self.now()

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.now() - self._started

    def count(self) -> None:
        """Count an evaluation of the search."""
        self.evaluations += 1

    def begin(self) -> None:
        """Count an evaluation of any kind that was handed out."""
        self.begun += 1

    def wish(self) -> Wish:
        """Return what the owner wants now."""
        self._take_orders()
        self._look()
        if self._ending is not None:
            return self._ending
        if self.pause is not None:
            return Wish.PAUSE
        if self.once and self.begun:
            return Wish.FINISH
        if self.max_evals is not None and self.evaluations >= self.max_evals:
            return Wish.CLOSE
        if self.minutes is not None and self._late():
            return Wish.CLOSE
        return Wish.WORK

    def stops(self) -> bool:
        """Return whether the owner wants to end at once, where nothing is evaluated any more."""
        self._take_orders()
        return self._ending is Wish.STOP

    def take(self, order: Order) -> None:
        """Take an order of the owner; what was to end does not go on."""
        match order:
            case Order.PAUSE:
                self._held = True
            case Order.RESUME:
                self._held = False
            case Order.FINISH:
                self._ending = self._ending or Wish.FINISH
            case Order.STOP:
                self._ending = Wish.STOP

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Take a SIGINT or SIGTERM: the first finishes what runs, the second ends at once."""
        self.signal = number
        if self._ending is None:
            self._ending = Wish.FINISH
            notice("finishing what runs (again stops at once); everything finished is stored")
        else:
            self._ending = Wish.STOP
            notice("stopping at once; what ran is done again by --resume")

    @contextmanager
    def listening(self) -> Generator[None]:
        """Take the signals while the block runs."""
        before = {n: signal.signal(n, self.on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take_orders(self) -> None:
        for order in self.orders():
            self.on_order(order)
            self.take(order)

    def _look(self) -> None:
        """Look whether to pause; what cannot be waited for ends the call."""
        pause = Pause("owner", "its owner said so", "resume") if self._held else self.hindered()
        if pause is not None and pause.ends and self._ending is None:
            self._ending, self.ended = Wish.FINISH, pause
        if self._ending is not None:
            pause = None
        changed = (pause and pause.by) != (self.pause and self.pause.by)
        self.pause = pause
        if changed:
            self.on_pause(pause)

    def _late(self) -> bool:
        allowed = 60 * (self.minutes or 0.0)
        return self.elapsed >= max(allowed / 2, allowed - self.finals_seconds())
