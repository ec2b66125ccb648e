"""Random genomes of the full space: formulas against modules on the meta device, and the gate.

    python benchmarks/gate_sweep.py [--genomes 10000] [--gate 300] [--widths 32 64 96]
    python benchmarks/gate_sweep.py --out runs/gate_sweep.jsonl     # stopped? call it again

Every genome is built on the meta device; its parameters, operations and carry are counted there and
compared with the formulas. As many of each width as ``--gate`` says, evenly spread, also pass the
gate's admission. Our own blocks leave nothing to refuse: a genome that is refused or that differs
is a fault of ours, and is printed with its text, from which it can be built again.

Each row goes to a file of JSON lines, by genome and sources of its parts; rows of the same are not
done again.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from praxis_evolve.benchmarks.rows import add_row, end_line, known_rows
from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.evaluator.gate import admission
from praxis_evolve.genome.cost import Costs, costs, size_of
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import canonical, genome_id
from praxis_evolve.genome.text import to_json
from praxis_evolve.tests.genome.counting import counted
from praxis_evolve.tests.genome.random_genomes import CATALOG, CONTEXT, random_genomes, space_of

EXACT = 1e-9
"""The relative difference of two sums of the same terms."""

SHOWN = 5


@dataclass(frozen=True)
class Subject:
    """One genome of the sweep; ``gated`` says whether it also passes the gate."""

    width: int
    number: int
    genome: Genome
    gated: bool


def subjects(widths: list[int], genomes: int, gate: int) -> Iterator[Subject]:
    """Yield the genomes, widths in turn, so that a sweep that was stopped has as many of each."""
    drawn = {width: random_genomes(space_of(width), seed=width) for width in widths}
    for number in range(genomes):
        gated = (number + 1) * gate // genomes > number * gate // genomes
        for width in widths:
            yield Subject(width, number, next(drawn[width]), gated)


def key_of(genome: Genome) -> str:
    """Return what a row is about: the genome, its context and the sources of its parts."""
    parts = sorted({f"{part.name} {CATALOG.sources[part.name]}" for part in genome.parts()})
    source = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{genome_id(genome, CATALOG)} {CONTEXT} {torch.__version__} {source[:16]}"


def gaps(genome: Genome, catalog: Catalog) -> dict[str, float]:
    """Return the relative difference of each figure that formula and module disagree on."""
    ours = costs(canonical(genome, catalog), catalog=catalog, context=CONTEXT)
    real = all_counted(genome, catalog)
    found = {name: abs(value / vars(real)[name] - 1) for name, value in vars(ours).items()}
    return {name: gap for name, gap in found.items() if gap > EXACT}


def all_counted(genome: Genome, catalog: Catalog) -> Costs:
    """Return what the module says, and of ``flops`` what it says without routers.

    What the routers compute themselves has no module of its own to be counted in; the active
    operations have been compared with it inside.
    """
    real = counted(genome, catalog=catalog, context=CONTEXT)
    routers = [visit.router for visit in genome.route if visit.router is not None]
    if not routers:
        return real
    route = tuple(replace(visit, router=None) for visit in genome.route)
    plain = counted(replace(genome, route=route), catalog=catalog, context=CONTEXT)
    form = canonical(genome, catalog)
    size = size_of(form, catalog, context=CONTEXT)
    live = [visit.router for visit in form.route if visit.router is not None]
    own = sum(catalog[router.name].cost(size, router.settings).flops for router in live)
    return replace(real, flops=plain.flops + own / CONTEXT)


def row(subject: Subject, known: dict[str, Any]) -> dict[str, Any]:
    """Return what is wrong with one genome, adding to the row that is *known*."""
    start = time.perf_counter()
    found = {"width": subject.width, "number": subject.number, **known}
    try:
        if "gaps" not in found:
            found["gaps"] = gaps(subject.genome, CATALOG)
        if subject.gated:
            verdict = admission(
                subject.genome, catalog=CATALOG, context=CONTEXT, seed=subject.number
            )
            found["refused"] = verdict.reason
    except Exception as error:  # a legal genome that does not build is what the sweep looks for
        found["raised"] = f"{type(error).__name__}: {error}"
    if offends(found):
        found["genome"] = to_json(subject.genome)
    found["seconds"] = found.get("seconds", 0.0) + time.perf_counter() - start
    return found


def offends(found: dict[str, Any]) -> bool:
    """Return whether a row has anything wrong."""
    return bool(found.get("gaps") or found.get("refused") or found.get("raised"))


def swept(asked: argparse.Namespace) -> Iterator[tuple[Subject, dict[str, Any]]]:
    """Yield every genome with its row, doing those that the file of rows does not have."""
    known = known_rows(asked.out)
    end_line(asked.out)
    for subject in subjects(asked.widths, asked.genomes, asked.gate):
        key = key_of(subject.genome)
        before = known.get(key, {"key": key})
        if "gaps" not in before or (subject.gated and "refused" not in before):
            known[key] = row(subject, before)
            add_row(asked.out, known[key])
        yield subject, known[key]


def verdict_of(found: dict[str, Any]) -> str:
    """Return what is wrong with a row in words."""
    said = [f"{name} differ by {gap:.2e}" for name, gap in found.get("gaps", {}).items()]
    return "; ".join(filter(None, [*said, found.get("refused"), found.get("raised")]))


def summary(rows: list[dict[str, Any]]) -> str:
    """Return the counts of one width."""
    gated = [found for found in rows if "refused" in found]
    counts = {
        "differ from the formulas": sum(bool(found.get("gaps")) for found in rows),
        f"of {len(gated)} refused by the gate": sum(bool(found["refused"]) for found in gated),
        "raised": sum("raised" in found for found in rows),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    different = len({found["key"] for found in rows})
    return f"{len(rows)} genomes ({different} different): {told}"


def main() -> None:
    """Sweep what the file of rows does not have, then print counts and the worst offenders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--genomes", type=int, default=10_000, help="of each width")
    parser.add_argument("--gate", type=int, default=300, help="how many of them pass the gate")
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 96])
    parser.add_argument("--out", type=Path, default=Path("runs/gate_sweep.jsonl"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[int, list[dict[str, Any]]] = {width: [] for width in asked.widths}
    for subject, found in swept(asked):
        rows[subject.width].append(found)
        if offends(found):
            print(f"width {subject.width} number {subject.number}: {verdict_of(found)}", flush=True)
        if subject.width == asked.widths[-1] and (subject.number + 1) % 500 == 0:
            print(f"{subject.number + 1} of {asked.genomes} genomes of each width", flush=True)
    for width, those in rows.items():
        print(f"width {width}: {summary(those)}")
    worst = [found for those in rows.values() for found in those if offends(found)]
    worst.sort(key=lambda found: -max([*found.get("gaps", {}).values(), 0.0]))
    for found in islice(worst, SHOWN):
        print(f"\n{verdict_of(found)}\n{found['genome']}")


if __name__ == "__main__":
    main()
