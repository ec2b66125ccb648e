"""A small catalog, a genome of it, an identity, a ledger in a fresh file, a fresh database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from praxis_evolve.blocks.declaration import Cost, Declaration, Kind, Setting
from praxis_evolve.blocks.ranges import Choice
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.graph import Entry, Genome, Part, Stack, Visit
from praxis_evolve.market.identity_key import Identity
from praxis_evolve.market.ledger import Ledger


def _declared(name: str, kind: Kind) -> Declaration:
    return Declaration(
        name=name,
        kind=kind,
        family=kind,
        summary=f"a {kind} for tests",
        paper="none",
        path="praxis_evolve.blocks.ranges:Choice",
        cost=lambda size, settings: Cost(),
        settings={"heads": Setting(Choice((1, 2, 4)), 2, "a number")} if kind == "block" else {},
    )


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    kinds: dict[str, Kind] = {
        "mixer": "block", "other": "block", "pre": "residual", "rmsnorm": "norm",
        "token": "embedding",
    }  # fmt: skip
    return Catalog(tuple(_declared(name, kind) for name, kind in kinds.items()))


@pytest.fixture(scope="session")
def genome() -> Genome:
    pool = (Entry(Part("mixer", {"heads": 4}), lineage="a/0"),)
    return Genome(pool, (Visit(0), Visit(0, (0,))), Stack(width=32))


@pytest.fixture(scope="session")
def identity() -> Identity:
    return Identity.new()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def ledger(url: str, catalog: Catalog) -> Iterator[Ledger]:
    with Ledger.open(url, catalog=catalog, now=lambda: 1000.0) as opened:
        yield opened


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty database, on the server that PRAXIS_POSTGRES names, for one test."""
    named = os.environ.get("PRAXIS_POSTGRES")
    if not named:
        pytest.skip("PRAXIS_POSTGRES names no PostgreSQL database")
    name = f"praxis_test_{uuid4().hex}"
    engine = create_engine(named, isolation_level="AUTOCOMMIT")  # neither is for a transaction
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(named).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()
