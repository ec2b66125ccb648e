"""Whether anything that a stranger can send breaks, stops or bloats what reads it.

    python benchmarks/fuzz.py --count 1000000

Each case is a valid message that was changed a little (``mutating``), drawn from the seed, the name
of its target and its number alone, so that ``--only NAME --case NUMBER`` runs one again. A case is
refused by an error that the reader promises, or taken; whatever else it raises is a crash, and more
than a second is a hang. Targets are the readers themselves and, behind them, all methods that a
peer serves, all answers that it reads, and a ledger that is sent records with true signatures.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NoReturn

import psutil

from praxis_evolve.benchmarks.chaos import CATALOG, RUN, SPACE
from praxis_evolve.benchmarks.chaos import MANIFEST as PLAIN
from praxis_evolve.benchmarks.mutating import mutated
from praxis_evolve.evaluator.job import heritage_of, seed_of
from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.draw import fresh_genome
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import identify
from praxis_evolve.genome.text import GenomeError, from_json, to_json
from praxis_evolve.market import canonical
from praxis_evolve.market.claims import Claims
from praxis_evolve.market.errors import RecordError, StoreError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.islands import Islands
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.record import parse
from praxis_evolve.market.swarm import frames, heads, joining, replica
from praxis_evolve.market.swarm.blobs import serve_blobs
from praxis_evolve.market.swarm.board import Board, packed, unpacked
from praxis_evolve.market.swarm.commitments import Commitment, signed
from praxis_evolve.market.swarm.directory import FIND, PING, STORE, Directory
from praxis_evolve.market.swarm.flights import Flights
from praxis_evolve.market.swarm.gossip import Gossip
from praxis_evolve.market.swarm.hive import dht
from praxis_evolve.market.swarm.migration import METHOD, Migration
from praxis_evolve.market.swarm.parts import ALL
from praxis_evolve.market.swarm.peer_key import PeerKey
from praxis_evolve.market.swarm.refused import Refused
from praxis_evolve.market.swarm.replica import LedgerReplica
from praxis_evolve.market.swarm.rumours import METHOD as RUMOURS
from praxis_evolve.market.swarm.rumours import Rumours
from praxis_evolve.market.swarm.transport import FRAME, Contact, Handler, TransportError
from praxis_evolve.market.swarm.validator import Shards, Validator, sign
from praxis_evolve.search.base import Key

HANG = 1.0
"""The most seconds of a case, of a processor: others may be at work beside it."""

STUCK = 20.0
"""The seconds after which a case is interrupted."""

NOW = 1_800_000_000.0

MANIFEST = replace(PLAIN, inherit=True)
"""A run in which records of heirs are taken, too."""

REFUSING = (TransportError, LookupError, ValueError)
"""What a handler may raise to refuse a request: anything else is logged as a fault of its own."""


@dataclass(frozen=True)
class Target:
    """What reads bytes of strangers: ``feed`` returns whether it took them or raises *refusals*."""

    name: str
    valid: Sequence[bytes]
    feed: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()
    share: float = 1.0
    """How many of the cases it has, beside the others."""


@dataclass
class Found:
    """What came of the cases of a target."""

    target: str
    cases: int = 0
    taken: int = 0
    hangs: int = 0
    seconds: float = 0.0
    slowest: tuple[float, int] = 0.0, 0
    """The seconds of the slowest case, and its number."""
    grown: int = 0
    """Bytes that the process grew by after the first tenth of the cases."""
    crashes: list[str] = field(default_factory=list[str])


class StuckError(BaseException):
    """A case that had to be interrupted; nothing that is fed catches it."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise StuckError


def case_of(target: Target, number: int, seed: int) -> bytes:
    """Return the bytes of a case."""
    rng = Random(f"{seed}/{target.name}/{number}")
    if rng.random() < 0.02:
        return rng.randbytes(rng.choice((0, 1, 5, 300)))
    return mutated(rng.choice(target.valid), target.valid, rng)


def fuzzed(target: Target, numbers: Sequence[int], *, seed: int) -> Found:
    """Feed cases to a target and return what came of them."""
    found, process = Found(target.name), psutil.Process()
    before = process.memory_info().rss
    signal.signal(signal.SIGALRM, _interrupt)
    for number in numbers:
        case = case_of(target, number, seed)
        began, stuck = time.process_time(), False
        signal.setitimer(signal.ITIMER_REAL, STUCK)
        try:
            found.taken += target.feed(case) is not False
        except target.refusals:
            pass
        except (Exception, StuckError) as error:
            stuck = isinstance(error, StuckError)
            found.crashes.append(f"case {number}: {type(error).__name__}: {str(error)[:200]}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        took = time.process_time() - began
        found.cases, found.seconds = found.cases + 1, found.seconds + took
        found.hangs += stuck or took > HANG
        found.slowest = max(found.slowest, (took, number))
        if found.cases == max(1, len(numbers) // 10):
            before = process.memory_info().rss
    found.grown = max(0, process.memory_info().rss - before)
    return found


# ------------------------------------------------------------------------------------ targets


class _Wire:
    """A transport without a network: others answer by ``answers``, as bytes of each method."""

    def __init__(self) -> None:
        self.me = Contact("me")
        self.handlers: dict[str, Handler] = {}
        self.answers: dict[str, bytes] = {}
        self.said: Mapping[str, bytes] = {}

    def serve(self, method: str, handler: Handler) -> None:
        self.handlers[method] = handler

    async def ask(
        self, peer: str, method: str, request: bytes, *, deadline: float = 10.0
    ) -> AsyncGenerator[bytes]:
        del peer, request, deadline
        yield self.answers[method]

    async def announce(self, said: bytes) -> None:
        del said

    async def announced(self) -> Mapping[str, bytes]:
        return self.said

    async def meet(self, contacts: Sequence[Contact]) -> Sequence[str]:
        del contacts
        return ()

    async def close(self) -> None:
        """Nothing was started."""


class _Abroad(_Wire):
    """The same, where all are of another island: they offer ``names``, and give ``records``."""

    async def ask(
        self, peer: str, method: str, request: bytes, *, deadline: float = 10.0
    ) -> AsyncGenerator[bytes]:
        del peer, method, deadline
        yield self.answers["names" if b'"ids":null' in request else "records"]


def targets(folder: Path, loop: asyncio.AbstractEventLoop, stack: ExitStack) -> list[Target]:
    """Return all targets; *folder* takes their files and *stack* what is to be closed."""
    ran = loop.run_until_complete
    sample = _Sample(folder, stack)
    return [
        Target("canonical", sample.plain, lambda d: canonical.decode(d, limit=FRAME), (ValueError,),
               2.0),
        Target("record", sample.bodies, lambda d: parse(d, "a" * 128).genuine, (RecordError,), 2.0),
        Target("genome", sample.genomes, _genome, (GenomeError,), 2.0),
        Target("batch", sample.batches, replica.decoded, (RecordError,)),
        Target("heads", sample.heads, lambda d: heads.decoded(json.loads(d)),
               (ValueError, RecursionError)),
        Target("manifest", sample.manifests, joining.manifest_of, (StoreError,), 0.5),
        Target("frame", sample.frames, lambda d: ran(_frames(d)), (TransportError, EOFError)),
        Target("asked", sample.asked, lambda d: ran(_asked(d)), (ValueError, EOFError)),
        Target("announcement", sample.boards, sample.board),
        *sample.served(ran),
        *sample.answered(ran),
        *sample.migrating(ran),
        sample.rumoured(ran),
        Target("claim", sample.claims, sample.claim, (RecordError,), 0.5),
    ]  # fmt: skip


class _Sample:
    """Valid messages of all kinds, and a peer that reads what became of them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        rng = Random(5)
        several = [SPACE.sample(rng, f"{n}") for n in range(8)]
        self.genomes = [to_json(each).encode() for each in (*several, *map(_wild, range(8)))]
        self.identity = Identity.load_or_create(folder / "identity")
        self.other = Identity.load_or_create(folder / "other")
        author = Ledger.open(f"sqlite:///{folder / 'author.db'}")
        self.ledger = Ledger.open(f"sqlite:///{folder / 'peer.db'}")
        stack.callback(author.close)
        stack.callback(self.ledger.close)
        for each in (author, self.ledger):
            self.run = each.create_run(RUN, MANIFEST.to_dict()).digest
        for genome in several:
            author.put_genome(RUN, genome)
            author.publish(RUN, self.identity, _measured(genome))
        author.publish(RUN, self.identity, _inherited(*several[:2]))
        claims = Claims(MANIFEST, SPACE)
        theirs = LedgerReplica(author, RUN, self.identity.author, claims)
        self.replica = LedgerReplica(self.ledger, RUN, "ab" * 32, claims)
        records = author.records(RUN)
        self.bodies = [record.body for record in records]
        self.batches = list(theirs.lacking({}))
        encoded = heads.encoded(theirs.heads())
        self.heads = [canonical.encode(encoded), b"{}"]
        self.manifests = [canonical.encode(MANIFEST.to_dict())]
        self.plain = [*self.bodies, *self.batches, *self.heads, *self.manifests]
        self.claims = [
            canonical.encode({"body": json.loads(body), "genome": json.loads(text)})
            for body, text in zip(self.bodies, self.genomes, strict=False)
        ]
        peers = [["12D3KooW", ["/ip4/127.0.0.1/tcp/1"]]]
        self.requests = {
            "heads": [canonical.encode({"parts": [ALL], "root": heads.root({}), "run": self.run})],
            "pull": [canonical.encode({"run": self.run, "heads": encoded})],
            "push": self.batches,
            "blob": [f"task:{'ab' * 32}".encode(), f"manifest:{'cd' * 32}".encode()],
            "flights": [self._flight()],
            RUMOURS: [canonical.encode({"run": self.run, "has": ["ab" * 6, "cd" * 6]})],
        }
        self.answers = {
            "heads": [canonical.encode({"heads": encoded, "parts": {}, "peers": peers})],
            "pull": self.batches,
            "push": [canonical.encode({"added": 1, "refused": 0})],
        }
        self.said = [canonical.encode({"run": self.run[:16], "addresses": peers[0][1]})]
        key, shards = PeerKey.load_or_create(folder / "key"), Shards("fuzz")
        self.key, self.shards = key, shards
        mine = sign(key, shards, self.said[0], NOW + 100)
        self.boards = [packed([mine]), packed([mine] * 3)]
        tally = frames.Tally()
        tally.add(b"frame")
        self.frames = [
            b"F\0\0\0\x05frame" + b"E\0\0\0\x28" + tally.end(), b"R\0\0\0\x02no", tally.end(),
        ]  # fmt: skip
        self.asked = [b"\x05\0\0\0\x03headsxyz", b"\x04\0\x10\0\0pull" + bytes(64)]

    def _bound(self) -> Commitment:
        """Return what an author is bound to."""
        return signed(self.run, self.identity, Commitment(Key("ab" * 32, 100, 0), "cd" * 32))

    def _flight(self) -> bytes:
        """Return what an author says that it works on."""
        works = [["ab" * 32, 100, 0], ["cd" * 32, 300, -1]]
        said = {"run": self.run, "author": self.identity.author, "count": 7, "works": works}
        body = canonical.encode({**said, "bound": [list(self._bound())]})
        return canonical.encode({"said": body.decode(), "signature": self.identity.sign(body)})

    def board(self, data: bytes) -> bool:
        """Read announcements as a lookup does."""
        board = Board(Validator(self.shards, lambda: NOW), lambda: NOW)
        (key,) = self.shards.keys
        held = [board.put(record) for record in unpacked(key, data)]
        return any(held)

    def claim(self, data: bytes) -> bool:
        """Have the peer take in a record that is signed as it stands."""
        try:
            value: Any = json.loads(data)
            text, body = json.dumps(value["genome"]), value["body"]
            self._named(body, text)
            encoded = canonical.encode(body)
            batch = canonical.encode(
                {"genomes": [text], "records": [[encoded.decode(), self.identity.sign(encoded)]]}
            )
        except (ValueError, LookupError, TypeError, RecursionError):
            return False  # no claim that anybody could have signed and sent
        return self.replica.receive(batch).added > 0

    def _named(self, body: Any, text: str) -> None:
        """Give a record the names of its genome, if that has any: else little of it is read."""
        try:
            names = identify(from_json(text, CATALOG), CATALOG)
        except (ValueError, KeyError):
            return
        body["content"] |= {"genome": names.genome, "architecture": names.architecture}

    def served(self, ran: Callable[[Coroutine[Any, Any, object]], object]) -> list[Target]:
        """Return a target for each method that a peer serves."""
        wire = _Wire()
        self._gossip(wire)
        serve_blobs(wire, lambda name: None)
        Flights(wire, self.run, self.other, peers=lambda most: [], hear=self._rumours(wire).tell)
        directory = self._directory()
        kinds = {
            PING: dht.PingRequest(),
            FIND: dht.FindRequest(keys=list(self.shards.keys)),
            STORE: dht.StoreRequest(keys=list(self.shards.keys), values=[self.boards[0]]),
        }
        requests = {**self.requests, **{n: [k.SerializeToString()] for n, k in kinds.items()}}
        handlers = {**wire.handlers, **directory.handlers}

        numbers = count()

        def served(method: str) -> Callable[[bytes], object]:
            def feed(data: bytes) -> object:
                # who pushes junk is slowed: each case of gossip comes from somebody else
                caller = self.key.peer if method.startswith(".") else f"caller-{next(numbers)}"
                return ran(_drained(handlers[method](caller, data)))

            return feed

        return [
            Target(f"serves {name}", valid, served(name), REFUSING, 0.5)
            for name, valid in requests.items()
        ]

    def answered(self, ran: Callable[[Coroutine[Any, Any, object]], object]) -> list[Target]:
        """Return a target for each answer that a peer reads, and one for what is announced."""
        wire = _Wire()
        gossip = self._gossip(wire)
        plain = {name: several[0] for name, several in self.answers.items()}
        # of an author whom nobody has: there is always something to pull, and something to push
        unknown = {"ff" * 32: [9, 9, "ab" * 32]}
        self.replica.receive(self.batches[0])
        plain["pull"] = canonical.encode({"genomes": [], "records": []})
        plain["heads"] = canonical.encode({"heads": unknown, "parts": {}, "peers": []})

        def answered(method: str) -> Callable[[bytes], object]:
            def feed(data: bytes) -> object:
                wire.answers = {**plain, method: data}
                return ran(self._gossip(wire).exchange("other"))

            return feed

        def announced(data: bytes) -> object:
            wire.said = {self.key.peer: data}
            return ran(gossip._listen())  # pyright: ignore[reportPrivateUsage]

        return [
            *(
                Target(f"reads {name}", valid, answered(name), share=0.5)
                for name, valid in self.answers.items()
            ),
            Target("reads announced", self.said, announced),
        ]

    def migrating(self, ran: Callable[[Coroutine[Any, Any, object]], object]) -> list[Target]:
        """Return a target for what other islands ask for, and for each of their answers."""
        wire, author = _Abroad(), "ab" * 32
        several = (Islands(self.run, number) for number in range(2, 100))
        islands = next(i for i in several if i.of(author) != i.of(self.identity.author))
        claims = Claims(MANIFEST, SPACE)
        shore = LedgerReplica(self.ledger, RUN, author, claims, islands.count)
        migration = Migration(wire, shore, islands=islands, author=author)
        ids, island = [canonical.digest(body) for body in self.bodies], islands.of(author)
        names = [
            canonical.encode({"ids": some, "island": (island + 1) % islands.count})
            for some in (ids, [])
        ]
        there = islands.of(self.identity.author)
        lacked = canonical.encode({"ids": [*ids, "ff" * 32], "island": there})
        plain = {"names": lacked, "records": canonical.encode({"genomes": [], "records": []})}

        def answered(kind: str) -> Callable[[bytes], object]:
            def feed(data: bytes) -> object:
                wire.answers = {**plain, kind: data}
                return ran(migration.fetch("other", Refused(), 0.0))

            return feed

        def served(data: bytes) -> object:
            return ran(_drained(wire.handlers[METHOD]("caller", data)))

        asks = [canonical.encode({"ids": some, "run": self.run}) for some in (None, ids)]
        refusals = TransportError, RecordError
        return [
            Target(f"serves {METHOD}", asks, served, REFUSING, 0.5),
            Target("reads names", names, answered("names"), refusals, 0.5),
            Target("reads migrants", self.batches, answered("records"), refusals, 0.5),
        ]

    def rumoured(self, ran: Callable[[Coroutine[Any, Any, object]], object]) -> Target:
        """Return a target for the answer of who is asked for commitments."""
        wire = _Wire()
        told = [[self.identity.author, list(self._bound())], ["ef" * 32, list(self._bound())]]

        def answered(data: bytes) -> object:
            wire.answers = {RUMOURS: data}
            return ran(self._rumours(wire).ask("other"))

        valid = [canonical.encode({"bound": some}) for some in (told, told[:1])]
        return Target(f"reads {RUMOURS}", valid, answered, share=0.5)

    def _rumours(self, wire: _Wire) -> Rumours:
        """Return what passes on all that fits, and has heard nothing."""
        return Rumours(
            wire, self.run, self.other.author, peers=lambda most: [], rng=Random(1),
            fits=lambda author, record: True, hear=lambda author, bound: None,
            spreads=lambda: 60.0,
        )  # fmt: skip

    def _gossip(self, wire: _Wire) -> Gossip:
        """Return gossip that remembers of nobody what was refused."""
        return Gossip(wire, self.replica, author="ab" * 32, rng=Random(1))

    def _directory(self) -> Directory:
        async def ask(peer: str, method: str, request: bytes, *, deadline: float) -> bytes:
            raise TransportError("nobody is there")

        return Directory(self.key, ask, self.shards, now=lambda: NOW, stirred=lambda: None)


def _wild(number: int) -> Genome:
    """Return a genome of all that is installed."""
    return fresh_genome(CATALOG, (32, 64), Random(number), f"{number}", visits=16, context=128)


def _measured(genome: Genome) -> Result:
    names = identify(genome, CATALOG)
    return Result(
        names.genome, names.architecture, 100, 0, seed_of(MANIFEST.task_digest, 0), 2.5,
        costs=SPACE.costs(genome), curve=((50, 4.0), (100, 3.0)),
    )  # fmt: skip


def _inherited(parent: Genome, child: Genome) -> Result:
    """Return what the training of a child came to that began with its parent's weights."""
    line = heritage_of(heritage_of("", parent), child)
    return replace(
        _measured(child), parent=identify(parent, CATALOG).genome, heritage=line,
        inherited_tokens=90,
    )  # fmt: skip


def _genome(data: bytes) -> bool:
    """Read a genome and look at what is looked at before its record is stored."""
    genome = from_json(data.decode(errors="surrogateescape"), CATALOG)
    try:
        identify(genome, CATALOG)
        SPACE.costs(genome)
    except (ValueError, KeyError):
        return False
    return True


def _reader(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def _frames(data: bytes) -> None:
    reader = _reader(data)
    while (await frames.receive(reader))[0] == frames.ANSWERED:
        pass


async def _asked(data: bytes) -> None:
    await frames.receive_method(_reader(data))


async def _drained(answer: AsyncIterator[bytes]) -> None:
    async for frame in answer:
        assert len(frame) <= FRAME


# -------------------------------------------------------------------------------------- table


def fuzz(count: int, *, seed: int, only: str = "", case: int | None = None) -> list[Found]:
    """Feed so many cases to all targets, or to *only* one, or one *case* of it."""
    gc.freeze()  # as a node does
    loop = asyncio.new_event_loop()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        stack.callback(loop.close)
        several = [each for each in targets(Path(folder), loop, stack) if only in ("", each.name)]
        whole = sum(each.share for each in several)
        found = list[Found]()
        for each in several:
            numbers = range(round(count * each.share / whole)) if case is None else [case]
            found.append(fuzzed(each, numbers, seed=seed))
        return found


def lines(found: Sequence[Found]) -> list[str]:
    """Return a table of what was found, and below it the crashes."""
    form = "{:16}{:>10}{:>10}{:>9}{:>7}{:>10}{:>22}{:>9}"
    head = (
        "target",
        "cases",
        "taken",
        "crashes",
        "hangs",
        "mean ms",
        "slowest ms (case)",
        "MB more",
    )
    rows = [
        form.format(
            each.target, f"{each.cases:,}", f"{each.taken:,}", len(each.crashes), each.hangs,
            f"{1e3 * each.seconds / max(1, each.cases):.3f}",
            f"{1e3 * each.slowest[0]:.1f} ({each.slowest[1]})", f"{each.grown / 1e6:.1f}",
        )
        for each in found
    ]  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    cases = sum(each.cases for each in found)
    return [
        form.format(*head),
        *rows,
        f"{cases:,} cases; at most {peak:,.0f} MB of memory",
        *(f"{each.target}: {crash}" for each in found for crash in each.crashes[:20]),
    ]


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--count", type=int, default=1_000_000)
    add("--seed", type=int, default=0)
    add("--only", default="", help="the name of one target")
    add("--case", type=int, help="run this case of the target alone")
    return parser


def main() -> None:
    """Run it once and print what came of it."""
    asked = options().parse_args()
    found = fuzz(asked.count, seed=asked.seed, only=asked.only, case=asked.case)
    print("\n".join(lines(found)))
    if any(each.crashes or each.hangs for each in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
