"""Received states: files of weights from strangers, looked at before anything of them is used.

A file is read only where its size and its header can be those of a state of the genome; it must
hold exactly the tensors that the genome builds, finite all of them. That they are what they are
said to be only a training shows, see ``evaluate``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..blocks.registry import Catalog
from ..genome.build import build
from ..genome.graph import Genome
from .adamw import AdamW
from .checkpoint import CheckpointError, State, open_state
from .task import VOCABULARY

HEADER = 1 << 14
"""The most bytes of a header beside those for each tensor."""

ENTRY = 1 << 9
"""The most bytes of a tensor's entry in a header."""

Form = Mapping[str, Tensor]
"""Names, shapes and types of tensors, as tensors without storage."""


def form_of(genome: Genome, *, catalog: Catalog, context: int, steps: int, inherited: int) -> Form:
    """Return the form of the file of a state of *genome* after so many *steps*.

    *inherited* are the tokens that the state began with.
    """
    model = build(genome, catalog=catalog, context=context, vocabulary=VOCABULARY, device="meta")
    tensors = dict(State.of(model, AdamW(model, genome.training), []).tensors)
    tensors["losses"] = torch.empty(steps, dtype=torch.float64, device="meta")
    if inherited:
        tensors["inherited"] = torch.empty((), dtype=torch.int64, device="meta")
    return tensors


def received_state(path: Path, form: Form, *, recipe: str) -> State:
    """Read a state from a file that a stranger made; the training is called *recipe*.

    Raises:
        CheckpointError: it is not of that form, not finite, or of another training.
    """
    problem = next(_problems(path, form), None)
    if problem is not None:
        raise CheckpointError(f"the weights {path.name} {problem}")
    state = open_state(path, recipe=recipe)
    losses = torch.tensor(state.losses, dtype=torch.float64)
    if not all(map(_is_finite, (losses, *state.tensors.values()))):
        raise CheckpointError(f"the weights {path.name} hold numbers that are not finite")
    return state


def _problems(path: Path, form: Form) -> Iterator[str]:
    """Yield what is wrong with a file, from its size and header alone."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in form.values())
    try:
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        found = path.stat().st_size
    except OSError as error:
        yield f"cannot be read: {error}"
        return
    if header > HEADER + ENTRY * len(form):
        yield f"have a header of {header:,} bytes, which {len(form)} tensors do not need"
    elif found != 8 + header + size:
        yield f"have {found:,} bytes, but the genome needs {8 + header + size:,}"
    else:
        yield from _other_tensors(path, form)


def _other_tensors(path: Path, form: Form) -> Iterator[str]:
    try:
        with cast(Any, safe_open)(path, "pt") as file:
            names = set(cast("list[str]", file.keys()))
            if names != set(form):
                yield f"have other tensors: {sorted(map(repr, names ^ set(form)))[:4]}"
                return
            for name, tensor in form.items():
                own = file.get_slice(name)
                shape, kind = tuple(own.get_shape()), str(own.get_dtype())
                if (shape, kind) != (tuple(tensor.shape), _KINDS.get(tensor.dtype)):
                    yield f"have {name!r} as {kind} {shape}, but it is {_shown(tensor)}"
    except SafetensorError as error:
        yield f"are no safetensors: {error}"
    except OSError as error:  # another worker took it
        yield f"cannot be read: {error}"


_KINDS: Mapping[torch.dtype, str] = {
    torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.bool: "BOOL",
}  # fmt: skip
"""What safetensors calls the types of a state."""


def _shown(tensor: Tensor) -> str:
    return f"{_KINDS.get(tensor.dtype, tensor.dtype)} {tuple(tensor.shape)}"


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
