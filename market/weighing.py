"""Weighing: what comes to a run that nobody drives is weighed as a drive would do at its start.

Nothing but the log learns of it. No search asks meanwhile, so whatever asks later was told all of
it before, and the run replays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..search.lines import Lines
from .drive import LedgerJournal, nothing
from .errors import LeaseHeldError
from .identity_key import Identity
from .lease import Lease, acquire, release
from .ledger import Ledger


class Weighing:
    """Weighs the records of a run in the store, as far as its owner measured any.

    Args:
        ledger: where the run is.
        run: its name.
        identity: whose run it is: it believes what bears out its own results.
        now: seconds since 1970.
        committed: the records to which their authors were bound before they could have copied.
        lines: makes the lines of a run whose genomes inherit, told of nothing yet.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: str,
        identity: Identity,
        *,
        now: Callable[[], float],
        committed: Callable[[], Collection[str]] = nothing,
        lines: Callable[[], Lines | None] = lambda: None,
    ) -> None:
        self._ledger, self._run, self._identity = ledger, run, identity
        self._now, self._committed, self._lines = now, committed, lines
        self._journal: LedgerJournal | None = None

    def look(self) -> bool:
        """Log what counts otherwise now; return whether it was looked.

        Who measured nothing believes nobody, and a process that drives the run weighs by itself.

        Raises:
            StoreError: the store failed.
        """
        told = 0 if self._journal is None else self._journal.told
        length, _ = self._ledger.news(self._run, told)
        if length == told or not self._has_results():
            return False
        try:
            lease = acquire(self._ledger.store, self._run, now=self._now())
        except LeaseHeldError:
            return False
        try:
            self._hear(lease)
        finally:
            release(self._ledger.store, lease)
        return True

    def _has_results(self) -> bool:
        return self._journal is not None or self._identity.author in self._ledger.counts(self._run)

    def _hear(self, lease: Lease) -> None:
        journal = self._journal or LedgerJournal(
            self._ledger, self._run, self._identity, lease, self._now, committed=self._committed,
            lines=self._lines(),
        )  # fmt: skip
        journal.lease, self._journal = lease, None
        journal.heard()
        self._journal = journal  # one that failed may lack what it did not log, and begins again
