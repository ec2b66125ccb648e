"""Orders to a node are given once, and what came of them is heard."""

from __future__ import annotations

from praxis_evolve.market.swarm.orders import Fetches, Order


def test_a_fetch_is_ordered_once_and_answered() -> None:
    told = list[Order]()
    fetches = Fetches(lambda order: told.append(order) is None)
    assert fetches.fetched("ab") is False
    fetches.fetch("ab", 9)
    fetches.fetch("ab", 9)
    assert told == [Order("ab", 9)]
    assert Order.of(vars(told[0])) == told[0]
    assert fetches.fetched("ab") is None
    fetches.hear({"event": "status", "peers": 1})
    fetches.hear({"event": "missing", "weights": "cd", "reason": "nobody"})
    assert fetches.fetched("ab") is None
    fetches.hear({"event": "missing", "weights": "ab", "reason": "nobody"})
    assert fetches.fetched("ab") is False
    fetches.fetch("ab", 9)
    fetches.hear({"event": "fetched", "weights": "ab"})
    assert fetches.fetched("ab") is True
    assert len(told) == 2


def test_a_node_that_is_gone_or_new_has_nothing_under_way() -> None:
    gone = Fetches(lambda line: False)
    gone.fetch("ab", 9)
    assert gone.fetched("ab") is False
    new = Fetches(lambda line: True)
    new.fetch("ab", 9)
    new.hear({"event": "fetched", "weights": "cd"})
    new.hear({"event": "listening", "peer": "p", "addresses": []})
    assert (new.fetched("ab"), new.fetched("cd")) == (False, True)
