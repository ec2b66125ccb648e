"""``status``: one screen about a run."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import JSON, RUN, STORE, store_of
from .output import answer, answer_json, answer_table
from .places import short, short_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..market.authors import Author
    from .conditions import Pause
    from .context import Opened
    from .progress import Status

WATCH_SECONDS = 2.0
AUTHORS = (
    "author", "records>", "state", "right>", "wrong>", "strayed>", "bias>", "residual>", "colour"
)  # fmt: skip


def status(
    run: RUN = None,
    store: STORE = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again while the run works.")
    ] = False,
    authors: Annotated[
        bool, typer.Option("--authors", help="Show whose results count, and why.")
    ] = False,
    json: JSON = False,
) -> None:
    """Show how far a run is, its best so far, and what to type next."""
    from .context import opened

    while True:
        with opened(store_of(store), run) as found:
            state, run = found.state, found.name
            if json:
                more = {"authors": authors_json(found)} if authors else {}
                answer_json("status/1", **document(found), **more)
            else:
                _screen(found)
                if authors:
                    _authors(found)
        if not watch or state != "running":
            return
        time.sleep(WATCH_SECONDS)
        answer("")


def document(run: Opened) -> dict[str, Any]:
    """Return what ``status --json`` prints."""
    from .others import others
    from .progress import restored
    from .view import finals, verdict, volume_of, winner_of
    from .winners import Texts, final_json

    log = list(run.ledger.told(run.name))
    counts, volume = restored(run.manifest, [told.event for told in log]), volume_of(run)
    outcome, sentence = verdict(run)
    texts = Texts(run)
    return {
        "run": run.name,
        "state": run.state,
        "paused": _paused_json(run),
        "task": run.manifest.task,
        "task_bytes": run.manifest.task_bytes,
        "task_sha256": run.manifest.task_digest,
        "preset": run.manifest.preset,
        "births_done": counts.born,
        "births": counts.births,
        "finals_done": counts.finals_done,
        "finals": finals_total(run, counts.finals),
        "rungs": [{"rung_tokens": r, "results": counts.rungs[r]} for r in run.manifest.rungs],
        "failures": [{"failure": name, "count": n} for name, n in failures(run)],
        "best": _best_json(counts),
        "hypervolume": volume
        and {
            "value": volume.value,
            "rung_tokens": volume.rung,
            "front": volume.front,
            "genomes": volume.genomes,
            "reference": dict(volume.reference),
        },
        "winner": winner_of(run),
        "outcome": outcome,
        "verdict": sentence,
        "others": None if (found := others(log)) is None else found._asdict(),
        "trainings": [final_json(final, texts) for final in finals(run)],
        "next": next_command(run),
    }


def finals_total(run: Opened, planned: int) -> int:
    """Return how many trainings the finals are, second looks included.

    They are fewer than planned where little came to the top, or a baseline is a finalist.
    """
    chosen, rivals = run.plan.chosen(), run.plan.rivals().values()
    if not chosen or not rivals:
        return planned
    trained = {*chosen, *map(run.plan.identify, rivals)}
    return len(run.plan.looks.entrants or ()) + len(trained) * len(run.manifest.replicas)


def failures(run: Opened) -> list[tuple[str, int]]:
    """Return how often each kind of failure came, the most frequent first."""
    counts = Counter(r.failure for r in run.plan.results if r.failure is not None)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def next_command(run: Opened) -> str:
    """Return what to type next, for the state of the run."""
    from .view import winner_of

    if run.state == "running":
        return f"praxis-evolve status --watch --run {run.name}"
    if run.state != "finished":
        return f"praxis-evolve run --resume {run.name}"
    best = winner_of(run)
    if best is None:
        return f"praxis-evolve status --run {run.name} --json"
    return f"praxis-evolve show {short(best)} --run {run.name}"


def _screen(run: Opened) -> None:
    from .others import others
    from .progress import restored
    from .session import FINALS, final_row
    from .view import facts, finals, verdict, volume_of, volume_text

    log = list(run.ledger.told(run.name))
    counts = restored(run.manifest, [told.event for told in log])
    known = facts(run.manifest)
    rungs = " | ".join(f"{short_tokens(r)} {counts.rungs[r]}" for r in run.manifest.rungs)
    failed = ", ".join(f"{name} {count}" for name, count in failures(run))
    lines = {
        "run": f"{run.name}, {run.state}{_paused_text(run)}",
        "text": known["text"],
        "preset": known["preset"],
        "search": f"{counts.born}/{counts.births} genomes",
        "rungs": rungs,
        "finals": f"{counts.finals_done}/{finals_total(run, counts.finals)} trainings",
        "failed": failed or "none",
        "best": _best_text(counts),
    }
    if volume := volume_of(run):
        lines["front"] = volume_text(volume)
    if found := others(log):
        lines["others"] = str(found)
    for label, text in lines.items():
        answer(f"{label:<8} {text}")
    if several := finals(run):
        answer("")
        answer_table(FINALS, [final_row(final) for final in several])
        answer(f"\n{verdict(run)[1]}")
    answer(f"next     {next_command(run)}")


def _paused(run: Opened) -> Pause | None:
    """Return why the process that works on the run does not work now, if it does not."""
    from .channel import working

    found = working(run.folder) if run.state == "running" else None
    return None if found is None else found.pause


def _paused_text(run: Opened) -> str:
    pause = _paused(run)
    return "" if pause is None else f" but paused: {pause}"


def _paused_json(run: Opened) -> dict[str, str] | None:
    pause = _paused(run)
    return None if pause is None else {"by": pause.by, "why": pause.why, "until": pause.until}


def authors_json(run: Opened) -> list[dict[str, Any]]:
    """Return what ``status --authors --json`` prints of the authors."""
    from ..market.authors import standing

    return [vars(each) for each in standing(run.ledger.told(run.name)).authors]


def _authors(run: Opened) -> None:
    from ..market.authors import standing

    found = standing(run.ledger.told(run.name))
    answer("")
    answer_table(AUTHORS, [_author_row(each) for each in found.authors])
    for devices, pairs, usual, most in found.spreads:
        answer(
            f"{' and '.join(devices)}: {pairs} works measured twice, 99 % within {usual:.1e} "
            f"bits/byte, all within {most:.1e}"
        )


def _author_row(author: Author) -> Sequence[str]:
    state = "own" if author.own else "believed" if author.believed else "unverified"
    return (
        author.author[:12],
        f"{author.records}",
        "forked" if author.frozen else state,
        f"{author.right}",
        f"{author.wrong}",
        f"{author.strayed}",
        "" if author.bias is None else f"{author.bias:+.1e}",
        "" if author.residual is None else f"{author.residual:.2f}",
        author.colour,
    )


def _best_text(counts: Status) -> str:
    if counts.best is None:
        return "no result yet"
    rung, bits, genome = counts.best
    text = f"{short(genome)} {bits:.3f} bits/byte (search) at {short_tokens(rung)} tokens"
    baseline = counts.baseline.get(rung)
    text = text if baseline is None else f"{text}, {counts.rival} {baseline:.3f} there"
    if counts.best_heir is None:
        return text
    rung, bits, genome = counts.best_heir
    return f"{text}; with inherited weights {short(genome)} {bits:.3f} at {short_tokens(rung)}"


def _best_json(counts: Status) -> dict[str, Any] | None:
    if counts.best is None:
        return None
    rung, bits, genome = counts.best
    return {
        "id": genome,
        "rung_tokens": rung,
        "search_bits_per_byte": bits,
        f"{counts.rival}_search_bits_per_byte": counts.baseline.get(rung),
    }
