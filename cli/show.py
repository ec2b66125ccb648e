"""``show``: one genome in the terminal, or as JSON, DOT, Mermaid or a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..reports.quantities import amount
from .errors import CliError, Code
from .options import GENOME, JSON, RUN, STORE, store_of
from .output import answer, answer_json, answer_table
from .places import short, short_tokens

if TYPE_CHECKING:
    from ..evaluator.result import Result
    from ..genome.cost import Costs
    from ..genome.graph import Genome, Part
    from ..search.base import Assignment
    from .context import Opened

POOL = ("#>", "block", "settings~", "before it~", "visits>")
ROUTE = ("#>", "block", "reads", "adds to", "merge", "router")
RESULTS = (
    *("tokens>", "inherited>", "replica>", "search bits/byte>", "test bits/byte>"),
    *("seconds>", "failure~"),
)


def show(
    genome: GENOME,
    run: RUN = None,
    store: STORE = None,
    json: JSON = False,
    dot: Annotated[bool, typer.Option("--dot", help="Print DOT for Graphviz.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid chart.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write its picture to this page.")] = None,
) -> None:
    """Show one genome: its layers, costs, genes and results."""
    if json + dot + mermaid + (html is not None) > 1:
        raise CliError(
            "--json, --dot, --mermaid and --html exclude each other",
            cure="give one of them",
            code=Code.USAGE,
        )
    from .context import opened

    with opened(store_of(store), run) as found:
        shown = _Shown(found, *found.genome(genome))
        if json:
            answer_json("genome/1", **shown.document())
        elif dot:
            from ..reports.dot import to_dot

            answer(to_dot(shown.genome, found.catalog).rstrip())
        elif mermaid:
            from ..reports.mermaid import to_mermaid

            answer(to_mermaid(shown.genome, found.catalog).rstrip())
        elif html is not None:
            _write_picture(shown, html)
        else:
            shown.screen()


@dataclass(frozen=True)
class _Shown:
    """A genome of a run, and what is known of it."""

    run: Opened
    id: str
    genome: Genome

    def document(self) -> dict[str, Any]:
        """Return what ``show --json`` prints."""
        from ..genome.text import to_json

        first, cost = self.assignment(), self.costs()
        return {
            "run": self.run.name,
            "id": self.id,
            "role": self.role(),
            "blocks": self.layers(),
            "origin": first.origin if first else "",
            "parents": list(first.parents) if first else [],
            "parameters": cost.parameters,
            "flops_per_token": cost.flops,
            "active_flops_per_token": cost.active_flops,
            "carry_bytes_per_token": cost.carry_bytes,
            "results": [_result_json(result) for result in self.results()],
            "genome": loads(to_json(self.genome)),
        }

    def screen(self) -> None:
        """Print all of it."""
        first, genome = self.assignment(), self.genome
        origin = first.origin if first else "unknown"
        parents = ", ".join(map(short, first.parents)) if first else ""
        lines = {
            "genome": f"{short(self.id)}   {self.role()} of run {self.run.name}",
            "blocks": self.layers(),
            "origin": f"{origin}, from {parents}" if parents else origin,
            "costs": _costs_text(self.costs()),
            "stack": ", ".join(self.stack()),
            "training": ", ".join(
                f"{gene.name.replace('_', ' ')} {getattr(genome.training, gene.name):g}"
                for gene in fields(genome.training)
            ),
        }
        for label, text in lines.items():
            answer(f"{label:<9} {text}")
        answer("\npool: each entry has its weights once, however often it is visited")
        answer_table(POOL, list(self.pool()))
        answer("\nroute: each visit reads earlier ones; 0 is the embedding, the last is the output")
        answer_table(ROUTE, list(self.route()))
        answer("")
        answer_table(RESULTS, [_result_row(result) for result in self.results()])

    def layers(self) -> str:
        """Return the blocks on one line."""
        from ..reports.layers import layers_text

        return layers_text(self.genome, self.run.catalog)

    def role(self) -> str:
        """Return what the genome is in the run: winner, finalist, a baseline, or candidate.

        The search may find a baseline to be the best: then it is both.
        """
        from .view import winner_of

        rivals = {self.run.plan.identify(g): name for name, g in self.run.plan.rivals().items()}
        roles = ["winner"] if self.id == winner_of(self.run) else []
        if not roles and self.id in self.run.plan.chosen():
            roles = ["finalist"]
        roles += [f"baseline {rivals[self.id]}"] if self.id in rivals else []
        return ", ".join(roles) or "candidate"

    def results(self) -> list[Result]:
        """Return its results, lowest rung first."""
        found = [r for r in self.run.plan.results if r.genome == self.id]
        return sorted(found, key=lambda r: (r.rung, r.replica))

    def assignment(self) -> Assignment | None:
        """Return the first assignment of the genome."""
        from ..search.base import Asked

        for event in self.run.ledger.events(self.run.name):
            if isinstance(event, Asked):
                assignment = event.assignment
                if self.run.plan.identify(assignment.genome) == self.id:
                    return assignment
        return None

    def costs(self) -> Costs:
        """Return what the genome costs at the run's context: as measured, or by formula."""
        measured = [r.costs for r in self.results() if r.costs is not None]
        return measured[-1] if measured else self.run.plan.space.costs(self.genome)

    def stack(self) -> Iterator[str]:
        """Yield the genes of the stack as texts."""
        stack = self.genome.stack
        yield f"width {stack.width}"
        for name in ("embedding", "norm", "residual", "exit"):
            part = getattr(stack, name)
            yield f"{name} {'none' if part is None else self._part(part)}"
        yield f"{stack.segments} segments"
        yield "embedding and head share weights" if stack.tied else "a head of its own"
        if stack.feedback:
            yield f"feedback after {stack.feedback} tokens"

    def pool(self) -> Iterator[list[str]]:
        """Yield the rows of the pool."""
        from ..reports.naming import entry_texts

        for number, entry in enumerate(self.genome.pool):
            visits = sum(visit.block == number for visit in self.genome.route)
            yield [
                str(number + 1),
                entry.block.name,
                ", ".join(entry_texts(entry, self.run.catalog)),
                "" if entry.prelude is None else self._part(entry.prelude),
                str(visits),
            ]

    def route(self) -> Iterator[list[str]]:
        """Yield the rows of the route."""
        for number, visit in enumerate(self.genome.route):
            block = self.genome.pool[visit.block].block.name
            yield [
                str(number + 1),
                f"{block} #{visit.block + 1}",
                ", ".join(str(read + 1) for read in visit.reads),
                str(visit.base_read + 1),
                visit.merge if len(visit.reads) > 1 else "",
                "" if visit.router is None else self._part(visit.router),
            ]

    def _part(self, part: Part) -> str:
        from ..reports.naming import setting_texts

        settings = ", ".join(setting_texts(part, self.run.catalog))
        return f"{part.name} ({settings})" if settings else part.name


def _costs_text(cost: Costs) -> str:
    text = f"{amount(cost.parameters)} parameters, {amount(cost.flops)} FLOPs/token"
    if cost.active_flops != cost.flops:
        text += f" ({amount(cost.active_flops)} active)"
    return f"{text}, carry {amount(cost.carry_bytes)} bytes/token"


def _result_row(result: Result) -> list[str]:
    return [
        short_tokens(result.rung),
        amount(result.inherited_tokens) if result.inherited_tokens else "-",
        str(result.replica),
        _bits(result.bits_per_byte),
        _bits(result.test_bits_per_byte),
        f"{result.measured.seconds:.1f}",
        f"{result.failure}: {result.reason}" if result.failure else "",
    ]


def _bits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "rung_tokens": result.rung,
        "replica": result.replica,
        "seed": result.seed,
        "search_bits_per_byte": result.bits_per_byte,
        "test_bits_per_byte": result.test_bits_per_byte,
        "inherited_tokens": result.inherited_tokens,
        "failure": result.failure,
        "reason": result.reason,
        "measured": asdict(result.measured),
    }


def _write_picture(shown: _Shown, path: Path) -> None:
    from ..reports.files import mark, write_page_file
    from ..reports.genome_picture import genome_picture
    from ..reports.theme import config

    picture = genome_picture(
        shown.genome,
        shown.run.catalog,
        context=shown.run.manifest.context,
        title=short(shown.id),
        subtitle=shown.layers(),
    )
    # the mark lets the page be written again, and nothing else be written over
    body = picture.to_html(include_plotlyjs=True, config=config(shown.id))
    page = body.replace("<head>", f"<head>{mark(shown.id)}", 1)
    try:
        write_page_file(path, page, run=shown.id)
    except FileExistsError as error:
        raise CliError(str(error).replace("--out", "--html"), code=Code.USAGE) from error
    except OSError as error:
        raise CliError(
            f"the picture cannot be written to {path}", why=str(error.strerror), code=Code.STORE
        ) from error
    answer(str(path))
