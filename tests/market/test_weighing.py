"""What comes to a run that nobody drives counts as if it had been resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from praxis_evolve.evaluator.pool import SerialPool
from praxis_evolve.market.drive import drive
from praxis_evolve.market.errors import LeaseLostError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import acquire, driver, release
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.record import FIRST, Record, sign
from praxis_evolve.market.weighing import Weighing
from praxis_evolve.market.worker import Wish
from praxis_evolve.search.base import Finished
from praxis_evolve.search.replay import replay
from praxis_evolve.tests.market.loop import (
    CATALOG,
    MANIFEST,
    Seen,
    after,
    always,
    invented,
)
from praxis_evolve.tests.market.receiving import received

RUN = "run"


def begun(folder: Path, identity: Identity, results: int) -> Ledger:
    """A ledger in which somebody made about so many results, and nobody works any more."""
    folder.mkdir()
    ledger = Ledger.open(f"sqlite:///{folder / 'store.db'}", catalog=CATALOG, now=lambda: 1000.0)
    ledger.create_run(RUN, MANIFEST.to_dict())
    driven(ledger, identity, after(results, Wish.STOP))
    return ledger


def driven(ledger: Ledger, identity: Identity, wish: Callable[[], Wish]) -> None:
    drive(
        ledger, RUN, Plan(MANIFEST, CATALOG), identity=identity, pool=SerialPool(invented),
        watcher=Seen(), wish=wish, now=lambda: 1000.0,
    )  # fmt: skip


def others(records: Sequence[Record]) -> list[Record]:
    """What two others say of the same work: the truth, and something else."""
    said = list[Record]()
    for shift in (0.0, 0.5):
        who, prev = Identity.new(), FIRST
        for number, record in enumerate(records):
            bits = record.result.bits_per_byte
            other = replace(record.result, bits_per_byte=bits and bits - shift)
            said.append(
                sign(other, who, run=record.run, seq=number, prev=prev,
                     catalog=record.catalog, program=record.program)
            )  # fmt: skip
            prev = said[-1].id
    return said


def weights(ledger: Ledger) -> dict[str, float]:
    told = ledger.told(RUN)
    return {r.id: e.weight for e, r in told if r is not None and isinstance(e, Finished)}


@pytest.fixture
def me() -> Identity:
    return Identity.new()


def weighing(ledger: Ledger, identity: Identity) -> Weighing:
    return Weighing(ledger, RUN, identity, now=lambda: 1000.0)


def test_what_came_counts_as_in_a_run_that_is_resumed(tmp_path: Path, me: Identity) -> None:
    with begun(tmp_path / "a", me, 40) as here, begun(tmp_path / "b", me, 40) as there:
        records = [each for each in here.records(RUN) if each.result.ok]
        assert len(records) > 10
        said, looking = others(records), weighing(here, me)
        for start in range(0, len(said), 7):  # at several looks, or at one
            received(here, RUN, said[start : start + 7], own=me.author)
            assert looking.look()
        received(there, RUN, said, own=me.author)
        driven(there, me, always(Wish.STOP))
        assert weights(here) == weights(there)
        assert {weights(here)[each.id] for each in said} == {0.0, 1.0}

        length = len(list(here.events(RUN)))
        assert not looking.look()
        assert weighing(here, me).look()  # another process sees all of it at once
        assert len(list(here.events(RUN))) == length
        assert here.run(RUN).state == "finished"


def test_a_run_goes_on_after_it_and_replays(tmp_path: Path, me: Identity) -> None:
    with begun(tmp_path / "a", me, 12) as ledger:
        records = [each for each in ledger.records(RUN) if each.result.ok]
        looking = weighing(ledger, me)
        received(ledger, RUN, others(records)[: len(records) + 9], own=me.author)
        assert looking.look()
        driven(ledger, me, after(3, Wish.STOP))
        assert ledger.run(RUN).state == "stopped"
        received(ledger, RUN, others(records), own=me.author)
        assert looking.look()
        driven(ledger, me, always(Wish.WORK))
        assert ledger.run(RUN).state == "finished"
        assert replay(Plan(MANIFEST, CATALOG).search, ledger.events(RUN), author=me.author) is None
        assert list(ledger.problems(RUN)) == []


def test_who_measured_nothing_and_who_is_driven_by_another_process_logs_nothing(
    tmp_path: Path, me: Identity
) -> None:
    with begun(tmp_path / "a", me, 40) as ledger:
        received(ledger, RUN, others(ledger.records(RUN)), own=me.author)
        length = len(list(ledger.events(RUN)))
        assert not weighing(ledger, Identity.new()).look()
        lease = acquire(ledger.store, RUN, now=1000.0)
        assert not weighing(ledger, me).look()
        release(ledger.store, lease)
        assert len(list(ledger.events(RUN))) == length
        assert weighing(ledger, me).look()
        assert driver(ledger.store, RUN, now=1000.0) is None, "it is given back"


def test_what_could_not_be_logged_is_logged_at_the_next_look(
    tmp_path: Path, me: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LeaseLostError("another process has taken over")

    with begun(tmp_path / "a", me, 40) as ledger:
        said = others([each for each in ledger.records(RUN) if each.result.ok])
        received(ledger, RUN, said, own=me.author)
        looking = weighing(ledger, me)
        with monkeypatch.context() as patch:
            patch.setattr(ledger, "append_weights", fail)
            with pytest.raises(LeaseLostError):
                looking.look()
        assert looking.look()
        assert {weights(ledger)[each.id] for each in said} == {0.0, 1.0}
