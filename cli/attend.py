"""What the owner of a machine may do while it works: signals, keys, orders, limits."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from .channel import Channel, Order
from .clock import Clock
from .conditions import Pause, Terms, hindrance, parse_hours, parse_span
from .disk import Kept, keep
from .keys import keys as keys_of
from .machine import Machine
from .settings import parse_amount

if TYPE_CHECKING:
    from .display import Display
    from .progress import Status
    from .settings import RunSettings


def terms_of(settings: RunSettings) -> Terms:
    """Return what the owner allows; on battery all but ``peer`` work unless told otherwise."""
    return Terms(
        hours=None if settings.hours is None else parse_hours(settings.hours),
        idle=None if settings.idle is None else parse_span(settings.idle),
        on_battery=settings.on_battery is not False,
        disk=None if settings.disk is None else parse_amount(settings.disk),
    )


def terms_json(settings: RunSettings, workers: int, gpus: Sequence[int]) -> Mapping[str, object]:
    """Return the limits of a call as JSON has them."""
    terms = terms_of(settings)
    return {
        "hours": None if terms.hours is None else str(terms.hours),
        "idle_seconds": terms.idle,
        "on_battery": terms.on_battery,
        "disk_bytes": terms.disk,
        "memory_bytes": parse_amount(settings.memory_limit),
        "workers": workers,
        "gpus": list(gpus),
    }


@contextmanager
def attended(
    settings: RunSettings, folder: Path, status: Status, display: Display, *, keys: bool
) -> Generator[Clock]:
    """Give the clock of a call on the run in *folder*, which its owner can hold and end.

    *keys* says whether those of the terminal are taken.
    """
    terms, channel = terms_of(settings), Channel(folder)
    machine = Machine(terms, lambda: _kept(folder, settings.store, terms), display.pruned)
    with keys_of() if keys else nullcontext() as pressed:

        def orders() -> Iterator[Order]:
            yield from channel.orders()
            if pressed is not None:
                yield from pressed.orders()

        def on_pause(pause: Pause | None) -> None:
            channel.tell(pause)
            status.hold(pause)
            display.paused(pause)

        clock = Clock(
            minutes=settings.minutes,
            max_evals=settings.max_evals,
            once=settings.once,
            finals_seconds=status.finals_seconds,
            orders=orders,
            hindered=lambda: hindrance(terms, machine.facts()),
            on_order=display.told,
            on_pause=on_pause,
        )
        try:
            with clock.listening():
                yield clock
        finally:
            channel.close()


def _kept(folder: Path, store: str, terms: Terms) -> Kept:
    return keep(folder, store, terms.disk or 0)
