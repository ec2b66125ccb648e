"""``reproduce``: train a genome again from its record alone, and compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CliError, Code
from .options import GENOME, JSON, REPLICA, RUN, STORE, store_of
from .output import answer, answer_json, notice
from .places import short, short_tokens

if TYPE_CHECKING:
    from ..evaluator.job import Job, Setup
    from ..evaluator.result import Result
    from ..genome.graph import Genome
    from .context import Opened

EXACT, LOOSE = 1e-6, 0.02
"""Most difference in bits per byte on the same class of device, and between classes."""


def reproduce(
    genome: GENOME,
    run: RUN = None,
    store: STORE = None,
    rung: Annotated[
        str | None, typer.Option(help="Tokens of the training, such as 50k. \\[the most]")
    ] = None,
    replica: REPLICA = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="Keep the model in this new folder.")] = None,
    json: JSON = False,
) -> None:
    """Train a genome again and compare; exit 7 on a difference."""
    import tempfile

    from ..blocks.registry import installed
    from ..evaluator.folder import require_empty
    from .context import opened
    from .launch import device_of

    if out is not None:
        require_empty(out)  # before minutes of training, not after
    with opened(store_of(store), run) as found:
        found.manifest.require_same_blocks(installed(), found.plan.joined)
        name, chosen = found.genome(genome)
        before = _stored(found, name, _tokens(rung), replica)
        where = device_of(device)
        with tempfile.TemporaryDirectory(prefix="praxis-evolve-") as folder:
            job = _job(found, chosen, before, keep=out is not None)
            setup = _setup(found, Path(folder), where, job)
            now = _evaluated(setup, job, found)
            _compare(before, now, json=json)
            if out is not None:
                _keep(found, setup, chosen, now, out)
                (notice if json else answer)(f"wrote {out}")


def _tokens(rung: str | None) -> int | None:
    from .settings import parse_amount

    try:
        return None if rung is None else parse_amount(rung)
    except ValueError as error:
        raise CliError(f"--rung is {rung!r}", why=str(error), code=Code.USAGE) from None


def _stored(run: Opened, name: str, rung: int | None, replica: int | None) -> Result:
    """Return the result to reproduce: that of the highest rung, of the finals where it has any."""
    ours = [r for r in run.plan.results if r.genome == name]
    wanted = [r for r in ours if rung in (None, r.rung) and replica in (None, r.replica)]
    if not wanted:
        has = ", ".join(f"{short_tokens(r.rung)} replica {r.replica}" for r in ours) or "none yet"
        raise CliError(
            f"{short(name)} has no such result in run {run.name}",
            cure=f"it has: {has}",
            code=Code.NOT_FOUND,
        )
    return min(wanted, key=lambda r: (not r.ok, -r.rung, r.replica <= 0, r.replica))


def _setup(run: Opened, folder: Path, device: str, job: Job) -> Setup:
    """Return the run's setup with its text, with none of its checkpoints, and time for the line."""
    from dataclasses import replace

    from .launch import setup_of

    setup = setup_of(run.manifest, run.folder, device=device, memory_bytes=None)
    if not Path(setup.task).is_file():
        raise CliError(
            f"the text of run {run.name!r} is missing: {setup.task}",
            cure="put the file back",
            code=Code.STORE,
        )
    seconds = (1 + len(job.line)) * setup.seconds
    return replace(setup, folder=str(folder), seconds=seconds)


def _job(run: Opened, genome: Genome, before: Result, *, keep: bool) -> Job:
    from ..evaluator.job import Job

    line = run.plan.lines.line(genome) if before.inherited_tokens else ()
    final = before.replica > 0
    return Job(genome, before.rung, before.replica, test=final, keep_weights=keep, line=line)


def _evaluated(setup: Setup, job: Job, run: Opened) -> Result:
    from ..evaluator.pool import ProcessPool

    notice(f"training {short_tokens(job.rung)} tokens with the seed of replica {job.replica}")
    if job.line:
        tokens = short_tokens(setup.ladder.lowest)
        notice(f"before it {len(job.line)} ancestors, {tokens} tokens each, for what it inherited")
    # a worker of its own, as in the run: one thread, and what it takes is given back
    with ProcessPool[str](setup, run.catalog, workers=1) as pool:
        pool.submit("again", job)
        return pool.wait()[0][1]


def _compare(before: Result, now: Result, *, json: bool) -> None:
    """Print the comparison.

    Raises:
        CliError: a figure is outside of the tolerance.
    """
    same = before.measured.device == now.measured.device
    tolerance = EXACT if same else LOOSE
    rows = list(_figures(before, now))
    same_end = before.failure == now.failure and before.inherited_tokens == now.inherited_tokens
    inside = same_end and all(
        a is not None and b is not None and abs(a - b) <= tolerance for _, a, b in rows
    )
    if json:
        answer_json("reproduce/1", **_document(before, now, rows, tolerance, inside))
    else:
        for split, a, b in rows:
            answer(_line(split, a, b, tolerance))
        if before.failure or now.failure:
            answer(f"failure  stored {before.failure or 'none'} · now {now.failure or 'none'}")
    if not inside:
        raise CliError(
            f"{short(before.genome)} at {short_tokens(before.rung)} tokens, replica "
            f"{before.replica}, does not reproduce",
            why=now.reason or f"the difference is more than {tolerance:g} bits per byte",
            cure="is it the same version of torch and kind of processor as in the run?",
            code=Code.VERIFICATION,
        )


def _figures(before: Result, now: Result) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield split, stored and new bits per byte, for what was stored."""
    if before.bits_per_byte is not None:
        yield "search", before.bits_per_byte, now.bits_per_byte
    if before.test_bits_per_byte is not None:
        yield "test", before.test_bits_per_byte, now.test_bits_per_byte


def _line(split: str, stored: float | None, now: float | None, tolerance: float) -> str:
    if stored is None or now is None:
        return f"{split:<8} stored {stored} · now {now}"
    gap = now - stored
    side = "inside" if abs(gap) <= tolerance else "outside"
    return (
        f"{split:<8} stored {stored:.6f} · now {now:.6f} bits/byte · difference {gap:+.1e} · "
        f"{side} the tolerance {tolerance:g}"
    )


def _document(
    before: Result,
    now: Result,
    rows: list[tuple[str, float | None, float | None]],
    tolerance: float,
    inside: bool,
) -> dict[str, Any]:
    return {
        "id": before.genome,
        "rung_tokens": before.rung,
        "replica": before.replica,
        "seed": before.seed,
        "inherited_tokens": before.inherited_tokens,
        "stored_device": before.measured.device,
        "device": now.measured.device,
        "stored_failure": before.failure,
        "failure": now.failure,
        "splits": [
            {"split": split, "stored_bits_per_byte": a, "bits_per_byte": b} for split, a, b in rows
        ],
        "tolerance_bits_per_byte": tolerance,
        "reproduced": inside,
    }


def _keep(run: Opened, setup: Setup, genome: Genome, now: Result, out: Path) -> None:
    from ..evaluator.folder import load_weights, save
    from ..genome.build import build
    from .weights import facts

    model = build(genome, catalog=run.catalog, context=run.manifest.context)
    load_weights(model, setup.weights_path(now.genome, now.rung, now.replica))
    save(out, model, genome, facts=facts(run, now))
