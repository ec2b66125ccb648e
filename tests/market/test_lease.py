from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import psutil
import pytest

from praxis_evolve.evaluator.result import Result
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market.errors import LeaseHeldError, LeaseLostError
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.lease import Process, acquire, release, renew
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.store import Store
from praxis_evolve.search.base import Assignment, Birth, Closed, Expired

FAR = Process("another host", 12, 0.0)


@pytest.fixture
def store(ledger: Ledger) -> Store:
    ledger.create_run("amber", {})
    return ledger.store


def test_a_second_process_is_refused_while_the_first_lives(store: Store):
    acquire(store, "amber", now=0, process=FAR)
    said = r"driven by process 12 on another; stop that process, or wait 59 seconds"
    with pytest.raises(LeaseHeldError, match=said):
        acquire(store, "amber", now=1)


def test_this_process_is_refused_a_second_lease_too(store: Store):
    acquire(store, "amber", now=0)
    with pytest.raises(LeaseHeldError, match=f"process {os.getpid()} "):
        acquire(store, "amber", now=1)


def test_runs_are_leased_apart(store: Store, ledger: Ledger):
    ledger.create_run("birch", {})
    acquire(store, "amber", now=0)
    acquire(store, "birch", now=0)


def test_a_lease_expires_without_heartbeat_and_lives_with_it(store: Store):
    first = acquire(store, "amber", now=0, process=FAR)
    first = renew(store, first, now=50)
    assert first.expires == 110
    with pytest.raises(LeaseHeldError):
        acquire(store, "amber", now=100)
    second = acquire(store, "amber", now=110, process=FAR)
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLostError, match=r"fence 2, this process had 1"):
        renew(store, first, now=111)
    renew(store, second, now=111)


def test_a_released_lease_is_free_at_once_and_the_fence_grows(store: Store):
    first = acquire(store, "amber", now=0, process=FAR)
    release(store, first)
    second = acquire(store, "amber", now=0, process=FAR)
    assert second.fence == 2
    release(store, first)  # no longer its own to release
    with pytest.raises(LeaseHeldError):
        acquire(store, "amber", now=1)


def test_a_dead_process_of_this_host_is_succeeded_at_once(store: Store):
    code = (
        "import json; from praxis_evolve.market.lease import Process; "
        "print(json.dumps(vars(Process.current())))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    dead = Process(**json.loads(said.stdout))
    assert dead.gone()
    acquire(store, "amber", now=0, process=dead)
    assert acquire(store, "amber", now=1).fence == 2


def test_only_a_process_surely_gone_is_gone():
    here = Process.current()
    assert not here.gone()
    assert not FAR.gone()
    assert replace(here, started=here.started - 100).gone()  # its number was given to another
    assert not replace(here, started=here.started + 1).gone()


def test_a_zombie_is_gone():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = psutil.Process(child.pid)
        process = replace(Process.current(), pid=child.pid, started=found.create_time())
        assert not process.gone()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but not yet buried
        assert process.gone()


def test_who_lost_the_lease_can_write_nothing_more(
    store: Store, ledger: Ledger, genome: Genome, identity: Identity
):
    birth = Birth("amber", identity.author, 0)
    lost = acquire(store, "amber", now=0, process=FAR)
    held = acquire(store, "amber", now=100)
    assignment = Assignment(genome, 1000, 0, birth)
    found = ledger.put_genome("amber", genome)
    result = Result(found, "ab" * 32, 1000, 0, 7, 2.5)
    writes: list[Callable[..., object]] = [
        partial(ledger.append_asked, "amber", assignment),
        partial(ledger.note, "amber", Expired(birth)),
        partial(ledger.note, "amber", Closed()),
        partial(ledger.publish, "amber", identity, result),
    ]
    for write in writes:
        before = len(list(ledger.events("amber")))
        with pytest.raises(LeaseLostError, match="driven by another process since"):
            write(lease=lost)
        assert len(list(ledger.events("amber"))) == before
        write(lease=held)
        assert len(list(ledger.events("amber"))) == before + 1
