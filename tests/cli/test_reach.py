"""How others reach a node: what is announced, and what is said of what cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.join_line import line_of
from praxis_evolve.cli.reach import Reach
from praxis_evolve.tests.cli.calling import Cli

PEER = "12D3KooWQgF7oy9Y6mDVZxc9P5ueDyPedQgpiapS6j4ubKJ1AUBv"


@pytest.mark.parametrize(
    ("announce", "address"),
    [
        ("peer.example.org", "/dns/peer.example.org/tcp/4001"),
        ("peer.example.org:4100", "/dns/peer.example.org/tcp/4100"),
        ("192.0.2.7", "/ip4/192.0.2.7/tcp/4001"),
        ("192.0.2.7:80", "/ip4/192.0.2.7/tcp/80"),
        ("2001:db8::7", "/ip6/2001:db8::7/tcp/4001"),
        ("[2001:db8::7]:80", "/ip6/2001:db8::7/tcp/80"),
    ],
)
def test_a_place_is_announced_as_others_reach_it(announce: str, address: str) -> None:
    assert Reach("0.0.0.0:4001", announce).announced() == (address,)
    assert line_of([f"{address}/p2p/{PEER}"], "0" * 64).addresses == (f"{address}/p2p/{PEER}",)


@pytest.mark.parametrize(
    ("reach", "why"),
    [
        (Reach("0.0.0.0:0", "peer.example.org"), "drawn anew"),
        (Reach("0.0.0.0:4001", "peer.example.org:x"), "from 1 to 65535"),
        (Reach("0.0.0.0:4001", "peer.example.org:0"), "from 1 to 65535"),
        (Reach("0.0.0.0:4001", "peer.example.org:99999"), "from 1 to 65535"),
        (Reach("0.0.0.0:4001", "a b"), "neither a name nor an address"),
        (Reach("0.0.0.0:4001", ""), "neither a name nor an address"),
    ],
)
def test_what_cannot_be_announced_is_refused(reach: Reach, why: str) -> None:
    with pytest.raises(CliError) as error:
        reach.announced()
    assert why in str(error.value.why)
    assert error.value.code is Code.USAGE


@pytest.mark.parametrize(
    ("reach", "flags"),
    [
        (Reach(), ()),
        (Reach("0.0.0.0:4001"), ("--listen", "0.0.0.0:4001")),
        (
            Reach("0.0.0.0:4001", "peer.example.org", upnp=True),
            ("--listen", "0.0.0.0:4001", "--announce", "peer.example.org", "--upnp"),
        ),
    ],
)
def test_a_command_that_goes_on_lets_others_in_as_before(
    reach: Reach, flags: tuple[str, ...]
) -> None:
    assert reach.flags() == flags


@pytest.mark.parametrize("reach", [Reach(None, "peer.example.org:4001"), Reach(upnp=True)])
def test_who_does_not_listen_announces_nothing(reach: Reach) -> None:
    with pytest.raises(CliError, match="it does not listen") as error:
        reach.announced()
    assert error.value.code is Code.USAGE
    assert Reach(relayed=True).announced() == ()


@given(st.text(max_size=80))
def test_whatever_is_announced_is_an_address_of_a_line_or_refused(text: str) -> None:
    try:
        (address,) = Reach("0.0.0.0:4001", text).announced()
    except CliError:
        return
    assert line_of([f"{address}/p2p/{PEER}"], "0" * 64)


@pytest.mark.parametrize("how", [("--announce", "peer.example.org"), ("--upnp",)])
@pytest.mark.parametrize(
    "command", [("run",), ("peer", "--join", "r"), ("relay", "--join", "r")], ids=lambda c: c[0]
)
def test_without_listening_nothing_is_announced(
    cli: Cli, command: tuple[str, ...], how: tuple[str, ...]
) -> None:
    called = cli(*command, *how)
    assert called.code == Code.USAGE
    assert "it does not listen" in called.err
