"""Numbers with their units, as the reports print them."""

from __future__ import annotations

MINUS, TIMES, DASH = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"

_STEPS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def amount(value: float) -> str:
    """Return a count with three significant digits and its prefix: 412,345 is "412 k"."""
    for size, prefix in _STEPS:
        if abs(value) >= size * 0.9995:
            return f"{_three(value / size)} {prefix}"
    return _three(value)


def _three(value: float) -> str:
    if value == int(value) and abs(value) < 1000:
        return f"{int(value)}"
    return f"{value:.{0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2}f}"


def size(count: float) -> str:
    """Return bytes with a binary prefix."""
    for step, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(count) >= step:
            return f"{_three(count / step)} {unit}"
    return f"{_three(count)} B"


def duration(seconds: float) -> str:
    """Return a time as people say it: "48 s", "9 min 05 s", "3 h 20 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def percent(value: float, *, decimals: int = 1) -> str:
    """Return a difference in per cent with its sign."""
    return f"{value:+.{decimals}f} %".replace("-", MINUS)


def bits(value: float) -> str:
    """Return bits per byte with three decimals."""
    return f"{value:.3f}"
