"""The node: a process of its own that keeps the records of one run together with other peers'.

It shares nothing with the process that evaluates but the store: that reads there what came in, this
reads there what is to go out. So neither can hang or break the other. The parent starts it by
``process.NodeProcess``; it writes a line of JSON for whatever the parent may want to know, and ends
with its input, so that no node outlives its parent.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import cast

from ...blocks.registry import installed
from ...evaluator.atomic import write_atomically
from ...evaluator.job import WEIGHTS, received_name
from ..claims import Claims
from ..errors import StoreError
from ..identity_key import Identity
from ..islands import Islands
from ..ledger import Ledger
from ..manifest import Manifest
from .blobs import serve_blobs
from .commitments import Commitments, Withheld, spreading
from .flights import Flights, key_from
from .gossip import FANOUT, LOOK, Gossip
from .joining import found_in, join_run, write_manifest
from .migration import Migration
from .orders import Order
from .p2p import Network, P2PTransport
from .parent import Parent
from .process import Settings
from .replica import LedgerReplica
from .rumours import Rumours
from .transport import TransportError
from .weights import Kept, fetch_weights

RETRIES, WAIT = 3, 1.0
"""How often the port of the last time is tried, and the seconds between: a daemon that was killed
lets it go a moment later.
"""

STATUS = 1.0
"""Seconds between lines that tell how it goes."""


def say(event: str, **values: object) -> None:
    """Tell the parent."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


async def node(settings: Settings, parent: Parent) -> None:
    """Run until cancelled.

    Raises:
        StoreError: the store failed, or the run cannot be joined.
        TransportError: the network could not be entered, or nobody sent the run.
    """
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    fetches = asyncio.Queue[Order]()
    parent.on("fetch", lambda said: fetches.put_nowait(Order.of(said)))
    transport = await _entered(settings, folder)
    try:
        with Ledger.open(settings.store) as ledger:
            is_here = settings.run in {run.name for run in ledger.runs()}
            manifest = await _served(settings, ledger, transport) if is_here else None
            # who hears the address may ask for the run at once
            say("listening", peer=transport.me.peer, addresses=list(transport.me.addresses))
            manifest = manifest or await _served(settings, ledger, transport)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_gossip(settings, ledger, manifest, transport, parent))
                while True:
                    tasks.create_task(_fetched(transport, await fetches.get(), folder / WEIGHTS))
    finally:
        await transport.close()


async def _entered(settings: Settings, folder: Path) -> P2PTransport:
    """Enter the network at the port of the last time, for that is where others look for this peer.

    If something else has taken it for good, at a free one.
    """
    file = folder / "port"
    text = file.read_text() if file.exists() else ""
    last = int(text) if text.isdecimal() else 0
    for port in [settings.port] if settings.port else [last] * RETRIES + [0] if last else [0]:
        try:
            transport = await P2PTransport.create(
                settings.digest[:16],
                identity=folder / "peer.key",
                join=settings.join,
                remembered_in=folder / "peers.json",
                network=_network(settings, port),
            )
        except TransportError as error:
            if port == 0 or settings.port:
                raise
            say("waiting", reason=f"port {port}: {error}")
            await asyncio.sleep(WAIT)
            continue
        write_atomically(file, _port_of(transport.me.addresses).encode())
        return transport
    raise AssertionError("the last port is tried or raises")


def _network(settings: Settings, port: int) -> Network:
    return Network(
        listen=settings.listen,
        port=port,
        announce=settings.announce,
        nat_port_map=settings.upnp,
        relays=settings.join if settings.relayed else (),
    )


def _port_of(addresses: Sequence[str]) -> str:
    """Return the TCP port in the first address that has one."""
    parts = [address.split("/") for address in addresses if "/tcp/" in address]
    return parts[0][parts[0].index("tcp") + 1] if parts else "0"


async def _served(settings: Settings, ledger: Ledger, transport: P2PTransport) -> Manifest:
    """Have the run, let others fetch it, and return its manifest."""
    manifest = await _manifest(settings, ledger, transport)
    folder = Path(settings.folder)
    find = found_in(folder, settings.digest, manifest.task_digest)
    kept = Kept(ledger, settings.run, folder / WEIGHTS)
    serve_blobs(transport, lambda name: find(name) or kept(name))
    return manifest


async def _fetched(transport: P2PTransport, order: Order, folder: Path) -> None:
    """Fetch what is ordered to a folder and say what came of it."""
    peers = Random().sample(transport.neighbours, len(transport.neighbours))
    try:
        into = folder / received_name(order.weights)
        await fetch_weights(transport, peers, order.weights, into, size=order.size)
    except (TransportError, OSError, ValueError) as error:
        say("missing", weights=order.weights, reason=str(error))
    else:
        say("fetched", weights=order.weights)


async def _manifest(settings: Settings, ledger: Ledger, transport: P2PTransport) -> Manifest:
    """Return the manifest of the run, fetching the run if the store has not got it."""
    folder = Path(settings.folder)
    if settings.run in {run.name for run in ledger.runs()}:
        if (found := ledger.run(settings.run).digest) != settings.digest:
            raise StoreError(
                f"the run {settings.run!r} of this store is {found[:12]}, not "
                f"{settings.digest[:12]}; join by another name"
            )
        return write_manifest(ledger, settings.run, folder)
    for left in reversed(range(RETRIES)):
        try:
            found = await join_run(
                transport, transport.neighbours, settings.digest,
                name=settings.run, ledger=ledger, folder=folder,
            )  # fmt: skip
        except TransportError:
            if not left:
                raise
            await asyncio.sleep(WAIT)
            continue
        say("joined", run=settings.run)
        return found
    raise AssertionError("the last try returns or raises")


async def _gossip(
    settings: Settings, ledger: Ledger, manifest: Manifest, transport: P2PTransport, parent: Parent
) -> None:
    identity = Identity.load_or_create(Path(settings.identity))
    author = identity.author
    claims = Claims(manifest, manifest.space(installed(), {}))

    def spreads() -> float:
        return spreading(len(gossip.peers), settings.period)

    withheld = Withheld(
        ledger, settings.run, author,
        hold=lambda: spreads() + settings.period if gossip.peers else 0.0,
    )  # fmt: skip
    replica = LedgerReplica(
        ledger, settings.run, author, claims, manifest.islands, out=lambda: withheld.out
    )
    migration = None
    if manifest.islands > 1:
        islands = Islands(settings.digest, manifest.islands)
        migration = Migration(transport, replica, islands=islands, author=author)
    gossip = Gossip(
        transport, replica, author=author, rng=Random(), period=settings.period,
        migration=migration,
    )  # fmt: skip
    commitments = Commitments(
        ledger, settings.run, author, spreads=spreads, in_touch=gossip.in_touch
    )
    rumours = Rumours(
        transport, settings.digest, author, peers=gossip.some, fits=replica.awaits,
        hear=lambda author, bound: commitments.hear(author, bound, withheld.out),
        spreads=spreads, rng=Random(), period=settings.period,
    )  # fmt: skip
    flights = Flights(
        transport, settings.digest, identity, peers=gossip.some, bound=lambda: withheld.bound,
        hear=rumours.tell,
    )  # fmt: skip
    parent.on("flights", lambda said: flights.say(list(map(key_from, said["works"]))))
    parent.on("release", lambda said: withheld.release())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gossip.run())
        tasks.create_task(flights.run())
        tasks.create_task(rumours.run())
        tasks.create_task(_let_out(withheld))
        others = 0 if migration is None else FANOUT
        tasks.create_task(_catch_up(gossip, transport.neighbours[:FANOUT], others))
        while True:
            for peer in transport.neighbours:
                gossip.hear_of(peer)
            heads = replica.heads()
            own = heads.get(author)
            say(
                "status",
                peers=len(transport.neighbours),
                beside=gossip.beside(transport.neighbours),
                records=sum(head.records for head in heads.values()),
                own=0 if own is None else own.upto,
                held=gossip.held_by(1),
                acknowledged=gossip.acknowledged,
                **asdict(gossip.tally),
            )
            say("flights", others=flights.others)
            say("committed", records=commitments.sure())
            await asyncio.sleep(STATUS)


async def _let_out(withheld: Withheld) -> None:
    """Let others have what was held back long enough, until cancelled."""
    while True:
        withheld.look()
        await asyncio.sleep(LOOK)


async def _catch_up(gossip: Gossip, peers: Sequence[str], others: int) -> None:
    """Exchange with the first peers at once: who joins is not to repeat what they did.

    They may live on another island, so that many others whom they told of are asked, too.
    """
    met = [await gossip.exchange(peer) for peer in peers]
    met += [await gossip.exchange(peer) for peer in gossip.some(others)]
    say("caught_up", peers=sum(met))


async def _until_the_parent_ends(work: asyncio.Task[None], parent: Parent) -> None:
    """Hear the parent; cancel *work* when the input ends or a signal says so."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    os.set_blocking(0, False)

    def read() -> None:
        with suppress(BlockingIOError):
            if data := os.read(0, 1 << 16):
                parent.hear(data)
            else:
                loop.remove_reader(0)
                ended.set()

    loop.add_reader(0, read)
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def _main(settings: Settings) -> None:
    parent = Parent()
    await _until_the_parent_ends(asyncio.create_task(node(settings, parent)), parent)


def main() -> int:
    """Run the node that the first argument tells of; its last line says why it ended, if ill."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    gc.freeze()  # what was imported is much: to look through it made a nested message take seconds
    failures = list[str]()
    try:
        asyncio.run(_main(Settings.from_json(sys.argv[1])))
    except* (StoreError, TransportError, ValueError, OSError) as group:
        failures += map(str, _leaves(group))
    if failures:
        say("failed", reason="; ".join(failures))
    return 1 if failures else 0


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, or those in a group and in the groups in it."""
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(each)
    else:
        yield error


if __name__ == "__main__":
    sys.exit(main())
