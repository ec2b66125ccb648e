"""``doctor`` finds what is broken and names a fix for each line that is not ok."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from praxis_evolve.cli import checks, network_checks, resources
from praxis_evolve.cli.errors import Code
from praxis_evolve.cli.join_line import JoinLine
from praxis_evolve.cli.settings import RunSettings
from praxis_evolve.market.swarm.p2p import P2PTransport
from praxis_evolve.market.swarm.transport import TransportError
from praxis_evolve.tests.cli.calling import Called, Cli, Tiny

DIGEST = "ab" * 32
NOBODY = "12D3KooWQgF7oy9Y6mDVZxc9P5ueDyPedQgpiapS6j4ubKJ1AUBv"


@pytest.fixture(autouse=True)
def quick_daemon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the daemon only in the tests that are about it."""
    if "real" not in request.node.name:
        monkeypatch.setattr(
            network_checks, "daemon", lambda: checks.Check("daemon", "ok", "not looked at")
        )


@contextmanager
def peer(folder: Path, ahead: float = 0.0) -> Generator[JoinLine]:
    """A real peer, in a thread, whose clock is so many seconds ahead; how to join it."""
    ready, ended = threading.Event(), threading.Event()
    addresses = list[str]()

    async def main() -> None:
        made = await P2PTransport.create(
            DIGEST[:16], identity=folder / "peer.key", now=lambda: time.time() + ahead
        )
        addresses.extend(made.me.addresses)
        ready.set()
        await asyncio.to_thread(ended.wait)
        await made.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield JoinLine(tuple(addresses), DIGEST)
    finally:
        ended.set()
        thread.join(60)


def states(called: Called) -> dict[str, str]:
    found = called.json["checks"]
    assert all(each["fix"] for each in found if each["state"] != "ok")
    return {each["name"]: each["state"] for each in found}


def test_a_machine_that_works(cli: Cli, tiny: Tiny) -> None:
    called = cli("doctor", "--store", tiny.url, "--json")
    found = states(called)
    assert called.code == Code.DONE
    for name in ("python", "torch", "catalog", "store", "identity", "corpus"):
        assert found[name] == "ok"
    shown = cli("doctor", "--store", tiny.url).out
    assert "write-ahead log, schema" in shown


def test_no_store_and_no_identity_yet_are_no_failures(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "none" / "identity"
    monkeypatch.setenv("PRAXIS_IDENTITY", str(key))
    called = cli("doctor", "--json")
    assert called.code == Code.DONE
    assert states(called)["identity"] == "skip"
    assert states(called)["store"] == "ok"
    assert not key.exists()
    assert not (tmp_path / "runs").exists()


def test_an_identity_that_others_can_read_fails(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "identity"
    key.write_text("secret")
    os.chmod(key, 0o644)
    monkeypatch.setenv("PRAXIS_IDENTITY", str(key))
    called = cli("doctor")
    assert called.code == Code.STORE
    assert f"chmod 600 {key}" in called.out


@pytest.mark.parametrize("content", ["no database " * 99, ""])
def test_a_store_that_is_none_fails(cli: Cli, tmp_path: Path, content: str) -> None:
    (tmp_path / "notes.db").write_text(content)
    called = cli("doctor", "--store", "sqlite:///notes.db", "--json")
    assert (called.code, states(called)["store"]) == (Code.STORE, "fail")


def test_a_store_below_a_file_fails(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    called = cli("doctor", "--store", f"sqlite:///{tmp_path}/file/a.db", "--json")
    assert (called.code, states(called)["store"]) == (Code.STORE, "fail")


@pytest.mark.parametrize("url", ["nonsense", "postgresql+psycopg://me:secret@host:port/x"])
def test_a_url_that_names_no_store_fails_with_its_cure(cli: Cli, url: str) -> None:
    called = cli("doctor", "--store", url, "--json")
    assert called.code == Code.STORE
    found = {each["name"]: each for each in called.json["checks"]}
    for name in ("disk", "folder", "store"):
        assert "names no store" in found[name]["text"]
        assert found[name]["fix"].startswith("name it by a URL such as sqlite:///")
    assert "secret" not in called.out


def test_broken_settings_are_a_finding(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "praxis.toml").write_text("populaton = 3")
    called = cli("doctor", "--json")
    assert (called.code, states(called)["settings"]) == (Code.STORE, "fail")


@pytest.mark.skipif(os.name != "posix", reason="the daemon needs POSIX")
def test_a_real_peer_is_reached_and_its_clock_compared(cli: Cli, tmp_path: Path) -> None:
    with peer(tmp_path) as line:
        called = cli("doctor", "--join", str(line), "--json")
        found = states(called)
    assert called.code == Code.DONE
    assert [found[name] for name in ("daemon", "reach", "clock")] == ["ok"] * 3
    (clock,) = [each for each in called.json["checks"] if each["name"] == "clock"]
    assert "of the peer" in clock["text"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the daemon needs POSIX")
@pytest.mark.parametrize(
    ("ahead", "state", "words"), [(2.0, "warn", "behind"), (-60.0, "fail", "60 s ahead of")]
)
def test_a_real_peer_with_another_time_is_a_finding(
    tmp_path: Path, ahead: float, state: str, words: str
) -> None:
    with peer(tmp_path, ahead) as line:
        found = network_checks.clock(line)
    assert (found.state, words in found.text) == (state, True)
    assert "NTP" in found.fix


def test_nobody_at_a_line_is_a_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def lonely(line: JoinLine) -> checks.Check:
        return checks.Check("clock", "fail", "nobody", "look")

    monkeypatch.setattr(network_checks, "clock", lonely)
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        there.listen()
        open_port = there.getsockname()[1]
        here, gone = (f"/ip4/127.0.0.1/tcp/{port}/p2p/{NOBODY}" for port in (open_port, 1))
        for addresses, state in (((here,), "ok"), ((here, gone), "warn"), ((gone,), "fail")):
            called = cli("doctor", "--join", str(JoinLine(addresses, DIGEST)), "--json")
            assert states(called)["reach"] == state
            assert called.code == Code.STORE
    assert "refused" in called.out


def test_a_line_that_is_none_is_a_finding(cli: Cli) -> None:
    called = cli("doctor", "--join", "nonsense", "--json")
    assert (called.code, states(called)["line"]) == (Code.STORE, "fail")


def test_ports(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        called = cli("doctor", "--listen", place, "--json")
    assert (called.code, states(called)["port"]) == (Code.STORE, "fail")
    assert network_checks.port("0.0.0.0:0").state == "ok"
    assert "firewall" in network_checks.port("0.0.0.0:0").text
    assert "this machine alone" in network_checks.port(None).text
    assert network_checks.port("here").state == "fail"


@pytest.mark.parametrize("error", [TransportError("the clock is slow; set it"), TimeoutError()])
def test_a_daemon_that_does_not_start_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.undo()

    async def broken(addresses: tuple[str, ...], swarm: str) -> float | None:
        raise error

    monkeypatch.setattr(network_checks, "_met", broken)
    line = JoinLine((f"/ip4/127.0.0.1/tcp/1/p2p/{NOBODY}",), DIGEST)
    assert network_checks.daemon().state == network_checks.clock(line).state == "fail"


def test_a_line_whose_peers_are_silent_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def alone(addresses: tuple[str, ...], swarm: str) -> float | None:
        return None

    monkeypatch.setattr(network_checks, "_met", alone)
    line = JoinLine((f"/ip4/127.0.0.1/tcp/1/p2p/{NOBODY}",), DIGEST)
    assert network_checks.clock(line).text == "no peer of the run answered"


@pytest.mark.parametrize(
    ("power", "state"),
    [(None, "ok"), ((False, 88.0), "ok"), ((True, 40.0), "warn")],
)
def test_batteries(
    monkeypatch: pytest.MonkeyPatch, power: tuple[bool, float] | None, state: str
) -> None:
    monkeypatch.setattr("praxis_evolve.cli.machine.battery", lambda: power)
    assert checks.battery().state == state


def test_a_gpu_that_torch_does_not_see_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "DRIVERS", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert checks.torch_here().state == "ok"
    (tmp_path / "nvidia0").touch()
    assert checks.torch_here().state == "warn"


def test_gpus_are_named_with_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def name_of(number: int) -> str:
        return "ABC"[number]

    def memory_of(number: int) -> tuple[int, int]:
        return 1 << 30, (2 + number) << 30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", name_of)
    monkeypatch.setattr(torch.cuda, "mem_get_info", memory_of)
    assert "GPU 1: B, 1.0 of 3.0 GiB free" in checks.torch_here().text


def test_workers_that_may_take_more_than_there_is_are_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "LIMITS", (tmp_path / "none", tmp_path / "max"))
    total = psutil.virtual_memory().total
    fits = RunSettings(workers=2, memory_limit=str(total // 4))
    assert checks.limit(fits).state == "ok"
    assert checks.limit(RunSettings(workers=2, memory_limit="MAX/2")).state == "ok"
    assert checks.limit(RunSettings(workers=2, memory_limit=str(total))).state == "warn"
    (tmp_path / "max").write_text(f"{total // 8}\n")
    assert checks.limit(fits).state == "warn"
    (tmp_path / "max").write_text("max\n")
    assert checks.limit(fits).state == "ok"


def test_a_folder_that_cannot_be_written_to_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.folder(f"sqlite:///{tmp_path}/deep/s.db").state == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert checks.folder(f"sqlite:///{tmp_path}/file/s.db").state == "fail"

    def full(*, dir: Path) -> SimpleNamespace:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checks.tempfile, "TemporaryFile", full)
    assert "No space left" in checks.folder(f"sqlite:///{tmp_path}/s.db").text
