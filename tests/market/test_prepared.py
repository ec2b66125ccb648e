from __future__ import annotations

import pytest
from sqlalchemy import bindparam, create_engine, insert, select
from sqlalchemy.exc import DBAPIError

from praxis_evolve.market.prepared import Prepared
from praxis_evolve.market.tables import log, metadata, runs

ROW = {"name": "a", "manifest": "{}", "digest": "0", "state": "running", "created": 0.5}
INSERT = Prepared(insert(runs))
NAMED = Prepared(select(runs).where(runs.c.name == bindparam("named")).limit(1))


def test_rows_are_those_of_sqlalchemy_in_the_transaction_of_the_connection():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
    with engine.connect() as connection:
        assert NAMED.first(connection, named="a") is None
        INSERT.run(connection, **ROW)
        (row,) = NAMED.all(connection, named="a")
        assert vars(row) == connection.execute(select(runs)).mappings().one() == ROW
        connection.rollback()
        assert NAMED.all(connection, named="a") == []
    engine.dispose()


def test_what_types_do_to_values_is_done():
    first, second, author = "0a" * 32, "ff" * 32, "7b" * 32
    engine = create_engine("sqlite://")
    named = Prepared(
        select(log.c.place, log.c.record.label("told"), log.c.digest, log.c.body).where(
            log.c.digest == bindparam("with_digest")
        )
    )
    line = {"run": "a", "kind": "k", "body": b"\x00{}", "genome": None}
    with engine.begin() as connection:
        metadata.create_all(connection)
        for place, (record, digest) in enumerate(((None, first), (author, second))):
            Prepared(insert(log)).run(connection, place=place, record=record, digest=digest, **line)
        found = [named.first(connection, with_digest=each) for each in (first, second, "no hex")]
        stored = connection.exec_driver_sql("SELECT digest, record FROM log").all()
        plain = connection.execute(select(log.c.digest).order_by(log.c.place)).scalars().all()
    assert [None if row is None else vars(row) for row in found] == [
        {"place": 0, "told": None, "digest": first, "body": b"\x00{}"},
        {"place": 1, "told": author, "digest": second, "body": b"\x00{}"},
        None,
    ]
    assert stored == [(bytes.fromhex(first), None), (bytes.fromhex(second), bytes.fromhex(author))]
    assert plain == [first, second]
    engine.dispose()


def test_a_failure_is_one_of_sqlalchemy_and_a_missing_parameter_is_named():
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        with pytest.raises(DBAPIError, match="no such table: log"):
            Prepared(select(log)).all(connection)
        with pytest.raises(Exception, match="'named'"):
            NAMED.all(connection)
    engine.dispose()
