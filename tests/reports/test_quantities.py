import pytest

from praxis_evolve.reports.quantities import amount, duration, percent, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1_000_000, "1 M"),
        (999_900, "1.00 M"),
        (412_345, "412 k"),
        (21_300_000, "21.3 M"),
        (1.25, "1.25"),
        (195_136, "195 k"),
        (4.1e9, "4.10 G"),
        (2.5e16, "25 P"),
        (1.23e19, "12.3 E"),
    ],
)
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (9.96, "10 s"), (59.4, "59 s"), (545, "9 min 05 s"), (12_000, "3 h 20 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_and_differences() -> None:
    assert [size(512), size(2048), size(3 << 20)] == ["512 B", "2 KiB", "3 MiB"]
    assert [percent(-5.72), percent(4.0, decimals=0)] == ["\N{MINUS SIGN}5.7 %", "+4 %"]
