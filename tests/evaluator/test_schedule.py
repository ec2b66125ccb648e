import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.evaluator.preset import PRESETS, SIZES, estimated_seconds, preset
from praxis_evolve.evaluator.schedule import schedule


@given(st.integers(1, 10**7), st.integers(1, 10**6), st.floats(0.01, 0.5), st.integers(1, 10**5))
def test_rates_rise_stay_and_fall(rung: int, lowest: int, warmup: float, tokens: int) -> None:
    plan = schedule(rung, lowest=lowest, warmup=warmup, tokens_per_step=tokens)
    assert 0 <= plan.stable < plan.steps
    assert abs(plan.steps * tokens - rung) <= max(tokens / 2, tokens - rung)
    ends = (0, plan.stable - 1, plan.stable, plan.steps - 1)
    assert all(0 < plan.rate(step) <= 1 for step in ends if 0 <= step < plan.steps)


def test_the_usual_schedule_by_hand() -> None:
    plan = schedule(51_200, lowest=51_200, warmup=0.1, tokens_per_step=512)
    assert (plan.warmup, plan.stable, plan.steps) == (10, 90, 100)
    assert [plan.rate(step) for step in (0, 4, 9, 50, 89)] == [0.1, 0.5, 1, 1, 1]
    assert plan.rate(90) == pytest.approx(10 / 11)
    assert plan.rate(99) == pytest.approx(1 / 11)


def test_all_rungs_of_a_ladder_share_the_stable_phase() -> None:
    plans = [
        schedule(rung, lowest=50_000, warmup=0.3, tokens_per_step=512)
        for rung in (50_000, 150_000, 450_000)
    ]
    for low, high in itertools.pairwise(plans):
        assert low.stable < high.stable
        assert all(low.rate(step) == high.rate(step) for step in range(low.stable))


def test_the_work_of_a_ladder_by_hand() -> None:
    ladder = Ladder((100, 300, 900))
    assert [ladder.work(rung) for rung in ladder.rungs] == [100, 210, 630]
    assert [ladder.below(rung) for rung in ladder.rungs] == [None, 100, 300]
    assert ladder.expected(64) == {100: 64, 300: 22, 900: 8}
    assert ladder.tokens(64) == 64 * 100 + 22 * 210 + 8 * 630
    assert (ladder.lowest, ladder.top) == (100, 900)


@pytest.mark.parametrize("rungs", [(), (0, 5), (5, 5), (9, 5)])
def test_a_ladder_that_does_not_rise_is_told(rungs: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="each more than the one before"):
        Ladder(rungs)


def test_a_wrong_eta_and_a_wrong_rung_are_told() -> None:
    with pytest.raises(ValueError, match="at least 2, but is 1"):
        Ladder(eta=1)
    with pytest.raises(ValueError, match="7 tokens is no rung"):
        Ladder().work(7)


def test_each_size_has_a_sound_preset_for_each_device() -> None:
    assert set(PRESETS) == {f"{kind}-{size}" for kind in ("cpu", "gpu") for size in SIZES}
    for each in PRESETS.values():
        assert Ladder(each.rungs).top == each.rungs[-1]
        assert each.width % 32 == 0
    assert preset().name == "cpu-small"
    assert preset("large", device="cuda").name == "gpu-large"
    with pytest.raises(ValueError, match="one of demo, small, medium, large, but is 'tiny'"):
        preset("tiny")
    assert estimated_seconds(180_000, of=preset(), workers=2) == pytest.approx(10.0)
