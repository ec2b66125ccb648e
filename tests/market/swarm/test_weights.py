"""Weights come from whoever keeps what a record names, whole and with its hash, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from praxis_evolve.evaluator.job import Setup
from praxis_evolve.evaluator.result import Measurement
from praxis_evolve.market.swarm import virtual, weights
from praxis_evolve.market.swarm.blobs import serve_blobs
from praxis_evolve.market.swarm.memory import Network
from praxis_evolve.market.swarm.transport import FRAME, TransportError
from praxis_evolve.market.swarm.weights import WITHIN, Kept, fetch_weights
from praxis_evolve.tests.market.receiving import received
from praxis_evolve.tests.market.swarm.authors import RUN, Author, genome_of, measured

STATE = bytes(range(256)) * 3000
NAME = hashlib.sha256(STATE).hexdigest()


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    found = Author(tmp_path / "author")
    yield found
    found.ledger.close()


def setup_in(folder: Path) -> Setup:
    (folder / "weights").mkdir(exist_ok=True)
    return Setup(task="t", task_digest="d", folder=str(folder / "weights"), rungs=(100, 300))


def published(author: Author, data: bytes, *, number: int = 1, replica: int = 0) -> str:
    """Publish a result that names weights; return their SHA-256."""
    genome, name = genome_of(number), hashlib.sha256(data).hexdigest()
    found = replace(measured(genome, replica=replica), measured=Measurement(weights=name))
    author.ledger.put_genome(RUN, genome)
    author.ledger.publish(RUN, author.identity, found)
    return name


def kept(author: Author) -> Kept:
    return Kept(author.ledger, RUN, author.folder / "weights")


def ran(main: Callable[[Network], Coroutine[object, object, None]]) -> float:
    async def begun() -> float:
        await main(Network(1))
        return asyncio.get_running_loop().time()

    return virtual.run(begun())


@pytest.mark.parametrize("heritage", ["", "0123456789abcdef"])
def test_a_state_that_a_record_names_is_found(author: Author, heritage: str) -> None:
    setup, find = setup_in(author.folder), kept(author)
    assert find(f"weights:{NAME}") is None
    published(author, STATE)
    path = setup.checkpoint_path(measured(genome_of(1)).genome, 100, 0, heritage)
    assert find(f"weights:{NAME}") is None
    path.write_bytes(STATE)
    assert find(f"weights:{NAME}") == path
    assert find(f"task:{NAME}") is None
    path.write_bytes(STATE + b"!")  # it was trained anew, to other bytes
    assert find(f"weights:{NAME}") is None


def test_the_one_with_the_hash_is_found_among_those_of_a_genome(author: Author) -> None:
    setup, find = setup_in(author.folder), kept(author)
    name = measured(genome_of(1)).genome
    for number, heritage in enumerate(["", "0" * 16, "f" * 16]):
        setup.checkpoint_path(name, 100, 0, heritage).write_bytes(STATE[number:])
    final = published(author, b"a final", replica=1)
    setup.weights_path(name, 100, 1).write_bytes(b"a final")
    assert find(f"weights:{published(author, STATE)}") == setup.checkpoint_path(name, 100, 0)
    assert find(f"weights:{final}") == setup.weights_path(name, 100, 1)


def test_what_no_record_names_is_not_sent_whatever_it_is(author: Author) -> None:
    setup, find = setup_in(author.folder), kept(author)
    published(author, b"another")
    setup.checkpoint_path(measured(genome_of(1)).genome, 100, 0).write_bytes(STATE)
    (author.folder / "weights" / NAME).write_bytes(STATE)
    assert find(f"weights:{NAME}") is None


def test_what_is_larger_than_anything_is_not_sent(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, find = setup_in(author.folder), kept(author)
    published(author, STATE)
    setup.checkpoint_path(measured(genome_of(1)).genome, 100, 0).write_bytes(STATE)
    monkeypatch.setattr(weights, "MOST", len(STATE) - 1)
    assert find(f"weights:{NAME}") is None


def test_records_of_others_are_looked_at_as_they_come(author: Author, tmp_path: Path) -> None:
    other = Author(tmp_path / "other")
    find, setup = kept(author), setup_in(author.folder)
    assert find(f"weights:{NAME}") is None
    for number in range(3):
        name = published(other, STATE[number:], number=number)
        for batch in other.replica().lacking(author.replica().heads()):
            assert author.replica().receive(batch).refused == ()
        path = setup.checkpoint_path(measured(genome_of(number)).genome, 100, 0)
        path.write_bytes(STATE[number:])  # it was fetched before
        assert find(f"weights:{name}") == path
    other.ledger.close()


def test_a_record_that_fills_a_gap_is_looked_at(author: Author, tmp_path: Path) -> None:
    other, find, setup = Author(tmp_path / "other"), kept(author), setup_in(author.folder)
    names = [published(other, STATE[number:], number=number) for number in range(2)]
    for number in (1, 0):
        received(author.ledger, RUN, [other.ledger.records(RUN)[number]], [genome_of(number)])
        path = setup.checkpoint_path(measured(genome_of(number)).genome, 100, 0)
        path.write_bytes(STATE[number:])
        assert find(f"weights:{names[number]}") == path
    other.ledger.close()


def test_a_file_that_goes_while_it_is_looked_for_is_not_there(author: Author) -> None:
    setup, find = setup_in(author.folder), kept(author)
    published(author, STATE)
    setup.checkpoint_path(measured(genome_of(1)).genome, 100, 0).symlink_to("gone")
    assert find(f"weights:{NAME}") is None


def test_weights_come_from_the_first_that_keeps_them(author: Author, tmp_path: Path) -> None:
    setup = setup_in(author.folder)
    published(author, STATE)
    setup.checkpoint_path(measured(genome_of(1)).genome, 100, 0).write_bytes(STATE)
    into = tmp_path / "into"

    async def main(network: Network) -> None:
        me = network.join("me")
        serve_blobs(network.join("without"), lambda name: None)
        serve_blobs(network.join("author"), kept(author))
        await fetch_weights(me, ["nobody", "without", "author"], NAME, into, size=len(STATE))
        network.kill("author")
        await fetch_weights(me, ["author"], NAME, into, size=len(STATE))  # it is there

    ran(main)
    assert into.read_bytes() == STATE
    assert len(STATE) > 2 * FRAME


@pytest.mark.attack(14)
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (STATE[:-1] + b"?", "liar sent what hashes to"),
        (STATE[:FRAME], "liar sent what hashes to"),
        (b"", "liar sent what hashes to"),
        (STATE + b"more", "a blob of over 768,000 bytes was sent"),
    ],
    ids=["other", "cut", "nothing", "larger"],
)
def test_what_a_liar_sends_is_not_taken(sent: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(sent)
    (tmp_path / "sound").write_bytes(STATE)
    (tmp_path / "here").mkdir()
    into = tmp_path / "here" / "into"

    async def main(network: Network) -> None:
        me = network.join("me")
        serve_blobs(network.join("liar"), lambda name: tmp_path / "sent")
        with pytest.raises(TransportError, match=said):
            await fetch_weights(me, ["liar"], NAME, into, size=len(STATE))
        assert list(into.parent.iterdir()) == []
        serve_blobs(network.join("friend"), lambda name: tmp_path / "sound")
        await fetch_weights(me, ["liar", "friend"], NAME, into, size=len(STATE))
        assert into.read_bytes() == STATE

    ran(main)


def test_who_drips_or_is_silent_takes_half_of_the_time_at_most(tmp_path: Path) -> None:
    (tmp_path / "sound").write_bytes(STATE)
    into = tmp_path / "into"

    async def main(network: Network) -> None:
        me = network.join("me")

        async def drip(caller: str, request: bytes) -> AsyncIterator[bytes]:
            del caller, request
            while True:
                await asyncio.sleep(5.0)
                yield b"x"

        for name in ("one", "two"):
            network.join(name).serve("blob", drip)
        serve_blobs(network.join("friend"), lambda name: tmp_path / "sound")
        await fetch_weights(me, ["one", "two", "friend"], NAME, into, size=len(STATE))

    assert ran(main) < WITHIN
    assert into.read_bytes() == STATE


def test_nobody_at_all_is_said(tmp_path: Path) -> None:
    async def main(network: Network) -> None:
        me = network.join("me")
        with pytest.raises(TransportError, match="no peer is known"):
            await fetch_weights(me, [], NAME, tmp_path / "into", size=9)

    ran(main)


def test_two_may_fetch_one_thing_at_once(tmp_path: Path) -> None:
    (tmp_path / "sound").write_bytes(STATE)
    (tmp_path / "here").mkdir()
    into = tmp_path / "here" / "into"

    async def main(network: Network) -> None:
        serve_blobs(network.join("friend"), lambda name: tmp_path / "sound")
        await asyncio.gather(
            *(
                fetch_weights(network.join(name), ["friend"], NAME, into, size=len(STATE))
                for name in ("one", "two", "three")
            )
        )

    ran(main)
    assert into.read_bytes() == STATE
    assert list(into.parent.iterdir()) == [into]
