"""The gate to hivemind: its daemon p2pd, its Kademlia table and its messages, and no more of it.

``hivemind.DHT`` and ``DHTNode`` stay outside: a bad answer makes their lookups wait for ever and
leave tasks behind. What is taken here is plain data, and the daemon, which is a process of its own.
"""

from __future__ import annotations

import warnings
from importlib import resources
from typing import Any

with warnings.catch_warnings():  # it uses what torch deprecates, which is not ours to mend
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    import hivemind.hivemind_cli
    from hivemind.dht.routing import DHTID, RoutingTable
    from hivemind.p2p import PeerID
    from hivemind.p2p.p2p_daemon_bindings.utils import read_pbmsg_safe, write_pbmsg
    from hivemind.proto import crypto_pb2, dht_pb2, p2pd_pb2
    from hivemind.utils.multiaddr import Multiaddr

__all__ = [
    "DHTID", "P2PD", "Multiaddr", "PeerID", "RoutingTable", "crypto", "daemon", "dht",
    "read_pbmsg_safe", "write_pbmsg",
]  # fmt: skip

# protobuf makes the classes of these modules as they are imported: no checker can know them
crypto: Any = crypto_pb2
daemon: Any = p2pd_pb2
dht: Any = dht_pb2

P2PD = str(resources.files(hivemind.hivemind_cli) / "p2pd")
"""The program of the daemon."""
