"""The line to join by: what is one, and what is said of what is none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.cli.errors import CliError, Code
from praxis_evolve.cli.join_line import (
    COMMAND,
    JoinLine,
    is_line,
    line_of,
    parsed,
    place_of,
    read,
    why_not,
)
from praxis_evolve.cli.options import HERE, with_place

PEER = "12D3KooWQgF7oy9Y6mDVZxc9P5ueDyPedQgpiapS6j4ubKJ1AUBv"
DIGEST = "32c40e2517e3f2f150d507e33676ec44b22ba92a39400a4801c539ec2f65c79a"
HOME = f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}"
LAN = f"/ip4/192.0.2.7/tcp/4001/p2p/{PEER}"

BASE_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
peers = st.text(BASE_58, min_size=44, max_size=44).map(lambda end: f"12D3KooW{end}")
places = st.one_of(
    st.ip_addresses(v=4).map(lambda ip: f"/ip4/{ip}"),
    st.ip_addresses(v=6).map(lambda ip: f"/ip6/{ip}"),
    st.just("/dns4/relay.example.org"),
)


def address(place: str, port: int, peer: str) -> str:
    return f"{place}/tcp/{port}/p2p/{peer}"


addresses = st.builds(address, places, st.integers(1, 65535), peers)
lines = st.builds(
    JoinLine,
    st.lists(addresses, min_size=1, max_size=4).map(tuple),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
)


def either(text: str) -> JoinLine | CliError:
    try:
        return parsed(text)
    except CliError as error:
        return error


@given(lines, st.sampled_from(["", f"{COMMAND} ", f"join      {COMMAND} ", "\n "]))
def test_a_line_is_read_as_it_is_written(line: JoinLine, before: str) -> None:
    assert parsed(f"{before}{line}\n") == line
    assert is_line(str(line))
    assert f"/tcp/{line.port}/" in line.addresses[0]


@given(st.text() | st.text(alphabet="/ip4.127:tcp#2pD,KoW"))
def test_any_text_is_a_line_or_refused(text: str) -> None:
    found = either(text)
    if isinstance(found, CliError):
        assert found.code == Code.USAGE
        assert found.why
        assert found.cure
    else:
        assert parsed(str(found)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no #"),
        (HOME, "has no #"),
        (f"{HOME}#12", "64 hex digits, not '12'"),
        (f"{HOME}#{DIGEST.upper()}", "64 hex digits"),
        (f"#{DIGEST}", "1 to 16 addresses before the #, but has 0"),
        (f"{HOME},#{DIGEST}", "not ''"),
        (f"{HOME[:-1]}#{DIGEST}", "52 letters"),
        (f"{HOME.replace('4001', '70000')}#{DIGEST}", "1 to 65535, not 70000"),
        (f"{HOME.replace('127.0.0.1', '127.0.0.256')}#{DIGEST}", "no address of IPv4"),
        (f"{HOME.replace('ip4', 'ip6')}#{DIGEST}", "no address of IPv6"),
        (f"{','.join([HOME] * 17)}#{DIGEST}", "but has 17"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(CliError) as caught:
        parsed(text)
    assert why in caught.value.why


def test_names_of_runs_are_no_lines() -> None:
    assert not is_line("amber-fox-31")
    assert is_line(HOME)  # so that what is missing is said
    assert is_line("@join.txt")


def test_a_line_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "join.txt").write_text(f"{COMMAND} {HOME}#{DIGEST}\n")
    assert read(f"@{tmp_path / 'join.txt'}") == JoinLine((HOME,), DIGEST)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("nothing", "bytes", "."):
        with pytest.raises(CliError, match="cannot be read from"):
            read(f"@{tmp_path / name}")


def test_addresses_of_this_machine_alone_are_told_only_where_there_is_no_other() -> None:
    assert line_of([HOME, LAN], DIGEST).addresses == (LAN,)
    assert line_of([HOME], DIGEST).addresses == (HOME,)
    assert line_of(["/unix/socket", HOME], DIGEST).addresses == (HOME,)


def test_listen_takes_addresses_with_a_port() -> None:
    assert place_of("0.0.0.0:4001") == ("0.0.0.0", 4001)
    assert place_of("[::1]:0") == ("::1", 0)
    for wrong in ("4001", "host:4001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "0.0.0.0:65536"):
        with pytest.raises(CliError, match="--listen is"):
            place_of(wrong)


def test_listen_may_stand_without_a_value() -> None:
    assert list(with_place(["--listen"])) == ["--listen", HERE]
    assert list(with_place(["--listen", "--json"])) == ["--listen", HERE, "--json"]
    assert list(with_place(["--listen", "[::]:1", "-q"])) == ["--listen", "[::]:1", "-q"]
    assert list(with_place(["--listen=0.0.0.0:1"])) == ["--listen=0.0.0.0:1"]


def test_a_port_in_use_is_seen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "in use" in (why_not("127.0.0.1", taken.getsockname()[1]) or "")
    assert why_not("127.0.0.1", 0) is None
    assert why_not("192.0.2.250", 0) is not None
