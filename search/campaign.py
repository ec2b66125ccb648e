"""A whole run as one search: tuning of the baseline, evolution, finals beside the baselines.

Stages are searches that all hear every event; work of an earlier stage goes first, and a later
stage fills the workers that an earlier one leaves idle. So resume and replay need nothing special.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ..genome.graph import Genome
from .base import Asked, Assignment, Birth, Event, Expired, Finished, Key, key_of
from .company import Company
from .draws import lot
from .reach import BOUNDLESS, Reach
from .scores import HEEDED
from .work import Answers, Work


class Stage(Protocol):
    """A search that knows when it is through."""

    @property
    def done(self) -> bool:
        """Whether everything was asked and answered."""
        ...

    def ask(self, birth: Birth) -> Assignment | None:
        """Propose work, or None while there is none."""
        ...

    def tell(self, events: Sequence[Event]) -> None:
        """Learn from events."""
        ...


class Campaign:
    """Stages in their order of precedence, as one search."""

    def __init__(self, *stages: Stage) -> None:
        self._stages = stages

    @property
    def done(self) -> bool:
        """Whether all stages are through."""
        return all(stage.done for stage in self._stages)

    def ask(self, birth: Birth) -> Assignment | None:
        """Return the work of the first stage that has any."""
        offers = (stage.ask(birth) for stage in self._stages)
        return next((offer for offer in offers if offer is not None), None)

    def tell(self, events: Sequence[Event]) -> None:
        """Tell every stage of each event before the next, as if they came one by one."""
        for event in events:
            for stage in self._stages:
                stage.tell([event])


class Entrant(NamedTuple):
    """A genome to train to a rung as a replica, and what it is there for."""

    genome: Genome
    rung: int
    replica: int
    origin: str


class Agenda:
    """A stage of fixed work, known as soon as ``plan()`` returns a list instead of None.

    ``plan`` must depend on events only, through other stages. What it returns stands from the first
    ask on that is told, of an *origin* that begins so: before that, what comes in from others may
    change it, whoever looked at it when, so that a replay finds the same. Work that somebody else
    asked for, or answered and is trusted, is not asked again. What is beyond the *reach* of the
    machine is left to others. A *patient* one leaves what others claim to have done or say to do,
    whoever they are, to its ``Remainder``: until that has its turn they may be believed. Each peer
    goes by an order of its own there, so that few begin with the same.
    """

    def __init__(
        self,
        plan: Callable[[], Sequence[Entrant] | None],
        identify: Callable[[Genome], str],
        *,
        origin: str = "",
        reach: Reach = BOUNDLESS,
        patient: bool = False,
    ) -> None:
        self._plan = plan
        self._identify = identify
        self._origin = origin
        self._patient = patient
        self._reach = reach
        self._work = Work()
        self._company = Company()
        self._answers = Answers()
        self._claims = defaultdict[Key, set[str]](set)
        """Who of others claims to have done a work."""
        self._entrants: dict[Key, Entrant] | None = None
        self._stands, self._is_fresh = False, False

    @property
    def entrants(self) -> dict[Key, Entrant] | None:
        """The planned work by key, None while the plan is not known."""
        if not (self._stands or self._is_fresh):
            planned = self._plan()
            self._entrants = None if planned is None else self._by_key(planned)
            self._is_fresh = True
        return self._entrants

    @property
    def done(self) -> bool:
        """Whether the plan is known and all of it was answered."""
        entrants = self.entrants
        return entrants is not None and all(map(self._work.answered, entrants))

    def ask(self, birth: Birth) -> Assignment | None:
        """Return the first entrant that fits and nobody works on, of those whose turn it is."""
        free = self._free()
        if self._patient:
            is_said = self._company.is_said
            free = [key for key in free if not self._claims.get(key) and not is_said(key)]
        return self._offered(free, birth)

    def ask_for_the_rest(self, birth: Birth) -> Assignment | None:
        """Return the same, be it claimed or not."""
        return self._offered(self._free(), birth)

    def _free(self) -> list[Key]:
        fits = self._reach.fits
        return [
            key
            for key, each in (self.entrants or {}).items()
            if (key in self._work.expired or not self._work.taken(key))
            and fits(each.genome, each.rung)
        ]

    def _offered(self, free: Sequence[Key], birth: Birth) -> Assignment | None:
        shared = self._company.shared_out(birth, free)
        if not shared:
            return None
        if self._patient:
            shared.sort(key=lambda key: lot(0, "patient", birth.author, *key))
        entrant = (self.entrants or {})[shared[0]]
        return Assignment(entrant.genome, entrant.rung, entrant.replica, birth, entrant.origin)

    def tell(self, events: Sequence[Event]) -> None:
        """Note what is worked on and what is answered."""
        for event in events:
            self._company.tell(event)
            match event:
                case Asked(a):
                    key = self._key(a.genome, a.rung, a.replica)
                    if not self._stands and a.origin.startswith(self._origin):
                        self._stands = key in (self.entrants or {})
                    self._work.ask(key, a)
                case Finished():
                    self._hear(event)
                case Expired(birth):
                    self._work.lapse(birth)
                case _:
                    pass
            self._is_fresh = False

    def _by_key(self, planned: Sequence[Entrant]) -> dict[Key, Entrant]:
        return {self._key(each.genome, each.rung, each.replica): each for each in planned}

    def _hear(self, event: Finished) -> None:
        """Note an answer, or that one who gave it is not trusted any more and nobody else did."""
        self._note_claim(event)
        answered = self._answers.hear(event)
        if answered:
            self._work.answer(key_of(event.result))
        elif answered is False:
            self._work.reopen(key_of(event.result))

    def _note_claim(self, event: Finished) -> None:
        if event.asked is None:
            return
        author, claims = event.asked.birth.author, self._claims[key_of(event.result)]
        if event.weight >= HEEDED and event.result.ok:
            claims.add(author)
        else:
            claims.discard(author)

    def _key(self, genome: Genome, rung: int, replica: int) -> Key:
        return Key(self._identify(genome), rung, replica)


class Remainder:
    """A later stage: what a patient agenda left to others and is not answered yet.

    Of those who claim it nobody is believed, so it is done after all.
    """

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    @property
    def done(self) -> bool:
        """Whether the agenda is through."""
        return self._agenda.done

    def ask(self, birth: Birth) -> Assignment | None:
        """Return what the agenda would ask for if nobody claimed anything."""
        return self._agenda.ask_for_the_rest(birth)

    def tell(self, events: Sequence[Event]) -> None:
        """Learn nothing: the agenda is told."""
