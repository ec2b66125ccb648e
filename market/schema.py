"""The version of a store's tables: created by migrations, upgraded on request, never guessed."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text, update

from .errors import StoreError
from .tables import SCHEMA, VERSION_TABLE, leases, runs

MIGRATIONS = Path(__file__).parent / "migrations"

_MIGRATION = int.from_bytes(b"praxis")
"""The number of PostgreSQL's advisory lock for who makes or changes tables: any that is ours."""


def version(connection: Connection, store: str) -> str | None:
    """Return the revision of the tables, or None if the database is empty; *store* is its name.

    Raises:
        StoreError: there are tables, but not ours, or the one that names the revision is damaged.
    """
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
        if not isinstance(found, str):
            raise StoreError(
                f"the store {store} is damaged: its table {VERSION_TABLE} must name a schema such "
                f"as {SCHEMA}, but has {found!r}; restore the store from a copy"
            )
        return found
    if tables:
        raise StoreError(
            f"the store {store} holds tables of another program ({', '.join(sorted(tables)[:3])}); "
            "name an empty database or a file that does not exist yet"
        )
    return None


def refuse_other(found: str, store: str) -> None:
    """Refuse a store whose revision is not the one that this program reads and writes.

    Raises:
        StoreError: the store is newer or older than the program.
    """
    if found > SCHEMA:
        raise StoreError(
            f"the store {store} has schema {found}, which is newer than {SCHEMA}, the "
            "newest that this version of praxis-evolve knows; update praxis-evolve"
        )
    if found < SCHEMA:
        raise StoreError(
            f"the store {store} has schema {found}, which is older than {SCHEMA}; "
            "copy the store, then run: praxis-evolve store upgrade"
        )


def lock(connection: Connection) -> None:
    """Let no other process migrate until the transaction ends.

    A lock on a table would not do, for it may have to be made. SQLite locks the whole database when
    a write begins.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION)))


def migrate(connection: Connection, store: str, found: str | None) -> None:
    """Bring the tables from the revision *found* to the newest, in the connection's transaction.

    *store* is its name. All leases are taken: a program that has the store open would write on in
    the old form.

    Raises:
        StoreError: the tables have a revision that no migration starts from, or are damaged.
    """
    # alembic takes a third of a second to import; only new and old stores need it
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if found is not None:
        _stop_writers(connection)
    try:
        command.upgrade(config, "head")
    except (CommandError, ValueError) as error:
        raise StoreError(
            f"the store {store} cannot be migrated: {error}; restore it from a copy"
        ) from error
    connection.execute(update(leases).values(holder=None))


def _stop_writers(connection: Connection) -> None:
    """Wait for those who write, and let others wait: each locks its row of ``runs`` first.

    What they wrote after its table was copied would be dropped with the old table.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {runs.name}"))
