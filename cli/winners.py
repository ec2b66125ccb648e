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
    from ..reports.model import Evaluation, Final
    from ..search.front import Front, Member
    from .context import Opened

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

    ``winners`` are the finalists, the winner first, the others by the search split; before the
    finals the best of the search, with None for what only finals know.
    """
    from .view import evaluations, finals, front_of, verdict, wanted, winner_of

    several, ended = evaluations(run), finals(run)
    outcome, sentence = verdict(run)
    front, names = front_of(run), wanted(run.manifest)
    members = front.members[:top] if front else ()
    texts = Texts(run)
    # the search may choose a baseline: then it stands in both lists
    finalists = [final for final in ended if final.genome in run.plan.chosen()]
    won = winner_of(run)  # by the looks before the finals, so that another may do better in these
    chosen = [final_json(f, texts) for f in sorted(finalists, key=lambda f: f.genome != won)]
    return {
        "run": run.name,
        "state": run.state,
        "winner": won,
        "outcome": outcome,
        "verdict": sentence,
        "winners": (chosen or [_best_json(e, texts) for e in best_of(several)])[:top],
        "baselines": [final_json(f, texts) for f in ended if f.baseline],
        "objectives": list(names),
        "reference": list(run.manifest.reference) or None,
        "hypervolume": front.hypervolume if front else None,
        "front_rung_tokens": front.rung if front else None,
        "front": [
            _member_json(member, names, _seen(several, member, front.rung), texts)
            for member in members
            if front
        ],
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
    from .view import evaluations, finals, front_of, verdict, winner_of

    texts, best = Texts(run), winner_of(run)
    several, ended = evaluations(run), finals(run)
    if ended:
        answer_table(FINALS, [_row(f, best, texts) for f in ended[:top]])
        answer("")
    answer(verdict(run)[1])
    front = front_of(run)
    if front is None:
        answer("No genome has a result yet.")
        return
    _front_table(run, front, several, top)
    last = front.members[-1].genome if front.members else None
    if name := best or last:
        answer(f"\nnext    praxis-evolve show {short(name)}")


def _front_table(run: Opened, front: Front, several: Sequence[Evaluation], top: int) -> None:
    from .settings import short_name  # imports pydantic
    from .view import volume_below, volume_text, wanted

    names = wanted(run.manifest)
    answer(f"\nfront of the search at {short_tokens(front.rung)} tokens, one training each")
    further = [name for name in names if name not in ("bits_per_byte", "flops", "parameters")]
    head = (*FRONT[:-1], *(f"{short_name(name)}>" for name in further), FRONT[-1])
    rows = list[list[str]]()
    for member in front.members[:top]:
        seen = _seen(several, member, front.rung)
        values = dict(zip(names, member.values, strict=True))
        cells = [f"{values['bits_per_byte']:.3f}", _amount(seen.flops), _amount(seen.parameters)]
        cells += [amount(values[name]) for name in further]
        rows.append([short(member.genome), *cells, seen.origin])
    answer_table(head, rows)
    if volume := volume_below(run, front):
        answer(volume_text(volume))


def _seen(several: Sequence[Evaluation], member: Member, rung: int) -> Evaluation:
    """Return the first training from scratch of a genome of the front to its rung."""
    return next(
        e for e in several
        if (e.genome, e.rung) == (member.genome, rung) and e.bits_per_byte is not None
        and not e.inherited_tokens
    )  # fmt: skip


def _amount(value: float | None) -> str:
    return "" if value is None else amount(value)


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


def _member_json(
    member: Member, names: Sequence[str], seen: Evaluation, texts: Mapping[str, str]
) -> dict[str, Any]:
    values = dict(zip(names, member.values, strict=True))
    return {
        "id": member.genome,
        "name": short(member.genome),
        "search_bits_per_byte": values["bits_per_byte"],
        "flops_per_token": seen.flops,
        "parameters": seen.parameters,
        "values": values,
        "origin": seen.origin,
        "blocks": texts[member.genome],
    }
