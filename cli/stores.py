"""``store``: look after a store: upgrade it to this version of the program, make its file small."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .options import STORE, store_of
from .output import answer, notice

if TYPE_CHECKING:
    from ..market.store import Store

stores = typer.Typer(help="Look after the store.", no_args_is_help=True)


@stores.command("upgrade")
def upgrade(store: STORE = None) -> None:
    """Bring a store of an older version to the form of this one; copy it first.

    Whoever drives a run of it is stopped.
    """
    from ..market.store import Store
    from ..market.tables import SCHEMA

    url = store_of(store)
    before = _bytes(url)
    opened = Store.upgrade(url)
    try:
        _vacuum(opened)
    finally:
        opened.close()
    answer(f"{opened.name} has schema {SCHEMA}{_shrunk(before, _bytes(url))}")


@stores.command("vacuum")
def vacuum(store: STORE = None) -> None:
    """Write the store anew without the room of runs that were removed."""
    from ..market.store import Store

    url = store_of(store)
    before = _bytes(url)
    opened = Store.open(url, create=False)
    try:
        _vacuum(opened)
    finally:
        opened.close()
    answer(f"{opened.name} is written anew{_shrunk(before, _bytes(url))}")


def _vacuum(store: Store) -> None:
    notice(f"writing {store.name} anew, which takes as much room again for the time")
    store.vacuum()


def _bytes(url: str) -> int | None:
    """Return how large a store is with its write-ahead log, None where it is a server's."""
    from ..market.store import address_of

    address = address_of(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return None
    files = Path(address.database), Path(f"{address.database}-wal")
    return sum(file.stat().st_size for file in files if file.is_file())


def _shrunk(before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return ""
    return f", {after / 1e6:.1f} MB, {before / 1e6:.1f} MB before"
