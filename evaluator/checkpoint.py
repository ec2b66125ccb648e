"""Checkpoints: the state of a training as one file that is whole or counts as absent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from .adamw import AdamW
from .atomic import write_atomically

FORMAT = "praxis-evolve/checkpoint/1"


class CheckpointError(ValueError):
    """A checkpoint is damaged or belongs to another training; the text says which and why."""


@dataclass(frozen=True)
class State:
    """A training between two steps.

    ``tensors`` are the model's (weights, buffers) and the optimizer's, by name; ``losses`` those of
    the steps so far, in nats, whose number is the data cursor and the state of the generators.
    ``inherited`` is what the training began with, see ``Result.inherited_tokens``.
    """

    tensors: Mapping[str, Tensor]
    losses: tuple[float, ...]
    inherited: int = 0

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights and buffers of the model, by name."""
        return _below("model.", self.tensors)

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return len(self.losses)

    @staticmethod
    def of(model: nn.Module, optimizer: AdamW, losses: list[float]) -> State:
        """Return the state of a training: views, to be written before the next step."""
        tensors = {f"model.{name}": tensor for name, tensor in _weights(model).items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer.tensors().items()}
        return State(tensors, tuple(losses))

    def restore(self, model: nn.Module, optimizer: AdamW) -> tuple[float, ...]:
        """Put the state into *model* and a new *optimizer* of it; return the losses.

        Raises:
            CheckpointError: the names or shapes are not those of the model.
        """
        try:
            model.load_state_dict(self.weights)
            optimizer.load(_below("optimizer.", self.tensors))
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint is of another model: {error}") from error
        return self.losses


def save_state(state: State, path: Path, *, recipe: str) -> None:
    """Write *state* to *path* at once; *recipe* names the training that it belongs to.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    tensors["losses"] = torch.tensor(state.losses, dtype=torch.float64)
    if state.inherited:
        tensors["inherited"] = torch.tensor(state.inherited)
    facts = {"format": FORMAT, "recipe": recipe, "digest": _digest(tensors)}
    write_atomically(path, save(tensors, facts))


def open_state(path: Path, *, recipe: str) -> State:
    """Read the state of the training called *recipe* from *path*.

    Raises:
        CheckpointError: the file is missing, damaged, or of another training.
    """
    try:
        with cast(Any, safe_open)(path, "pt") as file:
            facts = cast("dict[str, str]", file.metadata() or {})
            tensors = {str(name): cast(Tensor, file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"the checkpoint {path.name} cannot be read: {error}") from error
    if facts.get("format") != FORMAT or facts.get("digest") != _digest(tensors):
        raise CheckpointError(f"the checkpoint {path.name} is damaged: its digest does not match")
    if facts.get("recipe") != recipe:
        raise CheckpointError(f"the checkpoint {path.name} is of another training")
    losses = tuple(cast("list[float]", tensors.pop("losses").tolist()))
    inherited = tensors.pop("inherited", torch.zeros((), dtype=torch.int64))
    return State(tensors, losses, int(inherited))


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights and buffers of *model*, for ``folder.load_weights`` to read.

    Raises:
        OSError: the file cannot be written.
    """
    weights = {n: t.detach().cpu().contiguous() for n, t in _weights(model).items()}
    write_atomically(path, save(weights))


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return cast("dict[str, Tensor]", model.state_dict())


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return SHA-256 over names, shapes, types and bytes."""
    content = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        content.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        content.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return content.hexdigest()
