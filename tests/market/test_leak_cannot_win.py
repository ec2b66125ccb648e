"""A leak wins every search that minimises loss, unless the gate refuses it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator.evaluate import Evaluator
from praxis_evolve.evaluator.job import Setup
from praxis_evolve.evaluator.pool import SerialPool
from praxis_evolve.evaluator.result import Result
from praxis_evolve.evaluator.task import save_task, text_task
from praxis_evolve.genome.graph import Genome
from praxis_evolve.market.drive import drive
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.market.plan import Plan
from praxis_evolve.market.worker import Wish
from praxis_evolve.search.finals import winner
from praxis_evolve.tests.market.leaking import PEEK
from praxis_evolve.tests.market.loop import Seen

pytestmark = pytest.mark.slow

NAMES = ("attention", "glu", "mlp", "short_conv", "pre", "rmsnorm", "layernorm", "token")
CATALOG = installed().only(NAMES).extended(PEEK)
CONTEXT = 32
RUNGS = (25_600, 51_200)
"""Long enough for whoever peeks to learn it, whatever the machine's rounding."""
FLOOR = 3.8
"""Bits per byte that no honest model of random letters reaches: sixteen of them carry four."""


@dataclass(frozen=True)
class Searched:
    """What a search found: its results, the genomes with the leak, the winner."""

    results: list[Result]
    leaking: set[str]
    winner: str | None

    def of_leaks(self) -> list[Result]:
        return [result for result in self.results if result.genome in self.leaking]

    def honest(self) -> list[Result]:
        return [result for result in self.results if result.genome not in self.leaking]


def leaks(genome: Genome) -> bool:
    return any(part.name == "peek" for part in genome.parts())


def author(folder: Path) -> Identity:
    """The same author each time: what an ask draws hangs on who asks."""
    key, path = Ed25519PrivateKey.from_private_bytes(bytes(32)), folder / "identity"
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    path.chmod(0o600)
    return Identity.load_or_create(path)


def search(folder: Path, *, gate: bool) -> Searched:
    rng = random.Random(1)
    text = folder / "letters.txt"
    text.write_text("".join(rng.choice("abcdefghijklmnop") for _ in range(40_000)))
    task = text_task(text, context=CONTEXT)
    save_task(task, folder / "task")
    manifest = Manifest(
        program="0", preset="none", seed=2, task=task.name, task_digest=task.digest,
        task_bytes=len(task.text), widths=(32,), layers=1, context=CONTEXT, batch=8, rungs=RUNGS,
        search_windows=8, test_windows=8, blocks=(*NAMES, "peek"), catalog=CATALOG.digest,
        visits=4, parameters=None, flops=None, carry_bytes=None, population=12, births=36,
        objectives=("bits_per_byte",), replicas=(1,), finalists=1, tuned=False,
    )  # fmt: skip
    setup = Setup(
        task=str(folder / "task"), task_digest=task.digest, folder=str(folder), rungs=RUNGS,
        context=CONTEXT, batch=8, search_windows=8, test_windows=8, gate=gate,
    )  # fmt: skip
    plan = Plan(manifest, CATALOG)
    with Ledger.open(f"sqlite:///{folder / 'store.db'}", catalog=CATALOG) as ledger:
        ledger.create_run("run", manifest.to_dict())
        drive(
            ledger, "run", plan, identity=author(folder),
            pool=SerialPool(Evaluator(setup, CATALOG)), watcher=Seen(),
            wish=lambda: Wish.WORK, now=lambda: 0.0,
        )  # fmt: skip
        leaking = {name for name, genome in ledger.genomes("run") if leaks(genome)}
        results = ledger.results("run")
    assert plan.search.done
    return Searched(results, leaking, winner(results, plan.chosen(), rung=RUNGS[-1]))


def test_without_the_gate_the_leak_wins(tmp_path: Path) -> None:
    found = search(tmp_path, gate=False)
    assert found.winner in found.leaking
    finals = [r for r in found.of_leaks() if r.genome == found.winner and r.replica > 0]
    assert finals
    assert all((r.test_bits_per_byte or 9.0) < FLOOR for r in finals)
    assert all((r.bits_per_byte or 9.0) > FLOOR for r in found.honest())


def test_with_the_gate_it_cannot(tmp_path: Path) -> None:
    found = search(tmp_path, gate=True)
    refused = found.of_leaks()
    assert refused
    for result in refused:
        blank = (result.bits_per_byte, result.test_bits_per_byte, result.curve)
        assert (result.failure, blank) == ("refused", (None, None, ()))
        assert result.reason.startswith("causality: tokens from")
        assert (result.rung, result.replica) == (RUNGS[0], 0), "it was promoted"
    assert found.winner is not None
    assert found.winner not in found.leaking
