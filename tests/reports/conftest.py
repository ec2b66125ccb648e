"""A small run of real genomes, and genomes of many shapes."""

from collections.abc import Callable
from random import Random

import pytest

from praxis_evolve.blocks.registry import Catalog, installed
from praxis_evolve.genome.graph import Entry, Genome, Part, Stack, Visit
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import llama, llama_conv
from praxis_evolve.reports.model import Evaluation, Final, Floor, RunView

MakeGenome = Callable[[int], Genome]


def entry(name: str, prelude: str | None = None) -> Entry:
    return Entry(Part(name), None if prelude is None else Part(prelude))


def random_genome(seed: int) -> Genome:
    """Any wiring of up to 24 visits, with shared blocks, routers, preludes and exits."""
    rng = Random(seed)
    names = ["attention", "glu", "retention", "mingru", "short_conv", "peer", "kan"]
    preludes = [None, None, "short_conv", "token_shift"]
    pool = tuple(entry(rng.choice(names), rng.choice(preludes)) for _ in range(8))
    route: list[Visit] = []
    for number in range(rng.randint(1, 24)):
        earlier = range(max(-1, number - rng.choice([1, 2, 5])), number)
        reads = tuple(rng.sample(earlier, rng.randint(1, min(3, len(earlier)))))
        base = rng.choice([None, None, None, rng.randrange(-1, number)])
        router = rng.choice([None, None, None, Part("mod")])
        route.append(Visit(rng.randrange(8), reads, base, rng.choice(["mean", "gate"]), router))
    exit_ = rng.choice([None, Part("calm")])
    residual = rng.choice([Part("pre"), Part("hyper")])
    return Genome(pool, tuple(route), Stack(residual=residual, exit=exit_))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return installed()


@pytest.fixture(scope="session")
def make_genome() -> MakeGenome:
    return random_genome


@pytest.fixture(scope="session")
def llama_genome(catalog: Catalog) -> Genome:
    return llama(Space(catalog))


def evaluation(
    number: int,
    genome: str,
    value: float | None,
    *,
    rung: int = 50_000,
    flops: float = 500_000.0,
    origin: str = "insert",
    parents: tuple[str, ...] = (),
    reason: str = "",
) -> Evaluation:
    failure = "refused" if value is None else None
    return Evaluation(
        number, genome, rung, value, failure, reason, 195_136, flops, origin, parents, 4.0
    )


@pytest.fixture
def make_evaluation() -> Callable[..., Evaluation]:
    return evaluation


def final(label: str, genome: str, mean: float, *, baseline: bool = False) -> Final:
    test = (mean - 0.01, mean, mean + 0.01)
    return Final(
        label, genome, baseline, 150_000, test, mean, 0.025, mean - 0.03, 195_136, 520_192.0,
        520_192.0, 1047.8, 13_672.0,
    )  # fmt: skip


@pytest.fixture
def make_final() -> Callable[..., Final]:
    return final


def letters(letter: str) -> str:
    return letter * 64


@pytest.fixture(scope="session")
def genomes(catalog: Catalog, llama_genome: Genome) -> dict[str, Genome]:
    return {
        letters("a"): llama_genome,
        letters("b"): llama_conv(Space(catalog)),
        letters("c"): random_genome(5),
    }


@pytest.fixture(scope="session")
def run(genomes: dict[str, Genome]) -> RunView:
    a, b, c = genomes
    evaluations = (
        evaluation(1, a, 3.5, origin="llama"),
        evaluation(2, b, 3.3, origin="prelude", parents=(a,)),
        evaluation(3, c, None, parents=(a,), reason="causality: logits before token 7 change"),
        evaluation(4, b, 2.9, rung=150_000, origin="promote", parents=(b,)),
    )
    finals = (final(b, b, 2.8), final("llama", a, 2.97, baseline=True))
    return RunView(
        name="amber-fox-31",
        state="finished",
        seed=1337,
        task="standard library",
        task_digest="3f9a",
        command="praxis-evolve run --population 64",
        started="2025-11-21 23:50",
        seconds=545.0,
        facts=(("device", "cpu"),),
        evaluations=evaluations,
        finals=finals,
        winner=b,
        outcome="beat",
        verdict="The winner needs 5.7 % fewer bits per byte.",
        floors=(Floor("5-gram, full text", 2.31),),
    )
