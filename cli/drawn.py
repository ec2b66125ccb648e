"""The status of a run as a line of key=value, as figures, as bars and lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..reports.quantities import duration
from .conditions import bytes_text
from .places import short, short_tokens

if TYPE_CHECKING:
    from .disk import Kept
    from .progress import Status


def line_of(status: Status, pending: int) -> str:
    """Return the status as one line of key=value."""
    pairs = {
        "t": duration(status.elapsed).replace(" ", ""),
        "births": f"{status.born}/{status.births}",
        "rungs": ",".join(f"{short_tokens(r)}:{n}" for r, n in sorted(status.rungs.items())),
        "finals": f"{status.finals_done}/{status.finals}",
        "running": pending,
        "now": now_text(status) or "-",
        "today": status.results_today,
        "failed": status.failed,
        "left": duration(status.left()).replace(" ", ""),
    }
    if status.pause is not None:
        pairs |= {"paused": status.pause.by, "until": status.pause.until.replace(" ", "")}
    if status.node is not None:
        pairs |= status.node.field()
    if status.best is not None:
        rung, bits, genome = status.best
        pairs |= {"best": f"{bits:.3f}", "genome": short(genome), "at": short_tokens(rung)}
        if rung in status.baseline:
            pairs[status.rival] = f"{status.baseline[rung]:.3f}"
    if status.best_heir is not None:
        rung, bits, genome = status.best_heir
        pairs |= {"inherited": f"{bits:.3f}", "heir": short(genome), "heir_at": short_tokens(rung)}
    return " ".join(f"{key}={value}" for key, value in pairs.items())


def progress_of(status: Status, pending: int) -> dict[str, object]:
    """Return the status as the figures of an event."""
    return {
        "births_done": status.born,
        "births": status.births,
        "finals_done": status.finals_done,
        "finals": status.finals,
        "running": pending,
        "now": list(status.running.values()),
        "results_today": status.results_today,
        "failed": status.failed,
        "seconds_left": round(status.left()),
        "paused": status.pause and status.pause.by,
        **({} if status.node is None else status.node.field()),
    }


def now_text(status: Status) -> str:
    """Return genome and rung of what is evaluated; of several the first, and how many more."""
    first, *others = [*status.running.values(), ""]
    return f"{first}+{len(others) - 1}" if len(others) > 1 else first


def pruned_text(kept: Kept) -> str:
    """Return what was removed, in words."""
    return (
        f"disk        {kept.files} old checkpoints of {bytes_text(kept.pruned)} are removed; "
        f"{bytes_text(kept.bytes)} are kept"
    )


def drawn(status: Status, pending: int, keys: str = "") -> Group:
    """Return the status as bars and lines."""
    grid = Table.grid(padding=(0, 2))
    for label, done, total in (
        ("search", status.born, status.births),
        ("finals", status.finals_done, status.finals),
    ):
        bar = ProgressBar(total=max(1, total), completed=done, width=30)
        grid.add_row(label, bar, f"{done}/{total}")
    rungs = " | ".join(f"{short_tokens(r)} {n}" for r, n in sorted(status.rungs.items()))
    grid.add_row("ladder", Text(rungs or "-"), f"failed {status.failed}, running {pending}")
    if status.node is not None:
        told = status.node.field()
        held = f"held {told['held']}, acknowledged {told['acknowledged']}, behind {told['behind']}"
        grid.add_row("others", Text(f"peers {told['peers']}, records {told['foreign']}"), held)
    best = "-"
    if status.best is not None:
        rung, bits, genome = status.best
        best = f"{short(genome)} {bits:.3f} bits/byte at {short_tokens(rung)} tokens"
        if rung in status.baseline:
            best += f"  ({status.rival} {status.baseline[rung]:.3f})"
    if status.best_heir is not None:
        rung, bits, genome = status.best_heir
        best += f"; inherited: {short(genome)} {bits:.3f} at {short_tokens(rung)}"
    times = f"{duration(status.elapsed)}, about {duration(status.left())} left"
    lines = {"best": escape(best), "now": now_text(status), "time": times, "keys": keys}
    lines["paused"] = "" if status.pause is None else str(status.pause)
    return Group(grid, *(Text(f"{name:<7} {text}") for name, text in lines.items() if text))
