"""The version of a store's tables: created by migrations, upgraded on request, never guessed."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from .errors import StoreError
from .tables import SCHEMA, VERSION_TABLE

MIGRATIONS = Path(__file__).parent / "migrations"


def version(connection: Connection, store: str) -> str | None:
    """Return the revision of the tables, or None if the database is empty; *store* is its name.

    Raises:
        StoreError: there are tables, but not ours.
    """
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
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


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest revision within the connection's transaction.

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
    try:
        command.upgrade(config, "head")
    except (CommandError, ValueError, LookupError) as error:
        raise StoreError(
            f"the store cannot be migrated: {error}; restore it from a copy"
        ) from error
