"""The plan of a run: its manifest turned into the search that the worker drives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from ..blocks.registry import Catalog
from ..evaluator.job import Job
from ..evaluator.ladder import Ladder
from ..evaluator.result import Result
from ..genome.baselines import baselines, tuning
from ..genome.footprint import training_bytes, training_operations
from ..genome.graph import Genome
from ..genome.identity import genome_id
from ..genome.memory import PerObject
from ..genome.space import Space
from ..genome.starters import llama, starters
from ..genome.text import from_json
from ..genome.trials import trials
from ..search.algorithms import Breeder, Terms, algorithm
from ..search.audits import Audits
from ..search.base import (
    Able,
    Asked,
    Assignment,
    Birth,
    Closed,
    Event,
    Finished,
    Grown,
    Key,
    key_of,
)
from ..search.campaign import Agenda, Campaign, Entrant, Remainder, Stage
from ..search.finals import finalists, finals
from ..search.judging import Apart, ranked_apart
from ..search.lines import Lines
from ..search.looks import CONTENDERS, looks, settled
from ..search.measures import measures_of
from ..search.objectives import objectives
from ..search.reach import Need, Reach
from ..search.scores import TRUSTED
from ..search.species import Species
from .manifest import Manifest
from .tally import ERRING, STANDING

REMEMBERED = 1 << 16
"""Of how many genomes is known whether they are legal: a log tells of most again, long after."""


@dataclass
class Plan:
    """The stages of a run over the results that it was told of.

    Tuning of the Llama baseline goes first but for what others claim to have done, then trials of
    the user's own genomes, of the history and of blocks that join, then the evolution and second
    looks at its best, and what is left of the tuning; the finals of the baselines fill workers that
    these leave idle, the finals of the chosen come last.

    Where the manifest names an ``original``, what evolves is its training genes, by TPE, and it is
    the only baseline.
    """

    manifest: Manifest
    catalog: Catalog
    results: list[Result] = field(default_factory=list[Result], init=False)

    def __post_init__(self) -> None:
        manifest = self.manifest
        self.joined = dict[str, str]()
        lowest = manifest.rungs[0]
        self._takes, self._legal = PerObject[tuple[int, float]](), PerObject[bool](REMEMBERED)
        self.reach = reach = Reach(self.need)
        self.species = Species(
            manifest.space(self.catalog), lambda genome: self.reach.fits(genome, lowest)
        )
        text = manifest.original
        self.original = from_json(text, self.space.catalog) if text else None
        self.lines = Lines(self.identify, lowest=lowest)
        self.tuning = Agenda(
            self._tuning, self.identify, origin="tuning", reach=reach, patient=True
        )
        self.evolution = self._evolution()
        self.looks = Agenda(self._looks, self.identify, origin="look", reach=reach)
        self.baselines = Agenda(self._baselines, self.identify, origin="baseline:", reach=reach)
        self.finals = Agenda(self._finals, self.identify, origin="finalist", reach=reach)
        self.audits = Audits(
            seed=manifest.seed, ladder=Ladder(manifest.rungs), identify=self.identify,
            legal=self.legal, standing=STANDING, erring=ERRING, reach=reach,
            follows=self.lines.follows,
        )  # fmt: skip
        self.search = Campaign(
            _Listener(self.results, self._grow, self.lines, self.reach), self.tuning,
            _Trials(self), self.audits, _Within(self._within_limits(self.evolution), reach),
            self.looks, Remainder(self.tuning), self.baselines, self.finals,
        )  # fmt: skip

    @property
    def space(self) -> Space:
        """The space of the run as it is now: blocks may have joined it."""
        return self.species.space

    def identify(self, genome: Genome) -> str:
        """Return the id of *genome*."""
        return genome_id(genome, self.space.catalog)

    def legal(self, genome: Genome) -> bool:
        """Return whether *genome* is legal in the space as it is now."""
        return self._legal.of(genome, self.space, lambda: self.space.legal(genome))

    def need(self, genome: Genome, rung: int) -> Need:
        """Return what training *genome* to *rung* from scratch takes, about."""
        memory, operations = self._takes.of(
            genome, self.space.catalog, lambda: self._training_takes(genome)
        )
        return Need(memory, operations * rung)

    def _training_takes(self, genome: Genome) -> tuple[int, float]:
        """Return the bytes of training a genome and the operations of each token."""
        costs, manifest = self.species.costs(genome), self.manifest
        memory = training_bytes(genome, costs, tokens=manifest.batch * manifest.context)
        return memory, training_operations(costs, tokens=1)

    def job(self, assignment: Assignment) -> Job:
        """Return the job of an assignment: finals are measured on the test split and kept."""
        final = assignment.replica > 0
        return Job(
            assignment.genome,
            assignment.rung,
            assignment.replica,
            test=final,
            keep_weights=final,
            line=self.lines.of(assignment) if self.manifest.inherit else (),
        )

    def common(self) -> Set[Key]:
        """Return the works that all peers of the run begin with: tuning and starters."""
        manifest, lowest = self.manifest, self.manifest.rungs[0]
        named = starters(self.space, layers=manifest.layers) if self.original is None else {}
        tuned = {Key(self.identify(each.genome), each.rung, 0) for each in self._tuning()}
        return tuned | {Key(self.identify(genome), lowest, 0) for genome in named.values()}

    def lines_anew(self) -> Lines | None:
        """Return lines that were told of nothing yet; None where nobody inherits."""
        manifest = self.manifest
        return Lines(self.identify, lowest=manifest.rungs[0]) if manifest.inherit else None

    def ranked(self) -> Sequence[Result]:
        """Return the results as what ranks in this run: their bits are its scores."""
        return ranked_apart(self.results) if self.manifest.inherit else self.results

    @property
    def top(self) -> int:
        """The rung of the finals."""
        return self.manifest.rungs[-1]

    def tuned(self) -> Genome | None:
        """Return the best Llama genome of the grid, None until all of them were answered."""
        if not self.manifest.tuned:
            return llama(self.space, layers=self.manifest.layers)
        if not self.tuning.done:
            return None
        grid = self.tuning.entrants or {}
        scores = {
            key_of(result): result.bits_per_byte
            for result in self.results
            if key_of(result) in grid
            and result.bits_per_byte is not None and not result.inherited_tokens
        }  # fmt: skip
        return grid[min(scores, key=lambda key: (scores[key], key))].genome if scores else None

    def rivals(self) -> Mapping[str, Genome]:
        """Return the baselines by name; empty until the tuning is through."""
        if self.original is not None:
            return {self.manifest.rival: self.original}
        tuned = self.tuned()
        return {} if tuned is None else baselines(self.space, tuned, layers=self.manifest.layers)

    def chosen(self) -> list[str]:
        """Return the ids of the finalists, the best first; empty until all looks are answered."""
        if not self.evolution.done or not self.looks.done:
            return []
        looked = [key.genome for key in self.looks.entrants or ()]
        names = list(dict.fromkeys(looked)) or self._best(self.manifest.finalists)
        return settled(self.results, names, rung=self.top)[: self.manifest.finalists]

    def _best(self, count: int) -> list[str]:
        """Return the ids of the best of the evolution.

        A baseline that did well there is in the finals anyway, and takes nobody's place. Whoever
        was measured to break a limit is in none.
        """
        rivals = {self.identify(genome) for genome in self.rivals().values()}
        genomes = self.evolution.population.genomes
        limits = self.manifest.measured_limits
        measures = measures_of((result, 1.0) for result in self.results if limits)
        return finalists(
            self.ranked(),
            {
                name: genome
                for name, genome in genomes.items()
                if name not in rivals and measures.within(name, limits)
            },
            top_rung=self.top,
            count=count,
        )

    def _grow(self, blocks: Mapping[str, str]) -> None:
        self.joined.update(blocks)
        self.species.space = self.manifest.space(self.catalog, self.joined)

    def _evolution(self) -> Breeder:
        manifest, original = self.manifest, self.original
        if original is not None:
            from ..search.tuning import tuning_search  # imports optuna, which others do without

            return tuning_search(
                self.space,
                original,
                seed=manifest.seed,
                ladder=Ladder(manifest.rungs),
                births=manifest.births,
                reach=self.reach,
            )
        terms = Terms(
            seed=manifest.seed,
            ladder=Ladder(manifest.rungs),
            objectives=objectives(manifest.objectives),
            starters=starters(self.space, layers=manifest.layers),
            population=manifest.population,
            births=manifest.births,
            shares=manifest.shares,
            screen=manifest.screen,
            judge=Apart() if manifest.inherit else None,
            limits=manifest.measured_limits,
            priors=manifest.expected,
            reach=self.reach,
        )
        return algorithm(manifest.search)(self.species, terms)

    def _within_limits(self, evolution: Breeder) -> Stage:
        """Return the evolution, deaf to what is outside of its limits, whoever asked for it."""
        grid = self._grid() if self.manifest.tuned else []
        outside = {self.identify(genome) for genome in grid if not self.space.legal(genome)}

        def unheard(event: Event) -> bool:
            match event:
                case Asked(assignment):
                    return bool(outside) and self.identify(assignment.genome) in outside
                case Finished(result, _, asked):
                    strange = asked is not None and not self.legal(asked.genome)
                    return strange or result.genome in outside
                case _:
                    return False

        return _Deaf(evolution, unheard)

    def _grid(self) -> list[Genome]:
        return tuning(self.space, layers=self.manifest.layers)

    def _tuning_rung(self) -> int:
        rungs = self.manifest.rungs
        return rungs[min(1, len(rungs) - 1)]

    def _tuning(self) -> Sequence[Entrant]:
        if not self.manifest.tuned:
            return []
        rung = self._tuning_rung()
        return [Entrant(genome, rung, 0, "tuning") for genome in self._grid()]

    def _looks(self) -> Sequence[Entrant] | None:
        if not self.evolution.done:
            return None
        names = self._best(CONTENDERS * self.manifest.finalists)
        genomes = [self.evolution.population.genomes[name] for name in names]
        return looks(genomes, rung=self.top, replicas=self.manifest.looks)

    def _baselines(self) -> Sequence[Entrant] | None:
        rivals = self.rivals()
        if not rivals:
            return [] if self.tuning.done else None
        return finals([], rivals, rung=self.top, replicas=self.manifest.replicas)

    def _finals(self) -> Sequence[Entrant] | None:
        if not self.evolution.done or not self.looks.done:
            return None
        genomes = [self.evolution.population.genomes[name] for name in self.chosen()]
        return finals(genomes, {}, rung=self.top, replicas=self.manifest.replicas)


class _Listener:
    """A stage without work: it keeps results and lines for those that plan by them; blocks join it,
    and it notes what the machine can do.

    It is the first, so that all others hear of a larger space after it is one.
    """  # noqa: D205

    done = True

    def __init__(
        self,
        results: list[Result],
        grow: Callable[[Mapping[str, str]], None],
        lines: Lines,
        reach: Reach,
    ) -> None:
        self._results = results
        self._grow = grow
        self._lines = lines
        self._reach = reach
        self._seen = set[Result]()

    def ask(self, birth: object) -> None:
        """Offer nothing."""

    def tell(self, events: Sequence[Event]) -> None:
        """Keep what finished and is trusted, each result once, and who descends from whom."""
        for event in events:
            self._lines.tell([event])
            if isinstance(event, Finished):
                self._keep(event.result, trusted=event.weight >= TRUSTED)
            elif isinstance(event, Grown):
                self._grow(dict(event.blocks))
            elif isinstance(event, Able):
                self._reach.hear(event)

    def _keep(self, result: Result, *, trusted: bool) -> None:
        if trusted and result not in self._seen:
            self._seen.add(result)
            self._results.append(result)
        elif not trusted and result in self._seen:
            self._seen.remove(result)
            self._results.remove(result)


class _Deaf:
    """A stage that does not hear of some events."""

    def __init__(self, stage: Stage, unheard: Callable[[Event], bool]) -> None:
        self._stage = stage
        self._unheard = unheard

    @property
    def done(self) -> bool:
        """Whether the stage is through."""
        return self._stage.done

    def ask(self, birth: Birth) -> Assignment | None:
        """Return what the stage asks for."""
        return self._stage.ask(birth)

    def tell(self, events: Sequence[Event]) -> None:
        """Tell the stage of all other events."""
        self._stage.tell([event for event in events if not self._unheard(event)])


class _Within:
    """A stage that is given no work that does not fit the machine, whatever it asks for."""

    def __init__(self, stage: Stage, reach: Reach) -> None:
        self._stage = stage
        self._reach = reach
        self.tell = stage.tell

    @property
    def done(self) -> bool:
        """Whether the stage is through."""
        return self._stage.done

    def ask(self, birth: Birth) -> Assignment | None:
        """Return what the stage asks for, or None if the machine cannot do that."""
        offer = self._stage.ask(birth)
        is_within = offer is None or self._reach.fits(offer.genome, offer.rung)
        return offer if is_within else None


class _Trials:
    """A stage of trials at the lowest rung: the user's own genomes, the history, blocks that join.

    What was claimed of the history is not known here: it is evaluated like anything else.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        texts = (self._own(), self._history())
        self._agendas = [self._texts(several) for several in texts if several]
        self._closed = False

    @property
    def done(self) -> bool:
        """Whether all trials were answered, or are not wanted any more."""
        return self._closed or all(agenda.done for agenda in self._agendas)

    def ask(self, birth: Birth) -> Assignment | None:
        """Return the first trial that nobody works on."""
        if self._closed:
            return None
        offers = (agenda.ask(birth) for agenda in self._agendas)
        return next((offer for offer in offers if offer is not None), None)

    def tell(self, events: Sequence[Event]) -> None:
        """Plan the trials of what joins; note what is worked on and what is answered."""
        for event in events:
            if isinstance(event, Grown):
                self._agendas.append(self._agenda([name for name, _ in event.blocks]))
            elif isinstance(event, Closed):
                self._closed = True
            for agenda in self._agendas:
                agenda.tell([event])

    def _own(self) -> Sequence[tuple[str, str]]:
        named = sorted(self._plan.manifest.genomes.items())
        return [(f"genome:{name}", text) for name, text in named]

    def _history(self) -> Sequence[tuple[str, str]]:
        return [("history", text) for text in self._plan.manifest.history]

    def _texts(self, several: Sequence[tuple[str, str]]) -> Agenda:
        catalog = self._plan.space.catalog
        return self._planned([(origin, from_json(text, catalog)) for origin, text in several])

    def _agenda(self, names: Sequence[str]) -> Agenda:
        space, layers = self._plan.space, self._plan.manifest.layers
        return self._planned(
            [(f"trial:{name}", g) for name in names for g in trials(space, name, layers=layers)]
        )

    def _planned(self, several: Sequence[tuple[str, Genome]]) -> Agenda:
        lowest = self._plan.manifest.rungs[0]
        entrants = [Entrant(genome, lowest, 0, origin) for origin, genome in several]
        return Agenda(lambda: entrants, self._plan.identify, reach=self._plan.reach)
