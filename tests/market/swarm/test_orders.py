"""Orders to a node come whole however they are cut, and what came of them is heard."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.market.swarm.orders import LONGEST, Fetches, Order, Orders

SEVERAL = st.lists(
    st.builds(Order, st.text("0123456789abcdef", max_size=64), st.integers(0), st.text())
)


async def taken(orders: Orders, count: int) -> list[Order]:
    return [await asyncio.wait_for(orders.next(), 1.0) for _ in range(count)]


@settings(max_examples=30)
@given(SEVERAL, st.integers(0, 99))
def test_orders_come_as_they_were_given_however_they_are_cut(
    several: list[Order], seed: int
) -> None:
    async def main() -> list[Order]:
        orders, rng = Orders(), Random(seed)
        data = "".join(f"{order.to_json()}\n" for order in several).encode()
        while data:
            size = rng.randint(1, 40)
            orders.feed(data[:size])
            data = data[size:]
        return await taken(orders, len(several))

    assert asyncio.run(main()) == several


def test_what_is_no_order_stops_none() -> None:
    order = Order("ab", 1, "here")

    async def main() -> list[Order]:
        orders = Orders()
        for line in (b"", b"nonsense", b"[]", b"7", b'{"weights": "ab"}', b"\xff", b"{}" * LONGEST):
            orders.feed(line + b"\n" + order.to_json().encode() + b"\n")
        return await taken(orders, 7)

    assert asyncio.run(main()) == [order] * 7


def test_a_fetch_is_ordered_once_and_answered(tmp_path: Path) -> None:
    told = list[str]()
    fetches = Fetches(lambda line: told.append(line) is None)
    assert fetches.fetched("ab") is False
    fetches.fetch("ab", 9, tmp_path / "x")
    fetches.fetch("ab", 9, tmp_path / "x")
    assert [json.loads(line) for line in told] == [
        {"weights": "ab", "size": 9, "into": str(tmp_path / "x")}
    ]
    assert fetches.fetched("ab") is None
    fetches.hear({"event": "status", "peers": 1})
    fetches.hear({"event": "missing", "weights": "cd", "reason": "nobody"})
    assert fetches.fetched("ab") is None
    fetches.hear({"event": "missing", "weights": "ab", "reason": "nobody"})
    assert fetches.fetched("ab") is False
    fetches.fetch("ab", 9, tmp_path / "x")
    fetches.hear({"event": "fetched", "weights": "ab"})
    assert fetches.fetched("ab") is True
    assert len(told) == 2


def test_a_node_that_is_gone_or_new_has_nothing_under_way(tmp_path: Path) -> None:
    gone = Fetches(lambda line: False)
    gone.fetch("ab", 9, tmp_path / "x")
    assert gone.fetched("ab") is False
    new = Fetches(lambda line: True)
    new.fetch("ab", 9, tmp_path / "x")
    new.hear({"event": "fetched", "weights": "cd"})
    new.hear({"event": "listening", "peer": "p", "addresses": []})
    assert (new.fetched("ab"), new.fetched("cd")) == (False, True)
