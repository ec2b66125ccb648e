"""The tables of a store.

Texts that are hashed or signed are kept packed, and come back byte for byte; all other columns of a
record are an index of its body.
"""

from __future__ import annotations

import re

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

SCHEMA = "0002"
"""The newest migration; revisions are numbers of four digits, so that newer ones sort later."""

VERSION_TABLE = "praxis_schema"
"""Where alembic notes the revision; another tool's ``alembic_version`` stays its own."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


_HEX = re.compile("(?:[0-9a-f]{2})+")


class Hex(TypeDecorator[str]):
    """Lower-case hex digits, stored as the bytes that they stand for: half as long.

    A text that is no such digits may be looked for, and is found nowhere. What is stored and no
    bytes, in a damaged store, is returned as such a text: it is no digest of anything.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Return what is stored."""
        if value is None:
            return None
        return bytes.fromhex(value) if _HEX.fullmatch(value) else b"no hex: " + value.encode()

    def process_result_value(self, value: object, dialect: Dialect) -> str | None:
        """Return the digits."""
        if value is None:
            return None
        return value.hex() if isinstance(value, bytes) else f"no bytes: {value}"


def _run_column() -> Column[str]:
    return Column("run", String(100), ForeignKey("runs.name", ondelete="CASCADE"), primary_key=True)


runs = Table(
    "runs",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("manifest", Text, nullable=False),  # canonical JSON
    Column("digest", String(64), nullable=False),  # SHA-256 of it: the run's name in records
    Column("state", String(20), nullable=False),
    Column("created", Double, nullable=False),  # seconds since 1970, UTC
)

genomes = Table(
    "genomes",
    metadata,
    _run_column(),
    Column("id", Hex, primary_key=True),
    Column("text", LargeBinary, nullable=False),  # as genome.text writes it, packed
    Column("size", Integer, nullable=False),  # its characters
)

records = Table(
    "records",
    metadata,
    _run_column(),
    Column("id", Hex, primary_key=True),
    Column("author", Hex, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("genome", Hex, nullable=False),
    Column("rung", BigInteger, nullable=False),
    Column("replica", Integer, nullable=False),
    Column("size", Integer, nullable=False),  # bytes of the body
    Column("body", LargeBinary, nullable=False),  # what is signed, packed; hashes to id
    Column("signature", Hex, nullable=False),
    Column("received", Double, nullable=False),  # seconds since 1970, UTC
    Index(None, "run", "author", "seq"),  # not unique: a fork must be kept, it is the proof
    Index(None, "run", "genome", "rung", "replica"),
)

log = Table(
    "log",
    metadata,
    _run_column(),
    Column("place", BigInteger, primary_key=True, autoincrement=False),  # from 0, without gaps
    Column("kind", String(20), nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON, packed
    Column("record", Hex),  # of a line that says finished
    Column("genome", Hex),  # whose stored text the body was packed with: it repeats that
    Column("digest", Hex, nullable=False),  # of the line before, kind and body
    ForeignKeyConstraint(["run", "record"], ["records.run", "records.id"], ondelete="CASCADE"),
)

leases = Table(
    "leases",
    metadata,
    _run_column(),
    Column("fence", BigInteger, nullable=False),  # grows with every holder
    Column("holder", String(32)),  # a random token; none once released
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Double, nullable=False),  # when the process began, seconds since 1970
    Column("expires", Double, nullable=False),  # seconds since 1970
)
