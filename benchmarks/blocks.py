"""Every block of the catalog against ``attention`` and its public peer: forward and backward.

    python benchmarks/blocks.py [--widths 128 512] [--lengths 512 2048] [--device cpu cuda]
    python benchmarks/blocks.py --out runs/blocks.jsonl     # stopped? call it again

A block, ``attention`` and the peers take turns in one process, so that what else the machine does
hits all of them; a ratio is the median over rounds of the time of the block by the time of the
other: 1 is equal, 2 is half as fast. Blocks have their default settings, float32, dense frames and
no carry, as in training; residuals that have a peer are read from and written to, around a branch
that does nothing. Peers are those of ``peers.py``, and left out where they are not installed:

    python -m pip install --group benchmarks

They are given the same width and like sizes; their parameters are in the rows beside ours, for no
two are alike in everything. Memory is the most bytes of live tensors in a step above those before
it: of the CUDA allocator, or on the CPU of what operators return (not what they use inside).

Rows go to a file of JSON lines, one for each block, size and device. Those of the same source and
torch are not measured again, others replace what they were. ``docs/blocks.jsonl`` is what
``docs/catalog.md`` is made of.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from measuring import Step, count, median_ratio, paired, peak_bytes, step_of
from peers import PEERS, Peer, Settings
from torch import Tensor, nn

from praxis_evolve.blocks.declaration import Declaration
from praxis_evolve.blocks.frame import dense_frame
from praxis_evolve.blocks.registry import installed
from praxis_evolve.blocks.speed import REFERENCE
from praxis_evolve.cli.timings import read_rows

Row = dict[str, Any]


class Alone(nn.Module):
    """A block as a map of the stream (B, T, W), or a residual around nothing, in training."""

    def __init__(self, declaration: Declaration, width: int, settings: Settings) -> None:
        super().__init__()
        self.residual = declaration.kind == "residual"
        self.inner: Any = declaration.load()(width, **settings)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, T, W), or streams (B, T, n, W), to the same."""
        if self.residual:
            return self.inner.write(x, x, self.inner.read(x))
        rows, tokens = x.shape[:2]
        frame = dense_frame(
            rows, tokens, context=tokens, segment=tokens // 4, keep=False, device=x.device
        )
        y = self.inner(x, None, frame)[0]
        losses = [note.value for note in frame.notes if note.kind == "loss"]
        return y + 0 * sum(losses) if losses else y


def step_of_ours(name: str, given: Settings, x: Tensor) -> tuple[Step, int]:
    """Return a step of an entry with its defaults but for *given*, and its parameters."""
    declaration = installed()[name]
    module = Alone(declaration, x.shape[-1], {**declaration.defaults(), **given}).to(x.device)
    streams = getattr(module.inner, "streams", 1)
    if streams > 1:
        x = x.unsqueeze(2).expand(-1, -1, streams, -1)
    return step_of(module, x), count(module)


def step_of_peer(peer: Peer, settings: Settings, x: Tensor) -> tuple[Step, int]:
    """Return a step of a peer, and its parameters; residuals have their streams in the batch."""
    module = peer.make(x.shape[-1], {**settings, **peer.given}).to(x.device)
    return step_of(module, x.repeat(settings.get("streams", 1), 1, 1)), count(module)


def row(
    declaration: Declaration, width: int, tokens: int, device: str, *, rows: int, rounds: int
) -> Row:
    """Return what one entry takes at one size, beside the reference and its fastest peer."""
    torch.manual_seed(0)
    x = torch.randn(rows, tokens, width, device=device)
    peers = PEERS.get(declaration.name, ())
    steps, sizes = dict[str, Step](), dict[str, int]()
    given = peers[0].given if peers else {}
    steps["block"], sizes["block"] = step_of_ours(declaration.name, given, x)
    steps["reference"], sizes["reference"] = step_of_ours(REFERENCE, {}, x)
    problems: list[str] = []
    for number, peer in enumerate(peers):
        label = f"{peer.distribution} {number}"
        try:
            steps[label], sizes[label] = step_of_peer(peer, declaration.defaults(), x)
        except Exception as error:  # a peer that is missing or does not fit is no fault of ours
            problems.append(f"{peer.distribution}: {type(error).__name__}: {error}"[:200])
    memory = {label: peak_bytes(step, device) for label, step in steps.items()}
    times = paired(steps, rounds=rounds, device=device)
    found: Row = {
        "given": given,
        "parameters": sizes["block"],
        "peak_bytes": memory["block"],
        "milliseconds": round(1e3 * statistics.median(times["block"]), 3),
        "times_reference": round(median_ratio(times, "block", "reference"), 3),
        "bytes_reference": round(memory["block"] / memory["reference"], 3),
    }
    fastest = min(list(steps)[2:], key=lambda label: statistics.median(times[label]), default=None)
    if fastest:
        distribution = fastest.split()[0]
        found["peer"] = f"{distribution} {version(distribution)}"
        found["peer_parameters"] = sizes[fastest]
        found["times_peer"] = round(median_ratio(times, "block", fastest), 3)
        found["bytes_peer"] = round(memory["block"] / memory[fastest], 3)
    if problems:
        found["problems"] = problems
    return found


def text_of(found: Row) -> str:
    """Return a row as it is printed."""
    text = (
        f"{found['block']:20s} {found['width']:4d} {found['tokens']:5d} {found['device']:5s}"
        f"{found['milliseconds']:9.2f} ms {found['times_reference']:6.2f} x {REFERENCE}"
        f"{found['peak_bytes'] / 2**20:9.1f} MiB {found['bytes_reference']:6.2f} x"
        f"{found['parameters']:11,} parameters"
    )
    if "peer" in found:
        text += (
            f"   peer {found['times_peer']:.2f} x time, {found['bytes_peer']:.2f} x memory of"
            f" {found['peer']} ({found['peer_parameters']:,} parameters)"
        )
    return "   ".join((text, *found.get("problems", ())))


def wanted(asked: argparse.Namespace) -> Iterator[tuple[Declaration, int, int, str]]:
    """Yield what is to be measured: entry, width, tokens, device."""
    devices = asked.device or (["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])
    several = [d for d in installed() if d.kind == "block" or d.name in PEERS]
    for device in devices:
        for width in asked.widths:
            for tokens in asked.lengths:
                for declaration in several:
                    if not asked.only or declaration.name in asked.only:
                        yield declaration, width, tokens, device


def write_rows(path: Path, rows: dict[tuple[Any, ...], Row]) -> None:
    """Put all rows in the place of the file at once, sorted by block and size."""
    lines = (json.dumps(rows[place]) + "\n" for place in sorted(rows))
    new = path.with_suffix(".new")
    new.write_text("".join(lines), encoding="utf-8")
    os.replace(new, path)


def main() -> None:
    """Measure what the file of rows does not have, and print all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[128])
    parser.add_argument("--lengths", type=int, nargs="+", default=[512])
    parser.add_argument("--rows", type=int, default=2, help="rows of a batch")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", nargs="+", choices=["cpu", "cuda"])
    parser.add_argument("--only", nargs="+", help="names of blocks")
    parser.add_argument("--again", action="store_true", help="measure what is known, too")
    parser.add_argument("--machine", default=f"{os.cpu_count()} {platform.machine()} cores")
    parser.add_argument("--out", type=Path, default=Path("runs/blocks.jsonl"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    known = read_rows(asked.out)
    for declaration, width, tokens, device in wanted(asked):
        name = declaration.name
        machine = torch.cuda.get_device_name() if device == "cuda" else asked.machine
        place = (name, width, tokens, device)
        same = {"rows": asked.rows, "machine": machine, "torch": torch.__version__,
                "source": installed().sources[name].partition("/")[2][:16]}  # fmt: skip
        old = known.get(place, {})
        if asked.again or "problems" in old or any(old.get(k) != v for k, v in same.items()):
            found = row(declaration, width, tokens, device, rows=asked.rows, rounds=asked.rounds)
            at = dict(zip(("block", "width", "tokens", "device"), place, strict=True))
            today = datetime.now(UTC).date().isoformat()
            known[place] = {**at, "measured": today, **same, **found}
            write_rows(asked.out, known)
        print(text_of(known[place]), flush=True)


if __name__ == "__main__":
    main()
