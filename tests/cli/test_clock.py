"""When a run closes, pauses and ends: time is kept for the finals, never more than half of it."""

import signal

import pytest

from praxis_evolve.cli.channel import Order
from praxis_evolve.cli.clock import Clock
from praxis_evolve.cli.conditions import Pause
from praxis_evolve.market.worker import Wish


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(("finals", "closes"), [(0.0, 600.0), (120.0, 480.0), (5000.0, 300.0)])
def test_minutes_keep_time_for_the_finals(finals: float, closes: float) -> None:
    now = Time()
    clock = Clock(minutes=10, finals_seconds=lambda: finals, now=now)
    now.seconds = closes - 1
    assert clock.wish() is Wish.WORK
    now.seconds = closes
    assert clock.wish() is Wish.CLOSE


def test_evaluations_are_counted() -> None:
    clock = Clock(max_evals=2)
    clock.count()
    assert clock.wish() is Wish.WORK
    clock.count()
    assert clock.wish() is Wish.CLOSE


def test_the_first_signal_finishes_and_the_second_stops() -> None:
    clock = Clock(minutes=10, max_evals=0)
    clock.on_signal(signal.SIGINT, None)
    assert clock.wish() is Wish.FINISH
    clock.on_signal(signal.SIGINT, None)
    assert clock.wish() is Wish.STOP
    assert clock.signal == signal.SIGINT


NIGHT = Pause("hours", "it is noon", "22:00")
FULL = Pause("disk", "the disk is full", ends=True)


class Owner:
    """Gives orders, and hears what becomes of them."""

    def __init__(self, **limits: int | bool) -> None:
        self.orders = list[Order]()
        self.hindrance: Pause | None = None
        self.heard = list[Order | str]()
        self.clock = Clock(
            orders=self.given, hindered=lambda: self.hindrance, on_order=self.heard.append,
            on_pause=lambda pause: self.heard.append(pause.by if pause else "working"),
            max_evals=limits.get("max_evals"), once=bool(limits.get("once")),
        )  # fmt: skip

    def given(self) -> list[Order]:
        given, self.orders = self.orders, []
        return given

    def wish(self, *orders: Order) -> Wish:
        self.orders += orders
        return self.clock.wish()


def test_an_owner_pauses_resumes_and_ends() -> None:
    owner = Owner()
    assert owner.wish() is Wish.WORK
    assert owner.wish(Order.PAUSE) is Wish.PAUSE
    assert owner.wish() is Wish.PAUSE
    assert owner.wish(Order.RESUME) is Wish.WORK
    assert owner.wish(Order.PAUSE, Order.FINISH) is Wish.FINISH
    assert owner.wish(Order.RESUME) is Wish.FINISH
    assert owner.wish(Order.FINISH) is Wish.FINISH
    assert owner.wish(Order.STOP) is Wish.STOP
    assert owner.wish(Order.FINISH) is Wish.STOP
    assert [each for each in owner.heard if isinstance(each, str)] == ["owner", "working"]
    assert [each for each in owner.heard if isinstance(each, Order)].count(Order.PAUSE) == 2


def test_what_hinders_pauses_and_a_resume_does_not_lift_it() -> None:
    owner = Owner()
    owner.hindrance = NIGHT
    assert owner.wish() is Wish.PAUSE
    assert owner.wish(Order.RESUME) is Wish.PAUSE
    assert owner.wish(Order.PAUSE) is Wish.PAUSE
    assert owner.wish(Order.RESUME) is Wish.PAUSE
    owner.hindrance = Pause("hours", "it is one o'clock", "22:00")
    assert owner.wish() is Wish.PAUSE
    owner.hindrance = None
    assert owner.wish() is Wish.WORK
    said = [each for each in owner.heard if isinstance(each, str)]
    assert said == ["hours", "owner", "hours", "working"]


def test_what_no_waiting_helps_ends_the_call_and_is_kept() -> None:
    owner = Owner()
    owner.hindrance = FULL
    assert owner.wish() is Wish.FINISH
    owner.hindrance = None
    assert owner.wish() is Wish.FINISH
    assert owner.clock.ended == FULL


@pytest.mark.parametrize("order", [Order.FINISH, Order.STOP, signal.SIGINT])
def test_what_the_owner_ended_before_was_not_ended_by_the_disk(
    order: Order | signal.Signals,
) -> None:
    owner = Owner()
    if isinstance(order, Order):
        owner.orders.append(order)
    else:
        owner.clock.on_signal(order, None)
    owner.hindrance = FULL
    assert owner.wish() is (Wish.STOP if order is Order.STOP else Wish.FINISH)
    assert owner.clock.ended is None


def test_a_pause_goes_before_the_end_of_the_search_and_a_signal_before_both() -> None:
    owner = Owner(max_evals=1)
    owner.clock.count()
    assert owner.wish(Order.PAUSE) is Wish.PAUSE
    assert owner.wish(Order.RESUME) is Wish.CLOSE
    owner.orders.append(Order.PAUSE)
    owner.clock.on_signal(signal.SIGTERM, None)
    assert owner.wish() is Wish.FINISH
    assert owner.clock.pause is None


def test_once_is_for_the_first_that_was_handed_out() -> None:
    owner = Owner(once=True)
    assert owner.wish() is Wish.WORK
    owner.clock.begin()
    assert owner.wish() is Wish.FINISH
    assert owner.wish(Order.PAUSE) is Wish.PAUSE


def test_where_nothing_runs_any_more_only_a_stop_counts() -> None:
    owner = Owner()
    owner.hindrance = NIGHT
    assert not owner.clock.stops()
    owner.orders.append(Order.FINISH)
    assert not owner.clock.stops()
    owner.orders.append(Order.STOP)
    assert owner.clock.stops()
    assert owner.heard == [Order.FINISH, Order.STOP]
