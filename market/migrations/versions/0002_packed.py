"""The second schema: texts are packed and digests are bytes, which takes a quarter of the room.

Nothing is lost: a column is dropped only where the body of the record says the same.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from praxis_evolve.market import canonical
from praxis_evolve.market.packing import GENOME, LINE, RECORD, packed

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAGE = 1000
"""How many rows are converted at once."""

Values = dict[str, Any]


def upgrade() -> None:
    """Make the tables anew and fill them from the old ones."""
    for table in ("log", "records", "genomes"):
        op.execute(f"CREATE TABLE old_{table} AS SELECT * FROM {table}")
        op.drop_table(table)
    _fill("genomes", _create_genomes(), _genome)
    _fill("records", _create_records(), _record)
    names = _names()
    _fill("log", _create_log(), lambda row: _line(row, names))
    for table in ("log", "records", "genomes"):
        op.drop_table(f"old_{table}")


def downgrade() -> None:
    """Refuse: a packed store is not unpacked.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("a packed store cannot be unpacked; restore the copy of the old one")


def _fill(name: str, table: sa.Table, converted: Callable[[Values], Values]) -> None:
    for page in _pages(f"SELECT * FROM old_{name}"):
        rows = [_converted(name, converted, row) for row in page]
        op.get_bind().execute(sa.insert(table), rows)


def _converted(name: str, converted: Callable[[Values], Values], row: Values) -> Values:
    """Return what *converted* makes of a row of the table of that name.

    Raises:
        ValueError: the row is damaged.
    """
    try:
        return converted(row)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        key = row["place"] if name == "log" else row["id"]
        raise ValueError(
            f"row {key!r} of the table {name} of run {row['run']!r} is damaged: {error}"
        ) from error


def _pages(query: str) -> Iterator[list[Values]]:
    statement = sa.text(query).execution_options(yield_per=PAGE)
    for page in op.get_bind().execute(statement).mappings().partitions():
        yield [dict(row) for row in page]


def _genome(row: Values) -> Values:
    text = row["text"]
    return {
        "run": row["run"], "id": bytes.fromhex(row["id"]), "text": packed(text, GENOME),
        "size": len(text),
    }  # fmt: skip


def _record(row: Values) -> Values:
    body = row["body"]
    kept = {name: row[name] for name in ("run", "seq", "rung", "replica", "received")}
    digests = {name: bytes.fromhex(row[name]) for name in ("id", "author", "genome", "signature")}
    return {
        **kept, **digests, "size": len(body.encode()),
        "body": packed(body, RECORD, row["author"] + row["genome"]),
    }  # fmt: skip


def _line(row: Values, names: Mapping[tuple[str, bytes], bytes]) -> Values:
    body, record = row["body"], row["record"]
    text = json.loads(body)["genome"] if row["kind"] == "asked" else ""
    genome = names.get((row["run"], _digest(text)))
    repeated = "" if genome is None else canonical.encode(text).decode()
    return {
        "run": row["run"], "place": row["place"], "kind": row["kind"],
        "body": packed(body, LINE, (record or "") + repeated),
        "record": None if record is None else bytes.fromhex(record), "genome": genome,
        "digest": bytes.fromhex(row["digest"]),
    }  # fmt: skip


def _names() -> dict[tuple[str, bytes], bytes]:
    """Return the ids of the genomes by run and by what their texts hash to."""
    names = dict[tuple[str, bytes], bytes]()
    for page in _pages("SELECT run, id, text FROM old_genomes"):
        for row in page:
            names[row["run"], _digest(row["text"])] = bytes.fromhex(row["id"])
    return names


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _create_genomes() -> sa.Table:
    return op.create_table(
        "genomes",
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run", "id", name="pk_genomes"),
        _of_run("genomes"),
    )


def _create_records() -> sa.Table:
    table = op.create_table(
        "records",
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("author", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("genome", sa.LargeBinary(), nullable=False),
        sa.Column("rung", sa.BigInteger(), nullable=False),
        sa.Column("replica", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("received", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run", "id", name="pk_records"),
        _of_run("records"),
    )
    op.create_index("ix_records_run_author_seq", "records", ["run", "author", "seq"])
    op.create_index(
        "ix_records_run_genome_rung_replica", "records", ["run", "genome", "rung", "replica"]
    )
    return table


def _create_log() -> sa.Table:
    return op.create_table(
        "log",
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.Column("genome", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run", "place", name="pk_log"),
        _of_run("log"),
        sa.ForeignKeyConstraint(
            ["run", "record"],
            ["records.run", "records.id"],
            name="fk_log_records",
            ondelete="CASCADE",
        ),
    )


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["run"], ["runs.name"], name=f"fk_{table}_runs", ondelete="CASCADE"
    )
