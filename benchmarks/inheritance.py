"""What inherited weights save: children trained from scratch and from their parent, side by side.

    python benchmarks/inheritance.py --out runs/inheritance.jsonl    # stopped? call it again

Children are bred by the mutations of the search from named starters within the limits of ``run``.
A parent is trained to T tokens on each seed; each of its children is trained from scratch and from
the parent's stable weights for shares of T, every time with a schedule of its own, and measured on
the search split. Printed are, with 95 % intervals over children (of each the mean over seeds):

* the difference in bits per byte at equal tokens of the child's own training;
* the share of T after which the heir is as good as the child from scratch at T, and as its parent
  is at T (interpolated in the logarithm of tokens; more than 1 counts as 1, which favours scratch);
* how well each way ranks the children of a seed: Spearman's correlation of their figures at a share
  of T with the mean of the figures from scratch at T on the *other* seeds.

The parent's tokens are not counted: a search has spent them before.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import correlation, fmean
from typing import Any

import torch

from praxis_evolve.benchmarks.rows import add_row, end_line, known_rows
from praxis_evolve.blocks.registry import Catalog, installed
from praxis_evolve.cli.bounds import preset_space
from praxis_evolve.evaluator.evaluate import Evaluator
from praxis_evolve.evaluator.heritage import begin
from praxis_evolve.evaluator.job import Job, Setup
from praxis_evolve.evaluator.limits import Stop, Watch
from praxis_evolve.evaluator.measure import measure
from praxis_evolve.evaluator.preset import PRESETS
from praxis_evolve.evaluator.schedule import schedule
from praxis_evolve.evaluator.task import VOCABULARY, embedded_task, save_task, text_task
from praxis_evolve.evaluator.train import train
from praxis_evolve.genome.build import Model, build
from praxis_evolve.genome.graph import Genome
from praxis_evolve.genome.identity import canonical, genome_id
from praxis_evolve.genome.inheritance import inheritance
from praxis_evolve.genome.mutation import mutate
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.search.intervals import Summary, summary

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
PARENTS = ("llama", "llama-conv", "mingru", "retnet")
PRESET = PRESETS["cpu-small"]
LAYERS = PRESET.layers - 1  # at the limit of FLOPs nothing could be inserted
WAYS = ("scratch", "inherited")


@dataclass(frozen=True)
class Pair:
    """A child and the starter that it is a mutant of."""

    number: int
    parent_name: str
    parent: Genome
    child: Genome
    origin: str


def main() -> None:
    """Measure what is missing and print the tables."""
    options = _options()
    if not options.table:
        catalog = installed()
        pairs = list(bred(preset_space(catalog, PRESET), options.children, options.parents))
        end_line(options.out)
        with tempfile.TemporaryDirectory() as folder:
            _measure(options, catalog, pairs, Path(folder))
    print("\n".join(report(list(known_rows(options.out).values()), options.tokens)))


def bred(space: Space, count: int, names: Sequence[str]) -> Iterator[Pair]:
    """Yield *count* mutants of each named starter, one edit each, the same at every call."""
    named = starters(space, layers=LAYERS)
    for place, name in enumerate(names):
        rng, known = Random(name), set[str]()
        while len(known) < count:
            birth = f"b{place}/{len(known)}"
            child = mutate(named[name], space, rng, birth, tail=0.0)
            found = genome_id(child.genome, space.catalog)
            if found not in known and child.operator != "training":
                number = place * 100 + len(known)
                yield Pair(number, name, named[name], child.genome, child.operator)
                known.add(found)


def report(rows: Sequence[Mapping[str, Any]], tokens: int) -> Iterator[str]:
    """Yield the lines of the tables for the rows that are there."""
    whole = [row for row in rows if row["tokens"] == tokens]
    if not whole:
        yield f"no rows of {tokens} tokens yet"
        return
    seeds, machine = sorted({row["seed"] for row in whole}), whole[-1]["machine"]
    yield f"{len(whole)} pairs of child and seed, seeds {seeds}, T = {tokens:,}, on {machine}"
    for label, those in (
        ("all children", whole),
        ("function kept", [row for row in whole if row["keeps"]]),
        ("function changed", [row for row in whole if not row["keeps"]]),
    ):
        if those:
            yield from _table(label, those)
    ranked = {way: [rank_correlations(whole, way, i) for i in range(len(SHARES))] for way in WAYS}
    if all(ranked["scratch"]):
        yield "Spearman's correlation with the figures from scratch at T on other seeds, by seed"
        for way, places in ranked.items():
            yield _line(way, map(summary, places))


def _table(label: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    share = fmean(row["share"] for row in rows)
    yield f"{label}: {len(rows)} pairs, {share:.0%} of the parameters inherited in the mean"
    yield f"{'  share of T':14s}" + "".join(f"{share:>18g}" for share in SHARES)
    places = range(len(SHARES))
    for way in WAYS:
        yield _line(way, (by_child(rows, [row[way][i] for row in rows]) for i in places))
    gaps = ([row["inherited"][i] - row["scratch"][i] for row in rows] for i in places)
    yield _line("difference", (by_child(rows, gap) for gap in gaps))
    for name, levels in (
        ("the child from scratch at T", [row["scratch"][-1] for row in rows]),
        ("its parent at T", [row["parent"] for row in rows]),
    ):
        shares = [
            share_to(row["start"], row["inherited"], level)
            for row, level in zip(rows, levels, strict=True)
        ]
        yield f"  share of T to reach {name}: {_text(by_child(rows, shares))}"


def by_child(rows: Sequence[Mapping[str, Any]], values: Sequence[float]) -> Summary:
    """Return mean and interval over children, of each the mean over its seeds."""
    several = dict[int, list[float]]()
    for row, value in zip(rows, values, strict=True):
        several.setdefault(row["pair"], []).append(value)
    return summary([fmean(each) for each in several.values()])


def _line(name: str, found: Iterable[Summary]) -> str:
    return f"  {name:12s}" + "".join(f"{_text(each):>18s}" for each in found)


def share_to(start: float, bits: Sequence[float], level: float) -> float:
    """Return the share of T after which a training that began at *start* is at *level*, at most 1.

    Between two measured shares it is interpolated in their logarithm; before the first it counts as
    the first, unless the start was there already.
    """
    if start <= level:
        return 0.0
    before = math.inf
    for place, (share, reached) in enumerate(zip(SHARES, bits, strict=True)):
        if reached <= level:
            if place == 0:
                return share
            part = (before - level) / (before - reached)
            return SHARES[place - 1] * (share / SHARES[place - 1]) ** part
        before = reached
    return 1.0


def rank_correlations(rows: Sequence[Mapping[str, Any]], way: str, place: int) -> list[float]:
    """Return for each seed the correlation of figures at a share with those of the other seeds."""
    found = list[float]()
    for seed in sorted({row["seed"] for row in rows}):
        here = {row["pair"]: row[way][place] for row in rows if row["seed"] == seed}
        others = {
            pair: [r["scratch"][-1] for r in rows if r["pair"] == pair and r["seed"] != seed]
            for pair in here
        }
        known = [pair for pair in here if others[pair]]
        if len(known) > 2:
            ours = ranks([here[pair] for pair in known])
            found.append(correlation(ours, ranks([fmean(others[pair]) for pair in known])))
    return found


def ranks(values: Sequence[float]) -> list[float]:
    """Return the place of each value; equal ones share theirs."""
    return [
        sum(other < value for other in values) + sum(other == value for other in values) / 2
        for value in values
    ]


def _measure(
    options: argparse.Namespace, catalog: Catalog, pairs: Sequence[Pair], folder: Path
) -> None:
    torch.set_num_threads(1)
    known = known_rows(options.out)
    task = text_task(options.text, context=PRESET.context) if options.text else embedded_task()
    save_task(task, folder / "task")
    setup = Setup(
        task=str(folder / "task"), task_digest=task.digest, folder=str(folder),
        rungs=(options.tokens,), context=PRESET.context, batch=PRESET.batch, inherit=True,
        search_windows=PRESET.search_windows, gate=False,
    )  # fmt: skip
    trainer = Trainer(setup, catalog)
    for seed in range(options.seeds):
        for pair in pairs:
            key = f"{task.digest[:12]}/{options.tokens}/{seed}/{pair.number}/{pair.origin}"
            if key in known:
                continue
            print(f"seed {seed} pair {pair.number} {pair.origin}", file=sys.stderr)
            row = trainer.row(pair, seed)
            add_row(options.out, {"key": key, "tokens": options.tokens, **row})


class Trainer:
    """Trains children in both ways; parents once a seed."""

    def __init__(self, setup: Setup, catalog: Catalog) -> None:
        self._setup, self._catalog = setup, catalog
        self._evaluator = Evaluator(setup, catalog)

    def row(self, pair: Pair, seed: int) -> dict[str, Any]:
        """Return the figures of one child on one seed."""
        parent = self._evaluator(Job(pair.parent, self._setup.ladder.top, seed))
        child, before = (canonical(g, self._catalog) for g in (pair.child, pair.parent))
        plan = inheritance(child, before, self._catalog)
        started, share = self._start(pair, seed)
        return {
            "pair": pair.number, "seed": seed, "parent_name": pair.parent_name,
            "origin": pair.origin, "keeps": plan.keeps, "share": share,
            "parent": parent.bits_per_byte, "start": self._bits(started),
            "scratch": [self._trained(pair, seed, part, line=False) for part in SHARES],
            "inherited": [self._trained(pair, seed, part, line=True) for part in SHARES],
            "machine": f"{platform.machine()}, {torch.get_num_threads()} thread",
            "torch": torch.__version__,
        }  # fmt: skip

    def _start(self, pair: Pair, seed: int) -> tuple[Model, float]:
        """Return the heir before its training, and the share of its parameters that it took."""
        job = Job(pair.parent, self._setup.ladder.top, seed)
        state = self._evaluator.stable(job)
        if isinstance(state, Stop):
            raise RuntimeError(f"the parent {pair.parent_name} cannot be trained: {state.reason}")
        model = build(
            pair.child, catalog=self._catalog, context=self._setup.context,
            vocabulary=VOCABULARY, seed=self._setup.seed(seed),
        )  # fmt: skip
        whole = 1_000_000
        taken = begin(model, state.weights, pair.parent, trained=whole, catalog=self._catalog)
        return model, taken / whole

    def _trained(self, pair: Pair, seed: int, part: float, *, line: bool) -> float:
        """Return the bits per byte after a share of T."""
        setup, rung = self._setup, round(part * self._setup.ladder.top)
        fresh = build(
            pair.child, catalog=self._catalog, context=setup.context, vocabulary=VOCABULARY,
            seed=setup.seed(seed),
        )  # fmt: skip
        model = self._start(pair, seed)[0] if line else fresh
        plan = schedule(
            rung, lowest=rung, warmup=pair.child.training.warmup,
            tokens_per_step=setup.tokens_per_step,
        )  # fmt: skip
        past = round(setup.ladder.top / setup.tokens_per_step) if line else 0
        train(
            model, self._evaluator.text, pair.child.training, schedule=plan, context=setup.context,
            batch=setup.batch, seed=setup.seed(seed), watch=Watch(), past=past,
        )  # fmt: skip
        return self._bits(model)

    def _bits(self, model: Model) -> float:
        windows = self._evaluator.windows("search", self._setup.ladder.top)
        return measure(model, windows).bits_per_byte


def _text(found: Summary) -> str:
    return f"{found.mean:.3f} +- {found.half:.3f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/inheritance.jsonl"))
    parser.add_argument("--tokens", type=int, default=PRESET.rungs[0], help="T, in tokens")
    parser.add_argument("--children", type=int, default=5, help="mutants of each parent")
    parser.add_argument("--parents", nargs="+", default=PARENTS, help="names of starters")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--text", type=Path, help="a text instead of the embedded one")
    parser.add_argument("--table", action="store_true", help="only print what was measured")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
