"""What a run tried, as plain values for other tools: each genome with its genes and figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..evaluator.result import Result
from ..genome.graph import Genome
from ..genome.identity import architecture_id
from ..genome.text import to_json
from ..reports.layers import layers_text
from ..search.base import Asked, Assignment, Event
from ..search.finals import by_replica
from ..search.flat import flat_alike
from ..search.measures import measures_of
from ..search.optuna_study import Tried
from ..search.scores import TRUSTED, comparable
from ..search.standing import scores_by_rung
from .context import Opened
from .counted import last_weights
from .places import short


def tried(run: Opened) -> dict[str, Tried]:
    """Return the genomes that the search of a run has results of, in the order of birth.

    Results that are not trusted, finals and those of inherited weights give no score.
    """
    events = list(run.ledger.events(run.name))
    asks, told = _asks(run, events), last_weights(events).items()
    scores = scores_by_rung(told)
    results = _by_genome(result for result, weight in told if weight >= TRUSTED)
    searched = {name: ours for name, ours in results.items() if any(map(comparable, ours))}
    stored = dict(run.ledger.genomes(run.name))
    order = dict.fromkeys([*(name for name in asks if name in searched), *searched])
    genomes = {name: stored[name] for name in order if name in stored}
    genes = flat_alike(genomes, run.plan.space)
    measures = measures_of(told)
    return {
        name: Tried(
            genes[name],
            run.plan.space.costs(genome),
            {rung: there[name] for rung, there in scores.items() if name in there},
            _failure(results[name]),
            _attributes(run, name, genome, asks.get(name), results[name]),
            measures.of(name),
        )
        for name, genome in genomes.items()
    }


def _asks(run: Opened, events: Iterable[Event]) -> dict[str, Assignment]:
    """Return the first ask of each genome."""
    asks = dict[str, Assignment]()
    for event in events:
        if isinstance(event, Asked):
            asks.setdefault(run.plan.identify(event.assignment.genome), event.assignment)
    return asks


def _by_genome(results: Iterable[Result]) -> dict[str, list[Result]]:
    found = defaultdict[str, list[Result]](list)
    for result in results:
        found[result.genome].append(result)
    return found


def _failure(results: list[Result]) -> str:
    """Say why the last training of a genome in the search failed; nothing if it did not."""
    searched = [result for result in results if comparable(result)]
    highest = max(result.rung for result in searched)
    last = [result for result in searched if result.rung == highest]
    failed = [f"{result.failure}: {result.reason}" for result in last if not result.ok]
    return failed[0] if len(failed) == len(last) else ""


def _attributes(
    run: Opened, name: str, genome: Genome, asked: Assignment | None, results: list[Result]
) -> dict[str, object]:
    """Return what a trial says of itself; ``genome_json`` is the genome whole."""
    costs = run.plan.space.costs(genome)
    test = by_replica(results, name, rung=run.plan.top)
    found: dict[str, object] = {
        "genome": name,
        "name": short(name),
        "architecture": architecture_id(genome, run.catalog),
        "layers": layers_text(genome, run.catalog),
        "parameters": costs.parameters,
        "flops_per_token": costs.flops,
        "active_flops_per_token": costs.active_flops,
        "carry_bytes_per_token": costs.carry_bytes,
        "training_seconds": round(sum(result.measured.seconds for result in results), 3),
        "genome_json": to_json(genome),
    }
    if asked is not None:
        found |= {
            "origin": asked.origin,
            "parents": [short(parent) for parent in asked.parents],
            "birth": asked.birth.number,
            "author": asked.birth.author,
        }
    if test:
        found["final_test_bits_per_byte"] = [test[replica] for replica in sorted(test)]
    if reason := _failure(results):
        found["failure"] = reason
    return found
