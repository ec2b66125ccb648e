"""Drive a run of a ledger: restore its search from the log, work, and keep the lease alive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType

from ..evaluator.pool import Pool
from ..evaluator.result import Result
from ..search.base import (
    UNLIMITED,
    Able,
    Asked,
    Assignment,
    Birth,
    Closed,
    Committed,
    Event,
    Expired,
    Finished,
    Grown,
    Key,
    Said,
    Taken,
    key_of,
)
from ..search.lines import Descent, Lines, descent_of
from ..search.scores import TRUSTED
from . import canonical
from .errors import BehindError, StoreError
from .identity_key import Identity
from .lease import Lease, acquire, release, renew
from .ledger import Ledger
from .plan import Plan
from .reckoning import Reckoning
from .record import Record
from .worker import Watcher, Wish, Worked, Worker

HEARTBEAT = 15.0
"""Seconds between renewals of the lease on the run."""

Works = Mapping[str, Sequence[Key]]
"""What others work on, by author."""

SAYINGS = 1024
"""How many lines of the log at most repeat the word of strangers, who may say anything."""

LOTS = b"the lots of praxis-evolve audits"
"""What a peer signs for the secret by which it draws whom to audit; the same at each start."""


def nobody() -> Works:
    """Return what nobody works on."""
    return {}


def nothing() -> Collection[str]:
    """Return the records that nobody was bound to."""
    return ()


@dataclass
class LedgerJournal:
    """The journal of one run in a ledger, under a lease that it renews.

    ``told`` is the number of lines of the log that it has returned, ``others`` says what other
    peers work on, ``committed`` to which records their authors were bound before they could have
    copied, and ``reckoning`` whom it believes; of a lone run that hears nothing. ``lines`` are
    those of a run whose genomes inherit, told of nothing yet. ``common`` are the works that all
    begin with: of these the word of strangers is heard, too.
    """

    ledger: Ledger
    run: str
    identity: Identity
    lease: Lease
    now: Callable[[], float]
    told: int = 0
    others: Callable[[], Works] = nobody
    committed: Callable[[], Collection[str]] = nothing
    lines: Lines | None = None
    common: Set[Key] = frozenset()
    reckoning: Reckoning = field(init=False)
    _renewed: float = field(init=False)
    _records: dict[str, Record] = field(default_factory=dict[str, Record], init=False)
    _weights: dict[str, float] = field(default_factory=dict[str, float], init=False)
    _waiting: list[Record] = field(default_factory=list[Record], init=False)
    """The records that the reckoning has not heard of yet."""
    _bound: dict[str, bool] = field(default_factory=dict[str, bool], init=False)
    """The records to which their authors were bound, and whether the reckoning knows."""
    _heirs: dict[Descent, list[str]] = field(default_factory=dict[Descent, list[str]], init=False)
    """The records of heirs whose line is not known, by what they began with."""
    _followed: list[str] = field(default_factory=list[str], init=False)
    """Those whose line came to be known, which the reckoning does not know."""
    _authors: set[str] = field(default_factory=set[str], init=False)
    _drivers: set[str] = field(default_factory=set[str], init=False)
    """The authors who published here: whoever drove the run in this store."""
    _done: set[tuple[str, Key]] = field(default_factory=set[tuple[str, Key]], init=False)
    """What each author has a record of."""
    _taken: dict[str, tuple[Key, ...]] = field(
        default_factory=dict[str, tuple[Key, ...]], init=False
    )
    """What each of the others works on as the log says."""
    _said: dict[str, tuple[Key, ...]] = field(
        default_factory=dict[str, tuple[Key, ...]], init=False
    )
    """What strangers say to work on of what is common, as the log says."""
    _sayings: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._renewed = self.now()
        secret = canonical.digest(self.identity.sign(LOTS).encode())
        self.reckoning = Reckoning(self.identity.author, secret=secret)

    def heard(self) -> Sequence[Event]:
        """Return the lines that came into the log since, and log what they make count otherwise.

        What others work on whose results would count is logged, too, and to what those were bound
        who are not believed yet.
        """
        events = self._read()
        if self._note_committed():
            events += self._read()
        weighed = self._has_news and self._weigh()
        while weighed:
            events += self._read()
            weighed = bool(self._followed) and self._weigh()  # by what counts now
        if self._note_taken():
            events += self._read()
        return events

    @property
    def _has_news(self) -> bool:
        """Whether there is something that the reckoning has not heard of."""
        return bool(self._waiting or self._followed) or not all(self._bound.values())

    @property
    def believed(self) -> Set[str]:
        """The other authors whose word counts."""
        return self.reckoning.trusted - {self.identity.author}

    @property
    def has_company(self) -> bool:
        """Whether others work on something whose results would count."""
        return any(self._taken.values())

    def _note_taken(self) -> bool:
        """Log what others work on now, as far as it is not what the log says."""
        found = self.others()
        if not found and not self.has_company and not any(self._said.values()):
            return False
        believed = self.believed
        now = {
            author: tuple(sorted(work for work in works if (author, work) not in self._done))
            for author, works in found.items()
        }
        taken = {author: works for author, works in now.items() if author in believed}
        said = {
            author: tuple(work for work in works if work in self.common)
            for author, works in now.items()
            if author not in believed
        }
        news = [Taken(author, works) for author, works in _changed(self._taken, taken)]
        heard = [Said(author, works) for author, works in _changed(self._said, said)]
        heard = heard[: max(0, SAYINGS - self._sayings)]
        for each in (*news, *heard):
            self.ledger.note(self.run, each, lease=self.lease)
        return bool(news or heard)

    def _note_committed(self) -> bool:
        """Log who was bound to records that came in and may come to be believed by it."""
        believed = self.believed
        fresh = [
            record
            for name in sorted(self.committed())
            if name not in self._bound
            and (record := self._records.get(name)) is not None
            and record.author not in believed
        ]
        for record in fresh:
            found = Committed(record.author, key_of(record.result), record.id)
            self.ledger.note(self.run, found, lease=self.lease)
        return bool(fresh)

    def _end(self, record: Record) -> None:
        """Note that its author works on a work no more, whatever it says for a while.

        What failed it may try again.
        """
        author, work = record.author, key_of(record.result)
        if record.result.ok:
            self._done.add((author, work))
        if author in self._taken:
            self._taken[author] = tuple(each for each in self._taken[author] if each != work)

    def _read(self) -> list[Event]:
        lines = list(self.ledger.told(self.run, since=self.told))
        self.told += len(lines)
        for told in lines:
            event, record = told
            if isinstance(event, Taken):
                self._taken[event.author] = event.works
            if isinstance(event, Said):
                self._said[event.author] = event.works
                self._sayings += 1
            if isinstance(event, Committed):
                self._bound.setdefault(event.record, False)
            if record is not None and isinstance(event, Finished):
                if record.id not in self._records:
                    self._records[record.id] = record
                    self._authors.add(record.author)
                    self._drivers.update(told.drivers)
                    self._waiting.append(record)
                    if record.result.heritage:
                        self._heirs.setdefault(descent_of(record.result), []).append(record.id)
                    self._end(record)
                self._weights[record.id] = event.weight
        events = [event for event, _ in lines]
        self._follow(events)
        return events

    def _follow(self, events: Sequence[Event]) -> None:
        """Look of which heirs the line is known now."""
        if self.lines is None:
            return
        self.lines.tell(events)
        for descent in self._heirs.keys() & self.lines.followed:
            self._followed += self._heirs.pop(descent)

    def _weigh(self) -> bool:
        """Log which records of others count otherwise now, if any."""
        own = self.identity.author
        if self._authors <= {own, *self._drivers}:
            return False  # a lone run needs no trust
        found = self.reckoning.hear(self._waiting, self._drivers, self._bound, self._followed)
        self._waiting.clear()
        self._followed.clear()
        self._bound = dict.fromkeys(self._bound, True)
        changed = {
            self._records[name]: counts
            for name, counts in found.items()
            if counts != self._weights[name]
        }
        if changed:
            self.ledger.append_weights(self.run, changed, lease=self.lease)
        return bool(changed)

    def asked(self, assignment: Assignment) -> Sequence[Event]:
        """Log that an assignment is handed out, unless the log has other lines at its end."""
        try:
            self.ledger.append_asked(self.run, assignment, lease=self.lease, told=self.told)
        except BehindError:
            return []
        self.told += 1
        events = [Asked(assignment)]
        self._follow(events)
        return events

    def finished(self, result: Result) -> None:
        """Sign and store a result."""
        self.ledger.publish(self.run, self.identity, result, lease=self.lease)

    def closed(self) -> None:
        """Log that no new genomes are wanted."""
        self.ledger.note(self.run, Closed(), lease=self.lease)

    def beat(self) -> None:
        """Renew the lease if it is time."""
        if self.now() - self._renewed >= HEARTBEAT:
            self._renewed = self.now()
            self.lease = renew(self.ledger.store, self.lease, now=self._renewed)


def _changed(
    before: Mapping[str, tuple[Key, ...]], now: Mapping[str, tuple[Key, ...]]
) -> list[tuple[str, tuple[Key, ...]]]:
    """Return what each author works on now, of those with whom it is another work."""
    several = ((author, now.get(author, ())) for author in sorted({*now, *before}))
    return [(author, works) for author, works in several if works != before.get(author, ())]


@dataclass(frozen=True)
class Restored:
    """What the log of a run says: open assignments, the next birth, whether it was closed."""

    waiting: tuple[Assignment, ...]
    birth: Birth


def restore(plan: Plan, events: Sequence[Event], *, run: str, author: str) -> Restored:
    """Tell the search of *plan* all logged events and return where the author goes on."""
    plan.search.tell(events)
    waiting = dict[Key, Assignment]()
    numbers = [-1]
    for event in events:
        match event:
            case Asked(a):
                waiting[Key(plan.identify(a.genome), a.rung, a.replica)] = a
                numbers += [a.birth.number] if a.birth.author == author else []
            case Finished(result, weight) if weight >= TRUSTED:
                waiting.pop(key_of(result), None)
            case Expired(birth):
                waiting = {key: a for key, a in waiting.items() if a.birth != birth}
            case _:
                pass
    return Restored(tuple(waiting.values()), Birth(run, author, max(numbers) + 1))


def drive(
    ledger: Ledger,
    run: str,
    plan: Plan,
    *,
    identity: Identity,
    pool: Pool[str],
    watcher: Watcher,
    wish: Callable[[], Wish],
    now: Callable[[], float],
    joining: Mapping[str, str] = MappingProxyType({}),
    others: Callable[[], Works] = nobody,
    committed: Callable[[], Collection[str]] = nothing,
    able: Able = UNLIMITED,
) -> Worked:
    """Work on a run until it is through or a wish ends it, and note its state.

    Args:
        ledger: where the run is.
        run: its name.
        plan: the plan of its manifest, told of nothing yet.
        identity: who signs.
        pool: where evaluations run.
        watcher: who looks on.
        wish: what the owner wants now, asked several times a second.
        now: seconds since 1970.
        joining: blocks that join the space of the run, with version and source; they come too
            late where the evolution is through.
        others: what other peers work on now.
        committed: the records to which their authors were bound before they could have copied.
        able: what the machine can do, logged where the log says otherwise.

    Raises:
        LeaseHeldError: another process drives the run.
        StoreError: the store failed; what was acknowledged is kept.
        WorkerError: the program is broken; the run is stopped and can be resumed.
    """
    lease = acquire(ledger.store, run, now=now())
    journal = LedgerJournal(
        ledger, run, identity, lease, now, others=others, committed=committed,
        lines=plan.lines_anew(), common=plan.common(),
    )  # fmt: skip
    try:
        ledger.set_state(run, "running")
        digest = ledger.run(run).digest
        restored = restore(plan, journal.heard(), run=digest, author=identity.author)
        if joining and not plan.evolution.done:  # finals that were planned stay as they are
            ledger.note(run, Grown(tuple(sorted(joining.items()))), lease=lease)
            plan.search.tell(journal.heard())
        waiting = _within(able, restored.waiting, plan, journal)
        worker = Worker(
            search=plan.search,
            pool=pool,
            journal=journal,
            watcher=_Beating(watcher, journal),
            wish=wish,
            birth=restored.birth,
            job=plan.job,
            waiting=waiting,
            waits=lambda: journal.has_company and not plan.search.done,
        )
        worked = worker.run()
        ledger.set_state(run, "finished" if plan.search.done else "stopped")
    except StoreError:
        raise  # nothing can be noted, or another process drives the run
    except BaseException:
        ledger.set_state(run, "stopped")
        raise
    finally:
        release(ledger.store, journal.lease)
    return worked


def _within(
    able: Able, waiting: Sequence[Assignment], plan: Plan, journal: LedgerJournal
) -> Sequence[Assignment]:
    """Return what of the work that waits the machine can do; the rest is given up."""
    ledger, run, lease = journal.ledger, journal.run, journal.lease
    if plan.reach.able != able:
        ledger.note(run, able, lease=lease)
        plan.search.tell(journal.heard())
    fitting = list[Assignment]()
    for each in waiting:
        if plan.reach.fits(each.genome, each.rung):
            fitting.append(each)
        else:
            ledger.note(run, Expired(each.birth), lease=lease)
    plan.search.tell(journal.heard())
    return fitting


@dataclass(frozen=True)
class _Beating:
    """A watcher that also keeps the lease alive."""

    watcher: Watcher
    journal: LedgerJournal

    def on_asked(self, assignment: Assignment) -> None:
        self.watcher.on_asked(assignment)

    def on_finished(self, assignment: Assignment, result: Result) -> None:
        self.watcher.on_finished(assignment, result)

    def on_wait(self, pending: int) -> None:
        self.journal.beat()
        self.watcher.on_wait(pending)
