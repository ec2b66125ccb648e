"""``winners``: finals beside the baselines, and the front of the search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..reports.quantities import amount
from .options import JSON, RUN, STORE, store_of
from .output import answer, answer_json, answer_table
from .places import short, short_tokens

if TYPE_CHECKING:
    from ..reports.front import Point
    from ..reports.model import Evaluation, Final
    from .context import Opened

ENOUGH = 5
"""Results that a rung needs for a front of its own; with fewer the rung below is shown."""

FINALS = (
    "id", "role", "test bits/byte", "seeds>", "parameters>", "FLOPs/token>", "blocks~",
)  # fmt: skip
FRONT = ("id", "bits/byte>", "FLOPs/token>", "parameters>", "by")


def winners(
    run: RUN = None,
    store: STORE = None,
    top: Annotated[int, typer.Option(min=1, help="Rows of each table.")] = 10,
    json: JSON = False,
) -> None:
    """Show the finals with their intervals, and the front."""
    from .context import opened

    with opened(store_of(store), run) as found:
        if json:
            answer_json("winners/1", **document(found, top=top))
        else:
            _tables(found, top)


def document(run: Opened, *, top: int) -> dict[str, Any]:
    """Return what ``winners --json`` prints.

    ``winners`` are the finalists, the winner first; before the finals the best of the search, with
    None for what only finals know.
    """
    from .view import evaluations, finals, verdict, winner_of

    several, ended = evaluations(run), finals(run)
    outcome, sentence = verdict(run)
    rung, front = front_of(several)
    texts = Texts(run)
    # the search may choose a baseline: then it stands in both lists
    chosen = [final_json(f, texts) for f in ended if f.genome in run.plan.chosen()]
    return {
        "run": run.name,
        "state": run.state,
        "winner": winner_of(run),
        "outcome": outcome,
        "verdict": sentence,
        "winners": (chosen or [_best_json(e, texts) for e in best_of(several)])[:top],
        "baselines": [final_json(f, texts) for f in ended if f.baseline],
        "front_rung_tokens": rung,
        "front": [_point_json(point, texts) for point in front[:top]],
    }


def final_json(final: Final, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a finalist or baseline as JSON values; None stands for an infinite interval."""
    half = final.half_interval
    return {
        "id": final.genome,
        "name": final.label,
        "rung_tokens": final.rung,
        "seeds": len(final.test),
        "test_bits_per_byte": final.mean,
        "test_bits_per_byte_half_interval": half if math.isfinite(half) else None,
        "test_bits_per_byte_values": list(final.test),
        "search_bits_per_byte": final.search_mean,
        "parameters": final.parameters,
        "flops_per_token": final.flops,
        "active_flops_per_token": final.active_flops,
        "carry_bytes_per_token": final.carry_bytes,
        "tokens_per_second": final.tokens_per_second,
        "blocks": texts[final.genome],
    }


def best_of(several: Sequence[Evaluation]) -> list[Evaluation]:
    """Return the best training from scratch of each genome, those at higher rungs first."""
    ranked = sorted(
        (e for e in several if e.bits_per_byte is not None and not e.inherited_tokens),
        key=lambda e: (-e.rung, e.bits_per_byte, e.number),
    )
    found = dict[str, Any]()
    for evaluation in ranked:
        found.setdefault(evaluation.genome, evaluation)
    return list(found.values())


def front_of(several: Sequence[Evaluation]) -> tuple[int | None, list[Point]]:
    """Return the highest rung with enough results, and its front from the cheapest to the best."""
    from ..reports.front import non_dominated, points

    rungs = sorted({e.rung for e in several if e.bits_per_byte is not None}, reverse=True)
    if not rungs:
        return None, []
    rung = next((r for r in rungs if len(points(several, r)) >= ENOUGH), rungs[-1])
    return rung, non_dominated(points(several, rung))


def interval_text(final: Final) -> str:
    """Return mean and interval as text; one seed has no interval."""
    half = final.half_interval
    return f"{final.mean:.3f} ± {half:.3f}" if math.isfinite(half) else f"{final.mean:.3f}"


class Texts(Mapping[str, str]):
    """The layers of the run's genomes as text, made when they are asked for."""

    def __init__(self, run: Opened) -> None:
        from .view import genomes

        self._genomes, self._catalog = genomes(run), run.catalog

    def __getitem__(self, name: str) -> str:
        from ..reports.layers import layers_text

        return layers_text(self._genomes[name], self._catalog) if name in self._genomes else ""

    def __iter__(self) -> Any:
        return iter(self._genomes)

    def __len__(self) -> int:
        return len(self._genomes)


def _tables(run: Opened, top: int) -> None:
    from .view import evaluations, finals, verdict, winner_of

    texts, best = Texts(run), winner_of(run)
    several, ended = evaluations(run), finals(run)
    if ended:
        answer_table(FINALS, [_row(f, best, texts) for f in ended[:top]])
        answer("")
    answer(verdict(run)[1])
    rung, front = front_of(several)
    if rung is None:
        answer("No genome has a result yet.")
        return
    answer(f"\nfront of the search at {short_tokens(rung)} tokens, one training each")
    answer_table(FRONT, [_front_row(point) for point in front[:top]])
    answer(f"\nnext    praxis-evolve show {short(best or front[-1].evaluation.genome)}")


def _row(final: Final, best: str | None, texts: Mapping[str, str]) -> list[str]:
    role = "winner" if final.genome == best else "baseline" if final.baseline else "finalist"
    return [
        final.label,
        role,
        interval_text(final),
        str(len(final.test)),
        amount(final.parameters),
        amount(final.flops),
        texts[final.genome],
    ]


def _front_row(point: Point) -> list[str]:
    e = point.evaluation
    parameters = "" if e.parameters is None else amount(e.parameters)
    return [
        short(e.genome),
        f"{point.bits_per_byte:.3f}",
        amount(point.flops),
        parameters,
        e.origin,
    ]


def _best_json(best: Evaluation, texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": best.genome,
        "name": short(best.genome),
        "rung_tokens": best.rung,
        "seeds": 0,
        "test_bits_per_byte": None,
        "test_bits_per_byte_half_interval": None,
        "test_bits_per_byte_values": [],
        "search_bits_per_byte": best.bits_per_byte,
        "parameters": best.parameters,
        "flops_per_token": best.flops,
        "active_flops_per_token": None,
        "carry_bytes_per_token": None,
        "tokens_per_second": None,
        "blocks": texts[best.genome],
    }


def _point_json(point: Point, texts: Mapping[str, str]) -> dict[str, Any]:
    e = point.evaluation
    return {
        "id": e.genome,
        "name": short(e.genome),
        "search_bits_per_byte": point.bits_per_byte,
        "flops_per_token": point.flops,
        "parameters": e.parameters,
        "origin": e.origin,
        "blocks": texts[e.genome],
    }
