"""A run as plain values for pages and tables: computed from its records, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import cast

from ..evaluator.atomic import write_atomically
from ..evaluator.floor import floor
from ..evaluator.job import Setup
from ..evaluator.result import Result
from ..evaluator.schedule import schedule
from ..evaluator.task import Task, open_task
from ..genome.graph import Genome
from ..market.manifest import Manifest
from ..reports.model import Evaluation, Final, Floor, Outcome, RunView, Volume
from ..reports.quantities import amount
from ..search.base import Asked
from ..search.finals import Comparison, by_replica, compare, winner
from ..search.front import Front, front
from ..search.intervals import summary
from ..search.measures import measures_of
from ..search.objectives import objectives
from ..search.standing import scores_by_rung
from .context import Opened
from .counted import counted, last_weights
from .places import short, short_tokens, task_file
from .settings import short_name


def winner_of(run: Opened) -> str | None:
    """Return the id of the winner: of the finals, or, before them, the best of the search."""
    chosen = run.plan.chosen()
    return winner(run.plan.results, chosen, rung=run.plan.top) or (chosen[0] if chosen else None)


def comparisons(run: Opened) -> list[Comparison]:
    """Return the winner of the finals against each baseline; empty before the finals."""
    found = winner(run.plan.results, run.plan.chosen(), rung=run.plan.top)
    rivals = {name: run.plan.identify(g) for name, g in run.plan.rivals().items()}
    if found is None:
        return []
    return compare(run.plan.results, found, rivals, rung=run.plan.top)


def finals(run: Opened) -> list[Final]:
    """Return finalists and baselines that have a final, the best on the search split first."""
    rivals = {run.plan.identify(g): name for name, g in run.plan.rivals().items()}
    names = dict.fromkeys([*run.plan.chosen(), *rivals])
    found = [_final(run, name, rivals.get(name)) for name in names]
    return sorted((f for f in found if f is not None), key=lambda f: f.search_mean)


def evaluations(run: Opened) -> list[Evaluation]:
    """Return the evaluations of the search (replica 0) that count, in the order of the log."""
    origins = dict[tuple[str, int], tuple[str, tuple[str, ...]]]()
    events = list(run.ledger.events(run.name))
    for event in events:
        if isinstance(event, Asked) and event.assignment.replica == 0:
            a = event.assignment
            origins.setdefault((run.plan.identify(a.genome), a.rung), (a.origin, a.parents))
    found = list[Evaluation]()
    for result in counted(events):
        if result.replica == 0:
            origin, parents = origins.get((result.genome, result.rung), ("", ()))
            found.append(_evaluation(len(found) + 1, result, origin, parents))
    return found


def front_of(run: Opened) -> Front | None:
    """Return the front of the run's objectives; of one, that of bits per byte and FLOPs.

    It is of trainings from scratch, one a genome, and a function of the records.
    """
    told = last_weights(run.ledger.events(run.name)).items()
    known, names = run.plan.evolution.population.genomes, wanted(run.manifest)
    scores = {
        rung: {name: bits for name, bits in there.items() if name in known}
        for rung, there in scores_by_rung(told).items()
    }
    return front(
        scores,
        lambda name: run.plan.space.costs(known[name]),
        measures_of(told),
        objectives(names),
        reference=run.manifest.reference,
        limits=run.manifest.measured_limits,
    )


def wanted(manifest: Manifest) -> tuple[str, ...]:
    """Return the objectives whose front is shown."""
    several = len(manifest.objectives) > 1
    return manifest.objectives if several else (*manifest.objectives, "flops")


def volume_of(run: Opened) -> Volume | None:
    """Return what the front covers; None without a reference or a result."""
    return volume_below(run, front_of(run))


def volume_below(run: Opened, found: Front | None) -> Volume | None:
    """Return what a front of the run covers; None without a reference."""
    if found is None or found.hypervolume is None:
        return None
    reference = zip(map(short_name, wanted(run.manifest)), run.manifest.reference, strict=True)
    return Volume(
        found.hypervolume, found.rung, len(found.members), found.compared, tuple(reference)
    )


def volume_text(volume: Volume) -> str:
    """Return a line about what the front covers."""
    reference = ", ".join(f"{name} {amount(value)}" for name, value in volume.reference)
    return (
        f"{volume.front} of {volume.genomes} genomes at {short_tokens(volume.rung)} tokens, "
        f"hypervolume {volume.value:.3f} from {reference}"
    )


def view(run: Opened, command: str) -> RunView:
    """Return all that the page of a run shows."""
    several = evaluations(run)
    outcome, sentence = verdict(run)
    manifest = run.manifest
    return RunView(
        name=run.name,
        state=run.state,
        seed=manifest.seed,
        task=manifest.task,
        task_digest=manifest.task_digest,
        command=command,
        started=datetime.fromtimestamp(run.created, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seconds=sum(result.measured.seconds for result in run.plan.results),
        facts=tuple(facts(manifest).items()),
        evaluations=tuple(several),
        finals=tuple(finals(run)),
        winner=winner_of(run),
        outcome=outcome,
        verdict=sentence,
        floors=tuple(floors(run)),
        volume=volume_of(run),
        context=manifest.context,
    )


def verdict(run: Opened) -> tuple[Outcome, str]:
    """Return in a word and in a sentence whether the winner beat the baseline it has to."""
    found = {c.baseline: c for c in comparisons(run)}
    name, rival = winner_of(run), run.manifest.rival
    if rival not in found or name is None:
        if run.plan.search.done:
            return "cannot tell", "No genome came through the finals, so nothing is claimed."
        return "cannot tell", "The finals are not through, so nothing is claimed."
    first = found[rival]
    text = f"{short(name)} {_VERBS[first.verdict]} {_RIVALS[rival]}: {_margin(first)}."
    if "llama-conv" in found:
        control = found["llama-conv"]
        text += f" It {_VERBS[control.verdict]} the control Llama + short convolutions: "
        text += f"{_margin(control)}."
    return first.verdict, text


def floors(run: Opened) -> list[Floor]:
    """Return what n-gram models reach on the test split; computed once and kept."""
    kept = run.folder / "floors.json"
    task, manifest = task_file(run.folder), run.manifest
    if not kept.exists():
        if not task.exists():
            return []
        values = _floors(manifest, open_task(task))
        write_atomically(kept, json.dumps(values).encode())
    read = cast("dict[str, float]", json.loads(kept.read_text()))
    return [Floor(label, value) for label, value in read.items()]


def facts(manifest: Manifest) -> Mapping[str, str]:
    """Return what defines a run as texts to show."""
    limits = {
        "visits": manifest.visits, **manifest.limits.of_cost, **manifest.measured_limits,
    }  # fmt: skip
    return {
        "text": f"{manifest.task}, {manifest.task_bytes:,} bytes",
        "preset": f"{manifest.preset}: width {manifest.widths[0]}, context {manifest.context}, "
        f"batch {manifest.batch}",
        "rungs": ", ".join(f"{rung:,}" for rung in manifest.rungs) + " tokens",
        "population": f"{manifest.population}, {manifest.births} births"
        + (", of training genes alone" if manifest.original else "")
        + (f", {len(manifest.genomes)} of your own" if manifest.genomes else "")
        + (f", {len(manifest.history)} from a history" if manifest.history else ""),
        "objectives": ", ".join(manifest.objectives),
        "limits": ", ".join(f"{name} {value:,.0f}" for name, value in limits.items()),
        **({"priors": _priors_text(manifest.priors)} if manifest.priors else {}),
        **({"weights": "inherited in the search, finals from scratch"} if manifest.inherit else {}),
        **({"islands": _islands_text(manifest.islands)} if manifest.islands > 1 else {}),
        "seed": str(manifest.seed),
        "catalog": f"{len(manifest.blocks)} entries, {manifest.catalog[:12]}",
        "program": f"praxis-evolve {manifest.program}",
    }


def _priors_text(priors: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {strength:+g}" for name, strength in priors.items())


def _islands_text(count: int) -> str:
    return f"{count}; a peer has all records of its own, and now and then the best of the others"


def _floors(manifest: Manifest, task: Task) -> dict[str, float]:
    """Fit a 6-gram to what a finalist read, and to the whole training text."""
    from ..evaluator.train import seen  # imports torch, which reports else do without

    context, batch, top = manifest.context, manifest.batch, manifest.rungs[-1]
    steps = schedule(
        top, lowest=manifest.rungs[0], warmup=0.0, tokens_per_step=context * batch
    ).steps
    seed = Setup(task="", task_digest=task.digest, folder="", rungs=manifest.rungs).seed(
        manifest.replicas[0]
    )
    read = seen(task.train, context=context, batch=batch, steps=steps, seed=seed)
    windows = task.windows("test", context=context, count=manifest.test_windows)
    return {
        f"6-gram of the {steps * context * batch:,} tokens that a finalist read": floor(
            read, windows
        ),
        "6-gram of the whole training text": floor(task.train[None], windows),
    }


_RIVALS = {"llama": "the tuned Llama block", "original": "the original's training genes"}

_VERBS: Mapping[Outcome, str] = {
    "beat": "beat",
    "did not beat": "did not beat",
    "cannot tell": "cannot be told from",
}


def _margin(found: Comparison) -> str:
    way = "lower" if found.change < 0 else "higher"
    return (
        f"{abs(found.change):.1%} {way} test bits per byte "
        f"({found.difference.mean:+.3f} ± {found.difference.half:.3f}, "
        f"{found.difference.count} paired seeds)"
    )


def _final(run: Opened, name: str, baseline: str | None) -> Final | None:
    results = [
        r for r in run.plan.results
        if (r.genome, r.rung) == (name, run.plan.top) and r.replica > 0 and r.ok
    ]  # fmt: skip
    test = by_replica(results, name, rung=run.plan.top)
    search = by_replica(results, name, rung=run.plan.top, test=False)
    costs = next((r.costs for r in results if r.costs), None)
    if not test or not search or costs is None:
        return None
    found = summary(list(test.values()))
    return Final(
        label=baseline or short(name),
        genome=name,
        baseline=baseline is not None,
        rung=run.plan.top,
        test=tuple(test[replica] for replica in sorted(test)),
        mean=found.mean,
        half_interval=found.half,
        search_mean=fmean(search.values()),
        parameters=costs.parameters,
        flops=costs.flops,
        active_flops=fmean(r.costs.active_flops for r in results if r.costs),
        carry_bytes=costs.carry_bytes,
        tokens_per_second=fmean(r.measured.tokens_per_second for r in results),
    )


def _evaluation(number: int, result: Result, origin: str, parents: tuple[str, ...]) -> Evaluation:
    return Evaluation(
        number=number,
        genome=result.genome,
        rung=result.rung,
        bits_per_byte=result.bits_per_byte,
        failure=result.failure,
        reason=result.reason,
        parameters=result.costs.parameters if result.costs else None,
        flops=result.costs.flops if result.costs else None,
        origin=origin,
        parents=parents,
        seconds=result.measured.seconds,
        inherited_tokens=result.inherited_tokens,
    )


def genomes(run: Opened) -> dict[str, Genome]:
    """Return the genomes of the run by id."""
    found = dict(run.plan.evolution.population.genomes)
    found.update({run.plan.identify(g): g for g in run.plan.rivals().values()})
    return found


def command_of(folder: Path) -> str:
    """Return the command line that started the run, as it was kept."""
    try:
        return (folder / "command.txt").read_text().strip()
    except OSError:
        return ""
