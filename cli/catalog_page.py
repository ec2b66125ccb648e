"""The page ``docs/catalog.md``: one row for each thing of the catalog, and how it was proven.

    python -m praxis_evolve.cli.catalog_page docs/catalog.md

Formulas are declared, counts come from building the thing on the meta device, and streaming errors
from feeding a redrawn float64 copy in uneven chunks and whole. Times are read from ``blocks.jsonl``
beside the page, which ``benchmarks/blocks.py`` writes.
"""

from __future__ import annotations

import math
import sys
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..blocks.declaration import Declaration
from ..blocks.frame import dense_frame
from ..blocks.probe import redraw
from ..blocks.registry import OWN, Catalog
from ..blocks.speed import BASIS, REFERENCE, SIZE, relative, speed_class
from .identity_tests import identity_tests
from .timings import DEVICE, TOKENS, WIDTH, Timings, basis, peer_cells, read_rows

ROWS, VOCABULARY = 2, 256
ENDS = (0, 1, 1, 8, 31, 32, 77, SIZE.context)
"""Where the chunks end: an empty one and single tokens are among them."""

HEAD = f"""# The catalog

Made by `python -m praxis_evolve.cli.catalog_page docs/catalog.md`. One row for each thing that
genomes are made of, at width {SIZE.width} and context {SIZE.context} with its defaults.

- *Identity tests* are the files of `tests/blocks/` that say its class, or its name in quotes; every
  entry also passes the contract there.
- *Formula* is what its declaration says, *counted* what is built and counted on the meta device:
  matrix products and convolutions of a whole row, 2 for a multiply-add. What a router, a residual,
  a norm or an exit works with belongs to the model, where it is counted as a whole.
- *Streaming error* is the power of ten above the largest difference between chunks fed with the
  carry and the whole, relative to the output, in float64 with redrawn parameters.
- *Speed* is a class by {BASIS}:
  light to 0.5, medium to 2, else heavy; it is no timing.
- *Time* and *memory to peer* are timings: ours by those of the fastest public implementation of
  the same, forward and backward at width {WIDTH} and length {TOKENS} on the {DEVICE.upper()}.
  Below 1 ours is faster or smaller; `-` where there is no public peer. `benchmarks/peers.py` says
  who they are and how they differ. A `*` marks what was measured of an earlier source.
"""
COLUMNS = (
    "name", "paper", "identity tests", "settings", "parameters: formula", "counted",
    "FLOPs: formula", "counted", "carry bytes", "streaming error", "speed", "time to peer",
    "memory to peer",
)  # fmt: skip
ERROR = COLUMNS.index("streaming error")


def page(catalog: Catalog, timings: Timings, *, measure: bool = True) -> str:
    """Return the page; without *measure* the streaming errors are left open."""
    several = sorted(catalog, key=lambda d: (d.kind != "block", d.family, d.name))
    parts = [HEAD, basis(timings)]
    for family, members in groupby(several, key=lambda d: d.family):
        parts.append(f"\n## {family}\n")
        parts.append("| " + " | ".join(COLUMNS) + " |")
        parts.append("|" + " --- |" * len(COLUMNS))
        for found in members:
            cells = row(found, catalog[REFERENCE], measure=measure)
            cells += peer_cells(timings, found.name, catalog.sources[found.name])
            parts.append("| " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"


def row(found: Declaration, reference: Declaration, *, measure: bool = True) -> list[str]:
    """Return the cells of one entry, but for those of its peer."""
    declared = found.cost(SIZE, found.defaults())
    parameters, flops = counted(found)
    times = relative(found, reference)
    return [
        f"`{found.name}`" + (f" ({found.kind})" if found.kind != "block" else ""),
        found.paper or "own",
        ", ".join(identity_tests(found)),
        ", ".join(found.settings) or "none",
        f"{declared.parameters:,}",
        f"{parameters:,}",
        f"{declared.flops:,.0f}",
        "in the model" if flops is None else f"{flops:,}",
        f"{declared.carry:,.0f}",
        streaming_error(found) if measure else "",
        f"{speed_class(times)}, {times:.2f}",
    ]


def counted(found: Declaration) -> tuple[int, int | None]:
    """Return parameters and FLOPs of a row, as built and counted on the meta device."""
    with torch.device("meta"):
        module = _built(found).eval().requires_grad_(False)
        parameters = sum(p.numel() for p in module.parameters())
        if found.kind not in ("block", "embedding"):
            return parameters, None
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            frame = dense_frame(
                1, SIZE.context, context=SIZE.context, segment=SIZE.segment, device="meta"
            )
            module(_input(found, 1), None, frame)
    return parameters, counter.get_total_flops()


def streaming_error(found: Declaration) -> str:
    """Return the power of ten above the error of streaming; ``-`` where there is no carry."""
    if found.kind not in ("block", "embedding"):
        return "-"
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        module = _built(found).double().eval()
        redraw(module, torch.Generator().manual_seed(0))
        x = _input(found, ROWS)
        x = x.double() if x.is_floating_point() else x
        whole = _run(module, x, None, 0)[0]
        carry, parts = None, list[Tensor]()
        for start, stop in pairwise(ENDS):
            y, carry = _run(module, x[:, start:stop], carry, start)
            parts.append(y)
        gap = (whole - torch.cat(parts, 1)).abs().max() / whole.abs().max().clamp(min=1.0)
    return "0" if not gap else f"1e{math.ceil(math.log10(gap.item()))}"


def _run(module: nn.Module, x: Tensor, carry: Any, start: int) -> tuple[Tensor, Any]:
    frame = dense_frame(
        x.shape[0], x.shape[1], context=SIZE.context, segment=SIZE.segment, start=start
    )
    return module(x, carry, frame)


def _built(found: Declaration) -> nn.Module:
    more: dict[str, Any] = {}
    if found.kind == "embedding":
        more = {"vocabulary": VOCABULARY, "context": SIZE.context}
    return cast(nn.Module, found.load()(SIZE.width, **more, **found.defaults()))


def _input(found: Declaration, rows: int) -> Tensor:
    if found.kind == "embedding":
        return torch.randint(VOCABULARY, (rows, SIZE.context))
    return torch.randn(rows, SIZE.context, SIZE.width)


def main(arguments: list[str]) -> None:
    """Write the page to the file that is named, and say so."""
    place = Path(arguments[0] if arguments else "docs/catalog.md")
    timings = read_rows(place.with_name("blocks.jsonl"))
    place.write_text(page(Catalog(OWN), timings), encoding="utf-8")
    sys.stdout.write(f"wrote {place}: {len(OWN)} entries\n")


if __name__ == "__main__":
    main(sys.argv[1:])
