"""Peers of a simulated swarm, one of which lies, each with a ledger of its own."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from praxis_evolve.benchmarks.landscape import RUNGS, Landscape, manifest
from praxis_evolve.benchmarks.ledger_peers import Peer, exchange
from praxis_evolve.evaluator.ladder import Ladder
from praxis_evolve.market.credit import Account, accounts, price_of
from praxis_evolve.market.witness import witness


def seen_by(peer: Peer) -> dict[str, Account]:
    genomes = dict(peer.ledger.genomes("run"))
    costs = {name: peer.plan.space.costs(genome) for name, genome in genomes.items()}
    seen = witness(peer.ledger.told("run"), peer.plan.identify)
    best = peer.best()
    line = () if best is None else seen.line(best.genome)
    price = price_of(costs, Ladder(RUNGS))
    found = accounts(peer.ledger.records("run"), seen, price, line=line)
    return {account.author: account for account in found}


@pytest.mark.slow
def test_honest_peers_come_to_have_credit_and_liars_never_do(tmp_path: Path) -> None:
    of, rng = manifest(300), Random(0)
    with ExitStack() as stack:
        peers = [Peer(tmp_path / str(number), number, of, lies=number == 3) for number in range(4)]
        for peer in peers:
            stack.enter_context(peer.ledger)
        landscape = Landscape(0)
        for _ in range(80):
            for peer in rng.sample(peers, len(peers)):
                peer.work(landscape)
            for peer in peers:
                exchange(peer, rng.choice(peers))
        names = [peer.identity.author for peer in peers]
        honest, liar = names[:3], names[3]
        for peer in peers[:3]:
            found = seen_by(peer)
            own = found[peer.identity.author]
            assert own.credit == own.claimed
            assert (found[liar].right, found[liar].credit, found[liar].trusted) == (0, 0, 0)
            assert found[liar].wrong > 0
            assert found[liar].ancestors == 0
            for name in set(honest) - {peer.identity.author}:
                assert found[name].wrong == 0
                assert found[name].right > 0
                assert found[name].trusted > 0
            others = [found[name] for name in honest if name != peer.identity.author]
            assert any(account.credit > 0 for account in others)
